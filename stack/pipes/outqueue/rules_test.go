package outqueue

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/tcb"
)

const full = 1452 // user data of a DATA chunk that fills a packet at MTU 1500
const pmdcs = full + 16

func (r *rig) wantCwnd(i, cwnd, ssthresh int) {
	r.t.Helper()
	p := r.path(i)
	if p.Cwnd != cwnd || ssthresh != 0 && p.Ssthresh != ssthresh {
		r.t.Errorf("path %d: cwnd %d ssthresh %d, want %d %d", i, p.Cwnd, p.Ssthresh, cwnd, ssthresh)
	}
}

// R-6.9-02, R-6.9-10 to R-6.9-14, R-6.5-03 to R-6.5-06
func TestFragmentation(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 100 }))
	r.push(full)
	r.push(full + 1)
	r.push(3*full, unordered)
	r.push(10, immediate)
	m := r.push(2*full+10, immediate)
	whole := bytes.Clone(m.Buf.B)
	got := r.flush()
	var flags []uint8
	total := 0
	for i, c := range got {
		if c.TSN != chunk.TSN(firstTSN).Add(uint32(i)) {
			t.Errorf("chunk %d has TSN %d", i, c.TSN) // R-6.9-12
		}
		if len(c.Payload) > full { // R-6.9-11
			t.Errorf("fragment of %d bytes", len(c.Payload))
		}
		flags = append(flags, c.Flags)
		total += len(c.Payload)
	}
	const B, E, U, I = chunk.FlagB, chunk.FlagE, chunk.FlagU, chunk.FlagI
	// The crumb leaves room in its packet, and so does the tail of the third.
	if !bytes.Equal(flags, []uint8{B | E, B, E, B | U, U, U, E | U, B | E | I, B, 0, E | I}) {
		t.Errorf("flags %v", flags)
	}
	if total != full+full+1+3*full+10+2*full+10 {
		t.Errorf("%d bytes", total)
	}
	// The last message, put together again.
	var back []byte
	for _, c := range got[len(got)-3:] {
		back = append(back, c.Payload...)
		if c.SSN != 3 { // the unordered message took none
			t.Errorf("SSN %d", c.SSN)
		}
	}
	if !bytes.Equal(back, whole) {
		t.Error("payload damaged")
	}
}

func TestSSNWraps(t *testing.T) { // R-6.5-05, R-1.6-05
	r := newRig(t)
	r.push(10, onStream(3))
	r.flush()
	r.q.streams[3].ssn = 65535
	r.push(10, onStream(3))
	r.push(10, onStream(3))
	r.push(10, onStream(2))
	got := r.flush()
	if got[0].SSN != 65535 || got[1].SSN != 0 || got[2].SSN != 0 || got[2].Stream != 2 {
		t.Errorf("SSNs %d %d %d", got[0].SSN, got[1].SSN, got[2].SSN)
	}
}

// R-6-08, R-6-09, R-6.9-06
func TestFragmentSizes(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []rigOpt
		rwnd uint32
		want int
	}{
		{"path MTU", nil, 1 << 20, full},
		{"MaxSegment", []rigOpt{withConfig(func(c *tcb.Config) { c.MaxSegment = 777 })}, 1 << 20, 777},
		{"smallest path", []rigOpt{withPaths(9000, 1300)}, 1 << 20, 1252}, // R-6.9-07, R-7.3-05
		{"jumbo", []rigOpt{withPaths(65535)}, 1 << 20, 65484 + 4 - 4},
		{"half the peer's window", []rigOpt{withPaths(65535)}, 10000, 5000}, // R-6.1-10
		{"small window", nil, 1500, 1024},
	} {
		r := newRig(t, append(c.opts, withConfig(func(c *tcb.Config) { c.InitialBurst = 10 }))...)
		r.q.maxRwnd = 0
		r.q.SetPeerRwnd(c.rwnd)
		r.push(100000)
		got := r.flushN(1)
		if n := len(got[0].Payload); n != c.want {
			t.Errorf("%s: fragment of %d bytes, want %d", c.name, n, c.want)
		}
	}
}

// R-6.9-10: what is to be fragmented anyway uses the room beside a SACK.
// R-6.9-09, R-6.1-17
func TestFragmentBesideSack(t *testing.T) {
	r := newRig(t)
	r.push(5 * full)
	r.q.BeginFlush(r.now)
	id, _ := r.q.Next(r.now)
	r.b.Begin(r.slot, 1480, 1, 2, 3)
	r.b.Commit(chunk.AppendSack(r.b.Tail(), 1, 2, nil, nil))
	if n := r.q.Fill(id, &r.b, r.now); n != 1 || r.b.Len() != 1480 {
		t.Errorf("%d chunks, %d bytes", n, r.b.Len())
	}
	// A message that fits a packet is not fragmented for it.
	r = newRig(t)
	r.push(full)
	r.q.BeginFlush(r.now)
	id, _ = r.q.Next(r.now)
	r.b.Begin(r.slot, 1480, 1, 2, 3)
	r.b.Commit(chunk.AppendSack(r.b.Tail(), 1, 2, nil, nil))
	if n := r.q.Fill(id, &r.b, r.now); n != 0 || r.q.InFlight() != 0 || r.path(0).T3 != 0 {
		t.Errorf("%d chunks", n)
	}
	r.wantSent(r.flush(), "0")
}

func TestPushRefuses(t *testing.T) {
	r := newRig(t)
	if r.q.Push(Message{Buf: r.pool.Get(1), Stream: 100}, r.now) { // R-6.5-01
		t.Error("stream 100 of 100")
	}
	if r.q.Push(Message{Buf: r.pool.Get(0)}, r.now) || r.q.Push(Message{}, r.now) { // R-6.2-33
		t.Error("empty message")
	}
	if !r.q.Empty() || r.q.Buffered() != 0 {
		t.Error("something was queued")
	}
}

