package explore

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// lab is what the worlds that one goroutine works on share: executors, which
// keep nothing between events but the key of their cookies.
type lab struct {
	execs [2][maxSecrets]*sideeffects.Executor
	slot  []byte
	buf   seg.Buf
	dg    sideeffects.Datagram
	key   keyer
}

const maxSecrets = 4

func newLab() *lab {
	l := &lab{slot: make([]byte, 2048)}
	l.buf.B = make([]byte, 1)
	pools := sideeffects.NewPools()
	for side := range l.execs {
		for i := range l.execs[side] {
			l.execs[side][i] = &sideeffects.Executor{Pools: pools, Paranoid: true}
		}
	}
	return l
}

// wide is a host that is an executor and a data path that counts. It has one
// peer and one association, so that finding the association of a packet is no
// matter.
type wide struct {
	h       *host
	lab     *lab
	drawn   uint64 // of the random numbers
	ids     uint32
	a       *sideeffects.Association // nil if there is none
	created bool                     // and the user has not heard of it
}

func (e *wide) exec() *sideeffects.Executor {
	x := e.lab.execs[e.h.side][e.h.secret]
	x.Host, x.Trace = e, e.h
	return x
}

func (e *wide) settings() sideeffects.Settings {
	return sideeffects.Settings{Config: e.h.w.set.config()}
}

// Slot implements sideeffects.Host.
func (e *wide) Slot(int) []byte { return e.lab.slot }

// Emit implements sideeffects.Host.
func (e *wide) Emit(p []byte, _ sideeffects.Addressing) { e.h.sends(p) }

// draw returns the next random number (splitmix64), never 0.
func (e *wide) draw() uint64 {
	e.drawn++
	z := (e.drawn<<2 + uint64(e.h.side) + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Entropy implements sideeffects.Host. The jitter of heartbeats, two bytes, is
// none: when they come does not matter here.
func (e *wide) Entropy(b []byte) {
	clear(b)
	if len(b) <= 2 {
		return
	}
	for i := range b {
		if i%4 == 0 {
			v := uint32(e.draw())
			for j := i; j < min(i+4, len(b)); j++ {
				b[j] = byte(v)
				v >>= 8
			}
		}
	}
}

// Secrets implements sideeffects.Host: a key is good for ever.
func (e *wide) Secrets(mono.Time, mono.Duration) *sideeffects.Secrets {
	return &secrets[e.h.side][e.h.secret]
}

var secrets = func() (s [2][maxSecrets]sideeffects.Secrets) {
	for side := range s {
		for i := range s[side] {
			s[side][i] = sideeffects.Secrets{ID: uint8(i), Current: [32]byte{byte(side), byte(i)}}
		}
	}
	return s
}()

// NewTag implements sideeffects.Host.
func (e *wide) NewTag() chunk.VTag { return chunk.VTag(uint32(e.draw()) | 1) }

// Route implements sideeffects.Host.
func (e *wide) Route(dst netip.Addr, _ []netip.Addr) (sideeffects.Route, bool) {
	return sideeffects.Route{Src: addrs[e.h.side], MTU: 1500, Overhead: 20}, dst == addrs[1-e.h.side]
}

// Create implements sideeffects.Host.
func (e *wide) Create(*sideeffects.Cookie) *sideeffects.Association {
	if e.a != nil {
		return nil
	}
	e.created = true
	return e.prepare()
}

func (e *wide) prepare() *sideeffects.Association {
	e.ids++
	e.a = new(sideeffects.Association)
	e.a.UseDataPlane(&counts{cfg: e.h.w.set.config()})
	e.exec().Prepare(e.a, e.settings(), e.ids, port, port)
	return e.a
}

// Ended implements sideeffects.Host.
func (e *wide) Ended(*sideeffects.Association) {}

func (e *wide) input(p []byte) {
	hdr, err := chunk.ParseHeader(p)
	if err != chunk.ErrNone || hdr.SrcPort != port || hdr.DstPort != port {
		return
	}
	e.lab.dg = sideeffects.Datagram{Packet: p, Header: hdr, Src: addrs[1-e.h.side], Dst: addrs[e.h.side]}
	if e.a != nil {
		e.exec().Packet(e.a, nil, &e.lab.dg, e.h.now)
		return
	}
	ep := sideeffects.Endpoint{Cfg: e.settings(), Listening: true}
	e.exec().Packet(nil, &ep, &e.lab.dg, e.h.now)
}

func (e *wide) associate() (conn, bool) {
	if e.a != nil {
		return conn{}, false
	}
	a := e.prepare()
	x := e.exec()
	x.AddPeer(a, addrs[1-e.h.side], netip.Addr{}, 0)
	return conn{a: a}, x.Associate(a, e.h.now) == fsm.ResultOK
}

func (e *wide) accept() (conn, bool) {
	if !e.created {
		return conn{}, false
	}
	e.created = false
	return conn{a: e.a}, true
}

func (e *wide) call(k Kind, c *conn, letter byte) bool {
	x, now := e.exec(), e.h.now
	var r fsm.Result
	switch k {
	case Send:
		e.lab.buf.B[0] = letter
		r = x.Send(c.a, outqueue.Message{Buf: &e.lab.buf, Stream: dataStream, PPID: dataPPID}, now)
	case Shutdown:
		r = x.Shutdown(c.a, now)
	case Abort:
		r = x.Abort(c.a, nil, now)
	case Heartbeat:
		r = x.Heartbeat(c.a, 0, now)
	case Primary:
		r = x.SetPrimary(c.a, addrs[1-e.h.side], now)
	}
	return r == fsm.ResultOK
}

func (e *wide) step() mono.Time {
	for e.a != nil {
		d := e.a.Deadline()
		if d == 0 || d > e.h.now {
			return d
		}
		e.exec().Timeout(e.a, e.h.now)
	}
	return 0
}

func (e *wide) read(c *conn) {
	d := c.a.Data().(*counts)
	if d.overflow {
		e.h.w.fail("the counting data path has no room: make its bounds larger")
	}
	for _, r := range d.ready[:d.nReady] {
		if r.letter != 0 {
			e.h.message(c, r.letter)
		} else {
			e.h.notified(c, r.kind, fsm.AssocChange(r.a))
		}
	}
	clear(d.ready[:d.nReady])
	d.nReady = 0
	if c.a.End.Ended {
		e.h.over(c, c.a.End)
		e.a = nil
	}
}

func (e *wide) associations() int {
	if e.a == nil {
		return 0
	}
	return 1
}

func (e *wide) boot() { e.a, e.created = nil, false }

// clone returns the same for another world.
func (e *wide) clone(h *host, l *lab) *wide {
	c := *e
	c.h, c.lab = h, l
	if e.a != nil {
		c.a = e.a.Clone(e.a.Data().(*counts).clone())
	}
	return &c
}
