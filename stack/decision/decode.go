package decision

import (
	"errors"
	"fmt"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Dump is what there is to know of the last steps of an association.
type Dump struct {
	ID     uint32 // the association's
	Config *tcb.Config
	Panic  string // what a contained panic said, with its stack; "" for none
	Steps  []byte // for Decode
}

// Step is a step read back.
type Step struct {
	Number      uint64   // of the association's steps since its ring was taken, from 1
	TCB         *tcb.TCB // before the step; nil: there was none. Its Cfg is what Again was given
	Event       fsm.Event
	Disposition fsm.Disposition
	Commands    fsm.Commands

	had bool // a TCB; it is in the last checkpoint
}

// Before is the state that the step began in.
func (s *Step) Before() tcb.State {
	if s.TCB == nil {
		return tcb.Closed
	}
	return s.TCB.State
}

// After is the state that the step's commands lead to.
func (s *Step) After() tcb.State {
	after := s.Before()
	for i := range s.Commands.Len() {
		switch c := s.Commands.At(i); c.Verb {
		case fsm.CmdNewState:
			after = tcb.State(c.A)
		case fsm.CmdDeleteTCB:
			after = tcb.Closed
		}
	}
	return after
}

// Again runs the step once more, with the Config of its association, by the
// state functions of this program.
func (s *Step) Again(cfg *tcb.Config, out *fsm.Commands) fsm.Disposition {
	if s.TCB == nil {
		return fsm.Step(tcb.View{}, &s.Event, out)
	}
	s.TCB.Cfg = cfg
	return fsm.Step(tcb.ViewOf(s.TCB), &s.Event, out)
}

// ErrFormat says that bytes are no dump of a ring.
var ErrFormat = errors.New("sctp: not a dump of a decision ring")

// Decode reads what Ref.Dump wrote. Bytes that are none give the steps up to
// there and an error that wraps ErrFormat.
func Decode(b []byte) ([]Step, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 8 {
		return nil, ErrFormat
	}
	number := le.Uint64(b)
	b = b[8:]
	var steps []Step
	var t *tcb.TCB
	for len(b) > 0 {
		var n int
		switch b[0] {
		case kindCheckpoint:
			t = new(tcb.TCB)
			n = getTCB(b, t)
		case kindStep:
			number++
			s := Step{Number: number}
			if n = s.get(b); n > 0 {
				if s.had {
					if t == nil {
						n = 0 // without a checkpoint before it
						break
					}
					s.TCB = t
				}
				steps = append(steps, s)
			}
		}
		if n == 0 {
			return steps, fmt.Errorf("%w: after %d steps", ErrFormat, len(steps))
		}
		b = b[n:]
	}
	return steps, nil
}

// get reads one step, less its TCB; it returns its size, 0 if it is none.
func (s *Step) get(b []byte) int {
	size := len(b)
	if len(b) < stepFixed || b[3] > fsm.MaxCommands || b[1] >= byte(fsm.NumEvents) {
		return 0
	}
	ev := &s.Event
	ev.ID, s.Disposition = fsm.EventID(b[1]), fsm.Disposition(b[2])
	cmds := int(b[3])
	flags := le.Uint32(b[4:])
	on := func(f uint32) bool { return flags&f != 0 }
	s.had = on(flagTCB)
	ev.First, ev.Alone = on(flagFirst), on(flagAlone)
	ev.Facts = fsm.Facts{
		OutqEmpty: on(flagOutqEmpty), ZeroWindow: on(flagZeroWindow), PathBusy: on(flagPathBusy),
		NewAddrs: on(flagNewAddrs), PeerUnknown: on(flagPeerUnknown),
		Cut: on(flagCut), SourceGone: on(flagSourceGone), Foreign: on(flagForeign),
	}
	ev.Env = fsm.Env{
		Now:       mono.Time(le.Uint64(b[8:])),
		Listening: on(flagListening), BacklogFull: on(flagBacklogFull), NonUnicast: on(flagNonUnicast),
	}
	ev.Path, ev.Flags, ev.Tag, ev.Type = tcb.PathID(b[16]), b[17], fsm.TagClass(b[18]), chunk.Type(b[19])
	ev.VTag, ev.Arg, ev.Paths = chunk.VTag(le.Uint32(b[20:])), le.Uint32(b[24:]), tcb.PathSet(le.Uint32(b[28:]))
	ev.Code, ev.Len = le.Uint16(b[32:]), le.Uint16(b[34:])
	ev.Span = fsm.Span{Off: le.Uint16(b[36:]), Len: le.Uint16(b[38:])}
	b = b[stepFixed:]

	need := commandSize * cmds
	for _, p := range []struct {
		flag uint32
		size int
	}{{flagEntropy, entropySize}, {flagInit, initSize}, {flagCookie, cookieSize}, {flagHB, hbSize}} {
		if on(p.flag) {
			need += p.size
		}
	}
	isInit := ev.ID == fsm.EvInit || ev.ID == fsm.EvInitAck
	if len(b) < need || isInit != on(flagInit) {
		return 0
	}
	if on(flagEntropy) {
		e := &ev.Env
		e.Tag, e.TSN = chunk.VTag(le.Uint32(b)), chunk.TSN(le.Uint32(b[4:]))
		e.Tie, e.Nonce = [2]uint32{le.Uint32(b[8:]), le.Uint32(b[12:])}, le.Uint64(b[16:])
		b = b[entropySize:]
	}
	if on(flagInit) {
		if ev.Init = getInit(b); ev.Init == nil {
			return 0
		}
		b = b[initSize:]
	}
	if on(flagCookie) {
		f := le.Uint32(b)
		ev.Cookie = fsm.CookieFacts{
			Valid: f&1 != 0, Expired: f&2 != 0, Moved: f&4 != 0, StaleBy: mono.Duration(le.Uint64(b[4:])),
			LocalTag: chunk.VTag(le.Uint32(b[12:])), PeerTag: chunk.VTag(le.Uint32(b[16:])),
			TieLocal: le.Uint32(b[20:]), TiePeer: le.Uint32(b[24:]),
		}
		b = b[cookieSize:]
	}
	if on(flagHB) {
		ev.HB = fsm.HeartbeatFacts{
			Valid: b[0] != 0, Path: tcb.PathID(b[1]), Probe: le.Uint16(b[2:]), Nonce: le.Uint64(b[4:]), RTT: mono.Duration(le.Uint64(b[12:])),
		}
		b = b[hbSize:]
	}
	for range cmds {
		s.Commands.Append(fsm.Command{
			Verb: fsm.Verb(b[0]), Kind: chunk.Type(b[1]), Flags: b[2], Path: tcb.PathID(b[3]),
			Timer: tcb.TimerID(b[4]), Code: le.Uint16(b[6:]),
			A: le.Uint32(b[8:]), B: le.Uint32(b[12:]), C: le.Uint32(b[16:]),
			Span: fsm.Span{Off: le.Uint16(b[20:]), Len: le.Uint16(b[22:])}, Dur: mono.Duration(le.Uint64(b[24:])),
		})
		b = b[commandSize:]
	}
	return size - len(b)
}

func getInit(b []byte) *chunk.InitFacts {
	if b[2] > chunk.MaxAddrs || b[3] > chunk.MaxUnknown {
		return nil
	}
	f := le.Uint32(b[24:])
	return &chunk.InitFacts{
		Type: chunk.Type(b[0]), Verdict: chunk.Err(b[1]), NAddrs: int(b[2]), NUnknown: int(b[3]),
		Tag: chunk.VTag(le.Uint32(b[4:])), ARwnd: le.Uint32(b[8:]),
		OS: le.Uint16(b[12:]), MIS: le.Uint16(b[14:]), TSN: chunk.TSN(le.Uint32(b[16:])),
		CookiePreservative: le.Uint32(b[20:]),
		MissingCookie:      f&1 != 0, HasHostName: f&2 != 0, SupportsV4: f&4 != 0, SupportsV6: f&8 != 0,
	}
}

// getTCB reads a checkpoint into t; it returns its size, 0 if it is none.
func getTCB(b []byte, t *tcb.TCB) int {
	if len(b) < tcbFixed || b[1] > tcb.MaxPaths || b[2] >= byte(tcb.NumStates) {
		return 0
	}
	n := tcbFixed + pathSize*int(b[1])
	if len(b) < n {
		return 0
	}
	*t = tcb.TCB{
		Paths: t.Paths[:0],
		State: tcb.State(b[2]), Primary: tcb.PathID(b[3]), CtlPath: tcb.PathID(b[4]), Armed: b[5],
		StaleRetries: b[6], ShutdownAsked: b[7]&1 != 0, Initiated: b[7]&2 != 0,
		LocalPort: le.Uint16(b[8:]), PeerPort: le.Uint16(b[10:]),
		LocalTag: chunk.VTag(le.Uint32(b[12:])), PeerTag: chunk.VTag(le.Uint32(b[16:])),
		TieLocal: le.Uint32(b[20:]), TiePeer: le.Uint32(b[24:]),
		LocalTSN: chunk.TSN(le.Uint32(b[28:])), PeerTSN: chunk.TSN(le.Uint32(b[32:])),
		PeerRwnd: le.Uint32(b[36:]), CookieLifetime: le.Uint32(b[40:]),
		OutStreams: le.Uint16(b[44:]), InStreams: le.Uint16(b[46:]),
		Errors: le.Uint16(b[48:]), InitTries: le.Uint16(b[50:]),
		ID: le.Uint32(b[52:]), CtlSent: mono.Time(le.Uint64(b[56:])),
	}
	for q := b[tcbFixed:n]; len(q) > 0; q = q[pathSize:] {
		t.Paths = append(t.Paths, tcb.PathCtl{
			State: tcb.PathState(q[0]), HBOut: q[1]&1 != 0, HBArmed: q[1]&2 != 0, Cut: q[1]&4 != 0,
			Errors: le.Uint16(q[2:]), Nonce: le.Uint64(q[4:]),
		})
	}
	if len(t.Paths) > 0 && int(t.Primary) >= len(t.Paths) {
		return 0 // nothing that the machine could work with
	}
	return n
}

// Verify compares the step that was recorded last with what it was made from;
// it returns what differs, "" if nothing does. Tests call it at every step.
func (p *Pool) Verify(f *Ref, t *tcb.TCB, ev *fsm.Event, d fsm.Disposition, out *fsm.Commands) string {
	h := &f.r.half[f.r.cur]
	s := &p.check
	*s = Step{}
	if s.get(h.buf[h.last:h.n]) == 0 || s.Disposition != d || !s.Commands.Equal(out) || s.Event.ID != ev.ID {
		return "not what was decided"
	}
	if s.had != (t != nil) {
		return "the TCB is missing"
	}
	if t != nil {
		getTCB(h.buf[h.check:h.n], &p.tcb)
		s.TCB = &p.tcb
	}
	var cfg *tcb.Config
	if t != nil {
		cfg = t.Cfg
		p.key = s.TCB.AppendKey(p.key[:0])
		n := len(p.key)
		p.key = t.AppendKey(p.key)
		if string(p.key[:n]) != string(p.key[n:]) || s.TCB.CtlSent != t.CtlSent {
			return "the TCB changed between steps"
		}
	}
	if s.Again(cfg, &p.again) != d || !p.again.Equal(out) {
		return "run again it decides otherwise"
	}
	return ""
}
