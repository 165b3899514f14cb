package ulpqueue

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sent is a message of the peer.
type sent struct {
	id        int
	stream    chunk.StreamID
	ssn       chunk.SSN
	unordered bool
	text      []byte
	first     chunk.TSN
	chunks    []chunk.Data
}

// peer makes messages and their chunks.
type peer struct {
	rng  *rand.Rand
	tsn  chunk.TSN
	ssn  map[chunk.StreamID]chunk.SSN
	n    int
	most int // fragments of a message
	size int // largest fragment
}

func (p *peer) message() *sent {
	m := &sent{
		id: p.n, stream: chunk.StreamID(p.rng.IntN(4)), first: p.tsn,
		unordered: p.rng.IntN(4) == 0,
	}
	p.n++
	if !m.unordered {
		m.ssn = p.ssn[m.stream]
		p.ssn[m.stream]++
	}
	n := 1
	if p.rng.IntN(2) == 0 {
		n += p.rng.IntN(p.most)
	}
	for i := range n {
		part := fmt.Appendf(nil, "%d.%d;", m.id, i)
		for len(part) < p.size && p.rng.IntN(8) != 0 {
			part = append(part, bytes.Repeat([]byte{'.'}, 1+p.rng.IntN(p.size-len(part)))...)
		}
		d := chunk.Data{TSN: p.tsn, Stream: m.stream, SSN: m.ssn, PPID: chunk.PPID(m.id), Payload: part}
		if m.unordered {
			d.Flags |= chunk.FlagU
			d.SSN = chunk.SSN(p.rng.Uint32())
		}
		if i == 0 {
			d.Flags |= chunk.FlagB
		}
		if i == n-1 {
			d.Flags |= chunk.FlagE
		}
		p.tsn++
		m.chunks = append(m.chunks, d)
		m.text = append(m.text, part...)
	}
	return m
}

// oracle delivers like RFC 9260 section 6.6 says, with maps and patience.
type oracle struct {
	byTSN   map[chunk.TSN]*sent
	missing map[*sent]map[chunk.TSN]bool
	next    map[chunk.StreamID]chunk.SSN
	whole   map[chunk.StreamID]map[chunk.SSN]*sent
}

func (o *oracle) expect(m *sent) {
	o.missing[m] = map[chunk.TSN]bool{}
	for _, d := range m.chunks {
		o.byTSN[d.TSN] = m
		o.missing[m][d.TSN] = true
	}
}

// arrive returns the messages that chunk t sets free.
func (o *oracle) arrive(t chunk.TSN) (out []*sent) {
	m := o.byTSN[t]
	delete(o.missing[m], t)
	if len(o.missing[m]) > 0 {
		return nil
	}
	if m.unordered {
		return []*sent{m}
	}
	if o.whole[m.stream] == nil {
		o.whole[m.stream] = map[chunk.SSN]*sent{}
	}
	o.whole[m.stream][m.ssn] = m
	for {
		w := o.whole[m.stream][o.next[m.stream]]
		if w == nil {
			return out
		}
		delete(o.whole[m.stream], w.ssn)
		o.next[m.stream]++
		out = append(out, w)
	}
}

