package mem

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/transport"
)

var (
	a4 = netip.MustParseAddr("10.0.0.1")
	b4 = netip.MustParseAddr("10.0.0.2")
	a6 = netip.MustParseAddr("fd00::1")
	b6 = netip.MustParseAddr("fd00::2")
)

func rxSlots(n, size int) []transport.RxSlot {
	s := make([]transport.RxSlot, n)
	for i := range s {
		s[i].Buf = make([]byte, size)
	}
	return s
}

func TestDelivery(t *testing.T) {
	other := netip.MustParseAddr("10.9.9.9")
	for _, tc := range []struct {
		name string
		tx   transport.TxSlot
		src  netip.Addr // as received
		err  error
	}{
		{"v4", transport.TxSlot{Dst: b4, Data: []byte("four")}, a4, nil},
		{"v6", transport.TxSlot{Dst: b6, Data: []byte("six")}, a6, nil},
		{"source chosen", transport.TxSlot{Src: a4, Dst: b4, Data: []byte("x")}, a4, nil},
		{"to oneself", transport.TxSlot{Dst: a4, Data: []byte("me")}, a4, nil},
		{"ECN and port", transport.TxSlot{Dst: b4, ECN: 2, EncapPort: 9899, Data: []byte("x")}, a4, nil},
		{"full size", transport.TxSlot{Dst: b4, Data: make([]byte, 1480)}, a4, nil},
		{"too big", transport.TxSlot{Dst: b4, Data: make([]byte, 1481)}, a4, transport.ErrTooBig},
		{"too big v6", transport.TxSlot{Dst: b6, Data: make([]byte, 1461)}, a6, transport.ErrTooBig},
		{"fragmented", transport.TxSlot{Dst: b4, Data: make([]byte, 1481), Fragment: true}, a4, nil},
		{"no such host", transport.TxSlot{Dst: other, Data: []byte("x")}, a4, transport.ErrUnreachable},
		{"not our source", transport.TxSlot{Src: b4, Dst: b4, Data: []byte("x")}, a4, transport.ErrUnreachable},
		{"family mismatch", transport.TxSlot{Src: a6, Dst: b4, Data: []byte("x")}, a4, transport.ErrUnreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := NewPair(0)
			if tc.tx.Dst == a4 {
				b = a
			}
			// The second packet shows that an error keeps nothing else back.
			tx := []transport.TxSlot{tc.tx, {Dst: tc.tx.Dst, Data: []byte("last")}}
			if tc.tx.Dst == other {
				tx[1].Dst = b4
			}
			if err := a.WriteBatch(tx); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(tx[0].Err, tc.err) || tx[1].Err != nil {
				t.Fatalf("errors %v, %v, want %v, none", tx[0].Err, tx[1].Err, tc.err)
			}
			rx := rxSlots(4, 2048)
			n, err := b.ReadBatch(rx)
			if err != nil {
				t.Fatal(err)
			}
			if string(rx[n-1].Data) != "last" {
				t.Fatalf("last of %d packets is %q", n, rx[n-1].Data)
			}
			if tc.err != nil {
				if n != 1 {
					t.Fatalf("%d packets, want 1", n)
				}
				return
			}
			if n != 2 {
				t.Fatalf("%d packets, want 2", n)
			}
			r := rx[0]
			if !bytes.Equal(r.Data, tc.tx.Data) || r.Src != tc.src || r.Dst != tc.tx.Dst ||
				r.ECN != tc.tx.ECN || r.EncapPort != tc.tx.EncapPort || r.Kind != transport.Datagram {
				t.Fatalf("got %+v for %+v", r, tc.tx)
			}
		})
	}
}

