package outqueue

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Congestion control as a whole: what leaves, round trip by round trip, and
// what belongs to which path.

// roundTrip acknowledges everything in flight, a SACK for every two packets of
// one chunk each, and sends what it may. It returns the packets sent.
func (r *rig) roundTrip() int {
	r.wait(100 * ms)
	n := 0
	top := int(r.q.NextTSN().Diff(firstTSN)) - 1
	from := int(r.q.CumTSNAck().Diff(firstTSN)) + 1
	for t := from; t <= top; t += 2 {
		r.sack(min(t+1, top), 1<<30)
		n += len(r.flush())
	}
	return n
}

// TestSlowStartThenAvoidance: R-7.2-01, R-7.2-02, R-7.2.2-02, R-7.2.1-07: in slow
// start a round trip adds at most as many packets as there were SACKs, above
// ssthresh one packet, and no less when all of the window is used.
func TestSlowStartThenAvoidance(t *testing.T) {
	r := newRig(t)
	r.q.SetPeerRwnd(1 << 30)
	p := r.path(0)
	p.Ssthresh = 40 * pmdcs
	for range 8000 {
		r.push(full)
	}
	sent := len(r.flush())
	grown := 0
	for rtt := range 60 {
		cwnd := p.Cwnd
		n := r.roundTrip()
		switch {
		case cwnd <= p.Ssthresh-20*pmdcs:
			if n > sent+(sent+1)/2 || n <= sent {
				t.Fatalf("round trip %d: %d packets in slow start, %d before", rtt, n, sent)
			}
		case cwnd > p.Ssthresh:
			if d := p.Cwnd - cwnd; d > pmdcs { // R-7.2.2-03
				t.Fatalf("round trip %d: cwnd grew by %d in congestion avoidance", rtt, d)
			} else if d == pmdcs {
				grown++
			}
			if n > sent+2 {
				t.Fatalf("round trip %d: %d packets, %d before", rtt, n, sent)
			}
		}
		sent = n
	}
	if grown < 40 {
		t.Errorf("cwnd grew in %d round trips of 60", grown)
	}
}

// TestBytesAreCounted: R-7.2-04: of a DATA chunk its header and padding count,
// both in flight and acknowledged; of the peer's window only the user data
// (R-6.2.1-03).
func TestBytesAreCounted(t *testing.T) {
	r := newRig(t)
	p := r.path(0)
	p.Cwnd = 2 * 120
	r.push(101) // 16 + 101 + 3
	r.push(101)
	r.flush()
	if p.Flight != 240 || r.q.InFlight() != 202 {
		t.Fatalf("flight %d, outstanding %d", p.Flight, r.q.InFlight())
	}
	r.sack(0, 1<<20)
	if p.Flight != 120 || p.Cwnd != 3*120 {
		t.Errorf("flight %d, cwnd %d", p.Flight, p.Cwnd)
	}
}

// TestPathsHaveTheirOwn: R-7.2-03, R-7.2.1-09, R-6.3-01: window, threshold,
// partial bytes and RTO of a path follow what was sent to it.
func TestPathsHaveTheirOwn(t *testing.T) {
	r := newRig(t, withPaths(1500, 1500), withConfig(func(c *tcb.Config) { c.RTOMin = 0 }))
	p, o := r.path(0), r.path(1)
	p.Ssthresh = pmdcs // in congestion avoidance from the start
	other := *o
	for range 20 {
		r.push(full)
	}
	r.flush()
	r.wait(50 * ms)
	cwnd := p.Cwnd
	r.sack(0, 1<<20)
	if p.PartialBytesAcked == 0 || p.SRTT != 50*ms || p.RTO == sec {
		t.Fatalf("%+v", *p)
	}
	r.paths.Active = 1
	r.flush() // the rest of the window goes to the other
	r.wait(30 * ms)
	if o.PartialBytesAcked != 0 || o.Ssthresh != other.Ssthresh || o.SRTT != 0 || o.RTO != sec || o.Cwnd != other.Cwnd {
		t.Errorf("the other path has changed: %+v", *o)
	}
	first := int(r.q.NextTSN().Diff(firstTSN)) - 1
	before := *p
	for !r.q.at[1].hasTop { // acknowledge up to something sent there
		c := int(r.q.CumTSNAck().Diff(firstTSN)) + 1
		if c > first {
			t.Fatal("nothing was sent to the other path")
		}
		if r.q.rec(chunk.TSN(firstTSN).Add(uint32(c))).path == 1 {
			before = *p
		}
		r.sack(c, 1<<20)
	}
	if o.SRTT != 30*ms || o.Cwnd <= other.Cwnd || p.Cwnd != before.Cwnd || p.RTO != before.RTO {
		t.Errorf("paths %+v and %+v", *p, *o)
	}
	// A timeout of the one does not touch the other.
	before = *p
	r.expire(1)
	if p.Cwnd != before.Cwnd || p.Ssthresh != before.Ssthresh || p.RTO != before.RTO || o.Cwnd != pmdcs || p.Cwnd < cwnd {
		t.Errorf("paths %+v and %+v", *p, *o)
	}
}

