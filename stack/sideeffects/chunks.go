package sideeffects

import (
	"encoding/binary"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// chunks walks the packet in hand: each control chunk, and each run of DATA
// chunks, is one event.
func (x *Executor) chunks() {
	x.cur.Reset(x.in.Packet)
	rule := fsm.NumEvents
	if x.a == nil {
		rule = blueRule(x.in.Packet)
	}
	for {
		it, ok := x.cur.Next()
		if !ok {
			return
		}
		x.chunkEvent(&it)
		if rule != fsm.NumEvents {
			x.ev.ID = rule
		}
		if x.ev.Tag&fsm.TagOwn != 0 && x.ev.Path != tcb.NoPath {
			// RFC 6951 section 5.4: the peer's UDP port may change.
			x.a.dests[x.ev.Path].to.EncapPort = x.in.EncapPort
		}
		d := x.run()
		if d == fsm.DiscardPacket || d == fsm.Violation || d == fsm.Bug || !x.live() {
			return
		}
	}
}

// blueRule looks through a packet for no association and returns the event
// whose rule of RFC 9260 section 8.4 comes first, wherever its chunk stands;
// NumEvents if the first chunk decides.
func blueRule(packet []byte) fsm.EventID {
	rule := fsm.NumEvents
	setup := false // rules 3 and 4 hold: only rule 2 comes before
	first := true
	w := chunk.Walk(packet[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		switch c.Type() {
		case chunk.TypeAbort:
			return fsm.EvAbort
		case chunk.TypeInit, chunk.TypeCookieEcho:
			setup = setup || first
		case chunk.TypeShutdownAck:
			rule = fsm.EvShutdownAck
		case chunk.TypeShutdownComplete, chunk.TypeCookieAck:
			if rule == fsm.NumEvents {
				rule = fsm.EvShutdownComplete // rules 6 and 7: silence
			}
		case chunk.TypeError:
			if causes, e := chunk.ParseError(c); e == chunk.ErrNone && rule == fsm.NumEvents {
				if _, stale := causes.Find(chunk.CauseStaleCookie); stale {
					rule = fsm.EvShutdownComplete
				}
			}
		}
		first = false
	}
	if setup {
		return fsm.NumEvents
	}
	return rule
}

// chunkEvent prepares the event for an item, its contents decoded.
func (x *Executor) chunkEvent(it *inqueue.Item) {
	x.event(fsm.EventOf(it.Type), x.sourcePath())
	ev := &x.ev
	c := it.Chunk
	ev.Flags = c.Flags()
	ev.Type = it.Type
	ev.Len = uint16(min(c.Len(), 1<<16-1))
	ev.First = it.First
	ev.Alone = it.Singleton
	ev.Span = fsm.Span{Off: uint16(it.Off), Len: uint16(len(it.Run))}
	if it.Type != chunk.TypeData {
		ev.Span.Len = uint16(len(c)) // what goes back to the peer goes without the padding
	}
	ev.VTag = x.in.Header.VTag
	ev.Tag = x.tagClass(ev.VTag)

	switch ev.ID {
	case fsm.EvInit, fsm.EvInitAck:
		x.decodeInit(c)
	case fsm.EvCookieEcho:
		x.openCookie(c.Body())
	case fsm.EvHeartbeat:
		if _, e := chunk.ParseHeartbeat(c); e != chunk.ErrNone {
			ev.ID = fsm.EvBadChunk
		}
	case fsm.EvHeartbeatAck:
		x.decodeHeartbeat(c)
	case fsm.EvAbort:
		// One whose causes are malformed is discarded (RFC 9260 section 3.3.7).
		ab, e := chunk.ParseAbort(c)
		if e != chunk.ErrNone {
			ev.ID = fsm.EvBadChunk
			return
		}
		ev.Code = firstCause(ab.Causes)
	case fsm.EvError:
		causes, e := chunk.ParseError(c)
		if e != chunk.ErrNone {
			ev.ID = fsm.EvBadChunk
			return
		}
		ev.Code = firstCause(causes)
	case fsm.EvShutdown:
		cum, e := chunk.ParseShutdown(c)
		if e != chunk.ErrNone {
			ev.ID = fsm.EvBadChunk
			return
		}
		ev.Arg = uint32(cum)
	case fsm.EvSack:
		if _, e := chunk.ParseSack(c); e != chunk.ErrNone {
			ev.ID = fsm.EvBadChunk
		}
	}
}

func firstCause(cs chunk.Causes) uint16 {
	w := cs.Walk()
	if c, ok := w.Next(); ok {
		return uint16(c.Code())
	}
	return 0
}

func (x *Executor) sourcePath() tcb.PathID {
	if x.a == nil {
		return tcb.NoPath
	}
	return x.a.pathOf(x.in.Src)
}

func (x *Executor) tagClass(tag chunk.VTag) fsm.TagClass {
	var c fsm.TagClass
	if tag == 0 {
		c |= fsm.TagZero
	}
	if x.live() {
		if tag == x.a.tcb.LocalTag {
			c |= fsm.TagOwn
		}
		// Before the peer's tag is known nothing can reflect it.
		if tag != 0 && tag == x.a.tcb.PeerTag {
			c |= fsm.TagPeer
		}
	}
	return c
}

// decodeInit judges an INIT or INIT ACK, and looks whether it names addresses
// that the association does not have.
func (x *Executor) decodeInit(c chunk.Chunk) {
	x.init.Decode(c)
	x.ev.Init = &x.init
	for i := range x.init.Addrs[:x.init.NAddrs] {
		x.init.Addrs[i] = Scoped(x.init.Addrs[i], x.in.Src)
	}
	if !x.live() {
		return
	}
	if x.ev.ID == fsm.EvInitAck {
		x.ev.Paths = x.unlisted()
		return
	}
	for _, addr := range x.init.Addrs[:x.init.NAddrs] {
		if x.ev.Facts.NewAddrs {
			break
		}
		if x.a.pathOf(addr) == tcb.NoPath {
			if !x.lookups.take(1, x.now) {
				x.ev.Facts.NewAddrs = true
			} else if _, ok := x.usable(addr, x.a.local); ok {
				x.ev.Facts.NewAddrs = true
			}
		}
	}
	if x.ev.Path == tcb.NoPath {
		x.ev.Facts.NewAddrs = true
	}
}

// unlisted returns the paths whose addresses are neither in the INIT ACK in hand
// nor where it came from: they are not the peer's (RFC 9260 section 5.1.2).
func (x *Executor) unlisted() (s tcb.PathSet) {
	for p := range x.a.dests {
		if dst := x.a.dests[p].to.Dst; dst != x.in.Src && !contains(x.init.Addrs[:x.init.NAddrs], dst) {
			s = s.With(tcb.PathID(p))
		}
	}
	return s
}

// Heartbeat Info: a mark, the size of a path MTU probe (0 if it is none) and the
// path, the time of sending, the nonce, and the destination (RFC 9260 section
// 3.3.5, RFC 8899 section 6.2.1.2).
const (
	hbMark = 0x676f5348
	hbLen  = 4 + 4 + 8 + 8 + 16
)

func appendHeartbeatInfo(b []byte, p tcb.PathID, size int, now mono.Time, nonce uint64, dst [16]byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, hbMark)
	b = be.AppendUint32(b, uint32(size)<<16|uint32(p))
	b = be.AppendUint64(b, uint64(now))
	b = be.AppendUint64(b, nonce)
	return append(b, dst[:]...)
}

func (x *Executor) decodeHeartbeat(c chunk.Chunk) {
	info, e := chunk.ParseHeartbeat(c)
	if e != chunk.ErrNone {
		x.ev.ID = fsm.EvBadChunk
		return
	}
	b := info.Body()
	be := binary.BigEndian
	if len(b) != hbLen || be.Uint32(b) != hbMark || !x.live() {
		return
	}
	// Whatever comes back is the peer's word, unless it is what the last
	// HEARTBEAT to that path said, to the byte: the machine compares the nonce.
	p := tcb.PathID(min(be.Uint16(b[6:]), uint16(tcb.NoPath)))
	if int(p) >= len(x.a.dests) || [16]byte(b[24:]) != x.a.dests[p].to.Dst.As16() {
		return
	}
	size, at, nonce := be.Uint16(b[4:]), mono.Time(be.Uint64(b[8:])), be.Uint64(b[16:])
	if size != 0 {
		// The answer to a probe may come late; then its time counts for nothing.
		known, last := x.a.data.AnswersProbe(p, nonce, int(size), at)
		rtt := mono.Duration(-1)
		if last {
			rtt = x.now.Sub(at)
		}
		x.ev.HB = fsm.HeartbeatFacts{Valid: known, Path: p, Probe: size, RTT: rtt, Nonce: nonce}
		return
	}
	if at != x.a.hbSent[p] {
		return
	}
	x.ev.HB = fsm.HeartbeatFacts{Valid: true, Path: p, RTT: x.now.Sub(at), Nonce: nonce}
}
