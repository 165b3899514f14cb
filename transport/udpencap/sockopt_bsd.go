//go:build darwin || freebsd

package udpencap

import (
	"net"

	"golang.org/x/sys/unix"
)

// setFragment clears the DF bit of packets sent from now on, or sets it.
func setFragment(c *net.UDPConn, v6, on bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	level, option, v := unix.IPPROTO_IP, unix.IP_DONTFRAG, 1
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG
	}
	if on {
		v = 0
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), level, option, v) }); err != nil {
		return err
	}
	return set
}
