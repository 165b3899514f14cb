package stack_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Chunks of a packet count in their order, one after the other (R-6.10-06).
func TestChunksInOrder(t *testing.T) {
	abort := chunk.AppendAbort(nil, false, nil)
	t.Run("DATA, ABORT", func(t *testing.T) {
		p := newRig(t).peer().connect()
		p.send(p.data("before"), abort)
		p.expect("")
		if got := p.received(); len(got) != 1 || got[0] != "before" {
			t.Errorf("%q", got)
		}
		p.expectEnd(fsm.CommLost, 0)
	})
	t.Run("ABORT, DATA", func(t *testing.T) { // R-3.3.7-02
		p := newRig(t).peer().connect()
		p.send(abort, p.data("after"))
		p.expect("")
		if got := p.received(); len(got) != 0 {
			t.Errorf("%q", got)
		}
		p.expectEnd(fsm.CommLost, 0)
	})
	t.Run("COOKIE ECHO, DATA, SHUTDOWN", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo(), p.data("first"), chunk.AppendShutdown(nil, p.itsn-1))
		p.expect("COOKIE ACK+SHUTDOWN ACK+SACK")
		p.accept()
		if got := p.received(); len(got) != 1 || got[0] != "first" {
			t.Errorf("%q", got)
		}
		p.inState(tcb.ShutdownAckSent)
	})
	t.Run("COOKIE ECHO, DATA, SACK of what was never sent", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.echo(), p.data("nobody will read this"), sack(p.itsn+5, 65536))
		p.gone()
		if n := p.s.Stats().Buffers; n != 0 {
			t.Errorf("%d buffers are kept", n)
		}
	})
	t.Run("DATA, COOKIE ECHO", func(t *testing.T) {
		p := newRig(t).peer()
		p.sendTag(0, p.init())
		p.takeInitAck()
		p.send(p.data("too early"), p.echo())
		p.expect("ABORT T") // out of the blue: COOKIE ECHO counts only as the first chunk
		p.gone()
	})
}

// However many chunks of a packet ask for an answer, it is one packet, and no
// larger than the path takes (R-12.4-02).
func TestOneAnswerPerPacket(t *testing.T) {
	p := newRig(t).peer().connect()
	hb := chunk.AppendHeartbeat(nil, bytes.Repeat([]byte("?"), 100))
	p.send(hb, plain(0xff), p.dataOn(99, "no such stream"), hb, plain(0xfe), p.data("fine"))
	out := p.take()
	if len(out) != 1 || len(out[0].data) > 1480 {
		t.Fatalf("%d packets", len(out))
	}
	if got := says(t, out[0].data); got != "HEARTBEAT ACK+ERROR(6)+HEARTBEAT ACK+SACK" && got != "HEARTBEAT ACK+ERROR(6)+SACK" {
		t.Errorf("said %q", got)
	}
}

// An ABORT is never answered with an ABORT, whatever is wrong with it
// (R-3.3.7-04).
func TestAbortIsNotAnswered(t *testing.T) {
	broken := chunk.AppendAbort(nil, false, []byte{0, 6, 0, 99, 1, 2, 3, 4})
	for name, abort := range map[string][]byte{
		"ABORT":            chunk.AppendAbort(nil, false, nil),
		"reflected":        chunk.AppendAbort(nil, true, nil),
		"of broken causes": broken,
	} {
		for _, behind := range []string{"nothing", "DATA", "unknown chunk", "INIT ACK"} {
			p := newRig(t).peer().connect()
			chunks := [][]byte{abort}
			switch behind {
			case "DATA":
				chunks = [][]byte{p.dataOn(99, ""), abort} // no user data: a reason to abort
			case "unknown chunk":
				chunks = [][]byte{plain(0x3f), abort}
			case "INIT ACK":
				chunks = [][]byte{p.initAck(nil), abort}
			}
			for _, tag := range []chunk.VTag{p.theirs, p.tag, 0, 77} {
				if tag == p.theirs && behind == "DATA" {
					continue // the first chunk has ended it; that is answered
				}
				p.sendTag(tag, chunks...)
				if _, pkt := first(p.take(), chunk.TypeAbort); pkt != nil {
					t.Errorf("%s behind %s, tag %x: answered", name, behind, tag)
				}
			}
		}
	}
}

// Only addresses that the peer has named, or that its INIT came from, are sent
// to (R-5.1.2-05).
func TestOnlyListedAddresses(t *testing.T) {
	listed := map[netip.Addr]bool{there: true, alt: true}
	p := newRig(t, withConfig(func(c *tcb.Config) { c.HBInterval = tcb.DefaultConfig().HBInterval })).peer()
	p.sendTag(0, p.initWith(chunk.AppendAddrParam(nil, alt)))
	p.takeInitAck()
	p.send(p.echo())
	stranger := netip.MustParseAddr("10.0.9.3")
	p.deliver(stranger, p.to, p.packet(p.theirs, p.data("from elsewhere")))
	p.deliver(stranger, p.to, p.packet(p.theirs, chunk.AppendHeartbeat(nil, []byte("1234"))))
	p.accept()
	p.wait(40 * mono.Second) // idle
	for range 3 {
		if err := p.write("x"); err != nil {
			t.Fatal(err)
		}
		p.wait(20 * mono.Second)
	}
	seen, probed := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	for _, s := range p.take() {
		seen[s.dst] = true
		if h, _ := chunk.ParseHeader(s.data); h.SrcPort != 5000 || h.DstPort != p.port { // R-1.3-01
			t.Errorf("from port %d to port %d of %v", h.SrcPort, h.DstPort, s.dst)
		}
		if c, _ := first([]sent{s}, chunk.TypeHeartbeat); c != nil {
			probed[s.dst] = true
		}
		if !listed[s.dst] && s.dst != stranger {
			t.Errorf("%s to %v", says(t, s.data), s.dst)
		}
		if c, _ := first([]sent{s}, chunk.TypeData); c != nil && !listed[s.dst] {
			t.Errorf("DATA to %v, which the peer has not named", s.dst)
		}
	}
	if !seen[there] || !seen[alt] {
		t.Errorf("sent to %v only", seen)
	}
	if !probed[there] || !probed[alt] { // R-3.3.5-01
		t.Errorf("HEARTBEAT to %v only", probed)
	}
}
