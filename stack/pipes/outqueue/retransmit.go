package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What else marks chunks for retransmission: T3-rtx (RFC 9260 section 6.3.3),
// the loss of a path, and a smaller path MTU.

// T3Expired is called when T3-rtx of path id expired. All that is in flight
// there is marked and will go out on an alternate path (R-6.4-04): one packet
// at once, the rest as cwnd allows.
func (q *Queue) T3Expired(id tcb.PathID, now mono.Time) {
	q.syncPaths()
	if !q.valid(id) {
		return
	}
	p := q.path(id)
	if p.T3.IsZero() {
		return
	}
	if q.probeExpired(id, now) {
		return
	}
	a := &q.at[id]
	p.T3 = 0
	if a.n == 0 {
		return
	}
	p.Stats.T3Expiries++
	p.CC.Timeout(p, now) // R-6.3.3-01
	p.Backoff()          // R-6.3.3-02
	q.recovery = false
	q.markAll(id, rtxAlt, 0)
	a.onePacket = true // R-7.2.1-02
	q.settle(now)
}

// PathDown marks everything in flight on path id for retransmission on an
// alternate path, and stops its T3-rtx. It does not touch cwnd.
func (q *Queue) PathDown(id tcb.PathID) {
	q.syncPaths()
	if !q.valid(id) {
		return
	}
	q.markAll(id, rtxAlt, 0)
	a := &q.at[id]
	a.onePacket, a.stale, a.firstAcked = false, false, false
	q.path(id).T3 = 0
}

// MarkAll marks everything in flight on path id for retransmission on the same
// path, without regarding it as lost: DATA that went with a COOKIE ECHO goes
// again with the next.
func (q *Queue) MarkAll(id tcb.PathID) {
	q.syncPaths()
	if !q.valid(id) {
		return
	}
	q.markAll(id, rtxSame, 0)
	a := &q.at[id]
	a.stale, a.firstAcked = false, false
	q.path(id).T3 = 0
}

// PMTUReduced marks the DATA chunks in flight on path id that need packets of
// more than size bytes, now that such packets are known to be lost: they go
// again as they are, with IP fragmentation (R-6.9-08).
func (q *Queue) PMTUReduced(id tcb.PathID, size int, now mono.Time) {
	q.syncPaths()
	if q.valid(id) {
		q.markAll(id, rtxSame, size-chunk.HeaderLen+1)
		q.settle(now)
	}
}

// markAll marks what is in flight on path id and at least min bytes, and turns
// what is already marked for the same path into how.
func (q *Queue) markAll(id tcb.PathID, how state, min int) {
	for t := q.cum + 1; t != q.next; t++ {
		r := q.rec(t)
		if r.path != id || r.size() < min {
			continue
		}
		switch r.state {
		case inFlight:
			q.mark(t, r, how)
		case rtxSame:
			*q.marks(r)--
			r.state = how
			*q.marks(r)++
		}
	}
	q.at[id].fastNow = false
}