// R-6.1-11, R-6.1-12, R-6.1-13: cwnd may be exceeded by less than a packet.
func TestCwndLimit(t *testing.T) {
	r := newRig(t)
	r.path(0).Cwnd = 3 * pmdcs
	for range 10 {
		r.push(full)
	}
	r.wantSent(r.flush(), "0 | 1 | 2")
	r = newRig(t)
	r.path(0).Cwnd = 3*pmdcs + 1
	for range 10 {
		r.push(full)
	}
	r.wantSent(r.flush(), "0 | 1 | 2 | 3")
	if over := r.path(0).Flight - r.path(0).Cwnd; over != pmdcs-1 {
		t.Errorf("cwnd exceeded by %d", over) // R-7.2.1-04
	}
	r.wantSent(r.flush(), "") // R-6.1-18
}

func TestBundling(t *testing.T) {
	r := newRig(t)
	for range 30 {
		r.push(100) // 116 bytes of chunk: 12 fit
	}
	r.wantSent(r.flush(), "0 1 2 3 4 5 6 7 8 9 10 11 | 12 13 14 15 16 17 18 19 20 21 22 23 | 24 25 26 27 28 29")

	// R-6.10-02: chunks are as large as the smallest path takes, packets as the
	// path that they take.
	r = newRig(t, withPaths(1500, 600), withConfig(func(c *tcb.Config) { c.InitialBurst = 10 }))
	for range 4 {
		r.push(600)
	}
	n := 0
	for _, s := range r.flushN(1) {
		if len(s.Payload) > 600-20-28 {
			t.Errorf("a chunk with %d bytes, too large for the other path", len(s.Payload))
		}
		n += len(s.Payload)
	}
	if n < 1200 {
		t.Errorf("%d bytes in a packet of 1480", n)
	}
}

// R-6.1-15, R-6.1-16
func TestMaxBurst(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.MaxBurst = 4 }))
	r.path(0).Cwnd = 20 * pmdcs
	for range 60 {
		r.push(full)
	}
	r.wantSent(r.flush(), "0 | 1 | 2 | 3")
	if r.path(0).Cwnd != 20*pmdcs {
		t.Errorf("cwnd changed to %d", r.path(0).Cwnd)
	}
	r.wantSent(r.flush(), "4 | 5 | 6 | 7")
	r.sack(1, 1<<20) // two packets acknowledged: four may follow
	r.wantSent(r.flush(), "8 | 9 | 10 | 11")
	r.sack(9, 1<<20) // eight packets in one SACK stand for four SACKs
	if n := len(r.flush()); n != 16 {
		t.Errorf("%d packets after a SACK for eight", n)
	}
}

// R-6.1-09, trap 47
func TestNagle(t *testing.T) {
	nagle := withConfig(func(c *tcb.Config) { c.NoDelay = false })
	r := newRig(t, nagle)
	r.push(100)
	r.wantSent(r.flush(), "0") // nothing in flight: at once
	r.push(100)
	r.push(100)
	r.wantSent(r.flush(), "") // held back
	r.sack(0, 1<<20)
	r.wantSent(r.flush(), "1 2")
	for range 13 { // more than a packet
		r.push(100)
	}
	r.wantSent(r.flush(), "3 4 5 6 7 8 9 10 11 12 13 14") // the thirteenth waits
	r.push(full + 1)                                      // fragmented: neither it nor its tail waits
	got := r.flush()
	if list(got) != "15 16 | 17" && list(got) != "15 | 16 | 17" {
		t.Errorf("sent %q", list(got))
	}
	r.push(1)
	r.wantSent(r.flush(), "")
	r.push(1, noDelay) // and takes with it what it waits behind
	r.wantSent(r.flush(), "18 19")
	r.push(1)
	r.wantSent(r.flush(), "")
	r.q.SetDraining(true)
	got = r.flush()
	r.wantSent(got, "20")
	if !got[0].Immediate() {
		t.Error("no I bit on the last chunk before SHUTDOWN")
	}
}

// R-6.2.1-01, R-6.2.1-02, R-6.2.1-03, R-6.2.1-06, R-6.1-01
func TestPeerRwnd(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 100 }))
	if r.q.PeerRwnd() != 1<<20 { // R-6.2.1-02: what INIT or INIT ACK said
		t.Errorf("rwnd %d at first", r.q.PeerRwnd())
	}
	r.q.SetPeerRwnd(3000)
	for range 5 {
		r.push(1000)
	}
	r.wantSent(r.flush(), "0 | 1 | 2")
	if r.q.PeerRwnd() != 0 {
		t.Errorf("rwnd %d", r.q.PeerRwnd())
	}
	r.sack(0, 2500) // 2000 still outstanding
	if r.q.PeerRwnd() != 500 {
		t.Errorf("rwnd %d", r.q.PeerRwnd())
	}
	r.wantSent(r.flush(), "") // 500 is less than the next chunk
	r.sack(0, 1000)           // less than what is outstanding
	if r.q.PeerRwnd() != 0 {
		t.Errorf("rwnd %d", r.q.PeerRwnd())
	}
	r.sack(0, 3000)
	r.wantSent(r.flush(), "3")
	r.expire(0) // R-6.2.1-04: what is marked returns to rwnd
	if r.q.PeerRwnd() != 3000 || r.q.InFlight() != 0 {
		t.Errorf("rwnd %d with %d in flight", r.q.PeerRwnd(), r.q.InFlight())
	}
	r.flushN(1)
	if r.q.PeerRwnd() != 2000 {
		t.Errorf("rwnd %d", r.q.PeerRwnd())
	}
}

