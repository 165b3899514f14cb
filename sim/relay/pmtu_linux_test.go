package relay

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/socketapi"
)

// transfer is an association over real sockets on which A sends without a
// pause, until stop, and every message is checked.
type transfer struct {
	t    *testing.T
	c, z *socketapi.Conn
	got  atomic.Int64
	sent int64
	quit chan struct{}
	idle chan struct{} // nothing is sent any more
	wg   sync.WaitGroup
}

const messageSize = 20000

// in runs something in a namespace.
type in func(func() error) error

func startTransfer(t *testing.T, ctx context.Context, a, b in, kind socketapi.Transport, addr string) *transfer {
	t.Helper()
	ha, hz := mustHost(t, a, kind), mustHost(t, b, kind)
	var l *socketapi.Listener
	err := b(func() (err error) { // links over UDP are opened now
		l, err = socketapi.Listen(addr, &socketapi.Config{Host: hz})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	x := &transfer{t: t, quit: make(chan struct{}), idle: make(chan struct{})}
	err = a(func() (err error) {
		x.c, err = socketapi.Dial(ctx, addr, &socketapi.Config{Host: ha, PathMTURaise: 3 * time.Second, SendBuffer: 200 << 10})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if x.z, err = l.AcceptSCTP(ctx); err != nil {
		t.Fatal(err)
	}
	deadline, _ := ctx.Deadline()
	x.c.SetDeadline(deadline)
	x.z.SetDeadline(deadline)
	x.wg.Go(func() {
		p := make([]byte, messageSize+1)
		for {
			n, _, err := x.z.RecvMsg(p)
			if err != nil {
				return
			}
			if i := x.got.Load(); n != messageSize || binary.BigEndian.Uint64(p) != uint64(i) || binary.BigEndian.Uint64(p[n-8:]) != uint64(i) {
				t.Errorf("message %d: %d bytes, %x", i, n, p[:8])
				return
			}
			x.got.Add(1)
		}
	})
	x.wg.Go(func() {
		defer close(x.idle)
		p := make([]byte, messageSize)
		for {
			select {
			case <-x.quit:
				return
			default:
			}
			binary.BigEndian.PutUint64(p, uint64(x.sent))
			binary.BigEndian.PutUint64(p[messageSize-8:], uint64(x.sent))
			if _, err := x.c.SendMsg(socketapi.SendInfo{}, p); err != nil {
				t.Errorf("message %d: %v", x.sent, err)
				return
			}
			x.sent++
		}
	})
	return x
}

// until waits until the path MTU is within bounds and a hundred messages more
// have arrived, and returns how long the former took.
func (x *transfer) until(ctx context.Context, what string, low, high int) time.Duration {
	x.t.Helper()
	start := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	took, goal := time.Duration(0), int64(0)
	for {
		p := x.c.Status().Paths[0]
		if took == 0 && p.PMTU >= low && p.PMTU <= high {
			took, goal = time.Since(start), x.got.Load()+100
		}
		if took > 0 && x.got.Load() >= goal {
			return took
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			x.t.Fatalf("%s: path MTU %d (%s), want %d to %d; %d messages arrived", what, p.PMTU, p.PMTUSearch, low, high, x.got.Load())
		}
	}
}

func (x *transfer) end(ctx context.Context) {
	x.t.Helper()
	close(x.quit)
	<-x.idle
	if err := x.c.CloseWrite(); err != nil {
		x.t.Error(err)
	}
	x.wg.Wait()
	if err := x.c.CloseWait(ctx); err != nil {
		x.t.Error(err)
	}
	if got := x.got.Load(); got != x.sent {
		x.t.Errorf("%d of %d messages arrived", got, x.sent)
	}
	x.z.Close()
}

func mustHost(t *testing.T, do in, kind socketapi.Transport) (h *socketapi.Host) {
	t.Helper()
	err := do(func() (err error) {
		h, err = socketapi.NewHost(socketapi.HostConfig{Transport: kind})
		return err
	})
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// The path MTU shrinks in mid-transfer, with ICMP messages and without, and
// grows again. Raw IP and UDP encapsulation, IPv4 and IPv6, on the kernel's
// sockets. R-7.3-01 R-6.9-08
func TestPathMTUInNamespaces(t *testing.T) {
	for _, kind := range []socketapi.Transport{socketapi.RawIP, socketapi.UDP} {
		for _, addr := range []string{"10.79.0.2:5000", "[fd79::2]:5000"} {
			for _, silent := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v %s silent=%v", kind, addr, silent), func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
					defer cancel()
					lab := newLab(t, LabConfig{})
					x := startTransfer(t, ctx, lab.A.Do, lab.B.Do, kind, addr)
					x.until(ctx, "at first", 1500, 1500)
					if err := lab.Relay.Set(impair.Config{MTU: 1350, Silent: silent}, impair.Config{}); err != nil {
						t.Fatal(err)
					}
					t.Logf("the smaller path is noticed after %v", x.until(ctx, "shrunk", 500, 1350))
					x.until(ctx, "found", 1330, 1350)
					if err := lab.Relay.Set(impair.Config{}, impair.Config{}); err != nil {
						t.Fatal(err)
					}
					x.until(ctx, "grown", 1500, 1500)
					x.end(ctx)
				})
			}
		}
	}
}

// The same with the kernel as the router, whose second link shrinks.
func TestPathMTUBehindARouter(t *testing.T) {
	for _, addr := range []string{"10.3.0.2:5000", "[fd03::2]:5000"} {
		t.Run(addr, func(t *testing.T) {
			a, r, b := nstest.New(t), nstest.New(t), nstest.New(t)
			nstest.Wire(a, r, "w0", "w1")
			nstest.Wire(r, b, "x0", "x1")
			a.Up("w0", 1500, "10.2.0.1/24", "fd02::1/64")
			r.Up("w1", 1500, "10.2.0.2/24", "fd02::2/64")
			r.Up("x0", 1500, "10.3.0.1/24", "fd03::1/64")
			b.Up("x1", 1500, "10.3.0.2/24", "fd03::2/64")
			r.Forward()
			a.Route("10.3.0.0/24", "10.2.0.2")
			a.Route("fd03::/64", "fd02::2")
			b.Route("10.2.0.0/24", "10.3.0.1")
			b.Route("fd02::/64", "fd03::1")
			do := func(h *nstest.Host) in {
				return func(f func() error) (err error) {
					h.Do(func() { err = f() })
					return err
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			x := startTransfer(t, ctx, do(a), do(b), socketapi.RawIP, addr)
			x.until(ctx, "at first", 1500, 1500)
			r.Up("x0", 1350)
			t.Logf("the smaller path is noticed after %v", x.until(ctx, "shrunk", 500, 1350))
			x.until(ctx, "found", 1330, 1350)
			r.Up("x0", 1500)
			x.until(ctx, "grown", 1500, 1500)
			x.end(ctx)
		})
	}
}