// The Queue against the oracle, step by step: arrivals in random order with
// losses and duplicates, over the wraps of TSN and SSN.
func TestModel(t *testing.T) {
	steps := 0
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 5))
		r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 1 << 26 })
		p := &peer{rng: rng, tsn: -chunk.TSN(rng.Uint32N(3000)), ssn: map[chunk.StreamID]chunk.SSN{}, most: 6, size: 40}
		o := &oracle{
			byTSN: map[chunk.TSN]*sent{}, missing: map[*sent]map[chunk.TSN]bool{},
			next: map[chunk.StreamID]chunk.SSN{}, whole: map[chunk.StreamID]map[chunk.SSN]*sent{},
		}
		r.q.streams.pages = append(r.q.streams.pages, new([pageSize]chunk.SSN))
		for s := range chunk.StreamID(4) {
			first := -chunk.SSN(rng.Uint32N(100))
			p.ssn[s], o.next[s], r.q.streams.pages[0][s] = first, first, first
		}
		var in inqueue.Queue
		in.Init(&r.cfg, p.tsn)
		var way []chunk.Data // under way
		window := 1 << (1 + seed%9)
		for range 1200 {
			steps++
			for len(way) < window {
				m := p.message()
				o.expect(m)
				way = append(way, m.chunks...)
			}
			// The next one, or one further behind, or the same twice.
			k := 0
			if rng.IntN(3) > 0 {
				k = rng.IntN(min(len(way), window))
			}
			d := way[k]
			if rng.IntN(10) > 0 {
				way = append(way[:k], way[k+1:]...)
			}
			if v := in.Classify(d.TSN); v == inqueue.Duplicate {
				continue
			} else if v != inqueue.New {
				t.Fatalf("seed %d: TSN %d is too far", seed, d.TSN)
			}
			want := o.arrive(d.TSN)
			res := r.q.Insert(d)
			in.Accept(d.TSN)
			r.check()
			if v := r.q.CumTSNAdvanced(in.CumTSN()); v != 0 || res&^Delivered != Accepted || (res&Delivered != 0) != (len(want) > 0) {
				t.Fatalf("seed %d, TSN %d: result %04b, %04b; %d messages expected", seed, d.TSN, res, v, len(want))
			}
			r.q.Detach(&r.list, 1<<30)
			for _, w := range want {
				m := r.list.Pop()
				if m == nil {
					t.Fatalf("seed %d, TSN %d: message %d is not delivered", seed, d.TSN, w.id)
				}
				compare(t, m, w)
				r.q.Consumed(m.Len)
				FreeMessage(r.pool, r.nodes, m)
			}
			if !r.list.Empty() {
				t.Fatalf("seed %d, TSN %d: too much is delivered", seed, d.TSN)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		r.q.Purge()
		r.empty()
	}
	if steps < 10000 {
		t.Fatalf("%d steps", steps)
	}
}

func compare(t *testing.T, m *Message, w *sent) {
	t.Helper()
	if got := payload(t, m); !bytes.Equal(got, w.text) || !m.EOR || m.Stream != w.stream || m.TSN != w.first ||
		m.PPID != chunk.PPID(w.id) || m.Unordered != w.unordered || !w.unordered && m.SSN != w.ssn {
		t.Fatalf("delivered %+v %q\nwant %+v", m, got, w)
	}
}