// R-6.2.1-05: an old SACK is ignored whole, its window too.
func TestOldSack(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.push(100)
	}
	r.flush()
	r.sack(1, 5000)
	if out := r.sack(0, 7, gap{2, 2}); out != (pipes.Outcome{}) || r.q.PeerRwnd() != 4900 || r.q.nAcked != 0 {
		t.Errorf("outcome %+v rwnd %d", out, r.q.PeerRwnd())
	}
	// A distance of 2^31 is not newer either. Trap 30.
	if out := r.q.Sack(makeSack(r.q.CumTSNAck()+1<<31, 7), r.now); out != (pipes.Outcome{}) || r.q.PeerRwnd() != 4900 {
		t.Errorf("outcome %+v", out)
	}
}

func TestBadCumTSN(t *testing.T) {
	r := newRig(t)
	r.push(100)
	r.flush()
	want := pipes.Outcome{Bits: pipes.BadCumTSN, TSN: chunk.TSN(firstTSN).Add(1)}
	if out := r.sack(1, 7); out != want || r.q.PeerRwnd() != 1<<20-100 || r.q.InFlight() != 100 {
		t.Errorf("outcome %+v", out)
	}
	if out := r.q.CumAck(chunk.TSN(firstTSN).Add(1), r.now); out != want {
		t.Errorf("outcome %+v", out)
	}
}

func TestGapBlocksOfAllKinds(t *testing.T) {
	const n = 20
	for _, c := range []struct {
		name string
		gaps []gap
		bad  bool
		want []int // acknowledged
	}{
		{"one", []gap{{3, 5}}, false, []int{3, 4, 5}},
		{"unsorted", []gap{{10, 11}, {3, 4}}, false, []int{3, 4, 10, 11}},
		{"overlapping", []gap{{3, 6}, {5, 8}, {4, 4}}, false, []int{3, 4, 5, 6, 7, 8}},
		{"twice the same", []gap{{3, 3}, {3, 3}}, false, []int{3}},
		{"adjacent", []gap{{3, 3}, {4, 4}}, false, []int{3, 4}},
		{"reversed", []gap{{5, 3}, {8, 8}}, true, []int{8}},
		{"reaches beyond", []gap{{18, 25}}, true, []int{18, 19}},
		{"starts beyond", []gap{{20, 25}, {2, 2}}, true, []int{2}},
		{"includes the ack point", []gap{{-1, 1}}, true, []int{0, 1}}, // offset 0
		{"far beyond", []gap{{65000, 65500}}, true, nil},
		{"everything", []gap{{0, 19}}, false, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}},
	} {
		r := newRig(t)
		for range n {
			r.push(100)
		}
		r.flush()
		out := r.sack(-1, 1<<20, c.gaps...)
		if got := out.Bits&pipes.BadGap != 0; got != c.bad {
			t.Errorf("%s: BadGap %v", c.name, got)
		}
		acked := map[int]bool{}
		for _, x := range c.want {
			acked[x] = true
		}
		for i := range n {
			if got := r.q.rec(chunk.TSN(firstTSN).Add(uint32(i))).state == gapAcked; got != acked[i] {
				t.Errorf("%s: TSN %d acknowledged: %v", c.name, i, got)
			}
		}
		if r.q.CumTSNAck() != firstTSN-1 {
			t.Errorf("%s: ack point moved", c.name)
		}
	}
}

// A SACK of 300 blocks that all overlap does bounded work.
func TestGapBudget(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 2000 }))
	r.q.SetPeerRwnd(1 << 30)
	for range 20000 {
		r.push(10)
	}
	r.flush()
	var g []gap
	for range 16000 {
		g = append(g, gap{1, 19999})
	}
	r.sack(-1, 1<<30, g...)
	if r.q.nAcked != 19999 {
		t.Errorf("%d acknowledged", r.q.nAcked)
	}
	// Out of order beyond the budget: no harm, those blocks count for nothing.
	for i := range g {
		g[i] = gap{19999 - i, 19999 - i}
	}
	r.sack(-1, 1<<30, g...)
	if r.q.nAcked == 0 || r.q.nAcked > 16000 {
		t.Errorf("%d acknowledged", r.q.nAcked)
	}
}

// R-7.2.4-02 to R-7.2.4-11, R-6.7-04, R-6.7-05, R-6.1-14
func TestFastRetransmit(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 20 }))
	for range 40 {
		r.push(full)
	}
	r.flush() // 0..19
	r.sack(0, 1<<20, gap{2, 2})
	r.sack(0, 1<<20, gap{2, 3})
	r.wait(10 * ms)
	if miss := r.q.rec(chunk.TSN(firstTSN).Add(1)).miss; miss != 2 || r.q.InRecovery() {
		t.Fatalf("%d misses", miss)
	}
	cwnd := r.path(0).Cwnd
	r.sack(0, 1<<20, gap{2, 4}) // the third
	if !r.q.InRecovery() || r.q.recoveryExit != r.q.NextTSN()-1 {
		t.Fatal("no Fast Recovery")
	}
	r.wantCwnd(0, cwnd/2, cwnd/2)
	flight := r.path(0).Flight
	if flight <= r.path(0).Cwnd {
		t.Fatal("cwnd would not hold it back")
	}
	got := r.flush()
	r.wantSent(got, "1")                          // one packet, whatever cwnd says
	if r.path(0).T3 != r.now.Add(r.path(0).RTO) { // R-7.2.4-07, R-6.1-20: the earliest
		t.Error("T3-rtx was not restarted")
	}
	// Once only: further misses do nothing.
	for i := 5; i < 12; i++ {
		r.sack(0, 1<<20, gap{2, i})
	}
	if r.q.nRtx != 0 || r.path(0).Stats.FastRetransmits != 1 {
		t.Errorf("%d marked", r.q.nRtx)
	}
	// Another loss in the same window: marked, but no second reduction.
	cwnd = r.path(0).Cwnd
	r.sack(0, 1<<20, gap{2, 11}, gap{13, 13})
	r.sack(0, 1<<20, gap{2, 11}, gap{13, 14})
	r.sack(0, 1<<20, gap{2, 11}, gap{13, 15})
	if r.q.nRtx != 1 || r.path(0).Cwnd != cwnd {
		t.Errorf("%d marked, cwnd %d", r.q.nRtx, r.path(0).Cwnd)
	}
	r.sack(11, 1<<20, gap{13, 19}) // the first arrived; still in recovery
	if !r.q.InRecovery() || r.path(0).Cwnd != cwnd {
		t.Errorf("recovery %v cwnd %d", r.q.InRecovery(), r.path(0).Cwnd)
	}
	got = r.flush()
	if got[0].TSN != chunk.TSN(firstTSN).Add(12) {
		t.Errorf("sent %s", list(got))
	}
	r.sack(19, 1<<20) // the exit point
	if r.q.InRecovery() {
		t.Error("still in Fast Recovery")
	}
}

