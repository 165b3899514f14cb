package stack_test

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// shutdownCum returns the Cumulative TSN Ack of the SHUTDOWN that was sent.
func (p *peer) shutdownCum() chunk.TSN {
	p.Helper()
	c, _ := first(p.take(), chunk.TypeShutdown)
	if c == nil {
		p.Fatal("no SHUTDOWN")
	}
	cum, _ := chunk.ParseShutdown(c)
	return cum
}

// TestShutdown: RFC 9260 section 9.2 from either side.
func TestShutdown(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.send(p.data("x"))
		p.take()
		if err := p.write("last words"); err != nil {
			t.Fatal(err)
		}
		p.expect("DATA")
		p.a.Shutdown()
		p.expect("") // R-9.2-01 R-9.2-26: not before all is acknowledged
		p.inState(tcb.ShutdownPending)
		if err := p.write("more"); !errors.Is(err, stack.ErrClosing) { // R-9.2-27
			t.Fatalf("%v", err)
		}
		p.send(sack(p.itsn, 65536))
		if cum := p.shutdownCum(); cum != p.tsn-1 {
			t.Fatalf("SHUTDOWN acknowledges %d, want %d", cum, p.tsn-1)
		}
		p.inState(tcb.ShutdownSent) // R-9.2-02
		p.send(chunk.AppendShutdownAck(nil))
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "SHUTDOWN COMPLETE" || vtag(&out[0]) != p.tag { // R-9.2-23 R-8.5.1-08 R-8.5.1-09
			t.Fatalf("%d packets", len(out))
		}
		p.expectEnd(fsm.ShutdownComplete, 0)
		if !errors.Is(p.a.EndErr(), syscall.EPIPE) {
			t.Error(p.a.EndErr())
		}
	})
	t.Run("theirs", func(t *testing.T) {
		p := newRig(t).peer().connect()
		if err := p.write("last words"); err != nil {
			t.Fatal(err)
		}
		p.expect("DATA")
		p.send(chunk.AppendShutdown(nil, p.itsn-1)) // R-9.2-09: it lacks our data
		p.expect("")
		p.inState(tcb.ShutdownReceived)
		if err := p.write("more"); !errors.Is(err, stack.ErrClosing) { // R-9.2-13 R-4-10
			t.Fatalf("%v", err)
		}
		p.a.Shutdown() // R-9.2-10
		p.inState(tcb.ShutdownReceived)
		p.wait(1 * mono.Second)
		p.expect("DATA") // R-9.2-12 R-4-11: T3-rtx still works
		p.send(chunk.AppendShutdown(nil, p.itsn))
		p.expect("SHUTDOWN ACK") // R-9.2-11 R-9.2-18
		p.inState(tcb.ShutdownAckSent)
		if err := p.write("more"); !errors.Is(err, stack.ErrClosing) { // R-4-12
			t.Fatalf("%v", err)
		}
		p.send(chunk.AppendShutdownComplete(nil, false))
		p.expect("")
		p.expectEnd(fsm.ShutdownComplete, 0) // R-9.2-25
	})
	t.Run("both", func(t *testing.T) { // R-9.2-31 R-9.2-32
		p := newRig(t).peer().connect()
		p.a.Shutdown()
		p.expect("SHUTDOWN")
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		p.expect("SHUTDOWN ACK")
		p.inState(tcb.ShutdownAckSent)
		p.send(chunk.AppendShutdownAck(nil))
		p.expect("SHUTDOWN COMPLETE")
		p.expectEnd(fsm.ShutdownComplete, 0)
	})
	t.Run("both, and their COMPLETE is first", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.a.Shutdown()
		p.expect("SHUTDOWN")
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		p.expect("SHUTDOWN ACK")
		p.send(chunk.AppendShutdownComplete(nil, false))
		p.expectEnd(fsm.ShutdownComplete, 0)
	})
	t.Run("during the set-up", func(t *testing.T) {
		p := newRig(t).peer().dial()
		if err := p.write("still goes"); err != nil {
			t.Fatal(err)
		}
		p.a.Shutdown()
		if err := p.write("does not"); !errors.Is(err, stack.ErrClosing) {
			t.Fatalf("%v", err)
		}
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.send(chunk.AppendCookieAck(nil))
		p.expect("DATA")
		p.send(sack(p.itsn, 65536))
		p.expect("SHUTDOWN")
	})
	t.Run("during the set-up, with nothing to say", func(t *testing.T) {
		p := newRig(t).peer().dial()
		p.a.Shutdown()
		p.expect("")
		p.gone()
		p.send(p.initAck(someCookie)) // the answer comes out of the blue
		p.expect("ABORT T")
	})
	t.Run("in COOKIE-ECHOED", func(t *testing.T) {
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.a.Shutdown()
		p.expect("")
		p.send(chunk.AppendCookieAck(nil))
		p.expect("SHUTDOWN")
	})
}

