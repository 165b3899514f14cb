package sim

import (
	"fmt"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Path MTU discovery (RFC 8899) end to end. Run checks in each case that every
// message arrives once and in order.

// transfer is a scenario in which A sends large messages for some 40 s.
func transfer(paths, mtu int, v6 bool) Scenario {
	s := homes(paths, UserPlan{Messages: 2000, MaxSize: 20000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
	s.MTU, s.V6 = mtu, v6
	s.A.PMTURaise = 10 * sec
	return s
}

// expectMTU fails unless A's path MTU is within bounds at that time.
func (w *watch) expectMTU(at mono.Duration, path, low, high int) {
	w.at(at, func() {
		if p := w.path(w.a, path); p.PMTU < low || p.PMTU > high {
			w.t.Errorf("at %v path %d has PMTU %d (%v), want %d to %d", at, path, p.PMTU, p.Search, low, high)
		}
	})
}

// The path shrinks in mid-transfer and grows again; routers tell, or do not.
// What was cut for the larger size gets through in fragments. R-6.9-08 R-7.3-01
func TestPathMTUChanges(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, silent := range []bool{false, true} {
			for _, small := range []int{1400, 1280, 700} {
				if v6 && small < 1280 {
					continue
				}
				t.Run(fmt.Sprintf("v6=%v silent=%v %d", v6, silent, small), func(t *testing.T) {
					const shrinks, grows = 3 * sec, 10 * sec
					s := transfer(1, 1500, v6)
					s.Shifts = []Shift{{At: shrinks, Way: WayAtoZ, MTU: small, Silent: silent}, {At: grows, Way: WayAtoZ, MTU: 1500}}
					notice, settle := 50*ms, 100*ms
					if silent {
						// One T3-rtx, one lost probe; below BASE_PLPMTU two more.
						notice, settle = 2500*ms, 6900*ms
						if small < 1220 {
							notice += 2 * sec
						}
					}
					fragments := 0
					_, r := play(t, 1, s, func(w *watch) {
						w.expectMTU(shrinks-ms, 0, 1500, 1500)
						w.expectMTU(shrinks+notice, 0, 500, small)
						w.expectMTU(shrinks+settle, 0, small*9/10, small)
						w.expectMTU(grows+20*sec, 0, 1500, 1500)
						w.saw = func(p Packet, from *user, _ int, list []chunk.Type) {
							if n := len(p.Data) + w.r.net.overhead(p.Dst); n > small && w.now() > shrinks+settle && w.now() < grows && has(list, chunk.TypeData) {
								fragments++
							}
						}
					})
					graceful(t, r, 1)
					if fragments > 0 {
						t.Errorf("%d packets with DATA are too large long after the path shrank", fragments)
					}
				})
			}
		}
	}
}

// A host with a large MTU behind a path that takes less and does not say so.
func TestJumboBlackHole(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		s := transfer(1, 9000, v6)
		s.AtoZ.MTU, s.AtoZ.Silent = 1500, true
		_, r := play(t, 1, s, func(w *watch) {
			w.expectMTU(100*ms, 0, 9000, 9000)
			w.expectMTU(1500*ms, 0, 1220, 1500) // one T3-rtx and a lost probe
			w.expectMTU(8*sec, 0, 1500, 1500)
		})
		graceful(t, r, 1)
	}
	s := transfer(1, 9000, false)
	_, r := play(t, 1, s, func(w *watch) { w.expectMTU(100*ms, 0, 9000, 9000) })
	graceful(t, r, 1)
}

// The path to fail over to is smaller, and a black hole: that is known before
// it is needed, and so are chunks cut for the smallest path. R-7.3-02 R-7.3-03
// R-7.3-04 R-7.3-05
func TestFailoverToASmallerPath(t *testing.T) {
	const dies = 15*sec + 10*ms
	s := transfer(2, 1500, false)
	s.More[0].AtoZ.MTU, s.More[0].AtoZ.Silent = 1300, true
	s.A.PathMaxRetrans = 0
	s.Dead = []Span{{From: dies, To: 30 * sec}}
	largest := 0
	w, r := play(t, 1, s, func(w *watch) {
		// Nothing was lost on it, so that three probes are.
		w.expectMTU(12*sec, 0, 1500, 1500)
		w.expectMTU(12*sec, 1, 1280, 1300)
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			if from == w.a && path == 1 && has(list, chunk.TypeData) && w.now() > dies {
				largest = max(largest, len(p.Data)+20)
			}
		}
	})
	graceful(t, r, 1)
	if n := w.sent(w.a, 1, dies, 30*sec); n < 100 || largest > 1300 {
		t.Errorf("%d packets on the other path, the largest of %d bytes", n, largest)
	}
}

// Lost probes are no failures of the path and no sign of congestion (RFC 8899
// sections 3 and 6.2.1.2), come one at a time, seldom, and not during set-up.
func TestLostProbesChangeNothing(t *testing.T) {
	s := transfer(1, 1500, false)
	s.AtoZ.MTU, s.AtoZ.Silent = 1300, true
	s.A.PMTURaise = 5 * sec
	s.A.HBInterval = 0
	var probes []mono.Duration
	_, r := play(t, 1, s, func(w *watch) {
		at := func() (n [5]uint64) {
			p := w.path(w.a, 0)
			if p.Errors != 0 || w.a.as.Status().Errors != 0 {
				t.Errorf("at %v %d errors", w.now(), p.Errors)
			}
			return [5]uint64{p.Stats.T3Expiries, p.Stats.Retransmissions, p.Stats.Probes - p.Stats.ProbesAcked, uint64(p.Cwnd), uint64(p.RTO)}
		}
		var first [5]uint64
		w.at(15*sec, func() { first = at() })
		for i := 16 * sec; i < 35*sec; i += 100 * ms {
			w.at(i, func() { at() })
		}
		w.at(35*sec, func() {
			last := at()
			if last[0] != first[0] || last[1] != first[1] || last[2] < first[2]+6 || last[3] < first[3] {
				t.Errorf("T3 expiries, retransmissions, lost probes, cwnd: from %v to %v", first, last)
			}
		})
		w.saw = func(p Packet, from *user, _ int, list []chunk.Type) {
			if !has(list, chunk.TypePad) {
				return
			}
			if len(list) != 2 || list[0] != chunk.TypeHeartbeat || from.as.Status().State < tcb.Established {
				t.Errorf("a probe of %v in %v", list, from.as.Status().State)
			}
			probes = append(probes, w.now())
		}
	})
	graceful(t, r, 1)
	for i := 1; i < len(probes); i++ {
		if d := probes[i] - probes[i-1]; d < 20*ms {
			t.Errorf("probes %v apart, less than a round trip", d)
		}
	}
	if n := len(probes); n < 12 || n > 60 {
		t.Errorf("%d probes in 40 s", n)
	}
}

// Without discovery no probe is sent, and ICMP sets the size. R-10-06
func TestNoDiscovery(t *testing.T) {
	s := transfer(1, 1500, false)
	s.A.PMTUDiscovery = false
	s.Shifts = []Shift{{At: 3 * sec, Way: WayAtoZ, MTU: 1300}}
	_, r := play(t, 1, s, func(w *watch) {
		w.expectMTU(3200*ms, 0, 1300, 1300) // ICMP is all there is
		w.saw = func(_ Packet, _ *user, _ int, list []chunk.Type) {
			if has(list, chunk.TypePad) {
				t.Error("a probe")
			}
		}
	})
	graceful(t, r, 1)
}
