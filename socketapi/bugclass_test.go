package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/socketapi"
)

// The classes of bugs that SCTP stacks have had, here those that users meet: G
// lifetime and concurrency, H what users hand in. The others are in package
// stack; docs/BUGCLASSES.md says which known bug belongs to which.

// TestBugClassGLifetime: everything that can be called is, from many goroutines,
// while associations end in every way: nobody hangs, nobody gets something that
// belongs to another, and all memory comes back. The race detector watches in CI.
func TestBugClassGLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		cfg := &socketapi.Config{SendBuffer: 4096, RecvBuffer: 8192, RTOMin: 10 * time.Millisecond, RTOInitial: 10 * time.Millisecond}
		l := listen(t, hz, ":5000", cfg)
		var wg sync.WaitGroup
		run := func(f func()) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				f()
			}()
		}
		// use does to a Conn all that can be done, until it is closed.
		use := func(c *socketapi.Conn, end int) {
			c.OnNotification(func(n socketapi.Notification) {
				c.Status() // a callback may use the Conn,
				if n.Kind == socketapi.AssocChanged && end == 4 {
					c.Close() // and close it
				}
			})
			for range 3 {
				run(func() { // blocks for want of room
					for {
						if _, err := c.Write(make([]byte, 3000)); err != nil {
							return
						}
						<-time.After(time.Millisecond) // or no time would pass here
					}
				})
			}
			run(func() {
				buf := make([]byte, 10000)
				for {
					if _, _, err := c.RecvMsg(buf); err != nil {
						return
					}
				}
			})
			run(func() { // the same, and sets deadlines and primaries
				for i := range 50 {
					c.SetReadDeadline(time.Now().Add(time.Millisecond))
					c.SetPrimary(c.RemoteAddr().(*socketapi.Addr).IPs[0])
					c.Status()
					c.RecvMsg(make([]byte, 10))
					c.SetDeadline(time.Time{})
					<-time.After(time.Duration(i) * 100 * time.Microsecond)
				}
			})
			run(func() {
				<-time.After(time.Duration(1+end) * 3 * time.Millisecond)
				switch end {
				case 0:
					c.Close()
				case 1:
					c.Abort("enough")
				case 2:
					c.CloseWrite()
					<-time.After(10 * time.Millisecond)
					c.Close()
					c.Abort("")
				case 3:
					ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
					c.CloseWait(ctx)
					cancel()
					c.Close()
				}
				for range 3 { // and again, at the same time
					run(func() { c.Close(); c.Abort("again") })
				}
			})
		}
		run(func() {
			for i := 0; ; i++ {
				c, err := l.AcceptSCTP(context.Background())
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err == nil {
					use(c, i%5)
				}
			}
		})
		for i := range 25 {
			run(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Millisecond)
				defer cancel()
				c, err := ha.Dial(ctx, "10.0.0.2:5000", cfg)
				if err == nil {
					use(c, (i+2)%5)
				}
			})
			run(func() { ha.Stats(); hz.Stats(); ha.Addrs() })
		}
		<-time.After(100 * time.Millisecond)
		l.Close()
		<-time.After(100 * time.Millisecond)
		hz.Close()
		ha.Close()
		wg.Wait()
		for _, h := range []*socketapi.Host{ha, hz} {
			if s := h.Stats(); s.Associations != 0 || s.Buffers != 0 || s.RecvMemory != 0 || s.Contained != 0 {
				t.Errorf("%d associations, %d buffers, %d bytes, %d panics", s.Associations, s.Buffers, s.RecvMemory, s.Contained)
			}
		}
	})
}

// TestBugClassHConfig: every field of Config with every odd value either is
// refused, or the association works with it: no overflow, shift or division by
// what a user chose.
func TestBugClassHConfig(t *testing.T) {
	odd := []int64{math.MinInt64, math.MinInt32, -1, 1, 2, 3, 1000, 1001, 4096, 65535, 65536, 1 << 20, math.MaxInt32, 1 << 40, 1 << 62, math.MaxInt64}
	typ := reflect.TypeFor[socketapi.Config]()
	tried, worked := 0, 0
	host, _, _ := hosts(t)
	for i := range typ.NumField() {
		f := typ.Field(i)
		for _, n := range odd {
			cfg := &socketapi.Config{}
			v := reflect.ValueOf(cfg).Elem().Field(i)
			switch {
			case v.CanInt() && !v.OverflowInt(n):
				v.SetInt(n)
			case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
				v.SetUint(uint64(n))
			default:
				continue
			}
			if f.Name == "RemoteUDPPort" {
				continue // there is no UDP here
			}
			tried++
			if cfg.Validate() != nil {
				if _, err := host.Dial(t.Context(), "10.0.0.2:5000", cfg); err == nil {
					t.Errorf("%s %d: Dial took what Validate refuses", f.Name, n)
				}
				continue
			}
			worked++
			t.Run(fmt.Sprintf("%s=%d", f.Name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					a, z, _ := pair(t, cfg)
					sum := 0
					go func() {
						for range 20 {
							a.Write(make([]byte, 2000))
						}
						a.CloseWait(t.Context())
					}()
					buf := make([]byte, 70000)
					for {
						n, _, err := z.RecvMsg(buf)
						sum += n
						if err == io.EOF {
							break
						} else if err != nil {
							t.Fatal(err)
						}
					}
					if sum != 40000 {
						t.Errorf("%d bytes of 40000", sum)
					}
					if d := time.Since(start); d > time.Minute {
						t.Errorf("it took %v", d)
					}
				})
			})
		}
	}
	if tried < 200 || worked < 60 {
		t.Errorf("%d values tried, %d worked", tried, worked)
	}
	// Hosts, too.
	for _, n := range odd {
		for _, hc := range []socketapi.HostConfig{{RecvMemory: int(n)}, {MaxAssociations: int(n)}, {OutOfBlueRate: int(n)}, {Shards: int(n)}} {
			la, lz := newLinks()
			hc.Links = la
			h, err := socketapi.NewHost(hc)
			if err != nil {
				continue
			}
			hc.Links = lz
			z, err := socketapi.NewHost(hc)
			if err != nil {
				t.Fatal(err)
			}
			l, err := z.Listen(":5000", nil)
			if err != nil {
				t.Fatal(err)
			}
			c, err := h.Dial(t.Context(), "10.0.0.2:5000", nil)
			if err != nil {
				t.Fatalf("%+v: %v", hc, err)
			}
			a, err := l.AcceptSCTP(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			send(t, c, 0, string(make([]byte, 3000)))
			want(t, a, string(make([]byte, 3000)))
			h.Close()
			z.Close()
		}
	}
	// And messages.
	a, z, _ := pair(t, nil)
	for _, n := range []int{0, 1<<20 + 1, 1 << 24} {
		if _, err := a.SendMsg(socketapi.SendInfo{}, make([]byte, n)); err == nil {
			t.Errorf("a message of %d bytes was taken", n)
		}
	}
	for _, s := range []uint16{10, 11, 32768, 65535} {
		if _, err := a.SendMsg(socketapi.SendInfo{Stream: s}, []byte("x")); err == nil {
			t.Errorf("stream %d was taken", s)
		}
	}
	send(t, a, 9, "still works")
	want(t, z, "still works")
}
