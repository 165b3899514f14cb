package stack

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Assoc is a user's handle on an association. Its methods never block; Wake
// tells when it is worth while to call again.
type Assoc struct {
	a     sideeffects.Association
	shard *shard
	ep    *Endpoint

	// With the shard's lock.
	serial    uint32     // in order of creation
	tag       chunk.VTag // filed under
	tuples    []tuple
	heapAt    int
	isBlocked bool
	waking    bool
	owing     bool // in the shard's list of the same name
	dirty     bool // in the sender's list of the same name
	stream    stream
	gone      bool
	inbound   bool // the peer set it up
	pendingAt int  // place in the shard's list of the same name, and 1

	spoilt atomic.Pointer[seg.Buf] // left to the garbage collector

	onRelease atomic.Pointer[func()] // called once after the lock is free
	pending   atomic.Uint32          // Wakes to deliver
	waker     atomic.Pointer[func(sideeffects.Wake)]
}

func newAssoc(sh *shard, ep *Endpoint) *Assoc {
	a := &Assoc{shard: sh, ep: ep, serial: sh.stack.nextID.Add(1), heapAt: -1}
	a.a.Owner = a
	return a
}

// OnWake has f called, from any goroutine and without a lock held, when
// something becomes possible. What happened before is told at once.
func (a *Assoc) OnWake(f func(sideeffects.Wake)) {
	a.waker.Store(&f)
	f(sideeffects.WakeReadable | sideeffects.WakeWritable | sideeffects.Wake(a.pending.Swap(0)))
}

func (a *Assoc) wake() {
	if a.onRelease.Load() != nil {
		if f := a.onRelease.Swap(nil); f != nil {
			(*f)()
		}
	}
	if a.waker.Load() == nil {
		return // OnWake tells of what is pending
	}
	if bits := a.pending.Swap(0); bits != 0 {
		// Looked up after taking the bits: whom OnWake replaced meanwhile must
		// not get them.
		(*a.waker.Load())(sideeffects.Wake(bits))
	}
}

func (a *Assoc) port() uint16     { p, _ := a.a.Ports(); return p }
func (a *Assoc) peerPort() uint16 { _, p := a.a.Ports(); return p }

// State is the association's state; call it with the shard's lock.
func (a *Assoc) State() tcb.State { return a.a.State() }

// Errors of Assoc's methods.
var (
	// ErrWouldBlock: no room in the send buffer, or nothing to read yet.
	ErrWouldBlock = errors.New("sctp: would block")
	// ErrClosing: the association is shutting down and takes no messages.
	ErrClosing = errors.New("sctp: the association is shutting down")
	// ErrTooLong: the message is longer than the send buffer.
	ErrTooLong = fmt.Errorf("sctp: message too long: %w", syscall.EMSGSIZE)
	// ErrStream: the association does not have that stream.
	ErrStream = fmt.Errorf("sctp: no such stream: %w", syscall.EINVAL)
)

// Message is a message to send.
type Message struct {
	Stream    chunk.StreamID
	PPID      chunk.PPID
	Unordered bool
	Immediate bool // ask the peer to acknowledge at once
	Context   uint32
	To        netip.Addr // the peer's address to send to while it is active; the zero Addr: the path in use
	More      bool       // it need not be sent before the next message, or Push
}

// Buffer returns a buffer for a message of n bytes, to be filled and given to
// Send.
func (a *Assoc) Buffer(n int) *seg.Buf { return a.shard.stack.pools.Seg.Get(n) }

// Send queues a message. The buffer is the stack's if the error is nil, else
// still the caller's.
func (a *Assoc) Send(m Message, b *seg.Buf) error {
	sh := a.shard
	cfg := a.a.TCB().Config()
	limit := cfg.SendBuffer
	if cfg.MaxMessage > 0 {
		limit = min(limit, cfg.MaxMessage)
	}
	if len(b.B) == 0 {
		return fmt.Errorf("sctp: a message needs at least one byte: %w", syscall.EINVAL)
	}
	if len(b.B) > limit {
		return ErrTooLong
	}
	now := sh.stack.clock.Now()
	sh.mu.Lock()
	v := a.a.TCB()
	switch s := v.State(); {
	case s == tcb.Closed:
		err := a.endError()
		sh.mu.Unlock()
		return err
	case !s.TakesMessages() || v.ShutdownAsked():
		sh.mu.Unlock()
		return ErrClosing
	}
	pl := a.plane()
	if n := pl.Out.Buffered(); n > 0 && n+len(b.B) > cfg.SendBuffer {
		pl.Out.WantWritable()
		sh.mu.Unlock()
		return ErrWouldBlock
	}
	out := outqueue.Message{
		Buf: b, PPID: m.PPID, Context: m.Context, Stream: m.Stream,
		Unordered: m.Unordered, Immediate: m.Immediate,
	}
	if m.To.IsValid() && v.State() >= tcb.Established {
		var addrs [tcb.MaxPaths]netip.Addr
		out.Via = uint8(slices.Index(a.a.PeerAddrs(addrs[:0]), m.To) + 1)
	}
	sh.current = a
	sh.x.Hold = m.More || sh.stack.started && a.stream.busy(now)
	r := sh.x.Send(&a.a, out, now)
	if sh.x.Hold {
		sh.x.Hold = false
		if !m.More {
			sh.sender.take(a)
		}
		if r == fsm.ResultOK && a.a.Wakes == 0 {
			// It is queued, and that is all: no packet, no timer, nobody to wake.
			sh.mu.Unlock()
			return nil
		}
	}
	sh.settle(a)
	sh.release()
	switch r {
	case fsm.ResultOK:
		return nil
	case fsm.ResultShutdown:
		return ErrClosing
	case fsm.ResultFailed:
		// A bug cost the association. How far the message came nobody knows:
		// its buffer must not be put back, perhaps for the second time.
		a.spoilt.Store(b)
		return &EndError{a.End()}
	}
	return ErrStream
}

