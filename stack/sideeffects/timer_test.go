package sideeffects

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

func send(w *world, a *Association, s string) fsm.Result {
	b := w.x.Pools.Seg.Get(len(s))
	copy(b.B, s)
	return w.x.Send(a, outqueue.Message{Buf: b}, w.now)
}

// gaps fires the association's timers until it ends, and returns the time from
// each to the next.
func gaps(w *world, a *Association, most int) (l []mono.Duration) {
	last := w.now
	for a.State() != tcb.Closed {
		t := w.fire(a)
		if t == 0 || len(l) == most {
			return l
		}
		l = append(l, t.Sub(last))
		last = t
	}
	return l
}

func seconds(s ...int) (l []mono.Duration) {
	for _, v := range s {
		l = append(l, mono.Duration(v)*mono.Second)
	}
	return l
}

func same(t *testing.T, got, want []mono.Duration) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("after %v, want %v", got, want)
		}
	}
}

// TestT1: set-up, with RTO.Initial, doubling, capped by RTO.Max (R-4-03 R-4-06
// R-5.1-12 R-5.1.6-01).
func TestT1(t *testing.T) {
	w := newWorld(t)
	a := w.connect(peerA)
	same(t, gaps(w, a, 99), seconds(1, 2, 4, 8, 16, 32, 60, 60, 60))
	if w.x.Stats[fsm.StatT1InitExpireds] != 9 || a.End.Change != fsm.CantStart {
		t.Errorf("%d expirations, %v", w.x.Stats[fsm.StatT1InitExpireds], a.End.Change)
	}

	w = newWorld(t)
	w.cfg.RTOInitial, w.cfg.RTOMax, w.cfg.MaxInitRetransmits = 3*mono.Second, 10*mono.Second, 4
	a = w.connect(peerA)
	same(t, gaps(w, a, 99), seconds(3, 6, 10, 10, 10))

	// Two addresses: each has its own RTO (R-5.1-13 R-5.1-14).
	w = newWorld(t)
	a = w.connect(peerA, peerB)
	same(t, gaps(w, a, 99), seconds(1, 1, 2, 2, 4, 4, 8, 8, 16))
	to := map[bool]int{}
	for _, p := range w.out {
		to[p.to.Dst == peerA]++
	}
	if to[true] != 5 || to[false] != 4 {
		t.Errorf("INITs to the two addresses: %v", to)
	}

	// COOKIE ECHO begins again with what was measured: at once, so RTO.Min.
	w = newWorld(t)
	a = w.connect(peerA)
	w.fire(a)
	w.now = w.now.Add(100 * mono.Millisecond)
	w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, Params: chunk.AppendCookieParam(nil, []byte("c"))}))
	got := gaps(w, a, 99)
	same(t, got, seconds(2, 4, 8, 16, 32, 60, 60, 60, 60)) // Karn: the INIT was repeated, its back-off stays
	if w.x.Stats[fsm.StatT1CookieExpireds] != 9 {
		t.Errorf("%d expirations", w.x.Stats[fsm.StatT1CookieExpireds])
	}
}

// TestT2T5: teardown (R-9.2-04 R-9.2-05 R-9.2-16 R-9.2-17 R-9.2-19).
func TestT2T5(t *testing.T) {
	w := newWorld(t)
	a := w.up(peerA)
	w.x.Shutdown(a, w.now)
	w.expect("SHUTDOWN")
	// The tenth retransmission would be 60 s later; the guard is earlier.
	same(t, gaps(w, a, 99), seconds(1, 2, 4, 8, 16, 32, 60, 60, 60, 57))
	if got := w.said(); got != "SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | SHUTDOWN | ABORT" {
		t.Errorf("%s", got)
	}
	if w.x.Stats[fsm.StatT5ShutdownGuardExpireds] != 1 || w.x.Stats[fsm.StatT2ShutdownExpireds] != 9 {
		t.Error("not counted")
	}

	w = newWorld(t)
	w.cfg.AssocMaxRetrans = 3
	a = w.up(peerA)
	w.x.Shutdown(a, w.now)
	same(t, gaps(w, a, 99), seconds(1, 2, 4, 8))

	w = newWorld(t)
	w.cfg.AssocMaxRetrans = 3
	a = w.up(peerA)
	w.give(a, chunk.AppendShutdown(nil, a.tcb.LocalTSN-1))
	w.expect("SHUTDOWN ACK")
	same(t, gaps(w, a, 99), seconds(1, 2, 4, 8))
	w.expect("SHUTDOWN ACK | SHUTDOWN ACK | SHUTDOWN ACK")
}

