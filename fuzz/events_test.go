package fuzz

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// machine carries commands out on a TCB as the executor does, with nothing
// behind it: what the pipes would find is drawn from the input.
type machine struct {
	t    *tcb.TCB // nil: there is no association
	now  mono.Time
	next uint32 // for tags and nonces
	most int

	ingested, sacked bool // the last event went to the pipes
	data             bool // DATA was received: the delayed SACK may be due
}

var eventsConfig = func() *tcb.Config { c := tcb.DefaultConfig(); return &c }()

func (m *machine) fresh() uint32 { m.next = m.next*1664525 + 1013904223; return m.next | 1 }

// occurs reports whether ev can happen now, and takes a timer that fires off.
func (m *machine) occurs(ev *fsm.Event) bool {
	s := tcb.ViewOf(m.t).State()
	fires := func(id tcb.TimerID) bool {
		if m.t == nil || m.t.Armed&(1<<id) == 0 {
			return false
		}
		m.t.Armed &^= 1 << id
		ev.Path = m.t.CtlPath
		return true
	}
	switch ev.ID {
	case fsm.EvTimeoutT1Init:
		return fires(tcb.T1Init)
	case fsm.EvTimeoutT1Cookie:
		return fires(tcb.T1Cookie)
	case fsm.EvTimeoutT2:
		return fires(tcb.T2Shutdown)
	case fsm.EvTimeoutT5:
		return fires(tcb.T5Guard)
	case fsm.EvTimeoutT3:
		return s.MaySendData() && m.onPath(ev)
	case fsm.EvTimeoutSack:
		return m.t != nil && m.data
	case fsm.EvTimeoutProbe:
		return m.t != nil && m.onPath(ev)
	case fsm.EvTimeoutHeartbeat:
		if m.t == nil || !m.onPath(ev) || !m.t.Paths[ev.Path].HBArmed {
			return false
		}
		m.t.Paths[ev.Path].HBArmed = false
		return true
	case fsm.EvPrimAssociate:
		return m.t == nil
	case fsm.EvNoPendingTSN:
		return s == tcb.ShutdownPending || s == tcb.ShutdownReceived
	case fsm.EvPathsAcked:
		return m.t != nil && m.sacked
	case fsm.EvNoUserData, fsm.EvBadStream:
		return m.t != nil && m.ingested
	case fsm.EvViolation:
		return m.t != nil && (m.ingested || m.sacked)
	case fsm.EvRoute:
		return m.t != nil && m.onPath(ev)
	case fsm.EvProtoUnreach, fsm.EvInternalError:
		return m.t != nil
	}
	return true
}

func (m *machine) onPath(ev *fsm.Event) bool {
	if int(ev.Path) >= len(m.t.Paths) {
		ev.Path = tcb.PathID(int(ev.Path) % len(m.t.Paths))
	}
	return true
}

// step runs an event and its commands.
func (m *machine) step(ev *fsm.Event) error {
	before := tcb.ViewOf(m.t).State()
	t := m.t
	if ev.ID == fsm.EvPrimAssociate {
		t = &tcb.TCB{Cfg: eventsConfig, Paths: make([]tcb.PathCtl, 1+m.fresh()%3)}
		for i := range t.Paths {
			t.Paths[i].State = tcb.PathActive
		}
		ev.Path = 0
	}
	var out, again fsm.Commands
	var k1, k2 []byte
	if t != nil {
		k1 = t.AppendKey(nil)
	}
	v := tcb.ViewOf(t)
	d := fsm.Step(v, ev, &out)
	d2 := fsm.Step(v, ev, &again)
	if t != nil {
		k2 = t.AppendKey(nil)
	}
	if d != d2 || !out.Equal(&again) || string(k1) != string(k2) {
		return fmt.Errorf("%v in %v: not pure", ev.ID, before)
	}
	if d == fsm.Bug {
		return fmt.Errorf("%v in %v happened, although it cannot", ev.ID, before)
	}
	if out.Overflowed() {
		return fmt.Errorf("%v in %v: too many commands", ev.ID, before)
	}
	m.most = max(m.most, out.Len())
	if ev.ID == fsm.EvPrimAssociate {
		m.t = t
	}
	m.ingested, m.sacked = false, false
	for i := range out.Len() {
		if err := m.do(ev, out.At(i)); err != nil {
			return fmt.Errorf("%v in %v: %w", ev.ID, before, err)
		}
	}
	after := tcb.ViewOf(m.t).State()
	if after != before && !may[before][after] {
		return fmt.Errorf("%v leads from %v to %v", ev.ID, before, after)
	}
	return m.alive()
}

