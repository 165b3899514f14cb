package udpencap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gosctp/gosctp/transport"
)

// patience bounds how long a test waits for what should come at once.
const patience = 10 * time.Second

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// engines are the ways to move packets; they must not differ in what arrives.
var engines = map[string]Config{
	"offload":  {},
	"plain":    {NoOffload: true},
	"portable": {Portable: true},
}

func each(t *testing.T, f func(t *testing.T, cfg Config)) {
	for name, cfg := range engines {
		t.Run(name, func(t *testing.T) { f(t, cfg) })
	}
}

func openLink(t testing.TB, cfg Config) *Link {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// packet is a common header's worth of marks, and a pattern.
func packet(size int, mark uint32) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i + int(mark))
	}
	binary.BigEndian.PutUint32(b, mark)
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
func recv(t testing.TB, l *Link, n, batch int) []transport.RxSlot {
	t.Helper()
	dog := time.AfterFunc(patience, func() { l.Close() })
	defer dog.Stop()
	slots := rxSlots(batch, 70000)
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

func needV6(t *testing.T, l *Link) {
	t.Helper()
	if _, err := l.Route(addr("::1")); err != nil {
		t.Skip("this host has no IPv6: ", err)
	}
}

// RFC 6951 section 5.4 and 5.5: the answer goes to the port the packet came
// from.
func TestRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		server := openLink(t, cfg)
		cfg.RemotePort = server.Port()
		client := openLink(t, cfg)
		for _, tc := range []struct {
			name, src, dst string
			ecn            uint8
			size           int
		}{
			{"v4", "", "127.0.0.1", 0, 100},
			{"v4 source", "127.0.0.7", "127.0.0.9", 0, 100},
			{"v4 largest", "", "127.0.0.1", 0, 65504},
			{"v6", "", "::1", 0, 100},
			{"v6 source", "::1", "::1", 0, 1200},
			{"ECN", "127.0.0.1", "127.0.0.1", 2, 100},
			{"ECN v6", "", "::1", 3, 100},
			{"least", "", "127.0.0.1", 0, 12},
		} {
			t.Run(tc.name, func(t *testing.T) {
				tx := transport.TxSlot{Dst: addr(tc.dst), ECN: tc.ecn, Data: packet(tc.size, 7)}
				if tx.Dst.Is6() {
					needV6(t, client)
				}
				want := tx.Dst // loopback chooses the destination as source
				if tc.src != "" {
					tx.Src = addr(tc.src)
					want = tx.Src
				}
				send(t, client, tx)
				r := recv(t, server, 1, 4)[0]
				if !bytes.Equal(r.Data, tx.Data) || r.Src != want || r.Dst != tx.Dst || r.EncapPort != client.Port() {
					t.Fatalf("%d bytes, %v port %d -> %v", len(r.Data), r.Src, r.EncapPort, r.Dst)
				}
				if !cfg.Portable && r.ECN != tc.ecn {
					t.Fatalf("ECN %d, want %d", r.ECN, tc.ecn)
				}
				send(t, server, transport.TxSlot{Src: r.Dst, Dst: r.Src, EncapPort: r.EncapPort, Data: packet(64, 8)})
				b := recv(t, client, 1, 4)[0]
				if b.Src != r.Dst || b.Dst != r.Src || b.EncapPort != server.Port() {
					t.Fatalf("answer %v port %d -> %v", b.Src, b.EncapPort, b.Dst)
				}
			})
		}
	})
}

