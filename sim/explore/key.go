package explore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Key is the digest of a state.
type Key [16]byte

// names gives random values the numbers in which they appear.
type names struct {
	bases  []chunk.TSN // Initial TSNs
	values []uint32
	swap   byte // for the letters of messages: set if Z comes first
}

// letter names a message.
func (n *names) letter(c byte) byte {
	if c < 'a' {
		return c
	}
	return ((c - 'a') ^ n.swap) + 'a'
}

// value names a tag or nonce; 0 keeps its meaning.
func (n *names) value(v uint32) uint32 {
	if v == 0 {
		return 0
	}
	i := slices.Index(n.values, v)
	if i < 0 {
		i = len(n.values)
		n.values = append(n.values, v)
	}
	return uint32(i + 1)
}

// tsn names a TSN by the Initial TSN it is near to.
func (n *names) tsn(t chunk.TSN) uint32 {
	for _, b := range n.bases {
		if d := int32(t - b); d >= -1 && d < 1<<8 {
			return n.value(uint32(b))<<16 | uint32(d+1)
		}
	}
	return uint32(t)
}

// base remembers an Initial TSN.
func (w *world) base(t chunk.TSN) {
	if !slices.Contains(w.bases, t) {
		w.bases = append(w.bases, t)
	}
}

// keyer is what making keys needs, kept to be used again.
type keyer struct {
	b     []byte
	ps    [][]byte
	order []int
	n, m  names
}

// key returns the digest of the state. Where both sides may do the same, a
// state and its mirror image are one.
func (w *world) key() Key {
	k := w.keyFrom(0)
	if w.set.symmetric() {
		if m := w.keyFrom(1); bytes.Compare(m[:], k[:]) < 0 {
			return m
		}
	}
	return k
}

// keyFrom is the digest with one side first. What bounds the exploration counts
// only while it is bounded.
func (w *world) keyFrom(first int) Key {
	kr := &w.lab.key
	n := &kr.n
	n.bases, n.values, n.swap = w.bases, n.values[:0], byte(first)<<3
	b := kr.b[:0]
	if w.resting {
		b = append(b, 1, uint8(int(w.next(false).X)^first))
	} else {
		b = append(b, 0, uint8(w.dups), uint8(w.injects))
	}
	b = append(b, flags(w.injects > 0, w.crashes > 0, w.aborts > 0, w.ends > 0, w.leaves > 0, w.gone > 0, w.late))
	for _, h := range [2]*host{w.hosts[first], w.hosts[1-first]} {
		b = h.appendKey(b, n)
	}
	// Packets in flight have no order.
	for len(kr.ps) < len(w.net) {
		kr.ps = append(kr.ps, nil)
	}
	kr.order = kr.order[:0]
	for i, p := range w.net {
		kr.m.bases, kr.m.swap = n.bases, n.swap
		kr.m.values = append(kr.m.values[:0], n.values...)
		kr.ps[i] = w.appendPacket(append(kr.ps[i][:0], p.from^uint8(first)), p, &kr.m)
		kr.order = append(kr.order, i)
	}
	slices.SortStableFunc(kr.order, func(i, j int) int { return bytes.Compare(kr.ps[i], kr.ps[j]) })
	for _, i := range kr.order {
		b = append(b, w.net[i].from^uint8(first))
		b = w.appendPacket(b, w.net[i], n)
	}
	if !w.resting && w.injects < w.set.Injections {
		for _, p := range w.old {
			b = append(b, p.from^uint8(first), p.epoch)
			b = w.appendPacket(b, p, n)
		}
	}
	kr.b = b
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}

func flags(v ...bool) (f uint8) {
	for i, on := range v {
		if on {
			f |= 1 << i
		}
	}
	return f
}

// appendKey appends the state of the host, its user and its association.
func (h *host) appendKey(b []byte, n *names) []byte {
	w := h.w
	if w.resting {
		b = append(b, flags(h.used[Shutdown] > 0))
	} else {
		b = append(b, h.fired[:]...)
		b = append(b, h.used[Wait:]...)
	}
	le := binary.LittleEndian
	b = append(b, flags(h.lost), h.secret, h.used[Send], uint8(len(h.conns)))
	b = le.AppendUint32(b, rotate(h.got, n.swap))
	b = le.AppendUint32(b, rotate(w.arrived, n.swap))
	for i := range h.conns {
		c := &h.conns[i]
		b = append(b, flags(c.initiated, c.up, c.final, c.shut), n.letter(c.last))
		b = le.AppendUint32(b, rotate(c.sent, n.swap))
		b = le.AppendUint32(b, rotate(c.got, n.swap))
		b = appendAssoc(b, h, c.a, n)
	}
	return b
}

