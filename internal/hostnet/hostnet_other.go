//go:build !linux

package hostnet

import (
	"errors"
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

func addrs() ([]netip.Addr, map[int]struct{}, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, nil, err
	}
	dark := make(map[int]struct{})
	var out []netip.Addr
	for _, ifi := range ifs {
		if ifi.Flags&net.FlagUp == 0 {
			continue
		}
		if ifi.Flags&net.FlagRunning == 0 {
			dark[ifi.Index] = struct{}{}
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
	return out, dark, nil
}

// outInterface returns the number of the interface that has the source
// address, 0 if none has.
func outInterface(_, src netip.Addr) int {
	ifs, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, ifi := range ifs {
		list, err := ifi.Addrs()
		if err != nil {
			continue
		}
		for _, l := range list {
			if a, ok := unicast(l, ifi.Name); ok && a == src {
				return ifi.Index
			}
		}
	}
	return 0
}

// events are what the operating system tells by itself: nothing, here.
type events struct{}

func newEvents() (*events, error) { return nil, errors.ErrUnsupported }

func (*events) next() error { return errors.ErrUnsupported }

func (*events) close() {}

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
