// Package pipes holds what the pipes below it share: the outcomes they report
// to the state machine.
package pipes

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Bits are the facts about a piece of work in the pipes that the state machine
// has to hear of. The usual case is none.
type Bits uint16

// Outcomes.
const (
	AllAcked     Bits = 1 << iota // nothing is queued or in flight any more
	PathsAcked                    // something new was acknowledged; it proves that Paths work
	BadCumTSN                     // a SACK acknowledges a TSN that was never sent
	BadGap                        // a gap block beyond what was sent
	NoUserData                    // TSN was a DATA chunk without user data
	BadStream                     // Stream does not exist; the chunk was acknowledged and dropped
	BadFragments                  // fragments that cannot belong together: a protocol violation
	Delivered                     // something became ready for the application
	Writable                      // send buffer space came free
	WindowOpened                  // the peer's receive window opened after it was shut
)

// Outcome is what a pipe reports after a piece of work.
type Outcome struct {
	Bits   Bits
	Paths  tcb.PathSet    // with PathsAcked
	TSN    chunk.TSN      // with NoUserData, BadCumTSN
	Stream chunk.StreamID // with BadStream
}

// Merge adds what o2 reports to o. The first TSN and Stream are kept.
func (o *Outcome) Merge(o2 Outcome) {
	if o.Bits&(NoUserData|BadCumTSN) == 0 {
		o.TSN = o2.TSN
	}
	if o.Bits&BadStream == 0 {
		o.Stream = o2.Stream
	}
	o.Bits |= o2.Bits
	o.Paths |= o2.Paths
}
