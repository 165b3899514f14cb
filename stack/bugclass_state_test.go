package stack_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// The classes of bugs about states, resources, routes and authentication: E, F,
// J and K. G and H, which are about users, have theirs in package socketapi.

func a4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// TestBugClassEExhaustion: what peers can have of us comes back: backlog,
// windows, timers, memory. Counters neither wrap nor leak.
func TestBugClassEExhaustion(t *testing.T) {
	t.Run("the backlog is counted right", func(t *testing.T) {
		r := newRig(t)
		r.ep.Listen(3, nil)
		for i := range 500 {
			var ps []*peer
			for k := range 3 {
				p := r.peer()
				p.port, p.tag = uint16(10000+k), chunk.VTag(0x100+10*i+k)
				p.sendTag(0, p.init())
				p.takeInitAck()
				p.send(p.echo())
				p.take()
				ps = append(ps, p)
			}
			late := r.peer()
			late.port = 20000
			late.sendTag(0, late.init())
			r.expect("ABORT(4)")
			for _, p := range ps {
				if i%2 == 0 { // gone before it is accepted, or after
					p.send(chunk.AppendAbort(nil, false, nil))
				}
				p.accept()
				p.send(chunk.AppendAbort(nil, false, nil))
			}
			r.gone()
		}
	})
	t.Run("many small messages, and a slow reader", func(t *testing.T) {
		r := newRig(t)
		p := r.peer().connect()
		p.send(p.data("x"))
		for round := range 5 {
			n, window, cum := 0, 2, p.tsn
			for window > 1 && n < 100000 { // two bytes at a time
				p.send(p.data("s"), p.data("s"))
				n += 2
				p.wait(200 * mono.Millisecond)
				for _, s := range p.take() {
					if c, _ := first([]sent{s}, chunk.TypeSack); c != nil {
						k, _ := chunk.ParseSack(c)
						window, cum = int(k.ARwnd), k.CumTSN
					}
				}
				if cum != p.tsn-1 {
					t.Fatalf("round %d: what the window took was dropped: %d, sent %d", round, cum, p.tsn-1)
				}
			}
			p.received()
			p.received() // reports what was read
			p.wait(mono.Second)
			l := p.take()
			c, _ := first(l, chunk.TypeSack)
			if k, e := chunk.ParseSack(c); c == nil || e != chunk.ErrNone || k.ARwnd == 0 {
				t.Fatalf("round %d: %d messages were read, and the window stays shut", round, n)
			}
		}
	})
	t.Run("what was queued for a peer that goes is given back", func(t *testing.T) {
		r := newRig(t)
		for range 50 {
			p := r.peer().connect()
			for p.write(string(kilo)) == nil {
			}
			p.push(50)
			p.send(chunk.AppendAbort(nil, false, nil))
			p.received()
		}
		if st := r.s.Stats(); st.Buffers != 0 || st.RecvMemory != 0 || st.Associations != 0 {
			t.Errorf("%d buffers, %d bytes, %d associations", st.Buffers, st.RecvMemory, st.Associations)
		}
		if next := r.s.Step(r.clk.t); next != 0 {
			t.Error("a timer is left")
		}
	})
}

// TestBugClassFWrongState: every chunk in every state, twice, alone and behind
// another, then the timers; the association is in a state that there is, or has
// ended and is forgotten, and a new one can be set up.
func TestBugClassFWrongState(t *testing.T) {
	everyState(t, func(t *testing.T, s tcb.State, p *peer) {
		for name, c := range p.everyKind() {
			p := situations[s](newRig(t))
			tag := p.theirs
			if name == "INIT" {
				tag = 0
			}
			p.sendTag(tag, c)
			p.sendTag(tag, c)
			p.sendTag(tag, c, c)
			p.sendTag(tag, chunk.AppendHeartbeat(nil, []byte("1")), c)
			p.sendTag(tag, c, piece(p.tsn, whole, 0, []byte("data behind it")))
			if p.a != nil && p.a.End().Ended {
				p.gone()
			}
			p.wait(2000 * mono.Second)
			if n := p.s.Stats().Contained; n != 0 {
				t.Errorf("%s: %d panics", name, n)
			}
			q := p.peer()
			q.port, q.tag = 7777, 0x7777
			p.take()
			q.sendTag(0, q.init())
			q.takeInitAck()
			q.send(q.echo())
			if c, _ := first(q.take(), chunk.TypeCookieAck); c == nil {
				t.Errorf("%s: nobody can connect any more", name)
			}
		}
	})
	t.Run("a stale cookie with messages queued", func(t *testing.T) {
		// On the way back to COOKIE-WAIT nothing is lost, sent early or twice.
		p := newRig(t).peer().dial()
		for _, m := range []string{"one", "two", "three"} {
			if err := p.write(m); err != nil {
				t.Fatal(err)
			}
		}
		p.send(p.initAck(someCookie))
		p.write("four")
		p.take()
		p.send(chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 1000)))
		p.inState(tcb.CookieWait)
		p.write("five")
		c, _ := first(p.take(), chunk.TypeInit)
		if c == nil {
			t.Fatal("no new INIT")
		}
		p.takeInit(c)
		p.send(p.initAck(someCookie))
		if got := p.said(); got != "COOKIE ECHO" {
			t.Fatalf("said %q", got)
		}
		p.send(chunk.AppendCookieAck(nil))
		var got []string
		for range 5 {
			for _, s := range p.take() {
				w := chunk.Walk(s.data[chunk.HeaderLen:])
				for c, ok := w.Next(); ok; c, ok = w.Next() {
					d, e := chunk.ParseData(c)
					if e != chunk.ErrNone || d.TSN != p.itsn+chunk.TSN(len(got)) || int(d.SSN) != len(got) {
						t.Fatalf("TSN %d, SSN %d", d.TSN, d.SSN)
					}
					got = append(got, string(d.Payload))
				}
			}
			p.send(sack(p.itsn+chunk.TSN(len(got))-1, 65536))
		}
		if !slices.Equal(got, []string{"one", "two", "three", "four", "five"}) {
			t.Errorf("sent %q", got)
		}
	})
	t.Run("COOKIE ECHO again and again", func(t *testing.T) {
		p := newRig(t).peer().connect()
		for range 10 {
			p.send(p.echo(), p.data("x"))
			if got := p.said(); got != "COOKIE ACK+SACK" {
				t.Fatalf("said %q", got)
			}
		}
		p.inState(tcb.Established)
		if n := len(p.received()); n != 10 || p.s.Stats().Associations != 1 {
			t.Errorf("%d messages of 10", n)
		}
	})
}

