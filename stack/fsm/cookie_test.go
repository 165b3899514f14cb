package fsm_test

import (
	"fmt"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// compared is how a tag of the cookie compares to the TCB's, in the letters of
// RFC 9260 table 12.
type compared byte

const (
	matches compared = 'M'
	differs compared = 'X'
	none    compared = '0'
)

// table12 is the table: local tag, peer's tag, local tie-tag, peer's tie-tag;
// A stands for all.
var table12 = []struct {
	row    string
	action byte
}{
	{"XXMM", 'A'}, {"MXAA", 'B'}, {"M0AA", 'B'}, {"XM00", 'C'}, {"MMAA", 'D'},
}

// tableAction looks a case up; 0 is none of the table's.
func tableAction(local, peer, tieLocal, tiePeer compared) byte {
	have := [4]compared{local, peer, tieLocal, tiePeer}
next:
	for _, l := range table12 {
		for i, c := range have {
			if l.row[i] != 'A' && l.row[i] != byte(c) {
				continue next
			}
		}
		return l.action
	}
	return 0
}

// TestCookieEchoTable: every case of a COOKIE ECHO where there is a TCB, in
// every state, fresh and stale.
//
// R-5.2.4-01 R-5.2.4-02 R-5.2.4-03 R-5.2.4-04 R-5.2.4-05 R-5.2.4-06 R-5.2.4-07
// R-5.2.4-08 R-5.2.4-09 R-5.2.4-10 R-5.2.4-11 R-5.2.4-12 R-5.2.4-13 R-5.2.4-14
// R-5.2.4-15 R-5.2.4-16
func TestCookieEchoTable(t *testing.T) {
	cases, actions := 0, map[byte]int{}
	for _, s := range except(tcb.Closed) {
		for _, local := range []compared{matches, differs} {
			for _, peer := range []compared{matches, differs, none} {
				// In COOKIE-WAIT the peer's tag is not known, elsewhere it is.
				if (peer == none) != (s == tcb.CookieWait) {
					continue
				}
				for _, tl := range []compared{matches, differs, none} {
					for _, tp := range []compared{matches, differs, none} {
						// The TCB has no tie-tag to match in COOKIE-WAIT.
						if s == tcb.CookieWait && (tl == matches || tp == matches) {
							continue
						}
						for _, stale := range []bool{false, true} {
							cases++
							a := tableAction(local, peer, tl, tp)
							actions[a]++
							name := fmt.Sprintf("%v/%c%c%c%c/stale=%v", s, local, peer, tl, tp, stale)
							t.Run(name, func(t *testing.T) { cookieCase(t, s, local, peer, tl, tp, stale, a) })
						}
					}
				}
			}
		}
	}
	t.Logf("%d cases, by action: A %d B %d C %d D %d, none %d", cases, actions['A'], actions['B'], actions['C'], actions['D'], actions[0])
}

func cookieCase(t *testing.T, s tcb.State, local, peer, tl, tp compared, stale bool, action byte) {
	c := sample(s)
	ev := event(fsm.EvCookieEcho)
	ev.Cookie = fsm.CookieFacts{Valid: true, LocalTag: ourTag, PeerTag: peerTag}
	if stale {
		ev.Cookie.Expired, ev.Cookie.StaleBy = true, 3*mono.Second
	}
	if local == differs {
		ev.Cookie.LocalTag = otherTag
	}
	if peer == differs {
		ev.Cookie.PeerTag = otherTag
	}
	tie := map[compared]uint32{matches: ourTie, differs: 0xBAD, none: 0}
	ev.Cookie.TieLocal = tie[tl]
	tie[matches] = peerTie
	ev.Cookie.TiePeer = tie[tp]

	d, out := step(t, c, &ev)
	got, next := text(out), stateAfter(s, out)

	// Step 3 of the section comes before the table.
	if stale && !(local == matches && peer == matches) {
		want := fmt.Sprintf("respond ERROR tag %x cause 3", uint32(ev.Cookie.PeerTag))
		if d != fsm.DiscardPacket || got != want || next != s {
			t.Fatalf("%v %q then %v\nwant %q", d, got, next, want)
		}
		if u := out.At(out.Len() - 1).B; u != 3e6 {
			t.Fatalf("stale by %d µs, want 3000000", u)
		}
		return
	}
	switch action {
	case 'A':
		if s == tcb.ShutdownAckSent {
			want := "send SHUTDOWN ACK>0; error cause 10>0"
			if got != want || next != s {
				t.Fatalf("%q then %v\nwant %q", got, next, want)
			}
			return
		}
		// The user who has closed does not get a new association, only its end.
		wantState := tcb.Established
		if s == tcb.ShutdownPending || s == tcb.ShutdownSent {
			wantState = tcb.ShutdownPending
		}
		want := fmt.Sprintf("stop all; restart; %v; send COOKIE ACK>src; tell RESTART; heartbeats", wantState)
		if d != fsm.Consume || got != want || !counted(out, fsm.StatRestarts) {
			t.Fatalf("%v %q\nwant %q", d, got, want)
		}
	case 'B':
		want := "adopt cookie; send COOKIE ACK>src; tell RESTART"
		switch {
		case s.MaySendData():
			want += "; heartbeats" // R-5.4-02: addresses that are new are probed
		case s < tcb.Established:
			want = "stop T1-init; stop T1-cookie; adopt cookie; send COOKIE ACK>src; ESTABLISHED; tell COMM_UP; heartbeats"
		}
		if d != fsm.Consume || got != want {
			t.Fatalf("%v %q\nwant %q", d, got, want)
		}
		if s >= tcb.Established && next != s {
			t.Fatalf("then %v", next)
		}
	case 'D':
		want := "send COOKIE ACK>src"
		if s == tcb.CookieEchoed {
			want = "stop T1-cookie; send COOKIE ACK>src; ESTABLISHED; tell COMM_UP; heartbeats"
		}
		if d != fsm.Consume || got != want {
			t.Fatalf("%v %q\nwant %q", d, got, want)
		}
	default: // C, and what the table does not have
		if d != fsm.DiscardPacket || got != "" || next != s {
			t.Fatalf("%v %q then %v, want silence", d, got, next)
		}
	}
}

// TestCookieEchoBad: a cookie that is not ours is dropped with its packet,
// whatever its tags say.
func TestCookieEchoBad(t *testing.T) {
	runRules(t, []rule{
		{ // R-4-01 R-5.1.5-02 R-5.1.5-03
			name: "invalid", states: except(), id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.Cookie.Valid = false },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-5.1-07 R-8.4-05
			name: "not first", states: except(), id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.First, ev.Alone = false, false },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.4-01
			name: "multicast", states: except(), id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.Env.NonUnicast = true },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},
	})
}

