package stack_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

var hostile = flag.Int("hostile", 1_000_000, "packets of TestHostilePackets")

// cable joins two stacks in virtual time.
type cable struct {
	t    *testing.T
	clk  *hand
	s    [2]*stack.Stack
	ep   [2]*stack.Endpoint
	w    [2]*wire
	a    [2]*stack.Assoc
	real [][]byte // packets of the transfer, as they went by
	seen int

	list ulpqueue.List
	read int
	out  uint32 // next message to send
	in   uint32 // next message to come
	got  int    // bytes
	part []byte
}

func newCable(t *testing.T) *cable {
	c := &cable{t: t, clk: &hand{t: mono.Time(1000 * mono.Second)}}
	cfg := tcb.DefaultConfig()
	cfg.HBInterval = 1 * mono.Second
	for i, addr := range []netip.Addr{hereA, there} {
		c.w[i] = &wire{clk: c.clk, addrs: []netip.Addr{addr}, mtu: 1500}
		s, err := stack.New(stack.World{Clock: c.clk, Entropy: rand.NewChaCha8([32]byte{byte(i)}), Links: []transport.Link{c.w[i]}}, stack.Options{Shards: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		c.s[i] = s
		if c.ep[i], err = s.Open(nil, 5000, &cfg); err != nil {
			t.Fatal(err)
		}
	}
	c.ep[1].Listen(4, nil)
	var err error
	if c.a[0], err = c.ep[0].Associate([]netip.Addr{there}, 5000, 0, nil, func(sideeffects.Wake) {}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		c.carry()
	}
	if c.a[1] = c.ep[1].Accept(); c.a[1] == nil {
		t.Fatal("no association")
	}
	return c
}

// carry brings all packets across, and keeps some of them.
func (c *cable) carry() {
	for i := range c.w {
		out := c.w[i].out
		c.w[i].out = nil
		slots := make([]transport.RxSlot, len(out))
		for k, p := range out {
			slots[k] = transport.RxSlot{Data: p.data, Src: p.src, Dst: p.dst}
			if p.dst != c.w[1-i].addrs[0] {
				c.t.Fatalf("a packet to %v", p.dst)
			}
			if c.seen++; len(c.real) < 256 {
				c.real = append(c.real, p.data)
			} else if c.seen%7 == 0 {
				c.real[c.seen%256] = p.data
			}
		}
		c.s[1-i].Input(0, slots, c.clk.t)
	}
}

// work moves the transfer on.
func (c *cable) work() {
	for {
		b := c.a[0].Buffer(900 + int(c.out%1500))
		binary.BigEndian.PutUint32(b.B, c.out)
		for i := 4; i < len(b.B); i++ {
			b.B[i] = byte(c.out) + byte(i)
		}
		if c.a[0].Send(stack.Message{Stream: 3}, b) != nil {
			c.a[0].FreeBuffer(b)
			break
		}
		if c.out++; c.out%16 == 0 {
			break
		}
	}
	c.clk.step(c.clk.t.Add(200 * mono.Microsecond))
	for i := range c.s {
		c.s[i].Step(c.clk.t)
	}
	c.carry()
	for {
		err := c.a[1].Recv(&c.list, 1<<16, c.read)
		c.read = 0
		if err != nil {
			break
		}
		for m := c.list.Pop(); m != nil; m = c.list.Pop() {
			if m.Kind == ulpqueue.KindData {
				c.read += m.Len
				c.message(m)
			}
			c.a[1].Free(m)
		}
	}
}

func (c *cable) message(m *ulpqueue.Message) {
	for b := m.Head; b != nil; b = b.Next {
		c.part = append(c.part, b.B...)
	}
	if !m.EOR {
		return
	}
	p := c.part
	c.part = p[:0]
	if len(p) != 900+int(c.in%1500) || binary.BigEndian.Uint32(p) != c.in {
		c.t.Fatalf("message %d: %d bytes, number %d", c.in, len(p), binary.BigEndian.Uint32(p))
	}
	for i := 4; i < len(p); i++ {
		if p[i] != byte(c.in)+byte(i) {
			c.t.Fatalf("message %d: byte %d is wrong", c.in, i)
		}
	}
	c.in++
	c.got += len(p)
}

// captured returns the packets of package chunk's captures.
func captured(t *testing.T) (l [][]byte) {
	b, err := os.ReadFile("../chunk/testdata/captures.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if p, err := hex.DecodeString(f[len(f)-1]); err == nil && len(p) > chunk.HeaderLen {
			l = append(l, p)
		}
	}
	if len(l) < 10 {
		t.Fatalf("%d captured packets", len(l))
	}
	return l
}

// attacker makes packets of somebody who does not know the tags, or can only
// damage what goes by.
type attacker struct {
	*rand.Rand
	old [][]byte
	buf []byte
}

// packet makes one out of a packet of the transfer. The result is valid until
// the next call.
func (x *attacker) packet(real [][]byte) []byte {
	pick := func(l [][]byte) []byte { return append(x.buf[:0], l[x.IntN(len(l))]...) }
	var b []byte
	switch kind := x.IntN(8); kind {
	case 0: // noise
		b = x.buf[:0]
		for range x.IntN(200) {
			b = append(b, byte(x.Uint32()))
		}
	case 1: // noise behind a header that looks right
		b = pick(real)[:chunk.HeaderLen]
		for range x.IntN(400) {
			b = append(b, byte(x.Uint32()))
		}
		x.mistag(b)
	case 2: // cut off, and known to be
		b = pick(real)
		b = b[:x.IntN(len(b))]
	case 3: // cut off with a right checksum: what is whole in it, is old
		b = pick(real)
		b = b[:x.IntN(len(b))]
		if len(b) >= chunk.HeaderLen {
			chunk.SetChecksum(b)
		}
	case 4: // damaged on its way
		b = pick(real)
		for range 1 + x.IntN(4) {
			b[x.IntN(len(b))] ^= 1 << x.IntN(8)
		}
	case 5: // changed by somebody who guesses tags
		b = pick(real)
		for range 1 + x.IntN(8) {
			b[x.IntN(len(b))] = byte(x.Uint32())
		}
		x.mistag(b)
	case 6: // another association's, to our ports
		b = pick(x.old)
		binary.BigEndian.PutUint16(b, 5000)
		binary.BigEndian.PutUint16(b[2:], 5000)
		chunk.SetChecksum(b)
	case 7: // and changed
		b = pick(x.old)
		for range 1 + x.IntN(8) {
			b[chunk.HeaderLen+x.IntN(len(b)-chunk.HeaderLen)] = byte(x.Uint32())
		}
		binary.BigEndian.PutUint16(b, 5000)
		binary.BigEndian.PutUint16(b[2:], 5000)
		chunk.SetChecksum(b)
	}
	x.buf = b[:0]
	return b
}

// mistag makes sure that the tag is not right, and the checksum is. The tag of
// an INIT is nobody's either.
func (x *attacker) mistag(b []byte) {
	binary.BigEndian.PutUint32(b[4:], x.Uint32()|1)
	if len(b) >= chunk.HeaderLen+8 && x.IntN(4) == 0 {
		binary.BigEndian.PutUint32(b[4:], 0)
		binary.BigEndian.PutUint32(b[16:], x.Uint32())
	}
	chunk.SetChecksum(b)
}

// TestHostilePackets sends a million random, truncated and mutated real packets
// into an association while it transfers data: every message arrives as it was
// sent, the association ends as it should, and memory does not grow.
func TestHostilePackets(t *testing.T) {
	n := *hostile
	if testing.Short() {
		n = min(n, 300_000)
	}
	if raceDetector {
		n = min(n, 100_000) // it takes twenty times as long
	}
	c := newCable(t)
	x := &attacker{Rand: rand.New(rand.NewPCG(1, 1_000_000)), old: captured(t)}
	// Some work first, so that pools and rings have their size.
	for range 300 {
		c.work()
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	before, calm := heap(), c.in
	sent := 0
	var slot [1]transport.RxSlot
	for sent < n {
		for range 64 {
			to := sent & 1
			p := x.packet(c.real)
			slot[0] = transport.RxSlot{Data: p, Src: c.w[1-to].addrs[0], Dst: c.w[to].addrs[0]}
			if x.IntN(16) == 0 {
				slot[0].Src = netip.AddrFrom4([4]byte{10, 7, 7, byte(x.IntN(256))})
			}
			c.s[to].Input(0, slot[:], c.clk.t)
			sent++
		}
		for i := range c.w {
			keep := c.w[i].out[:0]
			for _, p := range c.w[i].out {
				if p.dst == c.w[1-i].addrs[0] {
					keep = append(keep, p) // answers to the attack reach the peer too
				}
			}
			c.w[i].out = keep
		}
		c.work()
		for i := range c.a {
			if e := c.a[i].End(); e.Ended {
				t.Fatalf("end %d after %d packets: %v, %v, by peer %v", i, sent, e.Change, e.Cause, e.ByPeer)
			}
		}
	}
	if c.in-calm < uint32(n/64) {
		t.Errorf("%d messages during the attack: it was disturbed", c.in-calm)
	}
	after := heap()
	for i, s := range c.s {
		st := s.Stats()
		if st.Contained != 0 || st.Associations != 1 {
			t.Errorf("end %d: %d panics, %d associations", i, st.Contained, st.Associations)
		}
		t.Logf("end %d: %d packets in, %d bad checksums, %d malformed, %d out of the blue", i, st.InPackets, st.BadChecksums, st.BadPackets, st.OutOfBlue)
	}
	t.Logf("%d hostile packets; %d messages, %d MB arrived; heap %d KB before, %d KB after", sent, c.in, c.got>>20, before>>10, after>>10)
	if after > before+before/4+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	c.a[0].Shutdown()
	for range 20000 {
		c.work()
		if c.s[0].Stats().Associations+c.s[1].Stats().Associations == 0 {
			break
		}
	}
	for i := range c.a {
		if e := c.a[i].End(); !e.Ended || e.Cause != 0 {
			t.Errorf("end %d: %+v", i, e)
		}
		if st := c.s[i].Stats(); st.Buffers != 0 {
			t.Errorf("end %d: %d buffers left", i, st.Buffers)
		}
	}
	if c.in != c.out {
		t.Errorf("%d messages arrived of %d", c.in, c.out)
	}
	if !bytes.Equal(c.part, nil) && len(c.part) > 0 {
		t.Error("half a message is left")
	}
}
