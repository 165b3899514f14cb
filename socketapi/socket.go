package socketapi

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/stack"
)

// Style is the style of a Socket (RFC 6458 sections 3 and 4).
type Style uint8

// Styles.
const (
	OneToOne  Style = iota // one association, or a listener, as with TCP
	OneToMany              // many associations, set up by sending, as with UDP
)

// AssocID names an association; no two of a Host's ever have the same. On a
// one-to-one socket it is ignored.
type AssocID int32

// Ids that stand for others than one association (RFC 6458 section 7.2).
const (
	FutureAssoc  AssocID = 0 // those to come
	CurrentAssoc AssocID = 1 // those that live; only to set
	AllAssocs    AssocID = 2 // both; only to set
)

// SocketConfig says what kind of Socket is wanted.
type SocketConfig struct {
	Style Style
	// IPv6 sockets have IPv6 addresses and, unless V6Only is set, IPv4 ones;
	// others have IPv4 addresses only.
	IPv6, V6Only bool
	// Options are those to begin with; nil means DefaultOptions.
	Options *Options
}

// Socket is SCTP's sockets API of RFC 6458 with Linux's errnos. Methods whose
// name begins with Try never block and fail with EAGAIN, or EINPROGRESS, in
// place of it; Ready and OnReady tell when to try again. All methods may be
// called by several goroutines at once. After Close they return net.ErrClosed.
type Socket struct {
	host    *Host
	style   Style
	ipv6    bool
	v6only  bool
	peeled  bool // by PeelOff: one association of a one-to-many socket
	rd, wr  gate
	closed  atomic.Bool
	onReady atomic.Pointer[func()]

	leaf    sync.Mutex // no other lock is taken while it is held
	woken   []*member  // have bits to be looked at
	arrived bool       // associations wait for ep.Accept
	counted bool       // left is valid: the socket was closed
	left    int        // associations of a closed socket that live

	mu        sync.Mutex // what follows; never held while blocking, and before a shard's lock
	ep        *stack.Endpoint
	owns      bool // ep is closed with the socket
	listening bool
	opt       Options
	members   map[AssocID]*member // those that live
	byAddr    map[peer]*member    // the same, by each of their peers' addresses
	one       *member             // of a one-to-one or peeled-off socket, also after its end
	queue     []*member           // those with something to read, in turn
	mid       *member             // a message of which was read in part
	scratch   []*member
	leavers   []*member // of a closed socket
	err       error     // SO_ERROR
	rcvShut   bool      // nothing more will be received
	sndShut   bool      // Shutdown was called
}

// NewSocket returns a Socket that is not bound yet. Close it to free what it
// holds.
func (h *Host) NewSocket(cfg SocketConfig) (*Socket, error) {
	if cfg.Style > OneToMany || cfg.V6Only && !cfg.IPv6 {
		return nil, fail("there is no such kind of socket", syscall.EINVAL)
	}
	opt := DefaultOptions()
	if cfg.Options != nil {
		opt = *cfg.Options
		if err := opt.Validate(); err != nil {
			return nil, err
		}
	}
	s := newSocket(h, cfg.Style, &opt)
	s.ipv6, s.v6only = cfg.IPv6, cfg.V6Only
	if !h.addSocket(s) {
		return nil, net.ErrClosed
	}
	return s, nil
}

func newSocket(h *Host, style Style, opt *Options) *Socket {
	return &Socket{
		host: h, style: style, opt: *opt,
		members: make(map[AssocID]*member), byAddr: make(map[peer]*member),
	}
}

// heir returns a new socket for an association of s, with the options of s.
func (s *Socket) heir() *Socket {
	n := newSocket(s.host, s.style, &s.opt)
	n.ipv6, n.v6only, n.ep = s.ipv6, s.v6only, s.ep
	return n
}

// Style returns the socket's style; a peeled-off socket is OneToMany.
func (s *Socket) Style() Style { return s.style }

// single reports whether the socket has one association at most.
func (s *Socket) single() bool { return s.style == OneToOne || s.peeled }

// tcp reports whether the socket is one-to-one, and not just peeled off.
func (s *Socket) tcp() bool { return s.style == OneToOne }

// errnoError is an error that a user knows by its errno.
type errnoError struct {
	text  string
	errno syscall.Errno
}

func (e *errnoError) Error() string { return "sctp: " + e.text + ": " + e.errno.Error() }
func (e *errnoError) Unwrap() error { return e.errno }

func fail(text string, errno syscall.Errno) error { return &errnoError{text, errno} }

// Errors that are not made anew for each call.
var (
	errAgain      = fail("nothing to do now", syscall.EAGAIN)
	errInProgress = fail("the association is being set up", syscall.EINPROGRESS)
	errPipe       = fail("there is no association to send to", syscall.EPIPE)
	errNotConn    = fail("there is no association", syscall.ENOTCONN)
	errNoAssoc    = fail("no such association", syscall.EINVAL)
	errArgument   = fail("invalid argument", syscall.EINVAL)
	errStyle      = fail("not on this style of socket", syscall.EOPNOTSUPP)
)

// enter locks the socket and catches up with what happened.
func (s *Socket) enter() error {
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.settle()
	return nil
}

// until calls try until it does not say EAGAIN, and waits at g in between.
func (s *Socket) until(ctx context.Context, g *gate, try func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		seq := g.look()
		err := try()
		if err != errAgain {
			return err
		}
		if g.expired.Load() {
			return errDeadline
		}
		if !g.wait(seq, ctx.Done()) {
			return ctx.Err()
		}
	}
}

// SetReadDeadline sets when Recv and Accept give up with
// os.ErrDeadlineExceeded; the zero Time means never.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.rd, t) }

// SetWriteDeadline sets when Send and Connect give up with
// os.ErrDeadlineExceeded; the zero Time means never.
func (s *Socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.wr, t) }

func (s *Socket) setDeadline(g *gate, t time.Time) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	g.setDeadline(t)
	return nil
}

// addSocket registers a Socket; false if the host is closed.
func (h *Host) addSocket(s *Socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.sockets[s] = struct{}{}
	}
	return !h.closed
}

func (h *Host) removeSocket(s *Socket) {
	h.mu.Lock()
	delete(h.sockets, s)
	h.mu.Unlock()
}

func (s *Socket) String() string {
	return fmt.Sprintf("sctp socket %v", s.LocalAddr())
}
