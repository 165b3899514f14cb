package inqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// When a SACK is owed and what it says: RFC 9260 sections 3.3.4, 6.2 and 6.7.

// maxSackDelay is what the delay of a SACK may not exceed, whatever is
// configured (RFC 9260 section 6.2).
const maxSackDelay = 500 * mono.Millisecond

// DataPacket ends a packet from the path from that carried DATA, whether it
// was accepted, a duplicate or dropped. Immediate asks for a SACK at once: a
// chunk had the I bit, or a chunk was dropped.
func (q *Queue) DataPacket(now mono.Time, from tcb.PathID, immediate bool) {
	q.from = from
	q.packets++
	if immediate || q.hasty || !q.started || q.tsn.hasGap() {
		q.due, q.urgent = true, true
	}
	q.started, q.hasty = true, false
	delay := min(q.cfg.SackDelay, maxSackDelay)
	if q.packets >= q.cfg.SackFreq || delay <= 0 {
		q.due = true
	}
	if q.deadline.IsZero() {
		q.deadline = now.Add(max(delay, 0))
	}
}

// Due reports whether a SACK should go out now.
func (q *Queue) Due() bool { return q.due }

// DueNow reports whether a SACK should go out although more packets follow in
// the batch in hand: for another reason than the number of packets, or because
// there are enough of them.
func (q *Queue) DueNow() bool { return q.urgent || q.due && q.packets >= q.cfg.SackBatch }

// Deadline returns when TimerFired is to be called, zero for never.
func (q *Queue) Deadline() mono.Time { return q.deadline }

// TimerFired makes the delayed SACK due.
func (q *Queue) TimerFired() {
	q.deadline = 0
	q.Force()
}

// Force makes a SACK due, such as for a window that opened.
func (q *Queue) Force() { q.due, q.urgent = true, true }

// Pending reports whether there is something that a SACK bundled with
// outgoing DATA would tell.
func (q *Queue) Pending() bool { return q.packets > 0 || q.due }

// To returns the path that the SACK belongs on: the one from which DATA came
// last, or NoPath before there was any.
func (q *Queue) To() tcb.PathID { return q.from }

// Repeated reports whether TSNs arrived again since the last SACK: it may have
// been lost on its way, and the next one does better on another (RFC 9260
// section 6.4).
func (q *Queue) Repeated() bool { return q.nDups > 0 }

// AppendSack appends a SACK chunk of at most room bytes that advertises
// arwnd: gap blocks from the lowest, then duplicates, as many as fit. Nothing
// is owed then. With no room for a SACK it does nothing.
func (q *Queue) AppendSack(b []byte, room int, arwnd uint32) []byte {
	if room < chunk.SackHeaderLen {
		return b
	}
	n := min((room-chunk.SackHeaderLen)/4, chunk.MaxSackEntries)
	gaps := q.gapBlocks(n)
	dups := q.dups[:min(int(q.nDups), n-len(gaps))]
	b = chunk.AppendSack(b, q.tsn.cum, arwnd, gaps, dups)
	q.Acknowledged()
	return b
}

// Acknowledged notes that everything was acknowledged, by a SACK or by the
// Cumulative TSN Ack of a SHUTDOWN.
func (q *Queue) Acknowledged() {
	q.packets, q.nDups, q.deadline = 0, 0, 0
	q.due, q.urgent = false, false
}

// gapBlocks returns the lowest gap blocks, at most limit.
func (q *Queue) gapBlocks(limit int) []chunk.GapBlock {
	if !q.tsn.hasGap() {
		return nil
	}
	if q.gaps == nil {
		q.gaps = make([]chunk.GapBlock, 0, 16)
	}
	g := q.gaps[:0]
	for end := q.tsn.cum; end != q.tsn.highest && len(g) < limit; {
		start := q.tsn.next(end + 1)
		end = q.tsn.runEnd(start)
		g = append(g, chunk.GapBlock{Start: uint16(start - q.tsn.cum), End: uint16(end - q.tsn.cum)})
	}
	if cap(g) <= keepGaps {
		q.gaps = g[:0]
	}
	return g
}

// keepGaps is how many gap blocks q keeps room for.
const keepGaps = 512