// TestShutdownLoss: each of the three chunks is lost.
func TestShutdownLoss(t *testing.T) {
	t.Run("SHUTDOWN", func(t *testing.T) { // R-9.2-03 R-9.2-04
		p := newRig(t).peer().connect()
		p.a.Shutdown()
		p.take()
		p.wait(1 * mono.Second)
		p.expect("SHUTDOWN")
		p.wait(2 * mono.Second)
		p.expect("SHUTDOWN")
		p.send(chunk.AppendShutdownAck(nil))
		p.expect("SHUTDOWN COMPLETE")
	})
	t.Run("SHUTDOWN for ever", func(t *testing.T) { // R-9.2-05 R-9.2-06 R-9.2-07
		p := newRig(t, withConfig(func(c *tcb.Config) { c.AssocMaxRetrans = 5 })).peer().connect()
		p.a.Shutdown()
		p.take()
		p.wait(10 * 60 * mono.Second)
		if out := p.take(); len(out) != 5 {
			t.Fatalf("%d retransmissions, want 5", len(out))
		}
		p.expectEnd(fsm.CommLost, 0)
		if !errors.Is(p.a.EndErr(), syscall.ETIMEDOUT) {
			t.Error(p.a.EndErr())
		}
	})
	t.Run("SHUTDOWN ACK", func(t *testing.T) { // R-9.2-19
		p := newRig(t).peer().connect()
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		p.expect("SHUTDOWN ACK")
		p.wait(1 * mono.Second)
		p.expect("SHUTDOWN ACK")
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		p.expect("SHUTDOWN ACK")
	})
	t.Run("SHUTDOWN ACK for ever", func(t *testing.T) { // R-9.2-20 R-9.2-21 R-9.2-22
		p := newRig(t, withConfig(func(c *tcb.Config) { c.AssocMaxRetrans = 3 })).peer().connect()
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		p.take()
		p.wait(10 * 60 * mono.Second)
		if out := p.take(); len(out) != 3 {
			t.Fatalf("%d retransmissions, want 3", len(out))
		}
		p.expectEnd(fsm.CommLost, 0)
	})
	t.Run("SHUTDOWN COMPLETE", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.a.Shutdown()
		p.take()
		p.send(chunk.AppendShutdownAck(nil))
		p.expect("SHUTDOWN COMPLETE")
		p.send(chunk.AppendShutdownAck(nil)) // R-8.4-06 R-8.5.1-10 R-8.5.1-11
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "SHUTDOWN COMPLETE T" || vtag(&out[0]) != p.theirs {
			t.Fatalf("%d packets", len(out))
		}
	})
	t.Run("the guard", func(t *testing.T) { // R-9.2-16 R-9.2-17
		p := newRig(t).peer().connect()
		p.a.Shutdown()
		p.take()
		begin := p.clk.t
		for p.a.End().Ended == false && p.clk.t.Sub(begin) < 600*mono.Second {
			p.send(p.data("and on"))
			p.wait(500 * mono.Millisecond)
		}
		if d := p.clk.t.Sub(begin); d < 300*mono.Second || d > 301*mono.Second {
			t.Fatalf("it took %v, want 5 minutes", d)
		}
		out := p.take()
		if c, _ := first(out[len(out)-1:], chunk.TypeAbort); c == nil {
			t.Fatal("no ABORT")
		}
		p.expectEnd(fsm.CommLost, 0)
	})
}