// may is the state diagram of RFC 9260 figure 3, with restart and failure.
var may = func() (m [tcb.NumStates][tcb.NumStates]bool) {
	to := func(from tcb.State, to ...tcb.State) {
		m[from][tcb.Closed] = true
		for _, s := range to {
			m[from][s] = true
		}
	}
	to(tcb.Closed, tcb.CookieWait, tcb.Established)
	to(tcb.CookieWait, tcb.CookieEchoed, tcb.Established, tcb.ShutdownPending)
	to(tcb.CookieEchoed, tcb.CookieWait, tcb.Established, tcb.ShutdownPending)
	to(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived)
	to(tcb.ShutdownPending, tcb.ShutdownSent, tcb.ShutdownReceived)
	to(tcb.ShutdownSent, tcb.ShutdownAckSent, tcb.ShutdownPending)
	to(tcb.ShutdownReceived, tcb.ShutdownAckSent, tcb.Established, tcb.ShutdownPending)
	to(tcb.ShutdownAckSent)
	return m
}()

// do carries out one command.
func (m *machine) do(ev *fsm.Event, c *fsm.Command) error {
	t := m.t
	switch c.Verb {
	case fsm.CmdNop, fsm.CmdCount, fsm.CmdResult, fsm.CmdRespond, fsm.CmdSendInitAck:
		return nil
	case fsm.CmdNewAssoc:
		if t != nil {
			return fmt.Errorf("a second association")
		}
		m.t = &tcb.TCB{
			Cfg: eventsConfig, LocalTag: ev.Cookie.LocalTag, PeerTag: ev.Cookie.PeerTag,
			TieLocal: c.C, TiePeer: m.fresh(), Paths: []tcb.PathCtl{{State: tcb.PathActive}, {}},
		}
		return nil
	}
	if t == nil {
		return fmt.Errorf("verb %d without an association", c.Verb)
	}
	path := func(p tcb.PathID) (*tcb.PathCtl, error) {
		if p == tcb.NoPath && ev.ID == fsm.EvInitAck {
			p = tcb.PathID(len(t.Paths) - 1) // where it came from
		}
		if int(p) >= len(t.Paths) {
			return nil, fmt.Errorf("verb %d on path %d of %d", c.Verb, p, len(t.Paths))
		}
		return &t.Paths[p], nil
	}
	switch c.Verb {
	case fsm.CmdSetup:
		t.LocalTag, t.LocalTSN, t.TieLocal, t.Initiated, t.CtlSent = chunk.VTag(c.A), chunk.TSN(c.B), c.C, true, m.now
	case fsm.CmdNewState:
		t.State = tcb.State(c.A)
	case fsm.CmdAdoptInit:
		t.PeerTag, t.TiePeer, t.CtlSent = ev.Init.Tag, m.fresh(), m.now
		kept := t.Paths[:0]
		for i, p := range t.Paths {
			if !ev.Paths.Has(tcb.PathID(i)) {
				kept = append(kept, p)
			}
		}
		t.Paths, t.Primary, t.CtlPath = append(kept, tcb.PathCtl{}), 0, 0
	case fsm.CmdAdoptCookie:
		t.LocalTag, t.PeerTag, t.InitTries = ev.Cookie.LocalTag, ev.Cookie.PeerTag, 0
		if t.TiePeer == 0 {
			t.TiePeer = m.fresh()
		}
	case fsm.CmdRestart:
		t.LocalTag, t.PeerTag, t.TieLocal, t.TiePeer = ev.Cookie.LocalTag, ev.Cookie.PeerTag, c.C, m.fresh()
		t.Errors, t.InitTries, t.StaleRetries = 0, 0, 0
		m.data = false
	case fsm.CmdShutdownAsked:
		t.ShutdownAsked = true
	case fsm.CmdDeleteTCB:
		m.t, m.data = nil, false
	case fsm.CmdTimerStart:
		p, err := path(c.Path)
		if err != nil {
			return err
		}
		if c.Timer == tcb.THeartbeat {
			p.HBArmed = true
		} else {
			t.Armed |= 1 << c.Timer
		}
	case fsm.CmdTimerStop:
		t.Armed &^= 1 << c.Timer
	case fsm.CmdTimersStop:
		t.Armed = 0
		for i := range t.Paths {
			t.Paths[i].HBArmed = false
		}
	case fsm.CmdHeartbeats:
		for i := range t.Paths {
			t.Paths[i].HBArmed = true
		}
	case fsm.CmdIngest:
		m.ingested, m.data = true, true
	case fsm.CmdSack, fsm.CmdCumAck:
		m.sacked = true
	case fsm.CmdHeartbeat:
		p, err := path(c.Path)
		if err != nil {
			return err
		}
		p.HBOut, p.Nonce = true, uint64(c.A)<<32|uint64(c.B)
	case fsm.CmdHBAcked:
		p, err := path(c.Path)
		if err != nil {
			return err
		}
		p.HBOut = false
	case fsm.CmdStrike:
		if c.A == 1 {
			t.Errors++
		}
		if int(c.Path) < len(t.Paths) {
			t.Paths[c.Path].Errors++
		}
		if int(t.Errors) > t.Cfg.AssocMaxRetrans {
			return fmt.Errorf("%d errors", t.Errors) // R-8.1-04
		}
	case fsm.CmdClearErrors:
		if c.A == 1 {
			t.Errors = 0
		}
		for i := range t.Paths {
			if tcb.PathSet(c.C).Has(tcb.PathID(i)) {
				t.Paths[i].Errors = 0
				if t.Paths[i].State == tcb.PathInactive {
					t.Paths[i].State = tcb.PathActive
				}
			}
		}
	case fsm.CmdPathState:
		p, err := path(c.Path)
		if err != nil {
			return err
		}
		p.State = tcb.PathState(c.A)
	case fsm.CmdInitTry:
		if c.A == 1 {
			t.InitTries = 0
		} else if t.InitTries++; int(t.InitTries) > t.Cfg.MaxInitRetransmits {
			return fmt.Errorf("%d tries", t.InitTries) // R-4-04
		}
	case fsm.CmdCtlPath:
		if _, err := path(c.Path); err != nil {
			return err
		}
		if t.CtlPath = c.Path; c.Path == tcb.NoPath {
			t.CtlPath = tcb.PathID(len(t.Paths) - 1)
		}
	case fsm.CmdRoute:
		p, err := path(c.Path)
		if err != nil {
			return err
		}
		p.Cut = c.A == 1
	case fsm.CmdRescue:
		if _, err := path(c.Path); err != nil {
			return err
		}
	case fsm.CmdStale:
		t.StaleRetries++
		t.CookieLifetime, t.PeerTag, t.TiePeer, t.CtlSent = c.A, 0, 0, m.now
	case fsm.CmdSend, fsm.CmdSendError, fsm.CmdSendAbort:
		if c.Path != tcb.NoPath {
			if _, err := path(c.Path); err != nil {
				return err
			}
		}
		if c.Verb == fsm.CmdSend && c.Kind != chunk.TypeInit && t.PeerTag == 0 {
			return fmt.Errorf("%v to a peer whose tag is not known", c.Kind)
		}
	}
	return nil
}

