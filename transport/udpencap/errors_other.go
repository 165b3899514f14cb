//go:build !linux && !windows

package udpencap

import (
	"errors"
	"syscall"

	"github.com/gosctp/gosctp/transport"
)

// kind says what the error of a send means for a link.
func kind(err error) error {
	switch {
	case errors.Is(err, syscall.EMSGSIZE):
		return transport.ErrTooBig
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EPERM):
		return transport.ErrNoBuffers
	}
	return transport.ErrUnreachable
}
