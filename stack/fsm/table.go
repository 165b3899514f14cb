package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// table says what every event means in every state. Each cell is filled: what
// cannot happen says so.
var table [NumEvents]row

// eventOf maps chunk types to events.
var eventOf [256]EventID

func init() {
	table = [NumEvents]row{
		// Columns: CLOSED, COOKIE-WAIT, COOKIE-ECHOED, ESTABLISHED,
		// SHUTDOWN-PENDING, SHUTDOWN-SENT, SHUTDOWN-RECEIVED, SHUTDOWN-ACK-SENT.
		EvData: {name: "DATA", tag: TagRuleOwn, minLen: 16, cells: cells(
			ootb, ignore, ignore, ingest, ingest, ingestClosing, ignore, ignore)},
		EvInit: {name: "INIT", tag: TagRuleZero, minLen: 20, alone: true, cells: cells(
			initNew, initCollision, initCollision, initUnexpected, initUnexpected, initUnexpected, initUnexpected, initClosing)},
		EvInitAck: {name: "INIT ACK", tag: TagRuleOwn, minLen: 20, alone: true, cells: cells(
			ootb, initAck, ignore, ignore, ignore, ignore, ignore, ignore)},
		EvSack: {name: "SACK", tag: TagRuleOwn, minLen: 16, cells: cells(
			ootb, ignore, ignore, sack, sack, ignore, sack, ignore)},
		EvHeartbeat: {name: "HEARTBEAT", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootb, ignore, heartbeat, heartbeat, heartbeat, heartbeat, heartbeat, ignore)},
		EvHeartbeatAck: {name: "HEARTBEAT ACK", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootb, ignore, hbAck, hbAck, hbAck, hbAck, hbAck, ignore)},
		EvAbort: {name: "ABORT", tag: TagRuleReflect, minLen: 4, cells: cells(
			ootbSilent, abortSetup, abortSetup, abort, abort, abort, abort, abort)},
		EvShutdown: {name: "SHUTDOWN", tag: TagRuleOwn, minLen: 8, cells: cells(
			ootb, ignore, ignore, shutdown, shutdown, shutdownBoth, shutdownAgain, shutdownLate)},
		EvShutdownAck: {name: "SHUTDOWN ACK", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootbShutAck, ootbShutAckAny, ootbShutAckAny, ignore, ignore, shutdownAck, ignore, shutdownAck)},
		EvError: {name: "ERROR", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootbError, ignore, errorEchoed, errorReport, errorReport, errorReport, errorReport, errorReport)},
		EvCookieEcho: {name: "COOKIE ECHO", minLen: 4, cells: cells(
			cookieNew, cookieDup, cookieDup, cookieDup, cookieDup, cookieDup, cookieDup, cookieDup)},
		EvCookieAck: {name: "COOKIE ACK", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootbSilent, ignore, cookieAck, ignore, ignore, ignore, ignore, ignore)},
		EvECNE: {name: "ECNE", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootb, ignore, ignore, ignore, ignore, ignore, ignore, ignore)},
		EvCWR: {name: "CWR", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootb, ignore, ignore, ignore, ignore, ignore, ignore, ignore)},
		EvShutdownComplete: {name: "SHUTDOWN COMPLETE", tag: TagRuleReflect, minLen: 4, cells: cells(
			ootbSilent, ignore, ignore, ignore, ignore, ignore, ignore, shutComplete)},
		EvUnknownChunk: {name: "unknown chunk", tag: TagRuleOwn, minLen: 4, cells: cells(
			ootb, ignore, unknown, unknown, unknown, unknown, unknown, unknown)},
		EvBadChunk: {name: "malformed chunk", tag: TagRuleOwn, cells: cells(
			malformed, malformed, malformed, malformed, malformed, malformed, malformed, malformed)},

		EvTimeoutT1Init: {name: "timeout T1-init", cells: cells(
			never, t1Init, never, never, never, never, never, never)},
		EvTimeoutT1Cookie: {name: "timeout T1-cookie", cells: cells(
			never, never, t1Cookie, never, never, never, never, never)},
		EvTimeoutT2: {name: "timeout T2-shutdown", cells: cells(
			never, never, never, never, never, t2Shutdown, never, t2ShutdownAck)},
		EvTimeoutT5: {name: "timeout T5-shutdown-guard", cells: cells(
			never, never, never, never, t5Guard, t5Guard, t5Guard, t5Guard)},
		EvTimeoutT3: {name: "timeout T3-rtx", cells: cells(
			never, never, never, t3, t3, never, t3, never)},
		EvTimeoutHeartbeat: {name: "timeout heartbeat", cells: cells(
			never, never, never, hbTimer, hbTimer, never, hbTimer, never)},
		EvTimeoutSack: {name: "timeout delayed SACK", cells: cells(
			never, never, never, sackTimer, sackTimer, sackTimer, sackTimer, ignore)},
		EvTimeoutProbe: {name: "timeout path MTU", cells: cells(
			never, ignore, ignore, probeTimer, probeTimer, ignore, probeTimer, ignore)},

		EvPrimAssociate: {name: "ASSOCIATE", cells: cells(
			associate, wrongState, wrongState, wrongState, wrongState, wrongState, wrongState, wrongState)},
		EvPrimSend: {name: "SEND", cells: cells(
			noAssoc, send, send, send, sendClosed, sendClosed, sendClosed, sendClosed)},
		EvPrimShutdown: {name: "SHUTDOWN (user)", cells: cells(
			noAssoc, closeEarly, closeEchoed, closeEstab, closeAgain, closeAgain, closeReceived, closeAgain)},
		EvPrimAbort: {name: "ABORT (user)", cells: cells(
			noAssoc, abortEarly, abortUser, abortUser, abortUser, abortUser, abortUser, abortUser)},
		EvPrimHeartbeat: {name: "REQUEST HEARTBEAT", cells: cells(
			noAssoc, wrongState, wrongState, hbRequest, hbRequest, wrongState, hbRequest, wrongState)},
		EvPrimSetPrimary: {name: "SET PRIMARY", cells: cells(
			noAssoc, wrongState, wrongState, setPrimary, setPrimary, wrongState, setPrimary, wrongState)},

		EvPrimSetSource: {name: "SET SOURCE", cells: cells(
			noAssoc, setSource, setSource, setSource, setSource, setSource, setSource, setSource)},

		EvNoPendingTSN: {name: "no pending TSN", cells: cells(
			never, ignore, ignore, ignore, startShutdown, ignore, startShutdownAck, ignore)},
		EvPathsAcked: {name: "paths acknowledged", cells: cells(
			never, never, never, pathsAcked, pathsAcked, pathsAcked, pathsAcked, ignore)},
		EvViolation: {name: "protocol violation", cells: cells(
			never, violation, violation, violation, violation, violation, violation, violation)},
		EvNoUserData: {name: "no user data", cells: cells(
			never, never, never, noUserData, noUserData, noUserData, noUserData, never)},
		EvBadStream: {name: "invalid stream", cells: cells(
			never, never, never, badStream, badStream, badStream, badStream, never)},
		EvRoute: {name: "route change", cells: cells(
			never, routed, routed, routed, routed, routed, routed, routed)},
		EvProtoUnreach: {name: "ICMP protocol unreachable", cells: cells(
			ignore, unreachSetup, unreachSetup, unreach, unreach, unreach, unreach, unreach)},
		EvInternalError: {name: "internal error", cells: cells(
			ignore, internalSetup, internal, internal, internal, internal, internal, internal)},
	}

	for t := range eventOf {
		eventOf[t] = EvUnknownChunk
	}
	for t := chunk.TypeData; t <= chunk.TypeShutdownComplete; t++ {
		eventOf[t] = EvData + EventID(t)
	}
}

