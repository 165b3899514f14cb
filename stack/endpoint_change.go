package stack

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What a user may change about an endpoint once it is bound (RFC 6458 sections
// 8.1 and 9.1). It holds for associations to come; those that live keep what
// they were made with.

// change replaces the endpoint's settings.
func (ep *Endpoint) change(f func(*sideeffects.Settings)) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	set := *ep.cfg.Load()
	f(&set)
	ep.cfg.Store(&set)
}

func (ep *Endpoint) local() []netip.Addr { return ep.cfg.Load().Local }

// SetConfig sets the parameters of associations to come; cfg is not to be
// changed afterwards.
func (ep *Endpoint) SetConfig(cfg *tcb.Config) {
	ep.change(func(s *sideeffects.Settings) { s.Config = cfg })
}

// Unlisten takes no further associations from peers, and aborts what nobody
// accepted. Listen may follow.
func (ep *Endpoint) Unlisten() {
	ep.mu.Lock()
	ep.backlog = 0
	queue := ep.queue
	ep.queue = nil
	ep.mu.Unlock()
	for _, a := range queue {
		a.Abort(nil)
		a.Discard()
	}
}

// Waiting returns how many associations wait for Accept.
func (ep *Endpoint) Waiting() int {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return len(ep.queue)
}

// AddLocal binds further addresses of this host: all or, with an error, none.
// EINVAL if one is bound already or the endpoint is bound to all, EADDRNOTAVAIL
// if one is not the host's, EADDRINUSE if it is taken on this port.
func (ep *Endpoint) AddLocal(addrs []netip.Addr) error {
	addrs, err := ep.stack.bindable(addrs)
	if err != nil {
		return err
	}
	t := &ep.stack.ports
	t.mu.Lock()
	defer t.mu.Unlock()
	have := ep.local()
	if len(have) == 0 || overlap(have, addrs) && len(addrs) > 0 {
		return fmt.Errorf("sctp: %v is bound already: %w", addrs, syscall.EINVAL)
	}
	for _, e := range t.by[ep.port] {
		if e != ep && len(addrs) > 0 && overlap(e.local(), addrs) {
			return fmt.Errorf("sctp: port %d: %w", ep.port, syscall.EADDRINUSE)
		}
	}
	ep.change(func(s *sideeffects.Settings) { s.Local = append(slices.Clone(have), addrs...) })
	return nil
}

// RemoveLocal unbinds addresses: all or, with an error, none. EINVAL if one is
// not bound, EBUSY if none would be left.
func (ep *Endpoint) RemoveLocal(addrs []netip.Addr) error {
	t := &ep.stack.ports
	t.mu.Lock()
	defer t.mu.Unlock()
	left := slices.Clone(ep.local())
	for _, a := range addrs {
		i := slices.IndexFunc(left, func(b netip.Addr) bool { return b == a || b.WithZone("") == a })
		switch {
		case i < 0 && len(left) == 0:
			return fmt.Errorf("sctp: %v is bound to all addresses: %w", ep.port, syscall.EINVAL)
		case i < 0:
			return fmt.Errorf("sctp: %v is not bound: %w", a, syscall.EINVAL)
		case len(left) == 1:
			return fmt.Errorf("sctp: %v is the last address: %w", a, syscall.EBUSY)
		}
		left = slices.Delete(left, i, i+1)
	}
	ep.change(func(s *sideeffects.Settings) { s.Local = left })
	return nil
}
