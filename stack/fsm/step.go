package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// StateFunc decides what an event means in a state. It must be pure: equal
// arguments give equal results, and nothing but out is written.
type StateFunc func(v tcb.View, ev *Event, out *Commands) Disposition

// TagRule says which Verification Tags an event accepts (RFC 9260 section
// 8.5). A packet that fails it is silently discarded.
type TagRule uint8

// Tag rules.
const (
	TagRuleNone    TagRule = iota // not a chunk, or judged by the state function
	TagRuleOwn                    // our tag
	TagRuleZero                   // zero: INIT
	TagRuleReflect                // our tag with T clear, or the peer's with T set
)

// String names the rule as docs/statetable.md does.
func (r TagRule) String() string {
	switch r {
	case TagRuleOwn:
		return "own"
	case TagRuleZero:
		return "zero"
	case TagRuleReflect:
		return "own, or peer's with T"
	}
	return "-"
}

type cell struct {
	fn   StateFunc
	name string
	// anyTag exempts the cell from the row's tag rule (RFC 9260 section 8.5.1 E).
	anyTag bool
	// entropy: the cell draws tags or nonces from Env.
	entropy bool
}

type row struct {
	name   string
	tag    TagRule
	minLen uint16 // least chunk length
	alone  bool   // must be the only chunk of its packet
	cells  [tcb.NumStates]cell
}

// Step runs the state function for ev and fills out with its commands.
func Step(v tcb.View, ev *Event, out *Commands) Disposition {
	out.Reset()
	if ev.ID >= NumEvents {
		return Bug
	}
	r := &table[ev.ID]
	s := v.State()
	c := &r.cells[s]
	if s != tcb.Closed && !c.anyTag && !tagFits(r.tag, ev) {
		out.count(StatDiscards)
		return DiscardPacket
	}
	if r.alone && !ev.Alone {
		out.count(StatDiscards)
		return DiscardPacket
	}
	if ev.Len < r.minLen {
		out.count(StatDiscards)
		return DiscardPacket
	}
	return c.fn(v, ev, out)
}

func tagFits(rule TagRule, ev *Event) bool {
	switch rule {
	case TagRuleOwn:
		return ev.Tag&TagOwn != 0
	case TagRuleZero:
		return ev.Tag&TagZero != 0
	case TagRuleReflect:
		if ev.Flags&chunk.FlagT != 0 {
			return ev.Tag&TagPeer != 0
		}
		return ev.Tag&TagOwn != 0
	}
	return true
}

// WantsEntropy reports whether the state function for id in state s draws
// from Env's tags and nonces.
func WantsEntropy(id EventID, s tcb.State) bool { return table[id].cells[s].entropy }

// Name returns the name of the state function for id in state s.
func Name(id EventID, s tcb.State) string {
	if id >= NumEvents || s >= tcb.NumStates {
		return "none"
	}
	return table[id].cells[s].name
}

// EventOf returns the event of a chunk type.
func EventOf(t chunk.Type) EventID { return eventOf[t] }

// String returns the event's name.
func (id EventID) String() string {
	if id < NumEvents {
		return table[id].name
	}
	return "invalid-event"
}
