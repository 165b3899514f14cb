package cc

import (
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

func newPath(u *Cubic) *path.Path {
	cfg := tcb.DefaultConfig()
	p := &path.Path{Addr: netip.MustParseAddr("10.0.0.2"), CC: u}
	p.Init(&cfg, 1500)
	p.SRTT = 100 * mono.Millisecond
	return p
}

// ackWindow acknowledges a full window, two segments at a time, over a round trip.
func ackWindow(p *path.Path, now mono.Time) {
	n := p.Cwnd / (2 * p.PMDCS())
	for i := range n {
		p.CC.Acked(p, path.Ack{Bytes: 2 * p.PMDCS(), Flight: p.Cwnd, Now: now.Add(mono.Duration(i) * p.SRTT / mono.Duration(n))})
	}
}

// After a loss the window is seven tenths of what it was, is back there after
// the K that RFC 9438 section 4.2 computes, is flat around it, and then grows
// ever faster.
func TestCubicShape(t *testing.T) {
	u := new(Cubic)
	p := newPath(u)
	d := p.PMDCS()
	p.Cwnd, p.Ssthresh = 1000*d, 1 // in congestion avoidance
	now := mono.Time(mono.Second)
	p.CC.Lost(p, now)
	if p.Cwnd != 700*d || p.Ssthresh != 700*d {
		t.Fatalf("after a loss at 1000 segments: cwnd %d, ssthresh %d segments", p.Cwnd/d, p.Ssthresh/d)
	}
	p.Cwnd++ // beyond ssthresh: congestion avoidance
	// K = cbrt(300/0.4) s = 9.09 s: 91 round trips.
	at := make(map[int]int)
	for rtt := range 161 {
		at[rtt] = p.Cwnd / d
		ackWindow(p, now.Add(mono.Duration(rtt)*p.SRTT))
	}
	for _, c := range []struct{ rtt, low, high int }{{20, 850, 900}, {60, 980, 1000}, {91, 995, 1001}, {120, 1005, 1020}, {160, 1100, 1150}} {
		if at[c.rtt] < c.low || at[c.rtt] > c.high {
			t.Errorf("after %d round trips: %d segments, want %d to %d", c.rtt, at[c.rtt], c.low, c.high)
		}
	}
	// A second loss below the old maximum leaves room for others.
	p.Cwnd = 500 * d
	u.wMax = 1000
	p.CC.Lost(p, now)
	if u.wMax != 425 {
		t.Errorf("fast convergence: wMax %v, want 425", u.wMax)
	}
}

// What is small grows at least as Reno would: section 4.3.
func TestCubicReno(t *testing.T) {
	p := newPath(new(Cubic))
	d := p.PMDCS()
	p.SRTT = 10 * mono.Millisecond
	p.Cwnd, p.Ssthresh = 20*d, 1
	now := mono.Time(mono.Second)
	p.CC.Lost(p, now)
	p.Cwnd++
	for rtt := range 100 {
		ackWindow(p, now.Add(mono.Duration(rtt)*p.SRTT))
	}
	// 14 segments and 0.53 more in each round trip; the cubic function alone
	// would be at 19.
	if got := p.Cwnd / d; got < 55 || got > 70 {
		t.Errorf("%d segments after 100 round trips, want some 64", got)
	}
}

func TestCubicTimeout(t *testing.T) {
	u := new(Cubic)
	p := newPath(u)
	d := p.PMDCS()
	first := p.Cwnd
	p.Cwnd = 100 * d
	p.CC.Timeout(p, 1)
	if p.Cwnd != d || p.Ssthresh != 70*d || u.wMax != 100 {
		t.Errorf("cwnd %d ssthresh %d segments, wMax %v", p.Cwnd/d, p.Ssthresh/d, u.wMax)
	}
	// An unused window does not grow.
	p.Cwnd, p.Ssthresh = 100*d, 1
	p.CC.Acked(p, path.Ack{Bytes: d, Flight: 50 * d, Now: 2})
	if p.Cwnd != 100*d {
		t.Errorf("cwnd %d", p.Cwnd)
	}
	p.CC.Reset(p)
	if p.Cwnd != first || u.wMax != 0 {
		t.Errorf("cwnd %d, wMax %v after Reset", p.Cwnd, u.wMax)
	}
}
