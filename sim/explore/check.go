package explore

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What has to hold after every move, beside the ten properties.

// message takes a message that the user got, and checks that it is what and
// when it should be: after COMM_UP, once, in order.
func (h *host) message(c *conn, letter byte) {
	w, name := h.w, sideNames[h.side]
	if c.final {
		w.fail("%c: something comes after the last notification", name)
	}
	if !c.up {
		w.fail("%c: data before COMM_UP", name)
	}
	if !w.sentBy(1-h.side, letter) {
		if !w.forged() {
			w.fail("%c: a message that was not sent", name)
		}
		return
	}
	bit := uint32(1) << (letter - 'a')
	// A late COOKIE ECHO brings an association back to life of which only the
	// other end remembers what has arrived.
	if (c.got&bit != 0 || h.got&bit != 0 && !w.late) && !w.forged() {
		w.fail("%c: the message arrives twice", name)
	}
	c.got |= bit
	if letter <= c.last && !w.forged() {
		w.fail("%c: messages arrive in another order than they were sent in", name)
	}
	c.last = letter
	h.got |= bit
	w.arrived |= bit
}

// notified takes a notification: one that it is up, one last one.
func (h *host) notified(c *conn, kind fsm.Note, change fsm.AssocChange) {
	w, name := h.w, sideNames[h.side]
	if c.final {
		w.fail("%c: something comes after the last notification", name)
	}
	if kind != fsm.NoteAssocChange {
		return
	}
	switch change {
	case fsm.CommUp:
		if c.up {
			w.fail("%c: COMM_UP twice", name)
		}
		c.up = true
	case fsm.Restarted:
		if !c.up {
			w.fail("%c: RESTART before COMM_UP", name)
		}
		c.last = 0
	default:
		c.final = true
	}
}

// over takes the end of an association. Who closed gracefully had its messages
// acknowledged.
func (h *host) over(c *conn, end sideeffects.End) {
	w, name := h.w, sideNames[h.side]
	c.ended = true
	w.ends++
	if !c.final && end.Change != fsm.Gone {
		w.fail("%c: the end comes without a last notification", name)
	}
	if end.Change == fsm.ShutdownComplete {
		if c.sent&^w.arrived != 0 && !w.forged() {
			w.fail("%c closed gracefully, and a message of its did not arrive", name)
		}
		return
	}
	w.leaves++
	if end.Change == fsm.Gone {
		w.gone++
		return
	}
	// Who has closed answers whatever comes late with ABORT (RFC 9260 section 8.4
	// rule 8), and the other end may not have heard that all went well.
	h.lost = h.lost || !end.ByPeer || w.ends == 1
}

// checkPackets looks at what was sent in this move.
func (w *world) checkPackets() {
	for _, p := range w.out {
		h, e := chunk.ParseHeader(p.data)
		if e != chunk.ErrNone || !chunk.VerifyChecksum(p.data) {
			w.fail("%c sends a broken packet", sideNames[p.from])
			return
		}
		n, alone, abort, init := 0, false, false, false
		walk := chunk.Walk(p.data[chunk.HeaderLen:])
		for {
			c, ok := walk.Next()
			if !ok {
				break
			}
			n++
			switch c.Type() {
			case chunk.TypeInit:
				alone, init = true, true
			case chunk.TypeInitAck, chunk.TypeShutdownComplete:
				alone = true
			case chunk.TypeAbort:
				abort = true
			}
		}
		switch {
		case walk.Err() != chunk.ErrNone || n == 0:
			w.fail("%c sends a malformed packet", sideNames[p.from])
		case alone && n > 1: // R-6.10-06
			w.fail("%c bundles what must be alone: %s", sideNames[p.from], packetLine(p.data))
		case init != (h.VTag == 0): // R-8.5-01
			w.fail("%c sends the wrong Verification Tag: %s", sideNames[p.from], packetLine(p.data))
		case abort && w.in != nil && holdsAbort(w.in.data): // R-8.4-02
			w.fail("%c answers an ABORT with an ABORT", sideNames[p.from])
		}
	}
}

func holdsAbort(p []byte) bool {
	walk := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := walk.Next()
		if !ok {
			return false
		}
		if c.Type() == chunk.TypeAbort {
			return true
		}
	}
}

