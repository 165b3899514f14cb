package replay

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gosctp/gosctp/internal/mono"
)

const arrowWidth = 56

// WriteText draws the ladder with characters.
func (l *Ladder) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", l.Title)
	if l.Subtitle != "" {
		fmt.Fprintf(&b, "%s\n", l.Subtitle)
	}
	for _, c := range l.all() {
		c.writeText(&b)
	}
	for _, f := range l.Foot {
		fmt.Fprintf(&b, "\n%s\n", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (sec *section) writeText(b *strings.Builder) {
	local, peer := sec.hosts()
	fmt.Fprintf(b, "\n%s\n\n", sec.name())
	left, right := strings.Join(local, " "), strings.Join(peer, " ")
	gap := max(arrowWidth+2-utf8.RuneCountInString(left)-utf8.RuneCountInString(right), 2)
	fmt.Fprintf(b, "%6s  %14s   %s%s%s\n", "step", "time", left, strings.Repeat(" ", gap), right)
	var last mono.Time
	for i := range sec.rungs {
		r := &sec.rungs[i]
		at := ""
		if r.at != last || i == 0 {
			at, last = clock(r.at), r.at
		}
		head := fmt.Sprintf("%6d  %14s  ", r.step, at)
		switch {
		case r.state != "":
			fmt.Fprintf(b, "%s %s\n", head, "══ "+r.state+" ══")
		case len(r.chunks) == 0:
			fmt.Fprintf(b, "%s │ (%s)\n", head, r.note)
		default:
			fmt.Fprintf(b, "%s │%s│%s\n", head, arrow(r), sec.tail(r))
		}
	}
}

// arrow is a packet between the two lines.
func arrow(r *rung) string {
	label := " " + cutTo(r.label(), arrowWidth-8) + " "
	n := arrowWidth - utf8.RuneCountInString(label) - 1
	a, z := strings.Repeat("─", n/2), strings.Repeat("─", n-n/2)
	if r.out {
		return a + label + z + "►"
	}
	return "◄" + a + label + z
}

func cutTo(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// tail says by which addresses a packet went, where there are several, and
// what became of it.
func (sec *section) tail(r *rung) string {
	s := ""
	if len(sec.paths) > 1 && r.path.peer.IsValid() {
		s = fmt.Sprintf(" path %d: %v", sec.pathIndex(r.path), r.path.peer)
	}
	if r.note != "" {
		s += " (" + r.note + ")"
	}
	return s
}
