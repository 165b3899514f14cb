package stack_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Tests on the level of packets: one stack in virtual time, and a peer that is
// a script.

var (
	hereA = netip.MustParseAddr("10.0.0.1")
	hereB = netip.MustParseAddr("10.0.0.2")
	there = netip.MustParseAddr("10.0.9.1")
	alt   = netip.MustParseAddr("10.0.9.2")
)

// hand is a clock that a test moves.
type hand struct{ t mono.Time }

func (h *hand) Now() mono.Time               { return h.t }
func (h *hand) NewTimer() mono.Timer         { return deadTimer{} }
func (h *hand) step(to mono.Time)            { h.t = max(h.t, to) }
func (deadTimer) Set(mono.Time)              {}
func (deadTimer) Stop()                      {}
func (deadTimer) C() <-chan struct{}         { return nil }
func (w *wire) Close() error                 { return nil }
func (w *wire) Addrs() ([]netip.Addr, error) { return w.addrs, nil }
func (w *wire) ReadBatch([]transport.RxSlot) (int, error) {
	return 0, errors.New("nobody reads by itself here")
}

type deadTimer struct{}

// sent is a packet that the stack sent.
type sent struct {
	at       mono.Time
	src, dst netip.Addr
	data     []byte
}

// wire keeps what is sent.
type wire struct {
	clk     *hand
	addrs   []netip.Addr
	via     map[netip.Addr]netip.Addr // own addresses of the links to destinations, else the first
	mtu     int
	routes  int // times that Route was called
	out     []sent
	loop    bool // what goes to an own address comes back
	back    []sent
	refuse  int // larger packets are too big, of which refused is told
	refused func()
}

func (w *wire) Route(dst netip.Addr) (transport.Route, error) {
	w.routes++
	if a, ok := w.via[dst]; ok {
		return transport.Route{Src: a, MTU: w.mtu, Overhead: 20}, nil
	}
	for _, a := range w.addrs {
		if a.Is4() == dst.Is4() {
			return transport.Route{Src: a, MTU: w.mtu, Overhead: 20}, nil
		}
	}
	return transport.Route{}, transport.ErrUnreachable
}

func (w *wire) WriteBatch(slots []transport.TxSlot) error {
	for i := range slots {
		s := &slots[i]
		if w.refuse > 0 && len(s.Data) > w.refuse {
			s.Err = transport.ErrTooBig
			w.refused()
			continue
		}
		p := sent{w.clk.t, s.Src, s.Dst, append([]byte(nil), s.Data...)}
		own := false
		for _, a := range w.addrs {
			own = own || a == s.Dst
		}
		if own && w.loop {
			w.back = append(w.back, p)
		} else {
			w.out = append(w.out, p)
		}
	}
	return nil
}

// rig is a stack under test.
type rig struct {
	testing.TB
	clk  *hand
	wire *wire
	s    *stack.Stack
	ep   *stack.Endpoint
	cfg  tcb.Config
}

type rigOption func(*rig, *stack.Options)

func withConfig(f func(*tcb.Config)) rigOption {
	return func(r *rig, _ *stack.Options) { f(&r.cfg) }
}

func withOptions(f func(*stack.Options)) rigOption {
	return func(_ *rig, o *stack.Options) { f(o) }
}

// newRig returns a stack with an endpoint on port 5000 that listens.
func newRig(t testing.TB, opts ...rigOption) *rig {
	t.Helper()
	clk := &hand{t: mono.Time(1000 * mono.Second)}
	r := &rig{TB: t, clk: clk, cfg: tcb.DefaultConfig()}
	r.cfg.HBInterval = 0 // heartbeats only where a test wants them
	r.wire = &wire{clk: clk, addrs: []netip.Addr{hereA, hereB}, mtu: 1500}
	o := stack.Options{Shards: 2, Paranoid: true}
	for _, f := range opts {
		f(r, &o)
	}
	var err error
	r.s, err = stack.New(stack.World{
		Clock: clk, Entropy: rand.NewChaCha8([32]byte{1}), Links: []transport.Link{r.wire},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.s.Close() })
	r.ep = r.open(nil, 5000)
	r.ep.Listen(8, nil)
	return r
}

func (r *rig) open(local []netip.Addr, port uint16) *stack.Endpoint {
	r.Helper()
	ep, err := r.s.Open(local, port, &r.cfg)
	if err != nil {
		r.Fatal(err)
	}
	return ep
}

// deliver hands the stack a packet.
func (r *rig) deliver(src, dst netip.Addr, packet []byte) {
	r.s.Input(0, []transport.RxSlot{{Data: packet, Src: src, Dst: dst}}, r.clk.t)
	for len(r.wire.back) > 0 {
		p := r.wire.back[0]
		r.wire.back = r.wire.back[1:]
		r.s.Input(0, []transport.RxSlot{{Data: p.data, Src: p.src, Dst: p.dst}}, r.clk.t)
	}
}

