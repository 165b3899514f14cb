package path

import (
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

const (
	ms  = mono.Millisecond
	sec = mono.Second
)

func newPath(t *testing.T, addr string, mtu int, mod func(*tcb.Config)) *Path {
	t.Helper()
	cfg := tcb.DefaultConfig()
	if mod != nil {
		mod(&cfg)
	}
	p := &Path{Addr: netip.MustParseAddr(addr)}
	p.Init(&cfg, mtu)
	return p
}

func TestPMTU(t *testing.T) {
	for _, c := range []struct {
		addr     string
		encap    uint16
		overhead int
		mtu      int
		pathMTU  int
		want     int
	}{
		{"10.0.0.1", 0, 0, 1500, 0, 1480},
		{"10.0.0.1", 9899, 0, 1500, 0, 1472},
		{"2001:db8::1", 0, 0, 1500, 0, 1460},
		{"2001:db8::1", 9899, 0, 1500, 0, 1452},
		{"10.0.0.1", 0, 36, 1500, 0, 1464},
		{"10.0.0.1", 0, 0, 1501, 0, 1480}, // rounded down to a multiple of 4
		{"10.0.0.1", 0, 0, 65536, 0, MaxPacket},
		{"10.0.0.1", 0, 0, 65536, 1500, 1480},
		{"10.0.0.1", 0, 0, 0, 0, minPMTU},
	} {
		cfg := tcb.DefaultConfig()
		cfg.PathMTU = c.pathMTU
		p := Path{Addr: netip.MustParseAddr(c.addr), EncapPort: c.encap, Overhead: c.overhead}
		p.Init(&cfg, c.mtu)
		if p.PMTU != c.want || p.PMDCS() != c.want-12 {
			t.Errorf("%+v: PMTU %d, PMDCS %d", c, p.PMTU, p.PMDCS())
		}
	}
	p := newPath(t, "10.0.0.1", 1500, nil)
	if !p.LinkMTU(1400, 1) || p.PMTU != 1380 {
		t.Errorf("LinkMTU(1400): %d", p.PMTU)
	}
	if p.LinkMTU(1400, 1) {
		t.Error("LinkMTU reports a change where there is none")
	}
}

func TestInitKeepsAddresses(t *testing.T) {
	p := newPath(t, "10.0.0.1", 1500, nil)
	p.Src, p.EncapPort = netip.MustParseAddr("10.0.0.2"), 5
	p.SampleRTT(3*ms, 1)
	p.Cwnd, p.Flight, p.T3 = 1, 2, 3
	cfg := *p.Config()
	p.Init(&cfg, 1500)
	if p.Src.String() != "10.0.0.2" || p.EncapPort != 5 || p.SRTT != 0 || p.Flight != 0 || p.T3 != 0 || p.RTO != sec || p.Cwnd != 4404 {
		t.Errorf("%+v", p)
	}
}

// R-6.3.1-01, R-6.3.1-02, R-6.3.1-03, R-6.3.1-09, R-6.3.1-10, R-6.3.1-11
func TestRTO(t *testing.T) {
	type step struct {
		rtt               mono.Duration // 0: Backoff
		srtt, rttvar, rto mono.Duration
	}
	for _, c := range []struct {
		name     string
		min, max mono.Duration
		steps    []step
	}{
		{"first and second", 0, 60 * sec, []step{
			{100 * ms, 100 * ms, 50 * ms, 300 * ms},
			{180 * ms, 110 * ms, 57500 * mono.Microsecond, 340 * ms},
			{30 * ms, 100 * ms, 63125 * mono.Microsecond, 352500 * mono.Microsecond},
		}},
		{"minimum", sec, 60 * sec, []step{{10 * ms, 10 * ms, 5 * ms, sec}}},
		{"maximum", sec, 3 * sec, []step{{2 * sec, 2 * sec, sec, 3 * sec}}},
		{"back-off up to the maximum, ended by a sample", sec, 5 * sec, []step{
			{0, 0, 0, 2 * sec}, {0, 0, 0, 4 * sec}, {0, 0, 0, 5 * sec}, {0, 0, 0, 5 * sec},
			{400 * ms, 400 * ms, 200 * ms, 1200 * ms},
		}},
		{"variance is never zero", 0, 60 * sec, []step{
			{1, 1, granularity, 1 + 4*granularity},
		}},
		{"no time at all", 0, 60 * sec, []step{{-5, 1, granularity, 1 + 4*granularity}}},
	} {
		p := newPath(t, "10.0.0.1", 1500, func(cfg *tcb.Config) { cfg.RTOMin, cfg.RTOMax = c.min, c.max })
		if p.RTO != sec {
			t.Errorf("%s: initial RTO %v", c.name, p.RTO)
		}
		for i, s := range c.steps {
			if s.rtt == 0 {
				p.Backoff()
			} else {
				p.SampleRTT(s.rtt, 1)
			}
			if p.SRTT != s.srtt || p.RTTVAR != s.rttvar || p.RTO != s.rto {
				t.Errorf("%s, step %d: SRTT %v RTTVAR %v RTO %v, want %+v", c.name, i, p.SRTT, p.RTTVAR, p.RTO, s)
			}
		}
	}
}

func TestConstantRTTKeepsVariance(t *testing.T) {
	p := newPath(t, "10.0.0.1", 1500, func(cfg *tcb.Config) { cfg.RTOMin = 0 })
	for range 1000 {
		p.SampleRTT(50*ms, 1)
		if p.RTTVAR <= 0 || p.RTO <= p.SRTT {
			t.Fatalf("RTTVAR %v, RTO %v", p.RTTVAR, p.RTO)
		}
	}
	if p.Stats.RTTSamples != 1000 || p.Stats.MinRTT != 50*ms {
		t.Errorf("%+v", p.Stats)
	}
}

// R-7.2.1-01, R-7.2.1-03
func TestInitialWindow(t *testing.T) {
	for _, c := range []struct {
		addr string
		mtu  int
		pkts int
		want int
	}{
		{"10.0.0.1", 1500, 0, 4404},        // PMDCS 1468: 4 of them are more, 2 less
		{"2001:db8::1", 1500, 0, 4344},     // PMDCS 1448
		{"10.0.0.1", 576, 0, 4 * 544},      // 4·PMDCS is less than 4404
		{"10.0.0.1", 9000, 0, 2 * 8968},    // 2·PMDCS is more
		{"10.0.0.1", 1500, 10, 10 * 1468},  // Config.InitialBurst
		{"2001:db8::1", 9000, 0, 2 * 8948}, //
		{"2001:db8::1", 1280, 0, 4344},     // 4·1228 = 4912
		{"10.0.0.1", 65536, 0, 2 * (MaxPacket - 12)},
	} {
		p := newPath(t, c.addr, c.mtu, func(cfg *tcb.Config) { cfg.InitialBurst = c.pkts })
		if p.Cwnd != c.want || p.Ssthresh < 1<<20 || p.PartialBytesAcked != 0 {
			t.Errorf("%s MTU %d: cwnd %d ssthresh %d, want %d", c.addr, c.mtu, p.Cwnd, p.Ssthresh, c.want)
		}
	}
}

func TestNewRenoAcked(t *testing.T) {
	const d = 1468 // PMDCS
	for _, c := range []struct {
		name                string
		cwnd, ssthresh, pba int
		l                   int
		ack                 Ack
		wantCwnd, wantPBA   int
	}{
		// R-7.2.1-05, R-7.2.1-06, R-7.2.1-07, R-7.2.1-08
		{"slow start, one chunk", 4404, 1 << 30, 0, 0, Ack{Bytes: 100, Flight: 4404}, 4504, 0},
		{"slow start, at most PMDCS", 4404, 1 << 30, 0, 0, Ack{Bytes: 2 * d, Flight: 4404}, 4404 + d, 0},
		{"slow start, L=2", 4404, 1 << 30, 0, 2, Ack{Bytes: 3 * d, Flight: 4404}, 4404 + 2*d, 0},
		{"slow start, window not used", 4404, 1 << 30, 0, 0, Ack{Bytes: d, Flight: 4403}, 4404, 0},
		{"slow start, in recovery", 4404, 1 << 30, 0, 0, Ack{Bytes: d, Flight: 9999, Recovery: true}, 4404, 0},
		{"cwnd equal to ssthresh is slow start", 8 * d, 8 * d, 0, 0, Ack{Bytes: d, Flight: 8 * d}, 9 * d, 0},
		// R-7.2.2-01, R-7.2.2-04
		{"avoidance, counting", 9 * d, 8 * d, 0, 0, Ack{Bytes: 2 * d, Flight: 9 * d}, 9 * d, 2 * d},
		{"avoidance, grows", 9 * d, 8 * d, 8 * d, 0, Ack{Bytes: 2 * d, Flight: 9 * d}, 10 * d, d},
		{"avoidance, grows at exactly cwnd", 9 * d, 8 * d, 7 * d, 0, Ack{Bytes: 2 * d, Flight: 9 * d}, 10 * d, 0},
		{"avoidance, unused window caps pba", 9 * d, 8 * d, 8 * d, 0, Ack{Bytes: 2 * d, Flight: 9*d - 1}, 9 * d, 9 * d},
		{"avoidance, unused window, pba below cwnd", 9 * d, 8 * d, 0, 0, Ack{Bytes: 2 * d, Flight: d}, 9 * d, 2 * d},
		// R-7.2.2-03
		{"avoidance, one PMDCS however much is acknowledged", 9 * d, 8 * d, 0, 0, Ack{Bytes: 30 * d, Flight: 30 * d}, 10 * d, 21 * d},
		// R-7.2.2-06
		{"all acknowledged", 9 * d, 8 * d, 4 * d, 0, Ack{Bytes: 2 * d, Flight: 9 * d, Drained: true}, 9 * d, 0},
	} {
		p := newPath(t, "10.0.0.1", 1500, nil)
		p.Cwnd, p.Ssthresh, p.PartialBytesAcked = c.cwnd, c.ssthresh, c.pba
		NewReno{L: c.l}.Acked(p, c.ack)
		if p.Cwnd != c.wantCwnd || p.PartialBytesAcked != c.wantPBA || p.Ssthresh != c.ssthresh {
			t.Errorf("%s: cwnd %d pba %d ssthresh %d", c.name, p.Cwnd, p.PartialBytesAcked, p.Ssthresh)
		}
	}
}

// R-7.2.3-01, R-7.2.3-02, R-6.3.3-01
func TestNewRenoLoss(t *testing.T) {
	const d = 1468
	for _, cwnd := range []int{d, 4 * d, 8 * d, 100*d + 1} {
		p := newPath(t, "10.0.0.1", 1500, nil)
		p.Cwnd, p.PartialBytesAcked = cwnd, 77
		p.CC.Lost(p, 1)
		want := max(cwnd/2, 4*d)
		if p.Cwnd != want || p.Ssthresh != want || p.PartialBytesAcked != 0 {
			t.Errorf("Lost at %d: cwnd %d ssthresh %d pba %d", cwnd, p.Cwnd, p.Ssthresh, p.PartialBytesAcked)
		}
		p.Cwnd, p.PartialBytesAcked = cwnd, 77
		p.CC.Timeout(p, 1)
		if p.Cwnd != d || p.Ssthresh != want || p.PartialBytesAcked != 0 {
			t.Errorf("Timeout at %d: cwnd %d ssthresh %d pba %d", cwnd, p.Cwnd, p.Ssthresh, p.PartialBytesAcked)
		}
	}
}

// R-7.1-01, R-7.2.1-10, R-7.2.1-11, R-7.2.2-05
func TestIdleDecay(t *testing.T) {
	const d = 1468
	p := newPath(t, "10.0.0.1", 1500, nil)
	p.Cwnd = 64 * d
	p.OnIdle(100 * mono.Time(sec)) // nothing was ever sent: nothing to decay
	if p.Cwnd != 64*d {
		t.Fatalf("cwnd %d", p.Cwnd)
	}
	now := mono.Time(200 * sec)
	p.Sent(100, now)
	p.Flight = 1
	p.OnIdle(now.Add(10 * sec)) // busy
	p.Flight = 0
	for _, s := range []struct {
		at       mono.Duration
		cwnd, th int
	}{
		{999 * ms, 64 * d, unlimited},
		{1000 * ms, 32 * d, 64 * d},
		{1999 * ms, 32 * d, 64 * d},
		{2100 * ms, 16 * d, 64 * d},
		{4000 * ms, 4 * d, 64 * d}, // two steps at once, and the floor
		{3600 * sec, 4 * d, 64 * d},
	} {
		p.OnIdle(now.Add(s.at))
		if p.Cwnd != s.cwnd || p.Ssthresh != s.th {
			t.Errorf("after %v: cwnd %d ssthresh %d, want %d %d", s.at, p.Cwnd, p.Ssthresh, s.cwnd, s.th)
		}
	}
	// A small window is not raised by the decay, and ssthresh not lowered.
	p.Cwnd, p.Ssthresh = 2*d, unlimited
	p.Sent(100, now)
	p.OnIdle(now.Add(5 * sec))
	if p.Cwnd != 2*d || p.Ssthresh != unlimited {
		t.Errorf("cwnd %d ssthresh %d", p.Cwnd, p.Ssthresh)
	}
}

func TestSet(t *testing.T) {
	s := Set{P: make([]Path, 3), Active: 0, Retran: 1}
	cfg := tcb.DefaultConfig()
	for i, mtu := range []int{1500, 1400, 9000} {
		s.P[i].Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		s.P[i].Init(&cfg, mtu)
	}
	if s.AMDCS() != 1380-12 { // R-7.3-04
		t.Errorf("AMDCS %d", s.AMDCS())
	}
	s.P[1].PMTU = 0 // removed
	if s.AMDCS() != 1480-12 {
		t.Errorf("AMDCS %d", s.AMDCS())
	}
	if s.Get(3) != nil || s.Get(tcb.NoPath) != nil || s.Get(2) != &s.P[2] {
		t.Error("Get")
	}
	for _, c := range []struct{ active, retran, from, want tcb.PathID }{
		{0, 1, 0, 1}, // R-6.4-04: another path than last time
		{0, 1, 1, 0},
		{0, 1, 2, 1},
		{0, tcb.NoPath, 0, 0},
		{0, tcb.NoPath, 1, 0},
		{0, 0, 0, 0},
		{tcb.NoPath, tcb.NoPath, 1, 1},
		{tcb.NoPath, 1, 1, 1},
	} {
		s.Active, s.Retran = c.active, c.retran
		if got := s.Alternate(c.from); got != c.want {
			t.Errorf("active %d retran %d: timed out on %d goes to %d, want %d", c.active, c.retran, c.from, got, c.want)
		}
	}
	if (&Set{}).AMDCS() != 0 {
		t.Error("AMDCS of nothing")
	}
}

// TestMoved: on another way nothing is known of congestion and round trips.
// R-7.2.5-01, R-7.2.5.2-01
func TestMoved(t *testing.T) {
	p := newPath(t, "10.0.0.1", 1500, nil)
	fresh := *p
	now := mono.Time(1000 * sec)
	p.SampleRTT(20*ms, now)
	p.CC.Acked(p, Ack{Bytes: 5000, Flight: p.Cwnd, Now: now})
	p.CC.Lost(p, now)
	p.CC.Acked(p, Ack{Bytes: 5000, Flight: p.Cwnd, Now: now})
	if p.Cwnd == fresh.Cwnd || p.Ssthresh == fresh.Ssthresh || p.SRTT == 0 {
		t.Fatalf("nothing was learnt: %+v", p)
	}
	p.Moved(1500, 20, now)
	if p.Cwnd != fresh.Cwnd || p.Ssthresh != fresh.Ssthresh || p.PartialBytesAcked != 0 || p.RTO != fresh.RTO || p.SRTT != 0 || p.RTTVAR != 0 {
		t.Errorf("cwnd %d, ssthresh %d, pba %d, RTO %v, SRTT %v", p.Cwnd, p.Ssthresh, p.PartialBytesAcked, p.RTO, p.SRTT)
	}
	if !p.Moved(1400, 20, now) || p.PMTU != 1380 {
		t.Errorf("PMTU %d", p.PMTU)
	}
}
