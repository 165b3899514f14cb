package stack_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestSetup: the four-way handshake from either side.
func TestSetup(t *testing.T) {
	t.Run("passive", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.gone() // R-5.1-06: nothing is kept
		p.takeInitAck()
		p.gone()
		p.send(p.echo())
		p.expect("COOKIE ACK")
		p.accept()
		p.inState(tcb.Established)
		p.send(p.data("hello"))
		p.expect("SACK") // R-5.1-18: the first DATA at once
		if got := p.received(); len(got) != 1 || got[0] != "hello" {
			t.Fatalf("%q", got)
		}
		if len(p.notes) != 1 || fsm.Note(p.notes[0].Kind) != fsm.NoteAssocChange || fsm.AssocChange(p.notes[0].A) != fsm.CommUp {
			t.Fatalf("notes %+v", p.notes)
		}
	})
	t.Run("active", func(t *testing.T) {
		p := newRig(t).peer().dialUp()
		p.send(sack(p.itsn-1, 65536)) // R-5.1-20: the point where it begins
		p.expect("")
		p.inState(tcb.Established)
		if err := p.write("hello"); err != nil {
			t.Fatal(err)
		}
		out := p.take()
		c, pkt := first(out, chunk.TypeData)
		d, e := chunk.ParseData(c)
		if e != chunk.ErrNone || string(d.Payload) != "hello" || d.TSN != p.itsn || vtag(pkt) != p.tag { // R-8.5-01
			t.Fatalf("%+v", d)
		}
	})
	t.Run("data with the cookie", func(t *testing.T) { // R-5.1.5-08 R-5.1-09 R-5.1.5-10 R-5.1-07
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo(), p.data("early"))
		p.expect("COOKIE ACK+SACK")
		p.accept()
		if got := p.received(); len(got) != 1 || got[0] != "early" {
			t.Fatalf("%q", got)
		}
	})
	t.Run("no data before the COOKIE ACK", func(t *testing.T) { // R-5.1-08 R-5-01
		p := newRig(t).peer().dial()
		if err := p.write("waits"); err != nil {
			t.Fatal(err)
		}
		p.expect("")
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		if err := p.write("waits too"); err != nil {
			t.Fatal(err)
		}
		p.expect("")
		p.send(chunk.AppendCookieAck(nil))
		p.expect("DATA+DATA")
	})
}

// TestInitVariants: INITs that are refused, ignored or odd.
func TestInitVariants(t *testing.T) {
	mk := func(tag chunk.VTag, rwnd uint32, os, mis uint16, params []byte) []byte {
		return chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: tag, ARwnd: rwnd, OS: os, MIS: mis, TSN: 1, Params: params})
	}
	const tag = 0xABCD0001
	host := chunk.AppendParam(nil, chunk.ParamHostName, []byte("example.org\x00"))
	tests := []struct {
		name, want string
		init       []byte
	}{
		{"R-3.3.2-07 tag 0", "", mk(0, 65536, 1, 1, nil)},
		{"R-3.3.2-10 a_rwnd 1499", "ABORT(7)", mk(tag, 1499, 1, 1, nil)},
		{"R-3.3.2-08 a_rwnd 1500", "INIT ACK", mk(tag, 1500, 1, 1, nil)},
		{"R-3.3.2-15 OS 0", "ABORT(7)", mk(tag, 65536, 0, 1, nil)},
		{"R-3.3.2-19 MIS 0", "ABORT(7)", mk(tag, 65536, 1, 0, nil)},
		{"R-3.3.2-03 R-12.2.4.1-01 host name", "ABORT(5)", mk(tag, 65536, 1, 1, host)},
		{"parameter overruns", "ABORT(13)", mk(tag, 65536, 1, 1, []byte{0, 5, 0, 99, 1, 2, 3, 4})},
		{"parameter of length 0", "ABORT(13)", mk(tag, 65536, 1, 1, []byte{0, 5, 0, 0, 1, 2, 3, 4})},
		{"R-5.1.2-09 an IPv6 address", "INIT ACK", mk(tag, 65536, 1, 1, chunk.AppendAddrParam(nil, netip.MustParseAddr("2001:db8::1")))},
		{"R-3.3.2.1.5-02 type 11 supported", "INIT ACK", mk(tag, 65536, 1, 1, chunk.AppendAddrTypes(nil, chunk.ParamIPv4, chunk.ParamHostName))},
		{"R-5.1.2-10 R-5.1.2-11 IPv6 only, it says", "INIT ACK", mk(tag, 65536, 1, 1, chunk.AppendAddrTypes(nil, chunk.ParamIPv6))},
		{"ECN", "INIT ACK", mk(tag, 65536, 1, 1, chunk.AppendParam(nil, chunk.ParamECN, nil))},
		{"R-3.3.2-05 flags set", "INIT ACK", func() []byte { b := mk(tag, 65536, 1, 1, nil); b[1] = 0xff; return b }()},
		{"short", "", plain(chunk.TypeInit, 1, 2, 3, 4)},
	}
	r := newRig(t)
	live := r.peer()
	live.port = 7777
	live.connect()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.TB = t
			p := r.peer()
			p.sendTag(0, tt.init)
			out := r.take()
			got := ""
			if len(out) > 0 {
				got = says(t, out[0].data)
				if vtag(&out[0]) != tag { // R-5.1-17
					t.Errorf("answer with tag %x", vtag(&out[0]))
				}
			}
			if got != tt.want {
				t.Fatalf("answered %q, want %q", got, tt.want)
			}
			// The same where there is an association: it does not change.
			if tt.want == "INIT ACK" {
				return
			}
			live.sendTag(0, tt.init) // R-3.3.2-11 R-3.3.2-16 R-3.3.2-20
			r.expect(tt.want)
			live.inState(tcb.Established)
		})
	}
	if n := r.s.Stats().Associations; n != 1 {
		t.Errorf("%d associations", n)
	}
}

