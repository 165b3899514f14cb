package socketapi

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Conn is one association. It implements net.Conn.
type Conn struct {
	a    *stack.Assoc
	host *Host
	cfg  *tcb.Config

	local, remote atomic.Pointer[Addr]
	up            chan struct{} // closed when the association has come up
	done          chan struct{} // closed when it has ended
	upOnce        sync.Once
	doneOnce      sync.Once
	closed        atomic.Bool // Close or Abort was called

	rd, wr gate

	rmu    sync.Mutex // what follows; never held while blocking
	in     inbox
	eof    bool // the peer has shut down
	notify func(Notification)
}

var _ net.Conn = (*Conn)(nil)

func newConn(h *Host, cfg *tcb.Config) *Conn {
	return &Conn{
		host: h, cfg: cfg, up: make(chan struct{}), done: make(chan struct{}),
		in: inbox{report: cfg.RecvBuffer / 16},
	}
}

// wake is called by the stack, from any goroutine, when something became
// possible.
func (c *Conn) wake(w sideeffects.Wake) {
	if w&sideeffects.WakeUp != 0 {
		c.upOnce.Do(func() { close(c.up) })
	}
	if w&sideeffects.WakeEnded != 0 {
		c.ended()
	}
	if w&sideeffects.WakeReadable != 0 {
		if c.closed.Load() {
			c.a.Discard()
			return
		}
		c.rd.signal()
	}
	if w&sideeffects.WakeWritable != 0 {
		c.wr.signal()
	}
}

// catchUp notices what happened before wake was there to be called.
func (c *Conn) catchUp() {
	end := c.a.End()
	// One that has come up and ended already still has messages to read.
	wasUp := end.Ended && end.Change != fsm.CantStart && end.Change != fsm.Gone
	if wasUp || c.a.Status().State >= tcb.Established {
		c.wake(sideeffects.WakeUp)
	}
	if end.Ended || c.a.End().Ended {
		c.ended()
	}
}

// ended lets everybody find out that the association is gone.
func (c *Conn) ended() {
	c.doneOnce.Do(func() {
		close(c.done)
		c.host.remove(c)
	})
	c.rd.broadcast()
	c.wr.broadcast()
}

// LocalAddr returns the association's own addresses and port, an *Addr.
func (c *Conn) LocalAddr() net.Addr { return c.localAddr() }

// RemoteAddr returns the peer's addresses, as far as known, and port, an *Addr.
func (c *Conn) RemoteAddr() net.Addr { return c.remoteAddr() }

func (c *Conn) localAddr() *Addr {
	if a := c.local.Load(); a != nil {
		return a
	}
	return &Addr{}
}

func (c *Conn) remoteAddr() *Addr {
	if a := c.remote.Load(); a != nil {
		return a
	}
	return &Addr{}
}

// learnAddrs notes the addresses of both sides.
func (c *Conn) learnAddrs() {
	s := c.a.Status()
	r := &Addr{Port: s.PeerPort}
	for i := range s.Paths {
		r.IPs = append(r.IPs, s.Paths[i].Addr)
	}
	c.local.Store(&Addr{IPs: s.LocalAddrs, Port: s.LocalPort})
	c.remote.Store(r)
}

// SetPrimary makes the path to one of the peer's addresses the primary one:
// messages sent from now on go there while it is active. An address that is not
// the peer's gives EINVAL, one that is not confirmed yet EAGAIN.
func (c *Conn) SetPrimary(addr netip.Addr) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	if err := c.a.SetPrimary(addr); err != nil {
		return c.opError("set", translate(err))
	}
	return nil
}

// SetPathSource has packets to one of the peer's addresses come from src, one
// of the association's own (see LocalAddr), and from no other: DATA and its
// acknowledgements, HEARTBEATs and retransmissions. While the host does not have
// src the path is not used if there is another. The zero Addr leaves the choice
// to the host's routes again. An address that is not the peer's gives EINVAL,
// one that is not the association's own EADDRNOTAVAIL.
func (c *Conn) SetPathSource(peer, src netip.Addr) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	if err := c.a.SetPathSource(peer, src); err != nil {
		return c.opError("set", translate(err))
	}
	return nil
}

// SetDeadline sets the deadlines for reading and writing. A deadline that
// passes, also while a call waits, gives os.ErrDeadlineExceeded until it is
// set anew. The zero Time means none.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, &c.rd, &c.wr)
}

// SetReadDeadline sets the deadline for Read and RecvMsg.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.rd) }

// SetWriteDeadline sets the deadline for Write and SendMsg. A message is sent
// whole or not at all.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.wr) }

func (c *Conn) setDeadline(t time.Time, gates ...*gate) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	for _, g := range gates {
		g.setDeadline(t)
	}
	return nil
}

// endedBy says what an error of the stack's means for the user: whoever ended
// the association oneself shall not be told how.
func (c *Conn) endedBy(err error) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return translate(err)
}

func (c *Conn) opError(op string, err error) error {
	return opError(op, c.localAddr(), c.remoteAddr(), err)
}

// Close ends the association gracefully and does not wait for that: messages
// that were sent are still delivered, then the association is shut down in the
// background. What the peer has sent and nobody has read is dropped. Use
// CloseWait to know that all has arrived.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.opError("close", net.ErrClosed)
	}
	c.leave()
	c.a.Shutdown()
	return nil
}

// leave is the end for the user: nobody waits or reads any more.
func (c *Conn) leave() {
	c.rd.stop()
	c.wr.stop()
	c.rd.broadcast()
	c.wr.broadcast()
	c.rmu.Lock()
	c.in.leave(c.a)
	c.rmu.Unlock()
	c.a.Discard()
}

// CloseWait is Close, and waits until the association has ended: nil means that
// all messages were delivered and the peer agreed to the end. If ctx ends first
// its error is returned, and the shutdown goes on. CloseWait may follow Close.
func (c *Conn) CloseWait(ctx context.Context) error {
	if !c.closed.Swap(true) {
		c.leave()
		c.a.Shutdown()
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return c.opError("close", ctx.Err())
	}
	if e := c.a.EndErr(); !graceful(e) {
		return c.opError("close", translate(e))
	}
	return nil
}

// CloseWrite shuts the association down like Close, but what the peer still
// sends can be read, until io.EOF.
func (c *Conn) CloseWrite() error {
	if c.closed.Load() {
		return c.opError("close", net.ErrClosed)
	}
	c.a.Shutdown()
	c.wr.broadcast()
	return nil
}

// Abort ends the association at once; messages on their way are lost. The peer
// is told the reason, which may be empty. Abort may follow Close.
func (c *Conn) Abort(reason string) error {
	first := !c.closed.Swap(true)
	select {
	case <-c.done:
		if !first {
			return c.opError("abort", net.ErrClosed)
		}
	default:
	}
	c.a.Abort([]byte(reason))
	if first {
		c.leave()
	}
	return nil
}