// alive checks that an association can always get on by itself: whoever waits
// for an answer has a timer, and an idle one looks after its peer.
func (m *machine) alive() error {
	t := m.t
	if t == nil {
		return nil
	}
	need := map[tcb.State]tcb.TimerID{
		tcb.CookieWait: tcb.T1Init, tcb.CookieEchoed: tcb.T1Cookie,
		tcb.ShutdownSent: tcb.T2Shutdown, tcb.ShutdownAckSent: tcb.T2Shutdown,
	}
	id, waits := need[t.State]
	for i := tcb.TimerID(0); i < tcb.NumTimers; i++ {
		armed := t.Armed&(1<<i) != 0
		guard := i == tcb.T5Guard && t.State >= tcb.ShutdownSent
		switch {
		case waits && i == id && !armed:
			return fmt.Errorf("%v without %v", t.State, i)
		case armed && !(waits && i == id) && !guard:
			return fmt.Errorf("%v runs in %v", i, t.State)
		}
	}
	for i := range t.Paths {
		if want := t.State.MaySendData(); t.Paths[i].HBArmed != want {
			return fmt.Errorf("heartbeat timer of path %d runs: %v, in %v", i, t.Paths[i].HBArmed, t.State)
		}
	}
	return nil
}

// event draws an event.
func (m *machine) event(in *input) fsm.Event {
	id := fsm.EventID(in.byte()) % fsm.NumEvents
	r := in.byte()
	bit := func(n int) bool { return r>>n&1 != 0 }
	ev := fsm.Event{
		ID: id, Path: 0, Tag: fsm.TagOwn, Len: 100, First: true, Alone: true, Span: fsm.Span{Off: 12, Len: 100},
		Arg: uint32(r), Paths: tcb.PathSet(r & 7), Code: uint16(r & 15), Type: chunk.Type(in.byte()), Flags: uint8(r >> 6),
		Facts: fsm.Facts{OutqEmpty: bit(0), ZeroWindow: bit(1), PathBusy: bit(2), NewAddrs: bit(3) && bit(4), PeerUnknown: bit(5) && bit(6)},
		Env: fsm.Env{
			Now: m.now, Tag: chunk.VTag(m.fresh()), TSN: chunk.TSN(m.fresh()), Tie: [2]uint32{m.fresh(), m.fresh()},
			Nonce: uint64(m.fresh()), Listening: r != 13, BacklogFull: r == 17, NonUnicast: r == 19,
		},
	}
	m.now = m.now.Add(mono.Duration(r) * mono.Millisecond)
	x := in.byte()
	if x&0xf0 == 0xf0 { // something odd about the packet
		ev.Path = []tcb.PathID{0, 1, tcb.NoPath, tcb.NoPath}[x&3]
		ev.Tag = fsm.TagClass(x >> 1 & 7)
		ev.First, ev.Alone = x&4 == 0, x&8 == 0
		ev.Len = uint16(x & 31)
	}
	ev.VTag = 1
	switch id {
	case fsm.EvInit, fsm.EvInitAck:
		if id == fsm.EvInit && x&0xf0 != 0xf0 {
			ev.Tag, ev.VTag = fsm.TagZero, 0
		}
		verdicts := [...]chunk.Err{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, chunk.ErrZeroTag, chunk.ErrARwnd, chunk.ErrZeroStreams, chunk.ErrHostName, chunk.ErrMissing, chunk.ErrOverrun}
		ev.Init = &chunk.InitFacts{Tag: chunk.VTag(m.fresh()), ARwnd: 1500, OS: 1, MIS: 1, NUnknown: x >> 3 & 1, Verdict: verdicts[x&15]}
		if ev.Init.Verdict == chunk.ErrZeroTag {
			ev.Init.Tag = 0
		}
	case fsm.EvRoute, fsm.EvPrimSetSource:
		ev.Facts.Cut, ev.Facts.SourceGone, ev.Facts.Foreign = x&1 != 0, x&2 != 0, x&12 == 12
	case fsm.EvCookieEcho:
		ev.Cookie = m.cookie(x)
	case fsm.EvHeartbeatAck:
		ev.HB = fsm.HeartbeatFacts{Valid: x != 3, Path: tcb.PathID(x & 3), RTT: mono.Duration(x) * mono.Millisecond}
		if m.t != nil && x&3 < len(m.t.Paths) && x&8 == 0 {
			ev.HB.Nonce = m.t.Paths[x&3].Nonce
		}
	}
	return ev
}

