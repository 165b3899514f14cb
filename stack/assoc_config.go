package stack

import (
	"net/netip"
	"slices"

	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// ID returns the association's number, by which users know it; it is never
// used again.
func (a *Assoc) ID() uint32 { return a.serial }

// Reconfigure has f change the association's parameters. What f leaves
// implausible is the caller's fault. Buffers that shrink do so as they are
// emptied; what was said in INIT or INIT ACK stands.
func (a *Assoc) Reconfigure(f func(*tcb.Config)) error {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() == tcb.Closed {
		err := a.endError()
		sh.mu.Unlock()
		return err
	}
	cfg := *a.a.TCB().Config()
	f(&cfg)
	sh.current = a
	sh.x.Reconfigure(&a.a, &cfg, sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
	return nil
}

// Config returns the association's parameters now.
func (a *Assoc) Config() tcb.Config {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	return *a.a.TCB().Config()
}

// FragmentSize returns the most user data that a DATA chunk takes now.
func (a *Assoc) FragmentSize() int {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	pl := a.plane()
	if pl == nil {
		return 0
	}
	return pl.FragmentPoint()
}

// Dry reports whether nothing is queued or in flight.
func (a *Assoc) Dry() bool {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	pl := a.plane()
	return pl == nil || pl.Empty()
}

// Push sends what Message.More has held back.
func (a *Assoc) Push() {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() != tcb.Closed {
		sh.current = a
		sh.x.Resume(&a.a, sh.stack.clock.Now())
		sh.settle(a)
	}
	sh.release()
}

// Window returns the receive window that the peer is told now, in bytes.
func (a *Assoc) Window() uint32 {
	a.shard.mu.Lock()
	defer a.shard.mu.Unlock()
	if a.a.Data() == nil {
		return 0
	}
	return a.a.Data().Window()
}

// Heartbeat probes the path to addr now (RFC 9260 section 11.1.8).
func (a *Assoc) Heartbeat(addr netip.Addr) error {
	sh := a.shard
	sh.mu.Lock()
	if a.a.State() == tcb.Closed {
		err := a.endError()
		sh.mu.Unlock()
		return err
	}
	p := slices.Index(a.a.PeerAddrs(nil), addr.Unmap())
	if p < 0 {
		sh.mu.Unlock()
		return ErrNoPath
	}
	sh.current = a
	r := sh.x.Heartbeat(&a.a, tcb.PathID(p), sh.stack.clock.Now())
	sh.settle(a)
	sh.release()
	if r != fsm.ResultOK {
		return ErrPathState
	}
	return nil
}
