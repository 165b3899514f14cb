package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// badCookie judges what holds for every COOKIE ECHO: it comes first in its
// packet and its cookie is ours.
func badCookie(ev *Event, out *Commands) bool {
	if ev.First && ev.Cookie.Valid && !ev.Env.NonUnicast {
		return false
	}
	out.count(StatInvalidCookies)
	return true
}

// staleCookie answers a cookie past its life (RFC 9260 section 5.1.5 step 4).
func staleCookie(ev *Event, out *Commands) Disposition {
	out.count(StatStaleCookies)
	us := ev.Cookie.StaleBy / mono.Microsecond
	if us > 1<<32-1 {
		us = 1<<32 - 1
	}
	out.add(Command{Verb: CmdRespond, Kind: chunk.TypeError, Path: tcb.NoPath, A: uint32(ev.Cookie.PeerTag), Code: uint16(chunk.CauseStaleCookie), B: uint32(us)})
	return DiscardPacket
}

// sfCookieEcho: RFC 9260 section 5.1.5, the cookie creates the association.
func sfCookieEcho(_ tcb.View, ev *Event, out *Commands) Disposition {
	if badCookie(ev, out) {
		return DiscardPacket
	}
	if ev.Cookie.Expired {
		return staleCookie(ev, out)
	}
	if !ev.Env.Listening || ev.Env.BacklogFull {
		out.respond(chunk.TypeAbort, 0, ev.Cookie.PeerTag, chunk.CauseOutOfResource, Span{})
		return DiscardPacket
	}
	out.add(Command{Verb: CmdNewAssoc, C: ev.Env.Tie[0]})
	out.state(tcb.Established)
	if ev.Cookie.Moved {
		out.add(Command{Verb: CmdSend, Kind: chunk.TypeCookieAck, Path: tcb.NoPath, Flags: SendBack})
		sendHeartbeat(ev, tcb.NoPath, out) // section 5.4: that address is not confirmed
	} else {
		out.send(chunk.TypeCookieAck, tcb.NoPath)
	}
	out.count(StatPassiveEstabs)
	up(out, CommUp)
	return Consume
}

// ackCookie answers a COOKIE ECHO. If it came from an address that is not
// confirmed, that has to be probed in the same packet (RFC 9260 section 5.4).
func ackCookie(v tcb.View, ev *Event, out *Commands) {
	s := v.State()
	probe := s < tcb.Established || s.MaySendData()
	if p := ev.Path; probe && int(p) < v.NumPaths() && v.Path(p).State == tcb.PathUnconfirmed {
		out.send(chunk.TypeCookieAck, p)
		sendHeartbeat(ev, p, out)
		return
	}
	out.send(chunk.TypeCookieAck, tcb.NoPath)
}

func up(out *Commands, change AssocChange) {
	out.notify(NoteAssocChange, uint32(change), 0, Span{})
	out.verb(CmdHeartbeats)
}

// sfCookieEchoDup: RFC 9260 section 5.2.4, a COOKIE ECHO where there is a TCB.
// Its table: local tag, peer's tag and tie-tags of the cookie against the
// TCB's.
func sfCookieEchoDup(v tcb.View, ev *Event, out *Commands) Disposition {
	if badCookie(ev, out) {
		return DiscardPacket
	}
	c := &ev.Cookie
	local := c.LocalTag == v.LocalTag()
	peer := v.PeerTag() != 0 && c.PeerTag == v.PeerTag()
	if c.Expired && !(local && peer) {
		return staleCookie(ev, out)
	}
	tieLocal, tiePeer := v.TieTags()
	tie := tieLocal != 0 && tiePeer != 0 && c.TieLocal == tieLocal && c.TiePeer == tiePeer

	switch {
	case local && peer: // D
		return cookieAgain(v, ev, out)
	case local: // B: a collision
		return cookieCollision(v, ev, out)
	case !peer && tie: // A: the peer restarted
		return cookieRestart(v, ev, out)
	}
	// C, or no row of the table: silence.
	out.count(StatDiscards)
	return DiscardPacket
}

// cookieAgain is action D: our COOKIE ACK was lost, or the peer's crossed our
// COOKIE ECHO.
func cookieAgain(v tcb.View, ev *Event, out *Commands) Disposition {
	if v.State() == tcb.CookieEchoed {
		out.stop(tcb.T1Cookie)
		ackCookie(v, ev, out)
		established(v, out)
		return Consume
	}
	ackCookie(v, ev, out)
	return Consume
}

