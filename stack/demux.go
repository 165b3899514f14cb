package stack

import (
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// tuple names an association by addresses: an endpoint of ours, and an address
// and port of the peer's.
type tuple struct {
	ep   *Endpoint
	peer netip.Addr
	port uint16
}

func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// lookup finds the association of a packet by its source, or by an address
// listed in its INIT (RFC 9260 section 5.1.2).
func (s *Stack) lookup(ep *Endpoint, src netip.Addr, port uint16, packet []byte) *Assoc {
	s.tuplesMu.RLock()
	defer s.tuplesMu.RUnlock()
	if a := s.tuples[tuple{ep.root, src, port}]; a != nil {
		return a
	}
	if len(packet) < chunk.HeaderLen {
		return nil
	}
	w := chunk.Walk(packet[chunk.HeaderLen:])
	c, ok := w.Next()
	if !ok || c.Type() != chunk.TypeInit {
		return nil
	}
	in, e := chunk.ParseInit(c)
	if e != chunk.ErrNone {
		return nil
	}
	pw := in.Params.Walk()
	for range chunk.MaxAddrs {
		p, ok := pw.Next()
		if !ok {
			break
		}
		if addr, e := chunk.ParamAddr(p); e == chunk.ErrNone && sideeffects.Reaches(addr, src) {
			if a := s.tuples[tuple{ep.root, sideeffects.Scoped(addr, src), port}]; a != nil {
				return a
			}
		}
	}
	return nil
}

// fileNew files an association of ours under all addresses of the peer; false
// if one of them has an association already.
func (s *Stack) fileNew(a *Assoc) bool {
	s.tuplesMu.Lock()
	defer s.tuplesMu.Unlock()
	var addrs [chunk.MaxAddrs]netip.Addr
	_, port := a.a.Ports()
	list := a.a.PeerAddrs(addrs[:0])
	for _, addr := range list {
		if s.tuples[tuple{a.ep.root, addr, port}] != nil {
			return false
		}
	}
	for _, addr := range list {
		s.fileLocked(a, tuple{a.ep.root, addr, port})
	}
	return true
}

// fileFirst files an association under the address its cookie came with; false
// if the same peer was quicker in another way.
func (s *Stack) fileFirst(a *Assoc, peer netip.Addr, port uint16) bool {
	s.tuplesMu.Lock()
	defer s.tuplesMu.Unlock()
	t := tuple{a.ep.root, peer, port}
	if s.tuples[t] != nil {
		return false
	}
	s.fileLocked(a, t)
	return true
}

// fileAddrs files an association under the addresses that it has now.
func (s *Stack) fileAddrs(a *Assoc) {
	var addrs [chunk.MaxAddrs]netip.Addr
	_, port := a.a.Ports()
	list := a.a.PeerAddrs(addrs[:0])
	s.tuplesMu.Lock()
	a.tuples = slices.DeleteFunc(a.tuples, func(t tuple) bool {
		if slices.Contains(list, t.peer) {
			return false
		}
		delete(s.tuples, t)
		return true
	})
	for _, addr := range list {
		t := tuple{a.ep.root, addr, port}
		if s.tuples[t] == nil {
			s.fileLocked(a, t)
		}
	}
	s.tuplesMu.Unlock()
}

func (s *Stack) fileLocked(a *Assoc, t tuple) {
	s.tuples[t] = a
	a.tuples = append(a.tuples, t)
}

func (s *Stack) unfile(a *Assoc) {
	s.tuplesMu.Lock()
	for _, t := range a.tuples {
		if s.tuples[t] == a {
			delete(s.tuples, t)
		}
	}
	a.tuples = nil
	s.tuplesMu.Unlock()
}
