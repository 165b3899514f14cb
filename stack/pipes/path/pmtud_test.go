package path

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// track is a path whose probes are lost above a size, as a network would.
type track struct {
	*testing.T
	p      *Path
	now    mono.Time
	pass   int  // largest IP packet that passes
	icmp   bool // routers say so
	deaf   bool // the peer answers no probe
	probes []int
	lost   int
}

const rtt = 20 * ms

func newTrack(t *testing.T, addr string, mtu, pass int) *track {
	r := &track{T: t, p: newPath(t, addr, mtu, nil), now: mono.Time(sec), pass: pass}
	return r
}

// big sends one packet with DATA as large as the PMTU allows.
func (r *track) big() { r.p.Sent(r.p.PMTU, r.now) }

// turn lets the search's timer expire, and carries the probe to its fate. It
// reports whether a probe was sent.
func (r *track) turn() bool {
	due := r.p.ProbeDue()
	if due == 0 {
		r.Fatal("no timer runs")
	}
	r.now = max(r.now, due)
	r.p.StopProbeTimer()
	n := r.p.Probe(r.now)
	if n == 0 {
		return false
	}
	if n%4 != 0 || n > r.p.sizeOf(1<<20) {
		r.Fatalf("a probe of %d bytes", n)
	}
	r.probes = append(r.probes, n+r.p.Overhead)
	nonce := r.p.ProbeNonce(r.fresh())
	r.p.ProbeSent(nonce, r.now)
	switch {
	case n+r.p.Overhead > r.pass && r.icmp:
		r.now = r.now.Add(rtt / 2)
		r.p.TooBig(r.pass, r.now)
	case n+r.p.Overhead > r.pass || r.deaf:
		r.lost++
	default:
		r.now = r.now.Add(rtt)
		if !r.p.AnswersProbe(nonce, n) {
			r.Fatalf("a probe of %d bytes is not known", n)
		}
		r.p.ProbeAcked(n, r.now)
	}
	return true
}

func (r *track) fresh() uint64 { return uint64(len(r.probes)) * 0x1000001 }

// search goes on until the search has come to rest.
func (r *track) search() {
	r.Helper()
	for range 60 {
		r.turn()
		if s := r.p.Search.State; s == SearchComplete || s == SearchDisabled {
			return
		}
	}
	r.Fatalf("no end: %v, probes %v", r.p.Search.State, r.probes)
}

// t3 is the expiry of T3-rtx with a full packet in flight.
func (r *track) t3(after mono.Duration) {
	r.big()
	r.now = r.now.Add(after)
	r.p.TimedOut(r.now)
}

func (r *track) mtu() int { return r.p.PMTU + r.p.Overhead }

// What the route says is used at once, and proven by one probe (RFC 8899
// section 5.2). R-7.3-01
func TestSearchBeginsWithTheRoute(t *testing.T) {
	for _, c := range []struct {
		addr string
		mtu  int
	}{{"10.0.0.1", 1500}, {"2001:db8::1", 1500}, {"10.0.0.1", 9000}, {"10.0.0.1", 1400}} {
		r := newTrack(t, c.addr, c.mtu, c.mtu)
		if r.p.ProbeDue() != 0 || r.p.Search.State != SearchDisabled {
			t.Error("probes before there is anything to send")
		}
		r.p.Sent(576, r.now)
		if r.p.ProbeDue() != 0 {
			t.Error("small packets are worth a probe")
		}
		r.big()
		r.search()
		if r.mtu() != c.mtu || fmt.Sprint(r.probes) != fmt.Sprint([]int{c.mtu}) || r.p.Search.State != SearchComplete {
			t.Errorf("%s: %d, %v after %v", c.addr, r.mtu(), r.p.Search.State, r.probes)
		}
		// From now on only PMTU_RAISE_TIMER runs, and with nothing to raise it
		// costs no packet.
		if d := r.p.ProbeDue().Sub(r.now); d != 600*sec {
			t.Errorf("the next probe is due in %v", d)
		}
		if !r.p.Raising() || r.turn() || r.p.ProbeDue().Sub(r.now) != 600*sec {
			t.Error("a probe although the largest size is in use")
		}
	}
}

