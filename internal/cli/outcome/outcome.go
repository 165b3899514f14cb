// Package outcome says how a command ended: which exit status an error means,
// and what a user can do about it.
package outcome

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/gosctp/gosctp/transport"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	OK          = 0
	Failed      = 1
	Misused     = 2
	Interrupted = 130 // as a shell has it for Ctrl-C
)

// UsageError is an error in how a command was called.
type UsageError struct{ Err error }

// Error returns the text of the error inside.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error inside.
func (e *UsageError) Unwrap() error { return e.Err }

// Usage makes a UsageError.
func Usage(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// NoArgs refuses arguments of a command that has none.
func NoArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage("unexpected argument %q", args[0])
	}
	return nil
}

// ErrInterrupted ends a command that the user interrupted.
var ErrInterrupted = errors.New("interrupted")

// ErrReported ends a command that has said already what went wrong.
var ErrReported = errors.New("failed")

// Code returns the exit status for an error.
func Code(err error) int {
	var usage *UsageError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &usage):
		return Misused
	case errors.Is(err, ErrInterrupted), errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Failed
}

// Advice says what to try about an error, "" if nothing is known.
func Advice(err error) string {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case is(transport.ErrKernelSCTP):
		return "`sctp check` says more about this host; --transport udp works beside the kernel's SCTP, if the peer takes UDP encapsulation."
	case is(transport.ErrPrivilege):
		return "Without privilege: --transport udp, if the peer takes UDP encapsulation. `sctp check` says what works on this host."
	case is(syscall.ECONNREFUSED):
		return "The host is there, but nobody listens on that port, or it took no more associations."
	case is(syscall.ECONNRESET):
		return "The peer aborted the association."
	case is(syscall.ECONNABORTED):
		return "The association was aborted on this side."
	case is(syscall.ETIMEDOUT, context.DeadlineExceeded):
		return "No answer. Is the address right, does the peer use the same transport (rawip or udp), and do firewalls on the way let it pass (IP protocol 132, or UDP port 9899)?"
	case is(syscall.EADDRINUSE, transport.ErrPortInUse):
		return "Another program has this port; choose another one, or end that program."
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, transport.ErrUnreachable):
		return "There is no way from here to that address: see `ip route get ADDRESS`."
	case is(syscall.EADDRNOTAVAIL):
		return "The local address must be one of this host's: see `ip address`."
	}
	return ""
}

// Brief says in a few words why raw IP cannot be had.
func Brief(err error) string {
	switch {
	case errors.Is(err, transport.ErrPrivilege):
		return "this process lacks CAP_NET_RAW"
	case errors.Is(err, transport.ErrKernelSCTP):
		return "the kernel's own SCTP is loaded"
	}
	return err.Error()
}