// TestDataInShutdownSent: RFC 9260 section 9.2, the peer still has data.
func TestDataInShutdownSent(t *testing.T) {
	p := newRig(t, withConfig(func(c *tcb.Config) { c.AssocMaxRetrans = 4 })).peer().connect()
	p.a.Shutdown()
	p.expect("SHUTDOWN")
	p.wait(999 * mono.Millisecond)
	p.send(p.data("a")) // R-9.2-14 R-4-09 R-6.2-15
	if cum := p.shutdownCum(); cum != p.tsn-1 {
		t.Fatalf("cum %d, want %d", cum, p.tsn-1)
	}
	p.wait(999 * mono.Millisecond)
	p.take() // a delayed SACK may come
	p.send(p.data("b"))
	p.take()
	p.tsn++
	p.send(p.data("d")) // R-9.2-15 R-6.2-18: a gap
	if got := p.said(); !strings.Contains(got, "SHUTDOWN") || !strings.Contains(got, "SACK") {
		t.Fatalf("%q", got)
	}
	p.tsn -= 2
	p.send(p.data("c"))
	p.take()
	p.tsn--
	p.send(p.data("c")) // R-9.2-15: a duplicate
	if got := p.said(); !strings.Contains(got, "SHUTDOWN") || !strings.Contains(got, "SACK") {
		t.Fatalf("%q", got)
	}
	p.tsn++
	if got := p.received(); len(got) != 4 {
		t.Fatalf("%q", got)
	}
	// R-9.2-08: a peer that sends gets all retransmissions again.
	for range 6 {
		p.wait(3 * mono.Second)
		p.inState(tcb.ShutdownSent)
		p.send(p.data("on"))
	}
	p.inState(tcb.ShutdownSent)
}

// TestShutdownOutOfTurn: SHUTDOWN chunks where they mean nothing.
func TestShutdownOutOfTurn(t *testing.T) {
	p := newRig(t).peer().dial()
	p.send(chunk.AppendShutdown(nil, p.itsn-1)) // R-9.2-30
	p.expect("")
	p.inState(tcb.CookieWait)
	p.sendTag(0x4711, chunk.AppendShutdownAck(nil)) // R-9.2-29 R-8.5.1-15
	out := p.take()
	if len(out) != 1 || says(t, out[0].data) != "SHUTDOWN COMPLETE T" || vtag(&out[0]) != 0x4711 {
		t.Fatalf("%d packets", len(out))
	}
	p.inState(tcb.CookieWait)
	p.send(p.initAck(someCookie))
	p.expect("COOKIE ECHO")
	p.send(chunk.AppendShutdown(nil, p.itsn-1))
	p.expect("")
	p.sendTag(0x4711, chunk.AppendShutdownAck(nil))
	p.expect("SHUTDOWN COMPLETE T")
	p.inState(tcb.CookieEchoed)
	p.send(chunk.AppendCookieAck(nil))
	p.send(chunk.AppendShutdownAck(nil))
	p.send(chunk.AppendShutdownComplete(nil, false)) // R-9.2-24 R-8.5.1-13
	p.expect("")
	p.inState(tcb.Established)
	p.send(chunk.AppendShutdown(nil, p.itsn+5)) // acknowledges what was never sent
	p.expect("ABORT(13)")
	p.expectEnd(fsm.CommLost, chunk.CauseProtocolViolation)
}

