package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport/mem"
)

func TestAcceptGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hz, _ := hosts(t)
		l := listen(t, hz, ":5000", nil)
		start := time.Now()
		l.SetDeadline(start.Add(time.Second))
		_, err := l.Accept()
		wantErr(t, err, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != time.Second {
			t.Errorf("after %v", d)
		}
		l.SetDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err = l.AcceptSCTP(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		_, err = l.AcceptSCTP(ctx)
		wantErr(t, err, context.DeadlineExceeded)

		errs := make(chan error)
		for range 3 {
			go func() { _, err := l.Accept(); errs <- err }()
		}
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for range 3 {
			wantErr(t, <-errs, net.ErrClosed)
		}
		_, err = l.Accept()
		wantErr(t, err, net.ErrClosed)
		wantErr(t, l.Close(), net.ErrClosed)
		wantErr(t, l.SetDeadline(start), net.ErrClosed)
	})
}

func TestDialRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		start := time.Now()
		_, err := ha.Dial(context.Background(), "10.0.0.2:5000", nil)
		wantErr(t, err, syscall.ECONNREFUSED)
		if d := time.Since(start); d > time.Millisecond {
			t.Errorf("after %v", d)
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Net != "sctp" || op.Addr.String() != "10.0.0.2:5000" || op.Timeout() {
			t.Errorf("%+v", op)
		}
		// A port that is used, but not listening.
		l := listen(t, hz, ":5000", nil)
		c := dial(t, ha, "10.0.0.2:5000", nil)
		l.Close()
		_, err = ha.Dial(context.Background(), "10.0.0.2:5000", nil)
		wantErr(t, err, syscall.ECONNREFUSED)
		// Nobody accepted it.
		_, err = c.Read(make([]byte, 1))
		wantErr(t, err, syscall.ECONNRESET)
	})
}

// R-8.4-05: a listener that closes between INIT ACK and COOKIE ECHO refuses as one that
// was never there.
func TestRefusedInHandshake(t *testing.T) {
	for i := range 16 { // the cookie may belong to any shard
		synctest.Test(t, func(t *testing.T) {
			ha, hz, n := hosts(t)
			l := listen(t, hz, ":5000", nil)
			if i%2 == 0 {
				dial(t, ha, "10.0.0.2:5000", nil) // keeps the endpoint
				accept(t, l)
			}
			n.SetHook(func(_, _ netip.Addr, p []byte) bool {
				if chunk.Type(p[chunk.HeaderLen]) == chunk.TypeCookieEcho {
					l.Close()
				}
				return true
			})
			start := time.Now()
			_, err := ha.Dial(context.Background(), "10.0.0.2:5000", nil)
			wantErr(t, err, syscall.ECONNREFUSED)
			if d := time.Since(start); d > time.Millisecond {
				t.Errorf("after %v", d)
			}
		})
	}
}

func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, _, n := hosts(t)
		inits := 0
		n.SetHook(func(_, _ netip.Addr, _ []byte) bool { inits++; return false })
		start := time.Now()
		_, err := ha.Dial(context.Background(), "10.0.0.2:5000", &socketapi.Config{MaxInitRetransmits: 3})
		wantErr(t, err, syscall.ETIMEDOUT)
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		// R-4-03, R-4-04, R-5.1-12: four INITs, the timeout doubles: 1 + 2 + 4 + 8 seconds.
		if d := time.Since(start); inits != 4 || d != 15*time.Second {
			t.Errorf("%d INITs, %v", inits, d)
		}

		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		start = time.Now()
		_, err = ha.Dial(ctx, "10.0.0.2:5000", nil)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
		inits = 0
		_, err = ha.Dial(ctx, "10.0.0.2:5000", nil)
		wantErr(t, err, context.DeadlineExceeded)
		<-time.After(time.Minute)
		if inits != 0 {
			t.Error("INITs were sent after the end of the context")
		}
		if n := ha.Stats().Associations; n != 0 {
			t.Errorf("%d associations left", n)
		}
	})
}

func TestDialErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, _, _ := hosts(t)
		ctx := context.Background()
		for _, c := range []struct {
			addr string
			cfg  *socketapi.Config
			want error
		}{
			{"10.0.0.77:5000", nil, syscall.ENETUNREACH},
			{"10.0.0.2:0", nil, syscall.EINVAL},
			{":5000", nil, syscall.EINVAL},
			{"10.0.0.2:5000", &socketapi.Config{LocalAddr: addr(t, "10.0.0.9:0")}, syscall.EADDRNOTAVAIL},
			{"10.0.0.2:5000", &socketapi.Config{LocalAddr: addr(t, "[fd00::1]:0")}, syscall.ENETUNREACH},
		} {
			conn, err := ha.Dial(ctx, c.addr, c.cfg)
			if conn != nil || err == nil {
				t.Errorf("%s: no error", c.addr)
			}
			wantErr(t, err, c.want)
		}
		if _, err := ha.Dial(ctx, "10.0.0.2", nil); err == nil {
			t.Error("no port, no error")
		}
		if _, err := ha.Dial(ctx, "10.0.0.2:5000", &socketapi.Config{Backlog: -1}); err == nil {
			t.Error("a bad configuration, no error")
		}
		if n := ha.Stats().Associations; n != 0 {
			t.Errorf("%d associations left", n)
		}
	})
}

func addr(t testing.TB, s string) *socketapi.Addr {
	t.Helper()
	a, err := socketapi.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, hz, _ := hosts(t)
		l := listen(t, hz, "10.0.0.2:5000", nil)
		_, err := hz.Listen("10.0.0.2:5000", nil)
		wantErr(t, err, syscall.EADDRINUSE)
		_, err = hz.Listen(":5000", nil)
		wantErr(t, err, syscall.EADDRINUSE)
		listen(t, hz, "[fd00::2]:5000", nil) // another address
		_, err = hz.Dial(context.Background(), "10.0.0.1:6000", &socketapi.Config{LocalAddr: addr(t, "10.0.0.2:5000")})
		wantErr(t, err, syscall.EADDRINUSE)
		_, err = hz.Listen("10.0.0.3:5000", nil)
		wantErr(t, err, syscall.EADDRNOTAVAIL)
		l.Close()
		listen(t, hz, "10.0.0.2:5000", nil)
		p := listen(t, hz, ":0", nil).Addr().(*socketapi.Addr)
		if p.Port == 0 || p.String() != fmt.Sprintf(":%d", p.Port) {
			t.Error(p)
		}
	})
}

func TestBacklogFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		l := listen(t, hz, ":5000", &socketapi.Config{Backlog: 2})
		var conns []*socketapi.Conn
		for range 2 {
			conns = append(conns, dial(t, ha, "10.0.0.2:5000", nil))
		}
		_, err := ha.Dial(context.Background(), "10.0.0.2:5000", nil)
		wantErr(t, err, syscall.ECONNREFUSED)
		accept(t, l)
		conns = append(conns, dial(t, ha, "10.0.0.2:5000", nil))
		l.Close()
		send(t, conns[0], 0, "accepted")
		for _, c := range conns[1:] {
			_, err := c.Read(make([]byte, 1))
			wantErr(t, err, syscall.ECONNRESET)
		}
	})
}

// A peer may send, and even be gone, before it is accepted.
func TestAcceptLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		l := listen(t, hz, ":5000", nil)
		for _, graceful := range []bool{true, false} {
			c := dial(t, ha, "10.0.0.2:5000", nil)
			send(t, c, 0, "early")
			if graceful {
				c.Close()
			} else {
				synctest.Wait()
				c.Abort("")
			}
			synctest.Wait()
			z := accept(t, l)
			want(t, z, "early")
			if _, err := z.Read(make([]byte, 1)); graceful != (err == io.EOF) || !graceful && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
			z.Close()
		}
		<-time.After(time.Minute)
		if n := hz.Stats().Associations; n != 0 {
			t.Errorf("%d associations left", n)
		}
	})
}

