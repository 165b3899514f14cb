package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Verb is what a command tells the executor to do.
type Verb uint8

// Verbs. Fields not named are not used.
const (
	CmdNop Verb = iota

	// Association and control state.
	CmdNewAssoc      // create an association from the event's cookie; commands after it are for that association
	CmdSetup         // set the TCB up for an INIT of ours: tag A, TSN B, tie-tag C
	CmdNewState      // A: tcb.State
	CmdAdoptInit     // take the peer's INIT ACK (event's Init) into TCB and pipes; paths that it does not name go, others move up
	CmdAdoptCookie   // take peer tag, TSN, window, streams and addresses from the event's cookie
	CmdRestart       // start over with the event's cookie: new tags, TSNs, paths' congestion state
	CmdUnsend        // data already sent becomes unsent
	CmdShutdownAsked // remember that the user closed, where the state does not say so
	CmdDeleteTCB     // the association ends; Code: AssocChange of the final notification, A: cause code

	// Chunks to send. Path: where to; NoPath: the packet's source.
	CmdSend        // queue control chunk Kind; Flags: SendBack
	CmdSendError   // queue an ERROR chunk: cause Code, Arg A, Span (echoed), B
	CmdSendAbort   // ABORT in a packet of its own with the peer's tag: cause Code, A, Span
	CmdSendInitAck // INIT ACK to the packet's source: tag A, TSN B; Flags: InitAckOwn, InitAckTie
	CmdRespond     // packet of its own to the packet's source: chunk Kind, Flags, Verification Tag A, cause Code, Span

	// Timers. Dur 0 means the path's RTO.
	CmdTimerStart // (re)start Timer, Path
	CmdTimerStop  // Timer, Path
	CmdTimersStop // all control timers and heartbeats
	CmdHeartbeats // start heartbeat timers on every path; unconfirmed paths are probed at once

	// Data path.
	CmdIngest    // the event's run of DATA
	CmdSack      // process the event's SACK
	CmdCumAck    // process the SHUTDOWN's cumulative TSN ack
	CmdGenSack   // acknowledge: A 1 at once, 0 when the timer says
	CmdEnqueue   // the message of EvPrimSend
	CmdMarkRtx   // T3-rtx expired on Path
	CmdRTTSample // Path, Dur
	CmdBackoff   // double Path's RTO
	CmdHeartbeat // HEARTBEAT to Path with nonce A<<32|B; NoPath: the packet's source, if that is a path
	CmdHBAcked   // Path, its HEARTBEAT came back

	// Path MTU.
	CmdProbe      // the search on Path goes on, perhaps with a probe; fresh nonce A<<32|B
	CmdProbeAcked // a probe of A bytes came back from Path

	// Errors and paths.
	CmdStrike      // Path's error counter, and with A 1 the association's
	CmdClearErrors // counters of the paths in C, and with A 1 the association's
	CmdPathState   // Path gets state A
	CmdInitTry     // one more INIT or COOKIE ECHO; A 1: back to none
	CmdCtlPath     // Path is where control chunks go; NoPath: the packet's source
	CmdPrimary     // Path is the primary path
	CmdRoute       // Path's packets go the way that was found; A 1: it is cut
	CmdRescue      // what is in flight on Path is lost, and goes again at once
	CmdStale       // one more Stale Cookie answered; A: Cookie Preservative in ms, B: new tag

	// To the user.
	CmdNotify // Code: Note; A, B details; Span: bytes of the packet
	CmdResult // result of a primitive: Code: Result
	CmdCount  // Code: Stat
)

// SendBack is a flag of CmdSend with NoPath: to the packet's source even if that
// is not confirmed. A HEARTBEAT has to go with it (RFC 9260 section 5.4).
const SendBack = 1

// Flags of CmdSendInitAck.
const (
	InitAckOwn = 1 << iota // repeat the parameters of our own INIT (collision)
	InitAckTie             // tie-tags of the association go into the cookie
)

// Command is one instruction to the executor. It has no pointers: lists stay
// in the event, and the command names them.
type Command struct {
	Verb    Verb
	Kind    chunk.Type
	Flags   uint8
	Path    tcb.PathID
	Timer   tcb.TimerID
	Code    uint16
	A, B, C uint32
	Span    Span
	Dur     mono.Duration
}

// MaxCommands bounds the commands of one event; the explorer and the table
// tests report the largest number seen.
const MaxCommands = 16

// Commands is the list a state function fills. One per executor, reused.
type Commands struct {
	n        int
	overflow bool
	buf      [MaxCommands]Command
}

// Reset empties the list.
func (c *Commands) Reset() { c.n, c.overflow = 0, false }

// Len returns the number of commands.
func (c *Commands) Len() int { return c.n }

// At returns command i.
func (c *Commands) At(i int) *Command { return &c.buf[i] }

// Overflowed reports whether a command did not fit: a bug.
func (c *Commands) Overflowed() bool { return c.overflow }

// Equal reports whether both lists hold the same commands.
func (c *Commands) Equal(d *Commands) bool {
	if c.n != d.n || c.overflow != d.overflow {
		return false
	}
	for i := 0; i < c.n; i++ {
		if c.buf[i] != d.buf[i] {
			return false
		}
	}
	return true
}

// Append adds a command; one that does not fit makes the list overflow.
func (c *Commands) Append(cmd Command) { c.add(cmd) }

func (c *Commands) add(cmd Command) {
	if c.n == MaxCommands {
		c.overflow = true
		return
	}
	c.buf[c.n] = cmd
	c.n++
}

func (c *Commands) verb(v Verb)       { c.add(Command{Verb: v}) }
func (c *Commands) state(s tcb.State) { c.add(Command{Verb: CmdNewState, A: uint32(s)}) }
func (c *Commands) count(s Stat)      { c.add(Command{Verb: CmdCount, Code: uint16(s)}) }
func (c *Commands) result(r Result)   { c.add(Command{Verb: CmdResult, Code: uint16(r)}) }
func (c *Commands) stop(t tcb.TimerID) {
	c.add(Command{Verb: CmdTimerStop, Timer: t, Path: tcb.NoPath})
}
func (c *Commands) path(v Verb, p tcb.PathID) { c.add(Command{Verb: v, Path: p}) }

func (c *Commands) start(t tcb.TimerID, p tcb.PathID) {
	c.add(Command{Verb: CmdTimerStart, Timer: t, Path: p})
}

func (c *Commands) send(kind chunk.Type, p tcb.PathID) {
	c.add(Command{Verb: CmdSend, Kind: kind, Path: p})
}

func (c *Commands) respond(kind chunk.Type, flags uint8, tag chunk.VTag, cause chunk.CauseCode, span Span) {
	c.add(Command{Verb: CmdRespond, Kind: kind, Flags: flags, Path: tcb.NoPath, A: uint32(tag), Code: uint16(cause), Span: span})
}

func (c *Commands) abort(cause chunk.CauseCode, arg uint32, span Span) {
	c.add(Command{Verb: CmdSendAbort, Path: tcb.NoPath, Code: uint16(cause), A: arg, Span: span})
}

func (c *Commands) notify(n Note, a, b uint32, span Span) {
	c.add(Command{Verb: CmdNotify, Code: uint16(n), A: a, B: b, Span: span})
}

func (c *Commands) end(change AssocChange, cause chunk.CauseCode) {
	c.add(Command{Verb: CmdDeleteTCB, Code: uint16(change), A: uint32(cause)})
}
