package replay

import (
	"fmt"
	"io"
	"strings"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
)

// WriteStep writes a step in a few lines: itself, what it changed, what it
// sent.
func WriteStep(w io.Writer, s *Step) error {
	var b strings.Builder
	if s.Line != "" {
		fmt.Fprintf(&b, "%6d  %s\n", s.N, s.Line)
	} else {
		fmt.Fprintf(&b, "%6d  %s", s.N, clock(s.At))
		if s.Assoc != 0 {
			fmt.Fprintf(&b, " #%d %v", s.Assoc, s.Before)
		}
		fmt.Fprintf(&b, ": %s\n", s.Call)
	}
	if s.Differs != "" {
		fmt.Fprintf(&b, "        DIFFERS: today %s\n", s.Differs)
	}
	if len(s.Changed) > 0 {
		fmt.Fprintf(&b, "        changed: %s\n", strings.Join(s.Changed, "; "))
	}
	for i := range s.Sent {
		p := &s.Sent[i]
		fmt.Fprintf(&b, "        sent%s: %s\n", way(p), p.Text)
		for _, c := range p.Chunks {
			fmt.Fprintf(&b, "          %s: %s\n", kind(c.Chunk), c.Why)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteWhy writes all that is known of a step.
func WriteWhy(w io.Writer, s *Step) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Step %d at %s s", s.N, clock(s.At))
	if s.Assoc != 0 {
		fmt.Fprintf(&b, ", association %d", s.Assoc)
	} else {
		b.WriteString(", no association")
	}
	b.WriteString("\n\n")
	row := func(name string, values ...string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "  %-9s %s\n", name, v)
		}
	}
	row("caused by", s.Call)
	if s.In != nil {
		row("packet", s.In.Text)
	}
	if s.Line != "" {
		row("event", s.Event)
		row("facts", s.Facts...)
		row("state", fmt.Sprintf("%v, table cell %s", s.Before, s.Func))
		row("decision", s.Result)
		row("commands", s.Orders...)
		if s.Before != s.After {
			row("after", s.After.String())
		} else {
			row("after", s.After.String()+", as before")
		}
	} else {
		row("state", s.Before.String()+"; no event for the state machine, the pipes did it")
	}
	if s.Differs != "" {
		row("DIFFERS", "today "+s.Differs)
	}
	row("changed", s.Changed...)
	if len(s.Sent) == 0 {
		row("sent", "nothing")
	}
	for i := range s.Sent {
		p := &s.Sent[i]
		row("sent", strings.TrimSpace(way(p)+" "+p.Text))
		for _, c := range p.Chunks {
			row("", fmt.Sprintf("  %s: %s", kind(c.Chunk), c.Why))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func way(p *Sent) string {
	if !p.Dst.IsValid() {
		return ""
	}
	if !p.Src.IsValid() {
		return fmt.Sprintf(" to %v", p.Dst)
	}
	return fmt.Sprintf(" %v to %v", p.Src, p.Dst)
}

// kind is the beginning of a chunk's text that names it: its type, and of a
// DATA chunk its TSN.
func kind(text string) string {
	words := strings.Fields(text)
	n := 0
	for n < len(words) && strings.ToUpper(words[n]) == words[n] && strings.Trim(words[n], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		n++
	}
	if n == 0 {
		return text
	}
	if words[0] == "DATA" && len(words) > 1 {
		n = 2
	}
	return strings.Join(words[:n], " ")
}

func clock(t mono.Time) string { return string(trace.AppendTime(nil, t)) }
