package rawip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// patience bounds how long a test waits for what should come at once.
const patience = 10 * time.Second

func open(t testing.TB, h *nstest.Host, cfg Config) *Link {
	t.Helper()
	var l *Link
	var err error
	h.Do(func() { l, err = Open(cfg) })
	if errors.Is(err, transport.ErrKernelSCTP) || errors.Is(err, transport.ErrPrivilege) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func reserve(t testing.TB, l *Link, p uint16) uint16 {
	t.Helper()
	p, err := l.Reserve(p)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// packet is the ports of a common header, and a mark.
func packet(sport, dport uint16, size int, mark uint32) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	binary.BigEndian.PutUint32(b[4:], mark)
	for i := 12; i < size; i++ {
		b[i] = byte(i + int(mark))
	}
	return b
}

func rxSlots(n, size int) []transport.RxSlot {
	s := make([]transport.RxSlot, n)
	for i := range s {
		s[i].Buf = make([]byte, size)
	}
	return s
}

// recv reads n packets, copies of which it returns.
func recv(t testing.TB, l *Link, n int) []transport.RxSlot {
	t.Helper()
	dog := time.AfterFunc(patience, func() { l.Close() })
	defer dog.Stop()
	slots := rxSlots(16, 70000)
	var out []transport.RxSlot
	for len(out) < n {
		got, err := l.ReadBatch(slots)
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(out), n, err)
		}
		for _, s := range slots[:got] {
			s.Buf, s.Data = nil, bytes.Clone(s.Data)
			out = append(out, s)
		}
	}
	return out
}

func send(t testing.TB, l *Link, slots ...transport.TxSlot) {
	t.Helper()
	if err := l.WriteBatch(slots); err != nil {
		t.Fatal(err)
	}
	for i := range slots {
		if slots[i].Err != nil {
			t.Fatalf("packet %d: %v", i, slots[i].Err)
		}
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestRoundTrip(t *testing.T) {
	h := nstest.New(t)
	h.Up("lo", 0, "10.1.0.1/32", "fd01::1/128", "fd01::2/128")
	a, b := open(t, h, Config{}), open(t, h, Config{})
	reserve(t, a, 1000)
	reserve(t, b, 2000)
	for _, tc := range []struct {
		name     string
		src, dst string
		ecn      uint8
		size     int
	}{
		{"v4", "", "127.0.0.1", 0, 100},
		{"v4 source", "10.1.0.1", "127.0.0.2", 0, 100},
		{"v4 ECN", "127.0.0.3", "10.1.0.1", 2, 100},
		{"v4 largest", "127.0.0.1", "127.0.0.1", 0, 65512},
		{"v6", "", "::1", 0, 100},
		{"v6 source", "fd01::1", "fd01::2", 0, 100},
		{"v6 ECN", "fd01::2", "::1", 3, 100},
		{"v6 largest", "::1", "::1", 1, 65492},
		{"least", "127.0.0.1", "127.0.0.1", 0, 12},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tx := transport.TxSlot{Dst: addr(tc.dst), ECN: tc.ecn, Data: packet(1000, 2000, tc.size, 7)}
			if tc.src != "" {
				tx.Src = addr(tc.src)
			}
			send(t, a, tx)
			r := recv(t, b, 1)[0]
			if !bytes.Equal(r.Data, tx.Data) || r.Dst != tx.Dst || r.ECN != tc.ecn || r.Kind != transport.Datagram || r.EncapPort != 0 {
				t.Fatalf("got %d bytes, %v -> %v, ECN %d, kind %d", len(r.Data), r.Src, r.Dst, r.ECN, r.Kind)
			}
			want := tx.Src
			if !want.IsValid() {
				route, err := a.Route(tx.Dst)
				if err != nil {
					t.Fatal(err)
				}
				want = route.Src
			}
			if r.Src != want {
				t.Fatalf("source %v, want %v", r.Src, want)
			}
			send(t, b, transport.TxSlot{Src: r.Dst, Dst: r.Src, Data: packet(2000, 1000, 64, 8)})
			back := recv(t, a, 1)[0]
			if back.Src != r.Dst || back.Dst != r.Src {
				t.Fatalf("answer %v -> %v", back.Src, back.Dst)
			}
		})
	}
}

