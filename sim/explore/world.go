package explore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

const port = 5000

var addrs = [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}

// world is two hosts and the packets between them, at one moment.
type world struct {
	set   *Setting
	hosts [2]*host
	net   []packet
	err   error // what does not hold

	out    []packet // sent in the move in hand
	in     *packet  // delivered in the move in hand
	dups   int
	wanted bool // all timers may expire: no budget
	known  bool // the moves were made before, and found good
	trace  func(line string)
	bases  []chunk.TSN // Initial TSNs seen

	maxCommands int
}

// packet is a packet in flight.
type packet struct {
	from int
	data []byte
}

// host is one side: a stack, its clock and its user.
type host struct {
	w     *world
	side  int
	now   mono.Time
	stack *stack.Stack
	ep    *stack.Endpoint
	due   mono.Time
	rng   *rand.ChaCha8

	conns []*conn
	assoc map[uint32]*sideeffects.Association
	fired [fsm.NumEvents]uint8
	any   bool // a timer expired in the move in hand

	used [Abort + 1]bool // calls made
	sent bool            // the message was taken
	got  int             // messages of the peer that arrived
}

// conn is an association as its user sees it.
type conn struct {
	as        *stack.Assoc
	id        uint32
	initiated bool
	up        bool
	final     bool
	ended     bool
	took      bool // the user's message
	end       sideeffects.End
}

func newWorld(set *Setting) *world {
	w := &world{set: set}
	for side := range w.hosts {
		w.hosts[side] = newHost(w, side)
	}
	return w
}

func config(set *Setting) *tcb.Config {
	c := tcb.DefaultConfig()
	c.ValidCookieLife = 1 << 60 // cookies do not expire: clocks run apart
	if !set.Heartbeats {
		c.HBInterval = 1000 * mono.Second // only to notice that the peer is gone
	}
	return &c
}

func newHost(w *world, side int) *host {
	h := &host{w: w, side: side, now: mono.Time(mono.Second), assoc: make(map[uint32]*sideeffects.Association)}
	h.rng = rand.NewChaCha8([32]byte{byte(side)})
	s, err := stack.New(stack.World{Clock: h, Entropy: h.rng, Links: []transport.Link{h}},
		stack.Options{Shards: 1, Paranoid: true, Trace: h})
	if err == nil {
		h.stack = s
		if h.ep, err = s.Open(nil, port, config(w.set)); err == nil {
			h.ep.Listen(4, nil)
			return h
		}
	}
	panic(err)
}

// Now implements mono.Clock.
func (h *host) Now() mono.Time { return h.now }

// NewTimer implements mono.Clock.
func (h *host) NewTimer() mono.Timer { return noTimer{} }

type noTimer struct{}

func (noTimer) Set(mono.Time)      {}
func (noTimer) Stop()              {}
func (noTimer) C() <-chan struct{} { return nil }

// ReadBatch implements transport.Link.
func (h *host) ReadBatch([]transport.RxSlot) (int, error) { return 0, errors.ErrUnsupported }

// WriteBatch implements transport.Link.
func (h *host) WriteBatch(slots []transport.TxSlot) error {
	for i := range slots {
		h.w.out = append(h.w.out, packet{h.side, append([]byte(nil), slots[i].Data...)})
	}
	return nil
}

// Route implements transport.Link.
func (h *host) Route(dst netip.Addr) (transport.Route, error) {
	if dst != addrs[1-h.side] {
		return transport.Route{}, transport.ErrUnreachable
	}
	return transport.Route{Src: addrs[h.side], MTU: 1500, Overhead: 20}, nil
}

// Addrs implements transport.Link.
func (h *host) Addrs() ([]netip.Addr, error) { return addrs[h.side : h.side+1], nil }

// Close implements transport.Link.
func (h *host) Close() error { return nil }

// Step implements sideeffects.Tracer.
func (h *host) Step(s *sideeffects.Step) {
	if s.Assoc != nil {
		h.assoc[s.Assoc.ID()] = s.Assoc
	}
	h.w.maxCommands = max(h.w.maxCommands, s.Commands.Len())
	if isTimeout(s.Event.ID) {
		h.fired[s.Event.ID]++
		h.any = true
	}
	if h.w.trace != nil {
		h.w.trace(stepLine(h.side, s))
	}
}

func isTimeout(id fsm.EventID) bool { return id >= fsm.EvTimeoutT1Init && id <= fsm.EvTimeoutSack }

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// moves lists what can happen now.
func (w *world) moves(to []Move) []Move {
	for i := range w.net {
		to = append(to, Move{Deliver, uint8(i)}, Move{Drop, uint8(i)})
		if w.dups < w.set.Duplicates {
			to = append(to, Move{Duplicate, uint8(i)})
		}
	}
	for side, h := range w.hosts {
		n := uint8(side)
		if h.due != 0 {
			to = append(to, Move{Fire, n})
		}
		live := h.live()
		if w.set.Associate[side] && !h.used[Associate] && live == nil {
			to = append(to, Move{Associate, n})
		}
		if live == nil {
			continue
		}
		if w.set.Send[side] && !h.used[Send] {
			to = append(to, Move{Send, n})
		}
		if w.set.Shutdown[side] && !h.used[Shutdown] {
			to = append(to, Move{Shutdown, n})
		}
		if w.set.Abort[side] && !h.used[Abort] {
			to = append(to, Move{Abort, n})
		}
	}
	return to
}

