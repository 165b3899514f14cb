package explore

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

const (
	port       = 5000
	dataStream = 1
	dataPPID   = 7
)

var addrs = [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}

// world is two hosts and the packets between them, at one moment.
type world struct {
	set   *Setting
	lab   *lab
	hosts [2]*host
	net   []datagram
	old   []datagram // what a replaying attacker has kept
	err   error      // what does not hold

	out     []datagram // sent in the move in hand
	in      *datagram  // delivered in the move in hand
	dups    int
	injects int
	crashes int
	late    bool // a COOKIE ECHO made an association that its sender has not
	aborts  int
	ends    int    // associations that ended, of either host,
	leaves  int    // and not by a shutdown,
	gone    int    // but before they had begun
	resting bool   // no budgets: all timers may expire, and nothing is lost
	known   bool   // the moves were made before, and found good
	strict  string // the property that is not excused
	trace   func(line string)
	bases   []chunk.TSN // Initial TSNs seen
	arrived uint32      // messages that arrived anywhere, by number

	maxCommands int
}

// datagram is a packet in flight. Its bytes are never written again.
type datagram struct {
	from  uint8
	taint bool  // the attacker's, or an answer to one of those
	epoch uint8 // of one that the attacker kept
	data  []byte
}

// engine is the code under exploration at one host.
type engine interface {
	input(p []byte)
	associate() (conn, bool)
	accept() (conn, bool) // an association that the peer made
	call(k Kind, c *conn, letter byte) bool
	step() mono.Time // runs what is due; when to come again, 0 for never
	read(c *conn)    // gives the user what there is
	associations() int
	boot() // starts anew, with nothing but the key of cookies
}

// host is one side: an engine, its clock and its user.
type host struct {
	w      *world
	side   int
	now    mono.Time
	due    mono.Time
	eng    engine
	boots  uint8
	secret uint8 // which key its cookies have
	conns  []conn
	any    bool // a timer expired in the move in hand

	fired [fsm.EvTimeoutSack - fsm.EvTimeoutT1Init + 1]uint8
	used  [numKinds]uint8 // calls made
	got   uint32          // messages that arrived since it started, by number
	lost  bool            // an association ended other than by a shutdown
}

// conn is an association as its user sees it.
type conn struct {
	a  *sideeffects.Association
	as *stack.Assoc // with the real pipes

	initiated bool
	up        bool
	final     bool
	ended     bool
	shut      bool   // the user closed it
	sent, got uint32 // messages, by number
	last      byte   // the last message that arrived
}

func newWorld(set *Setting, l *lab) *world {
	w := &world{set: set, lab: l}
	for side := range w.hosts {
		h := &host{w: w, side: side, now: mono.Time(mono.Second)}
		w.hosts[side] = h
		if set.Wide {
			h.eng = &wide{h: h, lab: l}
		} else {
			h.eng = newNarrow(h)
		}
	}
	return w
}

