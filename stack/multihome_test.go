package stack_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Addresses on the level of packets: which of the peer's count, which of ours
// are told and used (RFC 9260 sections 5.1.2, 5.4 and 6.4).

var away = netip.MustParseAddr("10.0.9.3")

// dialTo has the stack start an association to several addresses, and reads its
// INIT.
func (p *peer) dialTo(addrs ...netip.Addr) *peer {
	p.Helper()
	a, err := p.ep.Associate(addrs, p.port, 0, nil, func(sideeffects.Wake) {})
	if err != nil {
		p.Fatal(err)
	}
	p.a = a
	c, _ := first(p.take(), chunk.TypeInit)
	if c == nil {
		p.Fatal("no INIT")
	}
	p.takeInit(c)
	return p
}

// from sends chunks with the right tag from another address.
func (p *peer) from(src netip.Addr, chunks ...[]byte) {
	p.deliver(src, p.to, p.packet(p.theirs, chunks...))
}

func withAddrs(params []byte, addrs ...netip.Addr) []byte {
	b := bytes.Clone(params)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	for _, a := range addrs {
		b = chunk.AppendAddrParam(b, a)
	}
	return b
}

// paths is what the association knows of its peer: addresses and states.
func (p *peer) paths() string {
	var l []string
	for _, q := range p.a.Status().Paths {
		l = append(l, fmt.Sprintf("%v %v", q.Addr, q.State))
	}
	return strings.Join(l, ", ")
}

func (p *peer) hasPaths(want string) {
	p.Helper()
	if got := p.paths(); got != want {
		p.Errorf("paths %s, want %s", got, want)
	}
}

// answer answers the HEARTBEAT in a packet that the stack sent.
func (p *peer) answer(pkt *sent) {
	p.Helper()
	c, _ := first([]sent{*pkt}, chunk.TypeHeartbeat)
	if c == nil {
		p.Fatal("no HEARTBEAT")
	}
	p.deliver(pkt.dst, pkt.src, p.packet(p.theirs, chunk.AppendHeartbeatAck(nil, c)))
}

// lines says where packets went, and what they said.
func (p *peer) lines() string {
	var l []string
	for _, s := range p.take() {
		l = append(l, fmt.Sprintf("%v>%v %s", s.src, s.dst, says(p, s.data)))
	}
	return strings.Join(l, " | ")
}

// TestAddressesOfInitAck: the peer's addresses are those that its INIT ACK lists
// and the one that it came from; what the user named beside them is none.
// R-5.1.2-01 R-5.1.2-04 R-5.1.2-05 R-3.3.3-26 R-5.4-01
func TestAddressesOfInitAck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		from   netip.Addr
		listed []netip.Addr
		echo   string // what the COOKIE ECHO's packet says
		want   string
	}{
		{"none listed", there, nil, "10.0.0.1>10.0.9.1 COOKIE ECHO", "10.0.9.1 active"},
		{"both listed", there, []netip.Addr{there, alt}, "10.0.0.1>10.0.9.1 COOKIE ECHO", "10.0.9.1 active, 10.0.9.2 active"},
		{"one more listed", there, []netip.Addr{there, alt, away}, "10.0.0.1>10.0.9.1 COOKIE ECHO", "10.0.9.1 active, 10.0.9.2 active, 10.0.9.3 unconfirmed"},
		{"from the other, which is all", alt, nil, "10.0.0.1>10.0.9.2 COOKIE ECHO", "10.0.9.2 active"},
		{"from the other, with the first", alt, []netip.Addr{alt, there}, "10.0.0.1>10.0.9.2 COOKIE ECHO", "10.0.9.1 active, 10.0.9.2 active"}, // R-6.4-02
		{"from elsewhere, with the first", away, []netip.Addr{there}, "10.0.0.1>10.0.9.1 COOKIE ECHO", "10.0.9.1 active, 10.0.9.3 unconfirmed"},
		{"from elsewhere, with the second", away, []netip.Addr{alt}, "10.0.0.1>10.0.9.2 COOKIE ECHO", "10.0.9.2 active, 10.0.9.3 unconfirmed"},
		{"from elsewhere, which is all", away, nil, "10.0.0.1>10.0.9.3 COOKIE ECHO+HEARTBEAT", "10.0.9.3 unconfirmed"}, // R-5.4-08
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newRig(t).peer().dialTo(there, alt)
			p.from(tc.from, p.initAck(withAddrs(someCookie, tc.listed...)))
			if got := p.lines(); got != tc.echo {
				t.Fatalf("said %s, want %s", got, tc.echo)
			}
			p.hasPaths(tc.want)
			p.from(tc.from, chunk.AppendCookieAck(nil))
			p.inState(tcb.Established)
			// Where the handshake succeeded is the primary path.
			st := p.a.Status()
			if prim := st.Paths[st.Primary].Addr.String(); !strings.Contains(tc.echo, ">"+prim+" ") {
				t.Errorf("the primary path is that to %v", prim)
			}
			// What is not the peer's address has no association: an INIT from
			// there is a stranger's.
			for _, a := range []netip.Addr{there, alt, away} {
				p.take()
				p.deliver(a, p.to, p.packet(0, p.init()))
				want := "ABORT(11)"
				if strings.Contains(tc.want, a.String()) {
					want = "INIT ACK"
				} else if !slices.Contains(tc.listed, a) {
					want = "INIT ACK" // of a new association
				}
				if got := p.said(); !strings.HasSuffix(got, want) {
					t.Errorf("an INIT from %v: %q, want %s", a, got, want)
				}
			}
		})
	}
}

