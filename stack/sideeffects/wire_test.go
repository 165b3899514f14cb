package sideeffects

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

func fromHex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// TestInitGolden: our INIT, byte for byte.
func TestInitGolden(t *testing.T) { // R-5.1-01 R-5.1.1-01 R-3.3.2-05 R-3.3.2-08
	w := newWorld(t)
	w.fixed = []byte{0x11, 0x22, 0x33, 0x45}
	w.cfg.RecvBuffer, w.cfg.OutStreams, w.cfg.MaxInStreams = 262144, 3, 300
	a := w.connect(peerA)
	c, tag := w.only()
	want := fromHex("01 00 0014 11223345 00020000 0003 012c 45332211")
	if !bytes.Equal(c, want) || tag != 0 { // R-8.5.1-01
		t.Errorf("%x\nwant %x", []byte(c), want)
	}
	if a.State() != tcb.CookieWait {
		t.Fatal(a.State())
	}

	w = newWorld(t)
	w.local = []netip.Addr{here, here2} // two addresses are listed, one is not
	w.connect(peerA)
	c, _ = w.only()
	if want := chunk.AppendAddrParam(chunk.AppendAddrParam(nil, here), here2); !bytes.Equal(c[chunk.InitLen:], want) {
		t.Errorf("parameters %x, want %x", []byte(c[chunk.InitLen:]), want)
	}
}

// TestInitAckGolden: our INIT ACK, byte for byte but for the cookie's MAC.
func TestInitAckGolden(t *testing.T) { // R-5.1-04 R-3.3.3-15 R-5.1.1-03 R-5.1.1-04
	w := newWorld(t)
	w.fixed = []byte{0x11, 0x22, 0x33, 0x45}
	w.cfg.RecvBuffer, w.cfg.OutStreams, w.cfg.MaxInStreams = 262144, 300, 300
	unknown := chunk.AppendParam(nil, 0xfff0, []byte{1, 2, 3})
	w.blue(0, peerInit(append(chunk.AppendAddrParam(nil, peerB), unknown...)))
	out := w.out[0]
	c, tag := w.only()
	if tag != peerTag || out.to.Dst != peerA || out.to.Src != here {
		t.Errorf("tag %x to %v", tag, out.to)
	}
	// OS is no more than the peer's MIS, 7; MIS is ours.
	if head := fromHex("02 00 00b7 11223345 00020000 0007 012c 45332211"); !bytes.Equal(c[:chunk.InitLen], head) {
		t.Errorf("%x\nwant %x", []byte(c[:chunk.InitLen]), head)
	}
	cookie := fromHex("0007 0095" + // the parameter, its MAC included
		"01 01 01 00" + "000000e8d4a51000" + "0000000df8475800" + // version, key, addresses, link; 1000 s; 60 s
		"11223345 abcd0001" + "45332211 00000064" + "00000000 00000000" + // tags, TSNs, no tie-tags (R-5.2.2-11)
		"00010000" + "0007 0005" + "1388 1770 0000 0000 0000" + // peer's rwnd, streams, ports
		"04 00000000000000000000ffff0a000001" + "04 00000000000000000000ffff0a000901" + "04 00000000000000000000ffff0a000902")
	p := c[chunk.InitLen:]
	if !bytes.Equal(p[:len(cookie)], cookie) {
		t.Errorf("%x\nwant %x", []byte(p[:len(cookie)]), cookie)
	}
	if rest := p[chunk.Padded(len(cookie)+cookieMAC):]; !bytes.Equal(rest[:11], chunk.AppendUnrecognizedParam(nil, unknown[:7])[:11]) {
		t.Errorf("behind the cookie: %x", []byte(rest))
	}
}

// TestCollisionRepeatsInit: the INIT ACK to a colliding INIT has the numbers of
// our own INIT.
func TestCollisionRepeatsInit(t *testing.T) { // R-5.2.1-01
	w := newWorld(t)
	a := w.connect(peerA)
	c, _ := w.only()
	ours, _ := chunk.ParseInit(c)
	w.x.Packet(a, nil, w.packet(peerA, 0, peerInit(nil)), w.now)
	c, _ = w.only()
	ack, _ := chunk.ParseInit(c)
	if ack.Tag != ours.Tag || ack.TSN != ours.TSN || ack.ARwnd != ours.ARwnd || ack.MIS != ours.MIS || ack.OS != min(ours.OS, 7) {
		t.Errorf("INIT %+v\nINIT ACK %+v", ours, ack)
	}
}

