package socketapi

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"github.com/gosctp/gosctp/stack/sideeffects"
)

// TryAccept returns a one-to-one socket for an association that a peer has set
// up, and the peer's address; the socket has the options of s. EAGAIN: there is
// none; EINVAL: the socket does not listen; EOPNOTSUPP: it is one-to-many.
func (s *Socket) TryAccept() (*Socket, netip.AddrPort, error) {
	var none netip.AddrPort
	if err := s.enter(); err != nil {
		return nil, none, err
	}
	defer s.mu.Unlock()
	switch {
	case !s.tcp():
		return nil, none, errStyle
	case !s.listening:
		return nil, none, fail("the socket does not listen", syscall.EINVAL)
	}
	a := s.ep.Accept()
	if a == nil {
		return nil, none, errAgain
	}
	n := s.heir()
	if !s.host.addSocket(n) {
		a.Abort(nil)
		a.Discard()
		return nil, none, net.ErrClosed
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.adopt(a)
	return n, n.primary(m), nil
}

// Accept is TryAccept that waits.
func (s *Socket) Accept(ctx context.Context) (n *Socket, from netip.AddrPort, err error) {
	err = s.until(ctx, &s.rd, func() error {
		n, from, err = s.TryAccept()
		return err
	})
	if err != nil {
		n = nil
	}
	return n, from, err
}

// PeelOff gives an association of a one-to-many socket a socket of its own,
// with what of it was not read yet. EINVAL: no such association, or the socket
// has one only.
func (s *Socket) PeelOff(id AssocID) (*Socket, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	m := s.members[id]
	if s.single() || m == nil || s.mid == m {
		return nil, errNoAssoc
	}
	n := s.heir()
	n.peeled = true
	if !s.host.addSocket(n) {
		return nil, net.ErrClosed
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(s.members, id)
	for _, a := range m.peers {
		delete(s.byAddr, peer{a, m.port})
	}
	if m.queued {
		for i, q := range s.queue {
			if q == m {
				s.queue = append(s.queue[:i], s.queue[i+1:]...)
				break
			}
		}
		n.queue = append(n.queue, m)
	}
	n.members[id], n.one = m, m
	m.owner.Store(n)
	n.learn(m)
	// What was told to s by now is looked at here; all else goes to n.
	n.update(m, sideeffects.Wake(m.bits.Swap(0)))
	n.end(m)
	return n, nil
}
