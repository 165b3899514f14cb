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
	for c.cur == nil {
		m := c.list.Pop()
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
		c.cur, c.buf, c.off = m, m.Head, 0
	}
	m := c.cur
	n := 0
	for c.buf != nil {
		k := copy(p[n:], c.buf.B[c.off:])
		n += k
		if c.off += k; c.off < len(c.buf.B) {
			break // p is full
		}
		c.buf, c.off = c.buf.Next, 0
	}
	*info = RecvInfo{
		Stream: uint16(m.Stream), SSN: uint16(m.SSN), PPID: uint32(m.PPID),
		TSN: uint32(m.TSN), CumTSN: uint32(m.CumTSN), Unordered: m.Unordered,
		EOR: m.EOR && c.buf == nil,
	}
	if c.buf == nil {
		c.dropCurrent()
	}
	if c.read += n; c.read >= c.report {
		// The window opens while there is still something to read.
		if err := c.a.Recv(&c.list, readBatch, c.read); err == nil || errors.Is(err, stack.ErrWouldBlock) {
			c.read = 0
		}
	}
	return n, nil, nil
}

// fetch gets messages from the stack, and reports what was read of others.
func (c *Conn) fetch() error {
	if !c.spent.Empty() {
		c.a.FreeList(&c.spent)
	}
	err := c.a.Recv(&c.list, readBatch, c.read)
	c.read = 0
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

// dropCurrent gives the message being read back.
func (c *Conn) dropCurrent() {
	if c.cur == nil {
		return
	}
	for b := c.buf; b != nil; b = b.Next {
		c.read += len(b.B)
	}
	c.read -= c.off
	c.spend(c.cur)
	c.cur, c.buf, c.off = nil, nil, 0
}

// spend puts a message that was read where several are given back at once.
func (c *Conn) spend(m *ulpqueue.Message) {
	c.spent.Push(m)
	if c.spent.Len() >= spentBatch || c.spent.Bytes() >= readBatch {
		c.a.FreeList(&c.spent)
	}
}

// noted looks at a notification and gives it back to the stack.
func (c *Conn) noted(m *ulpqueue.Message, note *Notification) (func(Notification), error) {
	n := &m.Note
	if n.Kind == ulpqueue.NotePartialAborted {
		c.a.Free(m)
		return nil, ErrMessageCut
	}
	switch fsm.Note(n.Kind) {
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