func TestRouteAndAddrs(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	nstest.Wire(a, b, "w0", "w1")
	a.Up("w0", 1400, "10.2.0.1/24", "fd02::1/64")
	b.Up("w1", 1400, "10.2.0.2/24", "fd02::2/64")
	a.Route("10.3.0.0/24", "10.2.0.2")
	l := open(t, a, Config{})
	for _, tc := range []struct {
		dst  string
		want transport.Route
	}{
		{"127.0.0.1", transport.Route{Src: addr("127.0.0.1"), MTU: 65535, Overhead: 20}},
		{"::1", transport.Route{Src: addr("::1"), MTU: 65535, Overhead: 40}},
		{"10.2.0.2", transport.Route{Src: addr("10.2.0.1"), MTU: 1400, Overhead: 20}},
		{"10.3.0.9", transport.Route{Src: addr("10.2.0.1"), MTU: 1400, Overhead: 20}},
		{"fd02::2", transport.Route{Src: addr("fd02::1"), MTU: 1400, Overhead: 40}},
	} {
		if r, err := l.Route(addr(tc.dst)); err != nil || r != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", tc.dst, r, err, tc.want)
		}
	}
	for _, dst := range []string{"192.0.2.1", "2001:db8::1", "224.0.0.1", "ff02::1", "0.0.0.0", "255.255.255.255", "::ffff:127.0.0.1"} {
		if r, err := l.Route(addr(dst)); !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("%s: %+v, %v", dst, r, err)
		}
	}
	got, err := l.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	have := map[netip.Addr]bool{}
	linkLocal := false
	for _, g := range got {
		have[g] = true
		linkLocal = linkLocal || g.Zone() == "w0"
	}
	for _, want := range []string{"127.0.0.1", "::1", "10.2.0.1", "fd02::1"} {
		if !have[addr(want)] {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	v4 := open(t, a, Config{V4: true})
	if _, err := v4.Route(addr("::1")); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("IPv6 on a link without: %v", err)
	}
	tx := []transport.TxSlot{{Dst: addr("::1"), Data: packet(1, 2, 20, 0)}, {Data: packet(1, 2, 20, 0)}}
	if err := v4.WriteBatch(tx); err != nil || !errors.Is(tx[0].Err, transport.ErrUnreachable) || !errors.Is(tx[1].Err, transport.ErrUnreachable) {
		t.Errorf("%v, %v, %v", err, tx[0].Err, tx[1].Err)
	}
}

func TestLinkLocal(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	nstest.Wire(a, b, "w0", "w1")
	a.Up("w0", 0, "fe80::a/64")
	b.Up("w1", 0, "fe80::b/64")
	la, lb := open(t, a, Config{}), open(t, b, Config{})
	reserve(t, lb, 2000)
	dst := addr("fe80::b%w0")
	r, err := la.Route(dst)
	if err != nil || r.Src.Zone() != "w0" || !r.Src.IsLinkLocalUnicast() {
		t.Fatalf("%+v, %v", r, err)
	}
	tx := []transport.TxSlot{
		{Src: addr("fe80::a%w0"), Dst: dst, Data: packet(1, 2000, 20, 1)},
		{Dst: addr("fe80::b%nonesuch"), Data: packet(1, 2000, 20, 3)},
	}
	if err := la.WriteBatch(tx); err != nil || tx[0].Err != nil {
		t.Fatal(err, tx[0].Err)
	}
	for _, s := range tx[1:] {
		if !errors.Is(s.Err, transport.ErrUnreachable) {
			t.Errorf("to %v: %v", s.Dst, s.Err)
		}
	}
	got := recv(t, lb, 1)[0]
	if got.Src != addr("fe80::a%w1") || got.Dst != addr("fe80::b%w1") {
		t.Errorf("%v -> %v", got.Src, got.Dst)
	}
	if r, err := la.Route(addr("fe80::b%nonesuch")); !errors.Is(err, transport.ErrUnreachable) {
		t.Errorf("route to a zone that is not there: %+v, %v", r, err)
	}
}