// TestCrossedHandshake: two hosts with two links between them. A peer that
// takes its addresses in turn does the handshake with our first address from its
// second. Neither path may then depend on both links: each address of the peer's
// is sent to from the own one that is on the same link. One that has no other
// address hears from the one that it has spoken to.
// R-6.4-02 R-6.4.1-02
func TestCrossedHandshake(t *testing.T) {
	crossed := func(t *testing.T, local ...netip.Addr) *peer {
		r := newRig(t)
		r.wire.via = map[netip.Addr]netip.Addr{there: hereA, alt: hereB}
		if local != nil {
			r.ep = r.open(local, 5001)
			r.ep.Listen(8, nil)
		}
		p := r.peer()
		p.addr = alt
		if local != nil {
			p.dport = 5001
		}
		return p
	}
	sources := func(p *peer) string {
		var l []string
		for _, q := range p.a.Status().Paths {
			l = append(l, fmt.Sprintf("%v>%v", q.Src, q.Addr))
		}
		slices.Sort(l)
		return strings.Join(l, " ")
	}
	const straight = "10.0.0.1>10.0.9.1 10.0.0.2>10.0.9.2"
	for _, tc := range []struct {
		name   string
		local  []netip.Addr
		listed []netip.Addr
		want   string
	}{
		{"all addresses", nil, []netip.Addr{there, alt}, straight},
		{"two addresses", []netip.Addr{hereA, hereB}, []netip.Addr{there, alt}, straight},
		{"one address", []netip.Addr{hereA}, []netip.Addr{there, alt}, "10.0.0.1>10.0.9.1 10.0.0.1>10.0.9.2"},
		{"all addresses, and a peer with one", nil, nil, "10.0.0.1>10.0.9.2"},
		{"two addresses, and a peer with one", []netip.Addr{hereA, hereB}, nil, "10.0.0.1>10.0.9.2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := crossed(t, tc.local...)
			p.sendTag(0, p.initWith(withAddrs(nil, tc.listed...)))
			p.takeInitAck()
			p.send(p.echo())
			p.accept()
			if got := sources(p); got != tc.want {
				t.Errorf("paths %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("answered from elsewhere", func(t *testing.T) {
		p := crossed(t, hereA, hereB)
		p.addr = there
		p.dial()
		p.from(alt, p.initAck(withAddrs(someCookie, there)))
		if got := sources(p); got != straight {
			t.Errorf("paths %s, want %s", got, straight)
		}
	})
}

// TestCookieEchoToUnconfirmed: the only address that is left is one that the
// user did not name. COOKIE ECHO goes there with a HEARTBEAT each time, or not
// at all; and until it is confirmed there follow HEARTBEATs only.
// R-5.4-05 R-5.4-08 R-5.4-09 R-5.4-10
func TestCookieEchoToUnconfirmed(t *testing.T) {
	t.Run("lost", func(t *testing.T) {
		p := newRig(t).peer().dialTo(there)
		if err := p.write("waits"); err != nil {
			t.Fatal(err)
		}
		p.from(away, p.initAck(someCookie))
		p.expect("COOKIE ECHO+HEARTBEAT")
		p.wait(mono.Second)
		p.expect("COOKIE ECHO+HEARTBEAT")
		p.wait(2 * mono.Second)
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "COOKIE ECHO+HEARTBEAT" || out[0].dst != away {
			t.Fatalf("%d packets", len(out))
		}
		p.from(away, chunk.AppendCookieAck(nil))
		p.inState(tcb.Established)
		for range 3 {
			p.from(away, p.data("in"))
			p.wait(mono.Second)
			for _, s := range p.take() {
				if got := says(t, s.data); got != "HEARTBEAT" {
					t.Errorf("to an unconfirmed address: %s", got)
				}
			}
		}
		p.a.Status()
		p.wait(60 * mono.Second) // a HEARTBEAT to answer
		out = p.take()
		p.answer(&out[len(out)-1])
		p.hasPaths("10.0.9.3 active")
		if got := p.said(); !strings.Contains(got, "DATA") || !strings.Contains(got, "SACK") {
			t.Errorf("once it is confirmed: %q", got)
		}
	})
	t.Run("both answered", func(t *testing.T) {
		p := newRig(t).peer().dialTo(there)
		if err := p.write("waits"); err != nil {
			t.Fatal(err)
		}
		p.from(away, p.initAck(someCookie))
		out := p.take()
		hb, _ := first(out, chunk.TypeHeartbeat)
		p.from(away, chunk.AppendCookieAck(nil), chunk.AppendHeartbeatAck(nil, hb))
		p.expect("DATA")
		p.hasPaths("10.0.9.3 active")
	})
	t.Run("the peer dies before it is confirmed", func(t *testing.T) { // not for ever
		p := newRig(t).peer().dialTo(there)
		p.from(away, p.initAck(someCookie))
		p.from(away, chunk.AppendCookieAck(nil))
		p.inState(tcb.Established)
		p.wait(3600 * mono.Second)
		p.take()
		p.expectEnd(fsm.CommLost, 0)
	})
	t.Run("too large for both", func(t *testing.T) {
		for _, tc := range []struct {
			cookie int
			want   string
		}{{1380, "COOKIE ECHO+HEARTBEAT"}, {1416, "COOKIE ECHO+HEARTBEAT"}, {1420, ""}, {1464, ""}, {3000, ""}} {
			p := newRig(t).peer().dialTo(there)
			p.from(away, p.initAck(chunk.AppendCookieParam(nil, make([]byte, tc.cookie))))
			for _, s := range p.take() {
				if len(s.data) > 1480 {
					t.Errorf("cookie of %d bytes: a packet of %d", tc.cookie, len(s.data))
				}
				if got := says(t, s.data); got != tc.want {
					t.Errorf("cookie of %d bytes: %s", tc.cookie, got)
				}
				tc.want = ""
			}
			if tc.want != "" {
				t.Errorf("cookie of %d bytes: nothing was sent", tc.cookie)
			}
			p.wait(600 * mono.Second)
			p.expectEnd(fsm.CantStart, 0)
		}
	})
	t.Run("stale", func(t *testing.T) {
		p := newRig(t).peer().dialTo(there)
		p.from(away, p.initAck(someCookie))
		p.expect("COOKIE ECHO+HEARTBEAT")
		p.from(away, chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 1000)))
		p.expect("") // an INIT must not go there
		p.expectEnd(fsm.CantStart, chunk.CauseStaleCookie)
	})
}

