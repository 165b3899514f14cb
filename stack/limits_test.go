package stack_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Limits of a stack, and peers that push at them. docs/LIMITS.md names the
// tests. What is measured is bytes and counts, never time.

// peers connects n peers, from ports of their own.
func (r *rig) peers(n int) []*peer {
	r.Helper()
	var ps []*peer
	for i := range n {
		p := r.peer()
		p.port, p.tag = uint16(10000+i), chunk.VTag(0x1000000+i)
		ps = append(ps, p.connect())
	}
	return ps
}

// piece is a DATA chunk at tsn: flags, SSN and payload as given.
func piece(tsn chunk.TSN, flags uint8, ssn chunk.SSN, payload []byte) []byte {
	return chunk.AppendData(nil, chunk.Data{TSN: tsn, SSN: ssn, Flags: flags, Payload: payload})
}

var kilo = bytes.Repeat([]byte{'k'}, 1400)

const whole = chunk.FlagB | chunk.FlagE

// push sends as much data that can never be delivered, behind a gap, as the
// stack takes.
func (p *peer) push(chunks int) {
	for i := range chunks {
		p.send(piece(p.tsn+1+chunk.TSN(i), whole, 1+chunk.SSN(i), kilo))
	}
	p.take()
}

// TestRecvMemoryIsShared: peers that fill the memory of all with data that
// nobody can read do not take it from one that behaves. What they hold goes,
// from the highest TSN and from those who hold most, and the total is kept.
func TestRecvMemoryIsShared(t *testing.T) {
	const limit = 2 << 20
	r := newRig(t, withOptions(func(o *stack.Options) { o.RecvMemory = limit }))
	good := r.peers(2)
	shy, p := good[0], good[1]
	shy.send(piece(shy.tsn+1, whole, 1, []byte("behind a small gap")))

	var bad []*peer
	for i := range 12 {
		q := r.peer()
		q.port, q.tag = uint16(20000+i), chunk.VTag(0x2000000+i)
		bad = append(bad, q.connect())
	}
	most := limit + 14*(8<<10)
	for range 3 {
		for _, q := range bad {
			q.push(400)
			if st := r.s.Stats(); st.RecvMemory > most {
				t.Fatalf("%d bytes held, the limit is %d", st.RecvMemory, limit)
			}
		}
	}
	if st := r.s.Stats(); st.RecvMemory < limit/4 {
		t.Fatalf("only %d bytes held: nothing was put to the test", st.RecvMemory)
	}

	// The good ones: all that is sent in order arrives at once, in a window
	// that stays open.
	r.take()
	window := uint32(0)
	for i := range 400 {
		p.send(piece(p.tsn, whole, chunk.SSN(i), kilo))
		p.tsn++
		if got := p.received(); len(got) != 1 {
			t.Fatalf("message %d: received %d", i, len(got))
		}
		if c, _ := first(p.take(), chunk.TypeSack); c != nil {
			s, _ := chunk.ParseSack(c)
			window = s.ARwnd
		}
		if i > 0 && window < 32<<10 {
			t.Fatalf("window %d behind message %d, %d held", window, i, r.s.Stats().RecvMemory)
		}
		if i%50 == 0 {
			bad[i/50%len(bad)].push(100)
		}
	}
	// Who held little was not touched: what fills the gap brings both.
	shy.send(piece(shy.tsn, whole, 0, []byte("gap")))
	if got := shy.received(); len(got) != 2 {
		t.Errorf("%q: what little the other held was taken from it", got)
	}
	// The bad ones still can do right: their data is taken once it is in order.
	for _, q := range bad {
		got := 0
		for n := range 410 {
			q.send(piece(q.tsn+chunk.TSN(n), whole, chunk.SSN(n), kilo))
			got += len(q.received())
		}
		if got != 410 {
			t.Errorf("%d messages of 410 received", got)
		}
	}
	for _, q := range append(bad, good...) {
		q.received()
		q.send(chunk.AppendAbort(nil, false, nil))
		q.received()
		q.a.Discard()
	}
	if st := r.s.Stats(); st.RecvMemory != 0 || st.Buffers != 0 {
		t.Errorf("%d bytes and %d buffers are still held", st.RecvMemory, st.Buffers)
	}
}

