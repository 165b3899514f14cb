//go:build linux

package mmsg

import (
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// An ErrQueue reads the ICMP errors that IP_RECVERR collects on a socket. The
// socket must have IP_PKTINFO or IPV6_RECVPKTINFO set.
type ErrQueue struct {
	fd   int
	msg  unix.Msghdr
	iov  unix.Iovec
	name sockaddr
	ctl  errControl
	info Info
}

// NewErrQueue prepares to read the error queue of fd.
func NewErrQueue(fd int, z *hostnet.Zones) *ErrQueue {
	q := &ErrQueue{fd: fd, info: Info{zones: z}}
	q.msg.Name = (*byte)(unsafe.Pointer(&q.name))
	q.msg.Iov = &q.iov
	q.msg.SetIovlen(1)
	q.msg.Control = (*byte)(unsafe.Pointer(&q.ctl))
	return q
}

// Next reads one ICMP error into slot. more is false when the queue is empty;
// ok is false if what was read was not an ICMP error.
func (q *ErrQueue) Next(slot *transport.RxSlot) (ok, more bool) {
	q.msg.Namelen = uint32(unsafe.Sizeof(q.name))
	q.msg.SetControllen(int(unsafe.Sizeof(q.ctl)))
	q.iov.Base = unsafe.SliceData(slot.Buf)
	q.iov.SetLen(len(slot.Buf))
	n, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(q.fd), uintptr(unsafe.Pointer(&q.msg)),
		unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if e == unix.EINTR {
		return false, true
	}
	if e != 0 {
		// The kernel may have left the last error pending on the socket,
		// which would count as ready for ever. Asking for it clears it.
		_, _ = unix.GetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		return false, false
	}
	q.info.parse(unsafe.Pointer(&q.ctl), int(q.msg.Controllen))
	if !q.info.hasErr || !q.info.Dst.IsValid() {
		return false, true
	}
	kind, mtu, ok := classify(&q.info.err)
	if !ok {
		return false, true
	}
	to := q.name.get(q.info.zones)
	*slot = transport.RxSlot{
		Buf: slot.Buf, Data: slot.Buf[:min(int(n), len(slot.Buf))],
		// The error came to the address that the packet was sent from.
		Src: q.info.Dst, Dst: to.Addr(), EncapPort: to.Port(),
		Kind: transport.ICMPError, ICMP: kind, MTU: mtu,
	}
	return slot.Dst.IsValid(), true
}

// classify translates an extended error; ok is false unless ICMP is its
// origin.
func classify(e *unix.SockExtendedErr) (kind transport.ICMP, mtu uint32, ok bool) {
	switch e.Origin {
	case unix.SO_EE_ORIGIN_ICMP:
		kind, mtu = classify4(e.Type, e.Code, e.Info)
	case unix.SO_EE_ORIGIN_ICMP6:
		kind, mtu = classify6(e.Type, e.Code, e.Info)
	default:
		return 0, 0, false
	}
	return kind, mtu, true
}

// classify4 translates an ICMP type and code (RFC 792, RFC 1122 section
// 3.2.2.1).
func classify4(typ, code uint8, info uint32) (transport.ICMP, uint32) {
	switch typ {
	case 3:
		switch code {
		case 2:
			return transport.ICMPProtoUnreachable, 0
		case 3:
			return transport.ICMPPortUnreachable, 0
		case 4:
			return transport.ICMPPacketTooBig, info
		}
		return transport.ICMPUnreachable, 0
	case 11:
		return transport.ICMPTimeExceeded, 0
	case 12:
		return transport.ICMPParameterProblem, 0
	}
	return transport.ICMPOther, 0
}

// classify6 translates an ICMPv6 type and code (RFC 4443 section 3).
func classify6(typ, code uint8, info uint32) (transport.ICMP, uint32) {
	switch typ {
	case 1:
		if code == 4 {
			return transport.ICMPPortUnreachable, 0
		}
		return transport.ICMPUnreachable, 0
	case 2:
		return transport.ICMPPacketTooBig, info
	case 3:
		return transport.ICMPTimeExceeded, 0
	case 4:
		if code == 1 { // unrecognized next header
			return transport.ICMPProtoUnreachable, 0
		}
		return transport.ICMPParameterProblem, 0
	}
	return transport.ICMPOther, 0
}