// TestStreamsAgreed: the smaller number counts, on both ways to an association.
func TestStreamsAgreed(t *testing.T) { // R-5.1.1-02 R-5.1.1-03 R-5.1.1-04
	w := newWorld(t)
	for name, a := range map[string]*Association{"passive": w.accept(), "active": w.up(peerA)} {
		s := a.Status()
		if s.OutStreams != 7 || s.InStreams != 5 {
			t.Errorf("%s: %d out, %d in; the peer said 7 and 5", name, s.OutStreams, s.InStreams)
		}
	}
}

// TestCauses: every cause that is ever sent, on the wire.
func TestCauses(t *testing.T) {
	w := newWorld(t)
	a := w.up(peerA)
	w.x.begin(a, nil, w.now)
	w.x.in = w.packet(peerA, 1, fromHex("ff00 0007 010203 00"))
	w.x.ev.Span = fsm.Span{Off: 12, Len: 8}
	w.x.reason = []byte("why")
	for _, tt := range []struct {
		c    fsm.Command
		want string
	}{
		{fsm.Command{}, ""},
		{fsm.Command{Code: uint16(chunk.CauseInvalidStream), A: 10}, "0001 0008 000a 0000"},
		{fsm.Command{Code: uint16(chunk.CauseMissingParam)}, "0002 000a 00000001 0007"},
		{fsm.Command{Code: uint16(chunk.CauseStaleCookie), B: 2000000}, "0003 0008 001e8480"},
		{fsm.Command{Code: uint16(chunk.CauseOutOfResource)}, "0004 0004"},
		{fsm.Command{Code: uint16(chunk.CauseUnrecognizedChunk), Span: fsm.Span{Off: 12, Len: 7}}, "0006 000b ff00 0007 010203"},
		{fsm.Command{Code: uint16(chunk.CauseInvalidMandatory)}, "0007 0004"},
		{fsm.Command{Code: uint16(chunk.CauseNoUserData), A: 0x01020304}, "0009 0008 01020304"},
		{fsm.Command{Code: uint16(chunk.CauseCookieInShutdown)}, "000a 0004"},
		{fsm.Command{Code: uint16(chunk.CauseUserAbort)}, "000c 0007 776879"},
		{fsm.Command{Code: uint16(chunk.CauseProtocolViolation)}, "000d 0004"},
	} {
		got := w.x.appendCause(nil, &tt.c)
		want := fromHex(tt.want)
		if len(got) < len(want) || !bytes.Equal(got[:len(want)], want) || len(bytes.Trim(got[len(want):], "\x00")) > 0 || len(got)-len(want) > 3 {
			t.Errorf("cause %d: %x, want %x", tt.c.Code, got, want)
		}
	}
}

