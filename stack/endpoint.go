package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Endpoint is a local port with one or more addresses (RFC 9260 section 1.3).
// It can listen, and associations can be made from it.
type Endpoint struct {
	stack *Stack
	port  uint16
	cfg   atomic.Pointer[sideeffects.Settings] // replaced as a whole, with mu
	root  *Endpoint                            // whose name associations are filed under: see portTable.bind

	mu      sync.Mutex
	backlog int // 0: not listening
	queue   []*Assoc
	closed  bool
	served  bool // has listened
	inbound int  // associations that peers set up
	refs    int  // associations, and 1 while open
	onReady func()
}

// Open makes an endpoint on the given addresses (none: all) and port (0: any
// free one).
func (s *Stack) Open(local []netip.Addr, port uint16, cfg *tcb.Config) (*Endpoint, error) {
	if s.closed.Load() {
		return nil, net.ErrClosed
	}
	local, err := s.bindable(local)
	if err != nil {
		return nil, err
	}
	ep := &Endpoint{stack: s, refs: 1}
	ep.cfg.Store(&sideeffects.Settings{Config: cfg, Local: local})
	ep.root = ep
	if err := s.ports.bind(ep, port); err != nil {
		return nil, err
	}
	return ep, nil
}

// SetCongestion has f make the congestion controller of each path of the
// associations to come; nil stands for path.NewReno. f runs with a shard's
// lock held, and so do the methods of what it makes: they must not block or
// call the stack. Call it before Listen and Associate.
func (ep *Endpoint) SetCongestion(f func() path.Controller) {
	ep.change(func(s *sideeffects.Settings) { s.Congestion = f })
}

// bindable checks addresses that an endpoint is to have.
func (s *Stack) bindable(local []netip.Addr) ([]netip.Addr, error) {
	local = slices.Clone(local)
	for i, a := range local {
		a = a.Unmap()
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return nil, fmt.Errorf("sctp: cannot bind to %v: %w", a, syscall.EINVAL)
		}
		if !a.IsLoopback() {
			own, n, err := s.own(a)
			switch {
			case err != nil:
				return nil, err
			case n == 0:
				return nil, fmt.Errorf("sctp: %v is not an address of this host: %w", a, syscall.EADDRNOTAVAIL)
			case n > 1:
				return nil, fmt.Errorf("sctp: %v is an address of several interfaces, and needs a zone: %w", a, syscall.EINVAL)
			}
			a = own
		}
		if slices.Contains(local[:i], a) {
			return nil, fmt.Errorf("sctp: %v is named twice: %w", a, syscall.EINVAL)
		}
		local[i] = a
	}
	return local, nil
}

// own returns an address of this host, and how many there are that it can mean:
// a link-local one without a zone may be on several interfaces.
func (s *Stack) own(a netip.Addr) (own netip.Addr, n int, err error) {
	for range 2 {
		have, err := s.Addrs()
		if err != nil {
			return own, 0, err
		}
		for _, h := range have {
			if h == a {
				return a, 1, nil
			}
			if a.Zone() == "" && h.WithZone("") == a || h.Zone() == "" && a.WithZone("") == h {
				if n == 0 || own != h {
					n++
				}
				own = h
			}
		}
		if n > 0 {
			return own, n, nil
		}
		for _, l := range s.links { // it may have come up just now
			if w, ok := l.Link.(transport.Watcher); ok {
				w.Forget()
			}
		}
	}
	return own, 0, nil
}

// Listen makes the endpoint take associations; ready is called, from any
// goroutine, when one waits to be accepted.
func (ep *Endpoint) Listen(backlog int, ready func()) {
	ep.mu.Lock()
	if !ep.closed {
		ep.served = true
		ep.backlog = max(backlog, 1)
		ep.onReady = ready
	}
	ep.mu.Unlock()
}

