package stack

import (
	"sync"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
)

// The receive memory of all associations together (Options.RecvMemory). Each
// shard counts its own and takes from the total in large parts. Windows shrink
// from where half of it is taken. Where less than an eighth is left, the stack
// takes back what nobody can read yet: data above the cumulative TSN, from those
// who hold most of it (RFC 9260 section 6.2 lets a receiver renege when it is
// out of buffer).

// DefaultRecvMemory is the receive memory of a Stack that does not say, in
// bytes.
const DefaultRecvMemory = 256 << 20

// relief is about when to take memory back.
type relief struct {
	total *seg.Total // nil: no limit
	mu    sync.Mutex
	idle  mono.Time // there was not enough to be had; no sooner again than this
}

// reliefPause is how long nothing is looked for after nothing was found.
const reliefPause = 100 * mono.Millisecond

// note keeps a in the shard's list of those that hold data that is not ready.
func (sh *shard) notePending(a *Assoc) {
	pl := a.plane()
	if p := pl != nil && !a.gone && pl.Up.Pending(); p != (a.pendingAt > 0) {
		if p {
			sh.pending = append(sh.pending, a)
			a.pendingAt = len(sh.pending)
		} else {
			last := sh.pending[len(sh.pending)-1]
			sh.pending[a.pendingAt-1], last.pendingAt = last, a.pendingAt
			sh.pending[len(sh.pending)-1] = nil
			sh.pending = sh.pending[:len(sh.pending)-1]
			a.pendingAt = 0
		}
	}
}

// relieve takes memory back until a quarter of the total is free, from those
// first who hold most that cannot be read yet: whoever holds little keeps it.
// It is called without a lock.
func (s *Stack) relieve() {
	r := &s.relief
	if !r.mu.TryLock() {
		return // somebody does it
	}
	defer r.mu.Unlock()
	now := s.clock.Now()
	if now < r.idle {
		return
	}
	enough := r.total.Limit() / 4
	most := 0
	for _, sh := range s.shards {
		sh.mu.Lock()
		for _, a := range sh.pending {
			most = max(most, a.plane().Up.Undelivered())
		}
		sh.mu.Unlock()
	}
	freed := 0
	for keep := most / 2; most > 0 && r.total.Free() < enough; keep /= 2 {
		for _, sh := range s.shards {
			sh.mu.Lock()
			for i := len(sh.pending) - 1; i >= 0; i-- { // the list may lose its end
				a := sh.pending[i]
				freed += sh.x.Reclaim(&a.a, keep)
				sh.notePending(a)
			}
			sh.mu.Unlock()
		}
		if keep == 0 {
			break
		}
	}
	if freed == 0 && r.total.Free() < enough {
		r.idle = now.Add(reliefPause)
	}
}