// R-7.2.4-03: only TSNs below the highest newly acknowledged one are missing.
func TestHTNA(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 20 }))
	for range 20 {
		r.push(full)
	}
	r.flush()
	miss := func(i int) uint8 { return r.q.rec(chunk.TSN(firstTSN).Add(uint32(i))).miss }
	r.sack(-1, 1<<20, gap{9, 9})
	r.sack(-1, 1<<20, gap{9, 9}) // nothing new
	if miss(0) != 1 || miss(8) != 1 || miss(10) != 0 {
		t.Errorf("misses %d %d %d", miss(0), miss(8), miss(10))
	}
	r.sack(-1, 1<<20, gap{5, 5}, gap{9, 9}) // new is 5, not 9
	if miss(0) != 2 || miss(4) != 2 || miss(6) != 1 || miss(8) != 1 {
		t.Errorf("misses %d %d %d %d", miss(0), miss(4), miss(6), miss(8))
	}
	r.sack(-1, 1<<20, gap{3, 3}, gap{5, 5}, gap{9, 9})
	if !r.q.InRecovery() || r.q.nRtx != 3 {
		t.Errorf("recovery %v, %d marked", r.q.InRecovery(), r.q.nRtx)
	}
	r.flush()
	// In Fast Recovery, a SACK that moves the ack point counts for all holes.
	r.sack(3, 1<<20, gap{5, 5}, gap{9, 9})
	if miss(4) != 3 || miss(6) != 2 || miss(8) != 2 {
		t.Errorf("misses %d %d %d", miss(4), miss(6), miss(8))
	}
}

// R-6.3.3-01 to -05, R-7.2.3-02, R-7.2.1-02, traps 38, 40
func TestT3Expiry(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 10 }))
	for range 20 {
		r.push(full)
	}
	r.flush() // 0..9
	r.path(0).PartialBytesAcked = 5
	cwnd := r.path(0).Cwnd
	r.expire(0)
	p := r.path(0)
	r.wantCwnd(0, pmdcs, cwnd/2)
	if p.RTO != 2*sec || p.PartialBytesAcked != 0 || p.Flight != 0 || p.T3 != 0 || p.Stats.T3Expiries != 1 {
		t.Errorf("%+v", *p)
	}
	got := r.flush()
	r.wantSent(got, "0")
	if !got[0].Immediate() {
		t.Error("alone in flight, without I bit: the peer will sit on its SACK")
	}
	if p.T3 != r.now.Add(2*sec) { // R-6.3.2-01, R-6.1-22: with the backed off RTO
		t.Errorf("T3-rtx in %v", p.T3.Sub(r.now))
	}
	r.wait(300 * ms)
	r.sack(0, 1<<20) // R-6.3.1-07: no sample from it
	if p.SRTT != 0 || p.RTO != 2*sec {
		t.Errorf("SRTT %v RTO %v", p.SRTT, p.RTO)
	}
	r.wantSent(r.flush(), "1 | 2") // slow start: cwnd is two packets now
	r.sack(2, 1<<20)
	got = r.flush()
	r.wantSent(got, "3 | 4 | 5")
	r.sack(5, 1<<20)
	r.sack(9, 1<<20) // the rest of the first flight was not lost after all
	r.flush()
	r.wait(100 * ms)
	r.sack(10, 1<<20)
	if p.SRTT != 100*ms || p.RTO != sec { // new data ends the back-off
		t.Errorf("SRTT %v RTO %v", p.SRTT, p.RTO)
	}
}

// One packet in flight also when it is smaller than cwnd. Trap 38.
func TestOnePacketAfterT3(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.push(1000)
	}
	r.flush()
	r.expire(0)
	r.wantSent(r.flush(), "0")
	if r.path(0).Flight >= r.path(0).Cwnd {
		t.Fatal("cwnd would hold it anyway")
	}
	r.wantSent(r.flush(), "")
	r.sack(0, 1<<20)
	r.wantSent(r.flush(), "1 | 2")
}

// A spurious timer, or one that was stopped, changes nothing.
func TestT3Spurious(t *testing.T) {
	r := newRig(t)
	r.q.T3Expired(0, r.now)
	r.q.T3Expired(9, r.now)
	if r.path(0).RTO != sec || r.path(0).Stats.T3Expiries != 0 {
		t.Error("it did")
	}
}

// R-6.1-19 to -21, R-6.3.2-01 to -03, and figure 8 of section 6.3.2
func TestT3Rules(t *testing.T) {
	r := newRig(t)
	p := r.path(0)
	r.push(10)
	r.flush()
	t0 := p.T3
	if t0 != r.now.Add(sec) {
		t.Errorf("T3-rtx in %v", t0.Sub(r.now))
	}
	r.wait(100 * ms)
	r.push(10)
	r.flush()
	if p.T3 != t0 {
		t.Error("restarted by new data") // R-6.1-21
	}
	r.wait(100 * ms)
	r.push(10)
	r.flush()
	r.sack(-1, 1<<20, gap{1, 1})
	if p.T3 != t0 {
		t.Error("restarted by a SACK that does not acknowledge the earliest")
	}
	r.sack(1, 1<<20)
	if p.T3 != r.now.Add(p.RTO) {
		t.Error("not restarted when the earliest was acknowledged") // R-6.3.2-03
	}
	t1 := p.T3
	r.wait(10 * ms)
	r.sack(1, 1<<20)
	if p.T3 != t1 {
		t.Error("restarted by a SACK that says nothing new")
	}
	r.sack(2, 1<<20)
	if p.T3 != 0 {
		t.Error("still running with nothing in flight") // R-6.3.2-02
	}
}

