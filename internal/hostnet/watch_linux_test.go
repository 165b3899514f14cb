package hostnet_test

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/internal/nstest"
)

// lab is a host with an interface, joined to another, and what it tells.
type lab struct {
	*testing.T
	a, z *nstest.Host
	h    *hostnet.Host
	news chan struct{}
}

func newLab(t *testing.T) *lab {
	l := &lab{T: t, a: nstest.New(t), z: nstest.New(t), h: new(hostnet.Host), news: make(chan struct{}, 1)}
	nstest.Wire(l.a, l.z, "one", "one")
	l.a.Up("one", 1500, "10.1.0.1/24")
	l.z.Up("one", 1500, "10.1.0.2/24")
	l.a.Do(func() { l.h.NS = hostnet.OpenNamespace() })
	t.Cleanup(l.h.NS.Close)
	return l
}

func (l *lab) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// until waits for news after which ok is true.
func (l *lab) until(what string, ok func() bool) time.Duration {
	l.Helper()
	began := time.Now()
	late := time.After(20 * time.Second)
	for {
		select {
		case <-l.news:
			if ok() {
				return time.Since(began)
			}
		case <-late:
			l.Fatalf("never told that %s", what)
		}
	}
}

func (l *lab) has(a string) bool {
	list, err := l.h.Addrs()
	if err != nil {
		l.Error(err)
	}
	return slices.Contains(list, netip.MustParseAddr(a))
}

func (l *lab) route() (hostnet.Route, error) { return l.h.Route(netip.MustParseAddr("10.1.0.2")) }

// dark reports whether the interface has no carrier; Addrs looks.
func (l *lab) dark() bool {
	l.has("10.1.0.1")
	r, err := l.route()
	if err != nil {
		l.Error(err)
	}
	return r.NoCarrier
}

// TestWatch: addresses, interfaces and carriers that come and go are told, and
// old answers are forgotten by then, though they are kept for a second.
func TestWatch(t *testing.T) {
	for _, looking := range []bool{false, true} {
		t.Run(map[bool]string{false: "events", true: "looking"}[looking], func(t *testing.T) {
			l := newLab(t)
			if looking {
				l.h.WatchByLooking(l.tell)
			} else {
				l.h.Watch(l.tell)
			}
			defer l.h.Unwatch()
			l.tell()
			l.until("the interface has a carrier", func() bool { return l.has("10.1.0.1") && !l.dark() })
			took := make(map[string]time.Duration)
			l.a.Up("one", 0, "10.5.0.1/24")
			took["address added"] = l.until("there is an address more", func() bool { return l.has("10.5.0.1") })
			l.a.RemoveAddr("one", "10.5.0.1/24")
			took["address removed"] = l.until("there is an address less", func() bool { return !l.has("10.5.0.1") && l.has("10.1.0.1") })
			l.a.Down("one")
			took["down"] = l.until("the interface is down", func() bool { _, err := l.route(); return err != nil && !l.has("10.1.0.1") })
			l.a.Up("one", 0)
			took["up"] = l.until("the interface is up", func() bool { r, err := l.route(); return err == nil && r.Src == netip.MustParseAddr("10.1.0.1") })
			l.z.Down("one")
			took["carrier lost"] = l.until("the carrier is lost", l.dark)
			l.z.Up("one", 0)
			took["carrier back"] = l.until("the carrier is back", func() bool { return !l.dark() })
			t.Log(took)
		})
	}
}

// TestWatchEnds: nothing is left of a watch that has ended: no socket, no
// goroutine, no call.
func TestWatchEnds(t *testing.T) {
	l := newLab(t)
	sockets := func() (n int) {
		l.a.Do(func() {
			b, err := os.ReadFile("/proc/thread-self/net/netlink")
			if err != nil {
				t.Error(err)
			}
			n = strings.Count(string(b), "\n")
		})
		return n
	}
	before, routines := sockets(), runtime.NumGoroutine()
	ended := false
	for range 20 {
		h := &hostnet.Host{NS: l.h.NS}
		h.Watch(func() {
			if ended {
				t.Error("called after the end")
			}
		})
		if n := sockets(); n != before+1 {
			t.Fatalf("%d netlink sockets in the namespace, want one more than %d", n, before)
		}
		l.a.Up("one", 0, "10.5.0.1/24")
		l.a.RemoveAddr("one", "10.5.0.1/24")
		h.Unwatch()
		ended = true
		l.a.Up("one", 0, "10.5.0.1/24")
		l.a.RemoveAddr("one", "10.5.0.1/24")
		ended = false
		h.Unwatch() // once more does no harm
	}
	if n := sockets(); n != before {
		t.Errorf("%d netlink sockets, %d at first", n, before)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > routines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d at first", runtime.NumGoroutine(), routines)
		}
	}
}
