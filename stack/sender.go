package stack

import (
	"runtime"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A message leaves on its sender's own goroutine, for latency. But a user who
// sends one message right after the other is better served by a goroutine that
// sends while the user goes on: what comes meanwhile shares packets and system
// calls, without any delay that a timer would add.

const (
	streamGap = 15 * mono.Microsecond // between messages of a busy user
	streamRun = 4                     // messages that make a user busy
)

// stream tells whether the user of an association is busy sending.
type stream struct {
	last mono.Time
	run  int
}

func (s *stream) busy(now mono.Time) bool {
	if now.Sub(s.last) > streamGap {
		s.run = 0
	} else if s.run < streamRun {
		s.run++
	}
	s.last = now
	return s.run == streamRun
}

// sender sends for busy users. Its fields belong to the shard's lock.
type sender struct {
	wake   chan struct{}
	active bool
	dirty  []*Assoc
}

// take has a's messages sent soon.
func (s *sender) take(a *Assoc) {
	if !a.dirty {
		a.dirty = true
		s.dirty = append(s.dirty, a)
	}
	if !s.active {
		s.active = true
		s.wake <- struct{}{}
	}
}

// sendLoop sends what was taken until nothing comes any more.
func (sh *shard) sendLoop() {
	defer sh.stack.wg.Done()
	for {
		select {
		case <-sh.stack.closing:
			return
		case <-sh.sender.wake:
		}
		for idle := 0; ; {
			sh.mu.Lock()
			if len(sh.sender.dirty) > 0 {
				idle = 0
				sh.sendTaken()
				continue
			}
			if idle++; idle > 2 {
				sh.sender.active = false
				sh.mu.Unlock()
				break
			}
			sh.mu.Unlock()
			runtime.Gosched()
		}
	}
}

// sendTaken sends for all who are in the list, and releases the lock.
func (sh *shard) sendTaken() {
	now := sh.stack.clock.Now()
	s := &sh.sender
	for i, a := range s.dirty {
		s.dirty[i] = nil
		a.dirty = false
		if a.State() != tcb.Closed {
			sh.current = a
			sh.x.Resume(&a.a, now)
			sh.settle(a)
		}
	}
	s.dirty = s.dirty[:0]
	sh.release()
}