// TestRepliesAreBounded: however large the packet, the answer is not.
func TestRepliesAreBounded(t *testing.T) {
	big := bytes.Repeat([]byte{0xee}, 8000)
	params := func(n int, size int) (b []byte) {
		for i := range n {
			b = chunk.AppendParam(b, chunk.ParamType(0xfff0+i), big[:size])
		}
		return b
	}
	largest := func(w *world) int {
		n := 0
		for _, p := range w.out {
			n = max(n, len(p.data))
		}
		if len(w.out) > 1 {
			t.Errorf("%d packets for one", len(w.out))
		}
		w.out = nil
		return n
	}
	t.Run("unknown chunk", func(t *testing.T) {
		w := newWorld(t)
		a := w.up(peerA)
		b, mark := chunk.Begin(nil, 0xff, 0)
		w.give(a, chunk.End(append(b, big...), mark))
		if n := largest(w); n == 0 || n > 400 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("many of them", func(t *testing.T) { // one ERROR per packet
		w := newWorld(t)
		a := w.up(peerA)
		var cs [][]byte
		for range 300 {
			cs = append(cs, []byte{0xff, 0, 0, 4})
		}
		w.give(a, cs...)
		w.expect("ERROR")
	})
	t.Run("INIT", func(t *testing.T) {
		w := newWorld(t)
		w.blue(0, peerInit(params(16, 500)))
		if n := largest(w); n == 0 || n > maxReply {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("INIT ACK", func(t *testing.T) {
		w := newWorld(t)
		a := w.connect(peerA)
		w.out = nil
		w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{
			Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: append(chunk.AppendCookieParam(nil, big[:100]), params(16, 400)...),
		}))
		if n := largest(w); n == 0 || n > 1480 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("host name", func(t *testing.T) {
		w := newWorld(t)
		w.blue(0, peerInit(chunk.AppendParam(nil, chunk.ParamHostName, big)))
		if n := largest(w); n == 0 || n > 400 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("restart with many addresses", func(t *testing.T) {
		w := newWorld(t)
		a := w.up(peerA)
		var p []byte
		for i := range 200 {
			p = chunk.AppendAddrParam(p, netip.AddrFrom4([4]byte{10, 3, 0, byte(i)}))
		}
		w.x.Packet(a, nil, w.packet(peerA, 0, peerInit(p)), w.now)
		if n := largest(w); n == 0 || n > maxReply {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("violation", func(t *testing.T) {
		w := newWorld(t)
		a := w.up(peerA)
		w.give(a, chunk.AppendSack(nil, 1<<30, 1, nil, nil), chunk.AppendHeartbeat(nil, big[:700]))
		if n := largest(w); n == 0 || n > 400 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("heartbeats", func(t *testing.T) { // one is answered
		w := newWorld(t)
		a := w.up(peerA)
		hb := chunk.AppendHeartbeat(nil, big[:300])
		w.give(a, hb, hb, hb, hb)
		w.expect("HEARTBEAT ACK")
	})
}

// TestNoRoomToSend: without a slot nothing is sent, nothing breaks, and data
// goes when there is room.
func TestNoRoomToSend(t *testing.T) {
	w := newWorld(t)
	w.full = true
	w.blue(0, peerInit(nil))
	w.blue(5, chunk.AppendSack(nil, 1, 1500, nil, nil))
	w.expect("")
	w.full = false
	a := w.up(peerA)
	w.full = true
	w.give(a, chunk.AppendData(nil, chunk.Data{TSN: 100, Flags: 3, Payload: []byte("x")}))
	if !a.Blocked() || a.Blocked() {
		t.Error("a blocked association says so once")
	}
	w.full = false
	w.x.Resume(a, w.now)
	w.expect("SACK")
	w.full = true
	w.x.Abort(a, nil, w.now)
	if a.State() != tcb.Closed || !a.End.Ended {
		t.Error("an abort needs no room")
	}
}

// TestHeartbeatInfo: what we send, and what we take back.
func TestHeartbeatInfo(t *testing.T) { // R-8.3-09 R-5.4-02
	w := newWorld(t)
	a := w.up(peerA, peerB)
	w.x.Heartbeat(a, 1, w.now)
	out := w.out[0]
	c, tag := w.only()
	if tag != peerTag || out.to.Dst != peerB || c.Type() != chunk.TypeHeartbeat {
		t.Fatalf("%v to %v with tag %x", c.Type(), out.to.Dst, tag)
	}
	info, _ := chunk.ParseHeartbeat(c)
	nonce := a.TCB().Path(1).Nonce
	want := appendHeartbeatInfo(nil, 1, 0, w.now, nonce, peerB.As16())
	if !bytes.Equal(info.Body(), want) || len(want) != hbLen || nonce == 0 {
		t.Fatalf("%x, want %x", info.Body(), want)
	}

	ack := chunk.AppendHeartbeatAck(nil, c)
	w.now = w.now.Add(30 * mono.Millisecond)
	for i := range ack[8 : 8+hbLen] { // every byte must be ours: the time is not the peer's to choose
		bad := bytes.Clone(ack)
		for _, bit := range []byte{1, 0x80} {
			bad[8+i] = ack[8+i] ^ bit
			at := w.x.Stats[fsm.StatDiscards]
			w.give(a, bad)
			if w.x.Stats[fsm.StatDiscards] == at {
				t.Errorf("taken with byte %d changed", i)
			}
		}
	}
	w.give(a, ack[:len(ack)-4])
	if !a.TCB().Path(1).HBOut {
		t.Fatal("a short one was taken")
	}
	w.give(a, ack)
	if a.TCB().Path(1).HBOut {
		t.Fatal("the right one was not taken")
	}
	at := w.x.Stats[fsm.StatDiscards]
	w.give(a, ack)
	if w.x.Stats[fsm.StatDiscards] == at {
		t.Error("taken twice")
	}
}

// TestAddresses: what the peer lists, and what becomes of it.
func TestAddresses(t *testing.T) {
	list := func(addrs ...netip.Addr) (b []byte) {
		for _, a := range addrs {
			b = chunk.AppendAddrParam(b, a)
		}
		return b
	}
	t.Run("R-5.4-01 passive", func(t *testing.T) {
		w := newWorld(t)
		tag, cookie := w.ask(list(peerA, peerB, peer6, netip.MustParseAddr("127.0.0.1")))
		w.blue(tag, chunk.AppendCookieEcho(nil, cookie))
		a := w.created
		if got := a.PeerAddrs(nil); len(got) != 2 || got[0] != peerA || got[1] != peerB { // R-5.1.2-04 R-5.1.2-08 R-5.1.2-09
			t.Fatalf("%v", got)
		}
		if a.TCB().Path(0).State != tcb.PathActive || a.TCB().Path(1).State != tcb.PathUnconfirmed {
			t.Error("only the address the INIT ACK was sent to is confirmed")
		}
		// The other is probed at once, and gets nothing else (R-5.4-05).
		w.expect("COOKIE ACK")
		w.x.Timeout(a, w.now)
		if len(w.out) != 1 || w.out[0].to.Dst != peerB {
			t.Fatalf("%d packets", len(w.out))
		}
		c, _ := w.only()
		w.give(a, chunk.AppendHeartbeatAck(nil, c))
		if a.TCB().Path(1).State != tcb.PathActive {
			t.Error("the answer confirms it")
		}
	})
	t.Run("R-5.4-01 active", func(t *testing.T) {
		w := newWorld(t)
		a := w.connect(peerA)
		w.out = nil
		w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{
			Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: append(chunk.AppendCookieParam(nil, []byte("x")), list(peerA, peerB)...),
		}))
		if a.TCB().Path(0).State != tcb.PathActive || a.TCB().Path(1).State != tcb.PathUnconfirmed || a.TCB().NumPaths() != 2 {
			t.Error("only the address that the user named is confirmed")
		}
		for range 3 { // R-5.4-10: no COOKIE ECHO to the other
			w.fire(a)
		}
		for _, p := range w.out {
			if p.to.Dst != peerA {
				t.Errorf("a packet to %v", p.to.Dst)
			}
		}
	})
	t.Run("no list", func(t *testing.T) { // R-5.1.2-01 R-3.3.2.1.2-03 R-3.3.3-26
		w := newWorld(t)
		if got := w.accept().PeerAddrs(nil); len(got) != 1 || got[0] != peerA {
			t.Errorf("%v", got)
		}
	})
	t.Run("too many", func(t *testing.T) {
		w := newWorld(t)
		var many []netip.Addr
		for i := range 60 {
			many = append(many, netip.AddrFrom4([4]byte{10, 4, 0, byte(i + 1)}))
		}
		tag, cookie := w.ask(list(many...))
		w.blue(tag, chunk.AppendCookieEcho(nil, cookie))
		if n := w.created.TCB().NumPaths(); n != tcb.MaxPaths {
			t.Errorf("%d paths, want %d", n, tcb.MaxPaths)
		}
	})
}

// TestEncapPort: the peer's UDP port follows packets with the right tag.
func TestEncapPort(t *testing.T) { // RFC 6951 section 5.4
	w := newWorld(t)
	a := w.up(peerA)
	local, _ := a.Tags()
	from := func(port uint16, tag chunk.VTag, c ...[]byte) {
		d := w.packet(peerA, tag, c...)
		d.EncapPort = port
		w.x.Packet(a, nil, d, w.now)
	}
	hb := chunk.AppendHeartbeat(nil, []byte("1"))
	from(9900, local, hb)
	if w.out[0].to.EncapPort != 9900 {
		t.Errorf("port %d, want 9900", w.out[0].to.EncapPort)
	}
	w.out = nil
	from(6666, local+1, hb)
	from(6666, 0, peerInit(nil))
	w.out = nil
	from(9900, local, hb)
	if w.out[0].to.EncapPort != 9900 {
		t.Errorf("port %d after a packet with a wrong tag", w.out[0].to.EncapPort)
	}
}
