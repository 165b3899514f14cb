package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// abortWith aborts a running association for a cause of ours.
func abortWith(v tcb.View, ev *Event, out *Commands, cause chunk.CauseCode) Disposition {
	if v.PeerTag() != 0 {
		out.abort(cause, ev.Arg, ev.Span)
	}
	out.count(StatAborteds)
	change := CommLost
	if v.State() < tcb.Established {
		change = CantStart
	}
	out.end(change, cause)
	return DiscardPacket
}

// sfAbort: RFC 9260 section 9.1, the peer gives up.
func sfAbort(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatAborteds)
	out.end(CommLost, chunk.CauseCode(ev.Code))
	return DiscardPacket
}

// sfAbortSetup: the peer refuses the association.
func sfAbortSetup(_ tcb.View, ev *Event, out *Commands) Disposition {
	return failSetup(out, chunk.CauseCode(ev.Code))
}

// sfAbortUser: RFC 9260 section 9.1, the user aborts.
func sfAbortUser(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.abort(chunk.CauseUserAbort, 0, Span{})
	out.count(StatAborteds)
	out.result(ResultOK)
	out.end(CommLost, chunk.CauseUserAbort)
	return Consume
}

// sfAbortEarly: in COOKIE-WAIT the peer's tag is unknown, and no ABORT could
// reach it.
func sfAbortEarly(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.result(ResultOK)
	out.end(CantStart, chunk.CauseUserAbort)
	return Consume
}

// sfViolation: a pipe found that the peer broke the protocol.
func sfViolation(v tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatViolations)
	abortWith(v, ev, out, chunk.CauseProtocolViolation)
	return Violation
}

// sfProtoUnreach: RFC 9260 section 10 ICMP8, as good as an ABORT.
func sfProtoUnreach(v tcb.View, ev *Event, out *Commands) Disposition {
	return sfAbort(v, ev, out)
}

// sfProtoUnreachSetup: RFC 9260 section 10 ICMP8.
func sfProtoUnreachSetup(v tcb.View, ev *Event, out *Commands) Disposition {
	return sfAbortSetup(v, ev, out)
}

// sfInternal: the executor cannot go on with this association.
func sfInternal(v tcb.View, ev *Event, out *Commands) Disposition {
	return abortWith(v, ev, out, chunk.CauseOutOfResource)
}

// sfInternalSetup: the same before the peer's tag is known.
func sfInternalSetup(_ tcb.View, _ *Event, out *Commands) Disposition {
	return failSetup(out, chunk.CauseOutOfResource)
}
