package outqueue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

const (
	ms  = mono.Millisecond
	sec = mono.Second
)

// A rig is a queue with paths, a clock and a slot to fill.
type rig struct {
	t     testing.TB
	cfg   tcb.Config
	pool  seg.Pool
	paths path.Set
	q     Queue
	now   mono.Time
	slot  []byte
	b     packet.Builder
	made  byte // next byte of payload patterns
}

// sent is a DATA chunk that went out.
type sent struct {
	chunk.Data
	path   tcb.PathID
	packet int
	over   bool
}

type rigOpt func(*rig)

func withConfig(f func(*tcb.Config)) rigOpt { return func(r *rig) { f(&r.cfg) } }

func withPaths(mtus ...int) rigOpt {
	return func(r *rig) {
		r.paths = path.Set{P: make([]path.Path, len(mtus)), Active: 0, Retran: tcb.NoPath}
		for i, m := range mtus {
			r.paths.P[i].Addr = netip.AddrFrom4([4]byte{10, 0, byte(i), 1})
			r.paths.P[i].Init(&r.cfg, m)
		}
		if len(mtus) > 1 {
			r.paths.Retran = 1
		}
	}
}

const firstTSN = 0xFFFFFFF0 // all tests cross the end of the TSN space

// newRig returns a rig whose queue starts at firstTSN, with 100 streams, a
// window of 1 MB, and no burst limit and no Nagle unless asked for.
func newRig(t testing.TB, opts ...rigOpt) *rig {
	r := &rig{t: t, cfg: tcb.DefaultConfig(), now: mono.Time(1000 * sec), slot: make([]byte, 70000)}
	r.cfg.MaxBurst = 0
	r.cfg.NoDelay = true
	withPaths(1500)(r)
	for _, o := range opts {
		o(r)
	}
	for i := range r.paths.P { // with the final configuration
		r.paths.P[i].Init(&r.cfg, r.paths.P[i].PMTU+20)
	}
	r.q.Init(&r.cfg, &r.pool, &r.paths, firstTSN, 100, 1<<20)
	return r
}

func (r *rig) path(i int) *path.Path { return &r.paths.P[i] }

// push queues a message of n bytes.
func (r *rig) push(n int, mods ...func(*Message)) Message {
	r.t.Helper()
	m := Message{Buf: r.pool.Get(n), PPID: 0xABCD}
	for i := range m.Buf.B {
		m.Buf.B[i] = r.made
		r.made += 7
	}
	for _, f := range mods {
		f(&m)
	}
	if !r.q.Push(m, r.now) {
		r.t.Fatalf("Push of %d bytes on stream %d refused", n, m.Stream)
	}
	return m
}

func onStream(s chunk.StreamID) func(*Message) { return func(m *Message) { m.Stream = s } }
func unordered(m *Message)                     { m.Unordered = true }
func immediate(m *Message)                     { m.Immediate = true }
func noDelay(m *Message)                       { m.NoDelay = true }

// flush runs a transmission opportunity to its end.
func (r *rig) flush() []sent { return r.flushN(1 << 30) }

// flushN is flush of at most n packets.
func (r *rig) flushN(n int) []sent {
	r.t.Helper()
	r.q.BeginFlush(r.now)
	var out []sent
	for i := 0; i < n; i++ {
		id, ok := r.q.Next(r.now)
		if !ok {
			break
		}
		p := &r.paths.P[id]
		r.b.Begin(r.slot, p.PMTU, 1, 2, 3)
		k := r.q.Fill(id, &r.b, r.now)
		if k == 0 {
			r.t.Fatalf("Next named path %d, and Fill had nothing for it", id)
		}
		got := r.parse(r.b.Finish(), id, i, true)
		if len(got) != k {
			r.t.Fatalf("Fill said %d chunks, the packet has %d", k, len(got))
		}
		if r.b.Len() > p.PMTU && !(r.b.Oversize() && k == 1) {
			r.t.Fatalf("packet of %d bytes at PMTU %d", r.b.Len(), p.PMTU)
		}
		for j := range got {
			got[j].over = r.b.Oversize()
		}
		out = append(out, got...)
		r.check()
	}
	return out
}

