package explore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// Key is the digest of a state.
type Key [16]byte

// names gives random values the numbers in which they appear.
type names struct {
	bases  []chunk.TSN // Initial TSNs
	values []uint32
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

// keyFrom is the digest with one side first.
func (w *world) keyFrom(first int) Key {
	n := &names{bases: w.bases}
	b := make([]byte, 0, 1024)
	b = append(b, uint8(w.dups))
	b = w.hosts[first].appendKey(b, n)
	b = w.hosts[1-first].appendKey(b, n)
	// Packets in flight have no order.
	ps := make([][]byte, len(w.net))
	for i, p := range w.net {
		ps[i] = appendPacket([]byte{uint8(p.from ^ first)}, p.data, &names{bases: w.bases, values: slices.Clone(n.values)})
	}
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return bytes.Compare(ps[i], ps[j]) })
	for _, i := range order {
		b = append(b, uint8(w.net[i].from^first))
		b = appendPacket(b, w.net[i].data, n)
	}
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

func (h *host) appendKey(b []byte, n *names) []byte {
	b = append(b, flags(h.used[Associate], h.used[Send], h.used[Shutdown], h.used[Abort], h.sent), uint8(h.got), uint8(len(h.conns)))
	b = append(b, h.fired[fsm.EvTimeoutT1Init:fsm.EvTimeoutSack+1]...)
	for _, c := range h.conns {
		b = append(b, flags(c.initiated, c.up, c.final, c.ended, c.took, c.end.ByPeer), uint8(c.end.Change))
		if a := h.assoc[c.id]; a != nil && !c.ended {
			b = appendAssoc(b, a, n)
		}
	}
	return b
}

func appendAssoc(b []byte, a *sideeffects.Association, n *names) []byte {
	t := a.CloneTCB()
	t.LocalTag, t.PeerTag = chunk.VTag(n.value(uint32(t.LocalTag))), chunk.VTag(n.value(uint32(t.PeerTag)))
	t.TieLocal, t.TiePeer = n.value(t.TieLocal), n.value(t.TiePeer)
	t.LocalTSN, t.PeerTSN = chunk.TSN(n.tsn(t.LocalTSN)), chunk.TSN(n.tsn(t.PeerTSN))
	for i := range t.Paths {
		t.Paths[i].Nonce = uint64(n.value(uint32(t.Paths[i].Nonce)))
	}
	b = t.AppendKey(b)

	pl := a.Data().(*sideeffects.Plane)
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(pl.Out.QueuedMessages()))
	b = le.AppendUint16(b, uint16(pl.Out.Unacked()))
	b = le.AppendUint16(b, uint16(pl.Out.InFlight()))
	b = le.AppendUint32(b, n.tsn(pl.Out.NextTSN()))
	b = le.AppendUint32(b, n.tsn(pl.In.CumTSN()))
	b = append(b, flags(pl.In.HasGap(), pl.In.Pending(), pl.In.Due()))

	armed := a.AppendArmed(nil)
	slices.SortStableFunc(armed, func(x, y sideeffects.Armed) int { return int(x.At - y.At) })
	for _, t := range armed {
		b = append(b, uint8(t.Event))
	}
	return append(b, 0xff)
}

// appendPacket appends the meaning of a packet.
func appendPacket(b []byte, p []byte, n *names) []byte {
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
		b = appendChunk(b, c, n)
	}
}

func appendChunk(b []byte, c chunk.Chunk, n *names) []byte {
	le := binary.LittleEndian
	switch c.Type() {
	case chunk.TypeData:
		d, _ := chunk.ParseData(c)
		b = le.AppendUint32(b, n.tsn(d.TSN))
		b = le.AppendUint16(b, uint16(d.Stream))
		b = le.AppendUint16(b, uint16(d.SSN))
		return append(b, d.Payload...)
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
				b = appendCookie(b, p.Body(), n)
				if ck := cookieWords(p.Body()); ck[0] != uint32(in.Tag) || ck[2] != uint32(in.TSN) {
					panic("the layout of State Cookies has changed, and cookieWords has not")
				}
			} else {
				b = append(b, p...)
			}
		}
	case chunk.TypeCookieEcho:
		return appendCookie(b, c.Body(), n)
	case chunk.TypeHeartbeat, chunk.TypeHeartbeatAck:
		// The information holds a time, which differs without a difference.
		return le.AppendUint32(b, n.value(binary.BigEndian.Uint32(c[chunk.ChunkHeaderLen+4+20:])))
	}
	return append(b, c.Body()...)
}

// appendCookie appends what a State Cookie says, without its time and MAC.
func appendCookie(b []byte, ck []byte, n *names) []byte {
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
	var s string
	for side, h := range w.hosts {
		state := "no association"
		if c := h.live(); c != nil {
			state = h.assoc[c.id].State().String()
		}
		s += fmt.Sprintf("%c %s, ", sideNames[side], state)
	}
	return s + fmt.Sprintf("%d packets in flight", len(w.net))
}
