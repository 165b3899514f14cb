package stack_test

import (
	"math"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

func plain(t chunk.Type, body ...byte) []byte {
	b, mark := chunk.Begin(nil, t, 0)
	return chunk.End(append(b, body...), mark)
}

// TestOutOfTheBlue: RFC 9260 section 8.4 in its order. Earlier rules win over
// later ones, whichever chunk comes first.
func TestOutOfTheBlue(t *testing.T) {
	r := newRig(t)
	p := r.peer()
	abort := chunk.AppendAbort(nil, false, nil)
	data := chunk.AppendData(nil, chunk.Data{TSN: 1, Flags: 3, Payload: []byte("x")})
	stale := chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 7))
	other := chunk.AppendError(nil, chunk.AppendInvalidStream(nil, 1))
	shutAck, shutComplete := chunk.AppendShutdownAck(nil), chunk.AppendShutdownComplete(nil, false)
	cookieAck := chunk.AppendCookieAck(nil)
	badEcho := chunk.AppendCookieEcho(nil, []byte("not one of yours"))
	hb := chunk.AppendHeartbeat(nil, []byte("1234"))
	tests := []struct {
		name   string
		tag    chunk.VTag
		chunks [][]byte
		want   string
	}{
		{"R-8.4-10 R-8.4-11 R-6-03 DATA", 5, [][]byte{data}, "ABORT T"},
		{"R-8.4-10 R-6-06 SACK", 5, [][]byte{sack(1, 1500)}, "ABORT T"},
		{"R-8.4-10 HEARTBEAT", 5, [][]byte{hb}, "ABORT T"},
		{"R-8.4-10 SHUTDOWN", 5, [][]byte{chunk.AppendShutdown(nil, 1)}, "ABORT T"},
		{"R-8.4-10 INIT ACK", 5, [][]byte{p.initAck(someCookie)}, "ABORT T"},
		{"R-8.4-10 ERROR", 5, [][]byte{other}, "ABORT T"},
		{"R-8.4-10 unknown chunk", 5, [][]byte{plain(0x3f)}, "ABORT T"},
		{"R-8.4-10 unknown chunk to be skipped", 5, [][]byte{plain(0xbf)}, "ABORT T"},
		{"R-12.3-03 INIT with a tag", 5, [][]byte{p.init()}, ""},
		{"R-12.3-03 INIT with a tag, and DATA", 5, [][]byte{p.init(), data}, ""},
		{"R-12.3-03 INIT and DATA", 0, [][]byte{p.init(), data}, ""},
		{"R-12.3-03 two INITs", 0, [][]byte{p.init(), p.init()}, ""},
		{"R-12.3-03 DATA and INIT", 0, [][]byte{data, p.init()}, ""},
		{"R-8.4-13 one ABORT only", 5, [][]byte{data, data, hb}, "ABORT T"},
		{"R-8.4-02 ABORT", 5, [][]byte{abort}, ""},
		{"R-8.4-02 ABORT behind DATA", 5, [][]byte{data, abort}, ""},
		{"R-8.4-02 ABORT behind SHUTDOWN ACK", 5, [][]byte{shutAck, abort}, ""},
		{"R-8.4-02 ABORT behind COOKIE ECHO", 5, [][]byte{badEcho, abort}, ""},
		{"R-8.4-05 COOKIE ECHO that is not ours", 5, [][]byte{badEcho}, ""},
		{"R-8.4-06 R-8.4-07 SHUTDOWN ACK", 5, [][]byte{shutAck}, "SHUTDOWN COMPLETE T"},
		{"R-8.4-06 SHUTDOWN ACK behind DATA", 5, [][]byte{data, shutAck}, "SHUTDOWN COMPLETE T"},
		{"R-8.4-06 SHUTDOWN ACK before SHUTDOWN COMPLETE", 5, [][]byte{shutComplete, shutAck}, "SHUTDOWN COMPLETE T"},
		{"R-8.4-08 SHUTDOWN COMPLETE", 5, [][]byte{shutComplete}, ""},
		{"R-8.4-08 SHUTDOWN COMPLETE behind DATA", 5, [][]byte{data, shutComplete}, ""},
		{"R-8.4-09 COOKIE ACK", 5, [][]byte{cookieAck}, ""},
		{"R-8.4-09 COOKIE ACK behind DATA", 5, [][]byte{data, cookieAck}, ""},
		{"R-8.4-09 ERROR Stale Cookie", 5, [][]byte{stale}, ""},
		{"R-8.4-09 ERROR Stale Cookie behind DATA", 5, [][]byte{data, stale}, ""},
		{"R-8.4-09 ERROR with Stale Cookie as second cause", 5,
			[][]byte{chunk.AppendError(nil, chunk.AppendStaleCookie(chunk.AppendInvalidStream(nil, 1), 1))}, ""},
		{"R-8.5.1-03 DATA with tag 0", 0, [][]byte{data}, ""},
		{"R-8.5.1-03 SHUTDOWN ACK with tag 0", 0, [][]byte{shutAck}, ""},
		{"R-8.5.1-03 INIT and DATA", 0, [][]byte{p.init(), data}, ""},
		{"R-8.5.1-03 DATA and INIT", 0, [][]byte{data, p.init()}, ""},
		{"R-8.5.1-03 two INITs", 0, [][]byte{p.init(), p.init()}, ""},
		{"R-8.4-03 INIT", 0, [][]byte{p.init()}, "INIT ACK"},
	}
	for _, port := range []uint16{5000, 5001} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				r.TB = t
				p.dport = port
				want := tt.want
				if port == 5001 && want == "INIT ACK" {
					want = "ABORT" // R-8.4-04: nobody has that port
				}
				p.sendTag(tt.tag, tt.chunks...)
				out := r.take()
				got := ""
				if len(out) > 0 {
					got = says(t, out[0].data)
				}
				if got != want || len(out) > 1 {
					t.Fatalf("answered %q, %d packets; want %q", got, len(out), want)
				}
				if len(out) == 0 {
					return
				}
				tag := tt.tag
				if tag == 0 {
					tag = p.tag // R-8.4-04 R-5.1-04
				}
				h, _ := chunk.ParseHeader(out[0].data)
				if h.VTag != tag || h.SrcPort != port || h.DstPort != p.port || out[0].dst != p.addr || out[0].src != p.to {
					t.Fatalf("%+v from %v to %v, want tag %x", h, out[0].src, out[0].dst, tag)
				}
			})
		}
	}
	r.gone()
	if r.stat(fsm.StatOutOfBlues) == 0 || r.s.Stats().OutOfBlue == 0 {
		t.Error("not counted")
	}
}

