package socketapi_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// subnets are two hosts that are joined by several networks: 10.1.0.0/24,
// 10.2.0.0/24 ..., in each of which the first is .1 and the second .2.
type subnets struct {
	a, z *socketapi.Host
	nets []*mem.Network
	dead []atomic.Bool
	data []atomic.Int64 // packets with user data from .1 to .2
}

func newSubnets(t *testing.T, n int) *subnets {
	s := &subnets{dead: make([]atomic.Bool, n), data: make([]atomic.Int64, n)}
	var links [2][]transport.Link
	for i := range n {
		net := mem.NewNetwork()
		s.nets = append(s.nets, net)
		for j := range 2 {
			l, err := net.NewLink(mem.Config{Addrs: []netip.Addr{s.addr(i, j)}})
			if err != nil {
				t.Fatal(err)
			}
			links[j] = append(links[j], l)
		}
		net.SetHook(func(src, _ netip.Addr, data []byte) bool {
			if src == s.addr(i, 0) && data[12] == 0 {
				s.data[i].Add(1)
			}
			return !s.dead[i].Load()
		})
	}
	s.a, s.z = newHost(t, links[0]...), newHost(t, links[1]...)
	return s
}

func (s *subnets) addr(network, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(network + 1), 0, byte(host + 1)})
}

// log collects notifications about paths.
type pathLog struct {
	mu   sync.Mutex
	list []string
}

func (l *pathLog) of(c *socketapi.Conn, name string) {
	c.OnNotification(func(n socketapi.Notification) {
		if n.Kind == socketapi.PathChanged {
			l.mu.Lock()
			l.list = append(l.list, fmt.Sprintf("%s %v %d", name, n.Addr, n.Path))
			l.mu.Unlock()
		}
	})
}

func (l *pathLog) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(l.list)), want) {
		t.Errorf("notifications %q, want %q", l.list, want)
	}
	l.list = nil
}

// R-6.4.1-01 R-8.2-03 R-8.2-05 R-8.3-13
func TestPaths(t *testing.T) {
	for _, wildcard := range []bool{false, true} {
		t.Run(fmt.Sprintf("wildcard %v", wildcard), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPaths(t, wildcard) })
		})
	}
}

func testPaths(t *testing.T, wildcard bool) {
	s := newSubnets(t, 2)
	// RTO is 100 ms, and doubles: 100+200+400 ms make three failures.
	cfg := &socketapi.Config{
		RTOInitial: 100 * time.Millisecond, RTOMin: 100 * time.Millisecond, RTOMax: time.Second,
		MaxPathRetransmits: 2, HeartbeatInterval: time.Second, SackDelay: 10 * time.Millisecond,
	}
	at := "10.1.0.2/10.2.0.2:5000"
	mine := *cfg
	if wildcard {
		at = ":5000"
	} else {
		mine.LocalAddr = addr(t, "10.1.0.1/10.2.0.1:0")
	}
	l := listen(t, s.z, at, cfg)
	c := dial(t, s.a, "10.1.0.2/10.2.0.2:5000", &mine)
	z := accept(t, l)
	var log pathLog
	log.of(c, "A")
	log.of(z, "Z")

	// Numbered messages, one each 10 ms; each end reads all the time, for
	// notifications too.
	var wg sync.WaitGroup
	arrived := make(chan struct{})
	var n atomic.Int64
	wg.Go(func() {
		defer close(arrived)
		p := make([]byte, 100)
		for {
			m, _, err := z.RecvMsg(p)
			if err != nil {
				return
			}
			if want := fmt.Sprint(n.Add(1)); string(p[:m]) != want {
				t.Errorf("received %q, want %q", p[:m], want)
			}
		}
	})
	wg.Go(func() {
		p := make([]byte, 100)
		for {
			if _, _, err := c.RecvMsg(p); err != nil {
				return
			}
		}
	})
	sent := 0
	run := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
			sent++
			send(t, c, 0, fmt.Sprint(sent))
		}
	}
	used := func(net int, d time.Duration) bool {
		before := s.data[net].Load()
		run(d)
		return s.data[net].Load() > before
	}

	run(2 * time.Second)
	log.want(t, fmt.Sprintf("Z 10.2.0.1 %d", socketapi.PathConfirmed))
	for i, c := range []*socketapi.Conn{c, z} {
		st := c.Status()
		if len(st.Paths) != 2 || st.Primary != 0 || len(st.Local.IPs) != 2 {
			t.Fatalf("%d: %+v", i, st)
		}
		for j, p := range st.Paths {
			if p.State != "active" || p.Addr != s.addr(j, 1-i) || p.Src != s.addr(j, i) {
				t.Errorf("%d: path %d: %v from %v is %v", i, j, p.Addr, p.Src, p.State)
			}
		}
	}
	if used(1, time.Second) {
		t.Error("DATA goes to another path than the primary")
	}

	if err := c.SetPrimary(netip.MustParseAddr("10.2.0.2")); err != nil {
		t.Fatal(err)
	}
	run(100 * time.Millisecond) // what was in flight
	if st := c.Status(); st.Primary != 1 || used(0, time.Second) || !used(1, time.Second) {
		t.Errorf("the new primary path %d is not used", st.Primary)
	}
	wantErr(t, c.SetPrimary(netip.MustParseAddr("10.3.0.2")), syscall.EINVAL)

	s.dead[1].Store(true)
	run(750 * time.Millisecond)
	log.want(t, fmt.Sprintf("A 10.2.0.2 %d", socketapi.PathUnreachable))
	if used(1, time.Second) || !used(0, time.Second) {
		t.Error("the alternate path is not used")
	}
	if st := c.Status(); st.Paths[1].State != "inactive" || st.Primary != 1 {
		t.Errorf("%+v", st)
	}
	run(10 * time.Second) // Z has noticed too
	log.want(t, fmt.Sprintf("Z 10.2.0.1 %d", socketapi.PathUnreachable))

	s.dead[1].Store(false)
	run(3 * time.Second)
	log.want(t, fmt.Sprintf("A 10.2.0.2 %d", socketapi.PathAvailable), fmt.Sprintf("Z 10.2.0.1 %d", socketapi.PathAvailable))
	if used(0, time.Second) || !used(1, time.Second) {
		t.Error("the primary path is not used again")
	}

	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	<-arrived
	if n.Load() != int64(sent) {
		t.Errorf("%d of %d messages arrived", n.Load(), sent)
	}
	c.Close()
	z.Close()
	wantErr(t, c.SetPrimary(netip.MustParseAddr("10.2.0.2")), net.ErrClosed)
	wg.Wait()
}

