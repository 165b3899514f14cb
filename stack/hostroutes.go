package stack

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Which way packets to a peer leave the host: by which link, from which of the
// own addresses; and what happens to associations when that changes.

// ownAddrs are the addresses of a host at a time.
type ownAddrs map[netip.Addr]struct{}

// has reports whether packets can be sent from a; so much is believed of a host
// whose addresses are not known. Loopback addresses are not all listed.
func (h *ownAddrs) has(a netip.Addr) bool {
	if h == nil || a.IsLoopback() {
		return true
	}
	_, ok := (*h)[a]
	return ok
}

// routeFunc is transport.Link's Route, for link i.
type routeFunc func(i int, dst netip.Addr) (transport.Route, error)

// route says how dst is reached with one of the addresses in local, if there
// are any.
func (s *Stack) route(dst netip.Addr, local []netip.Addr) (sideeffects.Route, bool) {
	w := s.way(dst, netip.Addr{}, local, func(i int, dst netip.Addr) (transport.Route, error) { return s.links[i].Route(dst) })
	return w.Route, w.OK
}

// way says how dst is reached with one of the addresses in local by a path that
// came from cur so far.
func (s *Stack) way(dst, cur netip.Addr, local []netip.Addr, routes routeFunc) sideeffects.Way {
	have := s.have.Load()
	gone := cur.IsValid() && !have.has(cur)
	for i := range s.links {
		r, err := routes(i, dst)
		if err != nil {
			continue
		}
		src, ok := pickSource(r.Src, dst, cur, local, have)
		if !ok {
			continue
		}
		return sideeffects.Way{
			Route: sideeffects.Route{Src: src, MTU: r.MTU, Overhead: r.Overhead, Link: uint8(i), Cut: r.NoCarrier},
			OK:    true, SourceGone: gone,
		}
	}
	return sideeffects.Way{SourceGone: gone}
}

// pickSource returns the host's choice if it is one of local; else the present
// source if the host still has it, else the first of local that can talk to dst.
func pickSource(choice, dst, cur netip.Addr, local []netip.Addr, have *ownAddrs) (netip.Addr, bool) {
	if len(local) == 0 || slices.Contains(local, choice) {
		return choice, true
	}
	if slices.Contains(local, cur) && have.has(cur) && talks(cur, dst) {
		return cur, true
	}
	for _, a := range local {
		if have.has(a) && talks(a, dst) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// talks reports whether packets from src can reach dst, as far as their scopes
// say (RFC 4291 section 2.5.6, RFC 6890).
func talks(src, dst netip.Addr) bool {
	if src.Is4() != dst.Is4() || src.IsLoopback() != dst.IsLoopback() {
		return false
	}
	if src.Is6() && src.IsLinkLocalUnicast() {
		return dst.IsLinkLocalUnicast() && src.Zone() == dst.Zone()
	}
	return true
}

// atATime is how many associations are looked at with a shard's lock held.
const atATime = 256

// HostChanged has all associations look at the host's addresses, interfaces and
// routes again. Start does this by itself where the links are
// transport.Watchers.
func (s *Stack) HostChanged() {
	if s.closed.Load() {
		return
	}
	s.hostMu.Lock()
	defer s.hostMu.Unlock()
	if !s.learnAddrs() {
		return
	}
	known := make(map[hop]answer)
	for _, sh := range s.shards {
		sh.mu.Lock()
		all := make([]*Assoc, 0, len(sh.byTag))
		for _, a := range sh.byTag {
			all = append(all, a)
		}
		sh.mu.Unlock()
		slices.SortFunc(all, func(a, b *Assoc) int { return cmp.Compare(a.serial, b.serial) })
		for part := range slices.Chunk(all, atATime) {
			sh.reroute(part, known)
		}
	}
}

// learnAddrs notes the host's addresses; false if they cannot be learned.
func (s *Stack) learnAddrs() bool {
	list, err := s.Addrs()
	if err != nil {
		return false
	}
	have := make(ownAddrs, len(list))
	for _, a := range list {
		have[a] = struct{}{}
	}
	s.have.Store(&have)
	return true
}

// hop is a destination by a link, and answer what the link says about it.
type hop struct {
	link int
	dst  netip.Addr
}

type answer struct {
	route transport.Route
	err   error
}

// reroute lets associations of the shard look at their routes again. Links are
// asked without the lock.
func (sh *shard) reroute(part []*Assoc, known map[hop]answer) {
	s := sh.stack
	var peers []netip.Addr
	sh.mu.Lock()
	for _, a := range part {
		if a.State() != tcb.Closed {
			peers = a.a.PeerAddrs(peers)
		}
	}
	sh.mu.Unlock()
	for _, dst := range peers {
		for i, l := range s.links {
			h := hop{i, dst}
			if _, ok := known[h]; !ok {
				r, err := l.Route(dst)
				known[h] = answer{r, err}
			}
		}
	}
	ask := func(i int, dst netip.Addr) (transport.Route, error) {
		if a, ok := known[hop{i, dst}]; ok {
			return a.route, a.err
		}
		return s.links[i].Route(dst) // an address that came up since
	}
	now := s.clock.Now()
	sh.mu.Lock()
	for _, a := range part {
		if a.State() == tcb.Closed {
			continue
		}
		sh.current = a
		sh.x.Reroute(&a.a, func(dst, cur netip.Addr, local []netip.Addr) sideeffects.Way {
			return s.way(dst, cur, local, ask)
		}, now)
		sh.settle(a)
	}
	sh.release()
}
