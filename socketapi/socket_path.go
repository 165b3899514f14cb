package socketapi

import (
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/stack/tcb"
)

// What there is to know and to set about one association and its paths (RFC
// 6458 sections 8.1.9, 8.1.12, 8.2.1 and 8.2.2).

// need returns an association that must exist, with mu.
func (s *Socket) need(id AssocID) (*member, error) {
	if m := s.find(id); m != nil {
		return m, nil
	}
	return nil, errNoAssoc
}

// with calls f with an association that must exist.
func (s *Socket) with(id AssocID, f func(*member) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	m, err := s.need(id)
	if err != nil {
		return err
	}
	return f(m)
}

// Status returns a snapshot of an association. EINVAL: there is none.
func (s *Socket) Status(id AssocID) (st Status, err error) {
	err = s.with(id, func(m *member) error {
		st = statusOf(m.a)
		return nil
	})
	return st, err
}

// FragmentPoint returns the most user data of a message that goes in one piece.
// EINVAL: there is no such association.
func (s *Socket) FragmentPoint(id AssocID) (n int, err error) {
	err = s.with(id, func(m *member) error {
		n = m.a.FragmentSize()
		return nil
	})
	return n, err
}

// PrimaryAddr returns the address of an association's primary path. EINVAL:
// there is no such association.
func (s *Socket) PrimaryAddr(id AssocID) (addr netip.AddrPort, err error) {
	err = s.with(id, func(m *member) error {
		addr = s.primary(m)
		return nil
	})
	return addr, err
}

// SetPrimaryAddr makes the path to addr the primary one. EINVAL: not an address
// of the association's peer; EAGAIN: not confirmed yet.
func (s *Socket) SetPrimaryAddr(id AssocID, addr netip.AddrPort) error {
	return s.onPath(id, addr, func(m *member, ip netip.Addr) error { return m.a.SetPrimary(ip) })
}

// onPath calls f for an address of an association's: of that with the id, or,
// on a one-to-many socket, of the one that has the address.
func (s *Socket) onPath(id AssocID, addr netip.AddrPort, f func(*member, netip.Addr) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	ip := addr.Addr().Unmap()
	m := s.find(id)
	by := s.byAddr[peer{ip, addr.Port()}]
	if m == nil && id == FutureAssoc {
		m = by
	}
	if m != nil {
		s.learn(m)
	}
	if m == nil || !slices.Contains(m.peers, ip) || addr.Port() != m.port {
		return errArgument
	}
	return f(m, ip)
}

// PeerAddrInfo returns a snapshot of one path. EINVAL: not an address of the
// association's peer.
func (s *Socket) PeerAddrInfo(id AssocID, addr netip.AddrPort) (st PathStatus, err error) {
	err = s.onPath(id, addr, func(m *member, ip netip.Addr) error {
		all := statusOf(m.a).Paths
		i := slices.IndexFunc(all, func(p PathStatus) bool { return p.Addr == ip })
		if i < 0 {
			return errArgument
		}
		st = all[i]
		return nil
	})
	return st, err
}

// PeerAddrParams returns what is done about heartbeats, path MTUs and delayed
// acknowledgements: on the path to addr, or with the zero AddrPort what holds
// for all paths that have nothing of their own. EINVAL: not an address of the
// association's peer.
func (s *Socket) PeerAddrParams(id AssocID, addr netip.AddrPort) (v PeerAddrParams, err error) {
	if wildcard(addr) {
		return read(s, id, func(o *Options) PeerAddrParams { return o.Path })
	}
	err = s.onPath(id, addr, func(m *member, ip netip.Addr) error {
		v = s.pathParams(m, ip)
		return nil
	})
	return v, err
}

func wildcard(addr netip.AddrPort) bool {
	return !addr.Addr().IsValid() || addr.Addr().Unmap().IsUnspecified()
}

// pathParams returns the parameters of the path to ip.
func (s *Socket) pathParams(m *member, ip netip.Addr) PeerAddrParams {
	c := m.a.Config()
	o := s.optionsOf(m)
	own := c.Of(tcb.PathID(slices.Index(m.peers, ip)))
	if o.Path.Heartbeat = own.HBInterval != 0; o.Path.Heartbeat {
		o.Path.HeartbeatInterval = own.HBInterval.Std()
	}
	o.Path.MaxRetransmits, o.Path.PathMTU, o.Path.PathMTUDiscovery = own.PathMaxRetrans, own.PathMTU, own.PMTUDiscovery
	return o.Path
}

// SetPeerAddrParams sets it: for the path to addr or, with the zero AddrPort, for
// all paths, also those that had their own. Delayed acknowledgements are the
// association's, whatever addr says. EINVAL: not an address of the association's
// peer, SackDelayTime above 500 ms, or PathMTU below 512 and not 0.
func (s *Socket) SetPeerAddrParams(id AssocID, addr netip.AddrPort, v PeerAddrParams) error {
	if wildcard(addr) {
		if err := s.enter(); err != nil {
			return err
		}
		defer s.mu.Unlock()
		f := func(o *Options) { o.Path = v }
		return s.setF(id, f, func(m *member) error {
			if err := s.reconfigure(m, f); err != nil {
				return err
			}
			return m.a.Reconfigure(func(c *tcb.Config) { c.Paths = nil })
		})
	}
	return s.onPath(id, addr, func(m *member, ip netip.Addr) error {
		o := s.optionsOf(m)
		o.Path = v
		if err := o.Validate(); err != nil {
			return err
		}
		p := slices.Index(m.peers, ip)
		return m.a.Reconfigure(func(c *tcb.Config) {
			all := *c
			v.fill(&all)
			c.SackDelay = all.SackDelay
			var paths [tcb.MaxPaths]tcb.PathConfig
			if c.Paths != nil {
				paths = *c.Paths
			}
			paths[p] = tcb.PathConfig{
				Own: true, HBInterval: all.HBInterval, PathMaxRetrans: all.PathMaxRetrans,
				PathMTU: all.PathMTU, PMTUDiscovery: all.PMTUDiscovery,
			}
			c.Paths = &paths
		})
	})
}

// Heartbeat probes the path to addr now. EINVAL: not an address of the
// association's peer.
func (s *Socket) Heartbeat(id AssocID, addr netip.AddrPort) error {
	return s.onPath(id, addr, func(m *member, ip netip.Addr) error { return m.a.Heartbeat(ip) })
}
