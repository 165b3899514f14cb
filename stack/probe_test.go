package stack_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The PAD parameter is skipped in silence, and the cookie does not grow by it
// (RFC 4820 section 4).
func TestPadParameter(t *testing.T) {
	size := func(params []byte) (cookie int) {
		p := newRig(t).peer()
		p.sendTag(0, p.initWith(params))
		p.takeInitAck()
		p.send(p.echo())
		p.accept()
		p.inState(tcb.Established)
		return len(p.cookie)
	}
	pad := chunk.AppendParam(nil, chunk.ParamPadding, make([]byte, 500))
	plain := size(nil)
	if padded := size(append(bytes.Clone(pad), pad...)); padded != plain {
		t.Errorf("a cookie of %d bytes, without padding %d", padded, plain)
	}
	p := newRig(t).peer()
	p.sendTag(0, p.initWith(pad))
	c, _ := first(p.take(), chunk.TypeInitAck)
	in, _ := chunk.ParseInit(c)
	for _, typ := range []chunk.ParamType{chunk.ParamPadding, chunk.ParamUnrecognized} {
		if _, ok := in.Params.Find(typ); ok {
			t.Errorf("the INIT ACK has %v", typ)
		}
	}
	if bytes.Contains(c, make([]byte, 400)) {
		t.Error("the padding is in the cookie")
	}
}

// A PAD chunk is skipped, the rest of the packet counts (RFC 4820 section 3).
func TestPadChunk(t *testing.T) {
	p := newRig(t).peer().connect()
	pad := chunk.AppendPad(nil, 1200)
	p.send(pad, chunk.AppendHeartbeat(nil, []byte("probe")), pad, p.data("hello"), pad)
	p.wait(200 * mono.Millisecond)
	got := p.said()
	if !strings.Contains(got, "HEARTBEAT ACK") || !strings.Contains(got, "SACK") || strings.Contains(got, "ERROR") {
		t.Fatalf("said %q", got)
	}
	if m := p.received(); len(m) != 1 || m[0] != "hello" {
		t.Fatalf("received %q", m)
	}
	p.send(chunk.AppendHeartbeat(nil, []byte("probe")), chunk.AppendPad(nil, 1400))
	p.expect("HEARTBEAT ACK") // of its own size
}

// The first packet worth it starts the search: HEARTBEAT and PAD make a packet
// of the size in use, with DF, and not before the association is up. What a
// peer may answer, and what it cannot claim. R-7.3-01
func TestProbe(t *testing.T) {
	p := newRig(t).peer().connect()
	if err := p.write("small"); err != nil {
		t.Fatal(err)
	}
	p.send(sack(p.itsn, 65536))
	p.wait(100 * mono.Second)
	if got := p.said(); strings.Contains(got, "PAD") {
		t.Fatalf("said %q", got)
	}
	if err := p.write(strings.Repeat("x", 3000)); err != nil {
		t.Fatal(err)
	}
	p.s.Step(p.clk.t)
	out := p.take()
	probe, in := first(out, chunk.TypeHeartbeat)
	if probe == nil || says(t, in.data) != "HEARTBEAT+PAD" || len(in.data) != 1480 {
		t.Fatalf("%d packets, and no probe of 1480 bytes", len(out))
	}
	status := func() (path.SearchState, int) {
		s := p.a.Status().Paths[0]
		return s.Search, s.PMTU
	}
	ack := chunk.AppendHeartbeatAck(nil, probe)
	for i := range ack[8:] { // mark, size, path, nonce, address; another time is another round trip
		bad := bytes.Clone(ack)
		bad[8+i] ^= 0x40
		if i >= 8 && i < 16 {
			continue
		}
		p.send(bad)
		if s, mtu := status(); s != path.Searching || mtu != 1500 {
			t.Fatalf("taken with byte %d changed: %v, %d", i, s, mtu)
		}
	}
	p.send(ack)
	if s, mtu := status(); s != path.SearchComplete || mtu != 1500 {
		t.Fatalf("%v, %d", s, mtu)
	}
	p.send(ack) // again
	if s, mtu := status(); s != path.SearchComplete || mtu != 1500 {
		t.Fatalf("%v, %d", s, mtu)
	}
}
