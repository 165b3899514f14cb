package udpencap

import (
	"errors"
	"net"

	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/windows"
)

// From ws2ipdef.h.
const (
	ipDontFragment = 14
	ipv6DontFrag   = 14
)

// setFragment clears the DF bit of packets sent from now on, or sets it.
func setFragment(c *net.UDPConn, v6, on bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	level, option, v := windows.IPPROTO_IP, ipDontFragment, 1
	if v6 {
		level, option = windows.IPPROTO_IPV6, ipv6DontFrag
	}
	if on {
		v = 0
	}
	var set error
	if err := raw.Control(func(fd uintptr) {
		set = windows.SetsockoptInt(windows.Handle(fd), level, option, v)
	}); err != nil {
		return err
	}
	return set
}

// kind says what the error of a send means for a link.
func kind(err error) error {
	switch {
	case errors.Is(err, windows.WSAEMSGSIZE):
		return transport.ErrTooBig
	case errors.Is(err, windows.WSAENOBUFS):
		return transport.ErrNoBuffers
	}
	return transport.ErrUnreachable
}

func addrInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

func noFamily(err error) bool {
	return errors.Is(err, windows.WSAEAFNOSUPPORT) || errors.Is(err, windows.WSAEPROTONOSUPPORT)
}
