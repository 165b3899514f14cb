package stack

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// shard is a group of associations that run under one lock. An association's
// Verification Tag modulo the number of shards says where it lives.
type shard struct {
	stack *Stack
	index int

	mu    sync.Mutex
	x     sideeffects.Executor
	byTag map[chunk.VTag]*Assoc
	heap  timerHeap
	timer mono.Timer
	armed mono.Time // what timer is set to

	ring     txRing
	ringFull uint64
	blocked  []*Assoc        // wait for room in the ring
	current  *Assoc          // whose packets are being built
	wakes    []*Assoc        // users to wake when the lock is free
	left     []*Endpoint     // that have lost an association; the same
	dumps    []decision.Dump // of contained panics; the same

	sender sender
	owing  []*Assoc // a SACK, at the end of the batch

	budget  *seg.Budget // receive memory; nil: no limit
	pending []*Assoc    // hold data that is not ready to be read

	creating *Endpoint // takes the association that a COOKIE ECHO creates
	created  *Assoc

	anyBlocked atomic.Bool
}

func newShard(s *Stack, i int) *shard {
	sh := &shard{stack: s, index: i, byTag: make(map[chunk.VTag]*Assoc)}
	sh.x = sideeffects.Executor{Host: sh, Pools: s.pools, Trace: s.opts.Trace, Paranoid: s.opts.Paranoid}
	if s.opts.Record != nil {
		sh.x.Host, sh.x.Log = s.opts.Record(i, sh)
	}
	if s.opts.Contained != nil {
		sh.x.Dumped = func(d decision.Dump, panicked any) {
			d.Panic = fmt.Sprintf("%v\n\n%s", panicked, debug.Stack())
			sh.dumps = append(sh.dumps, d)
		}
	}
	if s.relief.total != nil {
		sh.budget = seg.NewBudget(s.relief.total)
		sh.x.Budget = sh.budget
		if sh.x.Log != nil {
			sh.x.Log.Share(sh.budget)
		}
	}
	sh.timer = s.clock.NewTimer()
	sh.sender.wake = make(chan struct{}, 1)
	return sh
}

// settle is called, with the lock held, after a was worked on: it files a
// under its present tag, addresses and deadline.
func (sh *shard) settle(a *Assoc) {
	if a.State() == tcb.Closed {
		sh.forget(a)
	} else {
		local, _ := a.a.Tags()
		if local != a.tag {
			if a.tag != 0 {
				delete(sh.byTag, a.tag)
			}
			sh.byTag[local] = a
			a.tag = local
		}
		if n := a.a.TCB().NumPaths(); a.a.Readdressed() || n != len(a.tuples) {
			sh.stack.fileAddrs(a)
		}
		sh.heap.set(a, a.a.Deadline())
		if a.a.Blocked() && !a.isBlocked {
			a.isBlocked = true
			sh.blocked = append(sh.blocked, a)
			sh.anyBlocked.Store(true)
			sh.ringFull++
		}
	}
	if sh.budget != nil {
		sh.notePending(a)
	}
	if a.a.Wakes != 0 && !a.waking {
		a.waking = true
		sh.wakes = append(sh.wakes, a)
	}
}

// forget takes an ended association out of all maps.
func (sh *shard) forget(a *Assoc) {
	if a.gone {
		return
	}
	a.gone = true
	if sh.byTag[a.tag] == a {
		delete(sh.byTag, a.tag)
	}
	sh.heap.remove(a)
	sh.stack.unfile(a)
	sh.left = append(sh.left, a.ep)
	if a.inbound {
		sh.stack.inbound.Add(-1)
		a.ep.lost()
	}
}

// release unlocks the shard, sends what it has to send and tells whom it has
// to tell.
func (sh *shard) release() {
	t := sh.unlock()
	sh.drain()
	t.tell(sh)
}

