package sim

import (
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Own addresses of hosts that come and go: what the host knows needs no
// timeout, and is no reason to give a path up.

// longest is the longest time without a packet with DATA from u.
func (w *watch) longest(u *user, from, to mono.Duration) mono.Duration {
	last, gap := from, mono.Duration(0)
	for _, d := range w.data {
		if d.who == u && d.at >= from && d.at <= to {
			gap = max(gap, d.at-last)
			last = d.at
		}
	}
	return max(gap, to-last)
}

// The first address goes, on one side or on both, and returns: data goes to the
// other path at once and back at once, nothing is sent where it cannot go, and
// the path is never inactive. R-6.4.1-01
func TestAddressVanishes(t *testing.T) {
	const gone, back, end = 5 * sec, 20 * sec, 30 * sec
	for _, both := range []bool{false, true} {
		s := homes(2, UserPlan{Messages: 1500, MaxSize: 1000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
		w, r := play(t, 1, s, func(w *watch) {
			w.large = true // HEARTBEATs to a path that is cut do not leave
			set := func(there bool) {
				w.r.a.SetAddr(w.r.addrA[0], there)
				if both {
					w.r.z.SetAddr(w.r.addrZ[0], there)
				}
			}
			w.at(gone, func() { set(false) })
			w.at(back, func() { set(true) })
			for at := gone; at < end; at += sec {
				w.at(at, func() {
					if p := w.path(w.a, 0); p.State != tcb.PathActive {
						t.Errorf("at %v the path is %v", w.now(), p.State)
					}
				})
			}
		})
		graceful(t, r, 1)
		if n := w.sent(w.a, 0, gone+1, back); n != 0 {
			t.Errorf("both %v: %d packets with DATA to a path that is cut", both, n)
		}
		if n := w.sent(w.a, 1, back+sec, end); n != 0 {
			t.Errorf("both %v: %d packets with DATA on the other path once the first was back", both, n)
		}
		if d := w.longest(w.a, sec, end); d > 300*ms {
			t.Errorf("both %v: no DATA for %v", both, d)
		}
	}
}

// All addresses go, and return after several timeouts: the association goes on
// at once, not when a backed-off T3-rtx expires.
func TestAllAddressesVanish(t *testing.T) {
	const gone, back = 5 * sec, 14 * sec
	for n := 1; n <= 2; n++ {
		s := homes(n, UserPlan{Messages: 1000, MaxSize: 1000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
		w, r := play(t, 1, s, func(w *watch) {
			w.large = true
			set := func(there bool) {
				for i := range n {
					w.r.a.SetAddr(w.r.addrA[i], there)
				}
			}
			w.at(gone, func() { set(false) })
			w.at(back, func() { set(true) })
		})
		graceful(t, r, 1)
		if d := w.longest(w.a, back, back+sec); d > 300*ms {
			t.Errorf("%d paths: no DATA for %v after the return", n, d)
		}
	}
}

// Addresses of both hosts go and come at random, with loss: every message
// arrives once, in order, and the end is graceful.
func TestAddressesFlap(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 7))
		n := 2 + rnd.IntN(2)
		s := homes(n, UserPlan{Messages: 600, MaxSize: 3000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{Messages: 300, MaxSize: 500, Pace: 40 * ms})
		s.AtoZ.Loss, s.ZtoA.Loss = .02, .02
		play(t, seed, s, func(w *watch) {
			w.large = true
			for range 30 {
				at := sec + mono.Duration(rnd.Int64N(int64(15*sec)))
				i, a, there := rnd.IntN(n), rnd.IntN(2) == 0, rnd.IntN(3) > 0
				w.at(at, func() {
					if a {
						w.r.a.SetAddr(w.r.addrA[i], there)
					} else {
						w.r.z.SetAddr(w.r.addrZ[i], there)
					}
				})
			}
			w.at(17*sec, func() {
				for i := range n {
					w.r.a.SetAddr(w.r.addrA[i], true)
					w.r.z.SetAddr(w.r.addrZ[i], true)
				}
			})
		})
	}
}

// A retransmission after a timeout takes another pair of addresses, both of
// them others, where there is one. R-6.4.1-02
func TestRetransmissionTakesAnotherPair(t *testing.T) {
	s := homes(3, UserPlan{Messages: 100, MaxSize: 100, Pace: 100 * ms, Closing: CloseWhenSent}, UserPlan{})
	s.Dead = []Span{{From: 3 * sec, To: 1000 * sec}}
	sentBy := map[chunk.TSN]Packet{}
	again := 0
	_, r := play(t, 1, s, func(w *watch) {
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			if from != w.a {
				return
			}
			for it := chunk.Walk(p.Data[chunk.HeaderLen:]); ; {
				c, ok := it.Next()
				if !ok {
					return
				}
				d, e := chunk.ParseData(c)
				if c.Type() != chunk.TypeData || e != chunk.ErrNone {
					continue
				}
				if was, ok := sentBy[d.TSN]; ok {
					again++
					if was.Src == p.Src || was.Dst == p.Dst {
						t.Errorf("TSN %d first from %v to %v, then from %v to %v", d.TSN, was.Src, was.Dst, p.Src, p.Dst)
					}
				}
				p.Data = nil
				sentBy[d.TSN] = p
			}
		}
	})
	if graceful(t, r, 1); again == 0 {
		t.Error("nothing was sent again: this tests nothing")
	}
}

// How long it takes to notice that an idle path has died follows from
// HB.interval, Path.Max.Retrans and the RTO, which doubles: R-8.3-18.
func TestIdleFailureDetection(t *testing.T) {
	const dies = 100 * sec
	for _, interval := range []mono.Duration{2 * sec, 10 * sec} {
		s := homes(2, UserPlan{}, UserPlan{})
		s.Assocs[0].A.Closing, s.Assocs[0].A.CloseAt = CloseAt, 600*sec
		s.A.HBInterval, s.A.PathMaxRetrans, s.A.RTOMax = interval, 3, 4*sec
		s.More[0].Dead = []Span{{From: dies, To: 10000 * sec}}
		w, r := play(t, 1, s, nil)
		graceful(t, r, 1)
		// The HEARTBEAT in an interval, and four that fail: RTOs of 1, 2, 4 and
		// 4 s, each half to one and a half times.
		at := w.first(w.a, 1, fsm.PathUnreachable, 0)
		within(t, "the idle path is given up", at, dies+4*interval+5500*ms, dies+5*interval+18*sec)
	}
}