// TestT3FillsOnePacket: R-6.3.3-03, R-6.3.3-05: after a timeout as many of the
// earliest chunks as fit leave in one packet; the others are marked, and follow
// as the window allows.
func TestT3FillsOnePacket(t *testing.T) {
	r := newRig(t)
	for range 30 {
		r.push(100) // 12 to a packet
	}
	r.flush()
	r.expire(0)
	if r.q.nRtx != 30 {
		t.Errorf("%d marked", r.q.nRtx)
	}
	r.wantSent(r.flush(), "0 1 2 3 4 5 6 7 8 9 10 11")
	if r.q.nRtx != 18 {
		t.Errorf("%d left", r.q.nRtx)
	}
	r.sack(11, 1<<20)
	r.wantSent(r.flush(), "12 13 14 15 16 17 18 19 20 21 22 23 | 24 25 26 27 28 29")
}

// TestAckedIsReleased: R-6.7-03: what the cumulative TSN covers is gone, its
// buffers too; what only a gap block covers is kept, for the peer may renege.
func TestAckedIsReleased(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.push(1000)
	}
	r.flush()
	r.sack(-1, 1<<20, gap{1, 2})
	if n := r.pool.InUse(); n != 3 {
		t.Errorf("%d buffers in use after gap blocks", n)
	}
	r.sack(1, 1<<20)
	if n := r.pool.InUse(); n != 1 {
		t.Errorf("%d buffers in use", n)
	}
	r.sack(2, 1<<20)
	if n := r.pool.InUse(); n != 0 || r.q.Buffered() != 0 {
		t.Errorf("%d buffers in use", n)
	}
}

// TestNoProbeWithDataInFlight: R-6.1-03: as long as anything is in flight its
// SACK will tell of the window, and no probe goes out.
func TestNoProbeWithDataInFlight(t *testing.T) {
	r := newRig(t)
	for range 4 {
		r.push(1000)
	}
	r.flushN(2)
	r.sack(0, 0) // one is still under way
	if r.q.ZeroWindowProbing() || r.q.probe.on {
		t.Error("probing with data in flight")
	}
	t3 := r.path(0).T3
	r.wait(t3.Sub(r.now) - 1)
	r.wantSent(r.flush(), "")
	r.sack(1, 0)
	if !r.q.probe.on {
		t.Error("not probing")
	}
	r.expire(0)
	r.wantSent(r.flush(), "2")
}

// TestShutWindowLetsCwndDecay: R-6.1-08: a path that the peer's window keeps
// idle loses what it had, as any idle path does.
func TestShutWindowLetsCwndDecay(t *testing.T) {
	r := newRig(t)
	p := r.path(0)
	p.Cwnd = 64 * pmdcs
	for range 3 {
		r.push(1000)
	}
	r.flushN(1)
	r.sack(0, 0)
	r.wait(p.RTO)
	r.flush()
	if p.Cwnd != 32*pmdcs {
		t.Errorf("cwnd %d after an RTO with a shut window", p.Cwnd)
	}
}

// TestExitOfRecovery: R-6.2.1-08, R-7.2.4-09: Fast Recovery ends when the
// cumulative TSN reaches what was the highest in flight when it began, no
// sooner, and another loss after that counts again.
func TestExitOfRecovery(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 20 }))
	for range 60 {
		r.push(full)
	}
	r.flush() // 0..19
	lose := func(cum, hole int) {
		for i := range 3 {
			r.sack(cum, 1<<20, gap{hole + 1, hole + 1 + i})
		}
	}
	lose(-1, 0)
	if !r.q.InRecovery() {
		t.Fatal("not in Fast Recovery")
	}
	r.flush()
	r.sack(18, 1<<20)
	if !r.q.InRecovery() {
		t.Error("left before the exit point")
	}
	cwnd := r.path(0).Cwnd
	r.sack(19, 1<<20)
	if r.q.InRecovery() || r.path(0).Cwnd != cwnd { // R-7.2.1-06: no growth by a SACK that came in recovery
		t.Errorf("recovery %v, cwnd %d", r.q.InRecovery(), r.path(0).Cwnd)
	}
	r.flush()
	lose(19, 20)
	if !r.q.InRecovery() || r.path(0).Cwnd >= cwnd {
		t.Errorf("a loss after recovery does not count: cwnd %d", r.path(0).Cwnd)
	}
}

// TestOneSampleInARoundTrip: R-6.3.1-05: however many SACKs come, a path's round
// trip is measured once, so that Alpha and Beta stay as they are.
func TestOneSampleInARoundTrip(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 10 }))
	for range 400 {
		r.push(full)
	}
	r.flush()
	p := r.path(0)
	for i := range 10 {
		before, flight := p.Stats.RTTSamples, r.q.Unacked()
		r.wait(mono.Duration(50+i) * ms)
		from := int(r.q.CumTSNAck().Diff(firstTSN)) + 1
		for k := range flight {
			r.sack(from+k, 1<<30)
		}
		if n := p.Stats.RTTSamples - before; n != 1 {
			t.Errorf("%d samples of %d SACKs in a round trip", n, flight)
		}
		r.flush()
	}
}
