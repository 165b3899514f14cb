package fsm_test

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestShutdownRules: RFC 9260 section 9.2.
func TestShutdownRules(t *testing.T) {
	pending, sent, received, ackSent := in(tcb.ShutdownPending), in(tcb.ShutdownSent), in(tcb.ShutdownReceived), in(tcb.ShutdownAckSent)
	setup := in(tcb.CookieWait, tcb.CookieEchoed)
	errors := func(n uint16) func(*tcb.TCB) { return func(c *tcb.TCB) { c.Errors = n } }
	runRules(t, []rule{
		{ // R-9.2-01 R-9.2-26
			name: "the user closes", states: in(tcb.Established), id: fsm.EvPrimShutdown, d: fsm.Consume,
			want: "SHUTDOWN-PENDING; result 1", next: tcb.ShutdownPending,
		},
		{ // R-9.2-01 R-9.2-02 R-9.2-17 R-8.3-02
			name: "all is acknowledged", states: pending, id: fsm.EvNoPendingTSN, d: fsm.Consume,
			want: "stop all; control>0; send SHUTDOWN>0; start T2-shutdown>0; start T5-shutdown-guard>0 5m0s; SHUTDOWN-SENT", next: tcb.ShutdownSent,
		},
		{ // R-9.2-10
			name: "the user closes again", states: in(tcb.ShutdownPending, tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvPrimShutdown,
			d: fsm.Discard, want: "result 1", stays: true,
		},
		{ // remembered, for the peer may restart
			name: "the user closes after the peer", states: in(tcb.ShutdownReceived), id: fsm.EvPrimShutdown,
			d: fsm.Consume, want: "shutdown asked; result 1", stays: true,
		},
		{ // R-9.2-27 R-9.2-13 R-4-10 R-4-12
			name: "no new data", states: from(tcb.ShutdownPending, tcb.ShutdownAckSent), id: fsm.EvPrimSend,
			d: fsm.Discard, want: "result 3", stays: true,
		},
		{
			name: "data", states: from(tcb.CookieWait, tcb.Established), id: fsm.EvPrimSend, d: fsm.Consume, want: "enqueue; result 1", stays: true,
		},
		{
			name: "data for nobody", states: in(tcb.Closed), id: fsm.EvPrimSend, d: fsm.Discard, want: "result 2", stays: true,
		},

		{ // R-9.2-09
			name: "SHUTDOWN", states: in(tcb.Established), id: fsm.EvShutdown, d: fsm.Consume,
			want: "cumack; SHUTDOWN-RECEIVED; tell shutdown", next: tcb.ShutdownReceived,
		},
		{ // R-9.2-09
			name: "SHUTDOWN after the user closed", states: in(tcb.ShutdownPending), id: fsm.EvShutdown, d: fsm.Consume,
			want: "shutdown asked; cumack; SHUTDOWN-RECEIVED; tell shutdown", next: tcb.ShutdownReceived,
		},
		{ // R-9.2-11
			name: "SHUTDOWN again", states: received, id: fsm.EvShutdown, d: fsm.Consume, want: "cumack", stays: true,
		},
		{ // R-9.2-18 R-8.3-02
			name: "all is acknowledged", states: received, id: fsm.EvNoPendingTSN, d: fsm.Consume,
			want: "stop all; control>0; send SHUTDOWN ACK>0; start T2-shutdown>0; SHUTDOWN-ACK-SENT", next: tcb.ShutdownAckSent,
		},
		{
			name: "all is acknowledged elsewhere", states: except(tcb.Closed, tcb.ShutdownPending, tcb.ShutdownReceived),
			id: fsm.EvNoPendingTSN, d: fsm.Discard, want: "", stays: true,
		},
		{ // R-9.2-31
			name: "both at once", states: sent, id: fsm.EvShutdown, d: fsm.Consume,
			want: "control>0; send SHUTDOWN ACK>0; start T2-shutdown>0; SHUTDOWN-ACK-SENT", next: tcb.ShutdownAckSent,
		},
		{ // the SHUTDOWN ACK was lost
			name: "SHUTDOWN late", states: ackSent, id: fsm.EvShutdown, d: fsm.Consume, want: "send SHUTDOWN ACK>0", stays: true,
		},
		{ // R-9.2-30
			name: "SHUTDOWN early", states: setup, id: fsm.EvShutdown, d: fsm.Discard, want: "", stays: true,
		},

		{ // R-9.2-23 R-9.2-32 R-8.5.1-08 R-8.5.1-09
			name: "SHUTDOWN ACK", states: in(tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvShutdownAck, d: fsm.DiscardPacket,
			want: "respond SHUTDOWN COMPLETE tag 22; end SHUTDOWN_COMP", next: tcb.Closed,
		},
		{ // R-9.2-29 R-8.5.1-15 R-8.5.1-10 R-8.5.1-11
			name: "SHUTDOWN ACK early", states: setup, id: fsm.EvShutdownAck, d: fsm.DiscardPacket,
			want: "respond SHUTDOWN COMPLETE T tag 11", stays: true,
		},
		{ // R-9.2-29: whatever its tag is
			name: "SHUTDOWN ACK early, of an older association", states: setup, id: fsm.EvShutdownAck,
			ev: func(ev *fsm.Event) { ev.Tag, ev.VTag = 0, otherTag },
			d:  fsm.DiscardPacket, want: "respond SHUTDOWN COMPLETE T tag 99", stays: true,
		},
		{
			name: "SHUTDOWN ACK out of turn", states: in(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived), id: fsm.EvShutdownAck,
			d: fsm.Discard, want: "", stays: true,
		},
		{ // R-9.2-25
			name: "SHUTDOWN COMPLETE", states: ackSent, id: fsm.EvShutdownComplete, d: fsm.DiscardPacket, want: "end SHUTDOWN_COMP", next: tcb.Closed,
		},
		{ // R-9.2-24 R-8.5.1-13
			name: "SHUTDOWN COMPLETE out of turn", states: except(tcb.Closed, tcb.ShutdownAckSent), id: fsm.EvShutdownComplete,
			d: fsm.Discard, want: "", stays: true,
		},

		{ // R-9.2-03 R-9.2-04
			name: "T2", states: sent, id: fsm.EvTimeoutT2, d: fsm.Consume,
			want: "strike 0 and all; back off 0; control>1; send SHUTDOWN>1; start T2-shutdown>1", stays: true,
		},
		{ // R-9.2-19
			name: "T2", states: ackSent, id: fsm.EvTimeoutT2, d: fsm.Consume,
			want: "strike 0 and all; back off 0; control>1; send SHUTDOWN ACK>1; start T2-shutdown>1", stays: true,
		},
		{ // R-9.2-05 R-9.2-06 R-9.2-07 R-9.2-20 R-9.2-21 R-9.2-22
			name: "T2 too often", states: in(tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvTimeoutT2, tcb: errors(10),
			d: fsm.Consume, want: "end COMM_LOST", next: tcb.Closed,
		},
		{ // R-9.2-16
			name: "T5", states: from(tcb.ShutdownPending, tcb.ShutdownAckSent), id: fsm.EvTimeoutT5, d: fsm.DiscardPacket,
			want: "abort; end COMM_LOST", next: tcb.Closed,
		},
		{ // R-9.2-08 R-9.2-14 R-4-09
			name: "DATA", states: sent, id: fsm.EvData, d: fsm.Consume,
			want: "ingest; forgive 0 all 1; control>0; send SHUTDOWN>0; start T2-shutdown>0", stays: true,
		},

		{
			name: "closed before it is up, nothing queued", states: in(tcb.CookieWait), id: fsm.EvPrimShutdown,
			ev: func(ev *fsm.Event) { ev.Facts.OutqEmpty = true },
			d:  fsm.Consume, want: "result 1; end GONE", next: tcb.Closed,
		},
		{
			name: "closed before it is up", states: in(tcb.CookieWait), id: fsm.EvPrimShutdown, d: fsm.Consume,
			want: "result 1; shutdown asked", stays: true,
		},
		{
			name: "closed before it is up", states: in(tcb.CookieEchoed), id: fsm.EvPrimShutdown, d: fsm.Consume,
			want: "shutdown asked; result 1", stays: true,
		},
		{
			name: "nothing to close", states: in(tcb.Closed), id: fsm.EvPrimShutdown, d: fsm.Discard, want: "result 2", stays: true,
		},
	})
}

// TestAbortRules: RFC 9260 sections 9.1, 8.5.1 B and 10.
func TestAbortRules(t *testing.T) {
	setup, up := in(tcb.CookieWait, tcb.CookieEchoed), from(tcb.Established, tcb.ShutdownAckSent)
	known := from(tcb.CookieEchoed, tcb.ShutdownAckSent)
	cause := func(c chunk.CauseCode) func(*fsm.Event) { return func(ev *fsm.Event) { ev.Code = uint16(c) } }
	reflected := func(tag fsm.TagClass) func(*fsm.Event) {
		return func(ev *fsm.Event) { ev.Flags, ev.Tag = chunk.FlagT, tag }
	}
	runRules(t, []rule{
		{ // R-9.1-07 R-9.1-08 R-9.1-05
			name: "ABORT", states: up, id: fsm.EvAbort, ev: cause(chunk.CauseUserAbort), d: fsm.DiscardPacket,
			want: "end COMM_LOST cause 12", next: tcb.Closed,
		},
		{
			name: "ABORT refuses", states: setup, id: fsm.EvAbort, ev: cause(chunk.CauseOutOfResource), d: fsm.DiscardPacket,
			want: "end CANT_STR_ASSOC cause 4", next: tcb.Closed,
		},
		{ // R-8.5.1-06
			name: "ABORT, peer's tag and T", states: up, id: fsm.EvAbort, ev: reflected(fsm.TagPeer), d: fsm.DiscardPacket,
			want: "end COMM_LOST", next: tcb.Closed,
		},
		{ // R-8.5.1-06 R-8.5.1-07 R-9.1-06
			name: "ABORT, own tag and T", states: from(tcb.CookieWait, tcb.ShutdownAckSent), id: fsm.EvAbort, ev: reflected(fsm.TagOwn),
			d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.5.1-07
			name: "ABORT, peer's tag without T", states: from(tcb.CookieWait, tcb.ShutdownAckSent), id: fsm.EvAbort,
			ev: func(ev *fsm.Event) { ev.Tag = fsm.TagPeer },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.5.1-07
			name: "ABORT, foreign tag", states: from(tcb.CookieWait, tcb.ShutdownAckSent), id: fsm.EvAbort, ev: reflected(0),
			d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.5.1-12
			name: "SHUTDOWN COMPLETE, peer's tag and T", states: in(tcb.ShutdownAckSent), id: fsm.EvShutdownComplete, ev: reflected(fsm.TagPeer),
			d: fsm.DiscardPacket, want: "end SHUTDOWN_COMP", next: tcb.Closed,
		},
		{ // R-8.5.1-12
			name: "SHUTDOWN COMPLETE, own tag and T", states: in(tcb.ShutdownAckSent), id: fsm.EvShutdownComplete, ev: reflected(fsm.TagOwn),
			d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.5.1-12
			name: "SHUTDOWN COMPLETE, peer's tag without T", states: in(tcb.ShutdownAckSent), id: fsm.EvShutdownComplete,
			ev: func(ev *fsm.Event) { ev.Tag = fsm.TagPeer },
			d:  fsm.DiscardPacket, want: "", stays: true,
		},

		{ // R-9.1-01 R-9.1-02 R-9.1-04 R-8.5.1-04
			name: "the user aborts", states: known, id: fsm.EvPrimAbort, d: fsm.Consume,
			want: "abort cause 12; result 1; end COMM_LOST cause 12", next: tcb.Closed,
		},
		{ // nobody could take an ABORT yet
			name: "the user aborts", states: in(tcb.CookieWait), id: fsm.EvPrimAbort, d: fsm.Consume,
			want: "result 1; end CANT_STR_ASSOC cause 12", next: tcb.Closed,
		},
		{
			name: "nothing to abort", states: in(tcb.Closed), id: fsm.EvPrimAbort, d: fsm.Discard, want: "result 2", stays: true,
		},

		{ // a pipe says that the peer broke the protocol
			name: "violation", states: up, id: fsm.EvViolation, d: fsm.Violation,
			want: "abort cause 13; end COMM_LOST cause 13", next: tcb.Closed,
		},
		{ // R-6.2-32: DATA without user data
			name: "no user data", states: from(tcb.Established, tcb.ShutdownReceived), id: fsm.EvNoUserData, d: fsm.DiscardPacket,
			want: "abort cause 9; end COMM_LOST cause 9", next: tcb.Closed,
		},
		{
			name: "internal error", states: up, id: fsm.EvInternalError, d: fsm.DiscardPacket,
			want: "abort cause 4; end COMM_LOST cause 4", next: tcb.Closed,
		},
		{
			name: "internal error", states: in(tcb.CookieEchoed), id: fsm.EvInternalError, d: fsm.DiscardPacket,
			want: "abort cause 4; end CANT_STR_ASSOC cause 4", next: tcb.Closed,
		},
		{
			name: "internal error", states: in(tcb.CookieWait), id: fsm.EvInternalError, d: fsm.DiscardPacket,
			want: "end CANT_STR_ASSOC cause 4", next: tcb.Closed,
		},

		{ // R-10-07
			name: "protocol unreachable", states: up, id: fsm.EvProtoUnreach, d: fsm.DiscardPacket, want: "end COMM_LOST", next: tcb.Closed,
		},
		{ // R-10-07 R-10-08
			name: "protocol unreachable", states: setup, id: fsm.EvProtoUnreach, d: fsm.DiscardPacket, want: "end CANT_STR_ASSOC", next: tcb.Closed,
		},
		{ // R-10-04
			name: "protocol unreachable", states: in(tcb.Closed), id: fsm.EvProtoUnreach, d: fsm.Discard, want: "", stays: true,
		},
	})
	t.Run("the reflected tag is never that of a peer unknown yet", func(t *testing.T) { // R-8.5.1-06
		ev := event(fsm.EvAbort)
		ev.Flags, ev.Tag, ev.VTag = chunk.FlagT, fsm.TagZero, 0
		if d, out := step(t, sample(tcb.CookieWait), &ev); d != fsm.DiscardPacket || text(out) != "" {
			t.Fatal(d, text(out))
		}
	})
}

// TestOutOfTheBlue: RFC 9260 section 8.4, the rules that one chunk decides.
func TestOutOfTheBlue(t *testing.T) {
	closed := in(tcb.Closed)
	blue := func(ev *fsm.Event) { ev.Tag, ev.VTag = 0, 0x99 }
	multicast := func(ev *fsm.Event) { blue(ev); ev.Env.NonUnicast = true }
	zero := func(ev *fsm.Event) { ev.Tag, ev.VTag = fsm.TagZero, 0 }
	answered := []fsm.EventID{
		fsm.EvData, fsm.EvSack, fsm.EvInitAck, fsm.EvHeartbeat, fsm.EvHeartbeatAck, fsm.EvShutdown,
		fsm.EvError, fsm.EvECNE, fsm.EvCWR, fsm.EvUnknownChunk,
	}
	var rules []rule
	for _, id := range answered {
		rules = append(rules,
			rule{ // R-8.4-10 R-8.4-11 R-8.4-12 R-8.4-13 R-8.5.1-05
				name: id.String(), states: closed, id: id, ev: blue, d: fsm.DiscardPacket, want: "respond ABORT T tag 99", stays: true,
			},
			rule{ // R-8.4-01
				name: id.String() + " by multicast", states: closed, id: id, ev: multicast, d: fsm.DiscardPacket, want: "", stays: true,
			},
			rule{ // R-8.5.1-02 R-8.5.1-03
				name: id.String() + " with tag 0", states: closed, id: id, ev: zero, d: fsm.DiscardPacket, want: "", stays: true,
			})
	}
	for _, id := range []fsm.EventID{fsm.EvAbort, fsm.EvShutdownComplete, fsm.EvCookieAck} {
		rules = append(rules, rule{ // R-8.4-02 R-8.4-08 R-8.4-09
			name: id.String(), states: closed, id: id, ev: blue, d: fsm.DiscardPacket, want: "", stays: true,
		})
	}
	rules = append(rules, []rule{
		{ // R-8.4-09
			name: "ERROR Stale Cookie", states: closed, id: fsm.EvError, d: fsm.DiscardPacket, want: "", stays: true,
			ev: func(ev *fsm.Event) { blue(ev); ev.Code = uint16(chunk.CauseStaleCookie) },
		},
		{ // R-8.4-06 R-8.4-07
			name: "SHUTDOWN ACK", states: closed, id: fsm.EvShutdownAck, ev: blue, d: fsm.DiscardPacket,
			want: "respond SHUTDOWN COMPLETE T tag 99", stays: true,
		},
		{ // R-8.4-01
			name: "SHUTDOWN ACK by multicast", states: closed, id: fsm.EvShutdownAck, ev: multicast, d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-8.5.1-03
			name: "SHUTDOWN ACK with tag 0", states: closed, id: fsm.EvShutdownAck, ev: zero, d: fsm.DiscardPacket, want: "", stays: true,
		},
		{ // R-12.3-03
			name: "INIT with a tag", states: closed, id: fsm.EvInit, ev: blue, d: fsm.DiscardPacket, want: "", stays: true,
		},
	}...)
	runRules(t, rules)
}

// TestVerificationTag: a chunk with a wrong tag changes nothing and says
// nothing, in all states that have an association.
func TestVerificationTag(t *testing.T) { // R-8.5-02 R-8.5-03 R-8.5-04
	for id := fsm.EvData; id <= fsm.EvBadChunk; id++ {
		if id == fsm.EvCookieEcho {
			continue // judged by its cookie
		}
		for _, s := range except(tcb.Closed) {
			if id == fsm.EvShutdownAck && s <= tcb.CookieEchoed {
				continue // R-8.5.1-15
			}
			for _, tag := range []fsm.TagClass{0, fsm.TagPeer, fsm.TagZero} {
				if id == fsm.EvInit && tag == fsm.TagZero {
					continue
				}
				ev := event(id)
				ev.Tag, ev.VTag = tag, otherTag
				d, out := step(t, sample(s), &ev)
				if d != fsm.DiscardPacket || text(out) != "" || !counted(out, fsm.StatDiscards) {
					t.Errorf("%v in %v, tag class %d: %v %q", id, s, tag, d, text(out))
				}
			}
		}
	}
}

// TestStaleBudget: the extension asked for is never more than RTO.Max.
func TestStaleBudget(t *testing.T) { // R-5.2.6-05
	c := sample(tcb.CookieEchoed)
	c.CtlSent = now.Add(-90 * mono.Second)
	ev := event(fsm.EvError)
	ev.Code = uint16(chunk.CauseStaleCookie)
	_, out := step(t, c, &ev)
	if got := text(out); got != "stop T1-cookie; stale 60000 ms; unsend; COOKIE-WAIT; send INIT>0; start T1-init>0" {
		t.Fatal(got)
	}
}
