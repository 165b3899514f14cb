package rawip

import (
	"net"

	"github.com/gosctp/gosctp/transport/internal/mmsg"
	"golang.org/x/sys/unix"
)

// Check finds out, without side effects, whether this process can use raw IP
// here. It cannot see everything: a packet filter may still drop SCTP.
func Check() Report {
	r := Report{KernelSCTP: kernelSCTP()}
	for _, v6 := range []bool{false, true} {
		fd, err := rawSocket(v6)
		if err == nil {
			r.RcvBuf = mmsg.Buffers(fd, defaultRcvBuf, defaultSndBuf)
			unix.Close(fd)
		}
		if v6 {
			r.V6 = err
		} else {
			r.V4 = err
		}
	}
	if c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: ootbLock, Net: "unix"}); err == nil {
		c.Close()
		r.Responder = true
	}
	return r
}
