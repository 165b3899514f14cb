package ulpqueue

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// receiver is a whole receive side with a reader that takes everything.
type receiver struct {
	cfg   tcb.Config
	pool  seg.Pool
	nodes *seg.Free[Message]
	in    inqueue.Queue
	q     Queue
	cur   inqueue.Cursor
	list  List
	sack  []byte
	read  int
}

func newReceiver(tb testing.TB, initial chunk.TSN) *receiver {
	tb.Helper()
	r := &receiver{cfg: tcb.DefaultConfig(), nodes: seg.NewFree[Message](1 << 16)}
	r.in.Init(&r.cfg, initial)
	r.q.Init(&r.cfg, &r.pool, r.nodes, 65535)
	return r
}

// packet takes one packet the way the executor does.
func (r *receiver) packet(now mono.Time, p []byte) {
	r.cur.Reset(p)
	immediate := false
	for {
		it, ok := r.cur.Next()
		if !ok {
			break
		}
		if it.Type != chunk.TypeData {
			continue
		}
		w := chunk.Walk(it.Run)
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			d, _ := chunk.ParseData(c)
			immediate = immediate || d.Immediate()
			switch r.in.Classify(d.TSN) {
			case inqueue.New:
				if !r.q.Room(len(d.Payload)) || r.q.Insert(d)&Accepted == 0 {
					immediate = true
					continue
				}
				r.in.Accept(d.TSN)
			case inqueue.Duplicate:
				r.in.Duplicate(d.TSN)
			}
		}
	}
	r.q.CumTSNAdvanced(r.in.CumTSN())
	r.in.DataPacket(now, 0, immediate)
	if r.in.Due() {
		r.sack = r.in.AppendSack(r.sack[:0], 1400, r.q.Window())
	}
}

// drain reads everything that is ready and says how many messages that were.
func (r *receiver) drain() (messages int) {
	var n int
	r.q.Detach(&r.list, 1<<30)
	n, messages = r.list.Bytes(), r.list.Len()
	FreeList(&r.pool, r.nodes, &r.list)
	r.read += n
	r.q.Consumed(n)
	return messages
}

func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct {
		name             string
		size, per, frags int
		batch            int
		unordered        bool
		cache            bool
	}{
		{"100B", 100, 1, 1, 32, false, false},
		{"100B-cache", 100, 1, 1, 32, false, true},
		{"100Bx12-cache", 100, 12, 1, 32, false, true},
		{"1400B-one-by-one", 1400, 1, 1, 1, false, false},
		{"1400B", 1400, 1, 1, 32, false, false},
		{"1400B-cache", 1400, 1, 1, 32, false, true},
		{"1400B-unordered-cache", 1400, 1, 1, 32, true, true},
		{"64KiB-of-1400B", 1400, 1, 46, 32, false, false},
		{"64KiB-of-1400B-cache", 1400, 1, 46, 32, false, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newReceiver(b, 0)
			if c.cache {
				r.q.UseCache(NewCache(&r.pool, r.nodes))
			}
			body := make([]byte, c.size)
			packets := 0
			p := make([]byte, 0, 2048)
			var tsn chunk.TSN
			var ssn chunk.SSN
			frag := 0
			now := mono.Time(1)
			b.ReportAllocs()
			b.SetBytes(int64(c.size))
			b.ResetTimer()
			for i := 0; i < b.N; i += c.per {
				p = append(p[:0], make([]byte, 12)...)
				for range c.per {
					d := chunk.Data{TSN: tsn, SSN: ssn, Payload: body}
					if c.unordered {
						d.Flags |= chunk.FlagU
					}
					if frag == 0 {
						d.Flags |= chunk.FlagB
					}
					tsn++
					if frag++; frag == c.frags {
						d.Flags |= chunk.FlagE
						frag = 0
						ssn++
					}
					if len(p) == 12 && c.per == 1 && cap(p) >= 28+c.size {
						// Only the header differs from packet to packet.
						p = p[:28+c.size]
						chunk.PutDataHeader(p[12:], d.Flags, uint16(16+c.size), d.TSN, d.Stream, d.SSN, d.PPID)
						p = p[:12+chunk.Padded(16+c.size)]
					} else {
						p = chunk.AppendData(p, d)
					}
				}
				now += 1000
				r.packet(now, p)
				if packets++; packets%c.batch == 0 {
					r.drain()
				}
			}
		})
	}
}

// The parts of the above, to see where time goes.
func BenchmarkInsertOnly(b *testing.B) {
	for _, size := range []int{100, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := newReceiver(b, 0)
			d := chunk.Data{Flags: chunk.FlagB | chunk.FlagE, Payload: make([]byte, size)}
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				d.TSN++
				r.q.Insert(d)
				d.SSN++
				r.drain()
			}
		})
	}
}

func BenchmarkLossRecovery(b *testing.B) {
	// Every 64th chunk arrives 500 chunks late.
	r := newReceiver(b, 0)
	body := make([]byte, 1000)
	var late []chunk.TSN
	now := mono.Time(1)
	p := make([]byte, 0, 2048)
	one := func(t chunk.TSN) {
		p = append(p[:0], make([]byte, 12)...)
		p = chunk.AppendData(p, chunk.Data{TSN: t, SSN: chunk.SSN(t), Flags: chunk.FlagB | chunk.FlagE, Payload: body})
		now += 1000
		r.packet(now, p)
		r.drain()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		t := chunk.TSN(i)
		if t%64 == 1 {
			late = append(late, t)
		} else {
			one(t)
		}
		if len(late) > 0 && t.Diff(late[0]) > 300 {
			one(late[0])
			copy(late, late[1:])
			late = late[:len(late)-1]
		}
	}
}

func TestOverheads(t *testing.T) {
	if n := unsafe.Sizeof(Message{}) + 32; n > messageOverhead {
		t.Errorf("a message takes %d bytes, accounted are %d", n, messageOverhead)
	}
	if n := unsafe.Sizeof(seg.Buf{}); n > bufOverhead {
		t.Errorf("a buffer takes %d bytes, accounted are %d", n, bufOverhead)
	}
	t.Logf("Message %d, Buf %d, Queue %d, inqueue.Queue %d bytes", unsafe.Sizeof(Message{}),
		unsafe.Sizeof(seg.Buf{}), unsafe.Sizeof(Queue{}), unsafe.Sizeof(inqueue.Queue{}))
}