// TestUnknownParameters: the four kinds, in INIT and in INIT ACK.
func TestUnknownParameters(t *testing.T) { // R-3.2.1-04 R-3.2.1-05 R-3.2.1-06 R-3.2.1-07 R-3.2.1-08 R-3.2.2-01 R-3.2.2-02 R-3.3.3.1.2-01
	const (
		stop, stopReport, skip, skipReport = 0x3ff0, 0x7ff0, 0xbff0, 0xfff0
	)
	unknown := func(types ...chunk.ParamType) (b []byte) {
		for _, typ := range types {
			b = chunk.AppendParam(b, typ, []byte{1, 2, 3})
		}
		return b
	}
	tests := []struct {
		name     string
		types    []chunk.ParamType
		reported []chunk.ParamType
	}{
		{"stop", []chunk.ParamType{stop, skipReport}, nil},
		{"stop and report", []chunk.ParamType{stopReport, skipReport}, []chunk.ParamType{stopReport}},
		{"skip", []chunk.ParamType{skip, skipReport}, []chunk.ParamType{skipReport}},
		{"skip and report", []chunk.ParamType{skipReport, skipReport + 1}, []chunk.ParamType{skipReport, skipReport + 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name+" in INIT", func(t *testing.T) {
			p := newRig(t).peer()
			p.sendTag(0, p.initWith(unknown(tt.types...)))
			c, _ := first(p.take(), chunk.TypeInitAck)
			in, _ := chunk.ParseInit(c)
			var got []chunk.ParamType
			for w := in.Params.Walk(); ; {
				q, ok := w.Next()
				if !ok {
					break
				}
				if q.Type() == chunk.ParamUnrecognized {
					inner := chunk.Param(q.Body())
					if !bytes.Equal(inner.Body(), []byte{1, 2, 3}) {
						t.Errorf("%x is not the whole parameter", inner)
					}
					got = append(got, inner.Type())
				}
			}
			check(t, got, tt.reported)
		})
		t.Run(tt.name+" in INIT ACK", func(t *testing.T) {
			p := newRig(t).peer().dial()
			p.send(p.initAck(append(bytes.Clone(someCookie), unknown(tt.types...)...)))
			out := p.take()
			if want := map[bool]string{true: "COOKIE ECHO+ERROR(8)", false: "COOKIE ECHO"}[len(tt.reported) > 0]; len(out) != 1 || says(t, out[0].data) != want {
				t.Fatalf("%d packets, want %s", len(out), want)
			}
			var got []chunk.ParamType
			if e, _ := first(out, chunk.TypeError); e != nil {
				causes, _ := chunk.ParseError(e)
				cause, _ := causes.Find(chunk.CauseUnrecognizedParams)
				for w := chunk.Params(cause.Body()).Walk(); ; {
					q, ok := w.Next()
					if !ok {
						break
					}
					got = append(got, q.Type())
				}
			}
			check(t, got, tt.reported)
		})
	}
}

func check[T comparable](t *testing.T, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

// TestManyUnknownParameters: an INIT full of them still gets its INIT ACK, with
// as many reported as there is room for.
func TestManyUnknownParameters(t *testing.T) {
	p := newRig(t).peer()
	var params []byte
	for i := range 15 {
		params = chunk.AppendParam(params, chunk.ParamType(0xfff0+i), bytes.Repeat([]byte{byte(i)}, 400))
	}
	p.sendTag(0, p.initWith(params))
	if out := p.wire.out; len(out) != 1 || len(out[0].data) > 1400 {
		t.Fatalf("%d packets", len(out))
	}
	p.takeInitAck()
	p.send(p.echo())
	p.expect("COOKIE ACK")
}

// TestInitAckVariants: INIT ACKs that cannot be accepted.
func TestInitAckVariants(t *testing.T) {
	mk := func(tag chunk.VTag, rwnd uint32, os, mis uint16, params []byte) []byte {
		return chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{Tag: tag, ARwnd: rwnd, OS: os, MIS: mis, TSN: 1, Params: params})
	}
	const tag = 0xABCD0001
	host := chunk.AppendParam(bytes.Clone(someCookie), chunk.ParamHostName, []byte("example.org\x00"))
	tests := []struct {
		name, want string
		tag        chunk.VTag // of the answer
		ends       bool
		ack        []byte
	}{
		{"R-3.3.3-06 R-3.3.3-07 tag 0", "ABORT T(13)", 0, true, mk(0, 65536, 1, 1, someCookie)},
		{"R-3.3.3-10 R-3.3.3-11 R-3.3.3-12 a_rwnd 1499", "ABORT(7)", tag, false, mk(tag, 1499, 1, 1, someCookie)},
		{"R-3.3.3-16 R-3.3.3-17 OS 0", "ABORT(7)", tag, true, mk(tag, 65536, 0, 1, someCookie)},
		{"R-3.3.3-20 R-3.3.3-21 MIS 0", "ABORT(7)", tag, true, mk(tag, 65536, 1, 0, someCookie)},
		{"R-3.3.3-02 R-12.2.4.1-01 host name", "ABORT(5)", tag, true, mk(tag, 65536, 1, 1, host)},
		{"R-5.1-15 R-5.1-16 no cookie", "ABORT(2)", tag, true, mk(tag, 65536, 1, 1, nil)},
		{"R-5.1-11 in company", "", 0, false, append(mk(tag, 65536, 1, 1, someCookie), chunk.AppendCookieAck(nil)...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newRig(t).peer().dial()
			p.send(tt.ack)
			out := p.take()
			got := ""
			if len(out) > 0 {
				got = says(t, out[0].data)
				want := tt.tag
				if want == 0 {
					want = p.theirs // reflected
				}
				if vtag(&out[0]) != want {
					t.Errorf("tag %x, want %x", vtag(&out[0]), want)
				}
			}
			if got != tt.want {
				t.Fatalf("answered %q, want %q", got, tt.want)
			}
			if tt.ends {
				if e := p.ended(); e.Change != fsm.CantStart {
					t.Fatalf("%v", e.Change)
				}
				p.gone()
				return
			}
			p.inState(tcb.CookieWait)
			p.send(p.initAck(someCookie))
			p.expect("COOKIE ECHO")
		})
	}
	t.Run("R-3.3.3-24 a big one", func(t *testing.T) {
		p := newRig(t).peer().dial()
		cookie := bytes.Repeat([]byte{7}, 3000)
		p.send(p.initAck(chunk.AppendCookieParam(nil, cookie)))
		c, pkt := first(p.take(), chunk.TypeCookieEcho)
		if !bytes.Equal(chunk.Chunk(c).Body(), cookie) || pkt == nil {
			t.Fatal("the cookie does not come back whole")
		}
	})
}

// TestSimultaneousOpen: both ends send INIT at once.
func TestSimultaneousOpen(t *testing.T) {
	t.Run("their INIT in COOKIE-WAIT", func(t *testing.T) {
		p := newRig(t).peer().dial()
		ours := p.theirs
		p.sendTag(0, p.init())
		p.takeInitAck() // R-5.2.1-01 R-5.2.1-04 R-5.2.1-10
		if p.theirs != ours {
			t.Fatalf("another tag: %x, want %x", p.theirs, ours)
		}
		p.inState(tcb.CookieWait) // R-5.2.1-11 R-5.2.1-12
		p.send(p.echo())          // table 12: B
		p.expect("COOKIE ACK")
		p.inState(tcb.Established)
		p.send(p.initAck(someCookie)) // comes too late: R-5.2.3-01
		p.expect("")
		p.send(p.data("x"))
		p.expect("SACK")
		p.wait(100 * mono.Second) // R-5.2.4-11: no T1 is left
		p.expect("")
		p.inState(tcb.Established)
	})
	t.Run("their INIT in COOKIE-ECHOED", func(t *testing.T) { // R-5.2.1-05
		p := newRig(t).peer().dial()
		ours := p.theirs
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.sendTag(0, p.init())
		p.takeInitAck()
		if p.theirs != ours {
			t.Fatalf("another tag: %x, want %x", p.theirs, ours)
		}
		p.inState(tcb.CookieEchoed)
		p.send(p.echo()) // table 12: D
		p.expect("COOKIE ACK")
		p.inState(tcb.Established)
		p.send(chunk.AppendCookieAck(nil)) // R-5.2.5-01
		p.expect("")
		p.wait(100 * mono.Second)
		p.expect("")
	})
	t.Run("their INIT with more addresses in COOKIE-ECHOED", func(t *testing.T) { // R-5.2.1-06 R-5.2.1-08 R-5.2.1-09
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.sendTag(0, p.initWith(chunk.AppendAddrParam(nil, alt)))
		c, _ := first(p.take(), chunk.TypeAbort)
		ab, _ := chunk.ParseAbort(c)
		cause, ok := ab.Causes.Find(chunk.CauseRestartNewAddrs)
		if want := chunk.AppendAddrParam(nil, alt); !ok || !bytes.Equal(cause.Body(), want) {
			t.Fatalf("%x, want %x", cause, want)
		}
		p.inState(tcb.CookieEchoed)
	})
	t.Run("from an address that the user did not name", func(t *testing.T) { // R-5.2.1-02
		p := newRig(t).peer().dial()
		p.deliver(alt, p.to, p.packet(0, p.initWith(chunk.AppendAddrParam(nil, there))))
		p.expect("")
		p.inState(tcb.CookieWait)
	})
	t.Run("the peer forgot its first tag", func(t *testing.T) { // table 12: B with another tag
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.tag += 77
		p.tsn += 5000
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo())
		p.expect("COOKIE ACK")
		p.inState(tcb.Established)
		if err := p.write("x"); err != nil {
			t.Fatal(err)
		}
		if _, pkt := first(p.take(), chunk.TypeData); vtag(pkt) != p.tag { // R-5.2.4-11
			t.Fatalf("tag %x, want %x", vtag(pkt), p.tag)
		}
		p.send(p.data("y"))
		p.expect("SACK")
	})
	t.Run("the peer forgot after it was up", func(t *testing.T) {
		// The COOKIE ECHO with the new tag finds ESTABLISHED: the new TSNs
		// count, or nobody would understand anybody.
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		old := *p
		p.tag += 77
		p.tsn += 5000
		p.sendTag(0, p.init())
		p.takeInitAck()
		old.send(chunk.AppendCookieAck(nil)) // reordered
		p.inState(tcb.Established)
		if err := p.write("to the old one"); err != nil {
			t.Fatal(err)
		}
		p.expect("DATA")
		p.send(p.echo())
		p.expect("COOKIE ACK+DATA") // what was not acknowledged goes again
		p.inState(tcb.Established)
		p.send(p.data("y"))
		p.expect("SACK")
		if got := p.received(); len(got) != 1 || got[0] != "y" {
			t.Fatalf("%q", got)
		}
		p.send(sack(p.itsn, 65536))
		p.expect("")
		p.wait(30 * mono.Second)
		p.expect("")
	})
}

