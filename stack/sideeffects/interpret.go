package sideeffects

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// interpret carries the commands in x.out out. It never adds to them: what
// the pipes find goes to the fifo.
func (x *Executor) interpret() {
	for i := 0; i < x.out.Len(); i++ {
		c := x.out.At(i)
		switch c.Verb {
		case fsm.CmdNewAssoc:
			if !x.newAssoc(c) {
				return
			}
		case fsm.CmdSetup:
			x.setup(c)
		case fsm.CmdNewState:
			x.newState(tcb.State(c.A))
		case fsm.CmdAdoptInit:
			x.adoptInit()
		case fsm.CmdAdoptCookie:
			x.adoptCookie()
		case fsm.CmdRestart:
			x.restart(c)
		case fsm.CmdUnsend:
			x.a.data.StartSend(x.a.tcb.LocalTSN, x.a.tcb.OutStreams, x.a.tcb.PeerRwnd)
		case fsm.CmdShutdownAsked:
			x.a.tcb.ShutdownAsked = true
		case fsm.CmdDeleteTCB:
			x.deleteTCB(fsm.AssocChange(c.Code), chunk.CauseCode(c.A))

		case fsm.CmdSend, fsm.CmdSendError:
			p := x.replyPath(c.Path)
			if c.Flags&fsm.SendBack != 0 {
				if q := x.pathOfPacket(); q != tcb.NoPath {
					p = q
				}
			}
			x.ctl.add(c, p)
		case fsm.CmdHeartbeat:
			x.heartbeat(c)
		case fsm.CmdSendAbort:
			x.sendAbort(c)
		case fsm.CmdSendInitAck:
			x.sendInitAck(c)
		case fsm.CmdRespond:
			x.respond(c)

		case fsm.CmdTimerStart:
			x.startTimer(c)
		case fsm.CmdTimerStop:
			x.a.timers[c.Timer] = 0
			x.a.tcb.Armed &^= 1 << c.Timer
		case fsm.CmdTimersStop:
			x.stopTimers()
		case fsm.CmdHeartbeats:
			x.startHeartbeats()

		case fsm.CmdIngest:
			x.sawData = true
			x.report(x.a.data.Ingest(x.bytes(x.ev.Span), x.ev.Path, x.now))
		case fsm.CmdSack:
			x.report(x.a.data.Sack(chunk.Chunk(x.bytes(x.ev.Span)), x.now))
			x.dry()
		case fsm.CmdCumAck:
			x.report(x.a.data.CumAck(chunk.TSN(x.ev.Arg), x.now))
			x.dry()
		case fsm.CmdGenSack:
			x.a.data.ForceSack()
		case fsm.CmdEnqueue:
			if !x.a.data.Push(x.msg, x.now) {
				x.result = fsm.ResultState
				return
			}
			x.a.wasDry = false
		case fsm.CmdMarkRtx:
			x.a.data.MarkRtx(c.Path, x.now)
		case fsm.CmdRTTSample:
			x.a.data.SampleRTT(c.Path, c.Dur, x.now)
		case fsm.CmdBackoff:
			x.a.data.Backoff(c.Path)

		case fsm.CmdHBAcked:
			x.a.tcb.Paths[c.Path].HBOut = false
			x.a.data.Alive(c.Path, x.now)
		case fsm.CmdProbe:
			x.probe(c)
		case fsm.CmdProbeAcked:
			x.a.data.ProbeAcked(c.Path, int(c.A), x.now)
		case fsm.CmdStrike:
			x.strike(c)
		case fsm.CmdClearErrors:
			x.clearErrors(c)
		case fsm.CmdPathState:
			x.pathState(c.Path, tcb.PathState(c.A))
		case fsm.CmdInitTry:
			if c.A == 1 {
				x.a.tcb.InitTries = 0
			} else {
				x.a.tcb.InitTries++
			}
		case fsm.CmdCtlPath:
			if x.a.tcb.CtlPath = c.Path; c.Path == tcb.NoPath {
				x.a.tcb.CtlPath = x.pathOfPacket()
			}
		case fsm.CmdPrimary:
			x.a.tcb.Primary = c.Path
			x.a.syncPaths()
		case fsm.CmdStale:
			x.stale(c)
		case fsm.CmdRoute:
			x.setRoute(c.Path, c.A == 1)
		case fsm.CmdRescue:
			x.a.data.PathDown(c.Path, x.now)

		case fsm.CmdNotify:
			x.notify(c)
		case fsm.CmdResult:
			x.result = fsm.Result(c.Code)
		case fsm.CmdCount:
			x.Stats[c.Code]++
		}
	}
}

