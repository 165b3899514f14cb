package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Records begin with a byte that says what they are: a call (its Op, plus
// one), a definition, or an answer of the Host's. Numbers are varints, times
// the difference to the last one, addresses and Configs the number of their
// definition.
const (
	recAddr   = 0x40 + iota // length, bytes of netip.Addr
	recConfig               // length, configText
	recForget               // all definitions
	recEntropy
	recTag
	recRoute
	recCreated
	recFull  // no room to send
	recSlot  // the capacity of slots from now on
	recShare // limit, quantum: of the memory that shards share
	recFree  // what is left of it, as the difference to the last
	recEmit
	recSecrets // 0: those of before; or 1, ID, two, the two keys
	recWay     // OK and SourceGone, and the route if OK
)

// Flags of a call.
const (
	callMore = 1 << iota
	callHold
	callAssoc
	callEndpoint
	callListening
	callBacklogFull
	callNotUnicast
	callNow
)

// maxDefs bounds what is remembered of addresses and Configs.
const maxDefs = 1 << 15

// encoder turns calls and answers of one shard into records.
type encoder struct {
	b     []byte
	data  bool // user data is kept
	now   mono.Time
	addrs map[netip.Addr]int
	cfgs  map[string]int
	last  *tcb.Config // the Config used last, and its number
	lastN int
	cuts  []cut
	slots int // capacity
	keys  *sideeffects.Secrets
	free  int64
}

func (e *encoder) forget() {
	if len(e.addrs) >= maxDefs || len(e.cfgs) >= maxDefs {
		e.b = append(e.b, recForget)
		e.addrs, e.cfgs, e.last = nil, nil, nil
	}
	if e.addrs == nil {
		e.addrs, e.cfgs = make(map[netip.Addr]int), make(map[string]int)
	}
}

func b1(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

// addr returns a's number, after defining it; 0 is no address.
func (e *encoder) addr(a netip.Addr) uint64 {
	if !a.IsValid() {
		return 0
	}
	n, ok := e.addrs[a]
	if !ok {
		n = len(e.addrs) + 1
		e.addrs[a] = n
		raw, _ := a.MarshalBinary() // no error is possible
		e.b = append(e.b, recAddr)
		e.uint(uint64(len(raw)))
		e.b = append(e.b, raw...)
	}
	return uint64(n)
}

func (e *encoder) config(c *tcb.Config) uint64 {
	if c == e.last {
		return uint64(e.lastN)
	}
	text := configText(c)
	n, ok := e.cfgs[text]
	if !ok {
		n = len(e.cfgs)
		e.cfgs[text] = n
		e.b = append(e.b, recConfig)
		e.uint(uint64(len(text)))
		e.b = append(e.b, text...)
	}
	e.last, e.lastN = c, n
	return uint64(n)
}

// defineSettings returns the numbers that settings writes.
func (e *encoder) defineSettings(s *sideeffects.Settings) (cfg uint64, local []uint64) {
	cfg = e.config(s.Config)
	for _, a := range s.Local {
		local = append(local, e.addr(a))
	}
	return cfg, local
}

func (e *encoder) settings(cfg uint64, foreign bool, local []uint64) {
	e.uint(cfg)
	e.uint(uint64(b1(foreign)))
	e.uint(uint64(len(local)))
	for _, n := range local {
		e.uint(n)
	}
}

func (e *encoder) packet(p []byte) {
	e.cuts = e.cuts[:0]
	if !e.data {
		e.cuts = userData(e.cuts, p)
	}
	e.b = appendPacket(e.b, p, e.cuts)
}

// private writes bytes of the user's, or only how many.
func (e *encoder) private(p []byte) {
	e.uint(uint64(len(p)))
	if e.data {
		e.b = append(e.b, p...)
	}
}

func (e *encoder) call(c *sideeffects.Call) {
	e.forget()
	// Definitions go first.
	var src, dst, addr, cfg uint64
	var local []uint64
	switch c.Op {
	case sideeffects.OpPrepare, sideeffects.OpReconfigure:
		cfg, local = e.defineSettings(&c.Settings)
	case sideeffects.OpPacket:
		src, dst = e.addr(c.Datagram.Src), e.addr(c.Datagram.Dst)
		if c.Endpoint != nil {
			cfg, local = e.defineSettings(&c.Endpoint.Cfg)
		}
	case sideeffects.OpSetPrimary, sideeffects.OpTooBig, sideeffects.OpLinkMTU:
		addr = e.addr(c.Addr)
	case sideeffects.OpAddPeer, sideeffects.OpSetSource:
		addr, src = e.addr(c.Addr), e.addr(c.Src)
	}

	flags := byte(0)
	set := func(on bool, f byte) {
		if on {
			flags |= f
		}
	}
	set(c.More, callMore)
	set(c.Hold, callHold)
	set(c.Assoc != nil, callAssoc)
	set(c.Now != 0, callNow)
	if ep := c.Endpoint; ep != nil {
		set(true, callEndpoint)
		set(ep.Listening, callListening)
		set(ep.BacklogFull, callBacklogFull)
	}
	if c.Datagram != nil {
		set(c.Datagram.NotUnicast, callNotUnicast)
	}
	e.b = append(e.b, byte(c.Op)+1, flags)
	if c.Now != 0 {
		e.b = binary.AppendVarint(e.b, int64(c.Now-e.now))
		e.now = c.Now
	}
	id := c.ID // what OpPrepare will give it
	if c.Assoc != nil {
		if c.Op != sideeffects.OpPrepare {
			id = c.Assoc.ID()
		}
		e.uint(uint64(id))
	}
	switch c.Op {
	case sideeffects.OpPrepare:
		e.settings(cfg, c.Settings.Congestion != nil, local)
		e.uint(uint64(c.LocalPort))
		e.uint(uint64(c.PeerPort))
	case sideeffects.OpReconfigure:
		e.settings(cfg, false, local)
	case sideeffects.OpAddPeer, sideeffects.OpSetSource:
		e.uint(addr)
		e.uint(src)
		e.uint(uint64(c.EncapPort))
	case sideeffects.OpPacket:
		d := c.Datagram
		e.uint(src)
		e.uint(dst)
		e.uint(uint64(d.EncapPort))
		e.uint(uint64(d.Link))
		if c.Endpoint != nil {
			e.settings(cfg, c.Endpoint.Cfg.Congestion != nil, local)
		}
		e.packet(d.Packet)
	case sideeffects.OpSend:
		m := &c.Message
		flags := uint64(0)
		for i, on := range [...]bool{m.Unordered, m.Immediate, m.NoDelay} {
			if on {
				flags |= 1 << i
			}
		}
		e.uint(flags | uint64(m.Via)<<3)
		e.uint(uint64(m.Stream))
		e.uint(uint64(m.PPID))
		e.uint(uint64(m.Context))
		e.private(m.Buf.B)
	case sideeffects.OpAbort:
		e.private(c.Reason)
	case sideeffects.OpHeartbeat:
		e.uint(uint64(c.Path))
	case sideeffects.OpSetPrimary:
		e.uint(addr)
	case sideeffects.OpConsumed, sideeffects.OpDetach, sideeffects.OpReclaim, sideeffects.OpReporting:
		e.uint(uint64(c.N))
	case sideeffects.OpTooBig, sideeffects.OpLinkMTU:
		e.uint(addr)
		e.uint(uint64(c.N))
	}
}

func (e *encoder) share(limit, quantum int) {
	e.b = append(e.b, recShare)
	e.uint(uint64(limit))
	e.uint(uint64(quantum))
}

func (e *encoder) left(free int64) {
	e.b = binary.AppendVarint(append(e.b, recFree), free-e.free)
	e.free = free
}

func (e *encoder) entropy(b []byte) {
	e.b = append(e.b, recEntropy)
	e.uint(uint64(len(b)))
	e.b = append(e.b, b...)
}

func (e *encoder) tag(t chunk.VTag) { e.b = le.AppendUint32(append(e.b, recTag), uint32(t)) }

func (e *encoder) route(dst netip.Addr, r sideeffects.Route, ok bool) {
	e.forget()
	to, src := e.addr(dst), e.addr(r.Src)
	e.b = append(e.b, recRoute)
	e.uint(to)
	if !ok {
		e.b = append(e.b, 0)
		return
	}
	e.b = append(e.b, 1)
	e.routeTo(src, &r)
}

func (e *encoder) routeTo(src uint64, r *sideeffects.Route) {
	e.uint(src)
	e.uint(uint64(r.MTU))
	e.uint(uint64(r.Overhead))
	e.uint(uint64(r.Link))
	e.b = append(e.b, b1(r.Cut))
}

// Flags of a way.
const (
	wayOK = 1 << iota
	waySourceGone
)

func (e *encoder) way(w *sideeffects.Way) {
	e.forget()
	src := e.addr(w.Src)
	e.b = append(e.b, recWay, b1(w.OK)*wayOK|b1(w.SourceGone)*waySourceGone)
	e.routeTo(src, &w.Route)
}

func (e *encoder) secrets(s *sideeffects.Secrets) {
	e.b = append(e.b, recSecrets, b1(s != e.keys))
	if s == e.keys {
		return
	}
	e.keys = s
	e.b = append(e.b, s.ID, b1(s.Two))
	e.b = append(append(e.b, s.Current[:]...), s.Previous[:]...)
}

// slot notes how large slots are.
func (e *encoder) slot(n int) {
	if e.slots != n {
		e.slots = n
		e.b = append(e.b, recSlot)
		e.uint(uint64(n))
	}
}

func (e *encoder) created(id uint32) {
	e.b = append(e.b, recCreated)
	e.uint(uint64(id))
}

func (e *encoder) emit(p []byte, to sideeffects.Addressing) {
	e.forget()
	src, dst := e.addr(to.Src), e.addr(to.Dst)
	e.b = append(e.b, recEmit)
	e.uint(src)
	e.uint(dst)
	e.uint(uint64(to.EncapPort))
	e.uint(uint64(to.Link))
	e.b = append(e.b, b1(to.Fragment))
	e.packet(p)
}

// decoder reads records. After an error all it reads is zero.
type decoder struct {
	b     []byte
	err   error
	now   mono.Time
	addrs []netip.Addr
	cfgs  []*tcb.Config
	odd   map[string]bool // parameters that could not be taken over
	data  bool

	congestion func() path.Controller
}

func (d *decoder) strange(name string) {
	if d.odd == nil {
		d.odd = make(map[string]bool)
	}
	d.odd[name] = true
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

var errShort = fmt.Errorf("%w: a record ends too early", ErrFormat)

// uint reads a number that is at most max.
func (d *decoder) uint(max int) int { return int(d.uint64(uint64(max))) }

// uint32 reads any number of 32 bits.
func (d *decoder) uint32() uint32 { return uint32(d.uint64(1<<32 - 1)) }

func (d *decoder) uint64(max uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	if v > max {
		d.fail(fmt.Errorf("%w: %d where at most %d can be", ErrFormat, v, max))
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bytes(n int) []byte {
	if len(d.b) < n {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) addr() netip.Addr {
	n := d.uint(len(d.addrs))
	if n == 0 {
		return netip.Addr{}
	}
	return d.addrs[n-1]
}

// route reads what routeTo wrote.
func (d *decoder) route() (r sideeffects.Route) {
	r = sideeffects.Route{Src: d.addr(), MTU: d.uint(1 << 17), Overhead: d.uint(1 << 10), Link: uint8(d.uint(255)), Cut: d.byte() != 0}
	if d.err == nil && r.MTU != 0 && r.MTU-r.Overhead < 128 {
		d.fail(fmt.Errorf("%w: a route with an MTU of %d", ErrFormat, r.MTU))
	}
	return r
}

func (d *decoder) settings() (s sideeffects.Settings) {
	if len(d.cfgs) == 0 {
		d.fail(fmt.Errorf("%w: no parameters", ErrFormat))
		return s
	}
	s.Config = d.cfgs[d.uint(len(d.cfgs)-1)]
	if d.uint(1) == 1 {
		if s.Congestion = d.congestion; s.Congestion == nil {
			d.strange("Congestion")
		}
	}
	for range d.uint(256) {
		s.Local = append(s.Local, d.addr())
	}
	return s
}

const maxMessage = 1 << 26 // of what is played; sizes are the file's word

func (d *decoder) private() []byte {
	n := d.uint(maxMessage)
	if d.err != nil {
		return nil
	}
	if d.data {
		return d.bytes(n)
	}
	return make([]byte, n)
}

// peek returns the kind of the next record, after reading definitions; 0 at
// the end.
func (d *decoder) peek() byte {
	for len(d.b) > 0 {
		switch d.b[0] {
		case recAddr:
			d.b = d.b[1:]
			var a netip.Addr
			if err := a.UnmarshalBinary(d.bytes(d.uint(256))); err != nil || !a.IsValid() {
				d.fail(fmt.Errorf("%w: an address that is none", ErrFormat))
				return 0
			}
			d.addrs = append(d.addrs, a)
		case recConfig:
			d.b = d.b[1:]
			c, odd, err := parseConfig(string(d.bytes(d.uint(1 << 16))))
			if err != nil {
				d.fail(err)
				return 0
			}
			for _, name := range odd {
				d.strange(name)
			}
			d.cfgs = append(d.cfgs, c)
		case recForget:
			d.b = d.b[1:]
			d.addrs, d.cfgs = nil, nil
		default:
			return d.b[0]
		}
	}
	return 0
}

func isCall(kind byte) bool { return kind > 0 && kind <= byte(sideeffects.NumOps) }

// callTime returns the time of the call that comes next, without taking it.
func (d *decoder) callTime() mono.Time {
	if len(d.b) > 2 && d.b[1]&callNow != 0 {
		if v, n := binary.Varint(d.b[2:]); n > 0 {
			return d.now + mono.Time(v)
		}
	}
	return d.now
}

// call reads a call; its Assoc is named by the id.
func (d *decoder) call() (c sideeffects.Call, id uint32, hasAssoc bool) {
	c.Op = sideeffects.Op(d.byte() - 1)
	flags := d.byte()
	on := func(f byte) bool { return flags&f != 0 }
	c.More, c.Hold = on(callMore), on(callHold)
	if on(callNow) {
		v, n := binary.Varint(d.b)
		if n <= 0 {
			d.fail(errShort)
			return
		}
		d.b = d.b[n:]
		d.now += mono.Time(v)
		if d.now <= 0 || d.now > 1<<60 {
			d.fail(fmt.Errorf("%w: the time is %d", ErrFormat, d.now))
			return
		}
		c.Now = d.now
	}
	if hasAssoc = on(callAssoc); hasAssoc {
		id = d.uint32()
	}
	port := func() uint16 { return uint16(d.uint(1<<16 - 1)) }
	switch c.Op {
	case sideeffects.OpPrepare:
		c.Settings = d.settings()
		c.ID, c.LocalPort, c.PeerPort = id, port(), port()
	case sideeffects.OpReconfigure:
		c.Settings = d.settings()
	case sideeffects.OpAddPeer, sideeffects.OpSetSource:
		c.Addr, c.Src, c.EncapPort = d.addr(), d.addr(), port()
	case sideeffects.OpPacket:
		in := &sideeffects.Datagram{Src: d.addr(), Dst: d.addr(), EncapPort: port(), Link: uint8(d.uint(255)), NotUnicast: on(callNotUnicast)}
		if on(callEndpoint) {
			c.Endpoint = &sideeffects.Endpoint{Cfg: d.settings(), Listening: on(callListening), BacklogFull: on(callBacklogFull)}
		}
		in.Packet = d.packet()
		h, e := chunk.ParseHeader(in.Packet)
		if d.err == nil && (e != chunk.ErrNone || len(in.Packet) < chunk.HeaderLen+chunk.ChunkHeaderLen || !in.Src.IsValid()) {
			d.fail(fmt.Errorf("%w: a packet that is none", ErrFormat))
		}
		in.Header = h
		c.Datagram = in
	case sideeffects.OpSend:
		m := &c.Message
		f := d.uint(1<<11 - 1)
		m.Via = uint8(f >> 3)
		m.Unordered, m.Immediate, m.NoDelay = f&1 != 0, f&2 != 0, f&4 != 0
		m.Stream, m.PPID, m.Context = chunk.StreamID(port()), chunk.PPID(d.uint32()), d.uint32()
		c.Reason = d.private() // the player makes a buffer of it
		if d.err == nil && len(c.Reason) == 0 {
			d.fail(fmt.Errorf("%w: an empty message", ErrFormat))
		}
	case sideeffects.OpAbort:
		c.Reason = d.private()
	case sideeffects.OpHeartbeat:
		c.Path = tcb.PathID(d.uint(255))
	case sideeffects.OpSetPrimary:
		c.Addr = d.addr()
	case sideeffects.OpConsumed, sideeffects.OpDetach, sideeffects.OpReclaim, sideeffects.OpReporting:
		c.N = d.uint(min(1<<31, math.MaxInt))
	case sideeffects.OpTooBig, sideeffects.OpLinkMTU:
		c.Addr, c.N = d.addr(), d.uint(min(1<<32, math.MaxInt))
	}
	return c, id, hasAssoc
}