// Whatever is merged and split on the way, the packets are the same.
func TestOffloadChangesNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for sender, cs := range engines {
		for receiver, cr := range engines {
			t.Run(fmt.Sprintf("%s to %s", sender, receiver), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				y := openLink(t, cr)
				cs.RemotePort = y.Port()
				x := openLink(t, cs)
				sizes := []int{12, 100, 1400, 1400, 1400, 1452, 9000}
				var tx []transport.TxSlot
				for len(tx) < 600 {
					size := sizes[rnd.IntN(len(sizes))]
					dst := addr("127.0.0.1")
					if rnd.IntN(4) == 0 {
						dst = addr("127.0.0.2")
					}
					ecn := uint8(0)
					if rnd.IntN(8) == 0 {
						ecn = 2
					}
					for range 1 + rnd.IntN(100) {
						tx = append(tx, transport.TxSlot{
							Dst: dst, ECN: ecn, Fragment: rnd.IntN(50) == 0,
							Data: packet(size, uint32(len(tx))),
						})
					}
					if rnd.IntN(2) == 0 && size > 12 { // a short last one
						tx = append(tx, transport.TxSlot{Dst: dst, ECN: ecn, Data: packet(size-1-rnd.IntN(size-12), uint32(len(tx)))})
					}
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					for rest := tx; len(rest) > 0; {
						n := min(len(rest), 1+rnd.IntN(150))
						if err := x.WriteBatch(rest[:n]); err != nil {
							t.Error(err)
							return
						}
						rest = rest[n:]
					}
				})
				// Small batches leave something of merged packets over.
				got := recv(t, y, len(tx), 7)
				wg.Wait()
				for i, r := range got {
					if tx[i].Err != nil {
						t.Fatal(tx[i].Err)
					}
					if !bytes.Equal(r.Data, tx[i].Data) || r.Dst != tx[i].Dst || r.EncapPort != x.Port() {
						t.Fatalf("packet %d: %d bytes to %v, want %d to %v", i, len(r.Data), r.Dst, len(tx[i].Data), tx[i].Dst)
					}
					if !cs.Portable && !cr.Portable && r.ECN != tx[i].ECN {
						t.Fatalf("packet %d: ECN %d, want %d", i, r.ECN, tx[i].ECN)
					}
				}
				sx, sy := x.Stats(), y.Stats()
				if sx.PacketsOut != uint64(len(tx)) || sy.PacketsIn != uint64(len(tx)) || sx.BytesOut != sy.BytesIn {
					t.Errorf("sent %+v, received %+v", sx, sy)
				}
				if can := Check(); sender == "offload" && can.GSO && (sx.MergedOut == 0 || sx.SendCalls > uint64(len(tx))/4) {
					t.Errorf("nothing was merged: %+v", sx)
				} else if receiver == "offload" && sender == "offload" && can.GRO && sy.MergedIn == 0 {
					t.Errorf("nothing was split: %+v", sy)
				}
				if (sender != "offload") != (sx.MergedOut == 0) || receiver != "offload" && sy.MergedIn != 0 {
					t.Errorf("merged although it was not to: %+v, %+v", sx, sy)
				}
			})
		}
	}
}

func TestWantedPortIsTaken(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		first := openLink(t, cfg)
		for _, at := range []netip.AddrPort{
			netip.AddrPortFrom(netip.Addr{}, first.Port()),
			netip.AddrPortFrom(addr("127.0.0.1"), first.Port()),
		} {
			cfg.Listen = at
			if l, err := Open(cfg); !errors.Is(err, transport.ErrPortInUse) || !addrInUse(err) {
				if err == nil {
					l.Close()
				}
				t.Errorf("%v: %v", at, err)
			}
		}
		// The failure left nothing behind: the port can be had once it is free.
		first.Close()
		cfg.Listen = netip.AddrPortFrom(netip.Addr{}, first.Port())
		if l := openLink(t, cfg); l.Port() != first.Port() {
			t.Errorf("port %d", l.Port())
		}
	})
}

