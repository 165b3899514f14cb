package fsm_test

import (
	"fmt"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestDataRules: what the machine decides about DATA, SACK and T3-rtx (RFC
// 9260 sections 6 and 8).
func TestDataRules(t *testing.T) {
	running := in(tcb.Established, tcb.ShutdownPending)
	sending := in(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived)
	runRules(t, []rule{
		{ // R-6-02
			name: "DATA", states: running, id: fsm.EvData, d: fsm.Consume, want: "ingest", stays: true,
		},
		{ // R-6-04
			name: "DATA out of turn", states: in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownReceived, tcb.ShutdownAckSent), id: fsm.EvData,
			d: fsm.Discard, want: "", stays: true,
		},
		{ // R-6-05
			name: "SACK", states: sending, id: fsm.EvSack, d: fsm.Consume, want: "sack", stays: true,
		},
		{ // R-6-07
			name: "SACK out of turn", states: in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvSack,
			d: fsm.Discard, want: "", stays: true,
		},
		{ // R-6.5-02
			name: "no such stream", states: from(tcb.Established, tcb.ShutdownReceived), id: fsm.EvBadStream,
			d: fsm.Consume, want: "error cause 1>src", stays: true,
		},
		{ // R-8.1-01 R-8.2-01
			name: "T3", states: sending, id: fsm.EvTimeoutT3, d: fsm.Consume, want: "retransmit 0; strike 0 and all", stays: true,
		},
		{ // R-8.2-02 R-8.2-03: the sixth failure in a row
			name: "T3, path fails", states: sending, id: fsm.EvTimeoutT3, tcb: func(c *tcb.TCB) { c.Paths[0].Errors = 5 },
			d: fsm.Consume, want: "retransmit 0; strike 0 and all; path 0 inactive; tell path 0 1", stays: true,
		},
		{
			name: "T3, path just holds", states: sending, id: fsm.EvTimeoutT3, tcb: func(c *tcb.TCB) { c.Paths[0].Errors = 4 },
			d: fsm.Consume, want: "retransmit 0; strike 0 and all", stays: true,
		},
		{ // R-8.1-03 R-8.1-04 R-8.1-05: the eleventh
			name: "T3, peer fails", states: sending, id: fsm.EvTimeoutT3, tcb: func(c *tcb.TCB) { c.Errors = 10 },
			d: fsm.Consume, want: "end COMM_LOST", next: tcb.Closed,
		},
		{
			name: "T3, peer just holds", states: sending, id: fsm.EvTimeoutT3, tcb: func(c *tcb.TCB) { c.Errors = 9 },
			d: fsm.Consume, want: "retransmit 0; strike 0 and all", stays: true,
		},
		{ // R-6.1-05: an answered probe of a shut window is no failure
			name: "T3 of a probe", states: in(tcb.Established), id: fsm.EvTimeoutT3, tcb: func(c *tcb.TCB) { c.Errors = 10 },
			ev: func(ev *fsm.Event) { ev.Facts.ZeroWindow = true }, d: fsm.Consume, want: "retransmit 0", stays: true,
		},
		{ // but nobody shuts a window for ever against one who wants to close
			name: "T3 of a probe", states: in(tcb.ShutdownPending, tcb.ShutdownReceived), id: fsm.EvTimeoutT3,
			ev: func(ev *fsm.Event) { ev.Facts.ZeroWindow = true }, d: fsm.Consume, want: "retransmit 0; strike 0 and all", stays: true,
		},
		{ // R-8.1-06 R-8.2-04
			name: "acknowledged", states: from(tcb.Established, tcb.ShutdownReceived), id: fsm.EvPathsAcked,
			ev: func(ev *fsm.Event) { ev.Paths = 2 }, d: fsm.Consume, want: "forgive 10 all 1", stays: true,
		},
		{
			name: "delayed SACK", states: from(tcb.Established, tcb.ShutdownReceived), id: fsm.EvTimeoutSack, d: fsm.Consume, want: "acknowledge 1", stays: true,
		},
		{ // ECN is not ours: its chunks mean nothing
			name: "ECNE", states: except(tcb.Closed), id: fsm.EvECNE, d: fsm.Discard, want: "", stays: true,
		},
		{
			name: "CWR", states: except(tcb.Closed), id: fsm.EvCWR, d: fsm.Discard, want: "", stays: true,
		},
		{ // section 11.2.6: the user hears of the peer's errors
			name: "ERROR", states: except(tcb.Closed, tcb.CookieWait), id: fsm.EvError, ev: func(ev *fsm.Event) { ev.Code = 1 },
			d: fsm.Consume, want: "tell error 1", stays: true,
		},
		{
			name: "malformed", states: except(), id: fsm.EvBadChunk, d: fsm.DiscardPacket, want: "", stays: true,
		},
	})
}

// TestUnknownChunks: the two upper bits of the type say what to do.
func TestUnknownChunks(t *testing.T) { // R-3.2-07 R-3.2-08 R-3.2-09 R-3.2-10
	var rules []rule
	for typ, want := range map[chunk.Type]struct {
		d    fsm.Disposition
		what string
	}{
		0x3f: {fsm.DiscardPacket, ""}, 0x7f: {fsm.DiscardPacket, "error cause 6>src"},
		0xbf: {fsm.Discard, ""}, 0xff: {fsm.Discard, "error cause 6>src"},
	} {
		rules = append(rules, rule{
			name: fmt.Sprintf("%#x", uint8(typ)), states: from(tcb.CookieEchoed, tcb.ShutdownAckSent), id: fsm.EvUnknownChunk,
			ev: func(ev *fsm.Event) { ev.Type = typ },
			d:  want.d, want: want.what, stays: true,
		})
	}
	runRules(t, rules)
}

// TestHeartbeatRules: RFC 9260 sections 5.4 and 8.3.
func TestHeartbeatRules(t *testing.T) {
	path := func(f func(*tcb.PathCtl)) func(*tcb.TCB) { return func(c *tcb.TCB) { f(&c.Paths[0]) } }
	beating := in(tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived)
	answering := from(tcb.CookieEchoed, tcb.ShutdownReceived)
	out := path(func(p *tcb.PathCtl) { p.HBOut, p.Nonce = true, 42 })
	const beat = "heartbeat>0 a0000000b; start heartbeat>0"
	runRules(t, []rule{
		{ // R-8.3-03 R-8.3-10
			name: "HEARTBEAT", states: answering, id: fsm.EvHeartbeat, d: fsm.Consume, want: "send HEARTBEAT ACK>0", stays: true,
		},
		{ // R-8.3-03
			name: "HEARTBEAT out of turn", states: in(tcb.CookieWait, tcb.ShutdownAckSent), id: fsm.EvHeartbeat, d: fsm.Discard, want: "", stays: true,
		},
		{ // R-8.3-11 R-8.3-14 R-8.3-15 R-8.1-07 R-8.2-04 R-8.3-12
			name: "HEARTBEAT ACK", states: answering, id: fsm.EvHeartbeatAck, tcb: out, d: fsm.Consume,
			want: "answered 0; rtt 0 30ms; forgive 1 all 1", stays: true,
		},
		{ // R-5.4-02
			name: "HEARTBEAT ACK confirms", states: []tcb.State{tcb.Established, tcb.ShutdownPending, tcb.ShutdownReceived}, id: fsm.EvHeartbeatAck, d: fsm.Consume,
			tcb:  path(func(p *tcb.PathCtl) { p.HBOut, p.Nonce, p.State = true, 42, tcb.PathUnconfirmed }),
			want: "answered 0; rtt 0 30ms; path 0 active; tell path 0 2; start heartbeat>0; forgive 1 all 1", stays: true,
		},
		{ // R-8.3-02: no more HEARTBEATs
			name: "HEARTBEAT ACK confirms too late", states: []tcb.State{tcb.ShutdownSent}, id: fsm.EvHeartbeatAck, d: fsm.Consume,
			tcb:  path(func(p *tcb.PathCtl) { p.HBOut, p.Nonce, p.State = true, 42, tcb.PathUnconfirmed }),
			want: "answered 0; rtt 0 30ms; path 0 active; tell path 0 2; forgive 1 all 1", stays: true,
		},
		{ // R-5.4-02: only the nonce that was sent
			name: "HEARTBEAT ACK with a wrong nonce", states: answering, id: fsm.EvHeartbeatAck, tcb: path(func(p *tcb.PathCtl) { p.HBOut, p.Nonce = true, 43 }),
			d: fsm.Discard, want: "", stays: true,
		},
		{
			name: "HEARTBEAT ACK again", states: answering, id: fsm.EvHeartbeatAck, tcb: path(func(p *tcb.PathCtl) { p.Nonce = 42 }),
			d: fsm.Discard, want: "", stays: true,
		},
		{
			name: "HEARTBEAT ACK for no path", states: answering, id: fsm.EvHeartbeatAck, tcb: out, ev: func(ev *fsm.Event) { ev.HB.Path = 2 },
			d: fsm.Discard, want: "", stays: true,
		},
		{
			name: "HEARTBEAT ACK not of ours", states: answering, id: fsm.EvHeartbeatAck, tcb: out, ev: func(ev *fsm.Event) { ev.HB.Valid = false },
			d: fsm.Discard, want: "", stays: true,
		},
		{
			name: "HEARTBEAT ACK from the future", states: answering, id: fsm.EvHeartbeatAck, tcb: out, ev: func(ev *fsm.Event) { ev.HB.RTT = -1 },
			d: fsm.Discard, want: "", stays: true,
		},

		{ // RFC 8899 section 6.2.1.2, R-7.3-01: it counts as an answered HEARTBEAT
			name: "answer to a probe", states: answering, id: fsm.EvHeartbeatAck, ev: func(ev *fsm.Event) { ev.HB.Probe = 1480 }, d: fsm.Consume,
			want: "probed>0 1480; rtt 0 30ms; forgive 1 all 1", stays: true,
		},
		{
			name: "late answer to a probe", states: answering, id: fsm.EvHeartbeatAck, d: fsm.Consume,
			ev:   func(ev *fsm.Event) { ev.HB.Probe, ev.HB.RTT = 1480, -1 },
			want: "probed>0 1480; forgive 1 all 1", stays: true,
		},
		{
			name: "answer to no probe", states: answering, id: fsm.EvHeartbeatAck, tcb: out, d: fsm.Discard,
			ev: func(ev *fsm.Event) { ev.HB.Probe, ev.HB.Valid = 1480, false }, want: "", stays: true,
		},
		{
			name: "answer to a probe of no path", states: answering, id: fsm.EvHeartbeatAck, d: fsm.Discard,
			ev: func(ev *fsm.Event) { ev.HB.Probe, ev.HB.Path = 1480, 2 }, want: "", stays: true,
		},
		{ // no counter is touched, whatever became of the last one (RFC 8899 section 3)
			name: "probe timer", states: beating, id: fsm.EvTimeoutProbe, d: fsm.Consume, want: "probe>0 a0000000b", stays: true,
		},
		{
			name: "probe timer of an inactive path", states: beating, id: fsm.EvTimeoutProbe, d: fsm.Discard,
			tcb: path(func(p *tcb.PathCtl) { p.State = tcb.PathInactive }), want: "", stays: true,
		},
		{
			name: "probe timer of an unconfirmed path", states: beating, id: fsm.EvTimeoutProbe, d: fsm.Discard,
			tcb: path(func(p *tcb.PathCtl) { p.State = tcb.PathUnconfirmed }), want: "", stays: true,
		},
		{
			name: "probe timer outside of data transfer", states: in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvTimeoutProbe,
			d: fsm.Discard, want: "", stays: true,
		},

		{ // R-8.3-01 R-8.3-16 R-8.3-17
			name: "idle", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume, want: beat, stays: true,
		},
		{ // R-8.3-01: a path that carries data needs none
			name: "busy", states: beating, id: fsm.EvTimeoutHeartbeat, ev: func(ev *fsm.Event) { ev.Facts.PathBusy = true },
			d: fsm.Consume, want: "start heartbeat>0", stays: true,
		},
		{ // R-8.3-04 R-8.1-01 R-8.3-16
			name: "unanswered on the path in use", states: beating, id: fsm.EvTimeoutHeartbeat, tcb: out, d: fsm.Consume,
			want: "strike 0 and all; back off 0; " + beat, stays: true,
		},
		{ // R-8.1-02
			name: "unanswered on another path", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb:  func(c *tcb.TCB) { c.Paths[0].HBOut = true; c.Primary = 1 },
			want: "strike 0; back off 0; " + beat, stays: true,
		},
		{ // R-5.4-03
			name: "unanswered and unconfirmed", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb:  path(func(p *tcb.PathCtl) { p.HBOut, p.State = true, tcb.PathUnconfirmed }),
			want: "strike 0; back off 0; " + beat, stays: true,
		},
		{ // R-8.3-05 R-8.3-06
			name: "unanswered too often", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb:  path(func(p *tcb.PathCtl) { p.HBOut, p.Errors = true, 5 }),
			want: "strike 0 and all; path 0 inactive; tell path 0 1; back off 0; " + beat, stays: true,
		},
		{ // R-8.3-07 R-8.3-08
			name: "unanswered and inactive", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb:  path(func(p *tcb.PathCtl) { p.HBOut, p.Errors, p.State = true, 6, tcb.PathInactive }),
			want: "back off 0; " + beat, stays: true,
		},
		{ // R-8.1-01: no path is better, so the association goes on counting
			name: "unanswered, inactive and in use", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb: func(c *tcb.TCB) {
				c.Paths = c.Paths[:1]
				c.Paths[0] = tcb.PathCtl{State: tcb.PathInactive, HBOut: true, Errors: 6}
			},
			want: "strike no path and all; back off 0; " + beat, stays: true,
		},
		{ // R-8.1-03 R-8.1-04
			name: "unanswered, peer fails", states: beating, id: fsm.EvTimeoutHeartbeat, d: fsm.Consume,
			tcb: func(c *tcb.TCB) { c.Paths[0].HBOut = true; c.Errors = 10 }, want: "end COMM_LOST", next: tcb.Closed,
		},
		{ // R-8.3-02
			name: "heartbeat timer after SHUTDOWN", states: in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvTimeoutHeartbeat,
			d: fsm.Bug, want: "", stays: true,
		},

		{ // section 11.1.8
			name: "REQUEST HEARTBEAT", states: beating, id: fsm.EvPrimHeartbeat, d: fsm.Consume, want: "heartbeat>0 a0000000b; result 1", stays: true,
		},
		{ // section 11.1.4
			name: "SET PRIMARY", states: beating, id: fsm.EvPrimSetPrimary, d: fsm.Consume, want: "primary>0; result 1", stays: true,
		},
		{ // R-5.4-05
			name: "SET PRIMARY to an unconfirmed path", states: beating, id: fsm.EvPrimSetPrimary,
			tcb: path(func(p *tcb.PathCtl) { p.State = tcb.PathUnconfirmed }), d: fsm.Discard, want: "result 4", stays: true,
		},
		{
			name: "SET PRIMARY to no path", states: beating, id: fsm.EvPrimSetPrimary, ev: func(ev *fsm.Event) { ev.Path = 2 },
			d: fsm.Discard, want: "result 5", stays: true,
		},
		{
			name: "REQUEST HEARTBEAT on no path", states: beating, id: fsm.EvPrimHeartbeat, ev: func(ev *fsm.Event) { ev.Path = 2 },
			d: fsm.Discard, want: "result 4", stays: true,
		},
		{
			name: "REQUEST HEARTBEAT out of turn", states: in(tcb.CookieWait, tcb.CookieEchoed, tcb.ShutdownSent, tcb.ShutdownAckSent), id: fsm.EvPrimHeartbeat,
			d: fsm.Discard, want: "result 4", stays: true,
		},
	})
}

// TestLeastLength: a chunk too short for its type never reaches a function.
func TestLeastLength(t *testing.T) { // section 3.3
	for _, r := range fsm.Rows() {
		if r.Event > fsm.EvUnknownChunk {
			continue
		}
		for _, s := range except(tcb.Closed) {
			ev := event(r.Event)
			ev.Len = uint16(r.MinLen) - 1
			d, out := step(t, sample(s), &ev)
			if d != fsm.DiscardPacket || text(out) != "" {
				t.Errorf("%s of %d bytes in %v: %v %q", r.Name, ev.Len, s, d, text(out))
			}
		}
	}
}
