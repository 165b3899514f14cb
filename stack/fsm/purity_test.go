package fsm_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// vary makes a TCB that the machine could meet in state s out of the sample.
func vary(r *rand.Rand, s tcb.State) *tcb.TCB {
	t := sample(s)
	if t == nil {
		return nil
	}
	pick := func(n int) uint16 { return uint16(r.IntN(n)) }
	t.Errors = []uint16{0, 1, 9, 10, 11}[r.IntN(5)]
	t.InitTries = pick(10)
	t.StaleRetries = uint8(pick(5))
	t.ShutdownAsked = r.IntN(2) == 0
	t.Paths = t.Paths[:0]
	for range 1 + r.IntN(3) {
		t.Paths = append(t.Paths, tcb.PathCtl{
			State: tcb.PathState(r.IntN(3)), HBOut: r.IntN(2) == 0, HBArmed: r.IntN(2) == 0,
			Errors: pick(8), Nonce: 40 + uint64(r.IntN(4)),
		})
	}
	t.Primary = tcb.PathID(r.IntN(len(t.Paths)))
	t.CtlPath = tcb.PathID(r.IntN(len(t.Paths)))
	if r.IntN(4) == 0 {
		t.PeerTag, t.TiePeer = 0, 0
	}
	return t
}

// varyEvent makes an event of kind id with all its facts drawn.
func varyEvent(r *rand.Rand, id fsm.EventID) fsm.Event {
	ev := event(id)
	flip := func() bool { return r.IntN(2) == 0 }
	rare := func() bool { return r.IntN(8) == 0 }
	tags := [...]chunk.VTag{ourTag, peerTag, otherTag, 0}
	ties := [...]uint32{ourTie, peerTie, 0, 0x1234}
	if rare() {
		ev.Path = []tcb.PathID{1, 2, tcb.NoPath}[r.IntN(3)]
	}
	ev.Flags = uint8(r.IntN(4))
	if rare() {
		ev.Tag = fsm.TagClass(r.IntN(8))
	}
	ev.Type = chunk.Type(r.IntN(256))
	ev.Code = uint16(r.IntN(16))
	if rare() {
		ev.Len = uint16(r.IntN(24))
	}
	ev.First, ev.Alone = !rare(), !rare()
	ev.Arg = r.Uint32()
	ev.Paths = tcb.PathSet(r.Uint32N(8))
	if ev.Init != nil {
		verdicts := [...]chunk.Err{chunk.ErrNone, chunk.ErrZeroTag, chunk.ErrARwnd, chunk.ErrZeroStreams, chunk.ErrHostName, chunk.ErrMissing, chunk.ErrOverrun, chunk.ErrParamLength}
		ev.Init.Verdict = verdicts[r.IntN(len(verdicts))]
		if ev.Init.Verdict == chunk.ErrZeroTag {
			ev.Init.Tag = 0
		}
		ev.Init.NUnknown = r.IntN(3)
	}
	ev.Cookie = fsm.CookieFacts{
		Valid: !rare(), Expired: flip(), StaleBy: mono.Duration(r.Int64N(1 << 40)),
		LocalTag: tags[r.IntN(3)], PeerTag: tags[r.IntN(3)],
		TieLocal: ties[r.IntN(4)], TiePeer: ties[r.IntN(4)],
	}
	ev.HB = fsm.HeartbeatFacts{Valid: !rare(), Path: tcb.PathID(r.IntN(4)), Nonce: 40 + uint64(r.IntN(4)), RTT: mono.Duration(r.Int64N(1e9) - 1e7)}
	ev.Facts = fsm.Facts{
		OutqEmpty: flip(), ZeroWindow: flip(), PathBusy: flip(),
		NewAddrs: flip(), PeerUnknown: flip(),
	}
	ev.Env.Listening, ev.Env.BacklogFull, ev.Env.NonUnicast = !rare(), rare(), rare()
	return ev
}

// eachCell calls f with many samples of every event in every state.
func eachCell(f func(c *tcb.TCB, ev *fsm.Event)) {
	r := rand.New(rand.NewPCG(9260, 4))
	for id := fsm.EventID(0); id < fsm.NumEvents; id++ {
		for s := range allStates {
			for range 60 {
				ev := varyEvent(r, id)
				f(vary(r, s), &ev)
			}
		}
	}
}

// TestPure: equal arguments give equal results, and only the list is written.
func TestPure(t *testing.T) {
	most, at := 0, ""
	eachCell(func(c *tcb.TCB, ev *fsm.Event) {
		before := *ev
		var init chunk.InitFacts
		if ev.Init != nil {
			init = *ev.Init
		}
		_, out := step(t, c, ev)
		if *ev != before || ev.Init != nil && *ev.Init != init {
			t.Fatalf("%v: the event was changed", ev.ID)
		}
		if out.Len() > most {
			most, at = out.Len(), ev.ID.String()
		}
	})
	t.Logf("at most %d commands (%s), of %d", most, at, fsm.MaxCommands)
}

// TestPureTogether: many goroutines may ask about one TCB; the race detector
// sees it if a state function writes what it should not.
func TestPureTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type cell struct {
		c  *tcb.TCB
		ev fsm.Event
	}
	var cells []cell
	for id := fsm.EventID(0); id < fsm.NumEvents; id++ {
		for s := range allStates {
			for range 4 {
				cells = append(cells, cell{vary(r, s), varyEvent(r, id)})
			}
		}
	}
	var wg sync.WaitGroup
	results := make([][]fsm.Commands, 8)
	for g := range results {
		results[g] = make([]fsm.Commands, len(cells))
		wg.Go(func() {
			for i := range cells {
				fsm.Step(tcb.ViewOf(cells[i].c), &cells[i].ev, &results[g][i])
			}
		})
	}
	wg.Wait()
	for g := range results {
		for i := range cells {
			if !results[g][i].Equal(&results[0][i]) {
				t.Fatalf("%v: goroutine %d decided otherwise", cells[i].ev.ID, g)
			}
		}
	}
}

