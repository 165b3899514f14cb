package sideeffects

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// maxControls bounds the control chunks that one event leads to.
const maxControls = 16

// controls are the control chunks to send in answer to the event in hand. They
// leave in its flush, or not at all: what matters has a timer.
type controls struct {
	buf [maxControls]control
	n   int
}

type control struct {
	cmd  fsm.Command
	path tcb.PathID
	sent bool
}

func (q *controls) reset() { q.n = 0 }

// add queues a chunk; one that says the same again to the same path is not
// repeated, and what does not fit is dropped.
func (q *controls) add(c *fsm.Command, p tcb.PathID) {
	for i := 0; i < q.n; i++ {
		e := &q.buf[i]
		if e.path == p && e.cmd.Verb == c.Verb && e.cmd.Kind == c.Kind && once(c) {
			return
		}
	}
	if q.n < len(q.buf) {
		q.buf[q.n] = control{cmd: *c, path: p}
		q.n++
	}
}

func once(c *fsm.Command) bool {
	switch c.Verb {
	case fsm.CmdSendError:
		return true // one ERROR per packet bounds what a peer can make us send
	case fsm.CmdSend:
		return true
	}
	return false
}

// flush sends what there is: control chunks first, then a SACK, then DATA, as
// much in each packet as fits.
func (x *Executor) flush() {
	a := x.a
	data := a.tcb.State.MaySendData() && !a.unsure
	if data {
		a.data.BeginFlush(x.now)
	}
	for {
		p, ok := x.nextPath(data)
		if !ok || int(p) >= len(a.dests) {
			break
		}
		if a.tcb.State == tcb.CookieEchoed {
			x.tooLarge(p)
			if q, ok := x.nextPath(data); !ok {
				break
			} else if q != p {
				continue
			}
		}
		mtu := a.data.PathMTU(p)
		// A chunk that was made for a larger path MTU goes as it is.
		buf := x.Host.Slot(max(mtu, a.data.PacketSize(p), x.controlSize(p)))
		if buf == nil {
			a.blocked = true
			break
		}
		tag := a.tcb.PeerTag
		if x.ctl.firstIs(chunk.TypeInit, p) {
			tag = 0
		}
		x.pk.Begin(buf, mtu, a.tcb.LocalPort, a.tcb.PeerPort, tag)
		alone := x.putControls(p)
		if !alone {
			x.putSack(p, data)
			if data {
				a.data.Fill(p, &x.pk, x.now)
			}
		}
		if x.pk.Empty() {
			break
		}
		to := a.dests[p].to
		if x.pk.Oversize() {
			to.Fragment = true
			x.pk.Pad(a.data.FragmentSize(p))
		}
		pkt := x.pk.Finish()
		a.tx.packets++
		a.tx.bytes += uint64(len(pkt))
		x.Host.Emit(pkt, to)
		if x.in != nil && x.ctl.begun() {
			// One packet is answered by one, but for SACK and DATA; what does
			// not fit is dropped (R-12.4-02).
			x.ctl.reset()
		}
	}
	x.ctl.reset()
}

// nextPath returns the path of the next packet.
func (x *Executor) nextPath(data bool) (tcb.PathID, bool) {
	a := x.a
	if p, ok := x.ctl.next(); ok {
		return p, true
	}
	if x.sackDue() && !a.unsure {
		return x.sackPath(), true
	}
	if data {
		return a.data.Next(x.now)
	}
	return tcb.NoPath, false
}

// sackDue reports whether a SACK goes now; one that is due only by the number
// of packets waits for more of the batch.
func (x *Executor) sackDue() bool {
	if x.More {
		return x.a.data.SackDueNow()
	}
	return x.a.data.SackDue()
}

// sackPath is where a SACK goes: to where the DATA came from, or, if some came
// again, to another path than the last SACK: that one may have been lost (RFC
// 9260 section 6.4).
func (x *Executor) sackPath() tcb.PathID {
	if last := int(x.a.sackedTo); last < len(x.a.dests) && x.a.data.SackRepeated() {
		for i := 1; i < len(x.a.dests); i++ {
			if p := (last + i) % len(x.a.dests); x.a.tcb.Paths[p].Usable() {
				return tcb.PathID(p)
			}
		}
	}
	p := x.a.data.SackTo()
	if int(p) < len(x.a.dests) && x.a.tcb.Paths[p].State != tcb.PathUnconfirmed && !x.a.tcb.Paths[p].Cut {
		return p
	}
	active, _ := x.a.tcb.SelectPaths()
	return active
}

// putSack adds the SACK if it is due, or rides with DATA to the same path
// without costing it a packet.
func (x *Executor) putSack(p tcb.PathID, data bool) {
	d := x.a.data
	if x.a.tcb.State < tcb.Established || x.a.unsure || !d.SackPending() || p != x.sackPath() {
		return
	}
	if !x.sackDue() && data {
		if n := d.FirstSize(p); n > 0 && n+chunk.SackHeaderLen > x.pk.Room() {
			return
		}
	}
	x.pk.Commit(d.AppendSack(x.pk.Tail(), x.pk.Room()))
	x.a.sackedTo = p
}

func (q *controls) next() (tcb.PathID, bool) {
	for i := 0; i < q.n; i++ {
		if !q.buf[i].sent {
			return q.buf[i].path, true
		}
	}
	return tcb.NoPath, false
}

// begun reports whether any chunk was sent.
func (q *controls) begun() bool {
	for i := 0; i < q.n; i++ {
		if q.buf[i].sent {
			return true
		}
	}
	return false
}