// A peer that keeps to the window, over a path that loses and reorders, to a
// receiver with a small buffer that delivers in pieces and takes back what it
// must, for a reader with moods: every message arrives once, whole and in
// order, whatever its size, and nothing gets stuck.
func TestConversation(t *testing.T) {
	reneged, pieces, dropped := 0, 0, 0
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		cfg := tcb.DefaultConfig()
		cfg.RecvBuffer = 4096 << rng.IntN(4)
		cfg.PartialPoint = []int{0, 0, 1, 3000}[rng.IntN(4)]
		pool, nodes := new(seg.Pool), seg.NewFree[Message](100)
		r := &rig{TB: t, cfg: cfg, pool: pool, nodes: nodes}
		r.q.Init(&r.cfg, pool, nodes, 4)
		if seed%2 == 0 {
			c := NewCache(pool, nodes)
			r.q.UseCache(c)
			defer c.Flush()
		}
		p := &peer{rng: rng, tsn: -chunk.TSN(rng.Uint32N(300)), ssn: map[chunk.StreamID]chunk.SSN{}, most: 40, size: 700}
		var in inqueue.Queue
		in.Init(&r.cfg, p.tsn)

		const messages = 150
		sentMsgs := map[int]*sent{}
		var queue []chunk.Data // not acknowledged
		for range messages {
			m := p.message()
			sentMsgs[m.id] = m
			queue = append(queue, m.chunks...)
		}
		acked := map[chunk.TSN]bool{} // gap acked
		rwnd := int(r.q.Window())
		var partial []byte
		var partialID = -1
		next := map[chunk.StreamID]chunk.SSN{}
		take := func() {
			r.q.Detach(&r.list, rng.IntN(6000))
			for m := r.list.Pop(); m != nil; m = r.list.Pop() {
				id := int(m.PPID)
				w := sentMsgs[id]
				if w == nil {
					t.Fatalf("seed %d: message %d came twice", seed, id)
				}
				if partialID >= 0 && partialID != id {
					t.Fatalf("seed %d: message %d between pieces of %d", seed, id, partialID)
				}
				if !m.EOR {
					pieces++
				}
				partialID = id
				partial = append(partial, payload(t, m)...)
				if m.EOR {
					if !bytes.Equal(partial, w.text) {
						t.Fatalf("seed %d: message %d is %q, want %q", seed, id, partial, w.text)
					}
					if !w.unordered && next[w.stream] != w.ssn {
						t.Fatalf("seed %d: message %d has SSN %d, not %d", seed, id, w.ssn, next[w.stream])
					}
					if !w.unordered {
						next[w.stream]++
					}
					delete(sentMsgs, id)
					partial, partialID = partial[:0], -1
				}
				if r.q.Consumed(m.Len) {
					rwnd = int(r.q.Window())
				}
				FreeMessage(pool, nodes, m)
			}
		}
		for round := 0; len(sentMsgs) > 0; round++ {
			if round > 20000 {
				t.Fatalf("seed %d: stuck with %d messages, %d chunks to go; window %d, held %d, ready %t, pending %d",
					seed, len(sentMsgs), len(queue), r.q.CurrentWindow(), r.q.Held(), r.q.Ready(), r.q.byTSN.n)
			}
			// Send: the first one always may go, the others within the
			// window. Some are lost, some change places.
			var burst []chunk.Data
			out := 0
			for i, d := range queue {
				if i > 60 || i > 0 && out+len(d.Payload) > rwnd {
					break
				}
				out += len(d.Payload)
				if !acked[d.TSN] && rng.IntN(5) > 0 {
					burst = append(burst, d)
				}
			}
			if rng.IntN(3) == 0 {
				rng.Shuffle(len(burst), func(i, j int) { burst[i], burst[j] = burst[j], burst[i] })
			}
			for _, d := range burst {
				switch in.Classify(d.TSN) {
				case inqueue.Duplicate:
					in.Duplicate(d.TSN)
					continue
				case inqueue.TooFar:
					continue
				}
				n := len(d.Payload)
				if !r.q.Room(n) {
					if !d.TSN.Less(in.Highest()) || !r.q.RenegeFor(n, d.TSN, func(t chunk.TSN) {
						in.Renege(t)
						reneged++
					}) {
						dropped++
						continue
					}
				}
				res := r.q.Insert(d)
				if res&Violation != 0 {
					t.Fatalf("seed %d: TSN %d is a violation", seed, d.TSN)
				}
				if res&Accepted != 0 {
					in.Accept(d.TSN)
				}
				r.check()
			}
			if v := r.q.CumTSNAdvanced(in.CumTSN()); v&Violation != 0 {
				t.Fatalf("seed %d: violation at cumulative TSN %d", seed, in.CumTSN())
			}
			if rng.IntN(3) > 0 {
				take()
			}
			// The SACK.
			b := in.AppendSack(nil, 1400, r.q.Window())
			c, _ := chunk.ParseChunk(b)
			s, _ := chunk.ParseSack(c)
			clear(acked)
			for i := range s.NumGaps() {
				for lo, hi := s.Gap(i); lo <= hi; lo++ {
					acked[s.CumTSN+chunk.TSN(lo)] = true
				}
			}
			for len(queue) > 0 && queue[0].TSN.LessEq(s.CumTSN) {
				queue = queue[1:]
			}
			rwnd = int(s.ARwnd)
		}
		if r.q.Held() != 0 || r.q.Ready() || r.q.Pending() {
			t.Fatalf("seed %d: %d bytes held at the end", seed, r.q.Held())
		}
		if r.q.cache != nil {
			r.q.cache.Flush()
		}
		if n := pool.InUse(); n != 0 {
			t.Fatalf("seed %d: %d buffers lost", seed, n)
		}
	}
	t.Logf("%d TSNs reneged, %d pieces, %d chunks dropped", reneged, pieces, dropped)
	if reneged == 0 || pieces == 0 || dropped == 0 {
		t.Error("the test did not get where it should")
	}
}

