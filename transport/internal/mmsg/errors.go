//go:build linux

package mmsg

import (
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// A sendError is an errno with the meaning it has for a link.
type sendError struct {
	kind  error // one of transport's
	errno error
}

func (e *sendError) Error() string        { return e.kind.Error() + ": " + e.errno.Error() }
func (e *sendError) Is(target error) bool { return target == e.kind }
func (e *sendError) Unwrap() error        { return e.errno }

// kinds says what an errno of a send means for a link.
var kinds = map[unix.Errno]error{
	unix.EMSGSIZE: transport.ErrTooBig,

	// EINVAL and EADDRNOTAVAIL: a source address that is not the host's any
	// more; EACCES: broadcast, or a prohibiting route.
	unix.EINVAL:        transport.ErrUnreachable,
	unix.EADDRNOTAVAIL: transport.ErrUnreachable,
	unix.EACCES:        transport.ErrUnreachable,
	unix.ENETUNREACH:   transport.ErrUnreachable,
	unix.EHOSTUNREACH:  transport.ErrUnreachable,
	unix.ENETDOWN:      transport.ErrUnreachable,
	unix.EHOSTDOWN:     transport.ErrUnreachable,
	unix.ENODEV:        transport.ErrUnreachable,
	unix.ENXIO:         transport.ErrUnreachable,

	// EPERM comes from netfilter, and may be gone with the next packet.
	unix.ENOBUFS: transport.ErrNoBuffers,
	unix.ENOMEM:  transport.ErrNoBuffers,
	unix.EPERM:   transport.ErrNoBuffers,
}

// errnos holds an error value for each errno, so that making one does not
// allocate.
var errnos = func() (t [256]error) {
	for i := range t {
		e := unix.Errno(i)
		t[i] = e
		if kind := kinds[e]; kind != nil {
			t[i] = &sendError{kind, e}
		}
	}
	return t
}()

// SendError returns what a link reports for a packet whose send gave e.
func SendError(e unix.Errno) error {
	if int(e) < len(errnos) {
		return errnos[e]
	}
	return e
}

// plain holds each errno as an error, without what it means for a send.
var plain = func() (t [256]error) {
	for i := range t {
		t[i] = unix.Errno(i)
	}
	return t
}()

func errnoError(e unix.Errno) error {
	if int(e) < len(plain) {
		return plain[e]
	}
	return e
}

// Pending reports whether e may be the error of an earlier packet: an ICMP
// error that the kernel reports to whichever call comes next.
func Pending(e unix.Errno) bool {
	switch e {
	case unix.ECONNREFUSED, unix.ENOPROTOOPT, unix.EPROTO, unix.EHOSTUNREACH, unix.ENETUNREACH,
		unix.EHOSTDOWN, unix.EMSGSIZE, unix.EACCES, unix.EOPNOTSUPP, unix.ENONET:
		return true
	}
	return false
}