func (q *controls) firstIs(kind chunk.Type, p tcb.PathID) bool {
	for i := 0; i < q.n; i++ {
		if e := &q.buf[i]; !e.sent && e.path == p {
			return e.cmd.Verb == fsm.CmdSend && e.cmd.Kind == kind
		}
	}
	return false
}

// putControls adds the control chunks for path p that fit. It reports whether
// the packet must stay as it is.
func (x *Executor) putControls(p tcb.PathID) (alone bool) {
	for i := 0; i < x.ctl.n; i++ {
		e := &x.ctl.buf[i]
		if e.sent || e.path != p {
			continue
		}
		init := e.cmd.Verb == fsm.CmdSend && e.cmd.Kind == chunk.TypeInit
		if init && !x.pk.Empty() {
			return true
		}
		if !x.pk.Commit(x.appendControl(x.pk.Tail(), &e.cmd, p)) && !x.pk.Empty() {
			return true // the next packet has room
		}
		e.sent = true
		if init {
			return true
		}
	}
	return false
}

// tooLarge drops a COOKIE ECHO to an unconfirmed path, and its HEARTBEAT, if
// they do not fit one packet of the path MTU (RFC 9260 section 5.4).
func (x *Executor) tooLarge(p tcb.PathID) {
	if x.a.tcb.Paths[p].State != tcb.PathUnconfirmed {
		return
	}
	const probe = chunk.ChunkHeaderLen + chunk.ParamHeaderLen + hbLen
	for i := 0; i < x.ctl.n; i++ {
		e := &x.ctl.buf[i]
		if e.path != p || e.cmd.Verb != fsm.CmdSend || e.cmd.Kind != chunk.TypeCookieEcho ||
			chunk.HeaderLen+chunk.ChunkHeaderLen+chunk.Padded(len(x.a.cookie))+probe <= x.a.data.PathMTU(p) {
			continue
		}
		for j := range x.ctl.buf[:x.ctl.n] {
			if x.ctl.buf[j].path == p {
				x.ctl.buf[j].sent = true
			}
		}
		return
	}
}

// controlSize is how large a packet must be for the next control chunk to path
// p, where the peer has decided that: its cookie and what its HEARTBEAT says.
func (x *Executor) controlSize(p tcb.PathID) int {
	for i := 0; i < x.ctl.n; i++ {
		e := &x.ctl.buf[i]
		if e.sent || e.path != p {
			continue
		}
		n := 0
		if e.cmd.Verb == fsm.CmdSend {
			switch e.cmd.Kind {
			case chunk.TypeCookieEcho:
				n = len(x.a.cookie)
			case chunk.TypeHeartbeatAck:
				n = int(e.cmd.Span.Len)
			}
		}
		return chunk.HeaderLen + chunk.ChunkHeaderLen + chunk.Padded(n)
	}
	return 0
}

func (x *Executor) appendControl(b []byte, c *fsm.Command, p tcb.PathID) []byte {
	a := x.a
	switch c.Verb {
	case fsm.CmdSendError:
		var mark int
		b, mark = chunk.Begin(b, chunk.TypeError, 0)
		return chunk.End(x.appendCause(b, c), mark)
	case fsm.CmdHeartbeat:
		var info [hbLen]byte
		return chunk.AppendHeartbeat(b, appendHeartbeatInfo(info[:0], p, 0, x.now, uint64(c.A)<<32|uint64(c.B), a.dests[p].to.Dst.As16()))
	}
	switch c.Kind {
	case chunk.TypeInit:
		return x.appendInit(b, p)
	case chunk.TypeCookieEcho:
		return chunk.AppendCookieEcho(b, a.cookie)
	case chunk.TypeCookieAck:
		return chunk.AppendCookieAck(b)
	case chunk.TypeHeartbeatAck:
		return chunk.AppendHeartbeatAck(b, chunk.Chunk(x.heartbeatOf(c)))
	case chunk.TypeShutdown:
		return chunk.AppendShutdown(b, a.data.CumTSN())
	case chunk.TypeShutdownAck:
		return chunk.AppendShutdownAck(b)
	}
	panic("sctp: no such control chunk")
}

func (x *Executor) heartbeatOf(c *fsm.Command) []byte { return x.bytes(c.Span) }

// appendInit encodes our INIT.
func (x *Executor) appendInit(b []byte, p tcb.PathID) []byte {
	t := &x.a.tcb
	b, mark := chunk.BeginInit(b, chunk.TypeInit, chunk.Init{
		Tag: t.LocalTag, ARwnd: max(x.a.data.Window(), chunk.MinARwnd),
		OS: t.Cfg.OutStreams, MIS: t.Cfg.MaxInStreams, TSN: t.LocalTSN,
	})
	to := &x.a.dests[p].to
	b = appendLocalAddrs(b, x.a.local, to.Src, to.Dst, true, true)
	if t.CookieLifetime > 0 {
		b = chunk.AppendCookiePreservative(b, t.CookieLifetime)
	}
	b = appendAdaptation(b, t.Cfg.Adaptation)
	return chunk.End(b, mark)
}

// appendAdaptation tells the peer of the adaptation layer, if there is one (RFC
// 5061 section 4.2.6, RFC 6458 section 8.1.6).
func appendAdaptation(b []byte, v uint32) []byte {
	if v == 0 {
		return b
	}
	return chunk.AppendParam32(b, chunk.ParamAdaptationLayer, v)
}