// TestAbort: RFC 9260 section 9.1.
func TestAbort(t *testing.T) {
	t.Run("theirs", func(t *testing.T) { // R-9.1-07 R-9.1-08 R-9.1-09
		p := newRig(t).peer().connect()
		p.send(p.data("x"))
		p.take()
		p.send(chunk.AppendAbort(nil, false, chunk.AppendUserAbort(nil, "no more")))
		p.expect("")
		p.expectEnd(fsm.CommLost, chunk.CauseUserAbort)
		e := p.a.End()
		if !e.ByPeer || string(e.Info) != "no more" {
			t.Fatalf("%+v", e)
		}
		if !errors.Is(p.a.EndErr(), syscall.ECONNRESET) {
			t.Error(p.a.EndErr())
		}
		if got := p.received(); len(got) != 1 { // what was acknowledged is not lost
			t.Fatalf("%q", got)
		}
		if err := p.write("x"); err == nil {
			t.Error("it can still be written to")
		}
	})
	t.Run("ours", func(t *testing.T) { // R-9.1-01 R-9.1-02 R-9.1-03 R-9.1-04
		p := newRig(t).peer().connect()
		if err := p.write("x"); err != nil {
			t.Fatal(err)
		}
		p.take()
		p.a.Abort([]byte("enough"))
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "ABORT(12)" || vtag(&out[0]) != p.tag {
			t.Fatalf("%d packets", len(out))
		}
		c, _ := first(out, chunk.TypeAbort)
		ab, _ := chunk.ParseAbort(c)
		if cause, _ := ab.Causes.Find(chunk.CauseUserAbort); string(cause.Body()) != "enough" {
			t.Fatalf("%q", cause)
		}
		p.expectEnd(fsm.CommLost, chunk.CauseUserAbort)
		p.a.Abort(nil) // again: nothing
		p.a.Shutdown()
		p.expect("")
	})
	t.Run("ours, with a long reason", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.a.Abort(bytes.Repeat([]byte("no "), 5000))
		if out := p.take(); len(out) != 1 || len(out[0].data) > 1480 {
			t.Fatalf("%d packets", len(out))
		}
	})
	t.Run("refused", func(t *testing.T) {
		p := newRig(t).peer().dial()
		p.send(chunk.AppendAbort(nil, false, nil))
		p.expect("")
		p.expectEnd(fsm.CantStart, 0)
		if !errors.Is(p.a.EndErr(), syscall.ECONNREFUSED) {
			t.Error(p.a.EndErr())
		}
	})
	t.Run("before the peer can know", func(t *testing.T) {
		p := newRig(t).peer().dial()
		p.a.Abort(nil)
		p.expect("")
		p.expectEnd(fsm.CantStart, chunk.CauseUserAbort)
	})
	t.Run("nothing is answered", func(t *testing.T) { // R-9.1-05
		abort := chunk.AppendAbort(nil, false, nil)
		for _, c := range [][]byte{chunk.AppendHeartbeat(nil, []byte("1234")), plain(0xff), chunk.AppendError(nil, nil)} {
			p := newRig(t).peer().connect()
			p.send(c, abort)
			p.expect("")
			p.gone()
		}
		p := newRig(t).peer().connect()
		p.send(p.data("x"), abort)
		p.expect("")
		p.gone()
		p = newRig(t).peer().connect()
		p.a.Shutdown()
		p.take()
		p.send(chunk.AppendShutdownAck(nil), abort)
		p.expect("")
		p.gone()
		p = newRig(t).peer().dial()
		p.send(chunk.AppendShutdownAck(nil), abort)
		p.expect("")
	})
	t.Run("malformed", func(t *testing.T) { // R-3.3.7-03
		p := newRig(t).peer().connect()
		p.send(plain(chunk.TypeAbort, 0, 1, 0, 99))
		p.expect("")
		p.inState(tcb.Established)
	})
}