// TestRecvMemoryUnread: readers who do not read close the windows of all, and
// open them again; nobody is cut off (R-6.2-23).
func TestRecvMemoryUnread(t *testing.T) {
	r := newRig(t, withOptions(func(o *stack.Options) { o.RecvMemory = 1 << 20 }))
	ps := r.peers(6)
	window := func(p *peer) (w int) {
		t.Helper()
		p.send(piece(p.tsn, 7, 0, kilo), piece(p.tsn, 7, 0, kilo)) // a duplicate is acknowledged at once
		p.tsn++
		for _, s := range p.take() {
			h, _ := chunk.ParseHeader(s.data)
			if c, _ := first([]sent{s}, chunk.TypeSack); c != nil && h.DstPort == p.port {
				s, _ := chunk.ParseSack(c)
				w = int(s.ARwnd)
			}
		}
		return w
	}
	before := window(ps[5])
	ps[5].received()
	for _, p := range ps[:5] {
		for range 300 {
			p.send(piece(p.tsn, whole|chunk.FlagU, 0, kilo))
			p.tsn++
		}
	}
	r.wait(mono.Second)
	r.take()
	if w := window(ps[5]); w > before/8 || w < 1500 {
		t.Errorf("window %d with the memory full, %d before", w, before)
	}
	ps[5].received()
	for _, p := range ps[:5] {
		p.received()
	}
	if w := window(ps[5]); w < before-1000 {
		t.Errorf("window %d when all was read, %d before", w, before)
	}
}

// TestUnlimitedRecvMemory: without a limit nothing is counted.
func TestUnlimitedRecvMemory(t *testing.T) {
	r := newRig(t, withOptions(func(o *stack.Options) { o.RecvMemory = -1 }))
	p := r.peer().connect()
	p.push(300)
	if st := r.s.Stats(); st.RecvMemory != 0 {
		t.Errorf("%d bytes counted", st.RecvMemory)
	}
}

// TestMaxAssociations: further peers are refused with Out of Resource, and let
// in when others have gone; the stack's own associations do not count.
func TestMaxAssociations(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  rigOption
	}{
		{"of the stack", withOptions(func(o *stack.Options) { o.MaxAssociations = 3 })},
		{"of the endpoint", withConfig(func(c *tcb.Config) { c.MaxAssociations = 3 })},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.opt)
			ps := r.peers(3)
			d := r.peer()
			d.port = 7000
			d.dialUp()
			late := r.peer()
			late.port = 7001
			late.sendTag(0, late.init())
			r.expect("ABORT(4)")
			ps[1].send(chunk.AppendAbort(nil, false, nil))
			late.connect()
			late.send(chunk.AppendAbort(nil, false, nil))

			// A cookie that was handed out before the limit was reached.
			early := r.peer()
			early.port = 7002
			early.sendTag(0, early.init())
			early.takeInitAck()
			late.connect()
			n := r.s.Stats().Associations
			early.send(early.echo())
			if r.take(); r.s.Stats().Associations != n {
				t.Error("a cookie got past the limit")
			}
		})
	}
}