func cells(c ...cell) (a [tcb.NumStates]cell) {
	if len(c) != int(tcb.NumStates) {
		panic("fsm: a row of the state table has a hole")
	}
	copy(a[:], c)
	return a
}

// The cells by name.
var (
	never      = cell{fn: sfNever, name: "sfNever"}
	ignore     = cell{fn: sfIgnore, name: "sfIgnore"}
	malformed  = cell{fn: sfMalformed, name: "sfMalformed"}
	unknown    = cell{fn: sfUnknownChunk, name: "sfUnknownChunk"}
	noAssoc    = cell{fn: sfNoAssoc, name: "sfNoAssoc"}
	wrongState = cell{fn: sfWrongState, name: "sfWrongState"}

	ootb           = cell{fn: sfOOTB, name: "sfOOTB"}
	ootbSilent     = cell{fn: sfOOTBSilent, name: "sfOOTBSilent"}
	ootbShutAck    = cell{fn: sfOOTBShutdownAck, name: "sfOOTBShutdownAck"}
	ootbShutAckAny = cell{fn: sfOOTBShutdownAck, name: "sfOOTBShutdownAck", anyTag: true}
	ootbError      = cell{fn: sfOOTBError, name: "sfOOTBError"}

	associate      = cell{fn: sfAssociate, name: "sfAssociate", entropy: true}
	initNew        = cell{fn: sfInit, name: "sfInit", entropy: true}
	initCollision  = cell{fn: sfInitCollision, name: "sfInitCollision"}
	initUnexpected = cell{fn: sfInitUnexpected, name: "sfInitUnexpected", entropy: true}
	initClosing    = cell{fn: sfInitClosing, name: "sfInitClosing"}
	initAck        = cell{fn: sfInitAck, name: "sfInitAck", entropy: true}
	cookieNew      = cell{fn: sfCookieEcho, name: "sfCookieEcho", entropy: true}
	cookieDup      = cell{fn: sfCookieEchoDup, name: "sfCookieEchoDup", entropy: true}
	cookieAck      = cell{fn: sfCookieAck, name: "sfCookieAck"}
	t1Init         = cell{fn: sfT1Init, name: "sfT1Init"}
	t1Cookie       = cell{fn: sfT1Cookie, name: "sfT1Cookie", entropy: true}

	ingest        = cell{fn: sfData, name: "sfData"}
	ingestClosing = cell{fn: sfDataShutdownSent, name: "sfDataShutdownSent"}
	sack          = cell{fn: sfSack, name: "sfSack"}
	sackTimer     = cell{fn: sfSackTimer, name: "sfSackTimer"}
	send          = cell{fn: sfSend, name: "sfSend"}
	sendClosed    = cell{fn: sfSendClosed, name: "sfSendClosed"}
	t3            = cell{fn: sfT3, name: "sfT3"}
	pathsAcked    = cell{fn: sfPathsAcked, name: "sfPathsAcked"}
	noUserData    = cell{fn: sfNoUserData, name: "sfNoUserData"}
	badStream     = cell{fn: sfBadStream, name: "sfBadStream"}

	heartbeat  = cell{fn: sfHeartbeat, name: "sfHeartbeat"}
	hbAck      = cell{fn: sfHeartbeatAck, name: "sfHeartbeatAck"}
	hbTimer    = cell{fn: sfHeartbeatTimer, name: "sfHeartbeatTimer", entropy: true}
	probeTimer = cell{fn: sfProbeTimer, name: "sfProbeTimer", entropy: true}
	hbRequest  = cell{fn: sfHeartbeatRequest, name: "sfHeartbeatRequest", entropy: true}

	setPrimary = cell{fn: sfSetPrimary, name: "sfSetPrimary"}
	setSource  = cell{fn: sfSetSource, name: "sfSetSource", entropy: true}
	routed     = cell{fn: sfRoute, name: "sfRoute", entropy: true}

	abort         = cell{fn: sfAbort, name: "sfAbort"}
	abortSetup    = cell{fn: sfAbortSetup, name: "sfAbortSetup"}
	abortUser     = cell{fn: sfAbortUser, name: "sfAbortUser"}
	abortEarly    = cell{fn: sfAbortEarly, name: "sfAbortEarly"}
	violation     = cell{fn: sfViolation, name: "sfViolation"}
	unreach       = cell{fn: sfProtoUnreach, name: "sfProtoUnreach"}
	unreachSetup  = cell{fn: sfProtoUnreachSetup, name: "sfProtoUnreachSetup"}
	internal      = cell{fn: sfInternal, name: "sfInternal"}
	internalSetup = cell{fn: sfInternalSetup, name: "sfInternalSetup"}
	errorEchoed   = cell{fn: sfErrorCookieEchoed, name: "sfErrorCookieEchoed", entropy: true}
	errorReport   = cell{fn: sfError, name: "sfError"}

	shutdown         = cell{fn: sfShutdown, name: "sfShutdown"}
	shutdownBoth     = cell{fn: sfShutdownBoth, name: "sfShutdownBoth"}
	shutdownAgain    = cell{fn: sfShutdownAgain, name: "sfShutdownAgain"}
	shutdownLate     = cell{fn: sfShutdownLate, name: "sfShutdownLate"}
	shutdownAck      = cell{fn: sfShutdownAck, name: "sfShutdownAck"}
	shutComplete     = cell{fn: sfShutdownComplete, name: "sfShutdownComplete"}
	closeEarly       = cell{fn: sfCloseEarly, name: "sfCloseEarly"}
	closeEchoed      = cell{fn: sfCloseEchoed, name: "sfCloseEchoed"}
	closeEstab       = cell{fn: sfClose, name: "sfClose"}
	closeAgain       = cell{fn: sfCloseAgain, name: "sfCloseAgain"}
	closeReceived    = cell{fn: sfCloseReceived, name: "sfCloseReceived"}
	startShutdown    = cell{fn: sfStartShutdown, name: "sfStartShutdown"}
	startShutdownAck = cell{fn: sfStartShutdownAck, name: "sfStartShutdownAck"}
	t2Shutdown       = cell{fn: sfT2Shutdown, name: "sfT2Shutdown"}
	t2ShutdownAck    = cell{fn: sfT2ShutdownAck, name: "sfT2ShutdownAck"}
	t5Guard          = cell{fn: sfT5, name: "sfT5"}
)
