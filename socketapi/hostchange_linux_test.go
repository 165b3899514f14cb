package socketapi_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/socketapi"
)

// Two hosts with two links between them, raw IP, numbered messages both ways,
// and RTO never less than four seconds: what is faster was not a timeout's
// doing. (Linux may tell of a lost carrier up to a second late.)

type twoLinks struct {
	*testing.T
	na, nz *nstest.Host
	ha, hz *socketapi.Host
	c, z   *socketapi.Conn
	stop   chan struct{}
	halt   func() // closes stop
	wg     sync.WaitGroup
	lost   atomic.Bool  // a path was given up
	pause  atomic.Int64 // the longest between two messages, on either side
	sent   [2]atomic.Int64
	got    [2]atomic.Int64
}

func newTwoLinks(t *testing.T, kind socketapi.Transport) *twoLinks {
	w := &twoLinks{T: t, na: nstest.New(t), nz: nstest.New(t), stop: make(chan struct{})}
	nstest.Wire(w.na, w.nz, "one", "one")
	nstest.Wire(w.na, w.nz, "two", "two")
	w.na.Up("one", 1500, "10.1.0.1/24")
	w.nz.Up("one", 1500, "10.1.0.2/24")
	w.na.Up("two", 1500, "10.2.0.1/24")
	w.nz.Up("two", 1500, "10.2.0.2/24")
	w.ha, w.hz = w.host(w.na, kind), w.host(w.nz, kind)
	w.halt = sync.OnceFunc(func() { close(w.stop) })
	t.Cleanup(func() { // before the hosts close
		w.halt()
		for _, c := range []*socketapi.Conn{w.c, w.z} {
			if c != nil {
				c.Abort("")
			}
		}
		w.wg.Wait()
	})
	return w
}

func (w *twoLinks) host(n *nstest.Host, kind socketapi.Transport) (h *socketapi.Host) {
	var err error
	cfg := socketapi.HostConfig{Transport: kind}
	if kind == socketapi.UDP {
		cfg.UDP.Listen = netip.AddrPortFrom(netip.Addr{}, 9899) // now, in the namespace
	}
	n.Do(func() { h, err = socketapi.NewHost(cfg) })
	if err != nil {
		w.Skipf("no %v: %v", kind, err)
	}
	w.Cleanup(func() { h.Close() })
	return h
}

// start sets the association up and lets messages flow.
func (w *twoLinks) start(at, to string, mine *socketapi.Config) {
	w.Helper()
	mine.SackDelay, mine.RTOInitial, mine.RTOMin = 10*time.Millisecond, 4*time.Second, 4*time.Second
	l := listen(w.T, w.hz, at, mine)
	w.c = dial(w.T, w.ha, to, mine)
	w.z = accept(w.T, l)
	deadline := time.Now().Add(60 * time.Second)
	for i, c := range []*socketapi.Conn{w.c, w.z} {
		if err := c.SetDeadline(deadline); err != nil {
			w.Fatal(err)
		}
		c.OnNotification(func(n socketapi.Notification) {
			if n.Kind == socketapi.PathChanged && n.Path == socketapi.PathUnreachable {
				w.lost.Store(true)
			}
		})
		w.wg.Go(func() { w.receive(i, c) })
		w.wg.Go(func() { w.send(i, c) })
	}
	w.wait("all paths are confirmed", func() bool {
		return confirmed(w.c) && confirmed(w.z) && w.got[0].Load() > 0 && w.got[1].Load() > 0
	})
	// On a busy machine the handshake may have taken the second path.
	for _, c := range []*socketapi.Conn{w.c, w.z} {
		if err := c.SetPrimary(c.Status().Paths[w.path(c, 1)].Addr); err != nil {
			w.Fatal(err)
		}
	}
}

func confirmed(c *socketapi.Conn) bool {
	return !slices.ContainsFunc(c.Status().Paths, func(p socketapi.PathStatus) bool { return p.State != "active" })
}

func (w *twoLinks) receive(i int, c *socketapi.Conn) {
	p := make([]byte, 2000)
	last := time.Now()
	for {
		n, _, err := c.RecvMsg(p)
		if err != nil {
			return
		}
		for d := int64(time.Since(last)); ; {
			was := w.pause.Load()
			if d <= was || w.pause.CompareAndSwap(was, d) {
				break
			}
		}
		last = time.Now()
		if got, want := string(p[:n]), fmt.Sprintf("%0500d", w.got[i].Add(1)); got != want {
			w.Errorf("%d received %.40q, want %.40q", i, got[n-20:], want[480:])
			return
		}
	}
}

