package trace

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// verbs are the commands in words.
var verbs = [...]string{
	fsm.CmdNop:           "nothing",
	fsm.CmdNewAssoc:      "new association",
	fsm.CmdSetup:         "set up",
	fsm.CmdNewState:      "state",
	fsm.CmdAdoptInit:     "adopt INIT ACK",
	fsm.CmdAdoptCookie:   "adopt cookie",
	fsm.CmdRestart:       "restart",
	fsm.CmdUnsend:        "unsend",
	fsm.CmdShutdownAsked: "shutdown asked",
	fsm.CmdDeleteTCB:     "delete TCB",
	fsm.CmdSend:          "send",
	fsm.CmdSendError:     "send ERROR",
	fsm.CmdSendAbort:     "send ABORT",
	fsm.CmdSendInitAck:   "send INIT ACK",
	fsm.CmdRespond:       "respond",
	fsm.CmdTimerStart:    "start",
	fsm.CmdTimerStop:     "stop",
	fsm.CmdTimersStop:    "stop all timers",
	fsm.CmdHeartbeats:    "start heartbeats",
	fsm.CmdIngest:        "ingest",
	fsm.CmdSack:          "process SACK",
	fsm.CmdCumAck:        "process cumulative ack",
	fsm.CmdGenSack:       "acknowledge",
	fsm.CmdEnqueue:       "enqueue",
	fsm.CmdMarkRtx:       "retransmit",
	fsm.CmdRTTSample:     "RTT sample",
	fsm.CmdBackoff:       "back off",
	fsm.CmdHeartbeat:     "send HEARTBEAT",
	fsm.CmdHBAcked:       "heartbeat acked",
	fsm.CmdProbe:         "probe path MTU",
	fsm.CmdProbeAcked:    "probe acked",
	fsm.CmdStrike:        "strike",
	fsm.CmdClearErrors:   "clear errors",
	fsm.CmdPathState:     "path state",
	fsm.CmdInitTry:       "init try",
	fsm.CmdPrimary:       "primary",
	fsm.CmdCtlPath:       "control path",
	fsm.CmdRoute:         "route",
	fsm.CmdRescue:        "rescue",
	fsm.CmdStale:         "stale cookie",
	fsm.CmdNotify:        "notify",
	fsm.CmdResult:        "result",
	fsm.CmdCount:         "count",
}

// VerbName returns a command verb in words.
func VerbName(v fsm.Verb) string {
	if int(v) < len(verbs) && verbs[v] != "" {
		return verbs[v]
	}
	return fmt.Sprintf("verb %d", v)
}

// Command returns a command with its arguments, in words.
func Command(c *fsm.Command) string {
	w := []string{VerbName(c.Verb)}
	add := func(format string, args ...any) { w = append(w, fmt.Sprintf(format, args...)) }
	cause := func() {
		if c.Code != 0 {
			add("(%v)", chunk.CauseCode(c.Code))
		}
	}
	path := func() {
		if c.Path != tcb.NoPath {
			add("path %d", c.Path)
		}
	}
	switch c.Verb {
	case fsm.CmdNewState:
		add("%v", tcb.State(c.A))
	case fsm.CmdSetup:
		add("tag %08x, TSN %d", c.A, c.B)
	case fsm.CmdDeleteTCB:
		add("%v", fsm.AssocChange(c.Code))
		if c.A != 0 {
			add("(%v)", chunk.CauseCode(c.A))
		}
	case fsm.CmdSend:
		add("%v", c.Kind)
		path()
	case fsm.CmdSendError, fsm.CmdSendAbort:
		cause()
		path()
	case fsm.CmdSendInitAck:
		add("tag %08x, TSN %d", c.A, c.B)
		if c.Flags&fsm.InitAckOwn != 0 {
			add("own")
		}
		if c.Flags&fsm.InitAckTie != 0 {
			add("with tie-tags")
		}
	case fsm.CmdRespond:
		add("%v tag %08x", c.Kind, c.A)
		if c.Flags&chunk.FlagT != 0 {
			add("T")
		}
		cause()
	case fsm.CmdTimerStart:
		add("%v", c.Timer)
		path()
		if c.Dur != 0 {
			add("%v", c.Dur)
		}
	case fsm.CmdTimerStop:
		add("%v", c.Timer)
	case fsm.CmdRTTSample:
		path()
		add("%v", c.Dur)
	case fsm.CmdProbeAcked:
		path()
		add("%d bytes", c.A)
	case fsm.CmdProbe, fsm.CmdMarkRtx, fsm.CmdBackoff, fsm.CmdHeartbeat, fsm.CmdHBAcked, fsm.CmdCtlPath, fsm.CmdPrimary, fsm.CmdRescue:
		path()
	case fsm.CmdStrike:
		path()
		if c.A == 1 {
			add("and association")
		}
	case fsm.CmdClearErrors:
		add("paths %b", c.C)
	case fsm.CmdPathState:
		path()
		add("%v", tcb.PathState(c.A))
	case fsm.CmdInitTry:
		if c.A == 1 {
			add("none")
		}
	case fsm.CmdStale:
		add("preservative %d ms", c.A)
	case fsm.CmdNotify:
		w = append(w, notification(c))
	case fsm.CmdResult:
		add("%s", resultName(fsm.Result(c.Code)))
	case fsm.CmdCount:
		add("%v", fsm.Stat(c.Code))
	}
	return strings.Join(w, " ")
}

func notification(c *fsm.Command) string {
	switch fsm.Note(c.Code) {
	case fsm.NoteAssocChange:
		return fsm.AssocChange(c.A).String()
	case fsm.NotePathChange:
		names := [...]string{"available", "unreachable", "confirmed"}
		if int(c.B) < len(names) {
			return fmt.Sprintf("path %d %s", c.A, names[c.B])
		}
	case fsm.NoteRemoteError:
		return fmt.Sprintf("REMOTE_ERROR (%v)", chunk.CauseCode(c.B))
	case fsm.NoteShutdown:
		return "SHUTDOWN_EVENT"
	}
	return fmt.Sprintf("note %d %d %d", c.Code, c.A, c.B)
}

func resultName(r fsm.Result) string {
	names := [...]string{"failed", "ok", "no association", "shutdown", "wrong state", "no such path"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprint(uint16(r))
}
