package fuzz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Two stacks in virtual time with all packets between them in the hand of
// a test. They serve many runs, one after the other: each begins with the same
// clock offset and entropy, so that a run depends on its input only.

const port = 5000

// duo is the two stacks and the packets on their way.
type duo struct {
	now  mono.Time
	seed *rand.ChaCha8
	side [2]*host
	fly  []pkt
	free [][]byte
	old  []pkt // what was delivered or lost, for replays
	err  error

	trust   bool // what is read must be what was sent
	closing bool // all that is there comes to its end
	crashes int
}

type pkt struct {
	to   int
	data []byte
}

type host struct {
	d    *duo
	i    int
	addr netip.Addr
	s    *stack.Stack
	ep   *stack.Endpoint
	a    *stack.Assoc
	slot [1]transport.RxSlot
	list ulpqueue.List
	read int
	user user
	mute bool // it crashes: nothing leaves
}

// Now and NewTimer implement mono.Clock.
func (d *duo) Now() mono.Time       { return d.now }
func (d *duo) NewTimer() mono.Timer { return noTimer{} }
func (noTimer) Set(mono.Time)       {}
func (noTimer) Stop()               {}
func (noTimer) C() <-chan struct{}  { return nil }
func (h *host) Close() error        { return nil }

type noTimer struct{}

// host is its own link.
func (h *host) Addrs() ([]netip.Addr, error) { return []netip.Addr{h.addr}, nil }
func (h *host) Route(netip.Addr) (transport.Route, error) {
	return transport.Route{Src: h.addr, MTU: 576, Overhead: 20}, nil
}
func (h *host) ReadBatch([]transport.RxSlot) (int, error) { return 0, errors.New("no reader here") }
func (h *host) WriteBatch(slots []transport.TxSlot) error {
	for i := range slots {
		if !h.mute && slots[i].Dst == h.d.side[1-h.i].addr {
			h.d.fly = append(h.d.fly, pkt{1 - h.i, append(h.d.buf(), slots[i].Data...)})
		}
	}
	return nil
}

func (d *duo) buf() []byte {
	if n := len(d.free); n > 0 {
		b := d.free[n-1]
		d.free = d.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 2048)
}

// config is small, so that short runs reach the limits.
func config() *tcb.Config {
	c := tcb.DefaultConfig()
	c.SendBuffer, c.RecvBuffer = 16<<10, 16<<10
	c.OutStreams, c.MaxInStreams = streams, streams
	c.HBInterval = 5 * mono.Second
	c.AssocMaxRetrans, c.PathMaxRetrans, c.MaxInitRetransmits = 6, 3, 4
	return &c
}

var cfg = config()

