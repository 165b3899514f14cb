//go:build linux

package mmsg

import (
	"net/netip"
	"os"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"golang.org/x/sys/unix"
)

// sockaddr is room for a socket address of either family.
type sockaddr struct {
	raw unix.RawSockaddrInet6
}

// set encodes an address and returns the length of the encoding.
func (s *sockaddr) set(ip netip.Addr, port uint16, z *hostnet.Zones) uint32 {
	if ip.Is4() {
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		a.Family = unix.AF_INET
		a.Port = swap16(port)
		a.Addr = ip.As4()
		return unix.SizeofSockaddrInet4
	}
	s.raw.Family = unix.AF_INET6
	s.raw.Port = swap16(port)
	s.raw.Flowinfo = 0
	s.raw.Addr = ip.As16()
	s.raw.Scope_id = 0
	if name := ip.Zone(); name != "" {
		s.raw.Scope_id = z.Index(name)
	}
	return unix.SizeofSockaddrInet6
}

// get decodes what the kernel wrote; the zero AddrPort for another family.
func (s *sockaddr) get(z *hostnet.Zones) netip.AddrPort {
	switch s.raw.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), swap16(a.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(addr6(s.raw.Addr, s.raw.Scope_id, z), swap16(s.raw.Port))
	}
	return netip.AddrPort{}
}

// addr6 makes an Addr, with a zone where one is needed to tell links apart.
func addr6(b [16]byte, ifindex uint32, z *hostnet.Zones) netip.Addr {
	a := netip.AddrFrom16(b)
	if ifindex != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(z.Name(ifindex))
	}
	return a.Unmap()
}

// swap16 converts between a port number and its bytes in network order.
func swap16(v uint16) uint16 {
	b := *(*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}

// Bind binds a socket; a zone is honoured.
func Bind(fd int, at netip.AddrPort, z *hostnet.Zones) error {
	var s sockaddr
	n := s.set(at.Addr(), at.Port(), z)
	if _, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&s)), uintptr(n)); e != 0 {
		return os.NewSyscallError("bind", e)
	}
	return nil
}

// LocalPort returns the port that a socket is bound to.
func LocalPort(fd int) (uint16, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), nil
	case *unix.SockaddrInet6:
		return uint16(a.Port), nil
	}
	return 0, unix.EAFNOSUPPORT
}