// TestHalfOpen: a million INITs leave nothing behind; the cookie is all the
// state there is (R-5.1-06).
func TestHalfOpen(t *testing.T) {
	r := newRig(t)
	p := r.peer()
	flood := func(n int) {
		for i := range n {
			p.addr = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			p.port = uint16(1024 + i%60000)
			p.sendTag(0, p.init())
			r.wire.out = r.wire.out[:0]
		}
	}
	flood(1000)
	before := heap()
	flood(20000)
	if grown := int64(heap()) - int64(before); grown > 64<<10 {
		t.Errorf("%d bytes more after 20000 INITs", grown)
	}
	if st := r.s.Stats(); st.Associations != 0 || st.Buffers != 0 {
		t.Errorf("%d associations, %d buffers", st.Associations, st.Buffers)
	}
	p.addr = there
	p.connect()
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestStreamsCostNothing: peers that offer and ask for 65535 streams cost what
// others do (R-5.1.1-01).
func TestStreamsCostNothing(t *testing.T) {
	cost := func(streams uint16) uint64 {
		r := newRig(t, withConfig(func(c *tcb.Config) { c.OutStreams, c.MaxInStreams = 65535, 65535 }))
		r.ep.Listen(1000, nil)
		var keep []*peer
		before := heap()
		for i := range 200 {
			p := r.peer()
			p.port, p.tag = uint16(10000+i), chunk.VTag(0x1000000+i)
			p.sendTag(0, chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: p.tag, ARwnd: 65536, OS: streams, MIS: streams, TSN: p.tsn}))
			p.takeInitAck()
			p.send(p.echo())
			p.accept()
			p.send(p.dataOn(chunk.StreamID(streams-1), "on the last stream"))
			r.take()
			if len(p.received()) != 1 {
				t.Fatal("not received")
			}
			keep = append(keep, p)
		}
		after := heap()
		runtime.KeepAlive(keep)
		return (after - before) / 200
	}
	few, many := cost(1), cost(65535)
	if many > few+8<<10 {
		t.Errorf("%d bytes for an association with 65535 streams, %d with one", many, few)
	}
}

// TestGapMapIsBounded: the map of TSNs reaches as far as a SACK can say, 65535,
// and takes 8 KiB at most; runs of TSNs are told as far as they fit (R-6.7-07).
func TestGapMapIsBounded(t *testing.T) {
	r := newRig(t)
	p := r.peer().connect()
	one := []byte{'x'}
	for _, far := range []uint32{65536, 100000, 1 << 20, 1<<31 - 1, 1 << 31} {
		p.send(piece(p.tsn.Add(far), 3, 0, one))
		c, _ := first(r.take(), chunk.TypeSack)
		if s, _ := chunk.ParseSack(c); c == nil || s.NumGaps() != 0 {
			t.Errorf("TSN %d ahead was taken", far)
		}
	}
	before := heap()
	for i := uint32(1); i < 65535; i += 2 {
		p.send(piece(p.tsn.Add(i), whole|chunk.FlagU, 0, one))
		for _, s := range r.wire.out {
			if len(s.data) > 1480 {
				t.Fatalf("a SACK of %d bytes", len(s.data))
			}
		}
		r.wire.out = r.wire.out[:0]
	}
	held := p.a.Status().Held
	if held > r.cfg.RecvBuffer {
		t.Errorf("%d bytes held", held)
	}
	if grown := int64(heap()) - int64(before); grown > 2*int64(r.cfg.RecvBuffer) {
		t.Errorf("the heap grew by %d", grown)
	}
}

// TestHeartbeatAnswers: one answer to a packet, of the size of the question,
// to where it came from (R-12.4-02).
func TestHeartbeatAnswers(t *testing.T) {
	p := newRig(t).peer().connect()
	in, out := 0, 0
	for _, size := range []int{4, 100, 1400} {
		hb := chunk.AppendHeartbeat(nil, make([]byte, size))
		for range 50 {
			pkt := p.packet(p.theirs, hb, hb, hb)
			in += len(pkt)
			p.deliver(p.addr, p.to, pkt)
			l := p.take()
			if len(l) != 1 || l[0].dst != p.addr {
				t.Fatalf("%d answers", len(l))
			}
			out += len(l[0].data)
		}
	}
	if out > in {
		t.Errorf("%d bytes sent for %d received", out, in)
	}
}

