package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What the queue keeps per path beside path.Path: which of its chunks is the
// earliest outstanding, because T3-rtx follows that one (RFC 9260 section
// 6.3.2), the chunk whose round trip is timed, and what one SACK did.

type pathState struct {
	n          int       // records in flight on this path
	first      chunk.TSN // the earliest of them, if n > 0
	stale      bool      // first has left; settle looks for the next
	firstAcked bool      // it left because it was acknowledged (rule R3)

	nSame, nAlt int  // records marked rtxSame and rtxAlt, last sent here
	fastNow     bool // one packet of fast retransmissions may ignore cwnd
	onePacket   bool // T3-rtx expired: one packet in flight until something is acknowledged

	burst      int // temporary cwnd of this transmission opportunity (section 6.1 D)
	ackedSince int // bytes newly acknowledged since the last opportunity

	rttTimed bool // rttTSN is being timed
	rttTSN   chunk.TSN
	rttSince mono.Time

	top    chunk.TSN // the highest TSN acknowledged that was last sent here,
	hasTop bool      // if there was any since something is in flight here

	// Of the SACK being processed.
	news   bool      // it newly acknowledged a chunk sent here
	htna   chunk.TSN // the highest of those, if news
	acked  int       // bytes that it newly acknowledged and that were in flight
	before int       // flightsize when it arrived
}

// syncPaths makes q.at as long as the set of paths.
func (q *Queue) syncPaths() {
	for len(q.at) < len(q.paths.P) {
		q.at = append(q.at, pathState{burst: int(^uint(0) >> 1)})
	}
}

// enterFlight counts r, whose TSN is t, as in flight on r.path.
func (q *Queue) enterFlight(t chunk.TSN, r *record) {
	r.state = inFlight
	a := &q.at[r.path]
	if a.n == 0 || t.Less(a.first) {
		a.first = t
		a.stale = false
	}
	a.n++
	q.paths.P[r.path].Flight += r.size()
	q.outstanding += int(r.n)
	if r.past&fastDone == 0 {
		q.set(q.elig, t)
	}
}

// leaveFlight is the reverse; the caller sets the new state.
func (q *Queue) leaveFlight(t chunk.TSN, r *record) {
	a := &q.at[r.path]
	a.n--
	if t == a.first {
		a.stale = true
	}
	q.paths.P[r.path].Flight -= r.size()
	q.outstanding -= int(r.n)
	q.unset(q.elig, t)
}

// mark queues r for retransmission. Its bytes return to the peer's rwnd
// (R-6.2.1-04), since that is what outstanding does not cover.
func (q *Queue) mark(t chunk.TSN, r *record, how state) {
	q.leaveFlight(t, r)
	r.state = how
	q.set(q.rtx, t)
	q.nRtx++
	*q.marks(r)++
}

// unmark takes r off the retransmissions; the caller sets the new state.
func (q *Queue) unmark(t chunk.TSN, r *record) {
	*q.marks(r)--
	q.unset(q.rtx, t)
	q.nRtx--
}

// marks returns the counter of r's kind of retransmission.
func (q *Queue) marks(r *record) *int {
	if r.state == rtxSame {
		return &q.at[r.path].nSame
	}
	return &q.at[r.path].nAlt
}

// settle brings first, T3-rtx and fastNow of each path in line with what is in
// flight and marked after acknowledgements and marks.
func (q *Queue) settle(now mono.Time) {
	for i := range q.at {
		a, p := &q.at[i], &q.paths.P[i]
		if a.nSame == 0 {
			a.fastNow = false // acknowledged before it went out
		}
		if a.n == 0 {
			if !(q.probe.waiting && q.probe.path == tcb.PathID(i)) {
				p.T3 = 0 // R-6.3.2-02
			}
			a.stale, a.firstAcked, a.hasTop = false, false, false
			continue
		}
		if a.stale {
			t := a.first + 1
			if t.LessEq(q.cum) {
				t = q.cum + 1
			}
			for t = q.nextInFlight(t, q.next); q.rec(t).path != tcb.PathID(i); t = q.nextInFlight(t+1, q.next) {
			}
			a.first, a.stale = t, false
		}
		if a.firstAcked || p.T3.IsZero() { // R-6.3.2-03, R-6.3.2-04
			p.T3 = now.Add(p.RTO)
			a.firstAcked = false
		}
	}
}

// hasRoom reports whether a packet may be sent on path id without regard to
// what it holds: flightsize below cwnd (R-6.1-11 to -13), within the burst
// (R-6.1-15), and not before an answer after a timeout (R-7.2.1-02).
func (q *Queue) hasRoom(id tcb.PathID) bool {
	a, p := &q.at[id], &q.paths.P[id]
	return p.Flight < p.Cwnd && p.Flight < a.burst && (p.Flight == 0 || !a.onePacket)
}

// valid reports whether id is a path.
func (q *Queue) valid(id tcb.PathID) bool { return int(id) < len(q.at) }

func (q *Queue) path(id tcb.PathID) *path.Path { return &q.paths.P[id] }