// TestLostSetup: each of the four chunks is lost.
func TestLostSetup(t *testing.T) {
	t.Run("INIT", func(t *testing.T) { // R-4-03 R-5.1.6-01
		p := newRig(t).peer().dial()
		p.wait(999 * mono.Millisecond)
		p.expect("")
		p.wait(1 * mono.Millisecond)
		p.expect("INIT")
		p.wait(2 * mono.Second)
		p.expect("INIT")
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
	})
	t.Run("INIT for ever", func(t *testing.T) { // R-4-04 R-4-05
		p := newRig(t).peer().dial()
		p.wait(10 * 60 * mono.Second)
		out := p.take()
		if len(out) != 8 {
			t.Fatalf("%d retransmissions, want 8", len(out))
		}
		gap := out[0].at
		for i, want := range []int{2, 4, 8, 16, 32, 60, 60} {
			if got := out[i+1].at.Sub(gap); got != mono.Duration(want)*mono.Second {
				t.Errorf("gap %d is %v, want %d s", i, got, want)
			}
			gap = out[i+1].at
		}
		p.expectEnd(fsm.CantStart, 0)
		if !errors.Is(p.a.EndErr(), syscall.ETIMEDOUT) {
			t.Error(p.a.EndErr())
		}
	})
	t.Run("COOKIE ECHO for ever", func(t *testing.T) { // R-4-06 R-4-07 R-4-08
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.take()
		p.wait(10 * 60 * mono.Second)
		if out := p.take(); len(out) != 8 || says(t, out[7].data) != "COOKIE ECHO" {
			t.Fatalf("%d retransmissions, want 8", len(out))
		}
		p.expectEnd(fsm.CantStart, 0)
	})
	t.Run("INIT ACK", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		one := p.theirs
		p.sendTag(0, p.init())
		p.takeInitAck()
		if p.theirs == one {
			t.Error("the same tag twice for two cookies")
		}
		p.send(p.echo())
		p.expect("COOKIE ACK")
	})
	t.Run("COOKIE ACK", func(t *testing.T) { // table 12: D; R-5.1.5-11
		p := newRig(t).peer().connect()
		for range 3 {
			p.send(p.echo())
			p.expect("COOKIE ACK")
		}
		p.inState(tcb.Established)
		if p.ep.Accept() != nil {
			t.Error("a second association")
		}
		p.send(p.data("x"))
		p.expect("SACK")
	})
	t.Run("all of them twice", func(t *testing.T) {
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.send(p.initAck(someCookie)) // R-5.2.3-01
		p.expect("COOKIE ECHO")
		p.send(chunk.AppendCookieAck(nil))
		p.send(chunk.AppendCookieAck(nil))
		p.expect("")
		p.inState(tcb.Established)
	})
}