// Accept returns an association that was set up by its peer, nil if there is
// none.
func (ep *Endpoint) Accept() *Assoc {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if len(ep.queue) == 0 {
		return nil
	}
	a := ep.queue[0]
	ep.queue[0] = nil
	ep.queue = ep.queue[1:]
	return a
}

// Port returns the local port.
func (ep *Endpoint) Port() uint16 { return ep.port }

// Local returns the addresses that the endpoint is bound to, none for all.
func (ep *Endpoint) Local() []netip.Addr { return slices.Clone(ep.cfg.Load().Local) }

// Close stops listening and aborts what nobody accepted. The port stays with
// the associations on it, but another endpoint can be opened there to listen.
func (ep *Endpoint) Close() error {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		return net.ErrClosed
	}
	ep.closed = true
	ep.backlog = 0
	queue := ep.queue
	ep.queue = nil
	ep.mu.Unlock()
	for _, a := range queue {
		a.Abort(nil)
		a.Discard()
	}
	ep.unref()
	return nil
}

func (ep *Endpoint) listening() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.backlog > 0
}

func (ep *Endpoint) facts() sideeffects.Endpoint {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return sideeffects.Endpoint{Cfg: *ep.cfg.Load(), Listening: ep.backlog > 0, BacklogFull: ep.full()}
}

// full reports whether no further association is taken from peers; with mu.
func (ep *Endpoint) full() bool {
	if len(ep.queue) >= ep.backlog || ep.stack.inbound.Load() >= int64(ep.stack.opts.MaxAssociations) {
		return true
	}
	m := ep.cfg.Load().Config.MaxAssociations
	return m > 0 && ep.inbound >= m
}

// lost tells that an association which a peer set up is gone.
func (ep *Endpoint) lost() {
	ep.mu.Lock()
	ep.inbound--
	ep.mu.Unlock()
}

// lingers reports whether only associations keep the port of what listened.
func (ep *Endpoint) lingers() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.closed && ep.served
}

// arrived queues a new association for Accept; false if the endpoint does not
// listen any more.
func (ep *Endpoint) arrived(a *Assoc) bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.backlog == 0 {
		return false
	}
	ep.queue = append(ep.queue, a)
	if ep.onReady != nil {
		a.onRelease.Store(&ep.onReady)
	}
	return true
}

func (ep *Endpoint) ref() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.refs == 0 {
		return false
	}
	ep.refs++
	return true
}

// refInbound is ref for an association that a peer sets up.
func (ep *Endpoint) refInbound() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.refs == 0 {
		return false
	}
	ep.refs++
	ep.inbound++
	ep.stack.inbound.Add(1)
	return true
}

func (ep *Endpoint) unref() {
	ep.mu.Lock()
	ep.refs--
	last := ep.refs == 0
	ep.mu.Unlock()
	if last {
		ep.stack.ports.unbind(ep)
	}
}

// ErrNoPeer says that none of a peer's addresses can be reached.
var ErrNoPeer = errors.New("sctp: no route to any of the peer's addresses")

// Associate starts an association to a peer; its addresses count as confirmed.
// wake is called, from any goroutine and never with a lock held, when
// something becomes possible. encapPort is the peer's UDP port on links that
// encapsulate, 0 for the link's default. The id is the caller's handle for the
// time when the association is up, or has failed.
func (ep *Endpoint) Associate(peers []netip.Addr, port, encapPort uint16, cfg *tcb.Config, wake func(sideeffects.Wake)) (*Assoc, error) {
	return ep.AssociateFrom(nil, peers, port, encapPort, cfg, wake)
}

