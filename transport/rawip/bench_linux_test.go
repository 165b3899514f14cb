package rawip

import (
	"testing"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/nstest"
)

// Both directions of one thread's work, kernel included: packets are sent and
// then read, in batches.
func BenchmarkSendAndRead(b *testing.B) {
	for _, dst := range []string{"127.0.0.1", "::1"} {
		name := "v4"
		if addr(dst).Is6() {
			name = "v6"
		}
		b.Run(name, func(b *testing.B) {
			h := nstest.New(b)
			x, y := open(b, h, Config{NoResponder: true}), open(b, h, Config{NoResponder: true})
			reserve(b, y, 2000)
			tx := make([]transport.TxSlot, 32)
			for i := range tx {
				tx[i] = transport.TxSlot{Src: addr(dst), Dst: addr(dst), Data: packet(1, 2000, 1400, 0)}
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

// A packet there and one back, two goroutines: the cost of being woken.
func BenchmarkPingPong(b *testing.B) {
	h := nstest.New(b)
	x, y := open(b, h, Config{NoResponder: true}), open(b, h, Config{NoResponder: true})
	reserve(b, x, 1000)
	reserve(b, y, 2000)
	go func() {
		rx := rxSlots(64, 2048)
		tx := []transport.TxSlot{{Dst: addr("127.0.0.1"), Data: packet(2000, 1000, 64, 0)}}
		for {
			n, err := y.ReadBatch(rx)
			if err != nil {
				return
			}
			for range n {
				if y.WriteBatch(tx) != nil {
					return
				}
			}
		}
	}()
	rx := rxSlots(64, 2048)
	tx := []transport.TxSlot{{Dst: addr("127.0.0.1"), Data: packet(1000, 2000, 64, 0)}}
	b.ReportAllocs()
	for b.Loop() {
		if err := x.WriteBatch(tx); err != nil {
			b.Fatal(err)
		}
		if _, err := x.ReadBatch(rx); err != nil {
			b.Fatal(err)
		}
	}
}