func TestBatchKeepsOrder(t *testing.T) {
	h := nstest.New(t)
	a, b := open(t, h, Config{}), open(t, h, Config{Gather: 20 * time.Microsecond})
	reserve(t, b, 2000)
	const n = 500
	var wg sync.WaitGroup
	wg.Go(func() {
		tx := make([]transport.TxSlot, n)
		for i := range tx {
			dst := addr("127.0.0.1")
			if i%3 == 0 {
				dst = addr("::1")
			}
			tx[i] = transport.TxSlot{Dst: dst, Data: packet(1, 2000, 200+i%5, uint32(i))}
		}
		send(t, a, tx...)
	})
	var last [2]int
	for _, r := range recv(t, b, n) {
		v6 := 0
		if r.Src.Is6() {
			v6 = 1
		}
		mark := int(binary.BigEndian.Uint32(r.Data[4:]))
		if mark < last[v6] {
			t.Fatalf("%d after %d", mark, last[v6])
		}
		last[v6] = mark
		if !bytes.Equal(r.Data, packet(1, 2000, 200+mark%5, uint32(mark))) {
			t.Fatalf("packet %d is damaged", mark)
		}
	}
	wg.Wait()
	if s := a.Stats(); s.PacketsOut != n || s.SendCalls > n/30 {
		t.Errorf("%+v", s)
	}
	if s := b.Stats(); s.PacketsIn != n || s.RcvBuf < defaultRcvBuf {
		t.Errorf("%+v", s)
	}
}

func TestTooBigAndFragments(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	nstest.Wire(a, b, "w0", "w1")
	a.Up("w0", 1500, "10.2.0.1/24", "fd02::1/64")
	b.Up("w1", 1500, "10.2.0.2/24", "fd02::2/64")
	la, lb := open(t, a, Config{}), open(t, b, Config{})
	reserve(t, lb, 2000)
	for _, dst := range []string{"10.2.0.2", "fd02::2"} {
		room := 1480
		if addr(dst).Is6() {
			room = 1460
		}
		tx := []transport.TxSlot{
			{Dst: addr(dst), Data: packet(1, 2000, room, 0)},
			{Dst: addr(dst), Data: packet(1, 2000, room+4, 1)},
			{Dst: addr(dst), Data: packet(1, 2000, room+4, 2), Fragment: true},
			{Dst: addr(dst), Data: packet(1, 2000, 4000, 3)},
			{Dst: addr(dst), Data: packet(1, 2000, 20000, 4), Fragment: true},
			{Dst: addr("192.0.2.1"), Data: packet(1, 2000, 100, 5)},
			{Dst: addr(dst), Data: nil},
			{Dst: addr(dst), Src: addr("10.9.9.9"), Data: packet(1, 2000, 100, 6)},
			{Dst: addr(dst), Data: packet(1, 2000, 100, 7)},
		}
		if addr(dst).Is6() {
			tx[5].Dst, tx[7].Src = addr("2001:db8::1"), addr("2001:db8::9")
		}
		if err := la.WriteBatch(tx); err != nil {
			t.Fatal(err)
		}
		for i, want := range []error{
			nil, transport.ErrTooBig, nil, transport.ErrTooBig, nil,
			transport.ErrUnreachable, transport.ErrUnreachable, transport.ErrUnreachable, nil,
		} {
			if !errors.Is(tx[i].Err, want) {
				t.Errorf("%s: packet %d: %v, want %v", dst, i, tx[i].Err, want)
			}
		}
		if !errors.Is(tx[1].Err, unix.EMSGSIZE) {
			t.Errorf("%v does not answer EMSGSIZE", tx[1].Err)
		}
		for i, r := range recv(t, lb, 4) {
			if want := tx[[]int{0, 2, 4, 8}[i]].Data; !bytes.Equal(r.Data, want) {
				t.Errorf("%s: packet %d: %d bytes, want %d", dst, i, len(r.Data), len(want))
			}
		}
	}
}

