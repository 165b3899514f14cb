package explore

import (
	"errors"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// read takes what the user can read, and checks that it is what and when it
// should be: COMM_UP before data, the message once and whole, one last
// notification and nothing behind it.
func (h *host) read(c *conn) {
	name := sideNames[h.side]
	for {
		var l ulpqueue.List
		err := c.as.Recv(&l, 1<<20, 0)
		read := 0
		for m := l.Pop(); m != nil; m = l.Pop() {
			if c.final {
				h.w.fail("%c: something comes after the last notification", name)
			}
			if m.Kind == ulpqueue.KindNotification {
				h.notified(c, &m.Note)
			} else {
				if !c.up {
					h.w.fail("%c: data before COMM_UP", name)
				}
				h.got++
				if h.got > 1 {
					h.w.fail("%c: the message arrives twice", name)
				}
				if !h.w.hosts[1-h.side].sent || m.Len != 1 || m.Head.B[0] != sideNames[1-h.side] {
					h.w.fail("%c: a message that was not sent", name)
				}
				read += m.Len
			}
			c.as.Free(m)
		}
		if read > 0 {
			_ = c.as.Recv(&l, 0, read)
		}
		var end *stack.EndError
		switch {
		case errors.As(err, &end):
			c.ended, c.end = true, end.End
			if !c.final && c.end.Change != fsm.Gone {
				h.w.fail("%c: the end comes without a last notification", name)
			}
			return
		case err != nil:
			return
		}
	}
}

func (h *host) notified(c *conn, n *ulpqueue.Notification) {
	if fsm.Note(n.Kind) != fsm.NoteAssocChange {
		return
	}
	switch fsm.AssocChange(n.A) {
	case fsm.CommUp:
		if c.up {
			h.w.fail("%c: COMM_UP twice", sideNames[h.side])
		}
		c.up = true
	case fsm.Restarted:
		if !c.up {
			h.w.fail("%c: RESTART before COMM_UP", sideNames[h.side])
		}
	default:
		c.final = true
	}
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
	var est [2]*sideeffects.Association
	for side, h := range w.hosts {
		live := 0
		for _, c := range h.conns {
			a := h.assoc[c.id]
			if a == nil || a.State() == tcb.Closed {
				continue
			}
			live++
			h.checkTimers(a)
			if a.State() == tcb.Established {
				est[side] = a
			}
		}
		if n := h.stack.Stats().Associations; n != live || n > 1 {
			w.fail("%c has %d associations, of which its user knows %d", sideNames[side], n, live)
		}
	}
	if est[0] != nil && est[1] != nil && len(w.net) == 0 && len(w.out) == 0 {
		w.checkAgreement(est)
	}
	w.checkDelivery()
}

// checkTimers: whoever waits for something has a timer, or it waits for ever.
func (h *host) checkTimers(a *sideeffects.Association) {
	var running [fsm.NumEvents]bool
	for _, t := range a.AppendArmed(nil) {
		running[t.Event] = true
	}
	need := func(id fsm.EventID, why string) {
		if !running[id] {
			h.w.fail("%c in %v: no %v, %s", sideNames[h.side], a.State(), id, why)
		}
	}
	pl := a.Data().(*sideeffects.Plane)
	switch a.State() {
	case tcb.CookieWait:
		need(fsm.EvTimeoutT1Init, "and the INIT may be lost")
	case tcb.CookieEchoed:
		need(fsm.EvTimeoutT1Cookie, "and the COOKIE ECHO may be lost")
	case tcb.ShutdownSent:
		need(fsm.EvTimeoutT2, "and the SHUTDOWN may be lost")
		need(fsm.EvTimeoutT5, "and the peer may answer for ever")
	case tcb.ShutdownAckSent:
		need(fsm.EvTimeoutT2, "and the SHUTDOWN ACK may be lost")
	case tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived:
		if pl.Out.Unacked() > 0 {
			need(fsm.EvTimeoutT3, "and DATA may be lost")
		} else if a.State() != tcb.Established {
			h.w.fail("%c in %v with nothing outstanding", sideNames[h.side], a.State())
		}
		need(fsm.EvTimeoutHeartbeat, "and the peer may be gone")
	}
}

// checkAgreement: two ends that are up and have nothing in flight are ends of
// one association. Not so if a user gave up: with the ABORT lost, the other end
// may stay behind with a new association's peer, until its heartbeats fail.
func (w *world) checkAgreement(est [2]*sideeffects.Association) {
	if w.hosts[0].used[Abort] || w.hosts[1].used[Abort] {
		return
	}
	for side := range est {
		own, peer := est[side].CloneTCB(), est[1-side].CloneTCB()
		if own.LocalTag != peer.PeerTag || own.LocalTSN != peer.PeerTSN {
			w.fail("both are ESTABLISHED and disagree: %c has tag %08x and TSN %d, the other believes %08x and %d",
				sideNames[side], uint32(own.LocalTag), own.LocalTSN, uint32(peer.PeerTag), peer.PeerTSN)
		}
	}
}

// checkDelivery: who closed gracefully had its message acknowledged.
func (w *world) checkDelivery() {
	for side, h := range w.hosts {
		for _, c := range h.conns {
			if c.ended && c.end.Change == fsm.ShutdownComplete && c.took && w.hosts[1-side].got != 1 {
				w.fail("%c closed gracefully, and its message did not arrive", sideNames[side])
			}
		}
	}
}

// resting reports whether nothing more is to come but heartbeats: both sides
// closed, or both up.
func (w *world) resting() bool {
	if len(w.net) > 0 {
		return false
	}
	up := 0
	for _, h := range w.hosts {
		c := h.live()
		if c == nil {
			continue
		}
		a := h.assoc[c.id]
		if a.State() != tcb.Established || !a.Data().Empty() {
			return false
		}
		for _, t := range a.AppendArmed(nil) {
			if t.Event != fsm.EvTimeoutHeartbeat {
				return false
			}
		}
		up++
	}
	if up == 2 {
		a, z := w.hosts[0], w.hosts[1]
		_, peer := a.assoc[a.live().id].Tags()
		own, _ := z.assoc[z.live().id].Tags()
		return peer == own
	}
	return up == 0
}

const restSteps = 400

// rest leaves the hosts alone with a network that loses nothing, and checks
// that they come to rest.
func (w *world) rest() {
	w.wanted = true
	for range restSteps {
		if w.err != nil {
			return
		}
		if w.resting() {
			w.checkEnds()
			return
		}
		m := Move{Deliver, 0}
		if len(w.net) == 0 {
			m = w.nextTimer()
		}
		if !w.apply(m) {
			w.fail("nothing can happen any more, and the hosts are not at rest: %s", w.states())
			return
		}
	}
	w.fail("the hosts do not come to rest: %s", w.states())
}

// checkEnds: an association that nobody wanted to end is up, once the network
// loses nothing.
func (w *world) checkEnds() {
	for _, h := range w.hosts {
		if h.used[Shutdown] || h.used[Abort] {
			return
		}
	}
	for side, h := range w.hosts {
		for _, c := range h.conns {
			if c.ended {
				w.fail("%c lost its association (%v), and no user wanted that", sideNames[side], c.end.Change)
			}
		}
	}
}

func (w *world) nextTimer() Move {
	a, z := w.hosts[0], w.hosts[1]
	if a.due == 0 || z.due != 0 && z.due.Sub(z.now) < a.due.Sub(a.now) {
		return Move{Fire, 1}
	}
	return Move{Fire, 0}
}
