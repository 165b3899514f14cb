package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
)

// Own addresses: which of them the peer is told of, in INIT and INIT ACK (RFC
// 9260 sections 3.3.2.1 and 5.1.2). It takes packets from no others for ours.
//
// An endpoint that is bound to all addresses tells of those that the host would
// choose as sources toward the addresses that it knows of the peer. With a
// single-homed peer that is one, and the list is absent.

// sources appends the addresses that an association on all addresses of the
// host has: the one that the cookie's INIT came to, and, if there are other
// addresses in it, the host's choices toward all of the peer's.
func (x *Executor) sources(to []netip.Addr, ck *Cookie) []netip.Addr {
	to = append(to, ck.LocalAddr)
	if ck.NAddrs > 0 {
		if r, ok := x.usable(ck.PeerAddr, nil); ok {
			to = withSource(to, r.Src)
		}
	}
	for _, addr := range ck.Addrs[:ck.NAddrs] {
		if r, ok := x.usable(addr, nil); ok {
			to = withSource(to, r.Src)
		}
	}
	return to
}

// withSource appends src unless it is there already or no address.
func withSource(to []netip.Addr, src netip.Addr) []netip.Addr {
	if !src.IsValid() || contains(to, src) {
		return to
	}
	return append(to, src)
}

// appendLocalAddrs lists the own addresses in a packet from src to peer, except
// those whose scope is narrower than that of the peer's address, and those of a
// family that the peer does not support. The packet's source need not be listed
// if it is the only one.
func appendLocalAddrs(b []byte, local []netip.Addr, src, peer netip.Addr, v4, v6 bool) []byte {
	mark, more := len(b), false
	for _, a := range local {
		if !Reaches(a, peer) || a.Is4() && !v4 || a.Is6() && !v6 {
			continue
		}
		b = chunk.AppendAddrParam(b, a)
		more = more || a != src
	}
	if !more {
		return b[:mark]
	}
	return b
}
