package socketapi

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
)

var (
	// ErrMessageCut is what Read and RecvMsg return, once, in place of the rest
	// of a message of which pieces were read already: the association ended,
	// or the peer restarted, before the rest came.
	ErrMessageCut = errors.New("sctp: the rest of the message will not come")
	// ErrShutdown answers SendMsg and Write once the association is shutting
	// down; it answers errors.Is(err, syscall.EPIPE).
	ErrShutdown error = &stateError{"sctp: the association is shutting down", syscall.EPIPE}
)

type stateError struct {
	text string
	err  error
}

func (e *stateError) Error() string { return e.text }
func (e *stateError) Unwrap() error { return e.err }

// AssocError says how an association ended, or why it did not come up. It
// answers errors.Is for ECONNREFUSED, ECONNRESET, ECONNABORTED, ETIMEDOUT or
// EPIPE, as the case may be.
type AssocError struct {
	ByPeer bool            // the peer's ABORT ended it
	Cause  chunk.CauseCode // of the ABORT, sent or received; 0 if there was none
	Info   []byte          // what the cause said; for a user's abort, its reason

	text string
	err  error
}

// Error says how the association ended.
func (e *AssocError) Error() string {
	if e.ByPeer && e.Cause == chunk.CauseUserAbort && len(e.Info) > 0 {
		return e.text + ": " + printable(e.Info)
	}
	return e.text
}

// Unwrap returns the errno.
func (e *AssocError) Unwrap() error { return e.err }

// Timeout reports whether the peer did not answer.
func (e *AssocError) Timeout() bool { return errors.Is(e.err, syscall.ETIMEDOUT) }

// printable keeps a reason that came from the network from doing harm to logs
// and terminals.
func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c < 0x20 || c == 0x7f {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}

// translate turns an error of the stack's into one of ours.
func translate(err error) error {
	var end *stack.EndError
	switch {
	case err == stack.ErrClosing:
		return ErrShutdown
	case errors.As(err, &end):
		return &AssocError{
			ByPeer: end.End.ByPeer, Cause: end.End.Cause, Info: end.End.Info,
			text: end.Error(), err: end.Unwrap(),
		}
	}
	return err
}

// graceful reports whether err is the end of an association that was shut down
// properly.
func graceful(err error) bool {
	var end *stack.EndError
	return errors.As(err, &end) && end.End.Change == fsm.ShutdownComplete
}

// opError wraps err as package net does; io.EOF stays bare.
func opError(op string, local, remote *Addr, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	e := &net.OpError{Op: op, Net: "sctp", Err: err}
	if local != nil {
		e.Source = local
	}
	if remote != nil {
		e.Addr = remote
	} else {
		e.Addr, e.Source = e.Source, nil
	}
	return e
}