// In a black hole, without a word from any router: after one T3-rtx the sizes
// are found; how exactly, and in how many probes.
func TestBlackHole(t *testing.T) {
	for _, c := range []struct {
		addr           string
		mtu, pass      int
		least, probes  int
		lostBeforeBase int
	}{
		{"10.0.0.1", 1500, 1492, 1492 - minGain, 14, 1},
		{"10.0.0.1", 1500, 1480, 1480 - minGain, 14, 1},
		{"10.0.0.1", 1500, 1420, 1420, 14, 1},
		{"10.0.0.1", 1500, 1400, 1400, 14, 1},
		{"10.0.0.1", 1500, 1280, 1280, 14, 1},
		{"10.0.0.1", 1500, 1225, 1220, 14, 1},
		{"10.0.0.1", 9000, 1500, 1500, 14, 1},
		{"10.0.0.1", 9000, 8166, 8000, 18, 1},
		{"10.0.0.1", 1500, 1000, 1000 - minGain, 18, 3},
		{"10.0.0.1", 1500, 576, 576, 18, 3},
		{"2001:db8::1", 1500, 1280, 1280, 14, 1},
		{"2001:db8::1", 1500, 1400, 1400, 14, 1},
		{"2001:db8::1", 9000, 1500, 1500, 14, 1},
		{"10.0.0.1", 65535, 1500, 1500, 16, 1},
	} {
		name := fmt.Sprintf("%s %d %d", c.addr, c.mtu, c.pass)
		r := newTrack(t, c.addr, c.mtu, c.pass)
		r.big()
		r.turn()
		start := r.now
		r.t3(sec)
		for r.mtu() > c.pass {
			r.turn()
		}
		if d := r.now.Sub(start); r.lost != c.lostBeforeBase || d > mono.Duration(c.lostBeforeBase)*sec+rtt {
			t.Errorf("%s: %v and %d lost probes until packets pass", name, d, r.lost)
		}
		r.search()
		if r.mtu() > c.pass || r.mtu() < c.least || len(r.probes) > c.probes {
			t.Errorf("%s: found %d after %d probes: %v", name, r.mtu(), len(r.probes), r.probes)
		}
		t.Logf("%s: %d, %v", name, r.mtu(), r.probes)

		// The hole is mended: PMTU_RAISE_TIMER finds out.
		r.pass = c.mtu
		r.now = r.p.ProbeDue()
		r.search()
		if r.mtu() != r.p.Search.max+r.p.Overhead {
			t.Errorf("%s: %d after the hole is gone", name, r.mtu())
		}
	}
}

// Chance may lose probes: what MAX_PROBES in a row do not prove does not lower
// the size, and no search ends above what passes.
func TestSearchWithLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		addr := []string{"10.0.0.1", "2001:db8::1"}[rng.IntN(2)]
		mtu := []int{1500, 9000, 1400, 65535}[rng.IntN(4)]
		least := 1280
		if addr == "10.0.0.1" {
			least = 576
		}
		pass := least + rng.IntN(mtu-least+1)
		r := newTrack(t, addr, mtu, pass)
		chance := []float64{0, .1, .3, .6}[rng.IntN(4)]
		r.icmp = rng.IntN(2) == 0
		r.big()
		for range 100 {
			r.deaf = rng.Float64() < chance
			switch rng.IntN(12) {
			case 0:
				r.t3(sec)
			case 1:
				r.big()
				if r.mtu() > pass && r.icmp {
					r.p.TooBig(pass, r.now)
				}
			case 2:
				r.p.Down()
				r.p.Up(r.now)
			case 3:
				r.p.Alive(r.now)
			}
			if r.p.ProbeDue() != 0 {
				r.turn()
			}
		}
		// Then it is quiet: what is found passes, and what MAX_PROBES in a row
		// leave out is not much.
		r.deaf = false
		for k := 0; k < 40 && (k < 3 || r.mtu() > pass || r.p.Search.State != SearchComplete); k++ {
			r.t3(sec)
			for range 3 {
				r.turn()
			}
		}
		r.now = r.p.ProbeDue() // perhaps chance had the last word
		r.search()
		if got := r.mtu(); got > pass || got < least || got*10 < pass*7 {
			t.Fatalf("%d: %s route %d, passes %d: found %d, %v, by %v", i, addr, mtu, pass, got, r.p.Search.State, r.probes)
		}
	}
}