// bytes returns the bytes of the packet in hand that a span names.
func (x *Executor) bytes(s fsm.Span) []byte {
	if x.in == nil || int(s.Off)+int(s.Len) > len(x.in.Packet) {
		return nil
	}
	return x.in.Packet[s.Off : int(s.Off)+int(s.Len)]
}

// replyPath resolves NoPath: the source of the packet in hand if it may be
// sent to, else the path in use.
func (x *Executor) replyPath(p tcb.PathID) tcb.PathID {
	if p != tcb.NoPath {
		return p
	}
	if q := x.pathOfPacket(); q != tcb.NoPath && x.a.tcb.Paths[q].State != tcb.PathUnconfirmed && !x.a.tcb.Paths[q].Cut {
		return q
	}
	active, _ := x.a.tcb.SelectPaths()
	return active
}

func (x *Executor) newState(s tcb.State) {
	a := x.a
	was := a.tcb.State
	a.tcb.State = s
	if s == tcb.Established && was < tcb.Established {
		a.Wakes |= WakeUp | WakeWritable
		a.lastData = x.now
	}
	a.data.SetDraining(s > tcb.Established)
}

// deleteTCB ends the association: nothing is sent or received any more, what
// is ready stays readable, and the end comes after it.
func (x *Executor) deleteTCB(change fsm.AssocChange, cause chunk.CauseCode) {
	a := x.a
	x.stopTimers()
	a.tcb.State = tcb.Closed
	a.End = End{Ended: true, Change: change, Cause: cause}
	switch x.ev.ID {
	case fsm.EvAbort:
		a.End.ByPeer = true
		a.End.Info = x.abortInfo()
	case fsm.EvProtoUnreach:
		a.End.ByPeer = true // as good as an ABORT (RFC 9260 section 10 ICMP8)
	}
	a.data.Close(cause)
	if change != fsm.Gone {
		a.data.Notify(Note{Kind: fsm.NoteAssocChange, A: uint32(change), B: uint32(cause)})
	}
	a.Wakes |= WakeEnded | WakeReadable | WakeWritable
	x.ctl.reset()
	x.Host.Ended(a)
}

const maxAbortInfo = 512

func (x *Executor) abortInfo() []byte {
	ab, e := chunk.ParseAbort(chunk.Chunk(x.bytes(x.ev.Span)))
	if e != chunk.ErrNone {
		return nil
	}
	w := ab.Causes.Walk()
	c, ok := w.Next()
	if !ok || len(c.Body()) == 0 {
		return nil
	}
	return append([]byte(nil), c.Body()[:min(len(c.Body()), maxAbortInfo)]...)
}

func (x *Executor) notify(c *fsm.Command) {
	n := Note{Kind: fsm.Note(c.Code), A: c.A, B: c.B}
	if b := x.bytes(c.Span); c.Span.Len > 0 && len(b) > 0 {
		n.Info = b[:min(len(b), maxAbortInfo)]
	}
	x.a.data.Notify(n)
	if v := x.a.adaptation; v != 0 && n.Kind == fsm.NoteAssocChange && fsm.AssocChange(n.A) == fsm.CommUp {
		x.a.data.Notify(Note{Kind: fsm.NoteAdaptation, A: v})
	}
	x.a.Wakes |= WakeReadable
}
