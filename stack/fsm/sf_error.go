package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sfNever fills the cells that only a bug of ours can reach.
func sfNever(tcb.View, *Event, *Commands) Disposition { return Bug }

// sfIgnore: the event means nothing in this state.
func sfIgnore(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.count(StatDiscards)
	return Discard
}

// sfMalformed: a chunk whose length and contents disagree; what follows it in
// the packet cannot be trusted either.
func sfMalformed(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.count(StatDiscards)
	return DiscardPacket
}

// sfUnknownChunk: RFC 9260 section 3.2, the two upper bits of the type say
// whether to go on and whether to report.
func sfUnknownChunk(_ tcb.View, ev *Event, out *Commands) Disposition {
	if ev.Type.ReportUnknown() {
		out.add(Command{Verb: CmdSendError, Path: tcb.NoPath, Code: uint16(chunk.CauseUnrecognizedChunk), Span: ev.Span})
	}
	if ev.Type.StopOnUnknown() {
		return DiscardPacket
	}
	return Discard
}

// sfError: RFC 9260 section 11.2.6. A Stale Cookie means nothing here.
func sfError(_ tcb.View, ev *Event, out *Commands) Disposition {
	if chunk.CauseCode(ev.Code) == chunk.CauseStaleCookie {
		return Discard
	}
	out.notify(NoteRemoteError, 0, uint32(ev.Code), ev.Span)
	return Consume
}

// sfNoAssoc: a primitive without an association.
func sfNoAssoc(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.result(ResultNoAssoc)
	return Discard
}

// sfWrongState: a primitive that this state does not allow.
func sfWrongState(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.result(ResultState)
	return Discard
}
