//go:build !linux

package hostnet

import (
	"net"
	"net/netip"
)

// route asks by connecting a UDP socket, which sends nothing. The MTU is that
// of the interface with the source address.
func route(dst netip.Addr) (netip.Addr, int, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(dst, 9)))
	if err != nil {
		return netip.Addr{}, 0, err
	}
	defer c.Close()
	src := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	ifs, err := net.Interfaces()
	if err != nil {
		return netip.Addr{}, 0, err
	}
	for _, ifi := range ifs {
		list, err := ifi.Addrs()
		if err != nil {
			continue
		}
		for _, l := range list {
			if a, ok := unicast(l, ifi.Name); ok && a == src {
				return src, ifi.MTU, nil
			}
		}
	}
	return src, 1280, nil // an interface that has gone since: the least that is safe
}

func addrs() ([]netip.Addr, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, ifi := range ifs {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		list, err := ifi.Addrs()
		if err != nil {
			continue // the interface has gone since
		}
		for _, l := range list {
			if a, ok := unicast(l, ifi.Name); ok {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

func unicast(l net.Addr, zone string) (netip.Addr, bool) {
	n, ok := l.(*net.IPNet)
	if !ok {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	if a = a.Unmap(); a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(zone)
	}
	return a, ok
}

// A Namespace stands for Linux's network namespaces, elsewhere for the host.
type Namespace struct{}

// OpenNamespace returns the calling thread's.
func OpenNamespace() *Namespace { return nil }

// Do runs f on a thread that is in the namespace.
func (*Namespace) Do(f func()) { f() }

// Close releases the namespace.
func (*Namespace) Close() {}
