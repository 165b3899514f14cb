package outqueue

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Zero window probing: RFC 9260 section 6.1 A. T3-rtx of a path serves as the
// probe timer: first for the wait of one RTO with nothing in flight, then for
// the probe itself. The back-off between probes that the peer answers is kept
// apart from the path's RTO, which says nothing about a slow application.

type probe struct {
	on       bool       // the window is too small for the next chunk, and nothing else is in flight
	waiting  bool       // no probe in flight; path's T3 says when to send one
	due      bool       // send one
	answered bool       // the peer sent a SACK since the last probe, or none was sent yet
	shift    uint8      // how often the interval was doubled
	path     tcb.PathID // whose T3 it is while waiting
}

// sent notes that the probe goes out.
func (z *probe) sent() { z.waiting, z.due, z.answered = false, false, false }

// interval is how long to wait for the window after a probe (R-6.1-07).
func (z *probe) interval(p *path.Path, cfg *tcb.Config) mono.Duration {
	d := p.RTO
	for range z.shift {
		if d >= cfg.RTOMax {
			break
		}
		d *= 2
	}
	return max(min(d, cfg.RTOMax), cfg.RTOMin)
}

// ZeroWindowProbing reports whether the peer's window is shut but the peer
// answers: then a T3-rtx that expires is no sign of failure (R-6.1-05). It has
// to be asked before T3Expired.
func (q *Queue) ZeroWindowProbing() bool { return q.probe.on && q.probe.answered }

// watchWindow starts or ends probing.
func (q *Queue) watchWindow(now mono.Time) {
	z := &q.probe
	idle := q.next-q.cum == 1 // R-6.1-03
	if idle && q.nQueued > 0 {
		q.frag = q.fragment()
	}
	if z.on {
		if idle && (q.nQueued == 0 || q.nextFits()) {
			q.stopProbing()
			return
		}
	} else {
		if !idle || q.nQueued == 0 || q.nextFits() {
			return
		}
		*z = probe{on: true, waiting: true, answered: true, path: tcb.NoPath}
	}
	// R-6.1-06. The active path may have changed, or lost its timer.
	if z.waiting && !z.due && (!q.valid(z.path) || q.path(z.path).T3.IsZero()) && q.valid(q.paths.Active) {
		z.path = q.paths.Active
		q.path(z.path).T3 = now.Add(z.interval(q.path(z.path), q.cfg))
	}
}

// nextFits reports whether the peer's window takes the next new chunk.
func (q *Queue) nextFits() bool {
	m := q.head()
	return min(len(m.Buf.B)-m.off, q.frag) <= q.credit-q.outstanding
}

// stopProbing returns to normal operation.
func (q *Queue) stopProbing() {
	if q.probe.waiting && q.valid(q.probe.path) && q.at[q.probe.path].n == 0 {
		q.path(q.probe.path).T3 = 0
	}
	q.probe = probe{}
}

// probeSacked deals with probing at the end of a SACK: rwnd is what it
// advertised.
func (q *Queue) probeSacked(rwnd uint32) {
	z := &q.probe
	if !z.on {
		return
	}
	z.answered = true
	if q.next-q.cum == 1 { // the probe, if any, was taken
		if !z.waiting {
			q.stopProbing()
		}
		return
	}
	// A window update that does not cover the probe: the peer dropped the
	// probe when it came. Waiting for T3-rtx, backed off as it is, would leave
	// the open window unused.
	t := q.cum + 1
	r := q.rec(t)
	if int64(r.n) > int64(rwnd) {
		return
	}
	if r.state == inFlight {
		q.mark(t, r, rtxSame)
	}
	q.stopProbing()
}

// probeExpired deals with T3-rtx while probing; it reports false if that does
// not concern the probe. cwnd is left alone: section 6.1 A.
func (q *Queue) probeExpired(id tcb.PathID, now mono.Time) bool {
	z := &q.probe
	if !z.on {
		return false
	}
	p := q.path(id)
	if z.waiting {
		p.T3 = 0
		z.due = z.due || z.path == id
		return true
	}
	t := q.cum + 1
	r := q.rec(t)
	if r.state == inFlight && r.path == id {
		if z.answered {
			q.mark(t, r, rtxSame)
			if z.shift < 16 {
				z.shift++
			}
		} else {
			q.mark(t, r, rtxAlt)
			p.Backoff()
		}
	}
	q.settle(now)
	return true
}