// TestScopeOfPeer: of what a peer lists, addresses that mean another host here
// are left aside, in INIT and INIT ACK; and it is told of none of ours that
// means another host there. R-5.1.2-04
func TestScopeOfPeer(t *testing.T) {
	ip := netip.MustParseAddr
	global, private, local := ip("198.51.100.1"), ip("10.0.9.1"), ip("127.0.0.1")
	mine := []netip.Addr{ip("192.0.2.1"), ip("10.0.0.1"), ip("192.0.2.2")}
	listed := []netip.Addr{ip("198.51.100.2"), ip("10.0.9.2"), ip("169.254.1.1"), ip("127.0.0.2")}
	for _, tc := range []struct {
		from, to netip.Addr
		paths    int
		told     string
	}{
		{global, mine[0], 2, "[192.0.2.1 192.0.2.2]"},
		{private, mine[1], 3, "[192.0.2.1 10.0.0.1 192.0.2.2]"},
		{local, ip("127.0.0.1"), 5, "[192.0.2.1 10.0.0.1 192.0.2.2 127.0.0.1]"},
	} {
		t.Run(tc.from.String(), func(t *testing.T) {
			r := newRig(t)
			r.wire.addrs = append(slices.Clone(mine), local)
			bind := mine
			if tc.from == local {
				bind = r.wire.addrs
			}
			r.ep = r.open(bind, 5001)
			r.ep.Listen(1, nil)
			p := r.peer()
			p.dport, p.addr, p.to = 5001, tc.from, tc.to
			p.sendTag(0, p.initWith(withAddrs(nil, listed...)))
			out := p.take()
			c, _ := first(out, chunk.TypeInitAck)
			var f chunk.InitFacts
			if f.Decode(c) != chunk.ErrNone {
				t.Fatal("no INIT ACK")
			}
			if got := fmt.Sprint(f.Addrs[:f.NAddrs]); got != tc.told {
				t.Errorf("the peer is told of %s, want %s", got, tc.told)
			}
			p.theirs, p.cookie = f.Tag, bytes.Clone(f.Cookie.Of(c))
			p.send(p.echo())
			p.accept()
			if st := p.a.Status(); len(st.Paths) != tc.paths {
				t.Errorf("paths %s", p.paths())
			}
			for _, q := range p.a.Status().Paths {
				if !strings.Contains(tc.told, q.Src.String()) {
					t.Errorf("to %v from %v, which the peer does not know", q.Addr, q.Src)
				}
			}
		})
	}
}

