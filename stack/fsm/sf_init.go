package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// initDefect judges the mandatory contents of an INIT or INIT ACK. It returns
// the cause to refuse it with, 0 if there is none.
func initDefect(ev *Event) chunk.CauseCode {
	switch ev.Init.Verdict {
	case chunk.ErrNone:
		return 0
	case chunk.ErrARwnd, chunk.ErrZeroStreams:
		return chunk.CauseInvalidMandatory
	case chunk.ErrHostName:
		return chunk.CauseUnresolvableAddr
	case chunk.ErrMissing:
		return chunk.CauseMissingParam
	}
	return chunk.CauseProtocolViolation
}

// refuseInit answers a defective INIT. No association is touched.
func refuseInit(ev *Event, out *Commands, cause chunk.CauseCode) Disposition {
	out.respond(chunk.TypeAbort, 0, ev.Init.Tag, cause, ev.Span)
	return DiscardPacket
}

// sfAssociate: RFC 9260 section 5.1 A, the user asks for an association.
func sfAssociate(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.add(Command{Verb: CmdSetup, A: uint32(ev.Env.Tag), B: uint32(ev.Env.TSN), C: ev.Env.Tie[0]})
	out.path(CmdCtlPath, ev.Path)
	out.send(chunk.TypeInit, ev.Path)
	out.start(tcb.T1Init, ev.Path)
	out.state(tcb.CookieWait)
	out.result(ResultOK)
	return Consume
}

// sfInit: RFC 9260 section 5.1 B, an INIT where there is no association. What
// is needed later goes into the State Cookie; nothing is kept.
func sfInit(v tcb.View, ev *Event, out *Commands) Disposition {
	// One with a tag is not answered by section 8.4 (8), as section 12.3 has it
	// discarded.
	if ev.Tag&TagZero == 0 || ev.Env.NonUnicast || ev.Init.Tag == 0 {
		out.count(StatDiscards)
		return DiscardPacket
	}
	if !ev.Env.Listening {
		// Section 8.4 (3): an INIT that cannot be processed.
		out.count(StatOutOfBlues)
		return refuseInit(ev, out, 0)
	}
	if cause := initDefect(ev); cause != 0 {
		return refuseInit(ev, out, cause)
	}
	if ev.Env.BacklogFull {
		return refuseInit(ev, out, chunk.CauseOutOfResource)
	}
	out.add(Command{Verb: CmdSendInitAck, Path: tcb.NoPath, A: uint32(ev.Env.Tag), B: uint32(ev.Env.TSN)})
	return Consume
}

// sfInitCollision: RFC 9260 section 5.2.1, both ends start at once. The answer
// repeats our INIT's parameters; state and timers stay.
func sfInitCollision(v tcb.View, ev *Event, out *Commands) Disposition {
	if ev.Init.Tag == 0 {
		return DiscardPacket
	}
	if cause := initDefect(ev); cause != 0 {
		return refuseInit(ev, out, cause)
	}
	flags := uint8(InitAckOwn)
	if v.State() == tcb.CookieEchoed {
		if ev.Facts.NewAddrs {
			return refuseInit(ev, out, chunk.CauseRestartNewAddrs)
		}
		flags |= InitAckTie
	} else if ev.Facts.PeerUnknown {
		// Only to an address that the user named.
		return DiscardPacket
	}
	out.add(Command{Verb: CmdSendInitAck, Flags: flags, Path: tcb.NoPath, A: uint32(v.LocalTag()), B: uint32(v.LocalTSN())})
	return Consume
}

// sfInitUnexpected: RFC 9260 section 5.2.2, the peer may have restarted. The
// answer has a new tag, and tie-tags in the cookie; the association stays.
func sfInitUnexpected(_ tcb.View, ev *Event, out *Commands) Disposition {
	if ev.Init.Tag == 0 {
		return DiscardPacket
	}
	if cause := initDefect(ev); cause != 0 {
		return refuseInit(ev, out, cause)
	}
	if ev.Facts.NewAddrs {
		return refuseInit(ev, out, chunk.CauseRestartNewAddrs)
	}
	out.add(Command{Verb: CmdSendInitAck, Flags: InitAckTie, Path: tcb.NoPath, A: uint32(ev.Env.Tag), B: uint32(ev.Env.TSN)})
	return Consume
}

// sfInitClosing: RFC 9260 section 9.2, an INIT in SHUTDOWN-ACK-SENT is dropped
// and the SHUTDOWN ACK sent again.
func sfInitClosing(v tcb.View, ev *Event, out *Commands) Disposition {
	if ev.Init.Tag == 0 {
		return DiscardPacket
	}
	out.send(chunk.TypeShutdownAck, v.CtlPath())
	return Consume
}

