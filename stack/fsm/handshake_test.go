package fsm_test

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestSetupRules: RFC 9260 sections 4, 5.1 and 3.3.3, one step at a time.
func TestSetupRules(t *testing.T) {
	wait, echoed, closed := in(tcb.CookieWait), in(tcb.CookieEchoed), in(tcb.Closed)
	verdict := func(e chunk.Err) func(*fsm.Event) { return func(ev *fsm.Event) { ev.Init.Verdict = e } }
	tries := func(n uint16) func(*tcb.TCB) { return func(c *tcb.TCB) { c.InitTries = n } }
	runRules(t, []rule{
		{ // R-5.1-01 R-5.1-02 R-5.3.1-01 R-5.3.1-03
			name: "ASSOCIATE", states: closed, id: fsm.EvPrimAssociate, d: fsm.Consume,
			want: "setup tag 55 tsn 66; control>0; send INIT>0; start T1-init>0; COOKIE-WAIT; result 1", next: tcb.CookieWait,
		},
		{
			name: "ASSOCIATE twice", states: except(tcb.Closed), id: fsm.EvPrimAssociate, d: fsm.Discard, want: "result 4", stays: true,
		},
		{ // R-5.1-03 R-5.1-04 R-5.1-05 R-5.1-06 R-5.2.2-11 R-8.4-03
			name: "INIT", states: closed, id: fsm.EvInit, d: fsm.Consume, want: "INIT ACK tag 55", stays: true,
		},
		{ // R-3.3.2-07
			name: "INIT with tag 0", states: except(), id: fsm.EvInit, d: fsm.DiscardPacket, want: "", stays: true,
			ev: func(ev *fsm.Event) { ev.Init.Tag, ev.Init.Verdict = 0, chunk.ErrZeroTag },
		},
		{ // R-3.3.2-09 R-3.3.2-10 R-3.3.2-11 R-5.1-15 R-5.1-16 R-5.1-17
			name: "INIT with a small a_rwnd", states: except(tcb.ShutdownAckSent), id: fsm.EvInit, ev: verdict(chunk.ErrARwnd),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 7", stays: true,
		},
		{ // R-3.3.2-14 R-3.3.2-15 R-3.3.2-16 R-3.3.2-18 R-3.3.2-19 R-3.3.2-20
			name: "INIT without streams", states: except(tcb.ShutdownAckSent), id: fsm.EvInit, ev: verdict(chunk.ErrZeroStreams),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 7", stays: true,
		},
		{ // R-3.3.2-03 R-3.3.2.1.4-02 R-5.1.2-02 R-5.1.2-03
			name: "INIT with a host name", states: except(tcb.ShutdownAckSent), id: fsm.EvInit, ev: verdict(chunk.ErrHostName),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 5", stays: true,
		},
		{
			name: "INIT with a malformed parameter", states: except(tcb.ShutdownAckSent), id: fsm.EvInit, ev: verdict(chunk.ErrOverrun),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 13", stays: true,
		},
		{ // R-8.4-04
			name: "INIT where nobody listens", states: closed, id: fsm.EvInit, ev: func(ev *fsm.Event) { ev.Env.Listening = false },
			d: fsm.DiscardPacket, want: "respond ABORT tag 22", stays: true,
		},
		{ // R-5.1-15
			name: "INIT and a full backlog", states: closed, id: fsm.EvInit, ev: func(ev *fsm.Event) { ev.Env.BacklogFull = true },
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 4", stays: true,
		},
		{ // R-8.4-01
			name: "INIT by multicast", states: closed, id: fsm.EvInit, ev: func(ev *fsm.Event) { ev.Env.NonUnicast = true },
			d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-5.1-10 R-5.1-11
			// R-12.3-03
			name: "INIT in company", states: except(), id: fsm.EvInit, ev: func(ev *fsm.Event) { ev.Alone = false },
			d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-5.1-11 R-6.10-09
			name: "INIT ACK in company", states: wait, id: fsm.EvInitAck, ev: func(ev *fsm.Event) { ev.Alone = false },
			d: fsm.DiscardPacket, want: "", stays: true,
		},

		{ // R-5.1.4-01 R-5.1.4-02 R-3.3.3-25
			name: "INIT ACK", states: wait, id: fsm.EvInitAck, d: fsm.Consume,
			want: "stop T1-init; rtt 0 2s; adopt INIT ACK; first try; COOKIE-ECHOED; send COOKIE ECHO>0; start T1-cookie>0", next: tcb.CookieEchoed,
		},
		{ // Karn
			name: "INIT ACK after retransmission", states: wait, id: fsm.EvInitAck, tcb: tries(2), d: fsm.Consume,
			want: "stop T1-init; adopt INIT ACK; first try; COOKIE-ECHOED; send COOKIE ECHO>0; start T1-cookie>0", next: tcb.CookieEchoed,
		},
		{ // R-3.2.2-02 R-3.2.2-03: unknown parameters of an INIT ACK are reported with the COOKIE ECHO in front
			name: "INIT ACK with unknown parameters", states: wait, id: fsm.EvInitAck, ev: func(ev *fsm.Event) { ev.Init.NUnknown = 2 }, d: fsm.Consume,
			want: "stop T1-init; rtt 0 2s; adopt INIT ACK; first try; COOKIE-ECHOED; send COOKIE ECHO>0; error cause 8>0; start T1-cookie>0", next: tcb.CookieEchoed,
		},
		{ // R-3.3.3-06 R-3.3.3-07
			name: "INIT ACK with tag 0", states: wait, id: fsm.EvInitAck, ev: func(ev *fsm.Event) { ev.Init.Tag, ev.Init.Verdict = 0, chunk.ErrZeroTag },
			d: fsm.DiscardPacket, want: "respond ABORT T tag 11 cause 13; end CANT_STR_ASSOC cause 13", next: tcb.Closed,
		},
		{ // R-3.3.3-10 R-3.3.3-11 R-3.3.3-12
			name: "INIT ACK with a small a_rwnd", states: wait, id: fsm.EvInitAck, ev: verdict(chunk.ErrARwnd),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 7", stays: true,
		},
		{ // R-3.3.3-16 R-3.3.3-17 R-3.3.3-20 R-3.3.3-21 R-5.1-17
			name: "INIT ACK without streams", states: wait, id: fsm.EvInitAck, ev: verdict(chunk.ErrZeroStreams),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 7; end CANT_STR_ASSOC cause 7", next: tcb.Closed,
		},
		{ // R-3.3.3-02 R-5.1.2-02
			name: "INIT ACK with a host name", states: wait, id: fsm.EvInitAck, ev: verdict(chunk.ErrHostName),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 5; end CANT_STR_ASSOC cause 5", next: tcb.Closed,
		},
		{ // R-5.1-15 R-5.1-16
			name: "INIT ACK without cookie", states: wait, id: fsm.EvInitAck, ev: verdict(chunk.ErrMissing),
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 2; end CANT_STR_ASSOC cause 2", next: tcb.Closed,
		},
		{ // R-5.2.3-01 R-3.3.3-08 R-3.3.3-18 R-3.3.3-22
			name: "INIT ACK out of turn", states: except(tcb.Closed, tcb.CookieWait), id: fsm.EvInitAck, d: fsm.Discard, want: "", stays: true,
		},

		{ // R-4-03 R-5.1.6-01 R-5.1-12 R-5.1-13 R-5.1-14
			name: "T1-init", states: wait, id: fsm.EvTimeoutT1Init, d: fsm.Consume,
			want: "one more try; back off 0; control>1; send INIT>1; start T1-init>1", stays: true,
		},
		{ // R-5.1-14 R-5.4-10: an address nobody vouched for is no alternative
			name: "T1-init, one confirmed path", states: wait, id: fsm.EvTimeoutT1Init, d: fsm.Consume,
			tcb:  func(c *tcb.TCB) { c.Paths[1].State = tcb.PathUnconfirmed },
			want: "one more try; back off 0; control>0; send INIT>0; start T1-init>0", stays: true,
		},
		{ // R-4-04: the eighth retransmission
			name: "T1-init, last try", states: wait, id: fsm.EvTimeoutT1Init, tcb: tries(7), d: fsm.Consume,
			want: "one more try; back off 0; control>1; send INIT>1; start T1-init>1", stays: true,
		},
		{ // R-4-04 R-4-05
			name: "T1-init, no more tries", states: wait, id: fsm.EvTimeoutT1Init, tcb: tries(8), d: fsm.Consume,
			want: "end CANT_STR_ASSOC", next: tcb.Closed,
		},
		{ // R-4-06 R-5.1.4-03
			name: "T1-cookie", states: echoed, id: fsm.EvTimeoutT1Cookie, d: fsm.Consume,
			want: "one more try; back off 0; control>1; send COOKIE ECHO>1; start T1-cookie>1", stays: true,
		},
		{ // R-4-07 R-4-08
			name: "T1-cookie, no more tries", states: echoed, id: fsm.EvTimeoutT1Cookie, tcb: tries(8), d: fsm.Consume,
			want: "end CANT_STR_ASSOC", next: tcb.Closed,
		},
		{
			name: "T1-init elsewhere", states: except(tcb.CookieWait), id: fsm.EvTimeoutT1Init, d: fsm.Bug, want: "", stays: true,
		},
		{
			name: "T1-cookie elsewhere", states: except(tcb.CookieEchoed), id: fsm.EvTimeoutT1Cookie, d: fsm.Bug, want: "", stays: true,
		},
	})
}