// R-6.2.1-07, R-6.3.2-04, trap 35
func TestReneging(t *testing.T) {
	r := newRig(t)
	for range 4 {
		r.push(1000)
	}
	r.flushN(2)
	r.sack(-1, 1<<20, gap{1, 1})
	r.sack(0, 1<<20, gap{1, 1}) // hostile or not: 0 is a gap of its own ack point
	if r.q.Unacked() != 1 && r.q.InFlight() != 0 {
		t.Fatalf("%d in flight", r.q.InFlight())
	}
	r = newRig(t)
	for range 3 {
		r.push(1000)
	}
	r.flush()
	r.sack(0, 1<<20, gap{2, 2})
	r.expire(0) // 1 is marked
	if p := r.path(0); p.Flight != 0 || p.T3 != 0 {
		t.Fatalf("flight %d", p.Flight)
	}
	cwnd := r.path(0).Cwnd
	out := r.sack(0, 1<<20) // 2 is gone
	p := r.path(0)
	if p.Flight != 1016 || r.q.InFlight() != 1000 || p.T3 != r.now.Add(p.RTO) {
		t.Errorf("flight %d, T3 %v", p.Flight, p.T3)
	}
	if miss := r.q.rec(chunk.TSN(firstTSN).Add(2)).miss; miss != 1 {
		t.Errorf("%d misses", miss)
	}
	if out.Bits != 0 {
		t.Errorf("outcome %+v", out)
	}
	// Acknowledged again it is not news: no growth, no proof of the path.
	out = r.sack(0, 1<<20, gap{2, 2})
	if p.Flight != 0 || p.Cwnd != cwnd || out.Paths != 0 {
		t.Errorf("flight %d cwnd %d outcome %+v", p.Flight, p.Cwnd, out)
	}
}

// R-6.3.1-04, R-6.3.1-05, R-6.3.1-07, R-6.3.1-08
func TestRTTSampling(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 20; c.RTOMin = 0 }))
	p := r.path(0)
	for range 6 {
		r.push(full)
	}
	r.flushN(1)
	r.wait(10 * ms)
	r.flush() // 1..5 are not timed: 0 is
	r.wait(40 * ms)
	r.sack(2, 1<<20)
	if p.SRTT != 50*ms || p.Stats.RTTSamples != 1 {
		t.Fatalf("SRTT %v of %d samples", p.SRTT, p.Stats.RTTSamples)
	}
	// Timed by a gap block.
	r.push(full)
	r.flush() // 6
	r.wait(70 * ms)
	r.sack(2, 1<<20, gap{6, 6})
	if p.Stats.LastRTT != 70*ms {
		t.Errorf("last RTT %v", p.Stats.LastRTT)
	}
	// C5: 7 is timed; then 3 is retransmitted, so 7 says nothing any more.
	r.push(full)
	r.push(full)
	r.push(full)
	r.flush()
	r.sack(2, 1<<20, gap{6, 6}, gap{8, 8})
	r.sack(2, 1<<20, gap{6, 6}, gap{8, 9})
	r.flush()
	n := p.Stats.RTTSamples
	r.wait(5 * ms)
	r.sack(9, 1<<20)
	if p.Stats.RTTSamples != n {
		t.Error("a sample from an ambiguous round trip")
	}
}

func TestOutcomes(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.SendBuffer = 10000 }))
	r.push(1000)
	r.push(4000)
	r.push(5000)
	if r.q.Buffered() != 10000+3*MessageOverhead || r.q.Queued() != 10000 || r.q.QueuedMessages() != 3 {
		t.Errorf("buffered %d queued %d", r.q.Buffered(), r.q.Queued())
	}
	r.path(0).Cwnd = 1 << 20
	r.flush()
	r.q.WantWritable()
	out := r.sack(0, 1<<20)
	if out.Bits != pipes.PathsAcked || out.Paths != 1 {
		t.Errorf("outcome %+v", out)
	}
	told := false
	for i := 1; i < int(r.q.NextTSN().Diff(firstTSN)); i++ {
		out = r.sack(i, 1<<20)
		if now := !told && r.q.Buffered() <= 5000; now != (out.Bits&pipes.Writable != 0) {
			t.Errorf("at %d: outcome %+v, buffered %d", i, out, r.q.Buffered())
		} else if now {
			told = true
		}
	}
	if out.Bits != pipes.AllAcked|pipes.PathsAcked || !r.q.Empty() || r.q.Buffered() != 0 {
		t.Errorf("outcome %+v buffered %d", out, r.q.Buffered())
	}
	if out = r.sack(int(r.q.NextTSN().Diff(firstTSN))-1, 1<<20); out != (pipes.Outcome{}) {
		t.Errorf("outcome %+v", out)
	}
}

// Trap 25: the cumulative ack of a SHUTDOWN.
func TestCumAck(t *testing.T) {
	r := newRig(t)
	for range 4 {
		r.push(1000)
	}
	r.flush()
	r.sack(-1, 6000, gap{2, 2})
	rwnd := r.q.PeerRwnd()
	out := r.q.CumAck(firstTSN, r.now)
	r.check()
	// R-3.3.8-02: what was acknowledged by gap stays so
	if r.q.PeerRwnd() != rwnd || r.q.nAcked != 1 || r.q.InFlight() != 2000 || out.Bits != pipes.PathsAcked {
		t.Errorf("rwnd %d, %d gap acked, %d in flight, %+v", r.q.PeerRwnd(), r.q.nAcked, r.q.InFlight(), out)
	}
	if r.q.CumAck(firstTSN-1, r.now) != (pipes.Outcome{}) {
		t.Error("an old one changed something")
	}
	out = r.q.CumAck(chunk.TSN(firstTSN).Add(3), r.now)
	r.check()
	if out.Bits&pipes.AllAcked == 0 || !r.q.Empty() {
		t.Errorf("outcome %+v", out)
	}
}