// Dialling, accepting, closing and aborting at once: every goroutine comes to
// an end with an error that fits, and nothing is left.
func TestAcceptCloseRaces(t *testing.T) {
	for seed := range 20 {
		synctest.Test(t, func(t *testing.T) {
			ha, hz, _ := hosts(t)
			l := listen(t, hz, ":5000", &socketapi.Config{Backlog: 4})
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					c, err := ha.Dial(context.Background(), "10.0.0.2:5000", nil)
					if err != nil {
						if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ECONNRESET) {
							t.Error(err)
						}
						return
					}
					c.Write([]byte("hello"))
					switch (i + seed) % 4 {
					case 0:
						c.Close()
					case 1:
						c.Abort("")
					case 2:
						go c.Close()
						go c.Abort("")
						c.Read(make([]byte, 10))
					case 3:
						c.Read(make([]byte, 10))
						c.Close()
					}
				})
			}
			for range 2 {
				wg.Go(func() {
					for {
						c, err := l.Accept()
						if err != nil {
							wantErr(t, err, net.ErrClosed)
							return
						}
						wg.Go(func() {
							io.Copy(c, c)
							c.Close()
						})
					}
				})
			}
			if seed%2 == 0 {
				<-time.After(time.Duration(seed) * time.Millisecond)
			}
			l.Close()
			wg.Wait()
			<-time.After(10 * time.Minute)
			if n, m := ha.Stats().Associations, hz.Stats().Associations; n+m != 0 {
				t.Errorf("%d and %d associations left", n, m)
			}
			listen(t, hz, ":5000", nil) // the port is free again
		})
	}
}

func TestSeveralAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNetwork()
		mk := func(addrs ...string) *socketapi.Host {
			var ips []netip.Addr
			for _, a := range addrs {
				ips = append(ips, netip.MustParseAddr(a))
			}
			l, err := n.NewLink(mem.Config{Addrs: ips})
			if err != nil {
				t.Fatal(err)
			}
			return newHost(t, l)
		}
		hz := mk("10.1.0.2", "10.2.0.2", "10.3.0.2", "fd00::2")
		ha := mk("10.1.0.1", "fd00::1")
		l := listen(t, hz, "10.1.0.2/10.2.0.2/[fd00::2]:38412", nil)
		if s := l.Addr().String(); s != "10.1.0.2/10.2.0.2/[fd00::2]:38412" {
			t.Error(s)
		}
		for _, to := range []string{"10.1.0.2:38412", "10.2.0.2,10.1.0.2:38412", "[fd00::2]:38412", "[::ffff:10.1.0.2]:38412"} {
			c := dial(t, ha, to, &socketapi.Config{AllAddresses: true})
			z := accept(t, l)
			send(t, c, 0, to)
			want(t, z, to)
			// The peer has told of its other addresses.
			r := c.RemoteAddr().(*socketapi.Addr)
			if len(r.IPs) != 3 || r.IPs[0] != addr(t, to).IPs[0] || r.Port != 38412 {
				t.Errorf("%s: the peer is at %v", to, r)
			}
			la := z.LocalAddr().(*socketapi.Addr)
			if !slices.Equal(la.IPs, addr(t, l.Addr().String()).IPs) {
				t.Errorf("%s: the listener's end is at %v", to, la)
			}
			if err := c.CloseWait(context.Background()); err != nil {
				t.Error(err)
			}
			z.Close()
		}
		// Not one of those that it listens at.
		_, err := ha.Dial(context.Background(), "10.3.0.2:38412", nil)
		wantErr(t, err, syscall.ECONNREFUSED)
		// Our own choice.
		c := dial(t, ha, "10.1.0.2:38412", &socketapi.Config{LocalAddr: addr(t, "10.1.0.1:7777")})
		if z := accept(t, l); z.RemoteAddr().String() != "10.1.0.1:7777" || c.LocalAddr().String() != "10.1.0.1:7777" {
			t.Error(z.RemoteAddr(), c.LocalAddr())
		}
	})
}

func TestZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := mem.NewNetwork()
		la, err := n.NewLink(mem.Config{Addrs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}})
		if err != nil {
			t.Fatal(err)
		}
		lz, err := n.NewLink(mem.Config{Addrs: []netip.Addr{netip.MustParseAddr("fe80::2%eth0")}})
		if err != nil {
			t.Fatal(err)
		}
		l := listen(t, newHost(t, lz), "[fe80::2%eth0]:5000", nil)
		c := dial(t, newHost(t, la), "[fe80::2%eth0]:5000", nil)
		if s := c.RemoteAddr().String(); s != "[fe80::2%eth0]:5000" {
			t.Error(s)
		}
		if s := accept(t, l).RemoteAddr().(*socketapi.Addr).IPs[0].String(); s != "fe80::1%eth0" {
			t.Error(s)
		}
	})
}

// Signalling uses one port on both sides; both may dial.
func TestSamePortOnBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := hosts(t)
		la, lz := listen(t, ha, ":38412", nil), listen(t, hz, ":38412", nil)
		c, err := la.Dial(context.Background(), "10.0.0.2:38412", nil)
		if err != nil {
			t.Fatal(err)
		}
		z := accept(t, lz)
		if s := z.RemoteAddr().String(); s != "10.0.0.1:38412" {
			t.Error(s)
		}
		_, err = lz.Dial(context.Background(), "10.0.0.1:38412", nil)
		wantErr(t, err, syscall.EISCONN)
		send(t, c, 0, "x")
		want(t, z, "x")
		if err := c.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute)
		// At the same time: one association comes of it. The first INITs are
		// lost, for the mem link would deliver one before the other is sent.
		n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
		time.AfterFunc(time.Millisecond, func() { n.SetHook(nil) })
		conns := make(chan *socketapi.Conn)
		for _, d := range []struct {
			l  *socketapi.Listener
			to string
		}{{la, "10.0.0.2:38412"}, {lz, "10.0.0.1:38412"}} {
			go func() {
				c, err := d.l.Dial(context.Background(), d.to, &socketapi.Config{OutStreams: 3})
				if err != nil {
					t.Error(err)
				}
				conns <- c
			}()
		}
		a, b := <-conns, <-conns
		if a == nil || b == nil {
			return
		}
		send(t, a, 2, "both ends dialled")
		want(t, b, "both ends dialled")
		if s := ha.Stats(); s.Associations != 1 {
			t.Errorf("%d associations", s.Associations)
		}
	})
}

// One host may talk to itself.
func TestSameHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, _, _ := hosts(t)
		l := listen(t, ha, ":5000", nil)
		c := dial(t, ha, "10.0.0.1:5000", nil)
		z := accept(t, l)
		send(t, c, 0, "to myself")
		want(t, z, "to myself")
		send(t, z, 1, "and back")
		want(t, c, "and back")
	})
}

func TestHostClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := hosts(t)
		l := listen(t, hz, ":5000", nil)
		c := dial(t, ha, "10.0.0.2:5000", nil)
		z := accept(t, l)
		waiting := dial(t, ha, "10.0.0.2:5000", nil)
		errs := make(chan error, 2)
		go func() { _, err := z.Read(make([]byte, 1)); errs <- err }()
		idle := listen(t, hz, ":5002", nil)
		go func() { _, err := idle.Accept(); errs <- err }()
		synctest.Wait()
		if err := hz.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			wantErr(t, <-errs, net.ErrClosed)
		}
		// The peers are told. R-9-01
		for _, c := range []*socketapi.Conn{c, waiting} {
			_, err := c.Read(make([]byte, 1))
			wantErr(t, err, syscall.ECONNRESET)
		}
		wantErr(t, hz.Close(), net.ErrClosed)
		_, err := hz.Listen(":5001", nil)
		wantErr(t, err, net.ErrClosed)
		_, err = hz.Dial(context.Background(), "10.0.0.1:5001", nil)
		wantErr(t, err, net.ErrClosed)

		// Also who waits for a peer's answer.
		n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
		hb := ha
		go func() { _, err := hb.Dial(context.Background(), "10.0.0.1:5001", nil); errs <- err }()
		synctest.Wait()
		hb.Close()
		wantErr(t, <-errs, net.ErrClosed)
	})
}
