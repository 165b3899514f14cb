package socketapi_test

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// oneNet is a network of two hosts with two addresses each, .1 and .3 against
// .2 and .4, and what leaves the first host for each of the peer's addresses:
// sources by chunk type.
type oneNet struct {
	a, z *socketapi.Host
	mu   sync.Mutex
	seen map[chunk.Type]map[[2]string]int
	dead map[string]bool // destinations that answer nothing
}

func newOneNet(t *testing.T) *oneNet {
	n := &oneNet{seen: make(map[chunk.Type]map[[2]string]int), dead: make(map[string]bool)}
	w := mem.NewNetwork()
	var links [2]transport.Link
	for i, a := range [][]string{{"10.0.0.1", "10.0.0.3"}, {"10.0.0.2", "10.0.0.4"}} {
		var err error
		if links[i], err = w.NewLink(mem.Config{Addrs: []netip.Addr{netip.MustParseAddr(a[0]), netip.MustParseAddr(a[1])}}); err != nil {
			t.Fatal(err)
		}
	}
	w.SetHook(func(src, dst netip.Addr, data []byte) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		if s := src.String(); s == "10.0.0.1" || s == "10.0.0.3" {
			for it := chunk.Walk(data[chunk.HeaderLen:]); ; {
				c, ok := it.Next()
				if !ok {
					break
				}
				if n.seen[c.Type()] == nil {
					n.seen[c.Type()] = make(map[[2]string]int)
				}
				n.seen[c.Type()][[2]string{s, dst.String()}]++
			}
		}
		return !n.dead[dst.String()]
	})
	n.a, n.z = newHost(t, links[0]), newHost(t, links[1])
	return n
}

// only fails unless chunks of that type left, and by these pairs alone.
func (n *oneNet) only(t *testing.T, typ chunk.Type, pairs ...[2]string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.seen[typ] {
		if !slices.Contains(pairs, p) {
			t.Errorf("%v from %s to %s", typ, p[0], p[1])
		}
	}
	for _, p := range pairs {
		if n.seen[typ][p] == 0 {
			t.Errorf("no %v from %s to %s", typ, p[0], p[1])
		}
	}
}

func (n *oneNet) forget() {
	n.mu.Lock()
	clear(n.seen)
	n.mu.Unlock()
}

// TestPathSource: the user pins the own address of a path, from the INIT on or
// later, and everything to that address comes from there.
func TestPathSource(t *testing.T) {
	const one, three, two, four = "10.0.0.1", "10.0.0.3", "10.0.0.2", "10.0.0.4"
	ip := netip.MustParseAddr
	synctest.Test(t, func(t *testing.T) {
		n := newOneNet(t)
		cfg := &socketapi.Config{HeartbeatInterval: time.Second, SackDelay: -1, MaxPathRetransmits: 1}
		l := listen(t, n.z, "10.0.0.2/10.0.0.4:5000", cfg)
		mine := *cfg
		mine.LocalAddr = addr(t, "10.0.0.1/10.0.0.3:0")
		mine.PathSources = map[netip.Addr]netip.Addr{ip(two): ip(three)}
		c := dial(t, n.a, "10.0.0.2/10.0.0.4:5000", &mine)
		z := accept(t, l)
		talk := func() {
			t.Helper()
			for range 5 {
				send(t, c, 0, "there")
				want(t, z, "there")
				send(t, z, 0, "back")
				want(t, c, "back")
			}
			<-time.After(10 * time.Second) // HEARTBEATs
		}
		talk()
		n.only(t, chunk.TypeInit, [2]string{three, two})
		n.only(t, chunk.TypeCookieEcho, [2]string{three, two})
		n.only(t, chunk.TypeData, [2]string{three, two})
		n.only(t, chunk.TypeSack, [2]string{three, two})
		n.only(t, chunk.TypeHeartbeat, [2]string{three, two}, [2]string{one, four})

		if err := c.SetPathSource(ip(two), ip(one)); err != nil {
			t.Fatal(err)
		}
		if err := c.SetPathSource(ip(four), ip(three)); err != nil {
			t.Fatal(err)
		}
		n.forget()
		talk()
		n.only(t, chunk.TypeData, [2]string{one, two})
		n.only(t, chunk.TypeHeartbeat, [2]string{one, two}, [2]string{three, four})
		for _, p := range c.Status().Paths {
			if want := map[string]string{two: one, four: three}[p.Addr.String()]; p.Src.String() != want {
				t.Errorf("the path to %v comes from %v", p.Addr, p.Src)
			}
		}

		// Retransmissions go by the other path, from its pinned source.
		n.mu.Lock()
		n.dead[two] = true
		n.mu.Unlock()
		n.forget()
		talk()
		n.only(t, chunk.TypeData, [2]string{one, two}, [2]string{three, four})
		n.mu.Lock()
		clear(n.dead)
		n.mu.Unlock()

		if err := c.SetPathSource(ip(four), netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		if got := c.Status().Paths[1].Src; got != ip(one) {
			t.Errorf("left to the host: from %v", got)
		}
		wantErr(t, c.SetPathSource(ip("10.0.0.9"), ip(one)), syscall.EINVAL)
		wantErr(t, c.SetPathSource(ip(two), ip("10.0.0.9")), syscall.EADDRNOTAVAIL)
		wantErr(t, c.SetPathSource(ip(two), ip("2001:db8::1")), syscall.EADDRNOTAVAIL)
		c.Close()
		wantErr(t, c.SetPathSource(ip(two), ip(one)), net.ErrClosed)
	})
}

// A source that the association cannot have, or for an address that nobody
// dials, is an error at once.
func TestPathSourcesRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newOneNet(t)
		listen(t, n.z, ":5000", nil)
		for _, tc := range []struct {
			local, peer, src string
			err              error
		}{
			{"10.0.0.1:0", "10.0.0.2", "10.0.0.3", syscall.EADDRNOTAVAIL},
			{":0", "10.0.0.2", "10.0.0.9", syscall.EADDRNOTAVAIL},
			{":0", "10.0.0.4", "10.0.0.3", syscall.EINVAL},
		} {
			cfg := &socketapi.Config{
				LocalAddr:   addr(t, tc.local),
				PathSources: map[netip.Addr]netip.Addr{netip.MustParseAddr(tc.peer): netip.MustParseAddr(tc.src)},
			}
			_, err := n.a.Dial(t.Context(), "10.0.0.2:5000", cfg)
			wantErr(t, err, tc.err)
		}
		// On all addresses any of the host's is good.
		c, err := n.a.Dial(t.Context(), "10.0.0.2:5000", &socketapi.Config{
			PathSources: map[netip.Addr]netip.Addr{netip.MustParseAddr("10.0.0.2"): netip.MustParseAddr("10.0.0.3")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Status(); len(s.Local.IPs) != 1 || s.Local.IPs[0] != netip.MustParseAddr("10.0.0.3") {
			t.Errorf("%+v", s.Local)
		}
	})
}