// rotate swaps the sides in a set of messages.
func rotate(set uint32, swap byte) uint32 {
	if swap == 0 {
		return set
	}
	return set>>8&0xff | set&0xff<<8
}

func appendAssoc(b []byte, h *host, a *sideeffects.Association, n *names) []byte {
	t := a.CloneTCB()
	t.LocalTag, t.PeerTag = chunk.VTag(n.value(uint32(t.LocalTag))), chunk.VTag(n.value(uint32(t.PeerTag)))
	t.TieLocal, t.TiePeer = n.value(t.TieLocal), n.value(t.TiePeer)
	t.LocalTSN, t.PeerTSN = chunk.TSN(n.tsn(t.LocalTSN)), chunk.TSN(n.tsn(t.PeerTSN))
	for i := range t.Paths {
		t.Paths[i].Nonce = uint64(n.value(uint32(t.Paths[i].Nonce)))
	}
	b = t.AppendKey(b)
	if ck := a.HeldCookie(); t.State == tcb.CookieEchoed && len(ck) >= cookieWordsEnd {
		b = appendCookie(b, ck, n)
		b = append(b, h.w.stale(1-h.side, ck))
	}

	le := binary.LittleEndian
	switch d := a.Data().(type) {
	case *sideeffects.Plane:
		b = le.AppendUint16(b, uint16(d.Out.QueuedMessages()))
		b = le.AppendUint16(b, uint16(d.Out.Unacked()))
		b = le.AppendUint16(b, uint16(d.Out.InFlight()))
		b = le.AppendUint32(b, n.tsn(d.Out.NextTSN()))
		b = le.AppendUint32(b, n.tsn(d.In.CumTSN()))
		b = append(b, flags(d.In.HasGap(), d.In.Pending(), d.In.Due()))
	case *counts:
		b = d.appendKey(b, n)
	}

	var buf [8]sideeffects.Armed
	armed := a.AppendArmed(buf[:0])
	slices.SortStableFunc(armed, func(x, y sideeffects.Armed) int { return cmp.Compare(x.At, y.At) })
	for _, t := range armed {
		b = append(b, uint8(t.Event))
	}
	return append(b, 0xff)
}

// appendKey appends what the data path counts.
func (c *counts) appendKey(b []byte, n *names) []byte {
	le := binary.LittleEndian
	b = append(b, flags(c.sending, c.receiving, c.closed, c.due, c.dup, c.started, c.hurry), c.marked, c.gapped, c.ahead, c.packets, uint8(c.active))
	b = le.AppendUint32(b, n.tsn(c.cum))
	b = le.AppendUint32(b, n.tsn(c.in))
	for _, l := range [2]*letters{&c.unacked, &c.queue} {
		b = append(b, l.n)
		for _, v := range l.b[:l.n] {
			b = append(b, n.letter(v))
		}
	}
	if c.ahead != 0 {
		for _, v := range c.held {
			b = append(b, n.letter(v))
		}
	}
	if c.dup {
		b = le.AppendUint32(b, n.tsn(c.dupTSN))
	}
	return b
}

// fingerprint is all of the host that a packet may change.
func (h *host) fingerprint() []byte {
	n := &names{bases: h.w.bases}
	var b []byte
	for i := range h.conns {
		b = appendAssoc(b, h, h.conns[i].a, n)
		for _, t := range h.conns[i].a.AppendArmed(nil) {
			b = binary.LittleEndian.AppendUint64(b, uint64(t.At))
		}
	}
	return append(b, uint8(h.eng.associations()))
}

// stale says, where cookies expire, whether one has, by the clock of its maker.
func (w *world) stale(maker int, ck []byte) uint8 {
	if w.set.Wait == [2]int{} || len(ck) < cookieWordsEnd {
		return 0
	}
	be := binary.BigEndian
	age := w.hosts[maker].now.Sub(mono.Time(be.Uint64(ck[4:])))
	return 1 + flags(age > mono.Duration(be.Uint64(ck[12:])))
}