// Both networks die: the association is lost, with ETIMEDOUT.
// R-8.1-03 R-8.1-04 R-8.1-05
func TestAllPathsDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubnets(t, 2)
		cfg := &socketapi.Config{RTOMin: 100 * time.Millisecond, RTOMax: time.Second, MaxRetransmits: 6, MaxPathRetransmits: 2}
		l := listen(t, s.z, ":5000", cfg)
		c := dial(t, s.a, "10.1.0.2/10.2.0.2:5000", cfg)
		accept(t, l)
		s.dead[0].Store(true)
		s.dead[1].Store(true)
		send(t, c, 0, "lost")
		_, _, err := c.RecvMsg(make([]byte, 10))
		wantErr(t, err, syscall.ETIMEDOUT)
		var e *socketapi.AssocError
		if !errors.As(err, &e) || !e.Timeout() || e.ByPeer {
			t.Errorf("%#v", err)
		}
	})
}

// What a dialler on all addresses tells of itself: what it uses toward the
// addresses that it was given, or everything if that is asked for.
func TestOwnAddresses(t *testing.T) {
	for _, tc := range []struct {
		all   bool
		to    string
		wants string
	}{
		{false, "10.1.0.2", "10.1.0.1"},
		{false, "10.2.0.2", "10.2.0.1"},
		{false, "10.2.0.2/10.1.0.2", "10.2.0.1/10.1.0.1"},
		{true, "10.1.0.2", "10.1.0.1/10.2.0.1/10.3.0.1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSubnets(t, 3)
			cfg := &socketapi.Config{AllAddresses: tc.all}
			l := listen(t, s.z, ":5000", cfg)
			c := dial(t, s.a, tc.to+":5000", cfg)
			z := accept(t, l)
			<-time.After(10 * time.Second)
			a := z.RemoteAddr().(*socketapi.Addr)
			if want := addr(t, tc.wants+":1"); !slices.Equal(a.IPs, want.IPs) {
				t.Errorf("%+v: the peer sees %v", tc, a)
			}
			for _, p := range append(c.Status().Paths, z.Status().Paths...) {
				if p.State != "active" {
					t.Errorf("%+v: the path from %v to %v is %v", tc, p.Src, p.Addr, p.State)
				}
			}
			if n, m := s.a.Stats().SendErrors, s.z.Stats().SendErrors; n+m != 0 {
				t.Errorf("%+v: %d and %d packets from a wrong source", tc, n, m)
			}
		})
	}
}

// The peer is restarted while the first network is dead, and comes back on the
// second: the association goes on, with a notification.
// R-5.2.4-03
func TestRestartOnAnotherPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSubnets(t, 2)
		cfg := &socketapi.Config{RTOMin: 100 * time.Millisecond, RTOInitial: 100 * time.Millisecond, MaxPathRetransmits: 2}
		l := listen(t, s.z, "10.1.0.2/10.2.0.2:5000", cfg)
		mine := *cfg
		mine.LocalAddr = addr(t, "10.1.0.1/10.2.0.1:7777")
		c := dial(t, s.a, "10.1.0.2/10.2.0.2:5000", &mine)
		z := accept(t, l)
		var restarted atomic.Bool
		z.OnNotification(func(n socketapi.Notification) {
			if n.Kind == socketapi.AssocChanged && n.Change == socketapi.Restarted {
				restarted.Store(true)
			}
		})
		send(t, c, 0, "before")
		want(t, z, "before")
		<-time.After(5 * time.Second) // all addresses are confirmed

		for i := range s.dead {
			s.dead[i].Store(true)
		}
		s.a.Close()
		var links []transport.Link
		for i, n := range s.nets {
			l, err := n.NewLink(mem.Config{Addrs: []netip.Addr{s.addr(i, 0)}})
			if err != nil {
				t.Fatal(err)
			}
			links = append(links, l)
		}
		s.dead[1].Store(false)
		a := newHost(t, links...)
		c = dial(t, a, "10.1.0.2/10.2.0.2:5000", &mine)
		if st := c.Status(); st.Paths[st.Primary].Addr != s.addr(1, 1) {
			t.Errorf("the primary path is that to %v", st.Paths[st.Primary].Addr)
		}
		send(t, c, 0, "after")
		want(t, z, "after")
		if !restarted.Load() {
			t.Error("the restart was not reported")
		}
		send(t, z, 0, "answer")
		want(t, c, "answer")
		if n := s.z.Stats().Associations; n != 1 {
			t.Errorf("%d associations", n)
		}
		if err := c.CloseWait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
