package socketapi

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
)

// Bind binds the socket to an address and port: the zero or an unspecified
// address means all of the host's, port 0 any free one. A second time gives
// EINVAL, an address that is not the host's EADDRNOTAVAIL, a port that is taken
// EADDRINUSE.
func (s *Socket) Bind(addr netip.AddrPort) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.bind([]netip.AddrPort{addr})
}

// bind is Bind to several addresses, with mu.
func (s *Socket) bind(addrs []netip.AddrPort) error {
	if s.ep != nil {
		return fail("the socket is bound already", syscall.EINVAL)
	}
	port := addrs[0].Port()
	ips, err := s.ownAddrs(addrs, port, len(addrs) == 1)
	if err != nil {
		return err
	}
	if err := s.host.forDial(); err != nil {
		return err
	}
	if len(ips) == 0 && s.opt.AllAddresses {
		if ips, err = s.host.allAddrs(nil); err != nil {
			return err
		}
	}
	ep, err := s.host.stack.Open(ips, port, s.opt.tcb())
	if err != nil {
		return err
	}
	ep.SetCongestion(s.opt.Congestion)
	s.ep, s.owns = ep, true
	return nil
}

// autobind binds a socket that nobody has bound.
func (s *Socket) autobind() error {
	if s.ep != nil {
		return nil
	}
	err := s.bind([]netip.AddrPort{{}})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fail("no port is free", syscall.EAGAIN)
	}
	return err
}

// ownAddrs checks addresses to bind to. Ports have to be port, or 0.
func (s *Socket) ownAddrs(addrs []netip.AddrPort, port uint16, wildcard bool) ([]netip.Addr, error) {
	var ips []netip.Addr
	for _, a := range addrs {
		ip := a.Addr().Unmap()
		if a.Port() != port && a.Port() != 0 {
			return nil, fail("the socket has another port", syscall.EINVAL)
		}
		switch {
		case !ip.IsValid() || ip.IsUnspecified():
			if !wildcard {
				return nil, fail("all addresses, and others", syscall.EINVAL)
			}
			return nil, nil
		case !s.speaks(ip):
			return nil, fail("an address of another family", syscall.EINVAL)
		case ip.IsMulticast():
			return nil, fail("not an address of the host's", syscall.EADDRNOTAVAIL)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}

// speaks reports whether the socket has addresses of ip's family.
func (s *Socket) speaks(ip netip.Addr) bool {
	if ip.Is4() {
		return !s.v6only
	}
	return s.ipv6
}

// BindAdd binds the socket to further addresses, all or none of them; on one
// that is not bound it is Bind. Ports must be 0 or the socket's. Associations
// that live do not get the addresses. EINVAL: bound already; otherwise as Bind.
func (s *Socket) BindAdd(addrs ...netip.AddrPort) error {
	if len(addrs) == 0 {
		return errArgument
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.ep == nil {
		return s.bind(addrs)
	}
	ips, err := s.ownAddrs(addrs, s.ep.Port(), false)
	if err != nil {
		return err
	}
	return s.ep.AddLocal(ips)
}

// BindRemove unbinds addresses, all or none of them. EINVAL: not bound, or
// another port; EBUSY: none would be left. Associations that live keep them.
func (s *Socket) BindRemove(addrs ...netip.AddrPort) error {
	if len(addrs) == 0 {
		return errArgument
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.ep == nil {
		return fail("the socket is not bound", syscall.EINVAL)
	}
	for _, a := range addrs {
		if ip := a.Addr(); !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
			return fail("not one address", syscall.EADDRNOTAVAIL)
		}
	}
	ips, err := s.ownAddrs(addrs, s.ep.Port(), false)
	if err != nil {
		return err
	}
	return s.ep.RemoveLocal(ips)
}

// Listen takes associations that peers set up: at most backlog wait to be
// accepted on a one-to-one socket; a one-to-many socket takes all. 0 stops it.
// EINVAL: the socket has an association, or backlog is negative, or 0 and the
// socket does not listen.
func (s *Socket) Listen(backlog int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case backlog < 0 || s.peeled || s.tcp() && s.one != nil && !s.one.ended:
		return errArgument
	case backlog == 0 && !s.listening:
		return errArgument
	case backlog == 0:
		s.listening = false
		s.ep.Unlisten()
		return nil
	}
	if err := s.host.forListen(); err != nil {
		return err
	}
	if err := s.autobind(); err != nil {
		return err
	}
	if s.style == OneToMany {
		backlog = maxBacklog // they are accepted as they come
	}
	s.listening = true
	s.ep.Listen(backlog, s.comes)
	return nil
}

// comes is called by the stack when a peer has set up an association.
func (s *Socket) comes() {
	s.leaf.Lock()
	s.arrived = true
	s.leaf.Unlock()
	s.rd.broadcast()
	if f := s.onReady.Load(); f != nil {
		(*f)()
	}
}

// LocalAddr returns the first address that the socket is bound to, an
// unspecified one for all, and its port; port 0 if it is not bound.
func (s *Socket) LocalAddr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ep == nil {
		return netip.AddrPortFrom(s.any(), 0)
	}
	if l := s.ep.Local(); len(l) > 0 && !s.opt.AllAddresses {
		return netip.AddrPortFrom(l[0], s.ep.Port())
	}
	return netip.AddrPortFrom(s.any(), s.ep.Port())
}

func (s *Socket) any() netip.Addr {
	if s.ipv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// PeerAddr returns the primary address of the peer: ENOTCONN without one, and
// on a one-to-many socket.
func (s *Socket) PeerAddr() (netip.AddrPort, error) {
	if err := s.enter(); err != nil {
		return netip.AddrPort{}, err
	}
	defer s.mu.Unlock()
	if !s.single() || s.one == nil || !s.one.up {
		return netip.AddrPort{}, errNotConn
	}
	return s.primary(s.one), nil
}

// primary returns the address of the primary path.
func (s *Socket) primary(m *member) netip.AddrPort {
	t := m.a.Status()
	return s.from(m, t.Primary)
}

// LocalAddrs lists the own addresses: of an association, or with id 0 those
// that the socket is bound to, all of the host's where it is bound to all.
// EINVAL: no such association.
func (s *Socket) LocalAddrs(id AssocID) ([]netip.AddrPort, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	m := s.find(id)
	if m != nil && (id != FutureAssoc || s.single()) {
		t := m.a.Status()
		return ports(t.LocalAddrs, t.LocalPort), nil
	}
	if id != FutureAssoc && !s.single() {
		return nil, errNoAssoc
	}
	if s.ep == nil {
		return nil, nil
	}
	ips := s.ep.Local()
	if len(ips) == 0 {
		all, err := s.host.allAddrs(nil)
		if err != nil {
			return nil, err
		}
		ips = slices.DeleteFunc(all, func(a netip.Addr) bool { return !s.speaks(a) })
	}
	return ports(ips, s.ep.Port()), nil
}

// PeerAddrs lists the addresses of an association's peer. EINVAL: no such
// association.
func (s *Socket) PeerAddrs(id AssocID) ([]netip.AddrPort, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	m := s.find(id)
	if m == nil {
		return nil, errNoAssoc
	}
	s.learn(m)
	return ports(m.peers, m.port), nil
}

func ports(ips []netip.Addr, port uint16) []netip.AddrPort {
	list := make([]netip.AddrPort, len(ips))
	for i, a := range ips {
		list[i] = netip.AddrPortFrom(a, port)
	}
	return list
}
