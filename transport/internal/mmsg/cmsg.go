//go:build linux

package mmsg

import (
	"net/netip"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"golang.org/x/sys/unix"
)

// A control buffer holds control messages. Its element type gives it the
// alignment of a cmsghdr.
type (
	sendControl [12]uint64 // source address, traffic class, segment size
	recvControl [18]uint64 // destination, traffic class, segment size, drops
	errControl  [32]uint64 // the same and an extended error with its offender
)

// put appends a control message to the buffer at b, which has used bytes in
// it, and returns where its data go and how many bytes are used then.
func put(b unsafe.Pointer, used int, level, typ int32, size int) (unsafe.Pointer, int) {
	h := (*unix.Cmsghdr)(unsafe.Add(b, used))
	h.Level, h.Type = level, typ
	h.SetLen(unix.CmsgLen(size))
	return unsafe.Add(b, used+unix.CmsgLen(0)), used + unix.CmsgSpace(size)
}

// putSource selects the source address of a packet.
func putSource(b unsafe.Pointer, used int, src netip.Addr, z *hostnet.Zones) int {
	if src.Is4() {
		p, n := put(b, used, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		*(*unix.Inet4Pktinfo)(p) = unix.Inet4Pktinfo{Spec_dst: src.As4()}
		return n
	}
	p, n := put(b, used, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	*(*unix.Inet6Pktinfo)(p) = unix.Inet6Pktinfo{Addr: src.As16()}
	if name := src.Zone(); name != "" {
		(*unix.Inet6Pktinfo)(p).Ifindex = z.Index(name)
	}
	return n
}

// putECN sets the ECN bits of a packet.
func putECN(b unsafe.Pointer, used int, v6 bool, ecn uint8) int {
	level, typ := int32(unix.IPPROTO_IP), int32(unix.IP_TOS)
	if v6 {
		level, typ = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	p, n := put(b, used, level, typ, 4)
	*(*int32)(p) = int32(ecn & 3)
	return n
}

// putSegment makes one UDP send leave as segments of the given size.
func putSegment(b unsafe.Pointer, used int, size int) int {
	p, n := put(b, used, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
	*(*uint16)(p) = uint16(size)
	return n
}

// An Info is what the control messages of a received packet say.
type Info struct {
	Dst      netip.Addr // the packet's destination; the zero Addr if unknown
	ECN      uint8
	Segment  int    // size of the UDP datagrams that were merged into this one, 0 if none were
	Drops    uint32 // packets that the socket has lost so far
	HasDrops bool

	zones  *hostnet.Zones
	err    unix.SockExtendedErr
	hasErr bool
}

// parse reads the control messages in the n bytes at b.
func (in *Info) parse(b unsafe.Pointer, n int) {
	*in = Info{zones: in.zones}
	hdr := unix.CmsgLen(0)
	for n >= hdr {
		h := (*unix.Cmsghdr)(b)
		size := int(h.Len) - hdr
		if size < 0 || int(h.Len) > n {
			return
		}
		in.one(h.Level, h.Type, unsafe.Add(b, hdr), size)
		step := unix.CmsgSpace(size)
		if step >= n {
			return
		}
		b, n = unsafe.Add(b, step), n-step
	}
}

func (in *Info) one(level, typ int32, p unsafe.Pointer, size int) {
	switch level {
	case unix.IPPROTO_IP:
		switch {
		case typ == unix.IP_PKTINFO && size >= unix.SizeofInet4Pktinfo:
			in.Dst = netip.AddrFrom4((*unix.Inet4Pktinfo)(p).Addr)
		case typ == unix.IP_TOS && size >= 1:
			in.ECN = *(*uint8)(p) & 3
		case typ == unix.IP_RECVERR && size >= int(unsafe.Sizeof(in.err)):
			in.err, in.hasErr = *(*unix.SockExtendedErr)(p), true
		}
	case unix.IPPROTO_IPV6:
		switch {
		case typ == unix.IPV6_PKTINFO && size >= unix.SizeofInet6Pktinfo:
			i := (*unix.Inet6Pktinfo)(p)
			in.Dst = addr6(i.Addr, i.Ifindex, in.zones)
		case typ == unix.IPV6_TCLASS && size >= 4:
			in.ECN = uint8(*(*int32)(p)) & 3
		case typ == unix.IPV6_RECVERR && size >= int(unsafe.Sizeof(in.err)):
			in.err, in.hasErr = *(*unix.SockExtendedErr)(p), true
		}
	case unix.SOL_UDP:
		if typ == unix.UDP_GRO && size >= 4 {
			in.Segment = int(*(*int32)(p))
		}
	case unix.SOL_SOCKET:
		if typ == unix.SO_RXQ_OVFL && size >= 4 {
			in.Drops, in.HasDrops = *(*uint32)(p), true
		}
	}
}