// R-6.1-02 to -07, R-6.1-01, trap 45
func TestZeroWindowProbe(t *testing.T) {
	r := newRig(t)
	p := r.path(0)
	for range 3 {
		r.push(1000)
	}
	r.flushN(1)
	r.sack(0, 0) // taken, but now the window is shut
	if p.T3 != r.now.Add(p.RTO) || !r.q.ZeroWindowProbing() {
		t.Fatalf("no probe timer: %v", p.T3) // R-6.1-06
	}
	r.wantSent(r.flush(), "")
	cwnd := p.Cwnd
	r.expire(0)
	r.wantSent(r.flush(), "1") // one chunk
	if p.T3 != r.now.Add(sec) || r.q.ZeroWindowProbing() {
		t.Errorf("T3-rtx in %v; unanswered probes count: %v", p.T3.Sub(r.now), r.q.ZeroWindowProbing())
	}
	for i, want := range []mono.Duration{2, 4, 8, 16, 32, 60, 60} { // R-6.1-07
		r.wait(10 * ms)
		r.sack(0, 0) // dropped
		if !r.q.ZeroWindowProbing() {
			t.Fatal("the peer answers") // R-6.1-05
		}
		r.expire(0)
		r.wantSent(r.flush(), "1")
		if p.T3 != r.now.Add(want*sec) {
			t.Errorf("probe %d: next in %v", i, p.T3.Sub(r.now))
		}
	}
	if p.Cwnd != cwnd || p.RTO != sec || p.Stats.T3Expiries != 0 { // section 6.1 A
		t.Errorf("cwnd %d RTO %v", p.Cwnd, p.RTO)
	}
	// Unanswered: that is a failure of the path.
	r.expire(0)
	if p.RTO != 2*sec {
		t.Errorf("RTO %v", p.RTO)
	}
	r.wantSent(r.flush(), "1")
	// The window opens by an update that the probe did not cause.
	out := r.sack(0, 5000)
	if out.Bits&pipes.WindowOpened == 0 {
		t.Errorf("outcome %+v", out)
	}
	got := r.flush()
	if len(got) != 2 || list(got) != "1 | 2" {
		t.Errorf("sent %s", list(got))
	}
	if r.q.ZeroWindowProbing() {
		t.Error("still probing")
	}
	r.sack(2, 5000)
}

// A probe that is taken while the window stays shut starts over at one RTO.
func TestProbeTaken(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.push(1000)
	}
	r.flushN(1)
	r.sack(0, 0)
	r.expire(0)
	r.flush()
	r.sack(0, 0)
	r.expire(0)
	r.flush()
	out := r.sack(1, 0)
	if out.Bits&(pipes.WindowOpened|pipes.AllAcked) != 0 || r.path(0).T3 != r.now.Add(sec) || !r.q.ZeroWindowProbing() {
		t.Errorf("outcome %+v", out)
	}
	if out = r.sack(1, 999); out.Bits&pipes.WindowOpened != 0 { // not enough for the next
		t.Errorf("outcome %+v", out)
	}
	if out = r.sack(1, 1000); out.Bits&pipes.WindowOpened == 0 || r.path(0).T3 != 0 {
		t.Errorf("outcome %+v", out)
	}
	r.wantSent(r.flush(), "2")
}

// The window was shut from the start: BeginFlush notices.
func TestProbeFromTheStart(t *testing.T) {
	r := newRig(t, withPaths(1500, 1500))
	r.q.SetPeerRwnd(0)
	r.push(10)
	if r.path(0).T3 != 0 {
		t.Error("Push started a timer")
	}
	r.wantSent(r.flush(), "")
	if r.path(0).T3 != r.now.Add(sec) {
		t.Error("no probe timer")
	}
	// The active path changes; the timer moves when its path goes.
	r.paths.Active = 1
	r.q.PathDown(0)
	r.flush()
	if r.path(0).T3 != 0 || r.path(1).T3 != r.now.Add(sec) {
		t.Errorf("T3 %v %v", r.path(0).T3, r.path(1).T3)
	}
	r.expire(1)
	r.wantSent(r.flush(), "0/1")
	r.sack(0, 0)
	if !r.q.Empty() || r.path(1).T3 != 0 || r.q.ZeroWindowProbing() {
		t.Error("probing without data")
	}
}

// R-6.4-04, R-6.4-05, traps 39, 41, 59
func TestRetransmitElsewhere(t *testing.T) {
	r := newRig(t, withPaths(1500, 1500))
	for range 3 {
		r.push(full)
	}
	r.flush()
	r.expire(0)
	if r.path(0).RTO != 2*sec || r.path(1).RTO != sec {
		t.Errorf("RTO %v %v", r.path(0).RTO, r.path(1).RTO)
	}
	got := r.flush()
	r.wantSent(got, "0/1 | 1/1 | 2/1") // the other path has a window of its own
	if r.path(1).T3 != r.now.Add(sec) || r.path(0).T3 != 0 || r.path(0).Flight != 0 {
		t.Errorf("T3 %v %v", r.path(0).T3, r.path(1).T3) // R-6.3.3-04
	}
	out := r.sack(0, 1<<20)
	if out.Paths != 0 { // proves nothing about either path
		t.Errorf("outcome %+v", out)
	}
	r.expire(1)
	got = r.flush()
	r.wantSent(got, "1") // back to the first, which is not trusted with more than a packet
	r.q.PathDown(0)
	r.check()
	r.paths.Active = 1
	got = r.flush()
	if got[0].path != 1 {
		t.Errorf("sent %s", list(got))
	}
}

