// Package mem is an in-process network: links with given addresses, joined by
// bounded queues, with no sockets, clocks or goroutines. It serves tests (also
// inside testing/synctest bubbles), benchmarks of the stack without a kernel,
// and programs that want both ends of an association in one process.
package mem

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/rxring"
)

const (
	defaultMTU   = 1500
	defaultQueue = 4096
	maxMTU       = 65535
)

// A Hook sees each packet on its way from one link to another, and says
// whether it is delivered. It may change data in place, but not keep it. It
// runs on the sender's goroutine without locks, so it may call Inject.
type Hook func(src, dst netip.Addr, data []byte) bool

// A Network joins links: a packet goes to the link that has its destination
// address.
type Network struct {
	hook atomic.Pointer[Hook]

	mu    sync.Mutex // held to change where
	where atomic.Pointer[map[netip.Addr]*Link]
}

// NewNetwork returns a network without links.
func NewNetwork() *Network {
	n := new(Network)
	n.where.Store(&map[netip.Addr]*Link{})
	return n
}

// SetHook makes all packets sent from now on pass h; nil means none.
func (n *Network) SetHook(h Hook) {
	if h == nil {
		n.hook.Store(nil)
		return
	}
	n.hook.Store(&h)
}

// Inject delivers a packet or an ICMP error to the link that has address
// slot.Dst (for an ICMP error: slot.Src, which sent the packet it is about),
// past any hook. It reports whether there was such a link with room. The slot
// is copied.
func (n *Network) Inject(slot transport.RxSlot) bool {
	to := slot.Dst
	if slot.Kind == transport.ICMPError {
		to = slot.Src
	}
	l := (*n.where.Load())[to]
	if l == nil {
		return false
	}
	l.ring.Lock()
	defer l.ring.Unlock()
	return l.ring.Put(&slot)
}

// Config describes a link. The zero value of each field but Addrs is usable.
type Config struct {
	Addrs []netip.Addr // the link's addresses, at least one, unique in the network
	MTU   int          // largest IP packet, headers included; 0 means 1500
	Queue int          // packets that may wait to be read; 0 means 4096
}

// NewLink adds a link to the network.
func (n *Network) NewLink(cfg Config) (*Link, error) {
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	if cfg.Queue == 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.MTU < 68 || cfg.MTU > maxMTU || cfg.Queue < 0 {
		return nil, fmt.Errorf("sctp: mem: MTU %d or queue of %d packets out of range", cfg.MTU, cfg.Queue)
	}
	l := &Link{net: n, mtu: cfg.MTU, ring: rxring.New(cfg.Queue, min(cfg.MTU, 2048))}
	if err := l.SetAddrs(cfg.Addrs...); err != nil {
		return nil, err
	}
	return l, nil
}

// assign gives l exactly the addresses in want.
func (n *Network) assign(l *Link, want []netip.Addr) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := maps.Clone(*n.where.Load())
	maps.DeleteFunc(next, func(_ netip.Addr, has *Link) bool { return has == l })
	for _, a := range want {
		switch {
		case !a.IsValid() || a.Is4In6() || a.IsUnspecified() || a.IsMulticast():
			return fmt.Errorf("sctp: mem: %v cannot be a link's address", a)
		case next[a] != nil:
			return fmt.Errorf("sctp: mem: address %v: %w", a, errTaken)
		}
		next[a] = l
	}
	n.where.Store(&next)
	return nil
}

var errTaken = errors.New("already used in this network")

// NewPair returns two links in a network of their own: 10.0.0.1 and
// fd00::1, and 10.0.0.2 and fd00::2, with the given MTU (0 means 1500).
func NewPair(mtu int) (a, b *Link) {
	n := NewNetwork()
	var l [2]*Link
	for i, s := range [2][2]string{{"10.0.0.1", "fd00::1"}, {"10.0.0.2", "fd00::2"}} {
		var err error
		l[i], err = n.NewLink(Config{Addrs: []netip.Addr{netip.MustParseAddr(s[0]), netip.MustParseAddr(s[1])}, MTU: mtu})
		if err != nil {
			panic(err) // the caller's MTU is impossible
		}
	}
	return l[0], l[1]
}