// TestCookieFromElsewhere: a cookie is good for the ports, tag and endpoint it
// was made for, until it is stale.
func TestCookieFromElsewhere(t *testing.T) {
	t.Run("R-5.1.5-03 ports and tag", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		q := *p
		q.port++
		q.send(q.echo())
		p.sendTag(p.theirs+1, p.echo())
		p.sendTag(p.theirs+2, p.echo())
		q = *p
		other := p.open(nil, 5001)
		other.Listen(1, nil)
		q.dport = 5001
		q.send(q.echo())
		p.expect("")
		p.gone()
		if p.stat(fsm.StatInvalidCookies) == 0 {
			t.Error("not counted")
		}
		p.send(p.echo())
		p.expect("COOKIE ACK")
	})
	t.Run("R-4-01 R-5.1.5-02 corrupted", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		for i := range p.cookie {
			p.cookie[i] ^= 0x10
			p.send(p.echo(), p.data("x"))
			p.expect("")
			p.cookie[i] ^= 0x10
		}
		p.gone()
		p.send(p.echo())
		p.expect("COOKIE ACK")
	})
	t.Run("R-4-02 R-5.1.5-05 stale", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.wait(62 * mono.Second)
		p.send(p.echo(), p.data("x"))
		c, pkt := first(p.take(), chunk.TypeError)
		if c == nil || vtag(pkt) != p.tag {
			t.Fatal("no ERROR")
		}
		causes, _ := chunk.ParseError(c)
		cause, _ := causes.Find(chunk.CauseStaleCookie)
		if us, e := cause.StaleCookie(); e != chunk.ErrNone || us != 2e6 {
			t.Fatalf("stale by %d µs, want 2000000", us)
		}
		p.gone()
	})
	t.Run("R-5.2.4-03 stale, but the association is up", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.wait(62 * mono.Second)
		p.take()
		p.send(p.echo())
		p.expect("COOKIE ACK")
		p.inState(tcb.Established)
	})
	t.Run("an endpoint on another address", func(t *testing.T) {
		r := newRig(t)
		one, two := r.open([]netip.Addr{hereA}, 5002), r.open([]netip.Addr{hereB}, 5002)
		one.Listen(1, nil)
		two.Listen(1, nil)
		p := r.peer()
		p.dport = 5002
		p.sendTag(0, p.init())
		p.takeInitAck()
		q := *p
		q.to = hereB
		q.send(q.echo())
		r.expect("")
		if two.Accept() != nil {
			t.Fatal("an endpoint took the cookie of another")
		}
		p.send(p.echo())
		r.expect("COOKIE ACK")
		if one.Accept() == nil {
			t.Fatal("nothing to accept")
		}
	})
	t.Run("R-5.1.5-01 the key is gone", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		old := *p
		for range 2 {
			p.wait(31 * 60 * mono.Second)
			q := *p
			q.port++
			q.sendTag(0, q.init())
			q.takeInitAck()
			q.send(q.echo())
			p.take()
		}
		n := p.s.Stats().Associations
		old.send(old.echo())
		p.expect("")
		if p.s.Stats().Associations != n {
			t.Fatal("an old cookie was good")
		}
	})
}