func TestQueueIsBounded(t *testing.T) {
	n := NewNetwork()
	a, err := n.NewLink(Config{Addrs: []netip.Addr{a4}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.NewLink(Config{Addrs: []netip.Addr{b4}, Queue: 3})
	if err != nil {
		t.Fatal(err)
	}
	rx := rxSlots(8, 64)
	for round := range 5 { // wraps the ring
		tx := make([]transport.TxSlot, 5)
		for i := range tx {
			tx[i] = transport.TxSlot{Dst: b4, Data: []byte{byte(i)}}
		}
		if err := a.WriteBatch(tx); err != nil {
			t.Fatal(err)
		}
		got, err := b.ReadBatch(rx)
		if err != nil || got != 3 {
			t.Fatalf("round %d: %d packets, %v; want 3", round, got, err)
		}
		for i := range got {
			if rx[i].Data[0] != byte(i) {
				t.Fatalf("packet %d is %d", i, rx[i].Data[0])
			}
		}
	}
	if b.Dropped() != 10 {
		t.Fatalf("%d dropped, want 10", b.Dropped())
	}
}

func TestMultihomed(t *testing.T) {
	n := NewNetwork()
	a1, a2 := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")
	a, err := n.NewLink(Config{Addrs: []netip.Addr{a1, a2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.NewLink(Config{Addrs: []netip.Addr{a2}}); err == nil {
		t.Fatal("an address was given twice")
	}
	b, err := n.NewLink(Config{Addrs: []netip.Addr{b4}})
	if err != nil {
		t.Fatal(err)
	}
	rx := rxSlots(4, 64)
	tx := []transport.TxSlot{{Src: a1, Dst: b4, Data: []byte("1")}, {Src: a2, Dst: b4, Data: []byte("2")}}
	if err := a.WriteBatch(tx); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.ReadBatch(rx); got != 2 || rx[0].Src != a1 || rx[1].Src != a2 {
		t.Fatalf("got %d packets from %v and %v", got, rx[0].Src, rx[1].Src)
	}
	if err := a.SetAddrs(a2); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteBatch(tx[:1]); err != nil || !errors.Is(tx[0].Err, transport.ErrUnreachable) {
		t.Fatalf("source that was removed: %v, %v", err, tx[0].Err)
	}
	if _, err := b.Route(a1); !errors.Is(err, transport.ErrUnreachable) {
		t.Fatalf("route to an address that was removed: %v", err)
	}
	r, err := b.Route(a2)
	if err != nil || r != (transport.Route{Src: b4, MTU: 1500, Overhead: 20}) {
		t.Fatalf("route %+v, %v", r, err)
	}
}

func TestHookAndInject(t *testing.T) {
	a, b := NewPair(0)
	var held []byte
	a.Network().SetHook(func(src, dst netip.Addr, data []byte) bool {
		switch data[0] {
		case 'd': // drop
			return false
		case 'h': // hold, to deliver later
			held = bytes.Clone(data)
			return false
		case 'r': // release what is held after this one
			data[0] = 'R'
			defer a.Network().Inject(transport.RxSlot{Data: held, Src: src, Dst: dst})
		}
		return true
	})
	tx := []transport.TxSlot{{Dst: b4, Data: []byte("h")}, {Dst: b4, Data: []byte("d")}, {Dst: b4, Data: []byte("r")}}
	if err := a.WriteBatch(tx); err != nil {
		t.Fatal(err)
	}
	rx := rxSlots(4, 64)
	n, err := b.ReadBatch(rx)
	if err != nil || n != 2 || string(rx[0].Data) != "h" || string(rx[1].Data) != "R" {
		t.Fatalf("%d packets, %v: %q %q", n, err, rx[0].Data, rx[1].Data)
	}
	if !a.Network().Inject(transport.RxSlot{Kind: transport.ICMPError, ICMP: transport.ICMPPacketTooBig, MTU: 1280, Src: a4, Dst: b4, Data: []byte("q")}) {
		t.Fatal("ICMP error not delivered")
	}
	if n, _ := a.ReadBatch(rx); n != 1 || rx[0].Kind != transport.ICMPError || rx[0].MTU != 1280 {
		t.Fatalf("%d, %+v", n, rx[0])
	}
}

// Blocked readers must count as blocked in a bubble, and Close must end them.
func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := NewPair(0)
		var wg sync.WaitGroup
		var at []time.Duration
		start := time.Now()
		wg.Go(func() {
			rx := rxSlots(4, 64)
			for {
				_, err := b.ReadBatch(rx)
				if err != nil {
					if !errors.Is(err, net.ErrClosed) {
						t.Error(err)
					}
					return
				}
				at = append(at, time.Since(start))
			}
		})
		for range 2 {
			<-time.After(time.Second)
			if err := a.WriteBatch([]transport.TxSlot{{Dst: b4, Data: []byte("x")}}); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if len(at) != 2 || at[0] != time.Second || at[1] != 2*time.Second {
			t.Errorf("read at %v", at)
		}
		if err := b.WriteBatch(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
		tx := []transport.TxSlot{{Dst: b4, Data: []byte("x")}}
		if err := a.WriteBatch(tx); err != nil || !errors.Is(tx[0].Err, transport.ErrUnreachable) {
			t.Errorf("write to a closed link: %v, %v", err, tx[0].Err)
		}
	})
}

func batch(dst netip.Addr, n, size int) []transport.TxSlot {
	tx := make([]transport.TxSlot, n)
	for i := range tx {
		tx[i] = transport.TxSlot{Dst: dst, Data: make([]byte, size)}
	}
	return tx
}

func TestAllocs(t *testing.T) {
	a, b := NewPair(0)
	tx, rx := batch(b6, 64, 1400), rxSlots(64, 2048)
	if n := testing.AllocsPerRun(100, func() {
		if err := a.WriteBatch(tx); err != nil {
			t.Fatal(err)
		}
		if n, err := b.ReadBatch(rx); n != 64 || err != nil {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}

func BenchmarkPacket(b *testing.B) {
	x, y := NewPair(0)
	tx, rx := batch(b4, 64, 1400), rxSlots(64, 2048)
	b.ReportAllocs()
	for i := 0; i < b.N; i += 64 {
		if err := x.WriteBatch(tx); err != nil {
			b.Fatal(err)
		}
		if _, err := y.ReadBatch(rx); err != nil {
			b.Fatal(err)
		}
	}
}