// What IP may fragment passes a router with a smaller MTU although nothing was
// heard of it before. IPv6 routers do not fragment, and Linux does only what its
// own interface does not take. R-6.9-08
func TestFragmentsPassARouter(t *testing.T) {
	a, r, b := nstest.New(t), nstest.New(t), nstest.New(t)
	nstest.Wire(a, r, "w0", "w1")
	nstest.Wire(r, b, "x0", "x1")
	a.Up("w0", 1500, "10.2.0.1/24", "fd02::1/64")
	r.Up("w1", 1500, "10.2.0.2/24", "fd02::2/64")
	r.Up("x0", 1300, "10.3.0.1/24", "fd03::1/64")
	b.Up("x1", 1300, "10.3.0.2/24", "fd03::2/64")
	r.Forward()
	a.Route("10.3.0.0/24", "10.2.0.2")
	a.Route("fd03::/64", "fd02::2")
	la, lb := open(t, a, Config{}), open(t, b, Config{})
	reserve(t, lb, 2000)
	for _, dst := range []string{"10.3.0.2", "fd03::2"} {
		tx := []transport.TxSlot{
			{Dst: addr(dst), Data: packet(1, 2000, 1484, 0), Fragment: true},
			{Dst: addr(dst), Data: packet(1, 2000, 1440, 1)}, // lost at the router
			{Dst: addr(dst), Data: packet(1, 2000, 1484, 2), Fragment: true},
		}
		if err := la.WriteBatch(tx); err != nil || tx[0].Err != nil || tx[1].Err != nil || tx[2].Err != nil {
			t.Fatal(err, tx[0].Err, tx[1].Err, tx[2].Err)
		}
		for i, p := range recv(t, lb, 2) {
			if !bytes.Equal(p.Data, tx[2*i].Data) {
				t.Errorf("%s: packet %d: %d bytes, want %d", dst, i, len(p.Data), len(tx[2*i].Data))
			}
		}
	}
}

func TestICMPErrors(t *testing.T) {
	a, r, b := nstest.New(t), nstest.New(t), nstest.New(t)
	nstest.Wire(a, r, "w0", "w1")
	nstest.Wire(r, b, "x0", "x1")
	a.Up("w0", 1500, "10.2.0.1/24", "fd02::1/64")
	r.Up("w1", 1500, "10.2.0.2/24", "fd02::2/64")
	r.Up("x0", 1300, "10.3.0.1/24", "fd03::1/64")
	b.Up("x1", 1300, "10.3.0.2/24", "fd03::2/64")
	r.Forward()
	for _, h := range []*nstest.Host{a, b} { // what comes back of fragments and errors
		h.Sysctl("ipv4/icmp_ratelimit", "0")
	}
	a.Route("10.3.0.0/24", "10.2.0.2")
	a.Route("fd03::/64", "fd02::2")
	b.Route("10.2.0.0/24", "10.3.0.1")
	b.Route("fd02::/64", "fd03::1")
	l, other := open(t, a, Config{}), open(t, a, Config{})
	reserve(t, l, 1000)
	delivered := uint64(0)
	for _, tc := range []struct {
		name string
		dst  string
		size int
		want transport.ICMP
		mtu  uint32
	}{
		// No raw socket is open in b: its kernel says that it has no SCTP.
		{"protocol unreachable", "10.3.0.2", 60, transport.ICMPProtoUnreachable, 0},
		{"unknown next header", "fd03::2", 60, transport.ICMPProtoUnreachable, 0},
		{"too big v4", "10.3.0.2", 1480, transport.ICMPPacketTooBig, 1300},
		{"too big v6", "fd03::2", 1460, transport.ICMPPacketTooBig, 1300},
		{"network unreachable", "10.3.0.99", 60, transport.ICMPUnreachable, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dst := addr(tc.dst)
			if tc.want == transport.ICMPUnreachable {
				// Nobody has the address: the router says so when ARP gives up.
				r.Sysctl("ipv4/neigh/x0/mcast_solicit", "1")
				r.Sysctl("ipv4/neigh/x0/retrans_time_ms", "10")
			}
			tx := transport.TxSlot{Dst: dst, Data: packet(1000, 2000, tc.size, 5)}
			send(t, l, tx)
			e := recv(t, l, 1)[0]
			if e.Kind != transport.ICMPError || e.ICMP != tc.want || e.MTU != tc.mtu || e.Dst != dst || e.EncapPort != 0 {
				t.Fatalf("got %+v", e)
			}
			if e.Src != addr("10.2.0.1") && e.Src != addr("fd02::1") {
				t.Fatalf("sent from %v", e.Src)
			}
			if len(e.Data) < 8 || !bytes.HasPrefix(tx.Data, e.Data[:8]) {
				t.Fatalf("quoted % x", e.Data)
			}
			// The error disturbs neither direction.
			send(t, l, tx)
			recv(t, l, 1)
			delivered += 2
		})
	}
	if s := l.Stats(); s.ICMPErrors != delivered {
		t.Errorf("%+v", s)
	}
	// The other link does not hold port 1000. To be sure that it has looked,
	// let it see a packet of its own.
	reserve(t, other, 3000)
	send(t, other, transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1, 3000, 12, 0)})
	if got := recv(t, other, 1)[0]; got.Kind != transport.Datagram || other.Stats().ICMPErrors != 0 {
		t.Errorf("another process's error was delivered: %+v", got)
	}
}