func TestOneAddress(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Listen = netip.MustParseAddrPort("127.0.0.5:0")
		l := openLink(t, cfg)
		if a, err := l.Addrs(); err != nil || len(a) > 0 && a[0] != addr("127.0.0.5") {
			// 127.0.0.5 is local without being on the list of addresses.
			t.Errorf("%v, %v", a, err)
		}
		r, err := l.Route(addr("127.0.0.1"))
		if err != nil || r.Src != addr("127.0.0.5") || r.Overhead != 28 {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := l.Route(addr("::1")); !errors.Is(err, transport.ErrUnreachable) {
			t.Errorf("IPv6: %v", err)
		}
		tx := []transport.TxSlot{{Dst: addr("::1"), Data: packet(12, 0)}, {Data: packet(12, 0)},
			{Dst: addr("127.0.0.5"), EncapPort: l.Port(), Data: packet(12, 1)}}
		if err := l.WriteBatch(tx); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(tx[0].Err, transport.ErrUnreachable) || !errors.Is(tx[1].Err, transport.ErrUnreachable) || tx[2].Err != nil {
			t.Errorf("%v, %v, %v", tx[0].Err, tx[1].Err, tx[2].Err)
		}
		if got := recv(t, l, 1, 1)[0]; got.Src != addr("127.0.0.5") || got.Dst != addr("127.0.0.5") {
			t.Errorf("%v -> %v", got.Src, got.Dst)
		}
		if s := l.Stats(); s.SendErrors != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUnusablePacketsAreSkipped(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		y := openLink(t, cfg)
		cfg.RemotePort = y.Port()
		x := openLink(t, cfg)
		dst := addr("127.0.0.1")
		send(t, x, transport.TxSlot{Dst: dst, Data: packet(11, 0)}, // shorter than a common header
			transport.TxSlot{Dst: dst, Data: packet(100, 1)},
			transport.TxSlot{Dst: dst, Data: packet(3000, 2)}, // larger than the slots
			transport.TxSlot{Dst: dst, Data: packet(11, 3)},
			transport.TxSlot{Dst: dst, Data: packet(200, 4)})
		slots := rxSlots(8, 2048)
		var marks []uint32
		dog := time.AfterFunc(patience, func() { y.Close() })
		defer dog.Stop()
		for len(marks) < 2 {
			n, err := y.ReadBatch(slots)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range slots[:n] {
				marks = append(marks, binary.BigEndian.Uint32(s.Data))
				if !bytes.Equal(s.Data, packet(len(s.Data), marks[len(marks)-1])) {
					t.Error("damaged")
				}
			}
		}
		if marks[0] != 1 || marks[1] != 4 {
			t.Errorf("got %v", marks)
		}
	})
}

func TestCloseEndsReadBatch(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		l := openLink(t, cfg)
		errs := make(chan error)
		started := make(chan struct{})
		go func() {
			close(started)
			_, err := l.ReadBatch(rxSlots(1, 2048))
			errs <- err
		}()
		<-started
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := l.WriteBatch([]transport.TxSlot{{Dst: addr("127.0.0.1"), Data: packet(12, 0)}}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("WriteBatch: %v", err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	if r := Check(); !r.OK() || r.V4 != nil {
		t.Errorf("%+v", r)
	}
}

func TestAllocs(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		y := openLink(t, cfg)
		cfg.RemotePort = y.Port()
		x := openLink(t, cfg)
		for _, ip := range []string{"127.0.0.1", "::1"} {
			if addr(ip).Is6() {
				needV6(t, x)
			}
			tx := make([]transport.TxSlot, 32)
			for i := range tx {
				tx[i] = transport.TxSlot{Src: addr(ip), Dst: addr(ip), Data: packet(1400, uint32(i))}
			}
			rx := rxSlots(64, 2048)
			round := func() {
				if err := x.WriteBatch(tx); err != nil {
					t.Fatal(err)
				}
				for left := len(tx); left > 0; {
					n, err := y.ReadBatch(rx)
					if err != nil {
						t.Fatal(err)
					}
					left -= n
				}
			}
			for range 50 { // the queue between goroutines finds its depth
				round()
			}
			if n := testing.AllocsPerRun(200, round); n != 0 {
				t.Errorf("%s: %v allocations for %d packets", ip, n, len(tx))
			}
		}
	})
}

func BenchmarkSendAndRead(b *testing.B) {
	for _, name := range []string{"offload", "plain", "portable"} {
		b.Run(name, func(b *testing.B) {
			cfg := engines[name]
			y := openLink(b, cfg)
			cfg.RemotePort = y.Port()
			x := openLink(b, cfg)
			tx := make([]transport.TxSlot, 32)
			for i := range tx {
				tx[i] = transport.TxSlot{Src: addr("127.0.0.1"), Dst: addr("127.0.0.1"), Data: packet(1400, 0)}
			}
			rx := rxSlots(64, 2048)
			b.ReportAllocs()
			for i := 0; i < b.N; i += len(tx) {
				if err := x.WriteBatch(tx); err != nil {
					b.Fatal(err)
				}
				for left := len(tx); left > 0; {
					n, err := y.ReadBatch(rx)
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			}
		})
	}
}