// clone returns a copy of the world, nil if its engines cannot be copied.
func (w *world) clone(l *lab) *world {
	if !w.set.Wide {
		return nil
	}
	v := *w
	v.lab = l
	v.net = slices.Clone(w.net)
	v.old = slices.Clip(w.old)
	v.bases = slices.Clip(w.bases)
	v.out, v.in = nil, nil
	for side, h := range w.hosts {
		g := *h
		g.w = &v
		e := h.eng.(*wide).clone(&g, l)
		g.eng = e
		g.conns = slices.Clone(h.conns)
		for i := range g.conns {
			g.conns[i].a = e.a // there is one
		}
		v.hosts[side] = &g
	}
	return &v
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// sends takes a packet from an engine.
func (h *host) sends(p []byte) {
	t := h.w.in != nil && h.w.in.taint
	if t && firstType(p) == chunk.TypeShutdownAck && h.state() == tcb.ShutdownAckSent {
		t = false // an INIT has it sent once more (RFC 9260 section 9.2), and says nothing in it
	}
	h.w.out = append(h.w.out, datagram{from: uint8(h.side), taint: t, data: slices.Clone(p)})
}

// Step implements sideeffects.Tracer.
func (h *host) Step(s *sideeffects.Step) {
	w := h.w
	w.maxCommands = max(w.maxCommands, s.Commands.Len())
	if isTimeout(s.Event.ID) {
		h.fired[s.Event.ID-fsm.EvTimeoutT1Init]++
		h.any = true
	}
	if !w.known {
		w.checkStep(h, s)
	}
	if w.trace != nil {
		w.trace(stepLine(h.side, s))
	}
}

func isTimeout(id fsm.EventID) bool { return id >= fsm.EvTimeoutT1Init && id <= fsm.EvTimeoutSack }

// moves lists what can happen now.
func (w *world) moves(to []Move) []Move {
	for i := range w.net {
		to = append(to, Move{Kind: Deliver, N: uint8(i)})
		if !w.set.NoLoss {
			to = append(to, Move{Kind: Drop, N: uint8(i)})
		}
		if w.dups < w.set.Duplicates {
			to = append(to, Move{Kind: Duplicate, N: uint8(i)})
		}
	}
	for side, h := range w.hosts {
		x := uint8(side)
		may := func(k Kind, n [2]int) bool { return int(h.used[k]) < n[side] }
		if h.due != 0 {
			to = append(to, Move{Kind: Fire, X: x})
		}
		if may(Wait, w.set.Wait) {
			to = append(to, Move{Kind: Wait, X: x})
		}
		if may(Restart, w.set.Restart) {
			to = append(to, Move{Kind: Restart, X: x})
		}
		if may(Reboot, w.set.Reboot) && h.secret+1 < maxSecrets {
			to = append(to, Move{Kind: Reboot, X: x})
		}
		if len(h.conns) == 0 {
			if may(Associate, w.set.Associate) {
				to = append(to, Move{Kind: Associate, X: x})
			}
			continue
		}
		for _, c := range []struct {
			k Kind
			n [2]int
		}{{Send, w.set.Send}, {Shutdown, w.set.Shutdown}, {Abort, w.set.Abort}, {Heartbeat, w.set.Heartbeat}, {Primary, w.set.Primary}} {
			if may(c.k, c.n) {
				to = append(to, Move{Kind: c.k, X: x})
			}
		}
	}
	if w.injects < w.set.Injections {
		to = w.attacks(to)
	}
	return to
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
	case Replay, Inject:
		p, ok := w.attack(m)
		if !ok {
			return false
		}
		w.injects++
		w.deliver(p)
	default:
		if !w.hosts[m.X].act(m.Kind) {
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

func (w *world) deliver(p datagram) {
	h := w.hosts[1-p.from]
	w.in = &p
	if w.trace != nil {
		w.trace("  arrives: " + packetLine(p.data))
	}
	if !p.taint || w.set.Attacker != OffPath || w.known {
		h.eng.input(p.data)
		return
	}
	// Who knows no tag changes nothing: CVE-2021-3772 and its like.
	if len(h.conns) == 0 {
		h.eng.input(p.data)
		if h.eng.associations() > 0 {
			w.fail("an attacker who knows no tag makes an association at %c: %s", sideNames[h.side], packetLine(p.data))
		}
		return
	}
	before := h.fingerprint()
	h.eng.input(p.data)
	if after := h.fingerprint(); string(before) != string(after) {
		w.fail("an attacker who knows no tag changes the association of %c: %s", sideNames[h.side], packetLine(p.data))
	}
}

func (h *host) act(k Kind) bool {
	w := h.w
	h.used[k]++
	switch k {
	case Fire:
		h.used[k] = 0 // each timer has its own count
		return h.fire()
	case Wait:
		// Who has a timer running has to let it expire.
		at := h.now.Add(cookieLife + mono.Second)
		if h.due != 0 && h.due < at {
			return false
		}
		h.now = at
		return true
	case Restart, Reboot:
		w.crashes++
		h.boots++
		if k == Reboot {
			h.secret++
		}
		h.conns, h.got = nil, 0
		h.eng.boot()
		return true
	case Associate:
		c, ok := h.eng.associate()
		c.initiated = true
		h.conns = append(h.conns, c)
		return ok
	}
	if len(h.conns) == 0 {
		return false
	}
	c := &h.conns[0]
	letter := h.letter()
	if !h.eng.call(k, c, letter) {
		return false
	}
	switch k {
	case Send:
		c.sent |= 1 << (letter - 'a')
	case Shutdown:
		c.shut = true
	case Abort:
		w.aborts++
	}
	return true
}

// letter is the content of the message that the user sends: each has its own.
func (h *host) letter() byte { return 'a' + byte(h.side)*8 + h.used[Send]&7 }

// sentBy reports whether a message is one that the user of side sent.
func (w *world) sentBy(side int, letter byte) bool {
	n := int(letter) - 'a' - side*8
	return n > 0 && n <= int(w.hosts[side].used[Send])
}

// fire lets the next timer of the host expire.
func (h *host) fire() bool {
	h.any = false
	for !h.any {
		if h.due == 0 {
			return false
		}
		d := max(h.due.Sub(h.now), 0)
		h.now = h.now.Add(d)
		if h.w.resting {
			// Left alone the clocks run together.
			other := h.w.hosts[1-h.side]
			other.now = other.now.Add(d)
		}
		h.due = h.eng.step()
	}
	if h.w.resting {
		return true
	}
	for i, n := range h.fired {
		most := h.w.set.Timeouts
		if fsm.EvTimeoutT1Init+fsm.EventID(i) == fsm.EvTimeoutHeartbeat && !h.w.set.Heartbeats {
			most = 0
		}
		if int(n) > most {
			return false
		}
	}
	return true
}

// settle lets the users look, and takes what was sent into flight.
func (w *world) settle() {
	for _, h := range w.hosts {
		h.due = h.eng.step()
		for {
			c, ok := h.eng.accept()
			if !ok {
				break
			}
			h.conns = append(h.conns, c)
			w.created(h, &c)
			if w.in == nil || firstType(w.in.data) != chunk.TypeCookieEcho {
				w.fail("%c has an association without a COOKIE ECHO", sideNames[h.side])
			}
		}
		for i := range h.conns {
			h.eng.read(&h.conns[i])
		}
		h.conns = slices.DeleteFunc(h.conns, func(c conn) bool { return c.ended })
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
		w.keep(p)
		if len(w.net) < w.set.InFlight || w.resting {
			w.net = append(w.net, p)
		}
	}
	if !w.known {
		w.check()
	}
}

func firstType(p []byte) chunk.Type { return chunk.Type(p[chunk.HeaderLen]) }

// state is the state of the host's association.
func (h *host) state() tcb.State {
	if len(h.conns) == 0 {
		return tcb.Closed
	}
	return h.conns[0].a.State()
}

const cookieLife = 60 * mono.Second

// config is what both hosts run with.
func (s *Setting) config() *tcb.Config {
	switch {
	case s.Heartbeats:
		return &configs[0]
	case s.Wait != [2]int{}:
		return &configs[1]
	}
	return &configs[2]
}

// configs: the path MTU is known; cookies do not expire unless that is what is looked at, since the
// clocks run apart; heartbeats that are not looked at come so late that all
// else has happened.
var configs = func() (c [3]tcb.Config) {
	for i := range c {
		c[i] = tcb.DefaultConfig()
		c[i].PMTUDiscovery = false
		if i > 0 {
			c[i].HBInterval = 1000 * mono.Second
		}
		if i != 1 {
			c[i].ValidCookieLife = 1 << 60
		}
	}
	return c
}()
