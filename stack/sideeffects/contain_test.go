package sideeffects

import (
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/tcb"
)

// mine is a Tracer that panics where a test has laid it.
type mine struct {
	at     fsm.EventID
	of     *Association // nil: of any
	always bool         // also at what follows from it
	fired  int
}

func (m *mine) Step(s *Step) {
	if m.of != nil && s.Assoc != m.of {
		return
	}
	if s.Event.ID == m.at || m.always && m.fired > 0 {
		m.fired++
		panic("planted")
	}
}

// TestContain: a panic costs the association that it happened in, is counted,
// and is told to the peer and to the user; others go on.
func TestContain(t *testing.T) {
	data := func(tsn chunk.TSN) []byte {
		return chunk.AppendData(nil, chunk.Data{TSN: tsn, Flags: 3, Payload: []byte("x")})
	}
	for _, always := range []bool{false, true} {
		w := newWorld(t)
		a, b := w.up(peerA), w.up(peerA)
		m := &mine{at: fsm.EvData, of: a, always: always}
		w.x.Trace = m
		w.give(a, data(100), chunk.AppendHeartbeat(nil, []byte("1")))
		if m.fired == 0 || w.x.Contained != 1 {
			t.Fatalf("fired %d times, %d contained", m.fired, w.x.Contained)
		}
		if a.State() != tcb.Closed || !a.End.Ended || a.End.Change != fsm.CommLost || a.End.Cause != chunk.CauseOutOfResource {
			t.Fatalf("%v, %+v", a.State(), a.End)
		}
		if a.Wakes&WakeEnded == 0 {
			t.Error("the user is not woken")
		}
		if a.Deadline() != 0 {
			t.Error("a timer still runs")
		}
		if got := w.said(); got != "ABORT" {
			t.Errorf("the peer is told %q", got)
		}
		w.give(b, data(100))
		w.expect("SACK")
		if b.State() != tcb.Established {
			t.Error("the other one does not go on")
		}
		// The dead one stays quiet.
		w.x.Trace = nil
		w.x.Timeout(a, w.now)
		w.x.Abort(a, nil, w.now)
		w.expect("")
		if w.x.Contained != 1 {
			t.Errorf("%d contained", w.x.Contained)
		}
	}
}

// breaking is a data path that does not even come to its end.
type breaking struct{ *Plane }

func (breaking) Ingest([]byte, tcb.PathID, mono.Time) pipes.Outcome { panic("planted") }
func (breaking) Close(chunk.CauseCode)                              { panic("planted too") }

// TestContainTwice: where tidying up fails as well, the association is still
// gone and its user told.
func TestContainTwice(t *testing.T) {
	w := newWorld(t)
	a := new(Association)
	a.UseDataPlane(breaking{newPlane(w.settings(), w.x.Pools, w.x.cache, nil)})
	w.x.Prepare(a, w.settings(), 2, 5000, 6000)
	w.x.AddPeer(a, peerA, netip.Addr{}, 0)
	w.x.Associate(a, w.now)
	w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: chunk.AppendCookieParam(nil, []byte("c"))}))
	w.give(a, chunk.AppendCookieAck(nil))
	a.Wakes, w.out = 0, nil
	w.give(a, chunk.AppendData(nil, chunk.Data{TSN: 100, Flags: 3, Payload: []byte("x")}))
	if a.State() != tcb.Closed || !a.End.Ended || a.End.Cause == 0 || a.Wakes&WakeEnded == 0 || w.x.Contained != 1 {
		t.Errorf("%v, %+v, wakes %b, %d contained", a.State(), a.End, a.Wakes, w.x.Contained)
	}
	if a.TCB().TimerArmed(tcb.T1Init) || a.timers != [tcb.NumTimers]mono.Time{} {
		t.Error("a timer runs")
	}
}

// TestContainEverywhere: whichever event it is.
func TestContainEverywhere(t *testing.T) {
	for _, at := range []fsm.EventID{
		fsm.EvPrimAssociate, fsm.EvInitAck, fsm.EvCookieAck, fsm.EvPrimSend, fsm.EvPrimShutdown, fsm.EvHeartbeat,
		fsm.EvSack, fsm.EvTimeoutHeartbeat, fsm.EvPrimAbort, fsm.EvNoPendingTSN, fsm.EvProtoUnreach,
	} {
		w := newWorld(t)
		m := &mine{at: at}
		w.x.Trace = m
		a := w.connect(peerA)
		w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{
			Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: chunk.AppendCookieParam(nil, []byte("yours")),
		}))
		w.give(a, chunk.AppendCookieAck(nil))
		w.give(a, chunk.AppendHeartbeat(nil, []byte("1")), chunk.AppendSack(nil, a.tcb.LocalTSN-1, 1500, nil, nil))
		if a.State() != tcb.Closed {
			w.fire(a)
		}
		if at == fsm.EvProtoUnreach {
			w.x.Unreachable(a, w.now)
		}
		if at == fsm.EvPrimAbort {
			w.x.Abort(a, nil, w.now)
		}
		if at == fsm.EvPrimSend {
			send(w, a, "x")
		}
		w.x.Shutdown(a, w.now)
		if m.fired != 1 || w.x.Contained != 1 || a.State() != tcb.Closed || !a.End.Ended {
			t.Errorf("%v: fired %d times, %d contained, %v, %+v", at, m.fired, w.x.Contained, a.State(), a.End)
		}
	}
	// Where there is no association, none is lost.
	w := newWorld(t)
	w.x.Trace = &mine{at: fsm.EvInit}
	w.blue(0, peerInit(nil))
	w.x.Trace = nil
	w.out = nil
	if w.accept(); w.x.Contained != 1 {
		t.Errorf("%d contained", w.x.Contained)
	}
}

// TestParanoidDoesNotContain: a test wants to see the panic.
func TestParanoidDoesNotContain(t *testing.T) {
	w := newWorld(t)
	w.x.Paranoid = true
	a := w.up(peerA)
	w.x.Trace = &mine{at: fsm.EvHeartbeat}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	w.give(a, chunk.AppendHeartbeat(nil, []byte("1")))
}

// unready is a data path that fails while an association is set up.
type unready struct{ *Plane }

func (unready) StartSend(chunk.TSN, uint16, uint32) { panic("planted") }

// TestContainHalfway: an association that was not alive yet has ended too, and
// its user, told so, does not wait for it.
func TestContainHalfway(t *testing.T) {
	w := newWorld(t)
	a := new(Association)
	a.UseDataPlane(unready{newPlane(w.settings(), w.x.Pools, w.x.cache, nil)})
	w.x.Prepare(a, w.settings(), 2, 5000, 6000)
	w.x.AddPeer(a, peerA, netip.Addr{}, 0)
	if r := w.x.Associate(a, w.now); r != fsm.ResultFailed {
		t.Errorf("result %d", r)
	}
	if a.State() != tcb.Closed || !a.End.Ended || a.Wakes&WakeEnded == 0 || w.x.Contained != 1 {
		t.Errorf("%v, %+v, wakes %b, %d contained", a.State(), a.End, a.Wakes, w.x.Contained)
	}
}