// TestProtocolErrors: what the peer may not do, and what it is told.
func TestProtocolErrors(t *testing.T) {
	t.Run("DATA without user data", func(t *testing.T) { // R-6.2-32
		p := newRig(t).peer().connect()
		p.send(p.data(""))
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "ABORT(9)" {
			t.Fatalf("%d packets", len(out))
		}
		c, _ := first(out, chunk.TypeAbort)
		ab, _ := chunk.ParseAbort(c)
		cause, _ := ab.Causes.Find(chunk.CauseNoUserData)
		if tsn, e := cause.NoUserData(); e != chunk.ErrNone || tsn != p.tsn-1 {
			t.Fatalf("TSN %d, want %d", tsn, p.tsn-1)
		}
		p.expectEnd(fsm.CommLost, chunk.CauseNoUserData)
	})
	t.Run("no such stream", func(t *testing.T) { // R-6.5-02
		p := newRig(t).peer().connect()
		p.send(p.dataOn(10, "x")) // it said 10 streams: 0 to 9
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "ERROR(1)+SACK" {
			t.Fatalf("%d packets: %s", len(out), says(t, out[0].data))
		}
		c, _ := first(out, chunk.TypeError)
		causes, _ := chunk.ParseError(c)
		cause, _ := causes.Find(chunk.CauseInvalidStream)
		if sid, e := cause.InvalidStream(); e != chunk.ErrNone || sid != 10 {
			t.Fatalf("stream %d", sid)
		}
		s, _ := first(out, chunk.TypeSack)
		if sk, _ := chunk.ParseSack(s); sk.CumTSN != p.tsn-1 {
			t.Fatal("not acknowledged")
		}
		p.inState(tcb.Established)
		if got := p.received(); len(got) != 0 {
			t.Fatalf("%q", got)
		}
	})
	t.Run("a SACK for what was never sent", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.send(sack(p.itsn, 65536))
		p.expect("ABORT(13)")
		p.expectEnd(fsm.CommLost, chunk.CauseProtocolViolation)
	})
	t.Run("unknown chunks", func(t *testing.T) { // R-3.2-07 R-3.2-08 R-3.2-09 R-3.2-10
		hb := chunk.AppendHeartbeat(nil, []byte("1234"))
		for _, tt := range []struct {
			typ  chunk.Type
			want string
		}{
			{0x3f, ""}, {0x7f, "ERROR(6)"}, {0xbf, "HEARTBEAT ACK"}, {0xff, "ERROR(6)+HEARTBEAT ACK"},
		} {
			p := newRig(t).peer().connect()
			c := plain(tt.typ, 1, 2, 3)
			p.send(c, hb)
			out := p.take()
			got := ""
			if len(out) > 0 {
				got = says(t, out[0].data)
			}
			if got != tt.want {
				t.Errorf("%#x: %q, want %q", uint8(tt.typ), got, tt.want)
			}
			if e, _ := first(out, chunk.TypeError); e != nil {
				causes, _ := chunk.ParseError(e)
				cause, _ := causes.Find(chunk.CauseUnrecognizedChunk)
				if !bytes.Equal(bytes.TrimRight(cause.Body(), "\x00"), c[:7]) {
					t.Errorf("%#x: echoes %x", uint8(tt.typ), cause.Body())
				}
			}
			p.inState(tcb.Established)
		}
	})
	t.Run("one ERROR per packet", func(t *testing.T) {
		p := newRig(t).peer().connect()
		var many [][]byte
		for range 100 {
			many = append(many, plain(0xff, 1, 2, 3, 4))
		}
		p.send(many...)
		p.expect("ERROR(6)")
	})
}

