package sideeffects

import "net/netip"

// Scopes of addresses (RFC 4291 section 2.5, RFC 1918, RFC 4193): an address is
// told to no peer in a wider scope than its own, because there it means another
// host or none, and of a peer in a wider scope none is taken.

type scope uint8

const (
	hostScope scope = iota // loopback
	linkScope
	siteScope // private
	globalScope
)

func scopeOf(a netip.Addr) scope {
	switch {
	case a.IsLoopback():
		return hostScope
	case a.IsLinkLocalUnicast():
		return linkScope
	case a.IsPrivate():
		return siteScope
	}
	return globalScope
}

// Reaches reports whether an address that a peer lists in a packet from src
// means the same host here as there, as far as its scope says.
func Reaches(a, src netip.Addr) bool { return scopeOf(a) >= scopeOf(src) }

// Scoped gives a link-local address the zone of like, the address that the
// packet which names it came from or went to: on the wire addresses have no
// zone, and another link's would mean another host (RFC 9260 section 5.1.2).
func Scoped(a, like netip.Addr) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" && like.Is6() {
		return a.WithZone(like.Zone())
	}
	return a
}

// told returns those of the own addresses that a peer learns of in an INIT or
// INIT ACK from src to peer: from others it would not take a packet for ours.
func told(local []netip.Addr, src, peer netip.Addr) []netip.Addr {
	for i, a := range local {
		if a == src || Reaches(a, peer) {
			continue
		}
		keep := append([]netip.Addr(nil), local[:i]...)
		for _, a := range local[i+1:] {
			if a == src || Reaches(a, peer) {
				keep = append(keep, a)
			}
		}
		return keep
	}
	return local
}