func (w *twoLinks) send(i int, c *socketapi.Conn) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
		}
		if _, err := c.SendMsg(socketapi.SendInfo{}, fmt.Appendf(nil, "%0500d", w.sent[i].Add(1))); err != nil {
			select {
			case <-w.stop:
			default:
				w.Errorf("message %d of %d: %v", w.sent[i].Load(), i, err)
			}
			return
		}
	}
}

// wait waits for something that has no signal.
func (w *twoLinks) wait(what string, ok func() bool) {
	w.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			w.Fatalf("not within 20 s: %s\nA: %+v\nZ: %+v", what, w.c.Status(), w.z.Status())
		}
	}
}

// flow waits for the next hundred messages each way.
func (w *twoLinks) flow(what string) {
	w.Helper()
	a, z := w.got[0].Load()+100, w.got[1].Load()+100
	w.wait(what, func() bool { return w.got[0].Load() >= a && w.got[1].Load() >= z })
}

// uses waits until new data of both sides goes by one link, 1 or 2, only.
func (w *twoLinks) uses(link byte) {
	w.Helper()
	packets := func(c *socketapi.Conn, l byte) uint64 { return c.Status().Paths[w.path(c, l)].Packets }
	w.wait(fmt.Sprintf("both sides use link %d", link), func() bool {
		var before [2][2]uint64
		for i, c := range []*socketapi.Conn{w.c, w.z} {
			before[i] = [2]uint64{packets(c, link), packets(c, 3-link)}
		}
		w.flow("messages")
		for i, c := range []*socketapi.Conn{w.c, w.z} {
			if packets(c, link) < before[i][0]+20 || packets(c, 3-link) != before[i][1] {
				return false
			}
		}
		return true
	})
}

// path returns the index of the path over a link, 1 or 2; -1 if there is none.
func (w *twoLinks) path(c *socketapi.Conn, link byte) int {
	return slices.IndexFunc(c.Status().Paths, func(p socketapi.PathStatus) bool { return p.Addr.As4()[1] == link })
}

// quick fails if any receiver has waited for a timeout since the last call.
func (w *twoLinks) quick(what string) {
	w.Helper()
	d := time.Duration(w.pause.Swap(0))
	if w.Logf("%s: longest pause %v", what, d.Round(time.Millisecond)); d > 3*time.Second {
		w.Errorf("%s: %v without a message: that was a timeout", what, d)
	}
	if w.lost.Load() {
		w.Errorf("%s: a path was given up", what)
	}
}

// end ends the transfer; nothing may be missing.
func (w *twoLinks) end() {
	w.Helper()
	w.halt()
	w.wait("all has arrived", func() bool {
		return w.got[1].Load() == w.sent[0].Load() && w.got[0].Load() == w.sent[1].Load()
	})
	w.c.Close()
	w.z.Close()
	w.wg.Wait()
}

// TestHostLosesAPath: the host knows that the first path is gone, and tells:
// the switch waits for no timeout, nothing is lost, no path is given up for it,
// and the path is used again when it is back. R-6.4.1-01
func TestHostLosesAPath(t *testing.T) {
	for _, tc := range []struct {
		name       string
		kind       socketapi.Transport
		gone, back func(w *twoLinks)
	}{
		{"link set down", socketapi.RawIP,
			func(w *twoLinks) { w.na.Down("one") }, func(w *twoLinks) { w.na.Up("one", 0) }},
		{"no carrier", socketapi.RawIP,
			func(w *twoLinks) { w.nz.Down("one") }, func(w *twoLinks) { w.nz.Up("one", 0) }},
		{"addresses removed", socketapi.RawIP,
			func(w *twoLinks) { w.na.RemoveAddr("one", "10.1.0.1/24"); w.nz.RemoveAddr("one", "10.1.0.2/24") },
			func(w *twoLinks) { w.na.Up("one", 0, "10.1.0.1/24"); w.nz.Up("one", 0, "10.1.0.2/24") }},
		{"addresses removed, UDP", socketapi.UDP,
			func(w *twoLinks) { w.na.RemoveAddr("one", "10.1.0.1/24"); w.nz.RemoveAddr("one", "10.1.0.2/24") },
			func(w *twoLinks) { w.na.Up("one", 0, "10.1.0.1/24"); w.nz.Up("one", 0, "10.1.0.2/24") }},
	} {
		for _, wildcard := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/wildcard=%t", tc.name, wildcard), func(t *testing.T) {
				w := newTwoLinks(t, tc.kind)
				at, mine := ":5000", &socketapi.Config{}
				if !wildcard {
					at, mine.LocalAddr = "10.1.0.2/10.2.0.2:5000", addr(t, "10.1.0.1/10.2.0.1:0")
				}
				w.start(at, "10.1.0.2/10.2.0.2:5000", mine)
				w.uses(1)
				for range 2 {
					w.pause.Store(0)
					tc.gone(w)
					w.uses(2)
					w.quick("away")
					tc.back(w)
					w.uses(1)
					w.quick("back")
				}
				w.end()
			})
		}
	}
}

