package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What goes into packets: retransmissions before new data (RFC 9260 section
// 6.1 C), new data within cwnd, rwnd, Max.Burst and Nagle, fragmented as it
// enters a packet (section 6.9).

// BeginFlush starts a transmission opportunity: it renews the burst limit,
// lets idle windows decay and watches for a shut peer window. It has to be
// called before the first Next after anything changed, and only while the
// association's state allows sending data.
func (q *Queue) BeginFlush(now mono.Time) {
	q.syncPaths()
	for i := range q.at {
		a, p := &q.at[i], &q.paths.P[i]
		p.OnIdle(now) // R-6.1-08
		if q.cfg.MaxBurst > 0 {
			// Deviation R-6.1-15: a SACK that acknowledges n packets stands for
			// the n/2 SACKs that section 6.2 asks a receiver for; Max.Burst is
			// granted for each of them. Otherwise a receiver that saves on
			// SACKs would hold the window down.
			n := max((a.ackedSince+2*p.PMDCS()-1)/(2*p.PMDCS()), 1)
			a.burst = p.Flight + n*q.cfg.MaxBurst*p.PMDCS()
		}
		a.ackedSince = 0
	}
	q.frag = q.fragment()
	q.watchWindow(now)
}

// Next returns a path on which DATA may be sent now: fast retransmissions
// first, then other retransmissions, then new data on the active path. If it
// names a path then Fill puts at least one chunk into an empty packet for it.
func (q *Queue) Next(mono.Time) (tcb.PathID, bool) {
	q.syncPaths()
	if q.nRtx > 0 { // R-6.1-14
		return q.nextRetransmission()
	}
	id := q.newPath()
	if q.valid(id) && q.hasRoom(id) && q.newData(id) {
		return id, true
	}
	return tcb.NoPath, false
}

// newPath returns the path that the next new data goes on: the one in use, or
// that which its sender wants (RFC 6458 section 5.3.4, SCTP_ADDR_OVER).
func (q *Queue) newPath() tcb.PathID {
	if q.nVia > 0 && !q.probe.on {
		if m := q.head(); m != nil && m.Via != 0 {
			if id := tcb.PathID(m.Via - 1); q.valid(id) && q.paths.Usable.Has(id) {
				return id
			}
		}
	}
	return q.paths.Active
}

func (q *Queue) nextRetransmission() (tcb.PathID, bool) {
	for i := range q.at {
		if a := &q.at[i]; a.fastNow && a.nSame > 0 {
			return tcb.PathID(i), true
		}
	}
	for i := range q.at {
		a := &q.at[i]
		if a.nSame > 0 && q.hasRoom(tcb.PathID(i)) {
			return tcb.PathID(i), true
		}
		if a.nAlt > 0 {
			if id := q.paths.Alternate(tcb.PathID(i)); q.hasRoom(id) {
				return id, true
			}
		}
	}
	return tcb.NoPath, false
}

// PacketSize returns how much room the next packet for path id needs at most:
// its PMTU, or more if a chunk from before a smaller PMTU has to go again.
func (q *Queue) PacketSize(id tcb.PathID) int {
	n := q.path(id).PMTU
	if q.nRtx > 0 {
		for t := q.nextSet(q.rtx, q.cum+1, q.next); t != q.next; t = q.nextSet(q.rtx, t+1, q.next) {
			if r := q.rec(t); q.target(r) == id {
				return max(n, chunk.HeaderLen+r.size())
			}
		}
	}
	return n
}

// FirstSize returns the size of the DATA chunk that Fill would put first into a
// packet for path id, 0 if there is none.
func (q *Queue) FirstSize(id tcb.PathID) int {
	if q.nRtx > 0 {
		for t := q.nextSet(q.rtx, q.cum+1, q.next); t != q.next; t = q.nextSet(q.rtx, t+1, q.next) {
			if r := q.rec(t); q.target(r) == id {
				return r.size()
			}
		}
		return 0
	}
	m := q.head()
	if m == nil || id != q.newPath() {
		return 0
	}
	rest := len(m.Buf.B) - m.off
	if rest > q.frag {
		rest = q.frag / 4 // a fragment may be shorter
	}
	return chunk.DataHeaderLen + chunk.Padded(rest)
}

// target returns the path on which r, which is marked, goes again.
func (q *Queue) target(r *record) tcb.PathID {
	if r.state == rtxAlt {
		return q.paths.Alternate(r.path)
	}
	return r.path // R-6.4-05
}

// Fill moves DATA chunks that may go on path id now into the packet, in TSN
// order, and returns how many. Only what fits is sent.
func (q *Queue) Fill(id tcb.PathID, b *packet.Builder, now mono.Time) int {
	q.syncPaths()
	if !q.valid(id) {
		return 0
	}
	a, p := &q.at[id], q.path(id)
	room := q.hasRoom(id)
	n := 0
	if q.nRtx > 0 && (room || a.fastNow) { // R-7.2.4-05
		n = q.fillRetransmissions(id, b, now)
		if n > 0 {
			a.fastNow = false
		}
	}
	if q.nRtx == 0 && room && id == q.newPath() {
		n += q.fillNew(id, b, now)
	}
	if n > 0 {
		size := b.Len()
		if b.Oversize() {
			size = 0
		}
		p.Sent(size, now)
		p.Stats.Chunks += uint64(n)
		if q.wantsSack(id) {
			b.Immediate()
		}
	}
	return n
}

// fillRetransmissions adds the earliest chunks marked for retransmission on
// path id.
func (q *Queue) fillRetransmissions(id tcb.PathID, b *packet.Builder, now mono.Time) int {
	a, p := &q.at[id], q.path(id)
	n := 0
	for t := q.nextSet(q.rtx, q.cum+1, q.next); t != q.next; t = q.nextSet(q.rtx, t+1, q.next) {
		r := q.rec(t)
		if q.target(r) != id {
			continue
		}
		if !put(b, t, r.msg, int(r.off), int(r.n), r.flags) {
			break
		}
		n++
		q.unmark(t, r)
		restart := p.T3.IsZero() ||
			r.path == id && (a.n == 0 || t.Less(a.first)) // R-6.1-20
		if r.path != id {
			r.path = id
			r.past |= moved
		}
		r.past |= sentAgain
		r.miss = 0
		q.enterFlight(t, r)
		if restart {
			q.startT3(id, now)
		}
		q.cancelTiming(t)
		p.Stats.Retransmissions++
		if q.probe.on {
			q.probe.answered = false
			break // a probe is one chunk
		}
	}
	return n
}

// put writes the chunk that carries n bytes of m from off on into the packet.
func put(b *packet.Builder, t chunk.TSN, m *message, off, n int, flags uint8) bool {
	return b.Data(flags, t, m.Stream, m.ssn, m.PPID, m.Buf.B[off:off+n])
}

// cancelTiming gives up the round trips being timed that a retransmission of t
// makes ambiguous (R-6.3.1-07, R-6.3.1-08).
func (q *Queue) cancelTiming(t chunk.TSN) {
	for i := range q.at {
		if a := &q.at[i]; a.rttTimed && t.LessEq(a.rttTSN) {
			a.rttTimed = false
		}
	}
}

// startT3 starts T3-rtx of path id, at the probe interval while the peer's
// window is shut.
func (q *Queue) startT3(id tcb.PathID, now mono.Time) {
	p := q.path(id)
	if q.probe.on {
		p.T3 = now.Add(q.probe.interval(p, q.cfg))
		return
	}
	p.T3 = now.Add(p.RTO) // R-6.3.2-01
}

// fillNew adds new DATA chunks.
func (q *Queue) fillNew(id tcb.PathID, b *packet.Builder, now mono.Time) int {
	a, p := &q.at[id], q.path(id)
	frag := q.frag
	n := 0
	for {
		m := q.head()
		if m == nil || q.Unacked() >= maxInFlight || q.nVia > 0 && id != q.newPath() {
			break
		}
		rest := len(m.Buf.B) - m.off
		size := min(rest, frag)
		if room := b.Room() - chunk.DataHeaderLen; rest > frag && room < size {
			// It is fragmented in any case: use what is left of the packet,
			// but do not make crumbs. R-6.9-10
			if room < frag/4 {
				break
			}
			size = room &^ 3
		}
		if !q.allowed(id, m, size, b.HasData()) {
			break
		}

		flags := uint8(0)
		if m.off == 0 {
			flags = chunk.FlagB
			m.ssn = 0
			if !m.Unordered {
				m.ssn = q.streams[m.Stream].ssn
			}
		}
		if size == rest {
			flags |= chunk.FlagE
			if m.Immediate {
				flags |= chunk.FlagI
			}
		}
		if m.Unordered {
			flags |= chunk.FlagU // R-6.9-13
		}
		t := q.next
		if !put(b, t, m, m.off, size, flags) {
			break
		}
		n++
		if q.Unacked() == len(q.recs) {
			q.grow(q.cum+1, q.next)
		}
		q.next++
		r := q.rec(t)
		r.msg, r.off, r.n, r.flags = m, uint32(m.off), uint16(size), flags
		r.path, r.miss, r.past = id, 0, 0
		q.enterFlight(t, r)
		if m.off == 0 && !m.Unordered {
			q.streams[m.Stream].ssn++ // R-6.5-04, R-6.5-05, R-6.5-06
		}
		m.off += size
		q.queued -= size
		q.current = m
		if size == rest {
			q.remove(m)
		}
		if !a.rttTimed { // R-6.3.1-04, R-6.3.1-05
			a.rttTimed, a.rttTSN, a.rttSince = true, t, now
		}
		if q.probe.on {
			q.probe.sent()
			q.startT3(id, now)
			break
		}
	}
	if n > 0 && p.T3.IsZero() {
		q.startT3(id, now)
	}
	return n
}

// fragment returns the most user data that a new DATA chunk may carry: what
// fits every path (R-6.9-11, R-7.3-05), what the user allows, and not more than
// half of the peer's largest window, lest that never opens far enough (R-6.1-10).
func (q *Queue) fragment() int {
	n := min(q.paths.AMDCS()-chunk.DataHeaderLen, chunk.MaxDataLen&^3)
	if s := q.cfg.MaxSegment; s > 0 {
		n = min(n, s)
	}
	if w := max(q.maxRwnd/2, minSegment) &^ 3; n > w {
		n = w
	}
	return max(n, 1)
}

// minSegment is a fragment size that no window is too small for: a_rwnd of an
// INIT is at least 1500.
const minSegment = 1024

// newData reports whether a new DATA chunk may be sent on path id in a packet
// of its own, apart from cwnd.
func (q *Queue) newData(id tcb.PathID) bool {
	m := q.head()
	return m != nil && q.Unacked() < maxInFlight &&
		q.allowed(id, m, min(len(m.Buf.B)-m.off, q.frag), false)
}

// allowed reports whether size bytes of m may be sent now as far as the peer's
// window and Nagle are concerned; bundled is set if DATA is already in the
// packet.
func (q *Queue) allowed(id tcb.PathID, m *message, size int, bundled bool) bool {
	if q.probe.on {
		return q.probe.due && !bundled
	}
	if size > q.credit-q.outstanding { // R-6.1-01
		return false
	}
	return bundled || q.outstanding == 0 || !q.holdBack(m, q.path(id))
}

// holdBack is Nagle's algorithm: while data is in flight a message that does
// not fill a packet waits for more. The rest of a fragmented message does not
// wait, nor does a message that will be fragmented.
func (q *Queue) holdBack(m *message, p *path.Path) bool {
	return !q.cfg.NoDelay && !q.draining && q.nNoDelay == 0 && m.off == 0 &&
		q.queued+q.nQueued*chunk.DataHeaderLen < p.PMDCS()
}

// wantsSack reports whether the last chunk of a packet just filled for path id
// should ask for its SACK at once. RFC 9260 section 6.1 suggests it when the
// chunk fills the congestion or receive window, and in SHUTDOWN-PENDING. Here a
// full window asks only if no more than a packet is in flight: then nothing
// else would make the peer acknowledge before its delay is over.
func (q *Queue) wantsSack(id tcb.PathID) bool {
	if q.nRtx == 0 && q.nQueued == 0 {
		return q.draining
	}
	p := q.path(id)
	if p.Flight > p.PMDCS() {
		return false
	}
	return !q.hasRoom(id) || q.nRtx == 0 && (q.probe.on || !q.nextFits())
}
