package replay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A Ladder is the exchange between this host and its peers: a section for each
// association, and one for what belongs to none.
type Ladder struct {
	Title    string
	Subtitle string
	Foot     []string
	sections []*section
	byID     map[uint32]*section
	loose    []rung // of no association (yet)
	states   map[uint32]tcb.State
	left     int // rungs that there is room for
}

type section struct {
	assoc uint32
	ports [2]uint16 // local, peer's
	rungs []rung
	paths []pathOf
}

// pathOf is a pair of addresses that packets were seen with.
type pathOf struct{ local, peer netip.Addr }

// rung is a packet, or, without chunks, a change or a call.
type rung struct {
	at     mono.Time
	step   int
	out    bool
	path   pathOf
	ports  [2]uint16
	chunks []string
	why    []string
	note   string // beside the ladder
	state  string // the state that the association got
}

// NewLadder returns a Ladder for at most max packets and changes.
func NewLadder(title string, max int) *Ladder {
	return &Ladder{Title: title, byID: make(map[uint32]*section), states: make(map[uint32]tcb.State), left: max}
}

// Full reports whether there is no room for more.
func (l *Ladder) Full() bool { return l.left <= 0 }

// Add adds what a step did.
func (l *Ladder) Add(s *Step) {
	var rungs []rung
	if in := s.In; in != nil {
		r := rung{at: s.At, step: s.N, path: pathOf{in.Dst, in.Src}, ports: in.Ports, chunks: in.Chunks}
		if s.ignored() {
			r.note = "ignored"
		}
		rungs = append(rungs, r)
	}
	if note := s.note(); note != "" {
		rungs = append(rungs, rung{at: s.At, step: s.N, note: note})
	}
	if was, ok := l.states[s.Assoc]; s.Assoc != 0 && (!ok || was != s.After) && s.Line != "" {
		l.states[s.Assoc] = s.After
		rungs = append(rungs, rung{at: s.At, step: s.N, state: s.After.String()})
	}
	for i := range s.Sent {
		p := &s.Sent[i]
		r := rung{at: s.At, step: s.N, out: true, path: pathOf{p.Src, p.Dst}, ports: p.Ports}
		for _, c := range p.Chunks {
			r.chunks = append(r.chunks, c.Chunk)
			r.why = append(r.why, kind(c.Chunk)+": "+c.Why)
		}
		rungs = append(rungs, r)
	}
	rungs = rungs[:min(len(rungs), max(l.left, 0))]
	l.left -= len(rungs)
	if s.Assoc == 0 {
		l.loose = append(l.loose, rungs...)
		return
	}
	sec := l.byID[s.Assoc]
	if sec == nil {
		sec = &section{assoc: s.Assoc}
		l.byID[s.Assoc] = sec
		l.sections = append(l.sections, sec)
	}
	for i := range rungs {
		sec.add(rungs[i])
	}
	l.claim(sec)
}

// ignored reports whether nothing was done but counting.
func (s *Step) ignored() bool {
	return strings.HasPrefix(s.Result, "discard") &&
		!slices.ContainsFunc(s.Orders, func(o string) bool { return !strings.HasPrefix(o, "count ") })
}

// note is what is worth a word although nothing came in.
func (s *Step) note() string {
	if s.In != nil || s.Line == "" {
		return ""
	}
	switch {
	case strings.HasPrefix(s.Event, "timeout "):
		return "the " + strings.TrimPrefix(s.Event, "timeout ") + " timer expires"
	case s.Event == fsm.EvRoute.String() && s.cuts():
		return fmt.Sprintf("the host has no way to path %d now", s.Path)
	case s.Event == fsm.EvRoute.String():
		return fmt.Sprintf("the host's way to path %d changes", s.Path)
	case strings.HasPrefix(s.Call, "the user ") && !s.Follows:
		return s.Call
	}
	return ""
}

