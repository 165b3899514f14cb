//go:build linux

package mmsg

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr is room for a socket address of either family.
type sockaddr struct {
	raw unix.RawSockaddrInet6
}

// set encodes an address and returns the length of the encoding.
func (s *sockaddr) set(ip netip.Addr, port uint16) uint32 {
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
	if z := ip.Zone(); z != "" {
		s.raw.Scope_id = zones.index(z)
	}
	return unix.SizeofSockaddrInet6
}

// get decodes what the kernel wrote; the zero AddrPort for another family.
func (s *sockaddr) get() netip.AddrPort {
	switch s.raw.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(s))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), swap16(a.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(addr6(s.raw.Addr, s.raw.Scope_id), swap16(s.raw.Port))
	}
	return netip.AddrPort{}
}

// addr6 makes an Addr, with a zone where one is needed to tell links apart.
func addr6(b [16]byte, ifindex uint32) netip.Addr {
	a := netip.AddrFrom16(b)
	if ifindex != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(zones.name(ifindex))
	}
	return a.Unmap()
}

// swap16 converts between a port number and its bytes in network order.
func swap16(v uint16) uint16 {
	b := *(*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}

// zones remembers the names of interfaces, since asking for one costs a dump
// of all. Interfaces may be renamed: an answer is good for some seconds.
var zones zoneCache

const zoneTTL = 5 * time.Second

type zoneCache struct {
	mu    sync.Mutex
	names map[uint32]zone
	nums  map[string]zone
}

type zone struct {
	// addr has the zone, and keeps netip's interned copy of it alive, so that
	// WithZone does not allocate.
	addr  netip.Addr
	index uint32
	until time.Time
}

func (c *zoneCache) name(index uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	z, ok := c.names[index]
	if now := time.Now(); !ok || now.After(z.until) {
		name := strconv.Itoa(int(index))
		if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
			name = ifi.Name
		}
		z = zone{addr: netip.IPv6LinkLocalAllNodes().WithZone(name), until: now.Add(zoneTTL)}
		if c.names == nil || len(c.names) > 1024 {
			c.names = map[uint32]zone{}
		}
		c.names[index] = z
	}
	return z.addr.Zone()
}

func (c *zoneCache) index(name string) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	z, ok := c.nums[name]
	if now := time.Now(); !ok || now.After(z.until) {
		z = zone{until: now.Add(zoneTTL)}
		if ifi, err := net.InterfaceByName(name); err == nil {
			z.index = uint32(ifi.Index)
		} else if n, err := strconv.ParseUint(name, 10, 31); err == nil {
			z.index = uint32(n)
		}
		if c.nums == nil || len(c.nums) > 1024 {
			c.nums = map[string]zone{}
		}
		c.nums[name] = z
	}
	return z.index
}

// Bind binds a socket; a zone is honoured.
func Bind(fd int, at netip.AddrPort) error {
	var s sockaddr
	n := s.set(at.Addr(), at.Port())
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