// TestDuplicatesListIsBounded: a SACK names 16 duplicates at most, and is one
// per packet (R-6.2-11, R-6.2-22).
func TestDuplicatesListIsBounded(t *testing.T) {
	p := newRig(t).peer().connect()
	p.send(p.data("x"))
	p.take()
	var many [][]byte
	for range 200 {
		many = append(many, piece(p.tsn-1, 3, 0, []byte{'x'}))
	}
	p.send(many...)
	l := p.take()
	c, _ := first(l, chunk.TypeSack)
	if s, e := chunk.ParseSack(c); len(l) != 1 || e != chunk.ErrNone || s.NumDups() != 16 {
		t.Errorf("%d packets; %d duplicates", len(l), s.NumDups())
	}
}

// TestControlChunksPerPacket: a packet full of small chunks is walked once, and
// what it makes the stack send fits one packet and is no larger (R-12.4-02).
func TestControlChunksPerPacket(t *testing.T) {
	kinds := map[string][]byte{
		"HEARTBEAT":           chunk.AppendHeartbeat(nil, nil),
		"HEARTBEAT ACK":       chunk.AppendHeartbeatAck(nil, chunk.Chunk(chunk.AppendHeartbeat(nil, nil))),
		"unknown, reported":   {0xff, 0, 0, 4},
		"unknown, skipped":    {0xbf, 0, 0, 4},
		"ERROR":               chunk.AppendError(nil, chunk.AppendInvalidStream(nil, 1)),
		"COOKIE ACK":          chunk.AppendCookieAck(nil),
		"SHUTDOWN COMPLETE":   chunk.AppendShutdownComplete(nil, false),
		"COOKIE ECHO, forged": chunk.AppendCookieEcho(nil, []byte("0123456789")),
		"SACK":                chunk.AppendSack(nil, 0, 65536, nil, nil),
		"DATA, no stream":     piece(100, 3, 0, []byte{1}),
	}
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			steps := counter{}
			r := newRig(t, withOptions(func(o *stack.Options) { o.Trace = &steps }))
			p := r.peer().connect()
			if name == "SACK" {
				c = sack(p.itsn-1, 65536)
			}
			if name == "DATA, no stream" {
				c = chunk.AppendData(nil, chunk.Data{TSN: p.tsn, Stream: 60000, Flags: 3, Payload: []byte{1}})
			}
			var many [][]byte
			for len(many)*len(c) < 60000 {
				many = append(many, c)
			}
			steps.n = 0
			pkt := p.packet(p.theirs, many...)
			p.deliver(p.addr, p.to, pkt)
			out := 0
			l := r.take()
			for _, s := range l {
				out += len(s.data)
			}
			if len(l) > 1 || out > len(pkt) {
				t.Errorf("%d packets, %d bytes for one of %d", len(l), out, len(pkt))
			}
			if steps.n > 2*len(many) {
				t.Errorf("%d steps for %d chunks", steps.n, len(many))
			}
		})
	}
}

// counter counts the steps of the machine.
type counter struct{ n int }

func (c *counter) Step(*sideeffects.Step) { c.n++ }

// TestNotesAreBounded: notifications that a peer can cause wait in bounded
// number, and its restarts cost no more than one.
func TestNotesAreBounded(t *testing.T) {
	r := newRig(t)
	p := r.peer().connect()
	e := chunk.AppendError(nil, chunk.AppendCause(nil, 77, make([]byte, 1000)))
	for range 600 {
		p.send(e)
	}
	for i := range 600 {
		p.tag = chunk.VTag(0x7000000 + i)
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo())
		p.take()
	}
	if b := r.s.Stats().Buffers; b > 256 {
		t.Errorf("%d buffers are held by notifications", b)
	}
	p.send(chunk.AppendAbort(nil, false, nil))
	p.received()
	last := p.notes[len(p.notes)-1]
	if len(p.notes) > 256+256+1 || fsm.Note(last.Kind) != fsm.NoteAssocChange || fsm.AssocChange(last.A) != fsm.CommLost {
		t.Errorf("%d notifications, the last is %v", len(p.notes), last)
	}
	if b := r.s.Stats().Buffers; b != 0 {
		t.Errorf("%d buffers left", b)
	}
}

