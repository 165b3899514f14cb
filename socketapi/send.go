package socketapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
)

// SendInfo says how a message is to be sent. The zero value is that of Write:
// ordered on stream 0.
type SendInfo struct {
	Stream    uint16
	PPID      uint32 // payload protocol identifier, in host byte order
	Unordered bool   // may overtake others of its stream
	Immediate bool   // ask the peer to acknowledge at once (RFC 7053)
	Context   uint32 // the caller's own; comes back in a SendFailed notification
}

// Write sends p as one message on stream 0, and blocks while there is no room
// in the send buffer. An empty p sends nothing, as SCTP has no empty messages.
func (c *Conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		if err := c.mayWrite(); err != nil {
			return 0, c.opError("write", err)
		}
		return 0, nil
	}
	return c.send(context.Background(), SendInfo{}, p)
}

// SendMsg sends p as one message, and blocks while there is no room in the send
// buffer. The message is sent whole or, with an error, not at all: EMSGSIZE if
// it is larger than the send buffer, EINVAL if it is empty or the association
// does not have the stream, EPIPE once the association is shutting down.
func (c *Conn) SendMsg(info SendInfo, p []byte) (int, error) {
	return c.send(context.Background(), info, p)
}

// SendMsgContext is SendMsg that gives up, with ctx's error, when ctx is done.
func (c *Conn) SendMsgContext(ctx context.Context, info SendInfo, p []byte) (int, error) {
	return c.send(ctx, info, p)
}

var errEmpty = fmt.Errorf("sctp: a message needs at least one byte: %w", errInvalid)

func (c *Conn) send(ctx context.Context, info SendInfo, p []byte) (int, error) {
	if err := c.trySend(ctx, &info, p); err != nil {
		return 0, c.opError("write", err)
	}
	return len(p), nil
}

// mayWrite is what there is to check before and while a sender waits.
func (c *Conn) mayWrite() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.wr.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *Conn) trySend(ctx context.Context, info *SendInfo, p []byte) error {
	if len(p) == 0 {
		return errEmpty
	}
	if len(p) > c.cfg.SendBuffer {
		return stack.ErrTooLong
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	seq := c.wr.look()
	if err := c.mayWrite(); err != nil {
		return err
	}
	b := c.a.Buffer(len(p))
	copy(b.B, p)
	m := stack.Message{
		Stream: chunk.StreamID(info.Stream), PPID: chunk.PPID(info.PPID),
		Unordered: info.Unordered, Immediate: info.Immediate, Context: info.Context,
	}
	for {
		err := c.a.Send(m, b)
		if err == nil {
			c.wr.pass()
			return nil
		}
		if !errors.Is(err, stack.ErrWouldBlock) {
			c.a.FreeBuffer(b)
			c.wr.pass() // the room that this one was woken for is another's
			return c.endedBy(err)
		}
		ok := c.wr.wait(seq, ctx.Done())
		seq = c.wr.look()
		err = c.mayWrite()
		if err == nil && !ok {
			err = ctx.Err()
		}
		if err != nil {
			c.a.FreeBuffer(b)
			return err
		}
	}
}