// TestBugClassJRoutes: answers leave by where the question came, from the
// address that it came to; ICMP errors that quote little, or nothing, do
// nothing; a host that has no route says so.
func TestBugClassJRoutes(t *testing.T) {
	t.Run("sources", func(t *testing.T) {
		r := newRig(t)
		p := r.peer()
		p.to = hereB // not what the host would choose
		p.sendTag(0, p.init())
		l := r.wire.out
		p.takeInitAck()
		p.send(p.echo())
		p.send(chunk.AppendHeartbeat(nil, []byte("1")), p.data("x"))
		l = append(l, p.take()...)
		p.accept()
		p.write("data")
		l = append(l, p.take()...)
		p.a.Abort(nil)
		for _, s := range append(l, p.take()...) {
			if s.src != hereB || s.dst != there {
				t.Errorf("%s from %v to %v", says(t, s.data), s.src, s.dst)
			}
		}
		// Also what belongs to no association.
		p.sendTag(5, sack(1, 1))
		if l := p.take(); len(l) != 1 || l[0].src != hereB {
			t.Errorf("%d answers", len(l))
		}
	})
	t.Run("ICMP of all lengths", func(t *testing.T) {
		everyState(t, func(t *testing.T, s tcb.State, p *peer) {
			quote := p.packet(p.tag, p.initWith(nil))
			for n := range quote {
				for _, kind := range []transport.ICMP{transport.ICMPPacketTooBig, transport.ICMP(200)} {
					for _, mtu := range []uint32{0, 1, 28, 68, 575, 1 << 31, 1<<32 - 1} {
						p.s.Input(0, []transport.RxSlot{{Kind: transport.ICMPError, ICMP: kind, MTU: mtu, Data: quote[:n:n], Src: p.to, Dst: p.addr}}, p.clk.t)
					}
				}
			}
			if p.a != nil {
				p.inState(s)
				if m := p.a.Status().Paths[0].PMTU; m != 1500 {
					t.Errorf("path MTU %d", m)
				}
			}
		})
	})
	t.Run("no route", func(t *testing.T) {
		r := newRig(t)
		v6 := netip.MustParseAddr("fd00::9")
		if _, err := r.ep.Associate([]netip.Addr{v6}, 6000, 0, nil, func(sideeffects.Wake) {}); !errors.Is(err, stack.ErrNoPeer) {
			t.Errorf("%v", err)
		}
		// A peer that lists what cannot be reached has the rest.
		p := r.peer().connectListing(v6, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("224.0.0.1"), alt)
		if n := len(p.a.Status().Paths); n != 2 {
			t.Errorf("%d paths", n)
		}
	})
}

// TestBugClassKAuthentication: in no state does anything with a wrong tag end an
// association, move it on, or make it believe something (R-8.5-03, R-8.5.1-06,
// R-8.5.1-12); of cookies every byte counts.
func TestBugClassKAuthentication(t *testing.T) {
	everyState(t, func(t *testing.T, s tcb.State, p *peer) {
		if s == tcb.Closed {
			return
		}
		before := p.a.Status()
		for _, tag := range []chunk.VTag{0, 1, p.theirs + 2, p.theirs ^ 1<<31, 1<<32 - 1} {
			for name, c := range p.everyKind() {
				if name == "INIT" || name == "COOKIE ECHO" {
					continue // what they do is not by the tag
				}
				p.sendTag(tag, c)
				flagged := slices.Clone(c)
				flagged[1] |= chunk.FlagT
				p.sendTag(tag, flagged)
			}
		}
		// The tag of the other direction, without the T bit.
		p.sendTag(p.tag, chunk.AppendAbort(nil, false, nil))
		p.sendTag(p.tag, chunk.AppendShutdownComplete(nil, false))
		if s < tcb.CookieEchoed { // the peer's tag is not known: it cannot be reflected
			p.sendTag(p.tag, chunk.AppendAbort(nil, true, nil))
		}
		after := p.a.Status()
		if after.State != s || after.Errors != before.Errors || after.Held != 0 || after.PeerRwnd != before.PeerRwnd || after.InFlight != before.InFlight {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
	t.Run("cookies", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		for i := range 8 * len(p.cookie) {
			p.cookie[i/8] ^= 1 << (i % 8)
			p.send(p.echo())
			p.cookie[i/8] ^= 1 << (i % 8)
		}
		p.expect("")
		p.gone()
		// Grown, shrunk, and with another's name on it.
		for _, c := range [][]byte{p.cookie[:len(p.cookie)-1], p.cookie[:40], append(slices.Clone(p.cookie), 0, 0, 0, 0), nil} {
			p.send(chunk.AppendCookieEcho(nil, c))
		}
		p.expect("")
		p.gone()
		p.send(p.echo())
		p.expect("COOKIE ACK")
	})
}