// sfInitAck: RFC 9260 section 5.1 C.
func sfInitAck(v tcb.View, ev *Event, out *Commands) Disposition {
	in := ev.Init
	switch {
	case in.Tag == 0:
		// Section 3.3.3: destroy the TCB, ABORT with the T bit.
		out.respond(chunk.TypeAbort, chunk.FlagT, ev.VTag, chunk.CauseProtocolViolation, Span{})
		return failSetup(out, chunk.CauseProtocolViolation)
	case in.Verdict == chunk.ErrARwnd:
		// Section 3.3.3: an answer, but no change of state.
		return refuseInit(ev, out, chunk.CauseInvalidMandatory)
	}
	if cause := initDefect(ev); cause != 0 {
		out.respond(chunk.TypeAbort, 0, in.Tag, cause, ev.Span)
		return failSetup(out, cause)
	}

	out.stop(tcb.T1Init)
	if v.InitTries() == 0 {
		out.add(Command{Verb: CmdRTTSample, Path: v.CtlPath(), Dur: ev.Env.Now.Sub(v.CtlSent())})
	}
	out.verb(CmdAdoptInit)
	out.add(Command{Verb: CmdInitTry, A: 1})
	out.state(tcb.CookieEchoed)
	p := echoPath(v, ev)
	if p != v.CtlPath() {
		out.path(CmdCtlPath, p)
	}
	if p == tcb.NoPath {
		echoUnconfirmed(ev, p, out)
	} else {
		out.send(chunk.TypeCookieEcho, p)
	}
	if in.NUnknown > 0 && p != tcb.NoPath {
		out.add(Command{Verb: CmdSendError, Path: p, Code: uint16(chunk.CauseUnrecognizedParams)})
	}
	out.start(tcb.T1Cookie, p)
	return Consume
}

// echoPath returns where the COOKIE ECHO goes, as paths are numbered once those
// that the INIT ACK does not name are gone: back to where that came from, if the
// user has named it; else to where the INIT went, or to another that the user
// has named; else, NoPath, back although it is not confirmed.
func echoPath(v tcb.View, ev *Event) tcb.PathID {
	known := func(p tcb.PathID) bool {
		return int(p) < v.NumPaths() && !ev.Paths.Has(p) && v.Path(p).State != tcb.PathUnconfirmed
	}
	p := ev.Path
	if !known(p) {
		p = v.CtlPath()
	}
	for i := 0; !known(p) && i < v.NumPaths(); i++ {
		p = tcb.PathID(i)
	}
	if !known(p) {
		return tcb.NoPath
	}
	moved := p
	for i := tcb.PathID(0); i < p; i++ {
		if ev.Paths.Has(i) {
			moved--
		}
	}
	return moved
}

// echoUnconfirmed sends a COOKIE ECHO to an address that is not confirmed: with
// a HEARTBEAT in the same packet, or not at all (RFC 9260 section 5.4).
func echoUnconfirmed(ev *Event, p tcb.PathID, out *Commands) {
	out.add(Command{Verb: CmdSend, Kind: chunk.TypeCookieEcho, Path: p, Flags: SendBack})
	sendHeartbeat(ev, p, out)
}

// failSetup ends an association that never came up.
func failSetup(out *Commands, cause chunk.CauseCode) Disposition {
	out.count(StatAborteds)
	out.end(CantStart, cause)
	return DiscardPacket
}

// sfT1Init: RFC 9260 section 4 step 2 and 5.1.6.
func sfT1Init(v tcb.View, ev *Event, out *Commands) Disposition {
	return retrySetup(v, ev, out, tcb.T1Init, chunk.TypeInit, StatT1InitExpireds)
}

// sfT1Cookie: RFC 9260 section 4 step 3 and 5.1.4.
func sfT1Cookie(v tcb.View, ev *Event, out *Commands) Disposition {
	return retrySetup(v, ev, out, tcb.T1Cookie, chunk.TypeCookieEcho, StatT1CookieExpireds)
}

func retrySetup(v tcb.View, ev *Event, out *Commands, t tcb.TimerID, kind chunk.Type, s Stat) Disposition {
	out.count(s)
	if v.InitTries() >= v.Config().MaxInitRetransmits {
		out.end(CantStart, 0)
		return Consume
	}
	p := v.CtlPath()
	next := v.NextPath(p)
	out.verb(CmdInitTry)
	out.path(CmdBackoff, p)
	out.path(CmdCtlPath, next)
	if kind == chunk.TypeCookieEcho && v.Path(next).State == tcb.PathUnconfirmed {
		echoUnconfirmed(ev, next, out)
	} else {
		out.send(kind, next)
	}
	out.start(t, next)
	return Consume
}