// TestZoneOfInit: an INIT lists a link-local address, which has no zone there:
// it is the one on the link that the INIT came by. R-5.1.2-06
func TestZoneOfInit(t *testing.T) {
	ip := netip.MustParseAddr
	r := newRig(t)
	r.wire.addrs = []netip.Addr{ip("fe80::1%eth0"), ip("fe80::1%eth1")}
	r.ep = r.open(nil, 5001)
	r.ep.Listen(4, nil)
	p := r.peer()
	p.dport, p.addr, p.to = 5001, ip("fe80::9%eth0"), ip("fe80::1%eth0")
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo())
	p.expect("COOKIE ACK")
	p.accept()
	init := p.packet(0, p.initWith(withAddrs(nil, ip("fe80::9"), ip("fe80::a"))))
	r.deliver(ip("fe80::a%eth0"), p.to, init)
	r.expect("ABORT(11)") // it would add an address
	r.deliver(ip("fe80::a%eth1"), ip("fe80::1%eth1"), init)
	r.expect("INIT ACK") // on another link that is another host
}

// TestInitInShutdownAckSent: an INIT of the association, by its source or by an
// address that it lists, is dropped and the SHUTDOWN ACK sent again, to where it
// was sent before; another's is another association's. R-9.2-28
func TestInitInShutdownAckSent(t *testing.T) {
	p := newRig(t).peer().connect()
	p.send(chunk.AppendShutdown(nil, p.itsn-1))
	p.expect("SHUTDOWN ACK")
	for _, tc := range []struct {
		src    netip.Addr
		port   uint16
		listed []netip.Addr
		want   string
	}{
		{there, 6000, nil, "10.0.0.1>10.0.9.1 SHUTDOWN ACK"},
		{there, 6000, []netip.Addr{there, away}, "10.0.0.1>10.0.9.1 SHUTDOWN ACK"},
		{away, 6000, []netip.Addr{away, there}, "10.0.0.1>10.0.9.1 SHUTDOWN ACK"},
		{away, 6000, nil, "10.0.0.1>10.0.9.3 INIT ACK"},
		{away, 6000, []netip.Addr{away, alt}, "10.0.0.1>10.0.9.3 INIT ACK"},
		{there, 6001, nil, "10.0.0.1>10.0.9.1 INIT ACK"},
	} {
		q := *p
		q.port, q.tag = tc.port, 0x777
		p.deliver(tc.src, p.to, q.packet(0, q.initWith(withAddrs(nil, tc.listed...))))
		if got := p.lines(); got != tc.want {
			t.Errorf("INIT from %v:%d, %v: %s, want %s", tc.src, tc.port, tc.listed, got, tc.want)
		}
		p.inState(tcb.ShutdownAckSent)
	}
}

