package stack_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// The attacks of RFC 5062, each with what shall come of it: nothing that the
// attacker could not have had without SCTP.

// beating switches heartbeats on.
var beating = withConfig(func(c *tcb.Config) { c.HBInterval = 30 * mono.Second })

// connectListing sets an association up whose peer lists more addresses.
func (p *peer) connectListing(addrs ...netip.Addr) *peer {
	p.Helper()
	var params []byte
	for _, a := range addrs {
		params = chunk.AppendAddrParam(params, a)
	}
	p.sendTag(0, p.initWith(params))
	p.takeInitAck()
	p.send(p.echo())
	p.accept()
	return p
}

// to returns the packets that went to addr.
func sentTo(ps []sent, addr netip.Addr) (l []sent) {
	for _, s := range ps {
		if s.dst == addr {
			l = append(l, s)
		}
	}
	return l
}

// TestRFC5062AddressCamping, section 2: an attacker lists an address that a
// victim will come from. The address is probed at once, and each RTO; only its
// owner could confirm it, and its owner's answer ends the association.
func TestRFC5062AddressCamping(t *testing.T) {
	p := newRig(t, beating).peer().connectListing(alt)
	p.wait(0)
	probes := sentTo(p.take(), alt)
	if len(probes) != 1 || says(t, probes[0].data) != "HEARTBEAT" {
		t.Fatalf("%d probes at once", len(probes))
	}
	hb, _ := first(probes, chunk.TypeHeartbeat)

	// The attacker cannot speak for the victim: it does not know the nonce
	// (R-5.4-02).
	for i := range 64 {
		forged := bytes.Clone(hb)
		forged[24+i/8] ^= 1 << (i % 8)
		p.deliver(alt, p.to, p.packet(p.theirs, chunk.AppendHeartbeatAck(nil, chunk.Chunk(forged))))
	}
	p.wait(1600 * mono.Millisecond) // an RTO, and its jitter
	if n := len(sentTo(p.take(), alt)); n == 0 {
		t.Error("not probed again within an RTO")
	}
	for _, path := range p.a.Status().Paths {
		if path.Addr == alt && path.State != tcb.PathUnconfirmed {
			t.Errorf("the victim's address is %v", path.State)
		}
	}

	// The victim knows nothing of an association, and says so.
	p.deliver(alt, p.to, p.packet(p.tag, chunk.AppendAbort(nil, true, nil)))
	p.gone()
	v := p.peer()
	v.addr, v.tag = alt, 0xD00D
	v.connect()
}

// TestRFC5062Hijack1, section 3: whoever inherits an address learns nothing
// from the cookie of a restart about the tags of the association.
func TestRFC5062Hijack1(t *testing.T) {
	p := newRig(t).peer().connect()
	q := *p
	q.tag = 0x55667788
	q.sendTag(0, q.init())
	q.takeInitAck()
	for _, tag := range []chunk.VTag{p.theirs, p.tag} {
		if bytes.Contains(q.cookie, binary.BigEndian.AppendUint32(nil, uint32(tag))) {
			t.Errorf("tag %x is in the cookie", tag)
		}
	}
	if q.theirs == p.theirs {
		t.Error("the INIT ACK tells the tag of the association")
	}
}

// TestRFC5062Hijack2, section 4: whoever has an address can restart its
// associations, and their users are told (R-5.2.4-07).
func TestRFC5062Hijack2(t *testing.T) {
	p := newRig(t).peer().connect()
	p.received()
	p.notes = nil
	q := *p
	q.tag = 0x55667788
	q.sendTag(0, q.init())
	q.takeInitAck()
	q.send(q.echo())
	p.received()
	if len(p.notes) != 1 || fsm.AssocChange(p.notes[0].A) != fsm.Restarted {
		t.Errorf("notes %v", p.notes)
	}
}