func (a *Assoc) plane() *sideeffects.Plane {
	pl, _ := a.a.Data().(*sideeffects.Plane)
	return pl
}

// Recv moves ready messages and notifications to dst: at least one if there is
// any, and not many more than max bytes. read is how many bytes of what it
// gave out before have been read since; they open the window again. It returns
// ErrWouldBlock if nothing is there, and after the end how that came: nil,
// io.EOF's kind, is for the layer above to judge by End.
func (a *Assoc) Recv(dst *ulpqueue.List, max, read int) error {
	sh := a.shard
	sh.mu.Lock()
	sh.current = a
	if read > 0 {
		sh.x.Consumed(&a.a, read, sh.stack.clock.Now())
	}
	n := sh.x.Detach(&a.a, dst, max)
	var err error
	if n == 0 {
		err = ErrWouldBlock
		if a.a.State() == tcb.Closed {
			err = a.endError()
		}
	}
	if read > 0 {
		sh.settle(a)
		sh.release()
	} else {
		sh.mu.Unlock()
	}
	return err
}

// Free takes a message back that was read.
func (a *Assoc) Free(m *ulpqueue.Message) {
	p := a.shard.stack.pools
	ulpqueue.FreeMessage(p.Seg, p.Nodes, m)
}

// FreeBuffer takes a buffer back that Send did not want.
func (a *Assoc) FreeBuffer(b *seg.Buf) {
	if a.spoilt.Load() != b {
		a.shard.stack.pools.Seg.Put(b)
	}
}

// Shutdown closes gracefully: what is queued is still delivered.
func (a *Assoc) Shutdown() {
	sh := a.shard
	sh.mu.Lock()
	sh.current = a
	sh.x.Shutdown(&a.a, sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
}

// Abort ends the association at once and tells the peer why.
func (a *Assoc) Abort(reason []byte) {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() != tcb.Closed {
		sh.current = a
		sh.x.Abort(&a.a, reason, sh.stack.clock.Now())
		sh.settle(a)
	}
	sh.release()
}

// Discard drops what was not read: the user will not come for it.
func (a *Assoc) Discard() {
	sh := a.shard
	sh.mu.Lock()
	a.drop(sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
}

// drop is Discard with the shard's lock.
func (a *Assoc) drop(now mono.Time) {
	var l ulpqueue.List
	for a.shard.x.Detach(&a.a, &l, 1<<20) > 0 {
		n := l.Bytes()
		for m := l.Pop(); m != nil; m = l.Pop() {
			a.Free(m)
		}
		a.shard.current = a
		a.shard.x.Consumed(&a.a, n, now)
	}
}

// ReportSendFailures says whether messages that fail from now on come back in
// notifications, which sideeffects.ReadSendFailure reads.
func (a *Assoc) ReportSendFailures(on bool) {
	a.shard.mu.Lock()
	a.shard.x.SetReporting(&a.a, on)
	a.shard.mu.Unlock()
}

// End says how the association ended.
func (a *Assoc) End() sideeffects.End {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	return a.a.End
}

// EndError is the error of an association that has ended.
type EndError struct{ End sideeffects.End }

// Error says how the association ended.
func (e *EndError) Error() string {
	s := "sctp: association " + endText(&e.End)
	if e.End.Cause != 0 {
		s += ": " + e.End.Cause.String()
	}
	return s
}

func endText(e *sideeffects.End) string {
	switch {
	case e.Change == fsm.ShutdownComplete:
		return "closed"
	case e.ByPeer && e.Change == fsm.CantStart:
		return "refused by the peer"
	case e.ByPeer:
		return "aborted by the peer"
	case e.Change == fsm.CantStart && e.Cause != 0:
		return "could not be set up"
	case e.Change == fsm.CantStart:
		return "could not be set up: no answer"
	case e.Cause != 0:
		return "aborted"
	}
	return "lost: the peer does not answer"
}

// Unwrap gives the errno that a socket user expects.
func (e *EndError) Unwrap() error {
	switch {
	case e.End.Change == fsm.ShutdownComplete:
		return syscall.EPIPE
	case e.End.ByPeer && e.End.Change == fsm.CantStart:
		return syscall.ECONNREFUSED
	case e.End.ByPeer:
		return syscall.ECONNRESET
	case e.End.Cause != 0:
		return syscall.ECONNABORTED
	}
	return syscall.ETIMEDOUT
}

func (a *Assoc) endError() error { return &EndError{a.a.End} }

// Status returns a snapshot.
func (a *Assoc) Status() sideeffects.Status {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	return a.a.Status()
}
