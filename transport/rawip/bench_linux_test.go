package rawip

import (
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/transport"
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

// echo sends packets for port 2000 back to port 1000.
func echo(l *Link) {
	if _, err := l.Reserve(2000); err != nil {
		return
	}
	rx := rxSlots(64, 2048)
	tx := []transport.TxSlot{{Dst: addr("127.0.0.1"), Data: packet(2000, 1000, 64, 0)}}
	for {
		n, err := l.ReadBatch(rx)
		if err != nil {
			return
		}
		for range n {
			if l.WriteBatch(tx) != nil {
				return
			}
		}
	}
}

// A packet there and one back: the cost of being woken.
func BenchmarkPingPong(b *testing.B) {
	for _, where := range []string{"goroutine", "process"} {
		b.Run(where, func(b *testing.B) {
			h := nstest.New(b)
			x := open(b, h, Config{NoResponder: true})
			reserve(b, x, 1000)
			if where == "process" {
				start(b, h, "echo")
			} else {
				y := open(b, h, Config{NoResponder: true})
				go echo(y)
			}
			// Until the other one has its port, nothing comes back.
			got := make(chan error)
			go func() {
				_, err := x.ReadBatch(rxSlots(1, 2048))
				got <- err
			}()
			tx := []transport.TxSlot{{Dst: addr("127.0.0.1"), Data: packet(1000, 2000, 64, 0)}}
			for waiting := true; waiting; {
				send(b, x, tx...)
				select {
				case err := <-got:
					if err != nil {
						b.Fatal(err)
					}
					waiting = false
				case <-time.After(time.Millisecond):
				}
			}
			rx := rxSlots(64, 2048)
			b.ReportAllocs()
			for b.Loop() {
				if err := x.WriteBatch(tx); err != nil {
					b.Fatal(err)
				}
				if _, err := x.ReadBatch(rx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What one goroutine sends and another reads at the same time.
func BenchmarkStream(b *testing.B) {
	for _, gather := range []time.Duration{0, 30 * time.Microsecond} {
		b.Run("gather="+gather.String(), func(b *testing.B) { stream(b, gather) })
	}
}

func stream(b *testing.B, gather time.Duration) {
	hx, hy := nstest.New(b), nstest.New(b)
	nstest.Wire(hx, hy, "w0", "w1")
	hx.Up("w0", 1500, "10.2.0.1/24")
	hy.Up("w1", 1500, "10.2.0.2/24")
	x, y := open(b, hx, Config{NoResponder: true}), open(b, hy, Config{NoResponder: true, Gather: gather})
	reserve(b, y, 2000)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		rx := rxSlots(64, 2048)
		for {
			if _, err := y.ReadBatch(rx); err != nil {
				return
			}
		}
	}()
	tx := make([]transport.TxSlot, 32)
	for i := range tx {
		tx[i] = transport.TxSlot{Dst: addr("10.2.0.2"), Data: packet(1, 2000, 1480, 0)}
	}
	b.SetBytes(1480)
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(tx) {
		if err := x.WriteBatch(tx); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	s := y.Stats()
	b.ReportMetric(float64(s.PacketsIn)/float64(x.Stats().PacketsOut), "received/sent")
	b.ReportMetric(float64(s.PacketsIn)/float64(s.RecvCalls), "packets/call")
	y.Close()
	<-stop
}