// R-6.4-05: fast retransmissions stay on their path. Trap 62: after a change
// of the active path the new one's SACKs are no misses of the old one.
func TestChangeover(t *testing.T) {
	r := newRig(t, withPaths(1500, 1500), withConfig(func(c *tcb.Config) { c.InitialBurst = 10 }))
	for range 20 {
		r.push(full)
	}
	r.flushN(5) // 0..4 on path 0
	r.paths.Active, r.paths.Retran = 1, 0
	r.flushN(8) // 5..12 on path 1
	for i := 5; i < 10; i++ {
		r.sack(-1, 1<<20, gap{5, i})
	}
	if r.q.InRecovery() || r.q.nRtx != 0 {
		t.Fatal("false fast retransmit")
	}
	// A loss on the new path is still found.
	r.sack(-1, 1<<20, gap{5, 9}, gap{11, 11})
	r.sack(-1, 1<<20, gap{5, 9}, gap{11, 12})
	r.flushN(2)
	r.sack(-1, 1<<20, gap{5, 9}, gap{11, 13})
	if !r.q.InRecovery() || r.q.nRtx != 1 {
		t.Fatalf("%d marked", r.q.nRtx)
	}
	if r.path(0).Cwnd != 10*pmdcs { // and the old path does not pay for it
		t.Errorf("cwnd %d", r.path(0).Cwnd)
	}
	// And one on the old path, by its own SACKs.
	r.q.recovery = false
	r.sack(-1, 1<<20, gap{1, 1}, gap{5, 9}, gap{11, 13})
	r.sack(-1, 1<<20, gap{1, 2}, gap{5, 9}, gap{11, 13})
	r.sack(-1, 1<<20, gap{1, 3}, gap{5, 9}, gap{11, 13})
	got := r.flush()
	if len(got) < 2 || got[0].path != 0 || got[0].TSN != firstTSN || got[1].path != 1 || got[1].TSN != chunk.TSN(firstTSN).Add(10) {
		t.Errorf("sent %s", list(got))
	}
}

// R-6.9-08, trap 48
func TestPMTUDrop(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.push(full)
	}
	r.push(100)
	r.path(0).Cwnd = 6000
	r.flushN(4)
	if !r.path(0).LinkMTU(1300, r.now) {
		t.Fatal("PMTU did not change")
	}
	r.q.PMTUReduced(0, r.path(0).PMTU, r.now)
	r.check()
	if r.q.nRtx != 3 || r.path(0).Cwnd != 6000 {
		t.Errorf("%d marked, cwnd %d", r.q.nRtx, r.path(0).Cwnd)
	}
	r.push(2000)
	if n := r.q.PacketSize(0); n != 1480 {
		t.Errorf("the next packet needs %d bytes", n)
	}
	got := r.flush()
	if n := r.q.PacketSize(0); n != 1280 {
		t.Errorf("the next packet needs %d bytes", n)
	}
	r.wantSent(got, "0 | 1 | 2 | 4 | 5")
	for _, c := range got[:3] {
		if !c.over || len(c.Payload) != full {
			t.Errorf("TSN %d: %d bytes, oversize %v", c.TSN, len(c.Payload), c.over)
		}
	}
	if got[3].over || len(got[3].Payload) != 1252 {
		t.Errorf("new data: %d bytes", len(got[3].Payload))
	}
}

// Trap 15: DATA bundled with a COOKIE ECHO goes again with the next one, and on
// the same path.
func TestMarkAll(t *testing.T) {
	r := newRig(t, withPaths(1500, 1500))
	r.push(10)
	r.push(10)
	r.flush()
	r.q.MarkAll(0)
	r.check()
	if r.path(0).Cwnd != 4404 || r.path(0).RTO != sec || r.path(0).T3 != 0 {
		t.Errorf("%+v", *r.path(0))
	}
	r.wantSent(r.flush(), "0 1")
}

// Traps 3 and 16.
func TestReset(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 6 }))
	r.push(10, onStream(1))
	r.push(10, onStream(2), unordered)
	r.push(10, onStream(1))
	r.flush()
	r.sack(0, 1<<20)
	r.push(20*full, onStream(1))
	r.flush() // in part
	r.sack(4, 1<<20)
	r.push(10, onStream(2))
	r.q.Reset(1000, 1<<20)
	r.check()
	if r.q.NextTSN() != 1000 || r.q.CumTSNAck() != 999 || r.q.InFlight() != 0 || r.path(0).Flight != 0 || r.path(0).T3 != 0 {
		t.Fatalf("next %d", r.q.NextTSN())
	}
	if n := r.q.QueuedMessages(); n != 2 { // the first three were acknowledged
		t.Fatalf("%d messages", n)
	}
	r.path(0).Cwnd = 1 << 20
	got := r.flush()
	if c := got[0]; c.TSN != 1000 || c.SSN != 0 || c.Stream != 1 || !c.Begins() || c.Ends() {
		t.Errorf("first: %+v", c)
	}
	if c := got[len(got)-1]; c.Stream != 2 || c.SSN != 0 || !c.Begins() || !c.Ends() {
		t.Errorf("last: %+v", c)
	}
	r.q.Reset(5, 1<<20) // all sent, nothing acknowledged
	r.check()
	r.path(0).Cwnd = 1 << 20
	if again := r.flush(); len(again) != len(got) || again[0].TSN != 5 || !bytes.Equal(again[3].Payload, got[3].Payload) {
		t.Errorf("%d chunks, were %d", len(again), len(got))
	}
}