// A peer that answers no probe keeps the size that the route says, unless data
// of that size times out again and again.
func TestDeafPeer(t *testing.T) {
	r := newTrack(t, "10.0.0.1", 1500, 1500)
	r.deaf = true
	r.big()
	r.search()
	if r.mtu() != 1500 || r.p.Search.State != SearchDisabled || len(r.probes) != 9 {
		t.Errorf("%d, %v after %v", r.mtu(), r.p.Search.State, r.probes)
	}
	r.t3(sec)
	r.t3(2 * sec)
	if r.mtu() != 1500 {
		t.Errorf("%d after two timeouts", r.mtu())
	}
	r.t3(4 * sec)
	if r.mtu() != 1220 {
		t.Errorf("%d after three timeouts", r.mtu())
	}
	// If that is because the path is dead it says nothing of sizes.
	r.p.Down()
	if r.mtu() != 1500 || r.p.ProbeDue() != 0 {
		t.Errorf("%d of a dead path, probe due %v", r.mtu(), r.p.ProbeDue())
	}
	// When it is back, begin where it is safe.
	r.deaf = false
	if !r.p.Up(r.now) || r.mtu() != 1220 {
		t.Errorf("%d of a path that is back", r.mtu())
	}
	r.search()
	if r.mtu() != 1500 {
		t.Errorf("%d in the end", r.mtu())
	}
}

// RFC 8899 section 4.6.2: what a router says points the search there, never
// sets the size, never raises it.
func TestTooBig(t *testing.T) {
	for _, c := range []struct {
		name     string
		says     int
		at, then int
	}{
		{"less than the least is a lie", 575, 1500, 1500},
		{"nothing said", 0, 1500, 1500},
		{"above BASE_PLPMTU", 1400, 1220, 1400},
		{"BASE_PLPMTU", 1220, 1220, 1220},
		{"below BASE_PLPMTU", 1000, 576, 1000},
		{"the least", 576, 576, 576},
		{"what is in use", 1500, 1500, 1500},
		{"more than is in use", 9000, 1500, 1500},
	} {
		r := newTrack(t, "10.0.0.1", 1500, 1500)
		r.big()
		r.search()
		r.pass, r.icmp = max(c.says, 576), true
		if c.then == 1500 {
			r.pass = 1500
		}
		n := len(r.probes)
		if reduced := r.p.TooBig(c.says, r.now); reduced != (c.at != 1500) || r.mtu() != c.at {
			t.Errorf("%s: %d, reduced %v", c.name, r.mtu(), reduced)
		}
		if c.at == 1500 {
			if d := r.p.ProbeDue().Sub(r.now); d < 500*sec {
				t.Errorf("%s: it causes a probe in %v", c.name, d)
			}
			continue
		}
		r.search()
		if r.mtu() != c.then || len(r.probes) != n+1 {
			t.Errorf("%s: %d by %v, want %d by one probe", c.name, r.mtu(), r.probes[n:], c.then)
		}
	}

	// A second one for the same: nothing new. A smaller one on the way there
	// is followed.
	r := newTrack(t, "10.0.0.1", 1500, 1300)
	r.big()
	r.p.TooBig(1400, r.now)
	r.p.TooBig(1400, r.now)
	if r.mtu() != 1220 || r.p.Probe(r.now) != 1380 {
		t.Errorf("%d, %d next", r.mtu(), r.p.Search.probed)
	}
	r.p.ProbeSent(r.p.ProbeNonce(7), r.now)
	if r.p.TooBig(1300, r.now) || r.p.ProbeDue() != r.now || r.p.Probe(r.now) != 1280 {
		t.Error("the second router is not believed")
	}

	// IPv6 has no links below 1280 (RFC 8201 section 4).
	r = newTrack(t, "2001:db8::1", 1500, 1500)
	if r.p.TooBig(1279, r.now) || r.mtu() != 1500 || !r.p.TooBig(1280, r.now) || r.mtu() != 1280 {
		t.Errorf("%d", r.mtu())
	}

	// Without probing ICMP is all there is.
	p := newPath(t, "10.0.0.1", 1500, func(c *tcb.Config) { c.PMTUDiscovery = false })
	p.Sent(1480, 1)
	p.TimedOut(2)
	if !p.TooBig(1000, 3) || p.PMTU != 980 || p.TooBig(1400, 4) || p.PMTU != 980 || p.ProbeDue() != 0 {
		t.Errorf("%d, probe due %v", p.PMTU, p.ProbeDue())
	}
}

