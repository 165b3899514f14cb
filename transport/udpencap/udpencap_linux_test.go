package udpencap

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

func openIn(t testing.TB, h *nstest.Host, cfg Config) *Link {
	t.Helper()
	var l *Link
	var err error
	h.Do(func() { l, err = Open(cfg) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestTooBigAndFragments(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		a, b := nstest.New(t), nstest.New(t)
		nstest.Wire(a, b, "w0", "w1")
		a.Up("w0", 1500, "10.2.0.1/24", "fd02::1/64")
		b.Up("w1", 1500, "10.2.0.2/24", "fd02::2/64")
		lb := openIn(t, b, cfg)
		cfg.RemotePort = lb.Port()
		la := openIn(t, a, cfg)
		for _, dst := range []string{"10.2.0.2", "fd02::2"} {
			route, err := la.Route(addr(dst))
			if err != nil {
				t.Fatal(err)
			}
			room := route.MTU - route.Overhead
			if want := 1500 - route.Overhead; room != want {
				t.Fatalf("%+v", route)
			}
			var tx []transport.TxSlot
			add := func(size, n int, fragment bool) {
				for range n {
					tx = append(tx, transport.TxSlot{Dst: addr(dst), Fragment: fragment, Data: packet(size, uint32(len(tx)))})
				}
			}
			add(room, 3, false)
			add(room+4, 3, false) // merged, they fail together
			add(room+4, 2, true)
			add(9000, 1, false)
			add(9000, 1, true)
			add(100, 2, false)
			if err := la.WriteBatch(tx); err != nil {
				t.Fatal(err)
			}
			var want [][]byte
			for i := range tx {
				tooBig := len(tx[i].Data) > room && !tx[i].Fragment
				if tooBig != errors.Is(tx[i].Err, transport.ErrTooBig) || !tooBig && tx[i].Err != nil {
					t.Errorf("%s: packet %d: %v", dst, i, tx[i].Err)
				}
				if !tooBig {
					want = append(want, tx[i].Data)
				}
			}
			for i, r := range recv(t, lb, len(want), 16) {
				if !bytes.Equal(r.Data, want[i]) {
					t.Errorf("%s: packet %d: %d bytes, want %d", dst, i, len(r.Data), len(want[i]))
				}
			}
		}
	})
}

// What IP may fragment passes a router with a smaller MTU although nothing was
// heard of it before. IPv6 routers do not fragment, and Linux does only what its
// own interface does not take. R-6.9-08
func TestFragmentsPassARouter(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
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
		lb := openIn(t, b, cfg)
		cfg.RemotePort = lb.Port()
		la := openIn(t, a, cfg)
		for _, dst := range []string{"10.3.0.2", "fd03::2"} {
			tx := []transport.TxSlot{
				{Dst: addr(dst), Data: packet(1484, 0), Fragment: true},
				{Dst: addr(dst), Data: packet(1440, 1)}, // lost at the router
				{Dst: addr(dst), Data: packet(1484, 2), Fragment: true},
			}
			if err := la.WriteBatch(tx); err != nil || tx[0].Err != nil || tx[1].Err != nil || tx[2].Err != nil {
				t.Fatal(err, tx[0].Err, tx[1].Err, tx[2].Err)
			}
			for i, p := range recv(t, lb, 2, 4) {
				if !bytes.Equal(p.Data, tx[2*i].Data) {
					t.Errorf("%s: packet %d: %d bytes, want %d", dst, i, len(p.Data), len(tx[2*i].Data))
				}
			}
		}
	})
}

func TestICMPErrors(t *testing.T) {
	for _, cfg := range []Config{{}, {NoOffload: true}} {
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
		b.Route("10.2.0.0/24", "10.3.0.1")
		b.Route("fd02::/64", "fd03::1")
		l := openIn(t, a, cfg)
		for _, tc := range []struct {
			dst  string
			port uint16
			size int
			want transport.ICMP
			mtu  uint32
		}{
			{"10.3.0.2", 7777, 60, transport.ICMPPortUnreachable, 0},
			{"fd03::2", 7777, 60, transport.ICMPPortUnreachable, 0},
			{"10.3.0.2", 7777, 1472, transport.ICMPPacketTooBig, 1300},
			{"fd03::2", 7777, 1452, transport.ICMPPacketTooBig, 1300},
		} {
			tx := transport.TxSlot{Dst: addr(tc.dst), EncapPort: tc.port, Data: packet(tc.size, 5)}
			for range 2 { // the error of the first must not become that of the second
				send(t, l, tx)
				e := recv(t, l, 1, 4)[0]
				if e.Kind != transport.ICMPError || e.ICMP != tc.want || e.MTU != tc.mtu || e.Dst != tx.Dst || e.EncapPort != tc.port {
					t.Fatalf("%s: got %+v", tc.dst, e)
				}
				if e.Src != addr("10.2.0.1") && e.Src != addr("fd02::1") {
					t.Fatalf("sent from %v", e.Src)
				}
				if len(e.Data) < 8 || !bytes.HasPrefix(tx.Data, e.Data[:8]) {
					t.Fatalf("quoted % x", e.Data)
				}
			}
		}
		if s := l.Stats(); s.ICMPErrors != 8 || s.SendErrors != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// Where the kernel refuses merged sends, packets leave one by one.
func TestRefusedOffload(t *testing.T) {
	h := nstest.New(t)
	y := openIn(t, h, Config{})
	x := openIn(t, h, Config{RemotePort: y.Port()})
	e, ok := x.engine.(*fast)
	if !ok || !e.sockets[0].tx.GSO {
		t.Skip("this kernel has no UDP_SEGMENT")
	}
	// Without a checksum the kernel does not segment: EIO.
	if err := unix.SetsockoptInt(e.sockets[0].fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1); err != nil {
		t.Fatal(err)
	}
	tx := make([]transport.TxSlot, 20)
	for i := range tx {
		tx[i] = transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1000, uint32(i))}
	}
	send(t, x, tx...)
	for i, r := range recv(t, y, len(tx), 32) {
		if !bytes.Equal(r.Data, tx[i].Data) {
			t.Errorf("packet %d", i)
		}
	}
	if s := x.Stats(); s.PacketsOut != 20 || s.MergedOut != 0 || s.SendErrors != 0 {
		t.Errorf("%+v", s)
	}
}