// check looks at the state after a move.
func (w *world) check() {
	for side, h := range w.hosts {
		live := 0
		for i := range h.conns {
			if h.conns[i].a.State() != tcb.Closed {
				live++
				h.checkTimers(h.conns[i].a)
			}
		}
		if n := h.eng.associations(); n != live || n > 1 {
			w.fail("%c has %d associations, of which its user knows %d", sideNames[side], n, live)
		}
	}
	w.checkStates()
	if w.hosts[0].state() == tcb.Established && w.hosts[1].state() == tcb.Established && len(w.net) == 0 && len(w.out) == 0 {
		w.checkAgreement()
	}
}

// checkTimers: whoever waits for something has a timer, or it waits for ever;
// and a timer that runs has a reason.
func (h *host) checkTimers(a *sideeffects.Association) {
	var running [fsm.NumEvents]bool
	var buf [8]sideeffects.Armed
	for _, t := range a.AppendArmed(buf[:0]) {
		running[t.Event] = true
	}
	s := a.State()
	need := func(id fsm.EventID, why string) {
		if !running[id] {
			h.w.fail("%c in %v: no %v, %s", sideNames[h.side], s, id, why)
		}
	}
	only := func(id fsm.EventID, ok bool) {
		if running[id] && !ok {
			h.w.fail("%c in %v: %v runs for no reason", sideNames[h.side], s, id)
		}
	}
	only(fsm.EvTimeoutT1Init, s == tcb.CookieWait)
	only(fsm.EvTimeoutT1Cookie, s == tcb.CookieEchoed)
	only(fsm.EvTimeoutT2, s == tcb.ShutdownSent || s == tcb.ShutdownAckSent)
	only(fsm.EvTimeoutT5, s >= tcb.ShutdownPending)
	only(fsm.EvTimeoutT3, s.MaySendData() && unacked(a.Data()) > 0)
	only(fsm.EvTimeoutHeartbeat, s.MaySendData()) // R-8.3-01
	only(fsm.EvTimeoutSack, s >= tcb.Established)
	switch s {
	case tcb.CookieWait:
		need(fsm.EvTimeoutT1Init, "and the INIT may be lost")
	case tcb.CookieEchoed:
		if !running[fsm.EvTimeoutT1Cookie] {
			h.w.breaks("P2", sideNames[h.side:h.side+1]+" has none, and the COOKIE ECHO may be lost")
		}
	case tcb.ShutdownSent:
		need(fsm.EvTimeoutT2, "and the SHUTDOWN may be lost")
		need(fsm.EvTimeoutT5, "and the peer may answer for ever")
	case tcb.ShutdownAckSent:
		need(fsm.EvTimeoutT2, "and the SHUTDOWN ACK may be lost")
	case tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived:
		if unacked(a.Data()) > 0 {
			need(fsm.EvTimeoutT3, "and DATA may be lost")
		} else if s != tcb.Established {
			h.w.fail("%c in %v with nothing outstanding", sideNames[h.side], s)
		}
		need(fsm.EvTimeoutHeartbeat, "and the peer may be gone")
	}
}

// unacked is how many DATA chunks were sent and are not acknowledged.
func unacked(d sideeffects.DataPlane) int {
	if c, ok := d.(*counts); ok {
		return int(c.unacked.n)
	}
	return d.(*sideeffects.Plane).Out.Unacked()
}

// checkAgreement: two ends that are up and have nothing in flight are ends of
// one association, unless one of them may know nothing of the other's end.
func (w *world) checkAgreement() {
	if w.mayHang() {
		return
	}
	for side := range w.hosts {
		own, peer := w.hosts[side].conns[0].a.CloneTCB(), w.hosts[1-side].conns[0].a.CloneTCB()
		if own.LocalTag != peer.PeerTag || own.LocalTSN != peer.PeerTSN {
			w.fail("both are ESTABLISHED and disagree: %c has tag %08x and TSN %d, the other believes %08x and %d",
				sideNames[side], uint32(own.LocalTag), own.LocalTSN, uint32(peer.PeerTag), peer.PeerTSN)
		}
	}
}