// FuzzReassembly feeds whatever chunks and checks what comes out: a message is
// a run of consecutive TSNs from a B to an E with nothing between, and the SSNs
// of a stream follow each other.
func FuzzReassembly(f *testing.F) {
	f.Add(uint8(0), []byte{0, 3, 0, 1, 3, 1, 2, 3, 2})
	f.Add(uint8(1), []byte{2, 0, 0, 0, 2, 0, 1, 0, 0, 3, 1, 0})
	f.Add(uint8(7), []byte{9, 0x83, 0, 8, 0x81, 0, 7, 0x82, 0, 5, 3, 1, 4, 3, 0, 0xF0, 1, 1})
	f.Add(uint8(5), bytes.Repeat([]byte{1, 0x42, 1, 1, 0x60, 1}, 60))
	f.Fuzz(func(t *testing.T, setup uint8, ops []byte) {
		cfg := tcb.DefaultConfig()
		cfg.RecvBuffer = 4096
		cfg.PartialPoint = int(setup & 3 * 20)
		r := &rig{TB: t, cfg: cfg, pool: new(seg.Pool), nodes: seg.NewFree[Message](100)}
		r.q.Init(&r.cfg, r.pool, r.nodes, 3)
		var in inqueue.Queue
		initial := chunk.TSN(0) - chunk.TSN(setup>>4)
		in.Init(&r.cfg, initial)
		got := map[chunk.TSN]chunk.Data{} // what was accepted
		next := map[chunk.StreamID]chunk.SSN{}
		var open chunk.TSN // of the message in partial delivery: its next TSN
		opened := false
		read := func() {
			r.q.Detach(&r.list, 1<<20)
			for m := r.list.Pop(); m != nil; m = r.list.Pop() {
				if m.Kind == KindNotification {
					t.Fatal("a notification from nowhere")
				}
				tsn := m.TSN
				if opened && tsn != open {
					t.Fatalf("TSN %d instead of the next piece, %d", tsn, open)
				}
				text := payload(t, m)
				for n := 0; n < len(text); tsn++ {
					d, ok := got[tsn]
					if !ok || !bytes.HasPrefix(text[n:], d.Payload) {
						t.Fatalf("TSN %d is delivered but was not accepted so", tsn)
					}
					delete(got, tsn)
					n += len(d.Payload)
					begins, ends := !opened && tsn == m.TSN, m.EOR && n == len(text)
					if d.Begins() != begins || d.Ends() != ends || d.Stream != m.Stream || d.Unordered() != m.Unordered {
						t.Fatalf("TSN %d does not belong where it was delivered", tsn)
					}
				}
				opened, open = !m.EOR, tsn
				if m.EOR && !m.Unordered {
					if m.SSN != next[m.Stream] {
						t.Fatalf("SSN %d of stream %d, want %d", m.SSN, m.Stream, next[m.Stream])
					}
					next[m.Stream]++
				}
				r.q.Consumed(m.Len)
				FreeMessage(r.pool, r.nodes, m)
			}
		}
		dead := false
		for i := 0; i+2 < len(ops) && !dead && i < 900; i += 3 {
			a, b, c := ops[i], ops[i+1], ops[i+2]
			if a == 255 {
				read()
				r.check()
				continue
			}
			d := chunk.Data{TSN: in.CumTSN() + chunk.TSN(a&31), Flags: b & 7, Stream: chunk.StreamID(b >> 3 & 3), SSN: next[chunk.StreamID(b>>3&3)] + chunk.SSN(c&3)}
			n := 1 + int(b>>5)*int(c)
			d.Payload = bytes.Repeat([]byte{a, b, c}, n)[:n]
			if in.Classify(d.TSN) != inqueue.New {
				continue
			}
			if !r.q.Room(n) && (!d.TSN.Less(in.Highest()) || !r.q.RenegeFor(n, d.TSN, func(t chunk.TSN) {
				in.Renege(t)
				delete(got, t)
			})) {
				r.check()
				continue
			}
			res := r.q.Insert(d)
			if res&Accepted != 0 {
				in.Accept(d.TSN)
				got[d.TSN] = d
			}
			// A violation ends the association; go on all the same, the
			// Queue must stay sound until it is purged.
			if res&Violation == 0 {
				r.check()
			} else {
				dead = true
			}
			r.q.CumTSNAdvanced(in.CumTSN())
		}
		read()
		r.q.Abort()
		r.q.Purge()
		r.empty()
	})
}