// cookie draws a cookie, of the association or of another.
func (m *machine) cookie(x int) fsm.CookieFacts {
	c := fsm.CookieFacts{Valid: x != 7, Expired: x&0x60 == 0x60, StaleBy: mono.Second, LocalTag: chunk.VTag(m.fresh()), PeerTag: chunk.VTag(m.fresh())}
	if m.t == nil {
		return c
	}
	if x&1 != 0 {
		c.LocalTag = m.t.LocalTag
	}
	if x&2 != 0 && m.t.PeerTag != 0 {
		c.PeerTag = m.t.PeerTag
	}
	if x&4 != 0 {
		c.TieLocal, c.TiePeer = m.t.TieLocal, m.t.TiePeer
	}
	return c
}

func playEvents(data []byte) (m *machine, visited [tcb.NumStates]int, err error) {
	in := &input{data}
	m = &machine{now: mono.Time(mono.Second), next: uint32(in.byte())}
	for len(in.b) > 0 {
		ev := m.event(in)
		if !m.occurs(&ev) {
			continue
		}
		if err := m.step(&ev); err != nil {
			return m, visited, err
		}
		visited[tcb.ViewOf(m.t).State()]++
	}
	return m, visited, nil
}

// FuzzEvents sends event lists through the state machine, its commands carried
// out on a TCB. Whatever happens, the machine is pure, never in a cell that
// cannot be reached, keeps its lists short, follows the state diagram, and has
// a timer wherever it waits.
func FuzzEvents(f *testing.F) {
	for _, b := range eventSeeds(16, 30) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, err := playEvents(data); err != nil {
			t.Fatal(err)
		}
	})
}

// eventSeeds returns n lists of some events.
func eventSeeds(n, events int) (l [][]byte) {
	r := rand.New(rand.NewPCG(4, 9260))
	for range n {
		b := make([]byte, 1+4*events)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		// Begin where things happen: an association is started or comes in.
		copy(b[1:], []byte{byte(fsm.EvPrimAssociate), 0, 0, 0})
		if r.IntN(2) == 0 {
			copy(b[1:], []byte{byte(fsm.EvCookieEcho), 0, 0, 0})
		}
		l = append(l, b)
	}
	return l
}

// TestEventsSoak plays many random lists, and shows that they get everywhere.
func TestEventsSoak(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	var seen [tcb.NumStates]int
	most := 0
	for _, b := range eventSeeds(n, 300) {
		m, visited, err := playEvents(b)
		if err != nil {
			t.Fatalf("%v\n%q", err, b)
		}
		for s, k := range visited {
			seen[s] += k
		}
		most = max(most, m.most)
	}
	for s, k := range seen {
		if k == 0 {
			t.Errorf("never in %v", tcb.State(s))
		}
	}
	t.Logf("events in each state: %v; at most %d commands", seen, most)
}
