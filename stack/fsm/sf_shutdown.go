package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sfCloseEarly: the user closes in COOKIE-WAIT. What it has queued still goes;
// with nothing queued nobody needs the association.
func sfCloseEarly(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.result(ResultOK)
	if ev.Facts.OutqEmpty {
		out.end(Gone, 0)
		return Consume
	}
	out.verb(CmdShutdownAsked)
	return Consume
}

// sfCloseEchoed: the peer may have an association already, so it is shut down
// once it is up.
func sfCloseEchoed(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.verb(CmdShutdownAsked)
	out.result(ResultOK)
	return Consume
}

// sfClose: RFC 9260 section 9.2, SHUTDOWN follows once all is acknowledged.
func sfClose(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.state(tcb.ShutdownPending)
	out.result(ResultOK)
	return Consume
}

// sfCloseAgain: already closing.
func sfCloseAgain(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.result(ResultOK)
	return Discard
}

// sfCloseReceived: the peer closed first. That may come to nothing if it
// restarts, and then the user has closed nevertheless.
func sfCloseReceived(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.verb(CmdShutdownAsked)
	out.result(ResultOK)
	return Consume
}

// sfStartShutdown: RFC 9260 section 9.2, nothing is outstanding any more.
func sfStartShutdown(v tcb.View, _ *Event, out *Commands) Disposition {
	active, _ := v.SelectPaths()
	out.verb(CmdTimersStop) // section 8.3: no more heartbeats
	out.path(CmdCtlPath, active)
	out.send(chunk.TypeShutdown, active)
	out.start(tcb.T2Shutdown, active)
	out.add(Command{Verb: CmdTimerStart, Timer: tcb.T5Guard, Path: active, Dur: v.Config().ShutdownGuard})
	out.state(tcb.ShutdownSent)
	return Consume
}

// sfStartShutdownAck: RFC 9260 section 9.2, the SHUTDOWN receiver has nothing
// outstanding any more.
func sfStartShutdownAck(v tcb.View, _ *Event, out *Commands) Disposition {
	p := v.CtlPath() // where the SHUTDOWN came from
	if pc := v.Path(p); !pc.Usable() {
		p, _ = v.SelectPaths()
	}
	out.verb(CmdTimersStop)
	sendShutdownAck(p, out)
	return Consume
}

func sendShutdownAck(p tcb.PathID, out *Commands) {
	out.path(CmdCtlPath, p)
	out.send(chunk.TypeShutdownAck, p)
	out.start(tcb.T2Shutdown, p)
	out.state(tcb.ShutdownAckSent)
}

// sfShutdown: RFC 9260 section 9.2, the peer closes. SHUTDOWN ACK follows when
// our data is acknowledged.
func sfShutdown(v tcb.View, ev *Event, out *Commands) Disposition {
	if v.State() == tcb.ShutdownPending {
		out.verb(CmdShutdownAsked) // by our user too, see sfCloseReceived
	}
	out.verb(CmdCumAck)
	ackTo(v, ev, out)
	out.state(tcb.ShutdownReceived)
	out.notify(NoteShutdown, 0, 0, Span{})
	return Consume
}

// sfShutdownBoth: RFC 9260 section 9.2, both ends closed at once.
func sfShutdownBoth(v tcb.View, ev *Event, out *Commands) Disposition {
	sendShutdownAck(backTo(v, ev), out)
	return Consume
}

// sfShutdownAgain: a SHUTDOWN with a newer cumulative TSN ack.
func sfShutdownAgain(v tcb.View, ev *Event, out *Commands) Disposition {
	out.verb(CmdCumAck)
	ackTo(v, ev, out)
	return Consume
}

// sfShutdownLate: our SHUTDOWN ACK was lost.
func sfShutdownLate(v tcb.View, ev *Event, out *Commands) Disposition {
	out.send(chunk.TypeShutdownAck, backTo(v, ev))
	return Consume
}

// ackTo remembers where a SHUTDOWN came from, for the SHUTDOWN ACK.
func ackTo(v tcb.View, ev *Event, out *Commands) {
	if p := backTo(v, ev); p != v.CtlPath() {
		out.path(CmdCtlPath, p)
	}
}

// backTo is where a chunk of the teardown that answers the one in hand goes: to
// where that came from (RFC 9260 section 6.4), because this path works.
func backTo(v tcb.View, ev *Event) tcb.PathID {
	if pc := v.Path(ev.Path); int(ev.Path) < v.NumPaths() && pc.State != tcb.PathUnconfirmed && !pc.Cut {
		return ev.Path
	}
	return v.CtlPath()
}

// sfShutdownAck: RFC 9260 section 9.2, the end on the SHUTDOWN sender's side,
// and on both if they closed at once.
func sfShutdownAck(v tcb.View, _ *Event, out *Commands) Disposition {
	out.respond(chunk.TypeShutdownComplete, 0, v.PeerTag(), 0, Span{})
	out.count(StatShutdowns)
	out.end(ShutdownComplete, 0)
	return DiscardPacket
}

// sfShutdownComplete: RFC 9260 section 9.2.
func sfShutdownComplete(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.count(StatShutdowns)
	out.end(ShutdownComplete, 0)
	return DiscardPacket
}

// sfT2Shutdown: RFC 9260 section 9.2.
func sfT2Shutdown(v tcb.View, _ *Event, out *Commands) Disposition {
	return retryShutdown(v, out, chunk.TypeShutdown)
}

// sfT2ShutdownAck: RFC 9260 section 9.2.
func sfT2ShutdownAck(v tcb.View, _ *Event, out *Commands) Disposition {
	return retryShutdown(v, out, chunk.TypeShutdownAck)
}

func retryShutdown(v tcb.View, out *Commands, kind chunk.Type) Disposition {
	out.count(StatT2ShutdownExpireds)
	p := v.CtlPath()
	if !strike(v, p, true, out) {
		return Consume
	}
	next := v.NextPath(p)
	out.path(CmdBackoff, p)
	out.path(CmdCtlPath, next)
	out.send(kind, next)
	out.start(tcb.T2Shutdown, next)
	return Consume
}

// sfT5: RFC 9260 section 9.2, the shutdown takes too long.
func sfT5(v tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatT5ShutdownGuardExpireds)
	return abortWith(v, ev, out, 0)
}