// TestRFC5062Bombing1, section 5: a peer that lists a victim's address and
// stops acknowledging has no DATA sent there (R-5.4-05), a SACK for what was
// not sent yet ends it (R-12.4-05), and so does the victim's ICMP.
func TestRFC5062Bombing1(t *testing.T) {
	start := func(t *testing.T) *peer {
		p := newRig(t, beating).peer().connectListing(alt)
		p.take()
		for range 20 {
			if err := p.write(string(kilo)); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	t.Run("silence", func(t *testing.T) {
		p := start(t)
		for range 40 {
			p.wait(5 * mono.Second)
			for _, s := range sentTo(p.take(), alt) {
				if says(t, s.data) != "HEARTBEAT" {
					t.Fatalf("%s to the victim", says(t, s.data))
				}
			}
			if p.a.End().Ended {
				break
			}
			// It keeps its own address alive as well as it can.
			p.send(chunk.AppendHeartbeat(nil, []byte("1234")))
		}
	})
	t.Run("a SACK too early", func(t *testing.T) {
		p := start(t)
		p.send(sack(p.itsn+19, 65536)) // the window did not let all of them out
		if e := p.ended(); e.Cause != chunk.CauseProtocolViolation {
			t.Errorf("ended by %v", e.Cause)
		}
	})
	t.Run("ICMP", func(t *testing.T) {
		p := start(t)
		quote := chunk.AppendHeader(nil, p.dport, p.port, p.tag)
		p.s.Input(0, []transport.RxSlot{{Kind: transport.ICMPError, ICMP: transport.ICMPProtoUnreachable, Data: quote, Src: p.to, Dst: alt}}, p.clk.t)
		p.ended()
	})
}

// TestRFC5062Bombing2, section 6: a cookie that lists many addresses of a victim
// causes HB.Max.Burst heartbeats in an RTO, small ones, however often it comes,
// and not for long (R-5.4-04).
func TestRFC5062Bombing2(t *testing.T) {
	p := newRig(t, beating).peer()
	var victim []netip.Addr
	var params []byte
	for i := range 20 {
		a := netip.AddrFrom4([4]byte{10, 0, 9, byte(100 + i)})
		victim = append(victim, a)
		params = chunk.AppendAddrParam(params, a)
	}
	params = chunk.AppendCookiePreservative(params, 1<<32-1) // and it asks for a long life
	p.sendTag(0, p.initWith(params))
	p.takeInitAck()
	for range 50 { // within one RTO
		p.send(p.echo())
		p.wait(0)
	}
	bombs := 0
	for _, s := range p.take() {
		for _, v := range victim {
			if s.dst == v {
				bombs++
				if len(s.data) > 64 {
					t.Errorf("a heartbeat of %d bytes", len(s.data))
				}
			}
		}
	}
	if bombs != 1 {
		t.Errorf("%d packets to the victim", bombs)
	}
	// Each time the victim says that it knows of nothing there is one more.
	for range 20 {
		p.deliver(victim[0], p.to, p.packet(p.tag, chunk.AppendAbort(nil, true, nil)))
		p.gone()
		p.send(p.echo())
		p.wait(0)
		n := 0
		for _, s := range p.take() {
			if s.dst != p.addr {
				n++
			}
		}
		if n > 1 {
			t.Fatalf("%d packets to the victim for a cookie", n)
		}
	}
	p.deliver(victim[0], p.to, p.packet(p.tag, chunk.AppendAbort(nil, true, nil)))
	p.wait(125 * mono.Second) // Valid.Cookie.Life, and as much again at most
	p.take()
	p.send(p.echo())
	p.expect("ERROR(3)")
	p.gone()
}

// TestRFC5062Redirection, section 7: a cookie is good for the ports that it was
// made for (R-5.1.5-03).
func TestRFC5062Redirection(t *testing.T) {
	r := newRig(t)
	r.open(nil, 5001).Listen(5, nil)
	p := r.peer()
	p.sendTag(0, p.init())
	p.takeInitAck()
	for _, d := range [][2]uint16{{1, 0}, {0, 1}, {1, 1}} {
		q := *p
		q.port, q.dport = q.port+d[0], q.dport+d[1]
		q.send(q.echo())
		r.expect("")
		r.gone()
	}
	p.send(p.echo())
	r.expect("COOKIE ACK")
}

// manyKinds asks for an answer to each of its chunks.
func (p *peer) manyKinds(size int) [][]byte {
	hb := chunk.AppendHeartbeat(nil, make([]byte, 300))
	odd := append([]byte{0xff, 0, 1, 0}, make([]byte, 252)...)
	badStream := func() []byte {
		c := chunk.AppendData(nil, chunk.Data{TSN: p.tsn, Stream: 60000, Flags: whole, Payload: []byte{1}})
		p.tsn++
		return c
	}
	var l [][]byte
	for n := 0; n < size; {
		add := [][]byte{hb, odd, badStream()}
		l = append(l, add...)
		for _, c := range add {
			n += chunk.Padded(len(c))
		}
	}
	return l
}

// TestRFC5062Bombing3, section 8: whatever a packet asks for, one packet answers
// it, no larger (R-12.4-02), to where it came from; one that comes from a
// victim's address is answered only if the tag is right.
func TestRFC5062Bombing3(t *testing.T) {
	p := newRig(t).peer().connect()
	pkt := p.packet(p.theirs, p.manyKinds(30000)...)
	p.deliver(p.addr, p.to, pkt)
	l := p.take()
	if len(l) != 1 || l[0].dst != p.addr || len(l[0].data) > 1480 {
		t.Fatalf("%d packets", len(l))
	}
	victim := netip.MustParseAddr("10.0.7.7")
	p.deliver(victim, p.to, p.packet(p.theirs+2, p.manyKinds(3000)...))
	l = p.take()
	if len(l) > 1 || len(l) == 1 && len(l[0].data) > 64 {
		t.Errorf("%d packets to the victim", len(l))
	}
}

// TestRFC5062Bombing4, section 9: an INIT ACK is as small as what it has to say
// allows, and the same for whoever asks (R-12.4-06, R-5.1.3-07).
func TestRFC5062Bombing4(t *testing.T) {
	p := newRig(t).peer()
	pkt := p.packet(0, p.init())
	p.deliver(p.addr, p.to, pkt)
	l := p.take()
	// 12 and 20 bytes are the INIT ACK's own; the cookie has a MAC of 32 bytes,
	// tags, TSNs and addresses. A hundred bytes more would be waste.
	if len(l) != 1 || len(l[0].data) > 230 {
		t.Errorf("%d bytes for an INIT of %d", len(l[0].data), len(pkt))
	}
	// Asking for more of everything gives little more.
	var params []byte
	for i := range 15 {
		params = chunk.AppendParam(params, chunk.ParamType(0x9000+i), make([]byte, 60)) // to be skipped, not reported
	}
	pkt = p.packet(0, p.initWith(params))
	p.deliver(p.addr, p.to, pkt)
	if m := p.take(); len(m) != 1 || len(m[0].data) > len(l[0].data) {
		t.Error("parameters that are to be skipped make the INIT ACK larger")
	}
}

// TestRFC5062Bombing5, section 10: with a small path MTU, and a forged smaller
// one, what does not fit the one answer is dropped.
func TestRFC5062Bombing5(t *testing.T) {
	p := newRig(t).peer().connect()
	quote := chunk.AppendHeader(nil, p.dport, p.port, p.tag)
	for _, mtu := range []uint32{576, 68, 0} {
		p.s.Input(0, []transport.RxSlot{{Kind: transport.ICMPError, ICMP: transport.ICMPPacketTooBig, MTU: mtu, Data: quote, Src: p.to, Dst: p.addr}}, p.clk.t)
		if pm := p.a.Status().Paths[0].PMTU; pm != 576 {
			t.Fatalf("path MTU %d", pm)
		}
		p.send(p.manyKinds(10000)...)
		answers := 0
		for _, s := range p.take() {
			if says(t, s.data) != "SACK" { // which the rule does not count
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%d packets for one", answers)
		}
	}
}

// Attacks that RFC 5062 does not name.

// TestOptimisticSack: acknowledging what is in flight but did not arrive makes
// the window grow by a packet per SACK and no faster (R-7.2.1-07, R-7.2.1-08),
// and one TSN too far ends it.
func TestOptimisticSack(t *testing.T) {
	p := newRig(t).peer().connect()
	for range 600 {
		if err := p.write(string(kilo)); err != nil {
			break
		}
	}
	n := 0
	for i := range 50 {
		top := p.itsn - 1
		l := p.take()
		n += len(l)
		for _, s := range l {
			c, _ := first([]sent{s}, chunk.TypeData)
			d, _ := chunk.ParseData(c)
			top = d.TSN
		}
		if len(l) > (4404+i*1468)/1416+1 {
			t.Fatalf("%d packets for one SACK", len(l))
		}
		if len(l) == 0 {
			break
		}
		p.send(sack(top, 65536))
	}
	if n < 20 {
		t.Fatalf("only %d packets", n)
	}
	p.take()
	p.send(sack(p.itsn+5000, 65536))
	if e := p.ended(); e.Cause != chunk.CauseProtocolViolation { // R-12.4-05
		t.Errorf("ended by %v", e.Cause)
	}
}

// TestBlindAttacks: whoever knows addresses and ports but no tag changes
// nothing: neither the state, nor what is delivered, nor the timers, and gets
// no hint of the tag (R-8.5-03, R-8.5.1-06, R-8.5.1-12).
func TestBlindAttacks(t *testing.T) {
	p := newRig(t).peer().connect()
	before := p.a.Status()
	for _, tag := range []chunk.VTag{0, 1, p.theirs + 1, p.theirs ^ 1<<31, ^p.theirs, p.tag} {
		for _, c := range [][]byte{
			chunk.AppendAbort(nil, false, nil), chunk.AppendShutdown(nil, p.itsn-1), chunk.AppendShutdownAck(nil),
			chunk.AppendShutdownComplete(nil, false), chunk.AppendCookieAck(nil), p.initAck(someCookie),
			sack(p.itsn-1, 0), chunk.AppendHeartbeat(nil, []byte("1234")), piece(p.tsn, whole, 0, kilo),
			chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 1)),
		} {
			p.sendTag(tag, c)
		}
		if tag != p.tag {
			p.sendTag(tag, chunk.AppendAbort(nil, true, nil))
			p.sendTag(tag, chunk.AppendShutdownComplete(nil, true))
		}
	}
	for _, s := range p.take() {
		if h, _ := chunk.ParseHeader(s.data); h.VTag == p.theirs {
			t.Errorf("%s tells the tag", says(t, s.data))
		}
	}
	p.inState(tcb.Established)
	after := p.a.Status()
	if got := p.received(); len(got) != 0 || after.PeerRwnd != before.PeerRwnd || after.Errors != 0 {
		t.Errorf("received %q, %+v", got, after)
	}
}

// TestInitFloodOfOneAssociation: INITs for an association that is up, right in
// all but the peer, leave it as it is, and get no more out of it than one small
// packet each (R-5.2.2-10).
func TestInitFloodOfOneAssociation(t *testing.T) {
	steps := counter{}
	r := newRig(t, withOptions(func(o *stack.Options) { o.Trace = &steps }))
	p := r.peer().connect()
	var before uint64
	for i := range 6000 {
		if i == 1000 {
			before = heap() // the packets' buffers are there
		}
		q := *p
		q.tag = chunk.VTag(0x9000000 + i)
		q.sendTag(0, q.init())
		if len(r.wire.out) != 1 || len(r.wire.out[0].data) > 250 {
			t.Fatalf("%d packets for an INIT", len(r.wire.out))
		}
		r.wire.out = nil
	}
	if steps.n > 6000+10 {
		t.Errorf("%d steps", steps.n)
	}
	if grown := int64(heap()) - int64(before); grown > 64<<10 {
		t.Errorf("%d bytes more", grown)
	}
	p.send(p.data("goes on"))
	p.expect("SACK")
}
