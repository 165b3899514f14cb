//go:build linux

package mmsg

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Option is a socket option with its value.
type Option struct {
	Level, Name, Value int
}

// Common returns the options that every socket of a link has: DF set and the
// kernel's idea of the path's MTU ignored, drops counted.
func Common(v6 bool) []Option {
	o := []Option{{unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1}}
	if v6 {
		return append(o, Option{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE})
	}
	return append(o, Option{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE})
}

// Arrivals returns the options that make the destination and the traffic
// class of received packets known.
func Arrivals(v6 bool) []Option {
	if v6 {
		return []Option{{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1}}
	}
	return []Option{{unix.IPPROTO_IP, unix.IP_PKTINFO, 1}, {unix.IPPROTO_IP, unix.IP_RECVTOS, 1}}
}

// Errors returns the options that collect ICMP errors for an ErrQueue.
func Errors(v6 bool) []Option {
	if v6 {
		return []Option{{unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1}}
	}
	return []Option{{unix.IPPROTO_IP, unix.IP_RECVERR, 1}, {unix.IPPROTO_IP, unix.IP_PKTINFO, 1}}
}

// Set sets options.
func Set(fd int, lists ...[]Option) error {
	for _, l := range lists {
		for _, o := range l {
			if err := unix.SetsockoptInt(fd, o.Level, o.Name, o.Value); err != nil {
				return os.NewSyscallError(fmt.Sprintf("setsockopt %d/%d", o.Level, o.Name), err)
			}
		}
	}
	return nil
}

// SetFragment lets packets be fragmented from now on (DF clear), or not. IPv6
// is fragmented by its sender only, which may not know of the router that needs
// it: the fragments have the size that every IPv6 link takes. Linux makes them
// only of what its own interface does not take whole.
func SetFragment(fd int, v6, on bool) {
	level, name, v := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if v6 {
		level, name, v = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	size := 0 // what the route says
	if on {
		v = unix.IP_PMTUDISC_DONT // has the same value for IPv6
		size = minMTU6
	}
	// It cannot fail for these values; if it did, EMSGSIZE would tell.
	_ = unix.SetsockoptInt(fd, level, name, v)
	if v6 {
		_ = unix.SetsockoptInt(fd, level, unix.IPV6_MTU, size)
	}
}

const minMTU6 = 1280 // RFC 8200 section 5

// Buffers asks for socket buffers, beyond the host's limits if the process
// may, and returns the size that the receive buffer really has.
func Buffers(fd, rcv, snd int) int {
	// What is refused is seen in the size read back, and in the drop counter.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rcv) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcv)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, snd) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, snd)
	}
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return n
}