func TestPurge(t *testing.T) {
	r := newRig(t)
	ctx := func(n uint32) func(*Message) { return func(m *Message) { m.Context = n } }
	r.push(10, ctx(1))
	r.push(10, ctx(2))
	r.flush()
	r.sack(0, 1<<20)
	r.path(0).Cwnd = 2000
	r.push(10*full, ctx(3))
	r.push(10, ctx(4), onStream(50))
	r.flush()
	type rep struct {
		ctx  uint32
		sent bool
	}
	var got []rep
	r.q.Purge(func(m *Message, sent bool) {
		if len(m.Buf.B) == 0 {
			t.Error("payload gone")
		}
		got = append(got, rep{m.Context, sent})
	})
	r.check()
	want := []rep{{2, true}, {3, true}, {4, false}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v", got)
	}
	if !r.q.Empty() || r.q.Buffered() != 0 || r.path(0).Flight != 0 || r.path(0).T3 != 0 {
		t.Error("not empty")
	}
	r.q.Purge(func(*Message, bool) { t.Error("reported twice") })

	// A message whose fragments sent so far are all acknowledged is reported.
	r.push(5*full, ctx(7))
	r.q.SetPeerRwnd(1 << 20)
	r.flushN(1)
	r.q.CumAck(r.q.NextTSN()-1, r.now)
	got = nil
	r.q.Purge(func(m *Message, sent bool) { got = append(got, rep{m.Context, sent}) })
	if len(got) != 1 || got[0] != (rep{7, true}) {
		t.Errorf("%v", got)
	}
}

// What went out before the peer restarted may have reached it, whether or not
// it goes out again.
func TestPurgeAfterReset(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.push(10, func(m *Message) { m.Context = uint32(i) })
		if i < 2 {
			r.flush()
		}
	}
	for tsn := range chunk.TSN(2) { // the peer restarts twice
		r.q.Reset(1000*tsn, 0)
		r.check()
	}
	var sent []bool
	r.q.Purge(func(_ *Message, s bool) { sent = append(sent, s) })
	if !slices.Equal(sent, []bool{true, true, false}) {
		t.Errorf("sent: %v, want the first two", sent)
	}
}

func TestPurgeStreams(t *testing.T) {
	for _, s := range []Scheduler{FCFS, RR} {
		r := newRig(t)
		r.q.SetScheduler(s)
		for i := range 9 {
			r.push(10, onStream(chunk.StreamID(i%3)))
		}
		r.q.SetStreams(2)
		n := 0
		r.q.PurgeStreams(func(m *Message, sent bool) {
			if m.Stream != 2 || sent {
				t.Errorf("%+v", *m)
			}
			n++
		})
		r.check()
		if n != 3 || r.q.QueuedMessages() != 6 {
			t.Errorf("%d dropped", n)
		}
		if got := r.flush(); len(got) != 6 {
			t.Errorf("%d sent", len(got))
		}
	}
}

func TestSchedulers(t *testing.T) {
	order := func(s Scheduler) (out []chunk.StreamID) {
		r := newRig(t, withConfig(func(c *tcb.Config) { c.InitialBurst = 50 }))
		r.q.SetScheduler(s)
		for _, id := range []chunk.StreamID{5, 5, 5, 7, 7, 2} {
			r.push(2*full, onStream(id))
		}
		var last chunk.StreamID
		for i, c := range r.flush() {
			if c.Begins() {
				out = append(out, c.Stream)
			} else if c.Stream != last && i > 0 {
				t.Error("a message was interrupted") // R-6.9-12
			}
			last = c.Stream
		}
		return out
	}
	if got := order(FCFS); !equal(got, []chunk.StreamID{5, 5, 5, 7, 7, 2}) {
		t.Errorf("FCFS: %v", got)
	}
	if got := order(RR); !equal(got, []chunk.StreamID{5, 7, 2, 5, 7, 5}) {
		t.Errorf("RR: %v", got)
	}
	// Changed in the middle of a message.
	r := newRig(t)
	for _, id := range []chunk.StreamID{1, 1, 2} {
		r.push(2*full, onStream(id))
	}
	a := r.flushN(1)
	r.q.SetScheduler(RR)
	r.path(0).Cwnd = 1 << 20
	var got []chunk.StreamID
	for _, c := range append(a, r.flush()...) {
		if c.Begins() {
			got = append(got, c.Stream)
		}
	}
	if !equal(got, []chunk.StreamID{1, 2, 1}) {
		t.Errorf("changed: %v", got)
	}
}

func equal(a, b []chunk.StreamID) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// R-6.1-23, R-6.1-24: the send window is bounded.
func TestWindowOfTSNs(t *testing.T) {
	r := newRig(t)
	r.path(0).Cwnd = 1 << 30
	r.q.SetPeerRwnd(1 << 30)
	for range 70000 {
		m := Message{Buf: r.pool.Get(1)}
		r.q.Push(m, r.now)
	}
	r.q.BeginFlush(r.now)
	for {
		id, ok := r.q.Next(r.now)
		if !ok {
			break
		}
		r.b.Begin(r.slot, r.path(0).PMTU, 1, 2, 3)
		if r.q.Fill(id, &r.b, r.now) == 0 {
			t.Fatal("Next without Fill")
		}
	}
	if r.q.Unacked() != maxInFlight || len(r.q.recs) != maxRing {
		t.Errorf("%d unacknowledged", r.q.Unacked())
	}
	r.check()
	r.sack(-1, 1<<30, gap{1, 65534})
	if r.q.nAcked != 65534 {
		t.Errorf("%d acknowledged", r.q.nAcked)
	}
	r.sack(65534, 1<<30)
	if len(r.flush()) != 70000-65535 {
		t.Error("the rest did not go")
	}
	r.sack(69999, 1<<30)
	r.q.Trim()
	if !r.q.Empty() || r.q.recs != nil || r.q.free != nil {
		t.Error("Trim kept memory")
	}
	r.push(10)
	r.wantSent(r.flush(), "70000")
}