// TestCookieEchoNew: the COOKIE ECHO that creates an association.
func TestCookieEchoNew(t *testing.T) {
	closed := in(tcb.Closed)
	runRules(t, []rule{
		{ // R-5.1.5-06 R-5.1.5-07
			name: "good", states: closed, id: fsm.EvCookieEcho, d: fsm.Consume,
			want: "new association; ESTABLISHED; send COOKIE ACK>src; tell COMM_UP; heartbeats", next: tcb.Established,
		},
		{ // R-5.1.5-07 R-5.4-06: also with the HEARTBEAT that another address needs
			name: "from another address than the INIT", states: closed, id: fsm.EvCookieEcho, d: fsm.Consume,
			ev:   func(ev *fsm.Event) { ev.Cookie.Moved = true },
			want: "new association; ESTABLISHED; send COOKIE ACK>src; heartbeat>src a0000000b; tell COMM_UP; heartbeats", next: tcb.Established,
		},
		{ // R-4-02 R-5.1.5-04 R-5.1.5-05
			name: "stale", states: closed, id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.Cookie.Expired, ev.Cookie.StaleBy = true, 5*mono.Second },
			d:  fsm.DiscardPacket, want: "respond ERROR tag 22 cause 3", stays: true,
		},
		{ // R-5.1-15 R-5.1-17
			name: "backlog full", states: closed, id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.Env.BacklogFull = true },
			d:  fsm.DiscardPacket, want: "respond ABORT tag 22 cause 4", stays: true,
		},
		{
			name: "not listening", states: closed, id: fsm.EvCookieEcho,
			ev: func(ev *fsm.Event) { ev.Env.Listening = false },
			d:  fsm.DiscardPacket, want: "respond ABORT tag 22 cause 4", stays: true,
		},
	})
	t.Run("staleness is told in µs, up to what fits", func(t *testing.T) {
		for by, want := range map[mono.Duration]uint32{
			mono.Microsecond: 1, 1500: 1, mono.Second: 1e6, 1 << 60: 1<<32 - 1,
		} {
			ev := event(fsm.EvCookieEcho)
			ev.Cookie.Expired, ev.Cookie.StaleBy = true, by
			_, out := step(t, nil, &ev)
			if c := out.At(out.Len() - 1); c.Verb != fsm.CmdRespond || c.B != want {
				t.Errorf("%v: %d µs, want %d", by, c.B, want)
			}
		}
	})
}

// TestRestartWithNewAddresses: action A for a cookie that names an address
// which the association does not have is refused, and nothing changes.
func TestRestartWithNewAddresses(t *testing.T) { // R-5.2.2-03
	for _, s := range except(tcb.Closed, tcb.CookieWait, tcb.ShutdownAckSent) {
		ev := event(fsm.EvCookieEcho)
		ev.Cookie = fsm.CookieFacts{Valid: true, LocalTag: otherTag, PeerTag: 0x77, TieLocal: ourTie, TiePeer: peerTie}
		ev.Facts.NewAddrs = true
		d, out := step(t, sample(s), &ev)
		if got := text(out); d != fsm.DiscardPacket || got != "respond ABORT tag 77 cause 11" {
			t.Errorf("%v: %v %q", s, d, got)
		}
	}
}

