//go:build !linux && !windows && !darwin && !freebsd

package udpencap

import (
	"errors"
	"net"
)

// setFragment would clear or set the DF bit; this platform has no option that
// is known.
func setFragment(*net.UDPConn, bool, bool) error { return errors.ErrUnsupported }
