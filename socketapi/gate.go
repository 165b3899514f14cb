package socketapi

import (
	"sync"
	"sync/atomic"
	"time"
)

// gate is where goroutines wait for something that may become possible: to
// read, to write, or to accept. It has a deadline. Waiting allocates nothing
// once there have been as many waiters before.
//
// A waiter reads look, finds that it cannot go on, and calls wait with what it
// has read, so that nothing which happens in between is missed. One event
// wakes one waiter, who calls pass when it has been served, for there may be
// enough for the next.
type gate struct {
	seq     atomic.Uint32 // counts events
	waiting atomic.Int32
	expired atomic.Bool // the deadline has passed

	mu         sync.Mutex
	head, tail *waiter
	free       *waiter
	deadline   time.Time
	timer      *time.Timer
}

type waiter struct {
	ch         chan struct{} // of capacity 1
	next, prev *waiter
	queued     bool
}

// look returns a number that changes with each event.
func (g *gate) look() uint32 { return g.seq.Load() }

// wait blocks until there is an event after look returned seq. It returns false
// if it was done instead that came first; a nil done never comes.
func (g *gate) wait(seq uint32, done <-chan struct{}) bool {
	g.mu.Lock()
	w := g.free
	if w == nil {
		w = &waiter{ch: make(chan struct{}, 1)}
	} else {
		g.free = w.next
		w.next = nil
	}
	g.push(w)
	if g.seq.Load() != seq {
		g.remove(w)
		g.release(w)
		g.mu.Unlock()
		return true
	}
	g.mu.Unlock()

	woken := true
	if done == nil {
		<-w.ch
	} else {
		select {
		case <-w.ch:
		case <-done:
			woken = false
		}
	}

	g.mu.Lock()
	if !woken {
		if w.queued {
			g.remove(w)
		} else {
			// The event was for this waiter, which does not want it any more.
			<-w.ch
			g.popLocked()
		}
	}
	g.release(w)
	g.mu.Unlock()
	return woken
}

// signal tells of an event.
func (g *gate) signal() {
	g.seq.Add(1)
	g.pass()
}

// pass wakes the next waiter, if there is one.
func (g *gate) pass() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	g.popLocked()
	g.mu.Unlock()
}

// broadcast tells all waiters of an event.
func (g *gate) broadcast() {
	g.seq.Add(1)
	g.mu.Lock()
	g.wakeAll()
	g.mu.Unlock()
}

func (g *gate) wakeAll() {
	for g.head != nil {
		g.popLocked()
	}
}

func (g *gate) popLocked() {
	if w := g.head; w != nil {
		g.remove(w)
		w.ch <- struct{}{}
	}
}

func (g *gate) push(w *waiter) {
	w.queued = true
	w.prev = g.tail
	if g.tail == nil {
		g.head = w
	} else {
		g.tail.next = w
	}
	g.tail = w
	g.waiting.Add(1)
}

func (g *gate) remove(w *waiter) {
	if w.prev == nil {
		g.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		g.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
	g.waiting.Add(-1)
}

func (g *gate) release(w *waiter) {
	w.next = g.free
	g.free = w
}

// setDeadline sets when the gate expires; the zero Time means never.
func (g *gate) setDeadline(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	g.expired.Store(false)
	if g.timer != nil {
		g.timer.Stop()
	}
	if t.IsZero() {
		return
	}
	d := time.Until(t)
	switch {
	case d <= 0:
		g.expire()
	case g.timer == nil:
		g.timer = time.AfterFunc(d, g.fire)
	default:
		g.timer.Reset(d)
	}
}

func (g *gate) expire() {
	g.expired.Store(true)
	g.seq.Add(1)
	g.wakeAll()
}

// fire is what the timer calls, perhaps too late to be stopped by setDeadline.
func (g *gate) fire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.deadline.IsZero() || g.expired.Load() {
		return
	}
	if d := time.Until(g.deadline); d > 0 {
		g.timer.Reset(d)
		return
	}
	g.expire()
}

// stop forgets the deadline.
func (g *gate) stop() {
	g.mu.Lock()
	g.deadline = time.Time{}
	if g.timer != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()
}
