package fsm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The association of these tests: two paths, of which 0 is primary and active.
const (
	ourTag   chunk.VTag = 0x11
	peerTag  chunk.VTag = 0x22
	otherTag chunk.VTag = 0x99
	ourTie              = 0x33
	peerTie             = 0x44
	ourTSN   chunk.TSN  = 1000
	now                 = mono.Time(100 * mono.Second)
)

// sample returns a TCB as it is in state s; nil in CLOSED.
func sample(s tcb.State) *tcb.TCB {
	if s == tcb.Closed {
		return nil
	}
	cfg := tcb.DefaultConfig()
	t := &tcb.TCB{
		Cfg: &cfg, ID: 7, State: s, LocalPort: 5000, PeerPort: 6000,
		LocalTag: ourTag, PeerTag: peerTag, TieLocal: ourTie, TiePeer: peerTie,
		LocalTSN: ourTSN, PeerTSN: 2000, PeerRwnd: 65536, OutStreams: 10, InStreams: 10,
		Paths:   []tcb.PathCtl{{State: tcb.PathActive}, {State: tcb.PathActive}},
		CtlSent: now.Add(-2 * mono.Second),
	}
	arm := func(id tcb.TimerID) { t.Armed |= 1 << id }
	switch s {
	case tcb.CookieWait:
		t.PeerTag, t.TiePeer, t.Initiated = 0, 0, true
		arm(tcb.T1Init)
	case tcb.CookieEchoed:
		t.Initiated = true
		arm(tcb.T1Cookie)
	case tcb.ShutdownSent:
		arm(tcb.T2Shutdown)
		arm(tcb.T5Guard)
	case tcb.ShutdownAckSent:
		arm(tcb.T2Shutdown)
	}
	return t
}

// event returns the usual event of its kind: for a chunk one that comes alone,
// with the tag that it should have, from path 0.
func event(id fsm.EventID) fsm.Event {
	ev := fsm.Event{
		ID: id, Tag: fsm.TagOwn, VTag: ourTag, Len: 100, First: true, Alone: true,
		Span: fsm.Span{Off: 12, Len: 100},
		Env:  fsm.Env{Now: now, Tag: 0x55, TSN: 0x66, Tie: [2]uint32{0x77, 0x88}, Nonce: 0xA_0000000B, Listening: true},
	}
	switch id {
	case fsm.EvInit:
		ev.Tag, ev.VTag, ev.Init = fsm.TagZero, 0, goodInit()
	case fsm.EvInitAck:
		ev.Init = goodInit()
	case fsm.EvCookieEcho:
		ev.Cookie = fsm.CookieFacts{Valid: true, LocalTag: ourTag, PeerTag: peerTag}
	case fsm.EvHeartbeatAck:
		ev.HB = fsm.HeartbeatFacts{Valid: true, Nonce: 42, RTT: 30 * mono.Millisecond}
	}
	return ev
}

func goodInit() *chunk.InitFacts {
	return &chunk.InitFacts{Tag: peerTag, ARwnd: 65536, OS: 10, MIS: 10, TSN: 2000}
}

// step runs ev on t, twice, and returns what came of it.
func step(t testing.TB, c *tcb.TCB, ev *fsm.Event) (fsm.Disposition, *fsm.Commands) {
	t.Helper()
	var out, again fsm.Commands
	var before, after []byte
	if c != nil {
		before = c.AppendKey(nil)
	}
	d := fsm.Step(tcb.ViewOf(c), ev, &out)
	d2 := fsm.Step(tcb.ViewOf(c), ev, &again)
	if c != nil {
		after = c.AppendKey(nil)
	}
	if d != d2 || !out.Equal(&again) || string(before) != string(after) {
		t.Fatalf("%v: not pure", ev.ID)
	}
	if out.Overflowed() {
		t.Fatalf("%v: more than %d commands", ev.ID, fsm.MaxCommands)
	}
	return d, &out
}

