package hostnet

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// route asks by connecting a UDP socket, which sends nothing: the answer
// honours all that a real send would, rules and marks included.
func route(dst netip.Addr) (netip.Addr, int, error) {
	family, level, opt := unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU
	var sa unix.Sockaddr
	if dst.Is4() {
		sa = &unix.SockaddrInet4{Addr: dst.As4(), Port: 9}
	} else {
		family, level, opt = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU
		to := &unix.SockaddrInet6{Addr: dst.As16(), Port: 9}
		if z := dst.Zone(); z != "" {
			to.ZoneId = interfaceIndex(z)
		}
		sa = to
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, sa); err != nil {
		return netip.Addr{}, 0, os.NewSyscallError("connect", err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}, 0, os.NewSyscallError("getsockname", err)
	}
	mtu, err := unix.GetsockoptInt(fd, level, opt)
	if err != nil {
		return netip.Addr{}, 0, os.NewSyscallError("getsockopt", err)
	}
	var src netip.Addr
	switch l := local.(type) {
	case *unix.SockaddrInet4:
		src = netip.AddrFrom4(l.Addr)
	case *unix.SockaddrInet6:
		src = netip.AddrFrom16(l.Addr)
		if src.IsLinkLocalUnicast() {
			src = src.WithZone(interfaceName(l.ZoneId))
		}
	default:
		return netip.Addr{}, 0, unix.EAFNOSUPPORT
	}
	// What the kernel has learnt of the path is in mtu, and stays for minutes.
	return src, max(mtu, routeMTU(dst, src)), nil
}

// routeMTU returns the MTU of the route to dst, without what the kernel has
// learnt of the path beyond; 0 if that cannot be found out.
func routeMTU(dst, src netip.Addr) int {
	if dst.IsLoopback() || dst == src {
		return 0 // there is nothing beyond
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return 0
	}
	defer h.Close()
	index := 0
	if z := dst.Zone(); z != "" {
		index = int(interfaceIndex(z))
	} else {
		r, err := h.RouteGetWithOptions(dst.AsSlice(), &netlink.RouteGetOptions{SrcAddr: src.AsSlice(), FIBMatch: true})
		if err != nil || len(r) == 0 {
			return 0
		}
		if r[0].MTU > 0 {
			return r[0].MTU
		}
		index = r[0].LinkIndex
	}
	l, err := h.LinkByIndex(index)
	if err != nil {
		return 0
	}
	return l.Attrs().MTU
}

// addrs also says which interfaces are up, but without a carrier.
func addrs() ([]netip.Addr, map[int]struct{}, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return nil, nil, err
	}
	up := make(map[int]string, len(links))
	dark := make(map[int]struct{})
	for _, l := range links {
		a := l.Attrs()
		if a.Flags&net.FlagUp == 0 {
			continue
		}
		up[a.Index] = a.Name
		if a.RawFlags&unix.IFF_LOWER_UP == 0 {
			dark[a.Index] = struct{}{}
		}
	}
	list, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, nil, err
	}
	out := make([]netip.Addr, 0, len(list))
	for _, l := range list {
		name, ok := up[l.LinkIndex]
		if !ok || l.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 && l.Flags&unix.IFA_F_OPTIMISTIC == 0 {
			continue
		}
		a, ok := netip.AddrFromSlice(l.IP)
		if !ok {
			continue
		}
		if a = a.Unmap(); a.IsLinkLocalUnicast() && a.Is6() {
			a = a.WithZone(name)
		}
		out = append(out, a)
	}
	return out, dark, nil
}

// outInterface returns the number of the interface that packets leave by, 0 if
// that cannot be found out.
func outInterface(dst, src netip.Addr) int {
	if z := dst.Zone(); z != "" {
		return int(interfaceIndex(z))
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return 0
	}
	defer h.Close()
	r, err := h.RouteGetWithOptions(dst.AsSlice(), &netlink.RouteGetOptions{SrcAddr: src.AsSlice()})
	if err != nil || len(r) == 0 {
		return 0
	}
	return r[0].LinkIndex
}

// events are the kernel's messages that addresses, interfaces or routes have
// changed.
type events struct{ s *nl.NetlinkSocket }

// newEvents asks for the events of the calling thread's namespace.
func newEvents() (*events, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK,
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return nil, err
	}
	return &events{s}, nil
}

// next waits for some events. An error is final.
func (e *events) next() error {
	_, _, err := e.s.Receive()
	if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EINTR) {
		return nil // some were lost: as good as one
	}
	return err
}

func (e *events) close() { e.s.Close() }