// AssociateFrom is Associate with own addresses for some of the peer's: packets
// to an address that is a key come from its value, which must be an address of
// the endpoint.
func (ep *Endpoint) AssociateFrom(sources map[netip.Addr]netip.Addr, peers []netip.Addr, port, encapPort uint16, cfg *tcb.Config, wake func(sideeffects.Wake)) (*Assoc, error) {
	s := ep.stack
	if err := ep.mayPin(sources, peers); err != nil {
		return nil, err
	}
	if port == 0 || len(peers) == 0 {
		return nil, fmt.Errorf("sctp: no peer to connect to: %w", syscall.EINVAL)
	}
	if cfg == nil {
		cfg = ep.cfg.Load().Config
	}
	if !ep.ref() {
		return nil, net.ErrClosed
	}
	var b [1]byte
	s.random(b[:])
	sh := s.shards[int(b[0])%len(s.shards)]
	a := newAssoc(sh, ep)
	if wake != nil {
		a.waker.Store(&wake)
	}
	set := *ep.cfg.Load()
	set.Config = cfg

	sh.mu.Lock()
	if s.closed.Load() { // after this Close finds the association
		sh.mu.Unlock()
		ep.unref()
		return nil, net.ErrClosed
	}
	if err := sh.prepare(a, set, port, peers, sources, encapPort); err != nil {
		sh.mu.Unlock()
		ep.unref()
		return nil, err
	}
	if a.a.TCB().NumPaths() == 0 {
		sh.mu.Unlock()
		ep.unref()
		return nil, fmt.Errorf("%w: %w", ErrNoPeer, syscall.ENETUNREACH)
	}
	if !s.fileNew(a) {
		sh.mu.Unlock()
		ep.unref()
		return nil, fmt.Errorf("sctp: there is an association to this peer: %w", syscall.EISCONN)
	}
	now := s.clock.Now()
	sh.current = a
	r := sh.x.Associate(&a.a, now)
	sh.settle(a)
	sh.release()
	if r != fsm.ResultOK {
		return nil, fmt.Errorf("sctp: the association could not be started: %w", syscall.EIO)
	}
	return a, nil
}

// mayPin checks the own addresses that a user wants for addresses of a peer.
func (ep *Endpoint) mayPin(sources map[netip.Addr]netip.Addr, peers []netip.Addr) error {
	for peer, src := range sources {
		if !slices.Contains(peers, peer) {
			return fmt.Errorf("%w: %v", ErrNoPath, peer)
		}
		local := ep.cfg.Load().Local
		ok := slices.Contains(local, src)
		if len(local) == 0 {
			own, n, err := ep.stack.own(src)
			if err != nil {
				return err
			}
			ok = n == 1 && own == src
		}
		if !ok || src.Is4() != peer.Unmap().Is4() {
			return fmt.Errorf("%w: %v toward %v", ErrNoSource, src, peer)
		}
	}
	return nil
}

// prepare makes a ready to associate. The user's own congestion controllers are
// made here, and a panic of theirs is an error.
func (sh *shard) prepare(a *Assoc, set sideeffects.Settings, port uint16, peers []netip.Addr, sources map[netip.Addr]netip.Addr, encapPort uint16) (err error) {
	if set.Congestion != nil {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("sctp: the congestion controller panicked: %v", p)
			}
		}()
	}
	sh.x.Prepare(&a.a, set, a.serial, a.ep.port, port)
	for _, p := range peers {
		sh.x.AddPeer(&a.a, p.Unmap(), sources[p], encapPort)
	}
	return nil
}

// Create implements sideeffects.Host: a COOKIE ECHO makes an association.
func (sh *shard) Create(c *sideeffects.Cookie) *sideeffects.Association {
	ep := sh.creating
	if ep == nil || !ep.refInbound() {
		return nil
	}
	a := newAssoc(sh, ep)
	a.inbound = true
	sh.x.Prepare(&a.a, *ep.cfg.Load(), a.serial, c.LocalPort, c.PeerPort)
	if !sh.stack.fileFirst(a, c.PeerAddr, c.PeerPort) {
		sh.stack.inbound.Add(-1)
		ep.lost()
		ep.unref()
		return nil
	}
	sh.current = a
	sh.created = a
	return &a.a
}