// cuts reports whether the step takes note that a path's way is gone.
func (s *Step) cuts() bool {
	return slices.Contains(s.Changed, fmt.Sprintf("path %d: Cut false -> true", s.Path))
}

func (sec *section) add(r rung) {
	if r.ports != [2]uint16{} {
		sec.ports = r.ports
		if !slices.Contains(sec.paths, r.path) && r.path.peer.IsValid() {
			sec.paths = append(sec.paths, r.path)
		}
	}
	sec.rungs = append(sec.rungs, r)
}

// claim moves what was exchanged before an association was there to it: INIT
// and INIT ACK between its ports and addresses.
func (l *Ladder) claim(sec *section) {
	if sec.ports == [2]uint16{} || len(l.loose) == 0 {
		return
	}
	var mine, rest []rung
	for _, r := range l.loose {
		if r.ports == sec.ports && slices.ContainsFunc(sec.paths, func(p pathOf) bool { return p.peer == r.path.peer }) {
			mine = append(mine, r)
		} else {
			rest = append(rest, r)
		}
	}
	l.loose = rest
	for i := range mine {
		sec.add(mine[i])
	}
	if len(mine) > 0 {
		slices.SortStableFunc(sec.rungs, func(a, b rung) int { return a.step - b.step })
	}
}

// all are the sections, the loose ends last.
func (l *Ladder) all() []*section {
	list := l.sections
	if len(l.loose) > 0 {
		sec := new(section)
		for i := range l.loose {
			sec.add(l.loose[i])
		}
		list = append(slices.Clone(list), sec)
	}
	return list
}

func (sec *section) name() string {
	if sec.assoc == 0 {
		return "no association"
	}
	s := fmt.Sprintf("association %d", sec.assoc)
	if sec.ports != [2]uint16{} {
		s += fmt.Sprintf(", port %d to %d", sec.ports[0], sec.ports[1])
	}
	return s
}

// hosts are the two ends' addresses, as they head the ladder.
func (sec *section) hosts() (local, peer []string) {
	add := func(list []string, a netip.Addr) []string {
		if a.IsValid() && !slices.Contains(list, a.String()) {
			list = append(list, a.String())
		}
		return list
	}
	for _, p := range sec.paths {
		local, peer = add(local, p.local), add(peer, p.peer)
	}
	if len(local) == 0 {
		local = []string{"this host"}
	}
	if len(peer) == 0 {
		peer = []string{"peer"}
	}
	return local, peer
}

// pathIndex numbers the pairs of addresses, for colours and labels.
func (sec *section) pathIndex(p pathOf) int { return max(slices.Index(sec.paths, p), 0) }

// label names a packet's chunks, runs of DATA as one.
func (r *rung) label() string {
	var parts []string
	for i := 0; i < len(r.chunks); i++ {
		first := kind(r.chunks[i])
		if !strings.HasPrefix(first, "DATA ") {
			parts = append(parts, brief(r.chunks[i]))
			continue
		}
		n := i
		for n+1 < len(r.chunks) && strings.HasPrefix(r.chunks[n+1], "DATA ") {
			n++
		}
		if n > i {
			first += "–" + strings.TrimPrefix(kind(r.chunks[n]), "DATA ")
		}
		parts = append(parts, first)
		i = n
	}
	return strings.Join(parts, " + ")
}

// brief is a chunk with what identifies it.
func brief(c string) string {
	name := kind(c)
	words := strings.Fields(strings.TrimPrefix(c, name))
	switch {
	case name == "SACK" && len(words) > 0:
		for _, w := range words {
			if strings.HasPrefix(w, "+") || w == "dup" {
				name = "SACK " + words[0] + " " + strings.Join(words[3:], " ")
				return name
			}
		}
		return "SACK " + words[0]
	case (name == "INIT" || name == "INIT ACK") && len(words) >= 4:
		return name + " TSN " + words[3]
	case name == "SHUTDOWN" && len(words) > 0:
		return "SHUTDOWN " + words[0]
	}
	return name
}
