package outqueue

import (
	"encoding/binary"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A loop is the send side in steady state: messages go in, packets come out
// without CRC, and each second packet is acknowledged.
type loop struct {
	*rig
	n      int // bytes per message
	window int // packets in flight
	sack   []byte
	cache  *seg.Cache
	chunks int
}

func newLoop(t testing.TB, n, window int) *loop {
	l := &loop{rig: newRig(t, withConfig(func(c *tcb.Config) { c.NoDelay = false })), n: n, window: window}
	l.path(0).Cwnd = window * pmdcs
	l.path(0).Ssthresh = l.path(0).Cwnd - 1 // congestion avoidance
	l.sack = chunk.AppendSack(nil, 0, 0, nil, nil)
	l.cache = seg.NewCache(&l.pool)
	l.q.SetPeerRwnd(1 << 30)
	for range 3 * window {
		l.step()
	}
	return l
}

// step queues messages for two packets, sends what the window takes, and has
// two packets acknowledged.
func (l *loop) step() {
	l.now = l.now.Add(20 * mono.Microsecond)
	for l.q.Queued() < 2*full {
		l.q.Push(Message{Buf: l.cache.Get(l.n)}, l.now)
	}
	l.q.BeginFlush(l.now)
	for {
		id, ok := l.q.Next(l.now)
		if !ok {
			break
		}
		l.b.Begin(l.slot, l.path(0).PMTU, 1, 2, 3)
		l.chunks += l.q.Fill(id, &l.b, l.now)
	}
	if f := l.path(0); f.Flight >= f.Cwnd {
		per := max(1, full/(chunk.Padded(l.n)+16))
		cum := l.q.CumTSNAck() + chunk.TSN(2*per)
		binary.BigEndian.PutUint32(l.sack[4:], uint32(cum))
		binary.BigEndian.PutUint32(l.sack[8:], 1<<30)
		s, _ := chunk.ParseSack(l.sack)
		l.q.Sack(s, l.now)
		f.Cwnd = l.window * pmdcs
	}
}

func TestNoAllocation(t *testing.T) {
	for _, n := range []int{100, 1400} {
		l := newLoop(t, n, 50)
		if a := testing.AllocsPerRun(2000, l.step); a != 0 {
			t.Errorf("%d byte messages: %v allocations", n, a)
		}
		if l.q.Unacked() < 40 {
			t.Errorf("only %d chunks in flight", l.q.Unacked())
		}
		l.check()
	}
}

func benchLoop(b *testing.B, n, window int) {
	l := newLoop(b, n, window)
	b.ReportAllocs()
	l.chunks = 0
	for b.Loop() {
		l.step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(l.chunks), "ns/chunk")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkSend1400(b *testing.B)           { benchLoop(b, 1400, 50) }
func BenchmarkSend1400Window2000(b *testing.B) { benchLoop(b, 1400, 2000) }
func BenchmarkSend100(b *testing.B)            { benchLoop(b, 100, 50) }
func BenchmarkSend64K(b *testing.B)            { benchLoop(b, 65536, 50) }

// BenchmarkSackGaps is a SACK that reports one more TSN above a hole, with
// many chunks in flight: its cost is for what it changes.
func BenchmarkSackGaps(b *testing.B) {
	l := newLoop(b, 100, 2000)
	r := l.rig
	first := r.q.CumTSNAck() + 1
	r.q.rec(first).past |= fastDone
	r.q.unset(r.q.elig, first)
	n := r.q.Unacked()
	b.ReportAllocs()
	i := 2
	for b.Loop() {
		g := [1]chunk.GapBlock{{Start: 2, End: uint16(i)}}
		l.sack = chunk.AppendSack(l.sack[:0], first-1, 1<<30, g[:], nil)
		s, _ := chunk.ParseSack(l.sack)
		r.q.Sack(s, r.now)
		if i++; i > n {
			i = 2 // reneges on everything
		}
	}
}