// TestRestartKeepsTheHandle: after a restart the user has the same association,
// by id and handle, is told, reads on, and everything about the old congestion
// is forgotten; what was not acknowledged is sent again, once.
// R-5.2.4-06 R-5.2.4-07 R-5.2.4-08
func TestRestartKeepsTheHandle(t *testing.T) {
	p := newRig(t).peer().connect()
	id := p.a.Status().ID
	p.send(p.data("unread"))
	p.wait(300 * mono.Millisecond)
	for i := range 5 {
		if err := p.write(fmt.Sprint("message ", i)); err != nil {
			t.Fatal(err)
		}
	}
	p.wait(30 * mono.Second) // T3-rtx expires, and expires
	before := p.a.Status()
	if q := before.Paths[0]; q.RTO <= mono.Second || q.Errors == 0 || before.Errors == 0 {
		t.Fatalf("this tests nothing: %+v", q)
	}
	p.take()
	p.tag, p.tsn = 0x12345678, 77
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo())
	out := p.take()
	var sentAgain []string
	for i := range out {
		for w := chunk.Walk(out[i].data[chunk.HeaderLen:]); ; {
			c, ok := w.Next()
			if !ok {
				break
			}
			if d, e := chunk.ParseData(c); c.Type() == chunk.TypeData && e == chunk.ErrNone {
				if want := p.itsn + chunk.TSN(len(sentAgain)); d.TSN != want || int(d.SSN) != len(sentAgain) {
					t.Errorf("TSN %d SSN %d, want %d and %d", d.TSN, d.SSN, want, len(sentAgain))
				}
				sentAgain = append(sentAgain, string(d.Payload))
			}
		}
	}
	if got := strings.Join(sentAgain, ","); got != "message 0,message 1,message 2,message 3,message 4" {
		t.Errorf("sent again: %s", got)
	}
	s := p.a.Status()
	if s.ID != id || s.State != tcb.Established || s.Errors != 0 {
		t.Errorf("%+v", s)
	}
	if q := s.Paths[0]; q.RTO != mono.Second || q.Errors != 0 || q.SRTT != 0 || q.Cwnd != 4404 || q.Ssthresh < 1<<29 {
		t.Errorf("%+v", q)
	}
	if got := p.received(); len(got) != 1 || got[0] != "unread" {
		t.Errorf("read %q", got)
	}
	if n := len(p.notes); n == 0 || fsm.AssocChange(p.notes[n-1].A) != fsm.Restarted {
		t.Errorf("notes %+v", p.notes)
	}
	p.send(sack(p.itsn+4, 65536))
	if st := p.a.Status(); st.Queued != 0 || st.InFlight != 0 {
		t.Errorf("%d bytes queued, %d in flight", st.Queued, st.InFlight)
	}
}