// TestSendBufferIsKept: with a peer that acknowledges nothing the user is
// stopped at the send buffer (R-6.1-18).
func TestSendBufferIsKept(t *testing.T) {
	r := newRig(t, withConfig(func(c *tcb.Config) { c.SendBuffer = 64 << 10 }))
	p := r.peer().connect()
	n := 0
	for ; ; n++ {
		if err := p.write(string(kilo)); err != nil {
			if !errors.Is(err, stack.ErrWouldBlock) {
				t.Fatal(err)
			}
			break
		}
	}
	if n > 64<<10/1400 {
		t.Errorf("%d messages of 1400 bytes in a buffer of 64 KiB", n)
	}
	// Gap blocks free nothing: only the cumulative TSN does.
	p.send(chunk.AppendSack(nil, p.itsn-1, 65536, []chunk.GapBlock{{Start: 2, End: 2}}, nil))
	if err := p.write(string(kilo)); !errors.Is(err, stack.ErrWouldBlock) {
		t.Errorf("%v, want ErrWouldBlock", err)
	}
}

// TestUnacceptedIsDropped: associations that nobody accepted leave no buffers
// when their endpoint closes, whatever came with the COOKIE ECHO and since.
func TestUnacceptedIsDropped(t *testing.T) {
	r := newRig(t)
	p := r.peer()
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo(), p.data("with the cookie"))
	p.send(p.data("later"))
	p.send(piece(p.tsn+5, 3, 0, kilo))
	if r.s.Stats().Buffers == 0 {
		t.Fatal("nothing is held")
	}
	r.ep.Close()
	if st := r.s.Stats(); st.Buffers != 0 || st.RecvMemory != 0 || st.Associations != 0 {
		t.Errorf("%d buffers, %d bytes, %d associations left", st.Buffers, st.RecvMemory, st.Associations)
	}
}

// TestNoRenegingWithoutNeed: what a gap block has acknowledged stays as long as
// there is memory (R-6.2-30), and is delivered when the gap is filled.
func TestNoRenegingWithoutNeed(t *testing.T) {
	p := newRig(t).peer().connect()
	const n = 200
	for i := range n {
		p.send(piece(p.tsn+1+chunk.TSN(i), whole, 1+chunk.SSN(i), kilo))
		c, _ := first(p.take(), chunk.TypeSack)
		s, e := chunk.ParseSack(c)
		if e != chunk.ErrNone || s.NumGaps() != 1 || s.CumTSN != p.tsn-1 {
			t.Fatalf("chunk %d: %d gap blocks", i, s.NumGaps())
		}
		if from, to := s.Gap(0); from != 2 || int(to) != 2+i {
			t.Fatalf("chunk %d: block %d to %d", i, from, to)
		}
	}
	p.send(piece(p.tsn, whole, 0, kilo))
	if got := p.received(); len(got) != n+1 {
		t.Errorf("%d messages of %d", len(got), n+1)
	}
}

// TestBundledFragments: fragments of several messages and whole ones in one
// packet, and messages over many packets, are all put together (R-6-11, R-6-12).
func TestBundledFragments(t *testing.T) {
	p := newRig(t).peer().connect()
	at := p.tsn
	next := func(flags uint8, ssn chunk.SSN, s string) []byte {
		at++
		return piece(at-1, flags, ssn, []byte(s))
	}
	p.send(next(chunk.FlagB, 0, "one "), next(0, 0, "and "), next(chunk.FlagE, 0, "two"), next(whole, 1, "whole"), next(chunk.FlagB, 2, "more"))
	p.send(next(0, 2, " of"))
	p.send(next(chunk.FlagE, 2, " it"), next(whole|chunk.FlagU, 0, "loose"))
	got := p.received()
	want := []string{"one and two", "whole", "more of it", "loose"}
	if !slices.Equal(got, want) {
		t.Errorf("received %q", got)
	}
}