// appendPacket appends the meaning of a packet.
func (w *world) appendPacket(b []byte, pk datagram, n *names) []byte {
	p := pk.data
	if w.set.Attacker == OffPath {
		b = append(b, flags(pk.taint))
	}
	h, _ := chunk.ParseHeader(p)
	le := binary.LittleEndian
	b = le.AppendUint32(b, n.value(uint32(h.VTag)))
	walk := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := walk.Next()
		if !ok {
			return append(b, 0xff)
		}
		b = append(b, uint8(c.Type()), c.Flags())
		b = w.appendChunk(b, pk.from, c, n)
	}
}

func (w *world) appendChunk(b []byte, from uint8, c chunk.Chunk, n *names) []byte {
	le := binary.LittleEndian
	switch c.Type() {
	case chunk.TypeData:
		d, _ := chunk.ParseData(c)
		b = le.AppendUint32(b, n.tsn(d.TSN))
		b = le.AppendUint16(b, uint16(d.Stream))
		b = le.AppendUint16(b, uint16(d.SSN))
		for _, c := range d.Payload {
			b = append(b, n.letter(c))
		}
		return b
	case chunk.TypeSack:
		s, _ := chunk.ParseSack(c)
		b = le.AppendUint32(b, n.tsn(s.CumTSN))
		return append(b, c[chunk.ChunkHeaderLen+4:]...)
	case chunk.TypeShutdown:
		cum, _ := chunk.ParseShutdown(c)
		return le.AppendUint32(b, n.tsn(cum))
	case chunk.TypeInit, chunk.TypeInitAck:
		in, _ := chunk.ParseInit(c)
		b = le.AppendUint32(b, n.value(uint32(in.Tag)))
		b = le.AppendUint32(b, n.tsn(in.TSN))
		params := in.Params.Walk()
		for {
			p, ok := params.Next()
			if !ok {
				return b
			}
			if p.Type() == chunk.ParamStateCookie {
				if len(p.Body()) < cookieWordsEnd {
					continue // the attacker's
				}
				b = append(appendCookie(b, p.Body(), n), w.stale(int(from), p.Body()))
				if ck := cookieWords(p.Body()); ck[0] != uint32(in.Tag) || ck[2] != uint32(in.TSN) {
					panic("the layout of State Cookies has changed, and cookieWords has not")
				}
			} else {
				b = append(b, p...)
			}
		}
	case chunk.TypeCookieEcho:
		return append(appendCookie(b, c.Body(), n), w.stale(int(1-from), c.Body()))
	case chunk.TypeHeartbeat, chunk.TypeHeartbeatAck:
		// The information holds a time, which differs without a difference.
		if len(c) < chunk.ChunkHeaderLen+4+24 {
			return append(b, c.Body()...) // the attacker's
		}
		return le.AppendUint32(b, n.value(binary.BigEndian.Uint32(c[chunk.ChunkHeaderLen+4+20:])))
	}
	return append(b, c.Body()...)
}

// appendCookie appends what a State Cookie says, without its time and MAC.
func appendCookie(b []byte, ck []byte, n *names) []byte {
	if len(ck) < cookieWordsEnd {
		return append(b, ck...) // the attacker's
	}
	w := cookieWords(ck)
	le := binary.LittleEndian
	for i, v := range w {
		if i == 2 || i == 3 {
			b = le.AppendUint32(b, n.tsn(chunk.TSN(v)))
		} else {
			b = le.AppendUint32(b, n.value(v))
		}
	}
	return b
}

const cookieWordsEnd = 20 + 4*6

// cookieWords are the two tags, the two TSNs and the two tie-tags of a cookie.
func cookieWords(ck []byte) (w [6]uint32) {
	for i := range w {
		w[i] = binary.BigEndian.Uint32(ck[20+4*i:])
	}
	return w
}

func packetLine(p []byte) string { return trace.Packet(p) }

func stepLine(side int, s *sideeffects.Step) string {
	l := trace.AppendLine(nil, "  "+string(sideNames[side]), s)
	return string(l[:len(l)-1])
}

// states names both sides' states.
func (w *world) states() string {
	return fmt.Sprintf("%c %v, %c %v, %d packets in flight", sideNames[0], w.hosts[0].state(), sideNames[1], w.hosts[1].state(), len(w.net))
}