// live is the user's association, nil if there is none.
func (h *host) live() *conn {
	for _, c := range h.conns {
		if !c.ended {
			return c
		}
	}
	return nil
}

// apply makes a move. It reports whether that was possible within the bounds.
func (w *world) apply(m Move) (ok bool) {
	w.out, w.in = w.out[:0], nil
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v", p)
			ok = true
		}
	}()
	if w.trace != nil {
		w.trace("- " + m.String())
	}
	switch m.Kind {
	case Deliver, Drop, Duplicate:
		if int(m.N) >= len(w.net) {
			return false
		}
		p := w.net[m.N]
		if m.Kind == Duplicate {
			w.dups++
		} else {
			w.net = append(w.net[:m.N:m.N], w.net[m.N+1:]...)
		}
		if m.Kind != Drop {
			w.deliver(p)
		}
	default:
		if !w.hosts[m.N].act(m.Kind) {
			return false
		}
	}
	w.settle()
	return true
}

// without returns the world less packet i. It shares everything else.
func (w *world) without(i uint8) *world {
	v := *w
	v.net = append(slices.Clone(w.net[:i]), w.net[i+1:]...)
	return &v
}

func (w *world) deliver(p packet) {
	h := w.hosts[1-p.from]
	w.in = &p
	if w.trace != nil {
		w.trace("  arrives: " + packetLine(p.data))
	}
	h.stack.Input(0, []transport.RxSlot{{Data: p.data, Src: addrs[p.from], Dst: addrs[h.side]}}, h.now)
}

func (h *host) act(k Kind) bool {
	h.used[k] = k != Fire
	if k == Fire {
		return h.fire()
	}
	if k == Associate {
		a, err := h.ep.Associate([]netip.Addr{addrs[1-h.side]}, port, 0, nil, func(sideeffects.Wake) {})
		if err != nil {
			return false // the peer was quicker
		}
		h.conns = append(h.conns, &conn{as: a, id: a.Status().ID, initiated: true})
		return true
	}
	c := h.live()
	if c == nil {
		return false
	}
	switch k {
	case Send:
		b := c.as.Buffer(1)
		b.B[0] = sideNames[h.side]
		if err := c.as.Send(stack.Message{Stream: 1, PPID: 7}, b); err != nil {
			c.as.FreeBuffer(b)
			return false
		}
		h.sent, c.took = true, true
	case Shutdown:
		c.as.Shutdown()
	case Abort:
		c.as.Abort(nil)
	}
	return true
}

// fire lets the next timer of the host expire.
func (h *host) fire() bool {
	h.any = false
	for !h.any {
		if h.due == 0 {
			return false
		}
		h.now = max(h.now, h.due)
		h.due = h.stack.Step(h.now)
	}
	if h.w.wanted {
		return true
	}
	for id, n := range h.fired {
		most := h.w.set.Timeouts
		if fsm.EventID(id) == fsm.EvTimeoutHeartbeat && !h.w.set.Heartbeats {
			most = 0
		}
		if int(n) > most && isTimeout(fsm.EventID(id)) {
			return false
		}
	}
	return true
}

// settle lets the users look, and takes what was sent into flight.
func (w *world) settle() {
	for _, h := range w.hosts {
		for a := h.ep.Accept(); a != nil; a = h.ep.Accept() {
			h.conns = append(h.conns, &conn{as: a, id: a.Status().ID})
			if w.in == nil || firstType(w.in.data) != chunk.TypeCookieEcho {
				w.fail("%c has an association without a COOKIE ECHO", sideNames[h.side])
			}
		}
		for _, c := range h.conns {
			if !c.ended {
				h.read(c)
			}
		}
		h.due = h.stack.Step(h.now)
	}
	if !w.known {
		w.checkPackets()
	}
	for _, p := range w.out {
		if in, e := chunk.ParseInit(chunk.Chunk(p.data[chunk.HeaderLen:])); e == chunk.ErrNone {
			w.base(in.TSN)
		}
		if w.trace != nil {
			w.trace(fmt.Sprintf("  %c sends: %s", sideNames[p.from], packetLine(p.data)))
		}
		if len(w.net) < w.set.InFlight || w.wanted {
			w.net = append(w.net, p)
		}
	}
	if !w.known {
		w.check()
	}
}

func firstType(p []byte) chunk.Type { return chunk.Type(p[chunk.HeaderLen]) }