// TestClosedIsForgotten: an association that has ended leaves nothing, however
// it ended (R-14.2-01).
func TestClosedIsForgotten(t *testing.T) {
	for name, end := range map[string]func(*peer){
		"ABORT":   func(p *peer) { p.send(chunk.AppendAbort(nil, false, nil)) },
		"by user": func(p *peer) { p.a.Abort(nil) },
		"SHUTDOWN": func(p *peer) {
			p.send(chunk.AppendShutdown(nil, p.itsn-1))
			p.send(chunk.AppendShutdownComplete(nil, false))
		},
		"silence": func(p *peer) { p.write("x"); p.wait(1000 * mono.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := r.peer().connect()
			p.send(p.data("unread"), piece(p.tsn+3, chunk.FlagB, 0, kilo))
			end(p)
			p.ended()
			r.gone()
			if next := r.s.Step(r.clk.t); next != 0 {
				t.Error("a timer still runs")
			}
			p.received()
			p.a.Discard()
			if st := r.s.Stats(); st.Buffers != 0 || st.RecvMemory != 0 {
				t.Errorf("%d buffers, %d bytes", st.Buffers, st.RecvMemory)
			}
		})
	}
}

// TestCookieSecrets: the secret of cookies comes from the stack's entropy, 32
// bytes of it, and all shards have the same (R-14.1-01, R-5.1.3-04).
func TestCookieSecrets(t *testing.T) {
	src := &tally{src: rand.NewChaCha8([32]byte{9})}
	s, err := stack.New(stack.World{Clock: &hand{t: 1}, Entropy: src, Links: []transport.Link{&wire{clk: &hand{t: 1}, addrs: []netip.Addr{hereA}, mtu: 1500}}}, stack.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cfg := tcb.DefaultConfig()
	ep, err := s.Open(nil, 5000, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	ep.Listen(10, nil)
	p := (&rig{TB: t}).peer()
	for i := range 100 {
		p.port = uint16(6000 + i)
		s.Input(0, []transport.RxSlot{{Data: p.packet(0, p.init()), Src: there, Dst: hereA}}, 1)
	}
	if src.sizes[32] != 1 {
		t.Errorf("%d secrets of 32 bytes were drawn, want one for all shards: %v", src.sizes[32], src.sizes)
	}
}

// tally is entropy that notes what is asked of it.
type tally struct {
	src   *rand.ChaCha8
	sizes map[int]int
}

func (t *tally) Read(b []byte) (int, error) {
	if t.sizes == nil {
		t.sizes = map[int]int{}
	}
	t.sizes[len(b)]++
	return t.src.Read(b)
}

// TestLookupsAreBounded: INITs that invent addresses have a bounded number of
// them looked up in a second; then who lists some gets an association all the
// same, on the path that it came by.
func TestLookupsAreBounded(t *testing.T) {
	r := newRig(t, withOptions(func(o *stack.Options) { o.Shards = 1 }))
	p := r.peer()
	up := r.peers(1)[0]
	flood := func(q *peer, n int) int {
		before := r.wire.routes
		for i := range n {
			var params []byte
			for k := range 32 {
				params = chunk.AppendAddrParam(params, netip.AddrFrom4([4]byte{10, 7, byte(i), byte(i>>8*32 + k)}))
			}
			q.sendTag(0, q.initWith(params))
			r.wire.out = r.wire.out[:0]
		}
		return r.wire.routes - before
	}
	first := flood(p, 1000)
	if first > 4000 || first < 1000 {
		t.Errorf("%d lookups for 1000 INITs in a second", first)
	}
	if n := flood(p, 1000) + flood(up, 1000); n > 64 {
		t.Errorf("%d lookups more in the same second", n)
	}
	p.connectListing(alt)
	if n := len(p.a.Status().Paths); n != 1 {
		t.Errorf("%d paths in a flood", n)
	}
	p.send(chunk.AppendAbort(nil, false, nil))
	r.wait(mono.Second)
	r.take()
	p.connectListing(alt)
	if n := len(p.a.Status().Paths); n != 2 {
		t.Errorf("%d paths when the flood is over", n)
	}
}