// Answers to probes of an earlier round, or of sizes never asked for, are none.
func TestStaleAnswers(t *testing.T) {
	r := newTrack(t, "10.0.0.1", 1500, 1500)
	if r.p.AnswersProbe(0, 0) || r.p.AnswersProbe(0, 1480) {
		t.Error("an answer before any probe")
	}
	r.big()
	r.turn()
	old := r.p.Search.nonce
	if r.p.AnswersProbe(old, 1484) || r.p.AnswersProbe(old, 0) || r.p.AnswersProbe(old+2, 1480) || !r.p.AnswersProbe(old, 1480) {
		t.Error("which answers count")
	}
	r.p.TooBig(1300, r.now) // a smaller link: what passed before says nothing
	r.pass = 1300
	if r.p.AnswersProbe(old, 1480) {
		t.Error("an answer from before the path changed")
	}
	r.search()
	if r.p.AnswersProbe(old, 1480) || r.mtu() != 1300 {
		t.Errorf("%d", r.mtu())
	}

	// A late answer counts all the same: the path is slow.
	r = newTrack(t, "10.0.0.1", 1500, 1500)
	r.big()
	n := r.p.Probe(r.now)
	r.p.ProbeSent(r.p.ProbeNonce(5), r.now)
	for range 4 { // lost, lost, lost, and BASE_PLPMTU on its way
		r.now = r.p.ProbeDue()
		r.p.StopProbeTimer()
		if r.p.Probe(r.now) == 0 {
			break
		}
		r.p.ProbeSent(r.p.ProbeNonce(6), r.now)
	}
	if r.p.Search.State != SearchBase || !r.p.AnswersProbe(5, n) {
		t.Fatalf("%v", r.p.Search.State)
	}
	if r.p.ProbeAcked(n, r.now) || r.mtu() != 1500 {
		t.Errorf("%d", r.mtu())
	}
}

// A larger size does not raise the congestion window (RFC 8899 section 3), and
// a lost probe lowers nothing. R-7.3-01
func TestProbesLeaveTheWindow(t *testing.T) {
	r := newTrack(t, "10.0.0.1", 9000, 1500)
	r.big()
	r.turn()
	r.t3(sec)
	cwnd, rto, th := r.p.Cwnd, r.p.RTO, r.p.Ssthresh
	r.search()
	r.pass = 9000
	r.now = r.p.ProbeDue()
	r.search()
	if r.mtu() != 9000 || r.lost == 0 || r.p.Cwnd != cwnd || r.p.RTO != rto || r.p.Ssthresh != th {
		t.Errorf("%d, %d lost: cwnd %d to %d, RTO %v to %v", r.mtu(), r.lost, cwnd, r.p.Cwnd, rto, r.p.RTO)
	}
}

// The host's interface changes: down at once, up at PMTU_RAISE_TIMER; a path
// MTU that the user set is not exceeded.
func TestLinkMTU(t *testing.T) {
	r := newTrack(t, "10.0.0.1", 1500, 9000)
	r.big()
	r.search()
	if !r.p.LinkMTU(1000, r.now) || r.mtu() != 1000 {
		t.Errorf("%d", r.mtu())
	}
	if r.p.LinkMTU(9000, r.now) || r.mtu() != 1000 {
		t.Errorf("%d", r.mtu())
	}
	r.now = r.p.ProbeDue()
	r.search()
	if r.mtu() != 9000 {
		t.Errorf("%d, probes %v", r.mtu(), r.probes)
	}
	p := newPath(t, "10.0.0.1", 9000, func(c *tcb.Config) { c.PathMTU = 1400 })
	if p.LinkMTU(9000, 1); p.PMTU != 1380 {
		t.Errorf("%d", p.PMTU)
	}
	if p.LinkMTU(1300, 1); p.PMTU != 1280 {
		t.Errorf("%d", p.PMTU)
	}
}

// PROBE_TIMER is at least a second (RFC 8899 section 5.1.1), and as long as the
// path needs, without back-off.
func TestProbeTimeout(t *testing.T) {
	p := newPath(t, "10.0.0.1", 1500, func(c *tcb.Config) { c.RTOMin = 0 })
	at := func() mono.Duration {
		p.Sent(1480, 1)
		p.Probe(1)
		p.ProbeSent(9, 1)
		return p.ProbeDue().Sub(1)
	}
	if d := at(); d != sec {
		t.Errorf("at first %v", d)
	}
	p.SampleRTT(10*ms, 1)
	if d := at(); d != sec {
		t.Errorf("on a fast path %v", d)
	}
	p.SampleRTT(3000*ms, 1)
	want := p.RTO
	p.Backoff()
	if d := at(); d != want || d <= sec {
		t.Errorf("on a slow path %v, want %v", d, want)
	}
}