// wait lets d pass, timers included.
func (r *rig) wait(d mono.Duration) {
	end := r.clk.t.Add(d)
	for i := 0; ; i++ {
		next := r.s.Step(r.clk.t)
		if next == 0 || next > end {
			break
		}
		if i > 10000 {
			r.Fatal("the stack's timers do not come to rest")
		}
		r.clk.step(next)
	}
	r.clk.step(end)
	r.s.Step(r.clk.t)
}

// said returns what the stack has sent since the last call, and says it: chunks
// of a packet joined by +, packets by |.
func (r *rig) said() string {
	var l []string
	for _, p := range r.take() {
		l = append(l, says(r, p.data))
	}
	return strings.Join(l, " | ")
}

func (r *rig) take() []sent {
	out := r.wire.out
	r.wire.out = nil
	for _, p := range out {
		if !chunk.VerifyChecksum(p.data) {
			r.Fatalf("bad checksum: %s", chunk.Format(p.data))
		}
	}
	return out
}

// expect fails unless the stack has said just this.
func (r *rig) expect(want string) {
	r.Helper()
	if got := r.said(); got != want {
		r.Fatalf("said %q, want %q", got, want)
	}
}

func says(t testing.TB, packet []byte) string {
	var l []string
	w := chunk.Walk(packet[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		s := c.Type().String()
		switch c.Type() {
		case chunk.TypeAbort, chunk.TypeError:
			if c.Type() == chunk.TypeAbort && c.Flags()&chunk.FlagT != 0 {
				s += " T"
			}
			cw := chunk.Causes(c.Body()).Walk()
			for {
				cause, ok := cw.Next()
				if !ok {
					break
				}
				s += fmt.Sprintf("(%d)", cause.Code())
			}
		case chunk.TypeShutdownComplete:
			if c.Flags()&chunk.FlagT != 0 {
				s += " T"
			}
		}
		l = append(l, s)
	}
	if e := w.Err(); e != chunk.ErrNone {
		t.Fatalf("malformed: %v %s", e, chunk.Format(packet))
	}
	return strings.Join(l, "+")
}

// first returns the first chunk of kind typ in packets.
func first(ps []sent, typ chunk.Type) (chunk.Chunk, *sent) {
	for i := range ps {
		w := chunk.Walk(ps[i].data[chunk.HeaderLen:])
		for {
			c, ok := w.Next()
			if !ok {
				break
			}
			if c.Type() == typ {
				return c, &ps[i]
			}
		}
	}
	return nil, nil
}

func vtag(p *sent) chunk.VTag {
	h, _ := chunk.ParseHeader(p.data)
	return h.VTag
}

// peer is the script's side of an association.
type peer struct {
	*rig
	addr   netip.Addr
	to     netip.Addr
	port   uint16
	dport  uint16
	tag    chunk.VTag // ours, in the peer's eyes: what the stack must send
	theirs chunk.VTag // the stack's
	tsn    chunk.TSN  // next to send
	itsn   chunk.TSN  // the stack's initial TSN
	cookie []byte
	offer  [3]uint32 // a_rwnd, OS and MIS of the stack's INIT ACK
	a      *stack.Assoc
	list   ulpqueue.List
	notes  []ulpqueue.Notification
	read   int
}

func (r *rig) peer() *peer {
	return &peer{rig: r, addr: there, to: hereA, port: 6000, dport: 5000, tag: 0xABCD0001, tsn: 100}
}

// packet builds a packet of whole chunks.
func (p *peer) packet(tag chunk.VTag, chunks ...[]byte) []byte {
	b := chunk.AppendHeader(nil, p.port, p.dport, tag)
	for _, c := range chunks {
		b = append(b, c...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	chunk.SetChecksum(b)
	return b
}

// send sends chunks with the right tag.
func (p *peer) send(chunks ...[]byte) { p.sendTag(p.theirs, chunks...) }

func (p *peer) sendTag(tag chunk.VTag, chunks ...[]byte) {
	p.deliver(p.addr, p.to, p.packet(tag, chunks...))
}

func (p *peer) init() []byte {
	return chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: p.tag, ARwnd: 65536, OS: 10, MIS: 10, TSN: p.tsn})
}

// initWith is an INIT with parameters.
func (p *peer) initWith(params []byte) []byte {
	return chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: p.tag, ARwnd: 65536, OS: 10, MIS: 10, TSN: p.tsn, Params: params})
}

func (p *peer) initAck(params []byte) []byte {
	return chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{Tag: p.tag, ARwnd: 65536, OS: 10, MIS: 10, TSN: p.tsn, Params: params})
}

// takeInitAck reads the stack's INIT ACK.
func (p *peer) takeInitAck() {
	p.Helper()
	c, pkt := first(p.take(), chunk.TypeInitAck)
	if c == nil {
		p.Fatal("no INIT ACK")
	}
	var f chunk.InitFacts
	if e := f.Decode(c); e != chunk.ErrNone {
		p.Fatal("INIT ACK:", e)
	}
	if vtag(pkt) != p.tag || pkt.dst != p.addr || pkt.src != p.to { // R-5.1.2-07 R-5.1-03 R-5.1-04
		p.Fatalf("INIT ACK with tag %x from %v to %v", vtag(pkt), pkt.src, pkt.dst)
	}
	p.theirs, p.itsn = f.Tag, f.TSN
	p.offer = [3]uint32{f.ARwnd, uint32(f.OS), uint32(f.MIS)}
	p.cookie = append([]byte(nil), f.Cookie.Of(c)...)
}

