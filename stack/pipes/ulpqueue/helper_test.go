package ulpqueue

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// rig is a Queue with its free lists.
type rig struct {
	testing.TB
	cfg   tcb.Config
	pool  *seg.Pool
	nodes *seg.Free[Message]
	q     Queue
	in    *inqueue.Queue
	list  List // what the reader has
}

func newRig(t testing.TB, tune func(*tcb.Config)) *rig {
	t.Helper()
	r := &rig{TB: t, cfg: tcb.DefaultConfig(), pool: new(seg.Pool), nodes: seg.NewFree[Message](1000)}
	if tune != nil {
		tune(&r.cfg)
	}
	r.q.Init(&r.cfg, r.pool, r.nodes, 100)
	return r
}

// put inserts a chunk and fails the test unless the result is want.
func (r *rig) put(want Result, d chunk.Data) {
	r.Helper()
	if got := r.q.Insert(d); got != want {
		r.Fatalf("TSN %d: result %04b, want %04b", d.TSN, got, want)
	}
	r.check()
}

// packet inserts a chunk as the only one of a packet. The first packet has the
// peer's initial TSN.
func (r *rig) packet(want Result, d chunk.Data) {
	r.Helper()
	if r.in == nil {
		r.in = new(inqueue.Queue)
		r.in.Init(&r.cfg, d.TSN)
	}
	got := r.q.Insert(d)
	if got&Accepted != 0 {
		r.in.Accept(d.TSN)
	}
	got |= r.q.CumTSNAdvanced(r.in.CumTSN())
	if got != want {
		r.Fatalf("TSN %d: result %04b, want %04b", d.TSN, got, want)
	}
	r.check()
}

// read reads everything that is ready and describes it, one word per message.
func (r *rig) read() string {
	r.Helper()
	r.q.Detach(&r.list, 1<<30)
	var out []byte
	n := 0
	for m := r.list.Pop(); m != nil; m = r.list.Pop() {
		if len(out) > 0 {
			out = append(out, ' ')
		}
		if m.Kind == KindNotification {
			out = fmt.Appendf(out, "note%d", m.Note.Kind)
		} else {
			out = append(out, payload(r, m)...)
			if !m.EOR {
				out = append(out, "..."...)
			}
		}
		n += m.Len
		FreeMessage(r.pool, r.nodes, m)
	}
	r.q.Consumed(n)
	r.check()
	return string(out)
}

func (r *rig) want(want string) {
	r.Helper()
	if got := r.read(); got != want {
		r.Fatalf("read %q, want %q", got, want)
	}
}

func payload(t testing.TB, m *Message) []byte {
	t.Helper()
	var out []byte
	for b := m.Head; b != nil; b = b.Next {
		out = append(out, b.B...)
	}
	if len(out) != m.Len {
		t.Fatalf("%d bytes in the chain, Len is %d", len(out), m.Len)
	}
	return out
}

// check verifies what must always hold in a Queue.
func (r *rig) check() {
	r.Helper()
	q := &r.q
	mem, data, bufs := q.outMem, q.outPayload, 0
	account := func(m *Message, what string) {
		n, c := 0, 0
		last := m.Head
		for b := m.Head; b != nil; b = b.Next {
			n += len(b.B)
			c += charge(len(b.B))
			last = b
			bufs++
		}
		if m.Kind == KindData {
			c += messageOverhead
		}
		if n != m.Len || c != m.mem || m.Head != nil && m.tail != last {
			r.Fatalf("%s message at TSN %d: %d bytes of %d, %d of memory, accounted %d", what, m.TSN, n, m.Len, c, m.mem)
		}
		mem += c
		data += n
	}
	waiting := 0
	for i := range q.byTSN.n {
		m := q.byTSN.at(i)
		account(m, "pending")
		if m.last.Less(m.TSN) || i > 0 && !q.byTSN.at(i-1).last.Less(m.TSN) {
			r.Fatalf("byTSN is out of order at %d: %d to %d", i, m.TSN, m.last)
		}
		if m.waiting {
			waiting++
			if !m.begun || !m.ended || m.Unordered {
				r.Fatal("what waits is not a whole ordered message")
			}
			if k := q.bySSN.searchSSN(m.Stream, m.SSN); k >= q.bySSN.n || q.bySSN.at(k) != m {
				r.Fatal("a waiting message cannot be found")
			}
			if q.pd == nil && q.inTurn(m) {
				r.Fatal("a message waits although it is its turn")
			}
		} else if m.begun && m.ended && m.Unordered && q.pd == nil {
			r.Fatal("an unordered message waits")
		}
	}
	if waiting != q.bySSN.n {
		r.Fatalf("%d wait, %d are in bySSN", waiting, q.bySSN.n)
	}
	for m := q.ready.head; m != nil; m = m.next {
		account(m, "ready")
	}
	if mem != q.mem || data != q.payload {
		r.Fatalf("%d bytes, %d of memory; accounted %d, %d", data, mem, q.payload, q.mem)
	}
	if n := max(q.largest, 1); q.window() > 0 && q.largest <= q.credit/2 && !q.fits(n) {
		r.Fatalf("window %d, but no room for %d bytes; %d held", q.window(), n, q.mem)
	}
	if q.mem > q.limit && q.payload > q.largest {
		r.Fatalf("%d held, the limit is %d", q.mem, q.limit)
	}
}

// data makes a chunk. Flags are letters of BEU.
func data(tsn chunk.TSN, stream chunk.StreamID, ssn chunk.SSN, flags, text string) chunk.Data {
	d := chunk.Data{TSN: tsn, Stream: stream, SSN: ssn, PPID: 7, Payload: []byte(text)}
	for _, f := range flags {
		d.Flags |= map[rune]uint8{'B': chunk.FlagB, 'E': chunk.FlagE, 'U': chunk.FlagU, 'I': chunk.FlagI}[f]
	}
	return d
}

func sized(tsn chunk.TSN, stream chunk.StreamID, ssn chunk.SSN, flags string, n int) chunk.Data {
	return data(tsn, stream, ssn, flags, string(bytes.Repeat([]byte{byte(tsn)}, n)))
}

// empty fails unless q holds nothing and every buffer is back.
func (r *rig) empty() {
	r.Helper()
	if r.q.Held() != 0 || r.q.payload != 0 || r.q.Ready() || r.q.Pending() || r.pool.InUse() != 0 {
		r.Fatalf("%d bytes held, %d buffers out, ready %t, pending %t",
			r.q.Held(), r.pool.InUse(), r.q.Ready(), r.q.Pending())
	}
}