func newDuo(t testing.TB) *duo {
	d := &duo{now: mono.Time(mono.Second), seed: rand.NewChaCha8([32]byte{})}
	for i := range d.side {
		h := &host{d: d, i: i, addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}
		d.side[i] = h
		if err := h.boot(); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// boot gives h a new stack.
func (h *host) boot() (err error) {
	h.s, err = stack.New(stack.World{Clock: h.d, Entropy: h.d.seed, Links: []transport.Link{h}}, stack.Options{Shards: 1, Paranoid: true})
	if err != nil {
		return err
	}
	if h.ep, err = h.s.Open(nil, port, cfg); err != nil {
		return err
	}
	h.ep.Listen(4, nil)
	return nil
}

// crash takes everything from h that it knew. It comes up again at once, and
// calls the peer if it should.
func (h *host) crash(calls bool) error {
	h.mute = true
	h.s.Close()
	h.mute = false
	h.a, h.read = nil, 0
	h.list = ulpqueue.List{}
	h.d.trust = false
	if err := h.boot(); err != nil || !calls {
		return err
	}
	return h.dial()
}

// icmp tells h that a packet it is said to have sent found nobody.
func (h *host) icmp(quote []byte) {
	h.slot[0] = transport.RxSlot{
		Data: quote, Src: h.addr, Dst: h.d.side[1-h.i].addr,
		Kind: transport.ICMPError, ICMP: transport.ICMPProtoUnreachable,
	}
	h.s.Input(0, h.slot[:], h.d.now)
}

// begin makes d ready for a run.
func (d *duo) begin() {
	// Cookie keys live half an hour: the run starts with new ones.
	d.now = d.now.Add(3 * 60 * 60 * mono.Second)
	d.seed.Seed([32]byte{9, 2, 6, 0})
	d.drop(len(d.fly))
	for _, p := range d.old {
		d.free = append(d.free, p.data)
	}
	d.old = d.old[:0]
	d.err, d.trust, d.closing, d.crashes = nil, true, false, 0
	for _, h := range d.side {
		h.a = nil
		h.user.reset()
	}
}

func (d *duo) drop(n int) {
	for _, p := range d.fly[:n] {
		d.free = append(d.free, p.data)
	}
	d.fly = append(d.fly[:0], d.fly[n:]...)
}

// input hands a packet to host i.
func (d *duo) input(i int, p []byte) {
	h := d.side[i]
	h.slot[0] = transport.RxSlot{Data: p, Src: d.side[1-i].addr, Dst: h.addr}
	h.s.Input(0, h.slot[:], d.now)
	h.accept()
}

// deliver takes packet k from the network and hands it over; it stays for
// replays.
func (d *duo) deliver(k int) {
	p := d.fly[k]
	d.fly = append(d.fly[:k], d.fly[k+1:]...)
	d.remember(p)
	d.input(p.to, p.data)
}

func (d *duo) remember(p pkt) {
	if len(d.old) < 32 {
		d.old = append(d.old, p)
		return
	}
	k := int(p.data[len(p.data)-1]) % len(d.old)
	d.free = append(d.free, d.old[k].data)
	d.old[k] = p
}

// step runs the timers up to now and returns when the next is due.
func (d *duo) step() mono.Time {
	a, z := d.side[0].s.Step(d.now), d.side[1].s.Step(d.now)
	if a == 0 || z != 0 && z < a {
		return z
	}
	return a
}

// wait lets t pass, timers included.
func (d *duo) wait(t mono.Duration) {
	end := d.now.Add(t)
	for {
		next := d.step()
		if next == 0 || next > end {
			break
		}
		d.now = max(next, d.now)
	}
	d.now = end
	d.step()
}

func (h *host) accept() {
	for {
		a := h.ep.Accept()
		if a == nil {
			return
		}
		if h.a != nil && !h.a.End().Ended {
			a.Abort(nil) // the first one counts
			a.Discard()
			continue
		}
		if h.a != nil {
			// A replayed cookie made a second association with the tags of
			// the first: who is still with that one gets nonsense.
			h.d.trust = false
		}
		h.leave()
		h.a = a
		if h.d.closing {
			a.Shutdown() // cookies that were under way when their senders had given up
		}
	}
}

// leave reads what is left of an association that is not looked at any more.
func (h *host) leave() {
	if h.a != nil {
		h.recv()
		h.a = nil
	}
}

func (h *host) dial() error {
	a, err := h.ep.Associate([]netip.Addr{h.d.side[1-h.i].addr}, port, 0, nil, func(sideeffects.Wake) {})
	if err != nil {
		return err
	}
	h.a = a
	return nil
}

// streams: the last one is unordered.
const streams = 4

// user is what the user of an association has sent and read.
type user struct {
	sent [streams]uint32
	got  [streams]uint32 // next to come
	seen map[uint32]bool // of the unordered stream
	part [streams][]byte
}

func (u *user) reset() {
	u.sent, u.got = [streams]uint32{}, [streams]uint32{}
	clear(u.seen)
	for i := range u.part {
		u.part[i] = u.part[i][:0]
	}
}

// size is how long message n of a stream is.
func size(stream int, n uint32) int {
	return []int{1, 40, 520, 1500, 6000, 300, 2, 12000}[(uint32(stream)*3+n)%8] + 8
}

// fill writes message n of a stream.
func fill(b []byte, side, stream int, n uint32) {
	binary.BigEndian.PutUint32(b, n)
	binary.BigEndian.PutUint32(b[4:], uint32(side)<<8|uint32(stream))
	for i := 8; i < len(b); i++ {
		b[i] = byte(uint32(i)*7 + n*13 + uint32(stream) + uint32(side)*101)
	}
}

func (h *host) send(stream int) {
	if h.a == nil {
		return
	}
	n := h.user.sent[stream]
	b := h.a.Buffer(size(stream, n))
	fill(b.B, h.i, stream, n)
	if err := h.a.Send(stack.Message{Stream: chunk.StreamID(stream), Unordered: stream == streams-1, Immediate: n%5 == 0}, b); err != nil {
		h.a.FreeBuffer(b)
		return
	}
	h.user.sent[stream]++
}

// recv reads what is there. It must be what the peer has sent: of ordered
// streams a prefix.
func (h *host) recv() {
	for h.a != nil {
		err := h.a.Recv(&h.list, 4096, h.read)
		h.read = 0
		if err != nil {
			return
		}
		for m := h.list.Pop(); m != nil; m = h.list.Pop() {
			if m.Kind == ulpqueue.KindData {
				h.read += m.Len
				if h.d.trust {
					h.message(m)
				}
			}
			h.a.Free(m)
		}
	}
}

func (h *host) message(m *ulpqueue.Message) {
	s := int(m.Stream)
	u := &h.user
	part := u.part[s]
	for b := m.Head; b != nil; b = b.Next {
		part = append(part, b.B...)
	}
	u.part[s] = part
	if !m.EOR {
		return
	}
	u.part[s] = part[:0]
	n := u.got[s]
	if s == streams-1 {
		if len(part) < 8 {
			h.d.fail("host %d: a message of %d bytes", h.i, len(part))
			return
		}
		n = binary.BigEndian.Uint32(part)
		if u.seen == nil {
			u.seen = make(map[uint32]bool)
		}
		if u.seen[n] {
			h.d.fail("host %d: unordered message %d twice", h.i, n)
			return
		}
		u.seen[n] = true
	}
	u.got[s]++
	if n >= h.d.side[1-h.i].user.sent[s] {
		h.d.fail("host %d: message %d of stream %d was never sent", h.i, n, s)
		return
	}
	want := make([]byte, size(s, n))
	fill(want, 1-h.i, s, n)
	if string(want) != string(part) {
		h.d.fail("host %d: message %d of stream %d: %d bytes %x..., want %d", h.i, n, s, len(part), part[:min(16, len(part))], len(want))
	}
}

func (d *duo) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// finish lets everything through, closes both ends and waits until they are
// gone.
func (d *duo) finish() {
	d.closing = true
	for _, h := range d.side {
		if h.a != nil {
			h.a.Shutdown()
		}
	}
	for i := 0; ; i++ {
		for len(d.fly) > 0 {
			d.deliver(0)
			if i++; i > 50000 {
				d.fail("the packets do not come to an end")
				return
			}
		}
		for _, h := range d.side {
			h.recv()
		}
		if len(d.fly) > 0 {
			continue
		}
		next := d.step()
		if len(d.fly) > 0 {
			continue
		}
		live := d.side[0].s.Stats().Associations + d.side[1].s.Stats().Associations
		if live == 0 {
			break
		}
		if next == 0 {
			d.fail("nothing will ever happen again, and %d ends are alive: %s", live, d.states())
			return
		}
		if i > 50000 {
			d.fail("it does not come to an end: %s", d.states())
			return
		}
		d.now = max(d.now, next)
	}
	for _, h := range d.side {
		h.recv()
		h.leave()
		if st := h.s.Stats(); st.Buffers != 0 || st.Contained != 0 {
			d.fail("host %d: %d buffers left, %d panics", h.i, st.Buffers, st.Contained)
		}
	}
}

func (d *duo) states() (s string) {
	for _, h := range d.side {
		if h.a != nil {
			st := h.a.Status()
			s += fmt.Sprintf("[%v queued %d in flight %d held %d errors %d]", st.State, st.Queued, st.InFlight, st.Held, st.Errors)
		}
	}
	return s
}