// TestCookieOfAnotherShard: the INIT was answered where its source belongs, and
// by the time of the COOKIE ECHO we have begun an association of our own, in
// any shard: that one can tell that the cookie is ours, and stale. R-5.2.4-02
func TestCookieOfAnotherShard(t *testing.T) {
	r := newRig(t, withOptions(func(o *stack.Options) { o.Shards = 8 }))
	for i := range 16 {
		p := r.peer()
		p.port += uint16(i)
		p.sendTag(0, p.init())
		p.takeInitAck()
		a, err := r.ep.Associate([]netip.Addr{there}, p.port, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.wait(61 * mono.Second)
		r.take()
		p.send(p.echo())
		r.expect("ERROR(3)")
		a.Abort(nil)
	}
}

// TestCookieReplay: a cookie is good once; after the end it makes a new
// association within its life, and then only with the tags of that one.
func TestCookieReplay(t *testing.T) {
	p := newRig(t).peer().connect()
	p.send(chunk.AppendAbort(nil, false, nil))
	p.gone()
	p.send(p.echo())
	p.expect("COOKIE ACK") // within its life this cannot be told from a late one
	p.accept()
	p.send(chunk.AppendAbort(nil, false, nil))
	p.gone()
	p.wait(61 * mono.Second)
	p.send(p.echo())
	p.expect("ERROR(3)")
	p.gone()
}

// TestOurCookieIsStale: the peer says so, and we try again.
func TestOurCookieIsStale(t *testing.T) {
	stale := chunk.AppendError(nil, chunk.AppendStaleCookie(nil, 1000))
	p := newRig(t).peer().dial()
	p.send(p.initAck(someCookie))
	p.expect("COOKIE ECHO")
	p.clk.step(p.clk.t.Add(700 * mono.Millisecond))
	p.send(stale)
	c, _ := first(p.take(), chunk.TypeInit) // R-5.2.6-03
	if c == nil {
		t.Fatal("no INIT")
	}
	var f chunk.InitFacts
	f.Decode(c)
	if f.CookiePreservative != 1700 { // R-5.2.6-04 R-5.2.6-05
		t.Errorf("asks for %d ms, want 1700", f.CookiePreservative)
	}
	p.inState(tcb.CookieWait)
	old := p.theirs
	p.takeInit(c)
	t.Run("R-5.3.1-03 what belongs to the first attempt means nothing to the second", func(t *testing.T) {
		if p.theirs == old {
			t.Error("the new INIT has the old tag")
		}
		p.sendTag(old, p.initAck(someCookie))
		p.sendTag(old, chunk.AppendCookieAck(nil))
		p.expect("")
		p.inState(tcb.CookieWait)
	})
	t.Run("in COOKIE-WAIT it means nothing", func(t *testing.T) { // R-5.2.6-02
		p.send(stale)
		p.expect("")
		p.inState(tcb.CookieWait)
	})
	p.clk.step(p.clk.t.Add(50 * mono.Millisecond))
	p.send(p.initAck(someCookie))
	p.expect("COOKIE ECHO")
	if rtt := p.a.Status().Paths[0].SRTT; rtt > 7*mono.Millisecond { // an eighth of 50 ms
		t.Errorf("smoothed RTT %v: the second INIT's round trip began with the first", rtt)
	}
	p.send(chunk.AppendCookieAck(nil))
	p.inState(tcb.Established)
	p.send(stale) // R-5.2.6-02
	p.expect("")
	p.inState(tcb.Established)

	t.Run("for ever", func(t *testing.T) {
		p := newRig(t).peer().dial()
		for range 3 {
			p.send(p.initAck(someCookie))
			p.expect("COOKIE ECHO")
			p.send(stale)
			c, _ := first(p.take(), chunk.TypeInit)
			if c == nil {
				t.Fatal("no INIT")
			}
			p.takeInit(c)
		}
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.send(stale)
		p.expect("ABORT")
		p.expectEnd(fsm.CantStart, chunk.CauseStaleCookie)
	})
	t.Run("and the peer's COOKIE ECHO comes meanwhile", func(t *testing.T) {
		// Both started at once. The cookie is of our first attempt, and the
		// peer has to ask again; in COOKIE-WAIT its tag is not known, also the
		// second time.
		p := newRig(t).peer().dial()
		p.send(p.initAck(someCookie))
		p.expect("COOKIE ECHO")
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(stale)
		c, _ := first(p.take(), chunk.TypeInit)
		p.send(p.echo())
		p.expect("")
		p.takeInit(c)
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo())
		p.expect("COOKIE ACK")
		p.inState(tcb.Established)
	})
}