// text writes commands down as the rules below do, counters left out.
func text(out *fsm.Commands) string {
	var parts []string
	for i := range out.Len() {
		if s := commandText(out.At(i)); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}

func commandText(c *fsm.Command) string {
	to := ">src"
	if c.Path != tcb.NoPath {
		to = fmt.Sprintf(">%d", c.Path)
	}
	cause := ""
	if c.Code != 0 {
		cause = fmt.Sprintf(" cause %d", c.Code)
	}
	switch c.Verb {
	case fsm.CmdCount:
		return ""
	case fsm.CmdNewAssoc:
		return "new association"
	case fsm.CmdSetup:
		return fmt.Sprintf("setup tag %x tsn %x", c.A, c.B)
	case fsm.CmdNewState:
		return tcb.State(c.A).String()
	case fsm.CmdAdoptInit:
		return "adopt INIT ACK"
	case fsm.CmdAdoptCookie:
		return "adopt cookie"
	case fsm.CmdRestart:
		return "restart"
	case fsm.CmdUnsend:
		return "unsend"
	case fsm.CmdShutdownAsked:
		return "shutdown asked"
	case fsm.CmdDeleteTCB:
		if c.A != 0 {
			cause = fmt.Sprintf(" cause %d", c.A)
		} else {
			cause = ""
		}
		return fmt.Sprintf("end %v%s", fsm.AssocChange(c.Code), cause)
	case fsm.CmdSend:
		return fmt.Sprintf("send %v%s", c.Kind, to)
	case fsm.CmdSendError:
		return fmt.Sprintf("error%s%s", cause, to)
	case fsm.CmdSendAbort:
		return "abort" + cause
	case fsm.CmdSendInitAck:
		s := fmt.Sprintf("INIT ACK tag %x", c.A)
		if c.Flags&fsm.InitAckOwn != 0 {
			s += " own"
		}
		if c.Flags&fsm.InitAckTie != 0 {
			s += " tie"
		}
		return s
	case fsm.CmdRespond:
		s := fmt.Sprintf("respond %v", c.Kind)
		if c.Flags&chunk.FlagT != 0 {
			s += " T"
		}
		return fmt.Sprintf("%s tag %x%s", s, c.A, cause)
	case fsm.CmdTimerStart:
		s := fmt.Sprintf("start %v%s", c.Timer, to)
		if c.Dur != 0 {
			s += " " + c.Dur.String()
		}
		return s
	case fsm.CmdTimerStop:
		return fmt.Sprintf("stop %v", c.Timer)
	case fsm.CmdTimersStop:
		return "stop all"
	case fsm.CmdHeartbeats:
		return "heartbeats"
	case fsm.CmdIngest:
		return "ingest"
	case fsm.CmdSack:
		return "sack"
	case fsm.CmdCumAck:
		return "cumack"
	case fsm.CmdGenSack:
		return fmt.Sprintf("acknowledge %d", c.A)
	case fsm.CmdEnqueue:
		return "enqueue"
	case fsm.CmdMarkRtx:
		return fmt.Sprintf("retransmit %d", c.Path)
	case fsm.CmdRTTSample:
		return fmt.Sprintf("rtt %d %v", c.Path, c.Dur)
	case fsm.CmdBackoff:
		return fmt.Sprintf("back off %d", c.Path)
	case fsm.CmdHeartbeat:
		return fmt.Sprintf("heartbeat%s %x", to, uint64(c.A)<<32|uint64(c.B))
	case fsm.CmdProbe:
		return fmt.Sprintf("probe%s %x", to, uint64(c.A)<<32|uint64(c.B))
	case fsm.CmdProbeAcked:
		return fmt.Sprintf("probed%s %d", to, c.A)
	case fsm.CmdHBAcked:
		return fmt.Sprintf("answered %d", c.Path)
	case fsm.CmdStrike:
		if c.Path == tcb.NoPath {
			return "strike no path and all"
		}
		if c.A == 1 {
			return fmt.Sprintf("strike %d and all", c.Path)
		}
		return fmt.Sprintf("strike %d", c.Path)
	case fsm.CmdClearErrors:
		return fmt.Sprintf("forgive %b all %d", c.C, c.A)
	case fsm.CmdPathState:
		return fmt.Sprintf("path %d %v", c.Path, tcb.PathState(c.A))
	case fsm.CmdInitTry:
		if c.A == 1 {
			return "first try"
		}
		return "one more try"
	case fsm.CmdCtlPath:
		return fmt.Sprintf("control%s", to)
	case fsm.CmdPrimary:
		return fmt.Sprintf("primary%s", to)
	case fsm.CmdRoute:
		if c.A == 1 {
			return fmt.Sprintf("cut %d", c.Path)
		}
		return fmt.Sprintf("route %d", c.Path)
	case fsm.CmdRescue:
		return fmt.Sprintf("rescue %d", c.Path)
	case fsm.CmdStale:
		return fmt.Sprintf("stale %d ms", c.A)
	case fsm.CmdNotify:
		switch fsm.Note(c.Code) {
		case fsm.NoteAssocChange:
			return fmt.Sprintf("tell %v", fsm.AssocChange(c.A))
		case fsm.NotePathChange:
			return fmt.Sprintf("tell path %d %d", c.A, c.B)
		case fsm.NoteRemoteError:
			return fmt.Sprintf("tell error %d", c.B)
		case fsm.NoteShutdown:
			return "tell shutdown"
		}
	case fsm.CmdResult:
		return fmt.Sprintf("result %d", c.Code)
	}
	return fmt.Sprintf("verb %d", c.Verb)
}

// stateAfter is the state that the commands leave behind.
func stateAfter(s tcb.State, out *fsm.Commands) tcb.State {
	for i := range out.Len() {
		switch c := out.At(i); c.Verb {
		case fsm.CmdNewState:
			s = tcb.State(c.A)
		case fsm.CmdDeleteTCB:
			s = tcb.Closed
		}
	}
	return s
}

// counted reports whether the counter goes up.
func counted(out *fsm.Commands, s fsm.Stat) bool {
	for i := range out.Len() {
		if c := out.At(i); c.Verb == fsm.CmdCount && fsm.Stat(c.Code) == s {
			return true
		}
	}
	return false
}

func allStates(yield func(tcb.State) bool) {
	for s := tcb.Closed; s < tcb.NumStates; s++ {
		if !yield(s) {
			return
		}
	}
}

// rule is a line of the rule tables.
type rule struct {
	name   string
	states []tcb.State // in which it holds
	id     fsm.EventID
	tcb    func(*tcb.TCB)   // changes to the sample
	ev     func(*fsm.Event) // changes to the event
	d      fsm.Disposition
	want   string // commands
	next   tcb.State
	stays  bool // the state does not change
}

func in(s ...tcb.State) []tcb.State { return s }

// from returns the states from a to b.
func from(a, b tcb.State) (l []tcb.State) {
	for s := a; s <= b; s++ {
		l = append(l, s)
	}
	return l
}

// except returns all states but those named.
func except(not ...tcb.State) (l []tcb.State) {
next:
	for s := range allStates {
		for _, n := range not {
			if s == n {
				continue next
			}
		}
		l = append(l, s)
	}
	return l
}

func runRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		for _, s := range r.states {
			t.Run(fmt.Sprintf("%s/%v", r.name, s), func(t *testing.T) {
				c := sample(s)
				if r.tcb != nil && c != nil {
					r.tcb(c)
				}
				ev := event(r.id)
				if r.ev != nil {
					r.ev(&ev)
				}
				d, out := step(t, c, &ev)
				want := strings.NewReplacer("$T", fmt.Sprintf("%x", uint32(ev.VTag))).Replace(r.want)
				if got := text(out); d != r.d || got != want {
					t.Fatalf("%v %q\nwant %v %q", d, got, r.d, want)
				}
				next := r.next
				if r.stays {
					next = s
				}
				if got := stateAfter(s, out); got != next {
					t.Fatalf("then %v, want %v", got, next)
				}
			})
		}
	}
}
