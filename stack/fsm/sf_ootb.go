package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Out-of-the-blue packets, RFC 9260 section 8.4. The executor sends a packet
// that contains an ABORT to sfOOTBSilent whatever its first chunk is, so that
// rule 2 comes before the others; INIT and COOKIE ECHO have functions of their
// own.

// mayAnswer reports whether an out-of-the-blue packet gets an answer: not by
// rule 1, nor with tag 0, which only a lone INIT may have (section 8.5.1 A).
func mayAnswer(ev *Event) bool { return !ev.Env.NonUnicast && ev.Tag&TagZero == 0 }

// sfOOTB: rule 8, an ABORT with the reflected tag.
func sfOOTB(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatOutOfBlues)
	if mayAnswer(ev) {
		out.respond(chunk.TypeAbort, chunk.FlagT, ev.VTag, 0, Span{})
	}
	return DiscardPacket
}

// sfOOTBSilent: rules 2, 6 and 7.
func sfOOTBSilent(_ tcb.View, _ *Event, out *Commands) Disposition {
	out.count(StatOutOfBlues)
	return DiscardPacket
}

// sfOOTBShutdownAck: rule 5, and section 8.5.1 E in COOKIE-WAIT and
// COOKIE-ECHOED: SHUTDOWN COMPLETE with the reflected tag.
func sfOOTBShutdownAck(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.count(StatOutOfBlues)
	if mayAnswer(ev) {
		out.respond(chunk.TypeShutdownComplete, chunk.FlagT, ev.VTag, 0, Span{})
	}
	return DiscardPacket
}

// sfOOTBError: rule 7 for Stale Cookie, else rule 8.
func sfOOTBError(v tcb.View, ev *Event, out *Commands) Disposition {
	if chunk.CauseCode(ev.Code) == chunk.CauseStaleCookie {
		return sfOOTBSilent(v, ev, out)
	}
	return sfOOTB(v, ev, out)
}
