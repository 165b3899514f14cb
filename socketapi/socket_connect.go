package socketapi

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
)

var errDeadline = os.ErrDeadlineExceeded

// TryConnect starts an association with a peer that has the given addresses
// (connectx), all with one port. It returns the association's id and
// EINPROGRESS; Writable, or an event on a one-to-many socket, tells when it is
// up. EISCONN: there is one already, or the socket listens; EALREADY: it is
// being set up; EADDRNOTAVAIL: it was peeled off; EINVAL: not an address of a
// peer.
func (s *Socket) TryConnect(peers ...netip.AddrPort) (AssocID, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	m, err := s.connect(peers)
	if err != nil {
		return 0, err
	}
	return m.id, errInProgress
}

// Connect is TryConnect that waits until the association is up: ECONNREFUSED or
// ETIMEDOUT if it does not come up. When ctx is done it returns ctx's error, and
// the attempt goes on until Close.
func (s *Socket) Connect(ctx context.Context, peers ...netip.AddrPort) (AssocID, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	m, err := s.connect(peers)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	err = s.until(ctx, &s.wr, func() error { return s.connected(m) })
	return m.id, err
}

// connected says whether m is up.
func (s *Socket) connected(m *member) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case m.up:
		return nil
	case !m.ended:
		return errAgain
	}
	if s.single() {
		s.err = nil // this is where it is told
	}
	return translate(m.endErr)
}

// connect starts an association, with mu.
func (s *Socket) connect(peers []netip.AddrPort) (*member, error) {
	if len(peers) == 0 {
		return nil, errArgument
	}
	if s.tcp() && s.listening || s.single() && s.one != nil && s.one.up && !s.one.ended {
		return nil, fail("the socket is connected, or listens", syscall.EISCONN)
	}
	if s.peeled {
		return nil, fail("the socket had its association", syscall.EISCONN)
	}
	var ips []netip.Addr
	for _, p := range peers {
		ip, err := s.peerAddr(p)
		if err != nil {
			return nil, err
		}
		if p.Port() != peers[0].Port() {
			return nil, fail("a peer has one port", syscall.EINVAL)
		}
		if m := s.byAddr[peer{ip, p.Port()}]; m != nil {
			return nil, m.busy()
		}
		ips = append(ips, ip)
	}
	if s.tcp() && s.one != nil && !s.one.ended {
		return nil, s.one.busy()
	}
	if err := s.autobind(); err != nil {
		return nil, err
	}
	return s.associate(ips, peers[0].Port())
}

// busy says why there is no second association with the same peer.
func (m *member) busy() error {
	if m.up {
		return fail("there is an association to this peer", syscall.EISCONN)
	}
	return fail("an association to this peer is being set up", syscall.EALREADY)
}

// associate starts an association; with mu.
func (s *Socket) associate(ips []netip.Addr, port uint16) (*member, error) {
	if err := s.host.forDial(); err != nil {
		return nil, err
	}
	m := s.newMember()
	a, err := s.ep.Associate(ips, port, s.opt.RemoteUDPPort, s.opt.tcb(), m.wake)
	if errors.Is(err, syscall.EISCONN) {
		return nil, fail("the association to this peer is another socket's", syscall.EADDRNOTAVAIL)
	}
	if err != nil {
		return nil, err
	}
	s.rcvShut, s.sndShut = false, false
	s.join(m, a)
	return m, nil
}

// peerAddr checks an address of a peer.
func (s *Socket) peerAddr(p netip.AddrPort) (netip.Addr, error) {
	ip := p.Addr().Unmap()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || !s.speaks(ip) || p.Port() == 0 ||
		ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return ip, fail("not an address of a peer", syscall.EINVAL)
	}
	return ip, nil
}
