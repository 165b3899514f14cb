package mem

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/rxring"
)

// Link is one host's attachment to a Network. It implements transport.Link.
// Unlike other links it allows WriteBatch on several goroutines at once.
type Link struct {
	net   *Network
	mtu   int
	addrs atomic.Pointer[[]netip.Addr]
	ring  *rxring.Ring
}

var _ transport.Link = (*Link)(nil)

var (
	errTooBig      = fmt.Errorf("sctp: mem: %w: larger than the MTU", transport.ErrTooBig)
	errUnreachable = fmt.Errorf("sctp: mem: %w: no link has this address", transport.ErrUnreachable)
	errSource      = fmt.Errorf("sctp: mem: %w: the link has no such source address", transport.ErrUnreachable)
)

// Network returns the network that l belongs to.
func (l *Link) Network() *Network { return l.net }

// SetAddrs replaces the link's addresses.
func (l *Link) SetAddrs(addrs ...netip.Addr) error {
	if len(addrs) == 0 {
		return fmt.Errorf("sctp: mem: a link needs an address")
	}
	addrs = slices.Clone(addrs)
	if err := l.net.assign(l, addrs); err != nil {
		return err
	}
	l.addrs.Store(&addrs)
	return nil
}

// Dropped returns how many packets were lost because the queue was full or a
// reader's buffer too small.
func (l *Link) Dropped() uint64 { return l.ring.Dropped() }

// ReadBatch implements transport.Link.
func (l *Link) ReadBatch(slots []transport.RxSlot) (int, error) { return l.ring.Read(slots) }

// WriteBatch implements transport.Link.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	if l.ring.Closed() {
		return net.ErrClosed
	}
	where := *l.net.where.Load()
	hook := l.net.hook.Load()
	var to *Link // its ring is locked, if not nil
	for i := range slots {
		s := &slots[i]
		src, dst, err := l.check(s, where)
		s.Err = err
		if err != nil {
			continue
		}
		if dst != to || hook != nil {
			to.wake()
			to = nil
		}
		if hook != nil && !(*hook)(src, s.Dst, s.Data) {
			continue
		}
		if to == nil {
			to = dst
			to.ring.Lock()
		}
		to.ring.Put(&transport.RxSlot{
			Data: s.Data, Src: src, Dst: s.Dst, EncapPort: s.EncapPort, ECN: s.ECN & 3,
		})
	}
	to.wake()
	return nil
}

// check finds the source address and the link that a packet goes to.
func (l *Link) check(s *transport.TxSlot, where map[netip.Addr]*Link) (netip.Addr, *Link, error) {
	dst := where[s.Dst]
	if dst == nil {
		return netip.Addr{}, nil, errUnreachable
	}
	src := s.Src
	if !src.IsValid() {
		src = l.source(s.Dst)
	} else if where[src] != l || src.Is4() != s.Dst.Is4() {
		src = netip.Addr{}
	}
	if !src.IsValid() {
		return src, nil, errSource
	}
	size := len(s.Data) + overhead(s.Dst)
	if size > l.mtu && !s.Fragment || size > maxMTU {
		return src, nil, errTooBig
	}
	return src, dst, nil
}

// wake lets the reader of a locked link look for packets.
func (l *Link) wake() {
	if l != nil {
		l.ring.Unlock()
	}
}

// source returns the first address of dst's family, the zero Addr if none.
func (l *Link) source(dst netip.Addr) netip.Addr {
	for _, a := range *l.addrs.Load() {
		if a.Is4() == dst.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

func overhead(dst netip.Addr) int {
	if dst.Is4() {
		return 20
	}
	return 40
}

// Route implements transport.Link.
func (l *Link) Route(dst netip.Addr) (transport.Route, error) {
	if (*l.net.where.Load())[dst] == nil {
		return transport.Route{}, errUnreachable
	}
	src := l.source(dst)
	if !src.IsValid() {
		return transport.Route{}, errSource
	}
	return transport.Route{Src: src, MTU: l.mtu, Overhead: overhead(dst)}, nil
}

// Addrs implements transport.Link.
func (l *Link) Addrs() ([]netip.Addr, error) {
	return slices.Clone(*l.addrs.Load()), nil
}

// Close implements transport.Link: the link leaves the network.
func (l *Link) Close() error {
	if !l.ring.Close() {
		return net.ErrClosed
	}
	return l.net.assign(l, nil)
}