// TestCVE202652924: COOKIE-ECHOED to COOKIE-WAIT by a stale cookie, with
// messages queued before and in between, several times: each arrives once, in
// order, and what the queue counts comes back to nothing. (Linux kept data and
// scheduler as they were.)
func TestCVE202652924(t *testing.T) {
	p := newRig(t).peer().dial()
	stale := chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 1000))
	n := 0
	queue := func(size int) {
		t.Helper()
		n++
		if err := p.write(fmt.Sprintf("%d:%s", n, strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
	}
	queue(10)
	for round := range 3 {
		queue(4000) // several fragments
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		queue(20)
		before := p.a.Status()
		p.send(stale)
		c, _ := first(p.take(), chunk.TypeInit)
		if c == nil {
			t.Fatal("no INIT")
		}
		p.takeInit(c) // with a tag of its own
		if s := p.a.Status(); s.Queued != before.Queued || s.InFlight != 0 {
			t.Fatalf("round %d: %d bytes queued and %d in flight, before %d and %d", round, s.Queued, s.InFlight, before.Queued, before.InFlight)
		}
		queue(1)
	}
	p.send(p.initAck(someCookie))
	p.expect("COOKIE ECHO")
	p.send(chunk.AppendCookieAck(nil))
	p.inState(tcb.Established)
	next, ssn, got, frag := p.itsn, uint16(0), 0, ""
	for round := 0; got < n && round < 100; round++ {
		for _, s := range p.take() {
			for w := chunk.Walk(s.data[chunk.HeaderLen:]); ; {
				c, ok := w.Next()
				if !ok {
					break
				}
				d, e := chunk.ParseData(c)
				if c.Type() != chunk.TypeData || e != chunk.ErrNone {
					continue
				}
				if d.TSN != next || uint16(d.SSN) != ssn {
					t.Fatalf("TSN %d SSN %d, want %d and %d", d.TSN, d.SSN, next, ssn)
				}
				next++
				frag += string(d.Payload)
				if d.Flags&chunk.FlagE != 0 {
					got++
					ssn++
					if !strings.HasPrefix(frag, fmt.Sprintf("%d:", got)) {
						t.Fatalf("message %d is %.10q", got, frag)
					}
					frag = ""
				}
			}
		}
		p.send(sack(next-1, 65536))
	}
	if s := p.a.Status(); got != n || s.Queued != 0 || s.InFlight != 0 {
		t.Fatalf("%d of %d messages; %d bytes queued, %d in flight", got, n, s.Queued, s.InFlight)
	}
	p.a.Shutdown()
	p.expect("SHUTDOWN")
	p.send(chunk.AppendShutdownAck(nil))
	p.expect("SHUTDOWN COMPLETE")
	p.gone()
	if b := p.s.Stats().Buffers; b != 0 {
		t.Errorf("%d buffers left", b)
	}
}

// TestTagsNeverChange: whatever comes, short of a restart, an association keeps
// its two tags. R-5.3.1-02
func TestTagsNeverChange(t *testing.T) {
	p := newRig(t).peer().connect()
	old := *p
	try := func(what string, src netip.Addr, tag chunk.VTag, chunks ...[]byte) {
		t.Helper()
		p.deliver(src, p.to, old.packet(tag, chunks...))
		p.wait(10 * mono.Millisecond)
		p.take()
		if s := p.state(); s != tcb.Established {
			t.Fatalf("%s: %v", what, s)
		}
		before := p.tsn
		p.send(p.data("ours"))
		if p.wait(300 * mono.Millisecond); p.tsn != before+1 || len(p.received()) != 1 {
			t.Errorf("%s: the tag is another", what)
		}
		for _, s := range p.take() {
			if vtag(&s) != p.tag {
				t.Errorf("%s: tag %x in a packet, want %x", what, vtag(&s), p.tag)
			}
		}
	}
	stranger := *p
	stranger.tag, stranger.tsn = 0x31337, 9
	try("INIT", there, 0, old.init())
	try("INIT with another tag", there, 0, stranger.init())
	try("INIT ACK", there, p.theirs, stranger.initAck(someCookie))
	try("COOKIE ECHO again", there, p.theirs, old.echo())
	try("COOKIE ACK", there, p.theirs, chunk.AppendCookieAck(nil))
	try("Stale Cookie", there, p.theirs, chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 5)))
}
