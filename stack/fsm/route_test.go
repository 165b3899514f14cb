package fsm_test

import (
	"testing"

	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestRouteRules: what the host knows of its own ways to the peer moves data at
// once, and gives no path up (RFC 9260 sections 6.4.1, 7.2.5.2 and 8.2).
func TestRouteRules(t *testing.T) {
	moving := in(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived)
	still := in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownSent, tcb.ShutdownAckSent)
	cut := func(ev *fsm.Event) { ev.Facts.Cut = true }
	gone := func(ev *fsm.Event) { ev.Facts.SourceGone = true }
	wasCut := func(c *tcb.TCB) { c.Paths[0].Cut = true }
	for _, id := range []fsm.EventID{fsm.EvRoute, fsm.EvPrimSetSource} {
		ok, no, foreign := "", "", ""
		if id == fsm.EvPrimSetSource {
			ok, no, foreign = "result 1; ", "result 5", "result 6"
		}
		name := id.String() + ", "
		runRules(t, []rule{
			{ // R-6.4.1-01: the alternate is used before anything times out
				name: name + "cut", states: moving, id: id, ev: cut, d: fsm.Consume, want: ok + "cut 0; rescue 0", stays: true,
			},
			{
				name: name + "cut, and nowhere to go", states: moving, id: id, ev: cut,
				tcb: func(c *tcb.TCB) { c.Paths[1].State = tcb.PathInactive }, d: fsm.Consume, want: ok + "cut 0", stays: true,
			},
			{
				name: name + "the other is cut too", states: moving, id: id, ev: cut,
				tcb: func(c *tcb.TCB) { c.Paths[1].Cut = true }, d: fsm.Consume, want: ok + "cut 0", stays: true,
			},
			{
				name: name + "still cut", states: moving, id: id, ev: cut, tcb: wasCut, d: fsm.Consume, want: ok + "cut 0", stays: true,
			},
			{
				name: name + "back", states: moving, id: id, tcb: wasCut, d: fsm.Consume,
				want: ok + "route 0; rescue 0; heartbeat>0 a0000000b; start heartbeat>0", stays: true,
			},
			{
				name: name + "the source is gone", states: moving, id: id, ev: gone, d: fsm.Consume,
				want: ok + "route 0; rescue 0; heartbeat>0 a0000000b; start heartbeat>0", stays: true,
			},
			{
				name: name + "moved", states: moving, id: id, d: fsm.Consume,
				want: ok + "route 0; heartbeat>0 a0000000b; start heartbeat>0", stays: true,
			},
			{ // R-8.3-02: no HEARTBEATs there
				name: name + "moved, and no data flows", states: still, id: id, tcb: wasCut, d: fsm.Consume, want: ok + "route 0", stays: true,
			},
			{
				name: name + "cut, and no data flows", states: still, id: id, ev: cut, d: fsm.Consume, want: ok + "cut 0", stays: true,
			},
			{
				name: name + "no path", states: except(tcb.Closed), id: id, ev: func(ev *fsm.Event) { ev.Path = 2 }, d: fsm.Discard, want: no, stays: true,
			},
		})
		if foreign != "" {
			runRules(t, []rule{{
				name: name + "not ours", states: except(tcb.Closed), id: id, ev: func(ev *fsm.Event) { ev.Facts.Foreign = true },
				d: fsm.Discard, want: foreign, stays: true,
			}})
		}
	}
}
