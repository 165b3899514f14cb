package socketapi

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Listener takes associations that peers set up. It implements net.Listener.
type Listener struct {
	ep     *stack.Endpoint
	host   *Host
	cfg    *tcb.Config
	addr   *Addr
	ready  gate
	closed atomic.Bool
}

var _ net.Listener = (*Listener)(nil)

// Listen takes associations at addr, on cfg.Host or the shared Host:
// "10.0.0.1/10.0.0.2:38412", or ":38412" for all addresses of the host. Port 0
// means any free one.
func Listen(addr string, cfg *Config) (*Listener, error) {
	h, err := cfg.host()
	if err != nil {
		return nil, opError("listen", nil, nil, err)
	}
	return h.Listen(addr, cfg)
}

// Listen takes associations at addr: "10.0.0.1/10.0.0.2:38412", or ":38412" for
// all addresses of the host. Port 0 means any free one.
func (h *Host) Listen(addr string, cfg *Config) (*Listener, error) {
	local, err := ResolveAddr(context.Background(), addr)
	if err != nil {
		return nil, opError("listen", nil, nil, err)
	}
	return h.ListenAddr(local, cfg)
}

// ListenAddr is Listen with an address that was parsed before.
func (h *Host) ListenAddr(local *Addr, cfg *Config) (*Listener, error) {
	l, err := h.listen(local, cfg)
	if err != nil {
		return nil, opError("listen", local, nil, err)
	}
	return l, nil
}

func (h *Host) listen(local *Addr, cfg *Config) (*Listener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := h.forListen(); err != nil {
		return nil, err
	}
	t := cfg.tcb()
	ips := local.IPs
	if len(ips) == 0 && cfg != nil && cfg.AllAddresses {
		all, err := h.allAddrs(nil)
		if err != nil {
			return nil, err
		}
		ips = all
	}
	ep, err := h.stack.Open(ips, local.Port, t)
	if err != nil {
		return nil, err
	}
	if cfg != nil {
		ep.SetCongestion(cfg.Congestion)
	}
	l := &Listener{ep: ep, host: h, cfg: t, addr: &Addr{IPs: ep.Local(), Port: ep.Port()}}
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.listeners[l] = struct{}{}
	}
	h.mu.Unlock()
	if closed {
		ep.Close()
		return nil, net.ErrClosed
	}
	ep.Listen(cfg.backlog(), l.ready.signal)
	return l, nil
}

// Accept waits for the next association; it is an *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.accept(context.Background())
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptSCTP waits for the next association, and gives up, with ctx's error,
// when ctx is done.
func (l *Listener) AcceptSCTP(ctx context.Context) (*Conn, error) { return l.accept(ctx) }

func (l *Listener) accept(ctx context.Context) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, l.opError("accept", err)
	}
	for {
		seq := l.ready.look()
		switch {
		case l.closed.Load():
			return nil, l.opError("accept", net.ErrClosed)
		case l.ready.expired.Load():
			return nil, l.opError("accept", os.ErrDeadlineExceeded)
		}
		if a := l.ep.Accept(); a != nil {
			l.ready.pass()
			if c := l.adopt(a); c != nil {
				return c, nil
			}
			continue
		}
		if !l.ready.wait(seq, ctx.Done()) {
			return nil, l.opError("accept", ctx.Err())
		}
	}
}

// adopt makes a Conn of an association.
func (l *Listener) adopt(a *stack.Assoc) *Conn {
	c := newConn(l.host, l.cfg)
	c.a = a
	c.learnAddrs()
	if !l.host.add(c) {
		a.Abort(nil)
		a.Discard()
		return nil
	}
	a.OnWake(c.wake)
	c.catchUp()
	return c
}

// Addr returns the address that the listener is bound to, an *Addr.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetDeadline sets when Accept gives up with os.ErrDeadlineExceeded; the zero
// Time means never.
func (l *Listener) SetDeadline(t time.Time) error {
	if l.closed.Load() {
		return l.opError("set", net.ErrClosed)
	}
	l.ready.setDeadline(t)
	return nil
}

// Dial sets up an association from the listener's own address and port, as
// signalling protocols do that use one port on both sides. cfg may be nil for
// that of the listener.
func (l *Listener) Dial(ctx context.Context, addr string, cfg *Config) (*Conn, error) {
	remote, err := ResolveAddr(ctx, addr)
	if err != nil {
		return nil, opError("dial", nil, nil, err)
	}
	c, err := l.dial(ctx, remote, cfg)
	if err != nil {
		return nil, opError("dial", l.addr, remote, err)
	}
	return c, nil
}

func (l *Listener) dial(ctx context.Context, remote *Addr, cfg *Config) (*Conn, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.closed.Load() {
		return nil, net.ErrClosed
	}
	t := l.cfg
	if cfg != nil {
		t = cfg.tcb()
	}
	c := newConn(l.host, t)
	return c, c.associate(ctx, l.ep, remote, cfg)
}

// Close stops listening. Associations that nobody accepted are aborted, those
// accepted go on. The port can be listened on again at once; it is free for
// Dial, and for others, when the last of them has ended.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.opError("close", net.ErrClosed)
	}
	l.host.mu.Lock()
	delete(l.host.listeners, l)
	l.host.mu.Unlock()
	err := l.ep.Close()
	l.ready.stop()
	l.ready.broadcast()
	return err
}

func (l *Listener) opError(op string, err error) error { return opError(op, l.addr, nil, err) }