// TestCookieAck: the last step of the set-up.
func TestCookieAck(t *testing.T) {
	runRules(t, []rule{
		{ // R-5.2.5-01, and the state it is for
			name: "in turn", states: in(tcb.CookieEchoed), id: fsm.EvCookieAck, d: fsm.Consume,
			want: "stop T1-cookie; rtt 0 2s; ESTABLISHED; tell COMM_UP; heartbeats", next: tcb.Established,
		},
		{ // Karn: an answer to one of several tells no round-trip time
			name: "after retransmission", states: in(tcb.CookieEchoed), id: fsm.EvCookieAck,
			tcb: func(c *tcb.TCB) { c.InitTries = 1 }, d: fsm.Consume,
			want: "stop T1-cookie; ESTABLISHED; tell COMM_UP; heartbeats", next: tcb.Established,
		},
		{
			name: "closed meanwhile", states: in(tcb.CookieEchoed), id: fsm.EvCookieAck,
			tcb: func(c *tcb.TCB) { c.ShutdownAsked = true }, d: fsm.Consume,
			want: "stop T1-cookie; rtt 0 2s; ESTABLISHED; tell COMM_UP; heartbeats; SHUTDOWN-PENDING", next: tcb.ShutdownPending,
		},
		{ // R-5.2.5-01
			name: "out of turn", states: except(tcb.Closed, tcb.CookieEchoed), id: fsm.EvCookieAck, d: fsm.Discard, want: "", stays: true,
		},
	})
}

// TestStaleCookieError: the peer's ERROR that our cookie was too old.
func TestStaleCookieError(t *testing.T) {
	stale := func(ev *fsm.Event) { ev.Code = uint16(chunk.CauseStaleCookie) }
	runRules(t, []rule{
		{ // R-5.2.6-01 R-5.2.6-03 R-5.2.6-04 R-5.2.6-05: RTT 2 s, and no more than 1 s on top
			name: "try again", states: in(tcb.CookieEchoed), id: fsm.EvError, ev: stale, d: fsm.Consume,
			want: "stop T1-cookie; stale 3000 ms; unsend; COOKIE-WAIT; send INIT>0; start T1-init>0", next: tcb.CookieWait,
		},
		{
			name: "for ever is too long", states: in(tcb.CookieEchoed), id: fsm.EvError, ev: stale,
			tcb: func(c *tcb.TCB) { c.StaleRetries = 3 }, d: fsm.DiscardPacket,
			want: "abort; end CANT_STR_ASSOC cause 3", next: tcb.Closed,
		},
		{ // R-5.2.6-02
			name: "elsewhere", states: except(tcb.Closed, tcb.CookieEchoed), id: fsm.EvError, ev: stale, d: fsm.Discard, want: "", stays: true,
		},
	})
}

// TestRestartAfterBothClosed: the peer restarts while it shuts down; a user who
// has closed too does not get a new association, only its end.
func TestRestartAfterBothClosed(t *testing.T) {
	for asked, want := range map[bool]tcb.State{false: tcb.Established, true: tcb.ShutdownPending} {
		c := sample(tcb.ShutdownReceived)
		c.ShutdownAsked = asked
		ev := event(fsm.EvCookieEcho)
		ev.Cookie = fsm.CookieFacts{Valid: true, LocalTag: otherTag, PeerTag: 0x77, TieLocal: ourTie, TiePeer: peerTie}
		if d, out := step(t, c, &ev); d != fsm.Consume || stateAfter(c.State, out) != want {
			t.Errorf("closed %t: %v %q", asked, d, text(out))
		}
	}
}

// TestCookieAckToUnconfirmed: a COOKIE ECHO that comes again, from an address
// that is not confirmed, is answered there with a HEARTBEAT; where no more of
// those are sent, at a confirmed one. R-5.4-05 R-5.4-06
func TestCookieAckToUnconfirmed(t *testing.T) {
	unsure := func(c *tcb.TCB) { c.Paths[1].State = tcb.PathUnconfirmed }
	from1 := func(ev *fsm.Event) { ev.Path = 1 }
	runRules(t, []rule{
		{
			name: "up", states: in(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived), id: fsm.EvCookieEcho, tcb: unsure, ev: from1,
			d: fsm.Consume, want: "send COOKIE ACK>1; heartbeat>1 a0000000b", stays: true,
		},
		{
			name: "closing", states: in(tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvCookieEcho, tcb: unsure, ev: from1,
			d: fsm.Consume, want: "send COOKIE ACK>src", stays: true,
		},
	})
}
