package socketapi

import (
	"errors"

	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
)

const (
	readBatch  = 64 << 10 // bytes of messages taken from the stack at once
	spentBatch = 32       // messages given back at once
)

// inbox holds what was taken from an association and not yet given to the
// reader, and counts what was read, so that the window opens again. It is for
// one goroutine at a time.
type inbox struct {
	list   ulpqueue.List     // messages to be read
	spent  ulpqueue.List     // messages that were read, to be given back
	cur    *ulpqueue.Message // the message being read
	buf    *seg.Buf          // what is left of it
	off    int               // read of buf
	read   int               // bytes read and not yet reported
	report int               // that many are reported without waiting for more
}

// begin makes m, which has left the list, the message being read.
func (b *inbox) begin(m *ulpqueue.Message) { b.cur, b.buf, b.off = m, m.Head, 0 }

// copy gives the reader what p takes of the message being read, which leaves
// when its end is reached.
func (b *inbox) copy(a *stack.Assoc, p []byte, info *RecvInfo) int {
	m := b.cur
	n, buf, off := b.peek(p, info)
	b.buf, b.off = buf, off
	if b.buf == nil {
		b.cur = nil
		b.off = 0
		b.spend(a, m)
	}
	b.read += n
	return n
}

// peek copies as copy does, and says how far it came.
func (b *inbox) peek(p []byte, info *RecvInfo) (n int, buf *seg.Buf, off int) {
	m := b.cur
	buf, off = b.buf, b.off
	for buf != nil {
		k := copy(p[n:], buf.B[off:])
		n += k
		if off += k; off < len(buf.B) {
			break // p is full
		}
		buf, off = buf.Next, 0
	}
	*info = RecvInfo{
		Stream: uint16(m.Stream), SSN: uint16(m.SSN), PPID: uint32(m.PPID),
		TSN: uint32(m.TSN), CumTSN: uint32(m.CumTSN), Unordered: m.Unordered,
		EOR: m.EOR && buf == nil,
	}
	return n, buf, off
}

// rest returns how many bytes of the message being read are left.
func (b *inbox) rest() int {
	n := -b.off
	for buf := b.buf; buf != nil; buf = buf.Next {
		n += len(buf.B)
	}
	return n
}

// reported opens the window, if much was read, while there is still something
// to read.
func (b *inbox) reported(a *stack.Assoc) {
	if b.read >= b.report {
		if err := a.Recv(&b.list, readBatch, b.read); err == nil || errors.Is(err, stack.ErrWouldBlock) {
			b.read = 0
		}
	}
}

// fetch gets messages from the stack, and reports what was read of others.
func (b *inbox) fetch(a *stack.Assoc, max int) error {
	if !b.spent.Empty() {
		a.FreeList(&b.spent)
	}
	err := a.Recv(&b.list, max, b.read)
	b.read = 0
	return err
}

// dropCurrent gives the message being read back.
func (b *inbox) dropCurrent(a *stack.Assoc) {
	if b.cur == nil {
		return
	}
	b.read += b.rest()
	b.spend(a, b.cur)
	b.cur, b.buf, b.off = nil, nil, 0
}

// spend puts a message that was read where several are given back at once.
func (b *inbox) spend(a *stack.Assoc, m *ulpqueue.Message) {
	b.spent.Push(m)
	if b.spent.Len() >= spentBatch || b.spent.Bytes() >= readBatch {
		a.FreeList(&b.spent)
	}
}

// leave gives everything back, because nobody will read it.
func (b *inbox) leave(a *stack.Assoc) {
	b.dropCurrent(a)
	b.read += b.list.Bytes()
	a.FreeList(&b.list)
	a.FreeList(&b.spent)
	for b.read > 0 {
		// This reports what was read or dropped, and may give more to drop.
		a.Recv(&b.list, 0, b.read)
		b.read = b.list.Bytes()
		a.FreeList(&b.list)
	}
}