// told is what has to be done once a shard's lock is free: users to wake,
// endpoints that have lost an association, and panics to be told of.
type told struct {
	n     int
	few   [16]*Assoc
	more  []*Assoc
	ended bool
	short bool // of receive memory
	left  []*Endpoint
	dumps []decision.Dump
}

// unlock arms the timer and unlocks.
func (sh *shard) unlock() (t told) {
	sh.arm()
	for _, a := range sh.wakes {
		t.ended = t.ended || a.a.Wakes&sideeffects.WakeEnded != 0
		a.pending.Or(uint32(a.a.Wakes))
		a.a.Wakes = 0
		a.waking = false
		if t.n < len(t.few) {
			t.few[t.n] = a
			t.n++
		} else {
			t.more = append(t.more, a)
		}
	}
	clear(sh.wakes)
	sh.wakes = sh.wakes[:0]
	t.left, sh.left = sh.left, nil
	t.dumps, sh.dumps = sh.dumps, nil
	t.short = sh.budget != nil && sh.budget.Short()
	sh.mu.Unlock()
	return t
}

func (t *told) tell(sh *shard) {
	for _, d := range t.dumps {
		sh.stack.opts.Contained(d)
	}
	for _, ep := range t.left {
		ep.unref() // may give a port back, which takes system calls
	}
	if t.ended {
		// Who hears of an end may exit: the last packet has to be out.
		sh.ring.flush(sh)
	}
	for _, a := range t.few[:t.n] {
		a.wake()
	}
	for _, a := range t.more {
		a.wake()
	}
	if t.short {
		sh.stack.relieve()
	}
}

// arm sets the shard's timer if the next deadline is earlier than what it is
// set to; one that is later corrects itself when the timer fires.
func (sh *shard) arm() {
	if t := sh.heap.next(); t != 0 && (sh.armed == 0 || t < sh.armed) && sh.stack.started {
		sh.armed = t
		sh.timer.Set(t)
	}
}

// expire runs what is due.
func (sh *shard) expire(now mono.Time) {
	for {
		a := sh.heap.due(now)
		if a == nil {
			return
		}
		if d := a.a.Deadline(); d == 0 || d > now {
			sh.heap.set(a, d)
			if d == 0 {
				sh.heap.remove(a)
			}
			continue
		}
		sh.heap.remove(a)
		sh.current = a
		sh.x.Timeout(&a.a, now)
		sh.settle(a)
	}
}

func (sh *shard) timerLoop() {
	defer sh.stack.wg.Done()
	for {
		select {
		case <-sh.stack.closing:
			sh.timer.Stop()
			return
		case <-sh.timer.C():
		}
		sh.mu.Lock()
		sh.armed = 0
		sh.expire(sh.stack.clock.Now())
		sh.release()
	}
}

// resume lets associations go on that waited for room in the ring.
func (sh *shard) resume(now mono.Time) {
	if !sh.anyBlocked.Load() {
		return
	}
	waiting := sh.blocked
	sh.blocked = nil
	sh.anyBlocked.Store(false)
	for _, a := range waiting {
		a.isBlocked = false
		if a.State() != tcb.Closed {
			sh.current = a
			sh.x.Resume(&a.a, now)
			sh.settle(a)
		}
	}
}

// acknowledge sends the SACKs that waited for the end of a batch.
func (sh *shard) acknowledge(now mono.Time) {
	for i, a := range sh.owing {
		sh.owing[i] = nil
		a.owing = false
		if a.a.OwesSack() {
			sh.current = a
			sh.x.Resume(&a.a, now)
			sh.settle(a)
		}
	}
	sh.owing = sh.owing[:0]
}

// abandon ends what is left when the stack closes.
func (sh *shard) abandon() {
	sh.mu.Lock()
	var left []*Assoc
	for _, a := range sh.byTag {
		left = append(left, a)
	}
	now := sh.stack.clock.Now()
	for _, a := range left {
		sh.current = a
		sh.x.Abort(&a.a, nil, now)
		sh.settle(a)
	}
	sh.release()
}
