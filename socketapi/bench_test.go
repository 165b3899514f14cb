package socketapi_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gosctp/gosctp/socketapi"
)

// drain reads until n messages have come.
func drain(b *testing.B, c *socketapi.Conn, n int) {
	p := make([]byte, 1<<20)
	for i := 0; i < n; {
		_, info, err := c.RecvMsg(p)
		if err != nil {
			b.Error(err)
			return
		}
		if info.EOR {
			i++
		}
	}
}

// measure runs f and reports what it cost; f moves b.N messages of size bytes
// from each of the conns.
func measure(b *testing.B, size int, f func(), from ...*socketapi.Conn) {
	packets := func() (n uint64) {
		for _, c := range from {
			n += c.Status().Paths[0].Packets
		}
		return n
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	p0, cpu0, t0 := packets(), cpuTime(), time.Now()
	f()
	took, cpu, p := time.Since(t0), cpuTime()-cpu0, packets()-p0
	b.StopTimer()
	n := float64(b.N * len(from))
	b.ReportMetric(n*float64(size)*8/float64(took.Nanoseconds()), "Gbit/s")
	b.ReportMetric(n/took.Seconds(), "msg/s")
	if cpu > 0 {
		// Both sides are in this process.
		b.ReportMetric(float64(cpu.Nanoseconds())/float64(p)/2, "cpu-ns/datagram/side")
	}
}

// BenchmarkMemBulk moves messages one way as fast as they go.
func BenchmarkMemBulk(b *testing.B) {
	for _, size := range []int{100, 1400, 16 << 10, 256 << 10} {
		for _, noDelay := range []bool{false, true} {
			if noDelay && size != 100 {
				continue
			}
			name := fmt.Sprint(size)
			if noDelay {
				name += "-nodelay"
			}
			b.Run(name, func(b *testing.B) {
				a, z, _ := pair(b, &socketapi.Config{NoDelay: noDelay})
				p := make([]byte, size)
				measure(b, size, func() {
					done := make(chan struct{})
					go func() {
						drain(b, z, b.N)
						close(done)
					}()
					for range b.N {
						if _, err := a.SendMsg(socketapi.SendInfo{PPID: 7}, p); err != nil {
							b.Error(err)
							return
						}
					}
					<-done
				}, a)
			})
		}
	}
}

// BenchmarkMemBoth moves messages both ways at once.
func BenchmarkMemBoth(b *testing.B) {
	const size = 1400
	a, z, _ := pair(b, nil)
	measure(b, size, func() {
		var wg sync.WaitGroup
		for _, c := range []*socketapi.Conn{a, z} {
			wg.Go(func() { drain(b, c, b.N) })
			wg.Go(func() {
				p := make([]byte, size)
				for range b.N {
					if _, err := c.Write(p); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}, a, z)
}

// BenchmarkMemPingPong is request and response: what an op takes is the round
// trip.
func BenchmarkMemPingPong(b *testing.B) {
	for _, size := range []int{100, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			a, z, _ := pair(b, &socketapi.Config{NoDelay: true})
			go func() {
				q := make([]byte, size)
				for {
					n, err := z.Read(q)
					if err != nil {
						return
					}
					if _, err := z.Write(q[:n]); err != nil {
						return
					}
				}
			}()
			p := make([]byte, size)
			measure(b, size, func() {
				for range b.N {
					if _, err := a.Write(p); err != nil {
						b.Error(err)
						return
					}
					if _, err := a.Read(p); err != nil {
						b.Error(err)
						return
					}
				}
			}, a)
			a.Abort("")
		})
	}
}