// TestPreservative: the peer may ask for a longer life of its cookie, within
// bounds.
func TestPreservative(t *testing.T) {
	for _, tt := range []struct {
		ask  uint32
		life mono.Duration
	}{{0, 60}, {30000, 90}, {1 << 31, 120}} {
		p := newRig(t).peer()
		var params []byte
		if tt.ask > 0 {
			params = chunk.AppendCookiePreservative(nil, tt.ask)
		}
		p.sendTag(0, p.initWith(params))
		p.takeInitAck()
		p.wait(tt.life*mono.Second + 1)
		p.send(p.echo())
		p.expect("ERROR(3)")
		p = p.rig.peer()
		p.sendTag(0, p.initWith(params))
		p.takeInitAck()
		p.wait(tt.life * mono.Second)
		p.send(p.echo())
		p.expect("COOKIE ACK")
	}
}

// TestRestart: the peer lost its state and starts over.
func TestRestart(t *testing.T) {
	p := newRig(t).peer().connect()
	p.send(p.data("before"))
	p.take()
	p.received()
	if err := p.write("not acknowledged"); err != nil {
		t.Fatal(err)
	}
	p.expect("DATA")
	old := *p
	p.tag, p.tsn = 0x12345678, 77
	p.sendTag(0, p.init())
	p.takeInitAck() // R-5.2.2-01 R-5.2.2-06
	if p.theirs == old.theirs {
		t.Error("the tag was not renewed") // R-5.2.2-07
	}
	if p.offer != old.offer { // R-5.2.2-08
		t.Errorf("a_rwnd, OS and MIS %v, before %v", p.offer, old.offer)
	}
	p.inState(tcb.Established) // R-5.2.2-10
	old.send(old.data("still there"))
	p.wait(200 * mono.Millisecond)
	p.expect("SACK")
	p.received()
	p.send(p.echo()) // table 12: A
	out := p.take()
	if len(out) == 0 || says(t, out[0].data) != "COOKIE ACK+DATA" || vtag(&out[0]) != p.tag { // R-5.2.4-06
		t.Fatalf("%d packets", len(out))
	}
	p.inState(tcb.Established)
	p.notes = nil
	p.send(p.data("after"))
	p.expect("SACK")
	if got := p.received(); len(got) != 1 || got[0] != "after" {
		t.Fatalf("%q", got)
	}
	if len(p.notes) != 1 || fsm.AssocChange(p.notes[0].A) != fsm.Restarted { // R-5.2.4-07
		t.Fatalf("notes %+v", p.notes)
	}
	if n := p.s.Stats().Associations; n != 1 {
		t.Fatalf("%d associations", n)
	}
	old.send(old.data("a ghost")) // the old tag is nobody's
	if got := p.received(); len(got) != 0 {
		t.Fatalf("%q", got)
	}

	t.Run("with more addresses", func(t *testing.T) { // R-5.2.2-02 R-5.2.2-03 R-5.2.2-04
		p := newRig(t).peer().connect()
		p.sendTag(0, p.initWith(chunk.AppendAddrParam(nil, alt)))
		p.expect("ABORT(11)")
		p.inState(tcb.Established)
	})
	t.Run("from another address", func(t *testing.T) { // R-5.1.2-06
		p := newRig(t).peer().connect()
		p.deliver(alt, p.to, p.packet(0, p.initWith(chunk.AppendAddrParam(nil, there))))
		out := p.take()
		if len(out) != 1 || says(t, out[0].data) != "ABORT(11)" || out[0].dst != alt {
			t.Fatalf("%d packets", len(out))
		}
		p.inState(tcb.Established)
	})
	t.Run("in SHUTDOWN-ACK-SENT", func(t *testing.T) { // R-9.2-28 R-5.2.4-09
		p := newRig(t).peer().connect()
		p.sendTag(0, p.init()) // a cookie with tie-tags, for later
		old := *p
		p.takeInitAck()
		old.send(chunk.AppendShutdown(nil, old.itsn-1))
		p.expect("SHUTDOWN ACK")
		p.sendTag(0, p.init())
		p.expect("SHUTDOWN ACK")
		p.tag = old.tag
		p.inState(tcb.ShutdownAckSent)
	})
}