// Steady states that allocate nothing.
func TestNoAllocs(t *testing.T) {
	for _, c := range []struct {
		name        string
		size, frags int
		late        bool
	}{
		{"100 B", 100, 1, false},
		{"64 KiB", 1400, 47, false},
		{"100 B, reordered", 100, 1, true},
		{"64 KiB, reordered", 1400, 47, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReceiver(t, 1)
			body := make([]byte, c.size)
			tsn, ssn := chunk.TSN(1), chunk.SSN(0)
			p := make([]byte, 0, 2048)
			one := func(tsn chunk.TSN, ssn chunk.SSN, i int) {
				d := chunk.Data{TSN: tsn, SSN: ssn, Payload: body}
				if i == 0 {
					d.Flags |= chunk.FlagB
				}
				if i == c.frags-1 {
					d.Flags |= chunk.FlagE
				}
				p = chunk.AppendData(append(p[:0], make([]byte, 12)...), d)
				r.packet(1, p)
			}
			n := 0
			round := func() {
				for m := range 6 {
					for i := range c.frags {
						if !c.late || m != 0 || i != c.frags/2 {
							one(tsn+chunk.TSN(m*c.frags+i), ssn+chunk.SSN(m), i)
						}
					}
				}
				if c.late {
					one(tsn+chunk.TSN(c.frags/2), ssn, c.frags/2)
				}
				tsn += chunk.TSN(6 * c.frags)
				ssn += 6
				n += r.drain()
			}
			round()
			if a := testing.AllocsPerRun(200, round); a != 0 {
				t.Errorf("%v allocations", a)
			}
			if n != 6*202 || r.q.Held() != 0 || r.pool.InUse() != 0 {
				t.Errorf("%d messages, %d held, %d buffers out", n, r.q.Held(), r.pool.InUse())
			}
		})
	}
}

// However an attacker spends TSNs and SSNs, no more than RecvBuffer is held.
func TestAttackerIsBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(i uint32) chunk.Data
	}{
		{"a fragment per second TSN", func(i uint32) chunk.Data {
			return sized(chunk.TSN(2*i+1), 0, 0, "", 1)
		}},
		{"a fragment per second TSN, downwards", func(i uint32) chunk.Data {
			return sized(chunk.TSN(60001-2*i), 0, 0, "", 1)
		}},
		{"messages that wait, of each stream one", func(i uint32) chunk.Data {
			return sized(chunk.TSN(i+1), chunk.StreamID(i), 1, "BE", 1)
		}},
		{"messages that wait, SSNs downwards", func(i uint32) chunk.Data {
			return sized(chunk.TSN(i+1), 0, chunk.SSN(30000-i), "BE", 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.q.Init(&r.cfg, r.pool, r.nodes, 65535)
			n := 0
			for i := range uint32(30000) {
				if r.q.Insert(c.make(i))&Accepted != 0 {
					n++
				}
			}
			r.check()
			if r.q.Held() > r.cfg.RecvBuffer || n > r.cfg.RecvBuffer/256 {
				t.Errorf("%d chunks, %d bytes held", n, r.q.Held())
			}
			r.q.Purge()
			r.empty()
		})
	}
}
