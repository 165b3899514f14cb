package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Replies are packets of their own: answers to the packet in hand that belong
// to no association, or end one. They are bounded, and dropped if there is no
// room to send.

const (
	maxReply = 1400 // fits every path (RFC 9260 section 8.4 wants small answers)
	maxEcho  = 256  // of an offending chunk that goes back in a cause
)

// beginReply starts a packet to the source of the packet in hand. Without a
// slot it goes to scratch and is lost.
func (x *Executor) beginReply(tag chunk.VTag) {
	buf := x.Host.Slot(maxReply)
	x.replyLost = buf == nil
	if buf == nil {
		if x.scratch == nil {
			x.scratch = make([]byte, maxReply)
		}
		buf = x.scratch
	}
	x.pk.Begin(buf, maxReply, x.in.Header.DstPort, x.in.Header.SrcPort, tag)
}

func (x *Executor) emitReply() {
	if x.pk.Empty() || x.replyLost {
		return
	}
	src := x.in.Dst
	if x.a != nil {
		if p := x.a.pathOf(x.in.Src); p != tcb.NoPath && x.a.dests[p].pin.IsValid() {
			src = x.a.dests[p].to.Src
		}
	}
	x.Host.Emit(x.pk.Finish(), Addressing{
		Src: src, Dst: x.in.Src, EncapPort: x.in.EncapPort, Link: x.in.Link,
	})
	if x.a != nil {
		x.a.tx.packets++
	}
}

// toAbort reports whether the packet in hand contains an ABORT, wherever:
// nobody answers that (RFC 9260 section 9.1).
func (x *Executor) toAbort() bool { return x.in != nil && blueRule(x.in.Packet) == fsm.EvAbort }

// respond answers with chunk Kind alone in its packet.
func (x *Executor) respond(c *fsm.Command) {
	if x.toAbort() {
		return
	}
	x.beginReply(chunk.VTag(c.A))
	b := x.pk.Tail()
	switch c.Kind {
	case chunk.TypeShutdownComplete:
		b = chunk.AppendShutdownComplete(b, c.Flags&chunk.FlagT != 0)
	case chunk.TypeAbort, chunk.TypeError:
		var mark int
		b, mark = chunk.Begin(b, c.Kind, c.Flags)
		b = x.appendCause(b, c)
		b = chunk.End(b, mark)
	default:
		panic("sctp: no such reply")
	}
	x.pk.Commit(b)
	x.emitReply()
}

// sendAbort tells the peer that its association ends.
func (x *Executor) sendAbort(c *fsm.Command) {
	if x.toAbort() {
		return
	}
	a := x.a
	p := x.replyPath(c.Path)
	if int(p) >= len(a.dests) {
		return
	}
	buf := x.Host.Slot(maxReply)
	if buf == nil {
		return
	}
	x.pk.Begin(buf, maxReply, a.tcb.LocalPort, a.tcb.PeerPort, a.tcb.PeerTag)
	b, mark := chunk.Begin(x.pk.Tail(), chunk.TypeAbort, 0)
	b = x.appendCause(b, c)
	if x.pk.Commit(chunk.End(b, mark)) {
		x.Host.Emit(x.pk.Finish(), a.dests[p].to)
		a.tx.packets++
	}
}

// appendCause appends the cause that c names, with its details.
func (x *Executor) appendCause(b []byte, c *fsm.Command) []byte {
	switch code := chunk.CauseCode(c.Code); code {
	case 0:
		return b
	case chunk.CauseInvalidStream:
		return chunk.AppendInvalidStream(b, chunk.StreamID(c.A))
	case chunk.CauseMissingParam:
		return chunk.AppendMissingParams(b, chunk.ParamStateCookie)
	case chunk.CauseStaleCookie:
		return chunk.AppendStaleCookie(b, c.B)
	case chunk.CauseUnresolvableAddr:
		return x.appendUnresolvable(b, c)
	case chunk.CauseUnrecognizedChunk:
		echo := x.bytes(c.Span)
		return chunk.AppendCause(b, code, echo[:min(len(echo), maxEcho)])
	case chunk.CauseUnrecognizedParams:
		return x.appendUnrecognized(b)
	case chunk.CauseNoUserData:
		return chunk.AppendNoUserData(b, chunk.TSN(c.A))
	case chunk.CauseRestartNewAddrs:
		return x.appendNewAddrs(b)
	case chunk.CauseUserAbort:
		return chunk.AppendUserAbort(b, x.reason[:min(len(x.reason), maxEcho*4)])
	case chunk.CauseProtocolViolation:
		echo := x.bytes(c.Span)
		return chunk.AppendProtocolViolation(b, echo[:min(len(echo), maxEcho)])
	default:
		return chunk.AppendCause(b, code, []byte(nil))
	}
}

func (x *Executor) appendUnresolvable(b []byte, c *fsm.Command) []byte {
	host := x.init.HostName.Of(chunk.Chunk(x.bytes(x.ev.Span)))
	if len(host) < chunk.ParamHeaderLen || len(host) > maxEcho {
		return chunk.AppendCause(b, chunk.CauseUnresolvableAddr, []byte(nil))
	}
	return chunk.AppendUnresolvableAddr(b, chunk.Param(host))
}

// appendUnrecognized lists the unknown parameters of the INIT ACK in hand.
func (x *Executor) appendUnrecognized(b []byte) []byte {
	init := chunk.Chunk(x.bytes(x.ev.Span))
	b, mark := chunk.BeginCause(b, chunk.CauseUnrecognizedParams)
	room := maxReply / 2
	for _, s := range x.init.Unknown[:x.init.NUnknown] {
		p := s.Of(init)
		if n := chunk.Padded(len(p)); n <= room {
			room -= n
			b = append(b, p...)
			for i := len(p); i < n; i++ {
				b = append(b, 0)
			}
		}
	}
	return chunk.EndCause(b, mark)
}

// appendNewAddrs lists the addresses that a restart tried to add, from the
// INIT or the cookie in hand.
func (x *Executor) appendNewAddrs(b []byte) []byte {
	b, mark := chunk.BeginCause(b, chunk.CauseRestartNewAddrs)
	list := x.init.Addrs[:x.init.NAddrs]
	if x.ev.ID == fsm.EvCookieEcho {
		list = x.cookie.Addrs[:x.cookie.NAddrs]
	}
	for _, addr := range list {
		if x.a.pathOf(addr) == tcb.NoPath {
			b = chunk.AppendAddrParam(b, addr)
		}
	}
	if x.ev.Path == tcb.NoPath && !contains(list, x.in.Src) {
		b = chunk.AppendAddrParam(b, x.in.Src)
	}
	return chunk.EndCause(b, mark)
}

func contains(list []netip.Addr, a netip.Addr) bool {
	for _, v := range list {
		if v == a {
			return true
		}
	}
	return false
}