// onlyLast sends a packet that l accepts, after those that it should not.
func onlyLast(t *testing.T, l *Link, port uint16, dst string) {
	t.Helper()
	send(t, l, transport.TxSlot{Dst: addr(dst), Data: packet(1, port, 12, 99)})
	r := recv(t, l, 1)[0]
	if mark := binary.BigEndian.Uint32(r.Data[4:]); mark != 99 {
		t.Fatalf("got a packet for port %d", binary.BigEndian.Uint16(r.Data[2:]))
	}
}

func TestFilterKeepsForeignPortsOut(t *testing.T) {
	h := nstest.New(t)
	holder := open(t, h, Config{}) // is elected
	l := open(t, h, Config{NoResponder: true})
	reserve(t, l, 2000)
	eph := reserve(t, l, 0)
	if eph < firstEphemeral {
		t.Fatalf("ephemeral port %d", eph)
	}
	for _, dst := range []string{"127.0.0.1", "::1"} {
		send(t, l, transport.TxSlot{Dst: addr(dst), Data: packet(1, 2001, 12, 1)},
			transport.TxSlot{Dst: addr(dst), Data: packet(2000, 100, 12, 1)})
		onlyLast(t, l, 2000, dst)
		onlyLast(t, l, eph, dst)
	}
	reserve(t, l, 2001)
	l.Release(2000)
	for _, dst := range []string{"127.0.0.1", "::1"} {
		send(t, l, transport.TxSlot{Dst: addr(dst), Data: packet(1, 2000, 12, 1)})
		onlyLast(t, l, 2001, dst)
	}
	// The elected responder sees what nobody else wants, and what others want,
	// in both families, and its own once.
	if !holder.Stats().Responder || l.Stats().Responder {
		t.Fatal("the first link was not elected")
	}
	seen := map[uint16]int{}
	for _, r := range recv(t, holder, 12) {
		seen[binary.BigEndian.Uint16(r.Data[2:])]++
	}
	if seen[100] != 2 || seen[2001] != 4 || seen[2000] != 4 || seen[eph] != 2 {
		t.Fatalf("the responder saw %v", seen)
	}
	reserve(t, holder, 5000)
	onlyLast(t, holder, 5000, "127.0.0.1")
	onlyLast(t, holder, 5000, "::1")
	if s := holder.Stats(); s.PacketsIn != 14 {
		t.Fatalf("%d packets, want 14: own ones come once", s.PacketsIn)
	}
}

