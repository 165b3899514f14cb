// Package hostnet answers what links ask about the host: how packets to a
// destination leave, which addresses they can come from, and when that changes.
// Answers are kept for a second at most, so that asking per association is
// cheap.
package hostnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gosctp/gosctp/transport"
)

const (
	ttl      = time.Second
	maxKept  = 4096
	maxIP    = 65535 // what the length field of IPv4 can say; loopback's MTU is 65536
	minIPMTU = 68
)

// A Host keeps recent answers about the host as it looks from its namespace.
// It may be used by several goroutines.
type Host struct {
	NS *Namespace // nil: that of whoever asks

	mu     sync.Mutex
	routes map[netip.Addr]answer
	addrs  []netip.Addr
	until  time.Time // of addrs
	dark   map[int]struct{}
	age    uint64 // counts Forget, so that what was asked before is not kept after
	watch  *watch
}

// A Route is how packets to a destination leave the host.
type Route struct {
	Src       netip.Addr // the source address that the host would choose
	MTU       int        // the largest IP packet that the route and its interface take, whatever the path beyond
	NoCarrier bool       // the interface is up, but nothing is connected to it
}

type answer struct {
	Route
	err   error
	until time.Time
}

// Route returns how packets to dst would leave.
func (h *Host) Route(dst netip.Addr) (r Route, err error) {
	if !dst.IsValid() || dst.Is4In6() || dst.IsUnspecified() || dst.IsMulticast() || dst == broadcast {
		return Route{}, fmt.Errorf("%w: %v is not a unicast address", transport.ErrUnreachable, dst)
	}
	now := time.Now()
	h.mu.Lock()
	a, ok := h.routes[dst]
	age, dark := h.age, h.dark
	h.mu.Unlock()
	if ok && now.Before(a.until) {
		return a.Route, a.err
	}
	a = answer{until: now.Add(ttl)}
	a.err = errNamespace
	h.NS.Do(func() {
		a.Src, a.MTU, a.err = route(dst)
		if a.err == nil && len(dark) > 0 {
			_, a.NoCarrier = dark[outInterface(dst, a.Src)]
		}
	})
	if a.err != nil {
		a.err = fmt.Errorf("%w: no route to %v: %w", transport.ErrUnreachable, dst, a.err)
	} else {
		a.MTU = min(max(a.MTU, minIPMTU), maxIP)
	}
	h.mu.Lock()
	if h.age == age {
		if h.routes == nil || len(h.routes) >= maxKept {
			h.routes = make(map[netip.Addr]answer)
		}
		h.routes[dst] = a
	}
	h.mu.Unlock()
	return a.Route, a.err
}

// errNamespace stays in place if the namespace cannot be entered.
var errNamespace = errors.New("the network namespace of the link cannot be entered")

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Addrs returns the host's unicast addresses that packets can be sent from:
// of interfaces that are up, and not tentative.
func (h *Host) Addrs() ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.addrs == nil || !now.Before(h.until) {
		var a []netip.Addr
		var dark map[int]struct{}
		err := errNamespace
		h.NS.Do(func() { a, dark, err = addrs() })
		if err != nil {
			return nil, fmt.Errorf("sctp: list the host's addresses: %w", err)
		}
		if len(dark)+len(h.dark) > 0 {
			clear(h.routes)
			h.age++
		}
		h.addrs, h.dark, h.until = a, dark, now.Add(ttl)
	}
	return slices.Clone(h.addrs), nil
}

// Forget drops all answers, as after an error that shows them to be old.
func (h *Host) Forget() {
	h.mu.Lock()
	clear(h.routes)
	h.addrs = nil
	h.age++
	h.mu.Unlock()
}

// Outdated reports whether an error of a send shows that answers may be old.
func Outdated(err error) bool {
	return err != nil && (errors.Is(err, transport.ErrTooBig) || errors.Is(err, transport.ErrUnreachable))
}