// cookieCollision is action B: both ends started at once, and the peer's INIT
// has another tag than the one we know, if any.
func cookieCollision(v tcb.View, ev *Event, out *Commands) Disposition {
	switch v.State() {
	case tcb.CookieWait, tcb.CookieEchoed:
		out.stop(tcb.T1Init)
		out.stop(tcb.T1Cookie)
		out.verb(CmdAdoptCookie)
		ackCookie(v, ev, out)
		established(v, out)
	default:
		// The peer was up with us and began anew: what it had is gone.
		out.verb(CmdAdoptCookie)
		ackCookie(v, ev, out)
		out.notify(NoteAssocChange, uint32(Restarted), 0, Span{})
		if v.State().MaySendData() {
			out.verb(CmdHeartbeats) // it may have told of more addresses
		}
	}
	return Consume
}

// cookieRestart is action A.
func cookieRestart(v tcb.View, ev *Event, out *Commands) Disposition {
	if v.State() == tcb.ShutdownAckSent {
		out.send(chunk.TypeShutdownAck, v.CtlPath())
		out.add(Command{Verb: CmdSendError, Path: v.CtlPath(), Code: uint16(chunk.CauseCookieInShutdown)})
		return DiscardPacket
	}
	if ev.Facts.NewAddrs {
		out.respond(chunk.TypeAbort, 0, ev.Cookie.PeerTag, chunk.CauseRestartNewAddrs, Span{})
		return DiscardPacket
	}
	s := tcb.Established
	if v.State() == tcb.ShutdownPending || v.State() == tcb.ShutdownSent || v.ShutdownAsked() {
		s = tcb.ShutdownPending // the user has closed: nobody waits for the new incarnation
	}
	out.verb(CmdTimersStop)
	out.add(Command{Verb: CmdRestart, C: ev.Env.Tie[0]})
	out.state(s)
	ackCookie(v, ev, out)
	out.count(StatRestarts)
	up(out, Restarted)
	return Consume
}

// established enters ESTABLISHED on the side that sent an INIT.
func established(v tcb.View, out *Commands) {
	out.state(tcb.Established)
	out.count(StatActiveEstabs)
	if v.CtlPath() != v.Primary() {
		// The first address did not answer: of those left the one that did is
		// the initial primary path (RFC 9260 section 5.1.2).
		out.path(CmdPrimary, v.CtlPath())
	}
	up(out, CommUp)
	if v.ShutdownAsked() {
		out.state(tcb.ShutdownPending)
	}
}

// sfCookieAck: RFC 9260 section 5.1 E.
func sfCookieAck(v tcb.View, ev *Event, out *Commands) Disposition {
	out.stop(tcb.T1Cookie)
	if v.InitTries() == 0 {
		out.add(Command{Verb: CmdRTTSample, Path: v.CtlPath(), Dur: ev.Env.Now.Sub(v.CtlSent())})
	}
	established(v, out)
	return Consume
}

const maxStaleRetries = 3

// sfErrorCookieEchoed: RFC 9260 section 5.2.6, our cookie came too late. A new
// INIT asks for a longer life; more than a few in a row are not worth it. It
// has a new tag: with the old one a late answer to the COOKIE ECHO before would
// pass for one to this attempt, and the ends would disagree (section 5.3.1).
func sfErrorCookieEchoed(v tcb.View, ev *Event, out *Commands) Disposition {
	if chunk.CauseCode(ev.Code) != chunk.CauseStaleCookie {
		return sfError(v, ev, out)
	}
	out.count(StatStaleCookies)
	p := v.CtlPath()
	if v.Path(p).State == tcb.PathUnconfirmed {
		// Of the addresses that the user named none is the peer's, and an INIT
		// must not go to others (section 5.4).
		out.end(CantStart, chunk.CauseStaleCookie)
		return DiscardPacket
	}
	if v.StaleRetries() >= maxStaleRetries {
		out.abort(0, 0, Span{})
		out.end(CantStart, chunk.CauseStaleCookie)
		return DiscardPacket
	}
	// One second more than the round trip took is the most that is allowed.
	more := ev.Env.Now.Sub(v.CtlSent()) + mono.Second
	if more > v.Config().RTOMax {
		more = v.Config().RTOMax
	}
	out.stop(tcb.T1Cookie)
	out.add(Command{Verb: CmdStale, A: uint32(more / mono.Millisecond), B: uint32(ev.Env.Tag)})
	out.verb(CmdUnsend)
	out.state(tcb.CookieWait)
	out.send(chunk.TypeInit, p)
	out.start(tcb.T1Init, p)
	return Consume
}
