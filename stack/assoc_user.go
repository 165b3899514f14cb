package stack

import (
	"fmt"
	"net/netip"
	"syscall"

	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// EndErr returns how the association ended, an *EndError; nil while it lives.
func (a *Assoc) EndErr() error {
	e := a.End()
	if !e.Ended {
		return nil
	}
	return &EndError{e}
}

// Decisions returns the association's last steps, as far as they are kept.
func (a *Assoc) Decisions() decision.Dump {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	return a.a.Decisions()
}

// FreeList takes messages back that were read, with less locking than Free one
// by one. It leaves l empty.
func (a *Assoc) FreeList(l *ulpqueue.List) {
	p := a.shard.stack.pools
	ulpqueue.FreeList(p.Seg, p.Nodes, l)
}

// SetPrimary makes the path to addr the primary one (RFC 9260 section 11.1.4):
// new data goes there while it is active.
func (a *Assoc) SetPrimary(addr netip.Addr) error {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() == tcb.Closed {
		err := a.endError()
		sh.mu.Unlock()
		return err
	}
	sh.current = a
	r := sh.x.SetPrimary(&a.a, addr.Unmap(), sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
	switch r {
	case fsm.ResultOK:
		return nil
	case fsm.ResultNoPath:
		return ErrNoPath
	case fsm.ResultFailed:
		return &EndError{a.End()}
	}
	return ErrPathState
}

// SetPathSource pins the own address that packets to addr come from; the zero
// Addr leaves it to the host again.
func (a *Assoc) SetPathSource(addr, src netip.Addr) error {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() == tcb.Closed {
		err := a.endError()
		sh.mu.Unlock()
		return err
	}
	sh.current = a
	r := sh.x.SetSource(&a.a, addr.Unmap(), src.Unmap(), sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
	switch r {
	case fsm.ResultOK:
		return nil
	case fsm.ResultNoPath:
		return ErrNoPath
	case fsm.ResultNoSource:
		return ErrNoSource
	}
	return &EndError{a.End()}
}

// Errors about paths.
var (
	// ErrNoPath: that is not an address of the peer's.
	ErrNoPath = fmt.Errorf("sctp: not an address of the peer: %w", syscall.EINVAL)
	// ErrNoSource: that is not an address that the association, or the
	// endpoint, has for this peer's address.
	ErrNoSource = fmt.Errorf("sctp: not an own address for this path: %w", syscall.EADDRNOTAVAIL)
	// ErrPathState: the address is not confirmed yet, or the association is
	// not up or closing.
	ErrPathState = fmt.Errorf("sctp: the path cannot be used now: %w", syscall.EAGAIN)
)