// TestPorts: who may have which port.
func TestPorts(t *testing.T) {
	r := newRig(t)
	inUse := func(local []netip.Addr, port uint16) {
		t.Helper()
		if _, err := r.s.Open(local, port, &r.cfg); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("%v, want EADDRINUSE", err)
		}
	}
	inUse(nil, 5000)
	inUse([]netip.Addr{hereA}, 5000) // 5000 is open on all addresses
	one := r.open([]netip.Addr{hereA}, 5003)
	inUse([]netip.Addr{hereA}, 5003)
	inUse([]netip.Addr{hereB, hereA}, 5003) // R-1.3-02
	inUse(nil, 5003)
	two := r.open([]netip.Addr{hereB}, 5003)
	one.Listen(1, nil)
	two.Listen(1, nil)

	// Two endpoints on one port: the address says which.
	p := r.peer()
	p.dport = 5003
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo())
	r.expect("COOKIE ACK")
	q := *p
	q.to = hereB
	q.sendTag(0, q.init())
	q.takeInitAck()
	q.send(q.echo())
	r.expect("COOKIE ACK")
	a, b := one.Accept(), two.Accept()
	if a == nil || b == nil || one.Accept() != nil || two.Accept() != nil {
		t.Fatal("not one for each")
	}
	// An endpoint that never listened keeps its port as long as its
	// association lives.
	d := r.peer()
	d.port, d.dport = 6002, 5004
	d.ep = r.open(nil, 5004)
	d.dialUp()
	if err := d.ep.Close(); err != nil {
		t.Fatal(err)
	}
	inUse(nil, 5004)
	d.send(chunk.AppendAbort(nil, false, nil))
	r.open(nil, 5004)

	if _, err := r.s.Open([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, 0, &r.cfg); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("%v, want EADDRNOTAVAIL", err)
	}
	for _, bad := range []string{"0.0.0.0", "224.0.0.1"} {
		if _, err := r.s.Open([]netip.Addr{netip.MustParseAddr(bad)}, 0, &r.cfg); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", bad, err)
		}
	}
	eps := map[uint16]bool{}
	for range 100 {
		p := r.open(nil, 0).Port()
		if p < 49152 || eps[p] {
			t.Fatalf("port %d", p)
		}
		eps[p] = true
	}
}

// TestListenAgain: a port on which an endpoint listened can be listened on again
// although its associations live, as Linux allows with SO_REUSEADDR. For a peer
// it stays one endpoint.
func TestListenAgain(t *testing.T) {
	r := newRig(t)
	p := r.peer().connect()
	old := p.a
	if err := r.ep.Close(); err != nil {
		t.Fatal(err)
	}
	r.ep = r.open([]netip.Addr{hereA}, 5000)
	r.ep.Listen(8, nil)
	if _, err := r.s.Open(nil, 5000, &r.cfg); !errors.Is(err, syscall.EADDRINUSE) { // R-1.3-02
		t.Errorf("two that listen: %v, want EADDRINUSE", err)
	}

	// The old association goes on,
	p.send(p.data("still here"))
	r.expect("SACK")
	if got := p.received(); len(got) != 1 {
		t.Errorf("received %q", got)
	}
	// there can be no second one with its peer,
	if _, err := r.ep.Associate([]netip.Addr{there}, 6000, 0, nil, nil); !errors.Is(err, syscall.EISCONN) { // R-1.3-03
		t.Errorf("a second association: %v, want EISCONN", err)
	}
	// its peer's restart is its own,
	p.tag = 0xABCD0002
	p.sendTag(0, p.init())
	p.takeInitAck()
	p.send(p.echo())
	r.expect("COOKIE ACK")
	if r.ep.Accept() != nil || old.Status().State != tcb.Established {
		t.Error("the restart made another association")
	}
	// and others come to the new one.
	q := r.peer()
	q.port, q.tag = 6001, 0xABCD0003
	q.connect()
	if q.a == old {
		t.Error("the new peer got the old association")
	}

	r.ep.Close()
	p.send(chunk.AppendAbort(nil, false, nil))
	q.send(chunk.AppendAbort(nil, false, nil))
	r.gone()
	r.open(nil, 5000)
}

