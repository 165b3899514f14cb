package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sfData: RFC 9260 section 6.2. Whether data is taken is decided here, what
// each TSN means in the pipes; the SACK follows at the end of the packet.
func sfData(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.verb(CmdIngest)
	return Consume
}

// sfDataShutdownSent: RFC 9260 section 9.2, each packet with DATA is answered
// at once with SHUTDOWN, and with a SACK if there are gaps or duplicates. A
// peer that still sends is alive: it gets all retransmissions again.
func sfDataShutdownSent(v tcb.View, ev *Event, out *Commands) Disposition {
	p := backTo(v, ev)
	out.verb(CmdIngest)
	out.add(Command{Verb: CmdClearErrors, A: 1})
	out.path(CmdCtlPath, p)
	out.send(chunk.TypeShutdown, p)
	out.start(tcb.T2Shutdown, p)
	return Consume
}

// sfSack: RFC 9260 section 6.2.1; the outqueue does it.
func sfSack(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.verb(CmdSack)
	return Consume
}

// sfSackTimer: the delayed acknowledgement of RFC 9260 section 6.2.
func sfSackTimer(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.count(StatDelaySackExpireds)
	out.add(Command{Verb: CmdGenSack, A: 1})
	return Consume
}

// sfSend: RFC 9260 section 11.1.5. During set-up messages wait in the queue.
func sfSend(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.verb(CmdEnqueue)
	out.result(ResultOK)
	return Consume
}

// sfSendClosed: RFC 9260 section 9.2, no new user data once a shutdown began.
func sfSendClosed(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.result(ResultShutdown)
	return Discard
}

// sfT3: RFC 9260 section 6.3.3, and the error counters of sections 8.1, 8.2.
func sfT3(v tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatT3RtxExpireds)
	// A peer that keeps acknowledging with its window shut is alive (section
	// 6.1 A); but it must not hold up a shutdown for ever.
	if ev.Facts.ZeroWindow && v.State() == tcb.Established {
		out.path(CmdMarkRtx, ev.Path)
		return Consume
	}
	if spent(v, out) {
		return Consume
	}
	// First the timer's own business, back-off above all: a path that is given
	// up has nothing in flight any more.
	out.path(CmdMarkRtx, ev.Path)
	strike(v, ev.Path, true, out)
	return Consume
}

// spent ends an association whose peer is unreachable: RFC 9260 section 8.1.
func spent(v tcb.View, out *Commands) bool {
	if v.Errors() < v.Config().AssocMaxRetrans {
		return false
	}
	out.end(CommLost, 0)
	return true
}

// strike counts a failure of path p, and of the association if assoc is set.
// It returns false if that was the association's end.
func strike(v tcb.View, p tcb.PathID, assoc bool, out *Commands) bool {
	if assoc && spent(v, out) {
		return false
	}
	a := uint32(0)
	if assoc {
		a = 1
	}
	out.add(Command{Verb: CmdStrike, Path: p, A: a})
	pc := v.Path(p)
	if pc.State == tcb.PathActive && int(pc.Errors) >= v.Config().Of(p).PathMaxRetrans {
		// RFC 9260 section 8.2.
		out.add(Command{Verb: CmdPathState, Path: p, A: uint32(tcb.PathInactive)})
		out.notify(NotePathChange, uint32(p), uint32(PathUnreachable), Span{})
	}
	if pc.State == tcb.PathUnconfirmed && int(pc.Errors) == v.Config().Of(p).PathMaxRetrans {
		// Section 5.4: it stays unconfirmed, and is probed more slowly.
		out.notify(NotePathChange, uint32(p), uint32(PathUnreachable), Span{})
	}
	return true
}

// sfPathsAcked: RFC 9260 sections 8.1 and 8.2, new data was acknowledged.
func sfPathsAcked(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.add(Command{Verb: CmdClearErrors, A: 1, C: uint32(ev.Paths)})
	return Consume
}

// sfNoUserData: RFC 9260 section 6.2, DATA without user data.
func sfNoUserData(v tcb.View, ev *Event, out *Commands) Disposition {
	return abortWith(v, ev, out, chunk.CauseNoUserData)
}

// sfBadStream: RFC 9260 section 6.5, the chunk was acknowledged and dropped;
// the sender is told.
func sfBadStream(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.add(Command{Verb: CmdSendError, Path: tcb.NoPath, Code: uint16(chunk.CauseInvalidStream), A: ev.Arg})
	return Consume
}