// TestDataOutOfTurn: DATA and SACK in states that do not take them.
func TestDataOutOfTurn(t *testing.T) { // R-6-04 R-6-07
	p := newRig(t).peer().dial()
	d := p.data("early")
	try := func(s tcb.State) {
		t.Helper()
		p.send(d)
		p.send(sack(p.itsn-1, 65536))
		p.wait(300 * mono.Millisecond)
		p.expect("")
		p.inState(s)
	}
	try(tcb.CookieWait)
	p.tsn--
	p.send(p.initAck(someCookie))
	p.expect("COOKIE ECHO")
	d = p.data("early")
	try(tcb.CookieEchoed)
	p.send(chunk.AppendCookieAck(nil))
	if got := p.received(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	p.send(d)
	p.expect("SACK")
	if got := p.received(); len(got) != 1 {
		t.Fatalf("%q", got)
	}
	if err := p.write("x"); err != nil {
		t.Fatal(err)
	}
	p.expect("DATA")
	p.send(chunk.AppendShutdown(nil, p.itsn-1))
	p.inState(tcb.ShutdownReceived)
	p.send(p.data("late"))
	p.expect("")
	p.send(sack(p.itsn, 65536))
	p.expect("SHUTDOWN ACK")
	p.send(p.data("later"), sack(p.itsn, 65536))
	p.expect("")
	if got := p.received(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
}

// TestZeroWindow: the peer's window is shut; one chunk probes it.
func TestZeroWindow(t *testing.T) { // R-6.1-01 R-6.1-04 R-6.1-05
	p := newRig(t).peer().connect()
	if err := p.write("fits"); err != nil {
		t.Fatal(err)
	}
	p.expect("DATA")
	p.send(sack(p.itsn, 0))
	for range 3 {
		if err := p.write("waits"); err != nil {
			t.Fatal(err)
		}
	}
	probes := 0
	cum := p.itsn
	for range 60 {
		p.wait(10 * mono.Second)
		for _, s := range p.take() {
			if got := says(t, s.data); got != "DATA" {
				t.Fatalf("%q", got)
			}
			probes++
		}
		p.send(sack(cum, 0)) // dropped for lack of room, but the peer lives
	}
	if probes < 5 {
		t.Fatalf("%d probes", probes)
	}
	p.inState(tcb.Established) // R-6.1-05: longer than errors would have taken
	p.send(sack(cum, 65536))
	p.wait(61 * mono.Second)
	tsns := map[chunk.TSN]bool{}
	for _, s := range p.take() {
		w := chunk.Walk(s.data[chunk.HeaderLen:])
		for {
			c, ok := w.Next()
			if !ok {
				break
			}
			d, _ := chunk.ParseData(c)
			tsns[d.TSN] = true
		}
	}
	if len(tsns) != 3 {
		t.Fatalf("%d of 3 messages sent when the window opened", len(tsns))
	}
}

// TestDeadPeer: nobody answers.
func TestDeadPeer(t *testing.T) { // R-8.1-03 R-8.1-04 R-8.1-05
	p := newRig(t).peer().connect()
	if err := p.write("x"); err != nil {
		t.Fatal(err)
	}
	p.take()
	p.wait(20 * 60 * mono.Second)
	if out := p.take(); len(out) != 10 {
		t.Fatalf("%d retransmissions, want 10", len(out))
	}
	p.expectEnd(fsm.CommLost, 0)

	t.Run("idle", func(t *testing.T) { // R-8.3-04 R-8.3-16
		p := newRig(t, withConfig(func(c *tcb.Config) { c.HBInterval = 30 * mono.Second })).peer().connect()
		p.wait(60 * 60 * mono.Second)
		out := p.take()
		// The last of the eleven is not waited for in vain: it ends it.
		if len(out) != 11 || says(t, out[0].data) != "HEARTBEAT" {
			t.Fatalf("%d heartbeats, want 11", len(out))
		}
		p.expectEnd(fsm.CommLost, 0)
	})
}

// TestHeartbeats: questions and answers.
func TestHeartbeats(t *testing.T) {
	p := newRig(t).peer().connect()
	info := bytes.Repeat([]byte("?"), 37)
	p.send(chunk.AppendHeartbeat(nil, info)) // R-8.3-03 R-8.3-10
	c, pkt := first(p.take(), chunk.TypeHeartbeatAck)
	if q, e := chunk.ParseHeartbeat(c); e != chunk.ErrNone || !bytes.Equal(q.Body(), info) || vtag(pkt) != p.tag {
		t.Fatalf("%x", c)
	}
	t.Run("large", func(t *testing.T) {
		info := bytes.Repeat([]byte("?"), 5000)
		if err := p.write("and data"); err != nil {
			t.Fatal(err)
		}
		p.take()
		p.send(chunk.AppendHeartbeat(nil, info), sack(p.itsn, 65536))
		c, _ := first(p.take(), chunk.TypeHeartbeatAck)
		if len(c) < 5000 {
			t.Fatalf("%d bytes", len(c))
		}
	})
	t.Run("without info", func(t *testing.T) {
		p.send(plain(chunk.TypeHeartbeat))
		p.expect("")
		p.inState(tcb.Established)
	})
	t.Run("with more parameters", func(t *testing.T) { // R-8.3-10
		b, mark := chunk.Begin(nil, chunk.TypeHeartbeat, 0)
		b = chunk.AppendParam(b, chunk.ParamHeartbeatInfo, []byte("12345"))
		b = chunk.AppendParam(b, 0xC123, []byte("more"))
		hb := chunk.End(b, mark)
		p.send(hb)
		c, _ := first(p.take(), chunk.TypeHeartbeatAck)
		if !bytes.Equal(c[4:], hb[4:]) {
			t.Fatalf("%x, want %x", c, hb)
		}
	})
	t.Run("an answer that nobody asked for", func(t *testing.T) {
		p.send(chunk.AppendHeartbeatAck(nil, chunk.Chunk(chunk.AppendHeartbeat(nil, []byte("123")))))
		p.expect("")
		p.inState(tcb.Established)
	})
}

// TestICMP: RFC 9260 section 10. R-10-01 R-10-03
func TestICMP(t *testing.T) { // R-12.4-01
	icmp := func(p *peer, kind transport.ICMP, mtu uint32, quote []byte) {
		p.s.Input(0, []transport.RxSlot{{Kind: transport.ICMPError, ICMP: kind, MTU: mtu, Data: quote, Src: p.to, Dst: p.addr}}, p.clk.t)
	}
	// quote is the start of a packet from the stack.
	quote := func(p *peer, tag chunk.VTag, c []byte) []byte {
		b := chunk.AppendHeader(nil, p.dport, p.port, tag)
		return append(b, c...)
	}
	const unreach = transport.ICMPProtoUnreachable
	t.Run("R-10-07 valid", func(t *testing.T) {
		p := newRig(t).peer().connect()
		icmp(p, unreach, 0, quote(p, p.tag, nil)[:8]) // eight bytes are all that IPv4 promises
		p.expect("")
		p.expectEnd(fsm.CommLost, 0)
		if err := p.a.EndErr(); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
	t.Run("R-10-05 wrong tag", func(t *testing.T) {
		p := newRig(t).peer().connect()
		for _, tag := range []chunk.VTag{p.tag + 1, p.theirs, 0} {
			icmp(p, unreach, 0, quote(p, tag, nil))
			icmp(p, unreach, 0, quote(p, tag, p.init()))
		}
		icmp(p, unreach, 0, quote(p, p.tag, nil)[:7])
		icmp(p, unreach, 0, nil)
		p.inState(tcb.Established)
	})
	t.Run("R-10-04 nobody's", func(t *testing.T) {
		p := newRig(t).peer().connect()
		q := *p
		q.port++
		icmp(p, unreach, 0, quote(&q, p.tag, nil))
		q = *p
		q.dport++
		icmp(p, unreach, 0, quote(&q, p.tag, nil))
		p.inState(tcb.Established)
	})
	t.Run("R-10-08 INIT in COOKIE-WAIT", func(t *testing.T) {
		p := newRig(t).peer()
		p.start()
		init := p.take()[0].data
		c, _ := first([]sent{{data: init}}, chunk.TypeInit)
		p.takeInit(c)
		bad := bytes.Clone(init)
		bad[19] ^= 1                   // R-10-05: another Initiate Tag
		icmp(p, unreach, 0, bad)       //
		icmp(p, unreach, 0, init[:16]) // too short to tell
		p.inState(tcb.CookieWait)
		icmp(p, unreach, 0, init[:20])
		if e := p.ended(); e.Change != fsm.CantStart {
			t.Fatalf("%v", e.Change)
		}
		if err := p.a.EndErr(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		p.gone()
	})
	t.Run("R-10-08 INIT elsewhere", func(t *testing.T) {
		p := newRig(t).peer().dial()
		in := chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: p.theirs, ARwnd: 65536, OS: 1, MIS: 1})
		p.send(p.initAck(someCookie))
		p.take()
		icmp(p, unreach, 0, quote(p, 0, in))
		p.inState(tcb.CookieEchoed)
	})
	t.Run("R-10-02 others", func(t *testing.T) {
		p := newRig(t).peer().connect()
		for _, k := range []transport.ICMP{transport.ICMPOther, transport.ICMPUnreachable, transport.ICMPPortUnreachable, transport.ICMPTimeExceeded, transport.ICMPParameterProblem} {
			icmp(p, k, 0, quote(p, p.tag, nil))
		}
		p.inState(tcb.Established)
		p.expect("")
	})
	t.Run("R-10-06 too big", func(t *testing.T) {
		p := newRig(t).peer().connect()
		big := strings.Repeat("x", 1400)
		if err := p.write(big); err != nil {
			t.Fatal(err)
		}
		p.expect("DATA")
		icmp(p, transport.ICMPPacketTooBig, 1000, quote(p, p.tag+1, nil)) // R-10-05
		if got := p.a.Status().Paths[0].PMTU; got != 1500 {
			t.Fatalf("path MTU %d", got)
		}
		for _, small := range []uint32{0, 68, 575} { // a lie
			icmp(p, transport.ICMPPacketTooBig, small, quote(p, p.tag, nil))
			if got := p.a.Status().Paths[0].PMTU; got != 1500 {
				t.Fatalf("path MTU %d after being told %d", got, small)
			}
		}
		icmp(p, transport.ICMPPacketTooBig, 1000, quote(p, p.tag, nil))
		// No router sets the size (RFC 8899 section 4.6.2): a probe shows it.
		if got := p.a.Status().Paths[0].PMTU; got > 1000 {
			t.Fatalf("path MTU %d, want 1000 at most", got)
		}
		p.s.Step(p.clk.t)
		probe, in := first(p.take(), chunk.TypeHeartbeat)
		if probe == nil || says(t, in.data) != "HEARTBEAT+PAD" || len(in.data) != 980 {
			t.Fatal("no probe of 1000 bytes")
		}
		p.send(chunk.AppendHeartbeatAck(nil, probe))
		if got := p.a.Status().Paths[0].PMTU; got != 1000 {
			t.Fatalf("path MTU %d, want 1000", got)
		}
		p.take()
		p.send(sack(p.itsn, 65536))
		if err := p.write(big); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.take() {
			if len(s.data) > 980 {
				t.Fatalf("a packet of %d bytes", len(s.data))
			}
		}
		icmp(p, transport.ICMPPacketTooBig, 9000, quote(p, p.tag, nil)) // never up
		if got := p.a.Status().Paths[0].PMTU; got != 1000 {
			t.Fatalf("path MTU %d, want 1000", got)
		}
	})
}
