package mem

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/transport"
)

// Link is one host's attachment to a Network. It implements transport.Link.
// Unlike other links it allows WriteBatch on several goroutines at once.
type Link struct {
	net   *Network
	mtu   int
	addrs atomic.Pointer[[]netip.Addr]

	mu     sync.Mutex
	more   sync.Cond // something to read, or closed
	closed bool
	// ring holds the packets to read: n of them from head on. Storage comes
	// from free, last used first, so that the memory held follows the deepest
	// queue and not the ring's size.
	ring  []transport.RxSlot
	head  int
	n     int
	free  [][]byte
	drops uint64
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
func (l *Link) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drops
}

// ReadBatch implements transport.Link.
func (l *Link) ReadBatch(slots []transport.RxSlot) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.n == 0 && !l.closed {
			l.more.Wait()
		}
		if l.closed {
			return 0, net.ErrClosed
		}
		if got := l.pop(slots); got > 0 {
			return got, nil
		}
	}
}

// pop moves packets from the ring into slots.
func (l *Link) pop(slots []transport.RxSlot) int {
	got := 0
	for got < len(slots) && l.n > 0 {
		from, to := &l.ring[l.head], &slots[got]
		if len(from.Data) <= len(to.Buf) {
			buf := to.Buf
			*to = *from
			to.Buf, to.Data = buf, buf[:copy(buf, from.Data)]
			got++
		} else {
			l.drops++
		}
		l.free = append(l.free, from.Buf)
		from.Buf, from.Data = nil, nil
		l.n--
		if l.head++; l.head == len(l.ring) {
			l.head = 0
		}
	}
	return got
}

// push copies a packet into the ring. The caller holds l.mu.
func (l *Link) push(p *transport.RxSlot) bool {
	if l.closed || l.n == len(l.ring) {
		l.drops++
		return false
	}
	var buf []byte
	if k := len(l.free); k > 0 {
		buf = l.free[k-1]
		l.free = l.free[:k-1]
	}
	if len(buf) < len(p.Data) {
		buf = make([]byte, max(len(p.Data), min(l.mtu, 2048)))
	}
	i := l.head + l.n
	if i >= len(l.ring) {
		i -= len(l.ring)
	}
	l.n++
	to := &l.ring[i]
	*to = *p
	to.Buf, to.Data = buf, buf[:copy(buf, p.Data)]
	return true
}

// WriteBatch implements transport.Link.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	where := *l.net.where.Load()
	hook := l.net.hook.Load()
	var to *Link // locked, if not nil
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
			to.mu.Lock()
		}
		to.push(&transport.RxSlot{
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
		l.mu.Unlock()
		l.more.Signal()
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	l.ring, l.free, l.n, l.head = nil, nil, 0, 0
	l.more.Broadcast()
	return l.net.assign(l, nil)
}