func TestFilterProgram(t *testing.T) {
	many := make([]uint16, 700)
	for i := range many {
		many[i] = uint16(3 * i)
	}
	most := make([]uint16, 5000)
	for i := range most {
		most[i] = uint16(i)
	}
	for name, f := range map[string]filter{
		"none":     {},
		"all":      {invert: true},
		"one":      {ports: []uint16{38412}},
		"blocks":   {blocks: []uint8{192, 255}},
		"both":     {ports: []uint16{7, 38412}, blocks: []uint8{200}},
		"inverted": {ports: []uint16{7, 38412}, blocks: []uint8{200}, invert: true},
		"many":     {ports: many, blocks: []uint8{192, 193}},
		"folded":   filter{ports: most, blocks: []uint8{192}}.fold(),
	} {
		t.Run(name, func(t *testing.T) {
			in := map[uint16]bool{}
			for _, p := range f.ports {
				in[p] = true
			}
			for _, v6 := range []bool{false, true} {
				if raw, err := bpf.Assemble(f.program(v6)); err != nil || len(raw) > 4096 {
					t.Fatalf("%d instructions, %v", len(raw), err)
				}
				vm, err := bpf.NewVM(f.body(v6))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range []uint16{0, 1, 7, 255, 256, 597, 599, 600, 2097, 2100, 38412, 49151, 49152, 51200, 51455, 51456, 65279, 65280, 65535} {
					pkt := packet(1234, p, 12, 0)
					if !v6 {
						ip := make([]byte, 24) // with an option
						ip[0] = 0x46
						pkt = append(ip, pkt...)
					}
					n, err := vm.Run(pkt)
					if err != nil {
						t.Fatal(err)
					}
					want := in[p]
					for _, b := range f.blocks {
						want = want || uint8(p>>8) == b
					}
					if want = want != f.invert; (n > 0) != want {
						t.Errorf("v6 %v, port %d: accepted %v, want %v", v6, p, n > 0, want)
					}
				}
			}
		})
	}
}

func TestManyPorts(t *testing.T) {
	h := nstest.New(t)
	l := open(t, h, Config{NoResponder: true})
	table := []uint16{}
	for p := uint16(1); p <= 250; p++ { // more than one group of tests
		table = append(table, reserve(t, l, p))
	}
	for range 600 { // more than two blocks
		table = append(table, reserve(t, l, 0))
	}
	if len(l.ports.blocks) != 3 {
		t.Errorf("%d blocks for 600 ports", len(l.ports.blocks))
	}
	seen := map[uint16]bool{}
	for _, p := range table {
		if seen[p] {
			t.Fatalf("port %d was given twice", p)
		}
		seen[p] = true
	}
	for _, p := range []uint16{table[0], table[249], table[250], table[849]} {
		onlyLast(t, l, p, "127.0.0.1")
		onlyLast(t, l, p, "::1")
	}
	for _, p := range table {
		l.Release(p)
	}
	if len(l.ports.blocks) != 1 || len(l.ports.single) != 0 {
		t.Errorf("%d blocks and %d ports are kept", len(l.ports.blocks), len(l.ports.single))
	}
}

func TestDropsAreCounted(t *testing.T) {
	h := nstest.New(t)
	a, b := open(t, h, Config{Mark: 7}), open(t, h, Config{RcvBuf: 1 << 16})
	if mark, err := unix.GetsockoptInt(a.families[0].main, unix.SOL_SOCKET, unix.SO_MARK); err != nil || mark != 7 {
		t.Errorf("mark %d, %v", mark, err)
	}
	reserve(t, b, 2000)
	const n = 300
	tx := make([]transport.TxSlot, n)
	for i := range tx {
		tx[i] = transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1, 2000, 1400, uint32(i))}
	}
	send(t, a, tx...)
	got := recv(t, b, 1)
	for last := got[0]; binary.BigEndian.Uint32(last.Data[4:]) != n; {
		// The counter comes with the first packet after a loss.
		send(t, a, transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1, 2000, 12, n)})
		more := recv(t, b, 1)
		got, last = append(got, more...), more[len(more)-1]
	}
	s := b.Stats()
	if s.Drops == 0 || s.Drops > n || s.PacketsIn != uint64(len(got)) || a.Stats().PacketsOut < s.Drops+s.PacketsIn {
		t.Errorf("%+v", s)
	}
}