// TestT3Deadlines: data that nobody acknowledges (R-6.3.3-02 R-8.1-04).
func TestT3Deadlines(t *testing.T) {
	w := newWorld(t)
	w.cfg.HBInterval = 0
	a := w.up(peerA)
	send(w, a, "x")
	w.expect("DATA")
	same(t, gaps(w, a, 99), seconds(1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60))
	if a.End.Change != fsm.CommLost {
		t.Error(a.End.Change)
	}
}

// TestHeartbeatJitter: HB.interval and the RTO, which varies by half to either
// side (R-8.3-16); unanswered, the RTO doubles.
func TestHeartbeatJitter(t *testing.T) {
	var least, most mono.Duration = 1 << 60, 0
	for range 400 {
		w := newWorld(t)
		w.x.begin(nil, nil, w.now)
		seed := [32]byte{byte(least), byte(most), byte(w.rnd.Uint64())}
		w.rnd.Seed(seed)
		a := w.up(peerA)
		d := a.Deadline().Sub(w.now)
		least, most = min(least, d), max(most, d)
		if d < 30500*mono.Millisecond || d >= 31500*mono.Millisecond {
			t.Fatalf("%v after 30 s and an RTO of 1 s", d)
		}
	}
	w := newWorld(t)
	seen := map[mono.Duration]bool{}
	for range 300 {
		a := w.up(peerA)
		d := a.Deadline().Sub(w.now)
		seen[d] = true
		least, most = min(least, d), max(most, d)
	}
	if len(seen) < 250 || least > 30550*mono.Millisecond || most < 31450*mono.Millisecond {
		t.Errorf("%d values from %v to %v", len(seen), least, most)
	}

	for _, b := range []struct {
		entropy byte
		want    mono.Duration
	}{{0, 500 * mono.Millisecond}, {0x80, mono.Duration(1000 * mono.Millisecond * 128 / 128)}} {
		w := newWorld(t)
		w.cfg.AssocMaxRetrans, w.cfg.PathMaxRetrans = 3, 3
		a := w.up(peerA)
		w.fixed = []byte{b.entropy, 0, 0x11, 0x13}
		w.fire(a)
		got := gaps(w, a, 99)
		want := []mono.Duration{30*mono.Second + b.want, 30*mono.Second + 2*b.want, 30*mono.Second + 4*b.want, 30*mono.Second + 8*b.want}
		same(t, got, want)
		if a.End.Change != fsm.CommLost {
			t.Error(a.End.Change)
		}
	}

	// Without HB.interval only what is unconfirmed is probed.
	w = newWorld(t)
	w.cfg.HBInterval = 0
	a := w.up(peerA)
	if d := a.Deadline(); d != 0 {
		t.Errorf("a timer runs: %v", d)
	}
	tag, cookie := w.ask(chunk.AppendAddrParam(nil, peerB))
	w.blue(tag, chunk.AppendCookieEcho(nil, cookie))
	w.out = nil
	if d := w.created.Deadline(); d != w.now {
		t.Errorf("the other address is probed at %v", d)
	}
}

// TestDelayedSack: 200 ms, or the second packet (R-6.2-03 R-6.2-05).
func TestDelayedSack(t *testing.T) {
	w := newWorld(t)
	w.cfg.HBInterval = 0
	a := w.accept()
	data := func(tsn chunk.TSN) []byte {
		return chunk.AppendData(nil, chunk.Data{TSN: tsn, Flags: 7, Payload: []byte("x")})
	}
	w.give(a, data(100)) // the first at once (R-5.1-18)
	w.expect("SACK")
	w.give(a, data(101))
	w.expect("")
	if d := a.Deadline().Sub(w.now); d != 200*mono.Millisecond {
		t.Errorf("after %v", d)
	}
	w.fire(a)
	w.expect("SACK")
	w.give(a, data(102))
	w.expect("")
	w.give(a, data(103))
	w.expect("SACK")
	if d := a.Deadline(); d != 0 {
		t.Errorf("the timer still runs")
	}
}

// TestTimersTogether: what is due at once fires at once, and the end of an
// association in one of them ends it all.
func TestTimersTogether(t *testing.T) {
	w := newWorld(t)
	w.cfg.AssocMaxRetrans = 0
	a := w.up(peerA, peerB)
	send(w, a, "x")
	w.out = nil
	w.now = w.now.Add(1000 * mono.Second) // T3-rtx and both heartbeats
	w.x.Timeout(a, w.now)
	w.expect("")
	if a.State() != tcb.Closed || a.End.Change != fsm.CommLost || w.ended != 1 {
		t.Errorf("%v, %+v, ended %d times", a.State(), a.End, w.ended)
	}
	w.x.Timeout(a, w.now)
	if a.Deadline() != 0 {
		t.Error("a timer runs")
	}
}
