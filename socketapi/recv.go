package socketapi

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
)

// RecvInfo describes a message, or the part of one, that was received.
type RecvInfo struct {
	Stream    uint16
	SSN       uint16 // stream sequence number; without meaning if Unordered
	PPID      uint32 // payload protocol identifier, in host byte order
	TSN       uint32 // of the message's first DATA chunk, or that of this part
	CumTSN    uint32 // cumulative TSN when the message became ready
	Unordered bool
	EOR       bool // the message ends here; false: the next call gives more of it

	// On a Socket only:
	Context uint32 // the association's Context when the message came
	Assoc   AssocID
}

// Read reads from the next message, or goes on with one that was larger than
// the buffer before. It never joins messages. At the end of an association
// that the peer shut down it returns io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		if err := c.mayRead(); err != nil {
			return 0, c.opError("read", err)
		}
		return 0, nil
	}
	n, _, err := c.recv(context.Background(), p)
	return n, err
}

// RecvMsg reads a message into p. If the message does not fit, or its end has
// not arrived yet and the receive buffer is full, info.EOR is false and the
// next call gives more of the same message. At the end of an association that
// the peer shut down it returns io.EOF.
func (c *Conn) RecvMsg(p []byte) (n int, info RecvInfo, err error) {
	return c.recv(context.Background(), p)
}

// RecvMsgContext is RecvMsg that gives up, with ctx's error, when ctx is done.
func (c *Conn) RecvMsgContext(ctx context.Context, p []byte) (n int, info RecvInfo, err error) {
	return c.recv(ctx, p)
}

// mayRead is what there is to check before and while a reader waits.
func (c *Conn) mayRead() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.rd.expired.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *Conn) recv(ctx context.Context, p []byte) (n int, info RecvInfo, err error) {
	if err = ctx.Err(); err != nil {
		return 0, info, c.opError("read", err)
	}
	for {
		seq := c.rd.look()
		if err = c.mayRead(); err != nil {
			break
		}
		var note Notification
		var to func(Notification)
		c.rmu.Lock()
		if c.closed.Load() {
			// What were taken now nobody would give back, and the window stay
			// shut for what the peer still has to deliver.
			c.rmu.Unlock()
			err = net.ErrClosed
			break
		}
		n, to, err = c.take(p, &info, &note)
		c.rmu.Unlock()
		if err == nil {
			c.rd.pass()
			if to != nil {
				to(note)
				continue
			}
			return n, info, nil
		}
		if !errors.Is(err, stack.ErrWouldBlock) {
			c.rd.pass()
			break
		}
		if !c.rd.wait(seq, ctx.Done()) {
			err = ctx.Err()
			break
		}
	}
	return 0, RecvInfo{}, c.opError("read", err)
}

// take reads what is there; with rmu. A notification comes back with whom to
// tell, for that is done without rmu.
func (c *Conn) take(p []byte, info *RecvInfo, note *Notification) (int, func(Notification), error) {
	for c.in.cur == nil {
		m := c.in.list.Pop()
		if m == nil {
			if err := c.fetch(); err != nil {
				return 0, nil, err
			}
			continue
		}
		if m.Kind == ulpqueue.KindNotification {
			to, err := c.noted(m, note)
			if to != nil || err != nil {
				return 0, to, err
			}
			continue
		}
		c.in.begin(m)
	}
	n := c.in.copy(c.a, p, info)
	c.in.reported(c.a)
	return n, nil, nil
}

// fetch gets messages from the stack, and reports what was read of others.
func (c *Conn) fetch() error {
	err := c.in.fetch(c.a, readBatch)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, stack.ErrWouldBlock):
		if c.eof { // nothing comes but notifications
			return io.EOF
		}
		return err
	case graceful(err) && !c.closed.Load():
		return io.EOF
	}
	return c.endedBy(err)
}

// noted looks at a notification and gives it back to the stack.
func (c *Conn) noted(m *ulpqueue.Message, note *Notification) (func(Notification), error) {
	n := &m.Note
	if n.Kind == ulpqueue.NotePartialAborted {
		c.a.Free(m)
		return nil, ErrMessageCut
	}
	switch fsm.Note(n.Kind) {
	case fsm.NoteAdaptation, fsm.NoteSenderDry: // only for a Socket
		c.a.Free(m)
		return nil, nil
	case fsm.NoteShutdown:
		c.eof = true
	case fsm.NoteAssocChange:
		if fsm.AssocChange(n.A) == fsm.Restarted {
			c.eof = false
		}
	}
	to := c.notify
	if to != nil {
		*note = c.notification(n)
	}
	c.a.Free(m)
	return to, nil
}