func (p *peer) echo() []byte { return chunk.AppendCookieEcho(nil, p.cookie) }

// connect sets an association up from the peer's side.
func (p *peer) connect() *peer {
	p.Helper()
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo())
	p.expect("COOKIE ACK")
	p.accept()
	return p
}

func (p *peer) accept() {
	p.Helper()
	if p.a = p.ep.Accept(); p.a == nil {
		p.Fatal("nothing to accept")
	}
}

// dial has the stack start an association, and reads its INIT.
func (p *peer) dial() *peer {
	p.Helper()
	p.start()
	c, pkt := first(p.take(), chunk.TypeInit)
	if c == nil || vtag(pkt) != 0 {
		p.Fatal("no INIT with tag 0")
	}
	p.takeInit(c)
	return p
}

func (p *peer) takeInit(c chunk.Chunk) {
	in, _ := chunk.ParseInit(c)
	p.theirs, p.itsn = in.Tag, in.TSN
}

// start has the stack start an association.
func (p *peer) start() {
	p.Helper()
	a, err := p.ep.Associate([]netip.Addr{p.addr}, p.port, 0, nil, func(sideeffects.Wake) {})
	if err != nil {
		p.Fatal(err)
	}
	p.a = a
}

var someCookie = chunk.AppendCookieParam(nil, []byte("a cookie of the peer's"))

// dialUp has the stack set an association up.
func (p *peer) dialUp() *peer {
	p.Helper()
	p.dial()
	p.send(p.initAck(someCookie))
	c, pkt := first(p.take(), chunk.TypeCookieEcho)
	if c == nil || vtag(pkt) != p.tag || string(c.Body()) != string(chunk.Param(someCookie).Body()[:len(c.Body())]) { // R-8.5.1-14 R-5.1.4-01
		p.Fatalf("%x", c)
	}
	p.send(chunk.AppendCookieAck(nil))
	p.expect("")
	p.inState(tcb.Established)
	return p
}

func (p *peer) state() tcb.State { return p.a.Status().State }

func (p *peer) inState(want tcb.State) {
	p.Helper()
	if s := p.state(); s != want {
		p.Fatalf("%v, want %v", s, want)
	}
}

// data is a whole message in one chunk.
func (p *peer) data(payload string) []byte { return p.dataOn(0, payload) }

func (p *peer) dataOn(sid chunk.StreamID, payload string) []byte {
	c := chunk.AppendData(nil, chunk.Data{TSN: p.tsn, Stream: sid, Flags: chunk.FlagB | chunk.FlagE | chunk.FlagU, Payload: []byte(payload)})
	p.tsn++
	return c
}

func sack(cum chunk.TSN, rwnd uint32) []byte { return chunk.AppendSack(nil, cum, rwnd, nil, nil) }

// write has the user send a message.
func (p *peer) write(payload string) error {
	b := p.a.Buffer(len(payload))
	copy(b.B, payload)
	err := p.a.Send(stack.Message{}, b)
	if err != nil {
		p.a.FreeBuffer(b)
	}
	return err
}

// received returns what the user can read, notes aside.
func (p *peer) received() (msgs []string) {
	for {
		err := p.a.Recv(&p.list, 1<<20, p.read)
		p.read = 0
		if err != nil {
			return msgs
		}
		for m := p.list.Pop(); m != nil; m = p.list.Pop() {
			if m.Kind == ulpqueue.KindNotification {
				n := m.Note
				p.notes = append(p.notes, n)
			} else {
				var b []byte
				for s := m.Head; s != nil; s = s.Next {
					b = append(b, s.B...)
				}
				p.read += m.Len
				msgs = append(msgs, string(b))
			}
			p.a.Free(m)
		}
	}
}

// ended returns how the association ended, and fails if it has not.
func (p *peer) ended() sideeffects.End {
	p.Helper()
	e := p.a.End()
	if !e.Ended {
		p.Fatalf("it lives, in %v", p.state())
	}
	return e
}

func (p *peer) expectEnd(change fsm.AssocChange, cause chunk.CauseCode) {
	p.Helper()
	if e := p.ended(); e.Change != change || e.Cause != cause {
		p.Fatalf("ended by %v, %v; want %v, %v", e.Change, e.Cause, change, cause)
	}
	p.gone()
}

// gone fails unless the stack has forgotten all associations.
func (r *rig) gone() {
	r.Helper()
	if n := r.s.Stats().Associations; n != 0 {
		r.Fatalf("%d associations left", n)
	}
}

func (r *rig) stat(s fsm.Stat) uint64 { return r.s.Stats().Events[s] }
