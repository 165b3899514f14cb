package socketapi

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		// An event between look and wait is not missed.
		seq := g.look()
		g.signal()
		if !g.wait(seq, nil) {
			t.Error("not woken")
		}
		// One event wakes one waiter, the first one first.
		var order []int
		var mu sync.Mutex
		for i := range 3 {
			go func() {
				g.wait(g.look(), nil)
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			}()
			synctest.Wait()
		}
		for range 3 {
			g.signal()
			synctest.Wait()
		}
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Error(order)
		}
		if g.waiting.Load() != 0 || g.head != nil || g.tail != nil {
			t.Error("somebody is left")
		}
		g.pass() // nobody there
		// One in the middle gives up.
		done := make(chan struct{})
		var woken atomic.Int32
		for i := range 3 {
			go func() {
				var d chan struct{}
				if i == 1 {
					d = done
				}
				if g.wait(g.look(), d) == (i == 1) {
					t.Errorf("waiter %d", i)
				}
				woken.Add(1)
			}()
			synctest.Wait()
		}
		close(done)
		synctest.Wait()
		if woken.Load() != 1 {
			t.Error("more than one went on")
		}
		g.broadcast()
		synctest.Wait()
		if woken.Load() != 3 {
			t.Error("not all went on")
		}
	})
}

func TestGateDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		start := time.Now()
		at := func(want time.Duration) {
			t.Helper()
			for !g.expired.Load() {
				g.wait(g.look(), nil)
			}
			if d := time.Since(start); d != want {
				t.Errorf("expired after %v, want %v", d, want)
			}
		}
		g.setDeadline(start.Add(time.Second))
		at(time.Second)
		at(time.Second)
		g.setDeadline(start.Add(3 * time.Second))
		g.setDeadline(start.Add(2 * time.Second))
		at(2 * time.Second)
		g.setDeadline(start.Add(3 * time.Second))
		g.setDeadline(start.Add(4 * time.Second))
		at(4 * time.Second)
		g.setDeadline(start)
		at(4 * time.Second)
		g.setDeadline(start.Add(5 * time.Second))
		g.setDeadline(time.Time{})
		<-time.After(time.Minute)
		if g.expired.Load() {
			t.Error("expired without a deadline")
		}
		g.setDeadline(time.Now().Add(time.Second))
		g.stop()
		<-time.After(time.Minute)
		if g.expired.Load() {
			t.Error("expired after stop")
		}
	})
}

// However waiters come, go and give up, no event is lost: each token that is
// put there is taken.
func TestGateTokens(t *testing.T) {
	var g gate
	var tokens, taken atomic.Int32
	const n = 20000
	stop := make(chan struct{})
	var wg sync.WaitGroup
	try := func() bool {
		for {
			k := tokens.Load()
			if k == 0 {
				return false
			}
			if tokens.CompareAndSwap(k, k-1) {
				return true
			}
		}
	}
	for i := range 4 {
		wg.Go(func() {
			impatient := i%2 == 0
			for round := 0; ; round++ {
				seq := g.look()
				if try() {
					g.pass()
					if taken.Add(1) == n {
						close(stop)
						g.broadcast()
					}
					continue
				}
				select {
				case <-stop:
					return
				default:
				}
				var done chan struct{}
				if impatient {
					done = make(chan struct{})
					go close(done)
				}
				g.wait(seq, done)
			}
		})
	}
	for range n {
		tokens.Add(1)
		g.signal()
	}
	wg.Wait()
	if tokens.Load() != 0 || taken.Load() != n {
		t.Errorf("%d tokens left, %d taken", tokens.Load(), taken.Load())
	}
}

func TestGateAllocs(t *testing.T) {
	var g gate
	ask, answer := make(chan struct{}), make(chan struct{})
	go func() {
		for range ask {
			seq := g.look()
			answer <- struct{}{}
			g.wait(seq, nil)
			answer <- struct{}{}
		}
	}()
	if n := testing.AllocsPerRun(100, func() {
		ask <- struct{}{}
		<-answer
		for g.waiting.Load() == 0 {
			// until it really waits
		}
		g.signal()
		<-answer
	}); n != 0 {
		t.Errorf("%v allocations for a wait", n)
	}
	close(ask)
}