// TestOutOfTheBlueMulticast: nothing that came from or to an address that is
// not unicast is answered.
func TestOutOfTheBlueMulticast(t *testing.T) { // R-8.4-01
	r := newRig(t)
	p := r.peer()
	group, broadcast := netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("255.255.255.255")
	for _, a := range [][2]netip.Addr{{there, group}, {there, broadcast}, {group, hereA}, {broadcast, hereA}, {netip.IPv4Unspecified(), hereA}} {
		r.deliver(a[0], a[1], p.packet(5, sack(1, 1500)))
		r.deliver(a[0], a[1], p.packet(0, p.init()))
		r.expect("")
	}
	p.sendTag(0, p.init())
	p.takeInitAck()
	r.deliver(there, group, p.packet(p.theirs, p.echo()))
	r.expect("")
	r.gone()
}

// TestOutOfTheBlueRate: answers to packets that nobody asked for are bounded,
// and come again when time has passed.
func TestOutOfTheBlueRate(t *testing.T) {
	r := newRig(t, withOptions(func(o *stack.Options) { o.OutOfBlueRate = 50 }))
	p := r.peer()
	count := func() (n int) {
		for range 500 {
			p.sendTag(5, sack(1, 1500))
			n += len(r.take())
		}
		return n
	}
	if n := count(); n != 50 {
		t.Errorf("%d answers at once, want 50", n)
	}
	if n := count(); n != 0 {
		t.Errorf("%d answers more", n)
	}
	r.clk.step(r.clk.t.Add(500 * mono.Millisecond))
	if n := count(); n != 25 {
		t.Errorf("%d answers after half a second, want 25", n)
	}
	r.clk.step(r.clk.t.Add(60 * mono.Second))
	if n := count(); n != 50 {
		t.Errorf("%d answers after a minute, want 50", n)
	}
	// Set-up is not what is bounded.
	p.connect()

	// However many are allowed.
	r = newRig(t, withOptions(func(o *stack.Options) { o.OutOfBlueRate = math.MaxInt }))
	p = r.peer()
	for range 500 {
		r.clk.step(r.clk.t.Add(mono.Microsecond))
		p.sendTag(5, sack(1, 1500))
		if len(r.take()) != 1 {
			t.Fatal("no answer")
		}
	}
}

// TestVerificationTags: RFC 9260 section 8.5 on a live association.
func TestVerificationTags(t *testing.T) {
	r := newRig(t)
	p := r.peer().connect()
	wrong := p.theirs + 1
	data := p.data("x")
	for _, tag := range []chunk.VTag{wrong, p.tag, 0} { // R-8.5-02 R-8.5-03 R-8.5-04
		for _, c := range [][]byte{
			data, sack(p.itsn-1, 1500), chunk.AppendHeartbeat(nil, []byte("1234")), chunk.AppendShutdown(nil, p.itsn-1),
			chunk.AppendAbort(nil, false, nil), plain(0xff), chunk.AppendError(nil, nil), chunk.AppendShutdownAck(nil),
			chunk.AppendShutdownComplete(nil, false), chunk.AppendCookieAck(nil), p.initAck(someCookie),
		} {
			p.sendTag(tag, c)
			r.expect("")
			p.inState(tcb.Established)
		}
	}
	// R-8.5.1-06 R-8.5.1-07: the T bit stands for the peer's own tag.
	for _, tag := range []chunk.VTag{p.theirs, wrong, 0} {
		p.sendTag(tag, chunk.AppendAbort(nil, true, nil))
		r.expect("")
		p.inState(tcb.Established)
	}
	// Another port means another association: out of the blue.
	q := *p
	q.port++
	q.send(data)
	r.expect("ABORT T")
	p.inState(tcb.Established)
	if got := p.received(); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	p.send(data)
	r.expect("SACK")
	if got := p.received(); len(got) != 1 {
		t.Fatal("the right tag does not work")
	}
	p.sendTag(p.tag, chunk.AppendAbort(nil, true, nil)) // R-8.5.1-06
	r.expect("")
	p.expectEnd(fsm.CommLost, 0)
}