func (r *rig) parse(p []byte, id tcb.PathID, n int, crc bool) []sent {
	r.t.Helper()
	if crc && !chunk.VerifyChecksum(p) {
		r.t.Fatal("bad CRC32c")
	}
	var out []sent
	w := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		d, e := chunk.ParseData(c)
		if e != chunk.ErrNone {
			r.t.Fatalf("not DATA: %v", e)
		}
		if len(out) > 0 && !out[len(out)-1].TSN.Less(d.TSN) {
			r.t.Fatal("TSNs of a packet are not in order") // R-6.10-04
		}
		d.Payload = bytes.Clone(d.Payload)
		out = append(out, sent{Data: d, path: id, packet: n})
	}
	if w.Err() != chunk.ErrNone {
		r.t.Fatalf("packet malformed: %v", w.Err())
	}
	return out
}

// list writes chunks as "TSN/path" with TSNs counted from firstTSN, packets
// apart by "|".
func list(s []sent) string {
	var b strings.Builder
	for i, c := range s {
		if i > 0 {
			if s[i-1].packet != c.packet {
				b.WriteString(" |")
			}
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d", c.TSN.Diff(firstTSN))
		if c.path != 0 {
			fmt.Fprintf(&b, "/%d", c.path)
		}
	}
	return b.String()
}

func (r *rig) wantSent(got []sent, want string) {
	r.t.Helper()
	if list(got) != want {
		r.t.Errorf("sent %q, want %q", list(got), want)
	}
}

// makeSack builds a SACK view by way of the wire.
func makeSack(cum chunk.TSN, rwnd uint32, gaps ...chunk.GapBlock) chunk.Sack {
	b := chunk.AppendSack(nil, cum, rwnd, gaps, nil)
	s, e := chunk.ParseSack(chunk.Chunk(b[:binary.BigEndian.Uint16(b[2:])]))
	if e != chunk.ErrNone {
		panic(e)
	}
	return s
}

// gap is a block of TSNs counted from firstTSN; the rig makes it relative.
type gap struct{ from, to int }

// sack hands the queue a SACK whose TSNs count from firstTSN; -1 acknowledges
// nothing.
func (r *rig) sack(cum int, rwnd uint32, gaps ...gap) pipes.Outcome {
	r.t.Helper()
	var g []chunk.GapBlock
	for _, x := range gaps {
		g = append(g, chunk.GapBlock{Start: uint16(x.from - cum), End: uint16(x.to - cum)})
	}
	out := r.q.Sack(makeSack(chunk.TSN(firstTSN).Add(uint32(cum)), rwnd, g...), r.now)
	r.check()
	return out
}

func (r *rig) wait(d mono.Duration) { r.now = r.now.Add(d) }

// expire advances to T3-rtx of path i and lets it expire.
func (r *rig) expire(i int) {
	r.t.Helper()
	p := r.path(i)
	if p.T3.IsZero() {
		r.t.Fatalf("T3-rtx of path %d does not run", i)
	}
	r.now = max(r.now, p.T3)
	r.q.T3Expired(tcb.PathID(i), r.now)
	r.check()
}

// check holds the queue's state against itself.
func (r *rig) check() {
	r.t.Helper()
	if err := r.q.verify(); err != "" {
		r.t.Fatal(err)
	}
}

// verify recomputes every sum and index of q from the records.
func (q *Queue) verify() string {
	type sums struct {
		n, flight, same, alt int
		first                chunk.TSN
	}
	at := make([]sums, len(q.at))
	outstanding, nRtx, nAcked, buffered := 0, 0, 0, 0
	bit := func(m []uint64, t chunk.TSN) bool {
		i := uint32(t) & q.mask
		return m[i>>6]>>(i&63)&1 != 0
	}
	var last *message
	for t := q.cum + 1; t != q.next; t++ {
		r := q.rec(t)
		a := &at[r.path]
		buffered += int(r.n)
		if r.flags&chunk.FlagE != 0 {
			buffered += MessageOverhead
		}
		if r.msg == nil || r.msg.Buf == nil || int(r.off)+int(r.n) > len(r.msg.Buf.B) || r.n == 0 {
			return fmt.Sprintf("TSN %d: no payload", t)
		}
		if last != nil && r.msg != last && r.flags&chunk.FlagB == 0 {
			return fmt.Sprintf("TSN %d: a message begins without B", t)
		}
		last = r.msg
		switch r.state {
		case inFlight:
			if a.n == 0 {
				a.first = t
			}
			a.n++
			a.flight += r.size()
			outstanding += int(r.n)
		case rtxSame:
			a.same++
			nRtx++
		case rtxAlt:
			a.alt++
			nRtx++
		case gapAcked:
			nAcked++
			if q.highGap.Less(t) {
				return fmt.Sprintf("TSN %d is gap acked above highGap %d", t, q.highGap)
			}
		default:
			return fmt.Sprintf("TSN %d: state %d", t, r.state)
		}
		if bit(q.acked, t) != (r.state == gapAcked) || bit(q.rtx, t) != (r.state == rtxSame || r.state == rtxAlt) ||
			bit(q.elig, t) != (r.state == inFlight && r.past&fastDone == 0) {
			return fmt.Sprintf("TSN %d: bitmaps disagree with state %d", t, r.state)
		}
	}
	ones := 0
	for i := range q.gaps {
		if q.gaps[i] != 0 {
			return "scratch is not clear"
		}
		for w := q.acked[i] | q.rtx[i] | q.elig[i]; w != 0; w &= w - 1 {
			ones++
		}
	}
	live := nRtx + nAcked
	for t := q.cum + 1; t != q.next; t++ {
		if bit(q.elig, t) {
			live++
		}
	}
	if ones != live {
		return fmt.Sprintf("%d bits set for %d records", ones, live)
	}
	queued, msgs, noDelays := 0, 0, 0
	for m := q.oldest; m != nil; m = m.newer {
		queued += len(m.Buf.B) - m.off
		buffered += len(m.Buf.B) - m.off + MessageOverhead
		msgs++
		if m.NoDelay {
			noDelays++
		}
		if m.off > 0 && m != q.current {
			return "a message sent in part is not the current one"
		}
	}
	inStreams := 0
	for i := range q.streams {
		for m := q.streams[i].head; m != nil; m = m.next {
			inStreams++
			if int(m.Stream) != i {
				return "message in the wrong stream"
			}
		}
	}
	switch {
	case outstanding != q.outstanding:
		return fmt.Sprintf("outstanding %d, records say %d", q.outstanding, outstanding)
	case nRtx != q.nRtx || nAcked != q.nAcked:
		return fmt.Sprintf("nRtx %d nAcked %d, records say %d %d", q.nRtx, q.nAcked, nRtx, nAcked)
	case buffered != q.buffered:
		return fmt.Sprintf("buffered %d, messages say %d", q.buffered, buffered)
	case queued != q.queued || msgs != q.nQueued || inStreams != msgs || noDelays != q.nNoDelay:
		return fmt.Sprintf("queued %d in %d messages, lists say %d in %d, streams %d", q.queued, q.nQueued, queued, msgs, inStreams)
	}
	for i := range q.at {
		a, s, p := &q.at[i], &at[i], &q.paths.P[i]
		if a.n != s.n || p.Flight != s.flight || a.nSame != s.same || a.nAlt != s.alt {
			return fmt.Sprintf("path %d: n %d flight %d same %d alt %d, records say %+v", i, a.n, p.Flight, a.nSame, a.nAlt, *s)
		}
		if a.n > 0 && (a.stale || a.first != s.first) {
			return fmt.Sprintf("path %d: first %d (stale %v), records say %d", i, a.first, a.stale, s.first)
		}
		waiting := q.probe.waiting && !q.probe.due && int(q.probe.path) == i
		if a.n > 0 && p.T3.IsZero() || a.n == 0 && !p.T3.IsZero() && !waiting {
			return fmt.Sprintf("path %d: T3-rtx at %d with %d chunks in flight", i, p.T3, a.n)
		}
		if p.Cwnd <= 0 || p.RTO <= 0 {
			return fmt.Sprintf("path %d: cwnd %d RTO %v", i, p.Cwnd, p.RTO)
		}
	}
	return ""
}