func TestCloseEndsReadBatch(t *testing.T) {
	h := nstest.New(t)
	l := open(t, h, Config{})
	errs := make(chan error)
	go func() {
		_, err := l.ReadBatch(rxSlots(1, 2048))
		errs <- err
	}()
	// Let it most probably block. Either order must work.
	for range 3 {
		send(t, l, transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1, 2, 12, 0)})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for err := range errs {
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := l.ReadBatch(rxSlots(1, 2048))
			errs <- err
		}()
	}
	if err := l.WriteBatch(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch: %v", err)
	}
	if _, err := l.Reserve(0); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Reserve: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v", err)
	}
}

func TestPrivilegeError(t *testing.T) {
	errs := make(chan error, 2)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		none := [2]unix.CapUserData{}
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			errs <- err
		}
		l, err := Open(Config{AllowKernelSCTP: true})
		if err == nil {
			l.Close()
		}
		errs <- err
		r := Check()
		errs <- r.V4
	}()
	for range 2 {
		err := <-errs
		if !errors.Is(err, transport.ErrPrivilege) || !errors.Is(err, os.ErrPermission) || !errors.Is(err, unix.EPERM) {
			t.Fatalf("%v answers too little", err)
		}
		for _, word := range []string{"CAP_NET_RAW", "setcap cap_net_raw+ep", "securityContext", "UDP encapsulation"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
	}
}

func TestKernelSCTP(t *testing.T) {
	if !kernelSCTP() {
		if r := Check(); r.KernelSCTP {
			t.Error("Check sees a kernel's SCTP that is not there")
		}
		t.Skip("the kernel's SCTP is not loaded here")
	}
	_, err := Open(Config{})
	if !errors.Is(err, transport.ErrKernelSCTP) || !strings.Contains(err.Error(), "modprobe") {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	h := nstest.New(t)
	var r Report
	h.Do(func() { r = Check() })
	if r.Responder {
		t.Error("a responder in an empty namespace")
	}
	if r.KernelSCTP {
		t.Skip("the kernel's SCTP is loaded")
	}
	open(t, h, Config{})
	h.Do(func() { r = Check() })
	if !r.OK() || r.V4 != nil || !r.Responder || r.RcvBuf == 0 {
		t.Errorf("%+v", r)
	}
}

func TestAllocs(t *testing.T) {
	h := nstest.New(t)
	h.Up("lo", 0)
	a, b := open(t, h, Config{}), open(t, h, Config{})
	reserve(t, b, 2000)
	for _, tc := range []struct{ name, src, dst string }{
		{"v4", "127.0.0.1", "127.0.0.1"}, {"v6", "::1", "::1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tx := make([]transport.TxSlot, 32)
			for i := range tx {
				tx[i] = transport.TxSlot{Src: addr(tc.src), Dst: addr(tc.dst), ECN: 2, Data: packet(1, 2000, 1400, uint32(i))}
			}
			rx := rxSlots(64, 2048)
			if n := testing.AllocsPerRun(100, func() {
				if err := a.WriteBatch(tx); err != nil {
					t.Fatal(err)
				}
				for left := len(tx); left > 0; {
					n, err := b.ReadBatch(rx)
					if err != nil {
						t.Fatal(err)
					}
					left -= n
				}
			}); n != 0 {
				t.Errorf("%v allocations for %d packets", n, len(tx))
			}
			tx[0].Data = packet(1, 2000, 65536, 0)
			if n := testing.AllocsPerRun(100, func() {
				if err := a.WriteBatch(tx[:1]); err != nil || tx[0].Err == nil {
					t.Fatal(err, tx[0].Err)
				}
			}); n != 0 {
				t.Errorf("%v allocations for an error", n)
			}
		})
	}
}