// TestUnexpectedInit: RFC 9260 section 5.2.1, 5.2.2 and 9.2, an INIT where
// there is an association.
func TestUnexpectedInit(t *testing.T) {
	running := from(tcb.Established, tcb.ShutdownReceived)
	newAddrs := func(ev *fsm.Event) { ev.Facts.NewAddrs = true }
	runRules(t, []rule{
		{ // R-5.2.1-01 R-5.2.1-04 R-5.2.1-10 R-5.2.1-11 R-5.2.1-12 R-5.2.1-13
			name: "collision", states: in(tcb.CookieWait), id: fsm.EvInit, d: fsm.Consume, want: "INIT ACK tag 11 own", stays: true,
		},
		{ // R-5.2.1-02 R-5.2.1-03
			name: "from an address that the user did not name", states: in(tcb.CookieWait), id: fsm.EvInit,
			ev: func(ev *fsm.Event) { ev.Facts.PeerUnknown = true; ev.Path = tcb.NoPath },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-5.2.1-05 R-5.2.1-14
			name: "collision", states: in(tcb.CookieEchoed), id: fsm.EvInit, d: fsm.Consume, want: "INIT ACK tag 11 own tie", stays: true,
		},
		{ // R-5.2.1-06 R-5.2.1-07 R-5.2.1-08 R-5.2.1-09
			name: "collision, more addresses", states: in(tcb.CookieEchoed), id: fsm.EvInit, ev: newAddrs,
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 11", stays: true,
		},
		{ // R-5.2.2-01 R-5.2.2-05 R-5.2.2-06 R-5.2.2-07 R-5.2.2-09 R-5.2.2-10
			name: "restart", states: running, id: fsm.EvInit, d: fsm.Consume, want: "INIT ACK tag 55 tie", stays: true,
		},
		{ // R-5.2.2-02 R-5.2.2-03 R-5.2.2-04
			name: "restart, more addresses", states: running, id: fsm.EvInit, ev: newAddrs,
			d: fsm.DiscardPacket, want: "respond ABORT tag 22 cause 11", stays: true,
		},
		{ // R-9.2-28
			name: "closing", states: in(tcb.ShutdownAckSent), id: fsm.EvInit, d: fsm.Consume, want: "send SHUTDOWN ACK>0", stays: true,
		},
		{ // R-8.5.1-01
			name: "with a tag", states: except(tcb.Closed), id: fsm.EvInit, ev: func(ev *fsm.Event) { ev.Tag, ev.VTag = fsm.TagOwn, ourTag },
			d: fsm.DiscardPacket, want: "", stays: true,
		},
	})
	// The answer's TSN is the own one in a collision, a fresh one to a restart.
	for s, want := range map[tcb.State]uint32{tcb.CookieWait: uint32(ourTSN), tcb.CookieEchoed: uint32(ourTSN), tcb.Established: 0x66, tcb.Closed: 0x66} {
		ev := event(fsm.EvInit)
		_, out := step(t, sample(s), &ev)
		if c := out.At(0); c.Verb != fsm.CmdSendInitAck || c.B != want {
			t.Errorf("%v: TSN %x, want %x", s, c.B, want)
		}
	}
}

// TestWantsEntropy: what the machine draws from Env has been filled in.
func TestWantsEntropy(t *testing.T) {
	eachCell(func(c *tcb.TCB, ev *fsm.Event) {
		s := tcb.ViewOf(c).State()
		if fsm.WantsEntropy(ev.ID, s) {
			return
		}
		_, out := step(t, c, ev)
		var a, b fsm.Commands
		a = *out
		ev.Env.Tag, ev.Env.TSN, ev.Env.Tie, ev.Env.Nonce = 0, 0, [2]uint32{}, 0
		_, out = step(t, c, ev)
		b = *out
		if !a.Equal(&b) {
			t.Fatalf("%v in %v draws entropy that it did not ask for", ev.ID, s)
		}
	})
}
