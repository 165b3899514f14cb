package udpencap

import (
	"errors"
	"net"

	"github.com/gosctp/gosctp/transport/internal/mmsg"
	"golang.org/x/sys/unix"
)

// setFragment clears the DF bit of packets sent from now on, or sets it.
func setFragment(c *net.UDPConn, v6, on bool) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { mmsg.SetFragment(int(fd), v6, on) })
}

// kind says what the error of a send means for a link.
func kind(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return mmsg.SendError(e)
	}
	return err
}
