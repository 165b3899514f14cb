package sideeffects

import "net/netip"

// Scoped gives a link-local address the zone of like, the address that the
// packet which names it came from or went to: on the wire addresses have no
// zone, and another link's would mean another host (RFC 9260 section 5.1.2).
func Scoped(a, like netip.Addr) netip.Addr {
	if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" && like.Is6() {
		return a.WithZone(like.Zone())
	}
	return a
}
