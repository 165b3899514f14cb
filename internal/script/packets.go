package script

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/transport"
)

// Statements about packets and the network.

// inject is `<`: the peer sends a packet.
type inject struct {
	chunks []chunkSpec
	opts   []field
}

func option(opts []field, name string) *field {
	for i := range opts {
		if opts[i].name == name {
			return &opts[i]
		}
	}
	return nil
}

func (r *runner) optNum(opts []field, name string, def value, max uint64) (uint64, error) {
	if f := option(opts, name); f != nil {
		def = f.val
	}
	n, err := r.env.num(def, max)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func (r *runner) optAddr(opts []field, name string, def netip.Addr) (netip.Addr, error) {
	if f := option(opts, name); f != nil {
		return r.env.addr(f.val)
	}
	return def, nil
}

func (in *inject) run(r *runner) error {
	if err := r.wait(r.cur.when.lo); err != nil {
		return err
	}
	var body []byte
	def := ref(varStackTag)
	for i := range in.chunks {
		c := &in.chunks[i]
		b, err := c.build(r.env)
		if err != nil {
			return err
		}
		if c.typ == chunk.TypeInit {
			def = num(0)
		}
		body = append(body, b...)
	}
	if len(body) > 65535-chunk.HeaderLen {
		return fmt.Errorf("%d bytes of chunks do not fit a packet", len(body))
	}
	w := &r.s.world
	tag, err := r.optNum(in.opts, "tag", def, u32)
	if err != nil {
		return err
	}
	sport, err := r.optNum(in.opts, "sport", num(w.peerPort), u16)
	if err != nil {
		return err
	}
	dport, err := r.optNum(in.opts, "dport", num(w.stackPort), u16)
	if err != nil {
		return err
	}
	from, err := r.optAddr(in.opts, "from", w.peer[0])
	if err != nil {
		return err
	}
	to, err := r.optAddr(in.opts, "to", w.local[0])
	if err != nil {
		return err
	}
	cut, err := r.optNum(in.opts, "cut", num(0), u16)
	if err != nil {
		return err
	}
	p := chunk.AppendHeader(nil, uint16(sport), uint16(dport), chunk.VTag(tag))
	p = append(p, body...)
	p = p[:max(chunk.HeaderLen, len(p)-int(cut))]
	chunk.SetChecksum(p)
	if option(in.opts, "crc") != nil { // crc=bad
		p[8] ^= 0x10
	}
	if f := option(in.opts, "corrupt"); f != nil {
		i, err := r.env.num(f.val, uint64(len(p)-1))
		if err != nil {
			return err
		}
		p[i] ^= 0x10
		chunk.SetChecksum(p)
	}
	r.inTag = chunk.VTag(tag)
	r.meet(from)
	if r.wires[[2]netip.Addr{from, to}] != nil {
		r.peer.Send(from, to, p)
	} else {
		r.stack.Inject(transport.RxSlot{Data: p, Src: from, Dst: to})
	}
	if err := r.pass(r.net.Now(), never); err != nil {
		return err
	}
	return r.acted()
}

// meet lays wires to an address that is not the peer's, so that an answer to it
// is seen.
func (r *runner) meet(a netip.Addr) {
	w := &r.s.world
	if slices.Contains(w.peer, a) || slices.Contains(w.local, a) || slices.Contains(r.strangers, a) || len(r.strangers) >= maxStrangers {
		return
	}
	r.strangers = append(r.strangers, a)
	r.net.AddPeer("stranger", r.arrive, a)
	for _, l := range w.local {
		r.net.Connect(l, a, impair.Config{})
	}
}

// maxStrangers is how many addresses beside the peer's a script can see answers
// to.
const maxStrangers = 64

// expect is `>`: the stack sends a packet.
type expect struct {
	chunks []chunkSpec
	opts   []field
}

func (x *expect) run(r *runner) error {
	w := r.cur.when
	if !w.given {
		w.hi = 2 * r.s.world.delay
	}
	from, to := r.base.Add(mono.FromStd(w.lo)), r.base.Add(mono.FromStd(w.hi))
	if err := r.pass(to, func() bool { return len(r.queue) > 0 }); err != nil {
		return err
	}
	if len(r.queue) == 0 {
		return fmt.Errorf("expected %s, came nothing for %v", x.chunks[0].name, r.net.Now().Sub(r.base).Std())
	}
	p := r.queue[0]
	r.queue = r.queue[1:]
	if err := x.match(r, &p); err != nil {
		return fmt.Errorf("%w; it was %s from %v to %v, %s", err, describePacket(r.env, p.data), p.src, p.dst, r.ago(p.at))
	}
	if p.at < from || p.at > to {
		return fmt.Errorf("expected %s %v after the statement before, came it %v after", x.chunks[0].name, w.lo, p.at.Sub(r.base).Std())
	}
	r.last, r.base = &p, p.at
	return r.user.poll(r)
}

func (x *expect) match(r *runner, p *packet) error {
	cs, err := split(p.data)
	if err != nil {
		return err
	}
	for i := range x.chunks {
		if i >= len(cs) {
			return fmt.Errorf("expected %s as chunk %d, came %d chunks only", x.chunks[i].name, i+1, len(cs))
		}
		if err := x.chunks[i].match(r.env, cs[i]); err != nil {
			return err
		}
	}
	if len(cs) > len(x.chunks) {
		return fmt.Errorf("expected %d chunks, came %s bundled too", len(x.chunks), describe(r.env, cs[len(x.chunks)]))
	}
	h, _ := chunk.ParseHeader(p.data)
	def := ref(varPeerTag)
	for i, c := range cs {
		switch c.Type() {
		case chunk.TypeInit:
			def = num(0)
		case chunk.TypeAbort, chunk.TypeShutdownComplete:
			if x.chunks[i].find("T") != nil {
				def = num(uint32(r.inTag))
			}
		}
	}
	wd := &r.s.world
	checks := []struct {
		name string
		def  value
		got  value
	}{
		{"tag", def, num(uint32(h.VTag))},
		{"sport", num(wd.stackPort), num(h.SrcPort)},
		{"dport", num(wd.peerPort), num(h.DstPort)},
		{"from", value{kind: anyValue}, value{kind: addrValue, addr: p.src}},
		{"to", value{kind: anyValue}, value{kind: addrValue, addr: p.dst}},
		{"size", value{kind: anyValue}, num(len(p.data))},
	}
	for _, c := range checks {
		if f := option(x.opts, c.name); f != nil {
			c.def = f.val
		}
		if err := r.env.match(c.def, c.got); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, c := range cs {
		r.learn(c)
	}
	return nil
}

// learn keeps what a script needs of a packet that was expected.
func (r *runner) learn(c chunk.Chunk) {
	for _, f := range facets(c) {
		name := ""
		switch c.Type() {
		case chunk.TypeInit, chunk.TypeInitAck:
			name = map[string]string{"tag": varStackTag, "tsn": varStackTSN, "cookie": varCookie}[f.name]
		case chunk.TypeHeartbeat:
			name = map[string]string{"info": varHeartbeat}[f.name]
		}
		if name != "" {
			r.env[name] = f.val
		}
	}
}

// silence is a time in which the stack sends nothing.
type silence struct{ d time.Duration }

func (s *silence) run(r *runner) error {
	if err := r.wait(s.d); err != nil {
		return err
	}
	return r.acted()
}

// repeat does its statements n times.
type repeat struct {
	n    int
	body []stmt
}

func (x *repeat) run(r *runner) error {
	for range x.n {
		if len(x.body) == 0 {
			return nil
		}
		if err := r.block(x.body); err != nil {
			return err
		}
	}
	return nil
}

// let sets a variable.
type let struct {
	name string
	val  value
}

func (l *let) run(r *runner) error {
	v, err := r.env.eval(l.val)
	if err != nil {
		return err
	}
	switch v.kind {
	case numValue, bytesValue, addrValue:
	default:
		return fmt.Errorf("expected a number, bytes or an address for $%s, found %v", l.name, v)
	}
	r.env[l.name] = v
	return nil
}

// answer has the peer answer HEARTBEATs by itself.
type answer struct{}

func (*answer) run(r *runner) error {
	r.answers = true
	return nil
}

// link changes wires, in both directions.
type link struct {
	local, peer netip.Addr // none: all
	cfg         func(*impair.Config)
}

func (l *link) run(r *runner) error {
	if err := r.rest(); err != nil {
		return err
	}
	n := 0
	for ends, w := range r.wires {
		if l.local.IsValid() && ends != [2]netip.Addr{l.local, l.peer} && ends != [2]netip.Addr{l.peer, l.local} {
			continue
		}
		n++
		c := w.Config()
		l.cfg(&c)
		w.SetConfig(c)
	}
	if n == 0 {
		return fmt.Errorf("there is no link from %v to %v", l.local, l.peer)
	}
	return nil
}

// icmp hands the stack an ICMP error about its last packet that was expected.
type icmp struct {
	kind transport.ICMP
	opts []field
}

func (c *icmp) run(r *runner) error {
	if err := r.rest(); err != nil {
		return err
	}
	if r.last == nil {
		return fmt.Errorf("the stack has sent no packet yet that an ICMP error could be about")
	}
	mtu, err := r.optNum(c.opts, "mtu", num(0), u32)
	if err != nil {
		return err
	}
	q := append([]byte(nil), r.last.data...)
	n, err := r.optNum(c.opts, "quote", num(len(q)), u16)
	if err != nil {
		return err
	}
	if option(c.opts, "tag") != nil {
		tag, err := r.optNum(c.opts, "tag", num(0), u32)
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint32(q[4:], uint32(tag))
	}
	r.stack.Inject(transport.RxSlot{
		Kind: transport.ICMPError, ICMP: c.kind, MTU: uint32(mtu), Data: q[:min(int(n), len(q))], Src: r.last.src, Dst: r.last.dst,
	})
	if err := r.pass(r.net.Now(), never); err != nil {
		return err
	}
	return r.acted()
}