// TestSourceVanishes: an own address of two on one link is taken away. The path
// goes on from the other at once, and from the first when that is back. The
// peer is a host that keeps talking to the address that it knows until that
// times out, so that only one way is quick. R-7.2.5.2-01
func TestSourceVanishes(t *testing.T) {
	w := newTwoLinks(t, socketapi.RawIP)
	w.na.Sysctl("ipv4/conf/all/promote_secondaries", "1")
	w.na.Up("one", 0, "10.1.0.5/24")
	w.start("10.1.0.2:5000", "10.1.0.2:5000", &socketapi.Config{LocalAddr: addr(t, "10.1.0.1/10.1.0.5:0")})
	source := func(want string) {
		t.Helper()
		w.wait("the source is "+want, func() bool { return w.c.Status().Paths[0].Src.String() == want })
		to := w.got[1].Load() + 100
		w.wait("messages", func() bool { return w.got[1].Load() >= to })
		if s := w.c.Status().Paths[0]; s.State != "active" || s.Src.String() != want {
			t.Errorf("%+v", s)
		}
	}
	source("10.1.0.1")
	for range 2 {
		w.na.RemoveAddr("one", "10.1.0.1/24")
		source("10.1.0.5")
		w.na.Up("one", 0, "10.1.0.1/24")
		w.na.RemoveAddr("one", "10.1.0.5/24")
		source("10.1.0.1")
		w.na.Up("one", 0, "10.1.0.5/24")
	}
	w.end()
}

// TestNewAddressForNewAssociations: an address that came up after the endpoint
// was made is good for new associations, in both directions; of the old ones it
// is no part.
func TestNewAddressForNewAssociations(t *testing.T) {
	w := newTwoLinks(t, socketapi.RawIP)
	l := listen(t, w.hz, ":5000", nil)
	old := dial(t, w.ha, "10.1.0.2:5000", nil)
	accept(t, l)
	w.na.Up("two", 0, "10.3.0.1/24")
	w.nz.Up("two", 0, "10.3.0.2/24")
	c := dial(t, w.ha, "10.3.0.2:5000", &socketapi.Config{LocalAddr: addr(t, "10.3.0.1:0")})
	z := accept(t, l)
	send(t, c, 0, "new")
	want(t, z, "new")
	if got := c.Status().Paths[0].Src; got != netip.MustParseAddr("10.3.0.1") {
		t.Errorf("from %v", got)
	}
	wantErr(t, old.SetPathSource(netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.3.0.1")), syscall.EADDRNOTAVAIL)
	if ips := old.Status().Local.IPs; len(ips) != 1 {
		t.Errorf("the old association has %v", ips)
	}
}

// TestHostLeavesNothing: a Host that was closed leaves no netlink socket.
func TestHostLeavesNothing(t *testing.T) {
	for _, kind := range []socketapi.Transport{socketapi.RawIP, socketapi.UDP} {
		w := newTwoLinks(t, kind)
		n := nstest.New(t)
		sockets := func() (k int) {
			n.Do(func() {
				b, err := os.ReadFile("/proc/thread-self/net/netlink")
				if err != nil {
					t.Error(err)
				}
				k = strings.Count(string(b), "\n")
			})
			return k
		}
		before := sockets()
		h := w.host(n, kind)
		l := listen(t, h, ":5000", nil)
		if k := sockets(); k != before+1 {
			t.Errorf("%v: %d netlink sockets, want one more than %d", kind, k, before)
		}
		l.Close()
		h.Close()
		if k := sockets(); k != before {
			t.Errorf("%v: %d netlink sockets are left, %d before", kind, k, before)
		}
	}
}