// TestSpread: a server's associations run in all shards, or one processor would
// do all the work.
func TestSpread(t *testing.T) {
	const shards, peers = 4, 400
	r := newRig(t, withOptions(func(o *stack.Options) { o.Shards = shards }))
	r.ep.Listen(peers, nil)
	var n [shards]int
	for i := range peers {
		p := r.peer()
		p.addr = netip.AddrFrom4([4]byte{10, 1, byte(i / 50), 7})
		p.port = uint16(10000 + i)
		p.connect()
		n[p.theirs%shards]++
	}
	for i, got := range n {
		if got < peers/shards/2 {
			t.Errorf("shard %d has %d of %d associations", i, got, peers)
		}
	}
	if got := r.s.Stats().Associations; got != peers {
		t.Errorf("%d associations", got)
	}
}

// TestAssociateTwice: one association per pair of endpoints.
func TestAssociateTwice(t *testing.T) {
	p := newRig(t).peer().dial()
	if _, err := p.ep.Associate([]netip.Addr{there}, p.port, 0, nil, nil); !errors.Is(err, syscall.EISCONN) {
		t.Fatalf("%v, want EISCONN", err) // R-1.3-03
	}
	if _, err := p.ep.Associate(nil, p.port, 0, nil, nil); !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("%v, want EINVAL", err)
	}
	if _, err := p.ep.Associate([]netip.Addr{netip.MustParseAddr("2001:db8::1")}, p.port, 0, nil, nil); !errors.Is(err, stack.ErrNoPeer) {
		t.Fatalf("%v, want ErrNoPeer", err)
	}
	p.a.Abort(nil)
	p.gone()
	p.start() // the way is free again
}

// TestConnectToSelf: an endpoint that calls itself gets itself.
func TestConnectToSelf(t *testing.T) {
	r := newRig(t)
	r.wire.loop = true
	p := r.peer()
	p.addr, p.port = hereA, 5000
	p.start()
	r.deliver(there, hereA, p.packet(0)) // nothing; lets the loop run
	p.inState(tcb.Established)
	if err := p.write("to myself"); err != nil {
		t.Fatal(err)
	}
	r.deliver(there, hereA, p.packet(0))
	if got := p.received(); len(got) != 1 || got[0] != "to myself" {
		t.Fatalf("%q", got)
	}
	r.wait(5 * mono.Second)
	r.deliver(there, hereA, p.packet(0))
	p.a.Abort(nil)
	r.deliver(there, hereA, p.packet(0))
	r.gone()
}

// TestFewerStreams: what was queued for streams that the peer does not take is
// not sent: neither after the set-up nor after a restart with fewer streams.
// R-5.1.1-04
func TestFewerStreams(t *testing.T) {
	p := newRig(t).peer().dial()
	p.a.ReportSendFailures(true)
	write := func(sid chunk.StreamID) {
		b := p.a.Buffer(4)
		if err := p.a.Send(stack.Message{Stream: sid, Context: 100 + uint32(sid)}, b); err != nil {
			t.Fatal(err)
		}
	}
	// failed returns the contexts of the messages that came back.
	failed := func() (l []uint32) {
		p.notes = nil
		p.received()
		for i := range p.notes {
			if n := &p.notes[i]; fsm.Note(n.Kind) == fsm.NoteSendFailed {
				f := sideeffects.ReadSendFailure(n)
				if f.Cause != chunk.CauseInvalidStream || f.Context != 100+uint32(f.Stream) {
					t.Errorf("%+v", f)
				}
				l = append(l, f.Context)
			}
		}
		return l
	}
	sent := func() (ids []chunk.StreamID) {
		for _, s := range p.take() {
			w := chunk.Walk(s.data[chunk.HeaderLen:])
			for c, ok := w.Next(); ok; c, ok = w.Next() {
				if d, e := chunk.ParseData(c); c.Type() == chunk.TypeData && e == chunk.ErrNone {
					ids = append(ids, d.Stream)
				}
			}
		}
		return ids
	}
	few := chunk.Init{Tag: p.tag, ARwnd: 65536, OS: 10, MIS: 3, TSN: p.tsn, Params: someCookie}
	for _, sid := range []chunk.StreamID{9, 2, 3, 0} {
		write(sid)
	}
	p.send(chunk.AppendInit(nil, chunk.TypeInitAck, few))
	p.send(chunk.AppendCookieAck(nil))
	if got := sent(); !slices.Equal(got, []chunk.StreamID{2, 0}) {
		t.Fatalf("sent on %v", got)
	}
	if got := failed(); !slices.Equal(got, []uint32{109, 103}) {
		t.Errorf("messages %v came back", got)
	}
	// Neither is acknowledged when the peer restarts.
	p.tag++
	few.Tag, few.MIS, few.Params = p.tag, 1, nil
	p.sendTag(0, chunk.AppendInit(nil, chunk.TypeInit, few))
	p.takeInitAck()
	p.send(p.echo())
	if got := sent(); !slices.Equal(got, []chunk.StreamID{0}) {
		t.Fatalf("sent on %v after the restart", got)
	}
	if got := failed(); !slices.Equal(got, []uint32{102}) {
		t.Errorf("messages %v came back after the restart", got)
	}
	p.inState(tcb.Established)
}