// harmless are the commands that leave an association as it is: counters,
// results of primitives, and the replies that the RFC asks for.
func harmless(v fsm.Verb) bool {
	switch v {
	case fsm.CmdCount, fsm.CmdResult, fsm.CmdSendError, fsm.CmdRespond:
		return true
	}
	return false
}

// TestDiscardChangesNothing: what is discarded, and what cannot happen,
// changes no association.
func TestDiscardChangesNothing(t *testing.T) {
	eachCell(func(c *tcb.TCB, ev *fsm.Event) {
		d, out := step(t, c, ev)
		if d != fsm.Discard && d != fsm.Bug {
			return
		}
		for i := range out.Len() {
			if v := out.At(i).Verb; !harmless(v) {
				t.Fatalf("%v %v in %v: %s", d, ev.ID, tcb.ViewOf(c).State(), text(out))
			}
		}
	})
}

// TestCommandsFit: the commands of an event make sense together.
func TestCommandsFit(t *testing.T) {
	eachCell(func(c *tcb.TCB, ev *fsm.Event) {
		if c != nil && ev.Path != tcb.NoPath && int(ev.Path) >= len(c.Paths) && ev.ID != fsm.EvPrimHeartbeat {
			ev.Path = tcb.PathID(len(c.Paths) - 1) // the executor names no other
		}
		if ev.ID == fsm.EvTimeoutHeartbeat || ev.ID == fsm.EvTimeoutT3 {
			if ev.Path == tcb.NoPath {
				ev.Path = 0
			}
		}
		s := tcb.ViewOf(c).State()
		_, out := step(t, c, ev)
		fail := func(why string) {
			t.Helper()
			t.Fatalf("%v in %v: %s: %s", ev.ID, s, why, text(out))
		}
		ended, born := false, false
		for i := range out.Len() {
			cmd := out.At(i)
			if ended && cmd.Verb != fsm.CmdCount && cmd.Verb != fsm.CmdResult {
				fail("goes on after the end")
			}
			switch cmd.Verb {
			case fsm.CmdNop:
				fail("an empty command")
			case fsm.CmdDeleteTCB:
				ended = true
			case fsm.CmdNewAssoc, fsm.CmdSetup:
				born = true
			case fsm.CmdNewState:
				if st := tcb.State(cmd.A); st == tcb.Closed || st >= tcb.NumStates {
					fail("a state that only an end leads to")
				}
			case fsm.CmdTimerStart, fsm.CmdHeartbeat, fsm.CmdPathState, fsm.CmdStrike, fsm.CmdMarkRtx, fsm.CmdBackoff, fsm.CmdHBAcked, fsm.CmdRTTSample:
				back := cmd.Path == tcb.NoPath && (cmd.Verb == fsm.CmdStrike || ev.ID == fsm.EvInitAck)
				if c != nil && int(cmd.Path) >= len(c.Paths) && !back {
					fail("no such path")
				}
			}
			if c == nil && !born && !harmless(cmd.Verb) && cmd.Verb != fsm.CmdSendInitAck {
				fail("there is no association")
			}
		}
		if c == nil && !born && stateAfter(s, out) != tcb.Closed {
			fail("a state without an association")
		}
		// Whoever enters a state that waits for an answer starts its timer.
		next := stateAfter(s, out)
		timers := map[tcb.State]tcb.TimerID{tcb.CookieWait: tcb.T1Init, tcb.CookieEchoed: tcb.T1Cookie, tcb.ShutdownSent: tcb.T2Shutdown, tcb.ShutdownAckSent: tcb.T2Shutdown}
		if id, ok := timers[next]; ok && next != s {
			started := false
			for i := range out.Len() {
				cmd := out.At(i)
				started = started && cmd.Verb != fsm.CmdTimersStop || cmd.Verb == fsm.CmdTimerStart && cmd.Timer == id
			}
			if !started {
				fail("nothing waits for the answer")
			}
		}
	})
}

// TestUnknownEvent: a number that is no event is a bug, not a panic.
func TestUnknownEvent(t *testing.T) {
	ev := fsm.Event{ID: fsm.NumEvents}
	var out fsm.Commands
	if d := fsm.Step(tcb.View{}, &ev, &out); d != fsm.Bug || out.Len() != 0 {
		t.Fatal(d, out.Len())
	}
	if fsm.Name(fsm.NumEvents, 0) != "none" || fsm.Name(0, tcb.NumStates) != "none" {
		t.Fatal("a name for nothing")
	}
}

// TestListIsBounded: a list that is full keeps what it has and says so.
func TestListIsBounded(t *testing.T) {
	ev := event(fsm.EvInit)
	var out fsm.Commands
	if fsm.Step(tcb.View{}, &ev, &out); out.Len() == 0 || out.Overflowed() {
		t.Fatal("no commands")
	}
	if out.Reset(); out.Len() != 0 {
		t.Fatal("not emptied")
	}
	if n := testing.AllocsPerRun(100, func() { fsm.Step(tcb.View{}, &ev, &out) }); n != 0 {
		t.Fatalf("a step allocates %v times", n)
	}
}
