package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What a SACK says: RFC 9260 sections 6.2.1, 6.3.2, 6.7 and 7.2.4. Gap blocks
// are compared with those of the SACK before by the word, so that the work is
// for what changed.

// missLimit is how many miss indications make a fast retransmit (R-7.2.4-02).
const missLimit = 3

// gapBudget is how many words of the bitmap gap blocks in disorder may touch,
// and twice as many again as the ring has.
const gapBudget = 64

// Sack processes a SACK. One that is older than what is known changes nothing;
// one that acknowledges what was never sent changes nothing and gives
// BadCumTSN. Gap blocks may come in any order and overlap; what of them makes
// no sense is left out and gives BadGap.
func (q *Queue) Sack(s chunk.Sack, now mono.Time) pipes.Outcome {
	var out pipes.Outcome
	if s.CumTSN.Diff(q.cum) < 0 { // R-6.2.1-05; a distance of 2^31 is negative too
		return out
	}
	if s.CumTSN.Diff(q.next-1) > 0 {
		return pipes.Outcome{Bits: pipes.BadCumTSN, TSN: s.CumTSN}
	}
	wasShut := q.arwnd == 0 || q.probe.on
	wasEmpty := q.Empty()
	inRecovery := q.recovery
	advanced := s.CumTSN != q.cum

	q.beginAck()
	q.ackCum(s.CumTSN, now, &out)
	high := q.cum // the highest TSN reported
	reneged, end := q.cum, q.cum
	if s.NumGaps() > 0 || q.nAcked > 0 {
		high = q.readGaps(&s, &out)
		reneged, end = q.ackGaps(high, now, &out)
	}
	q.growWindows(inRecovery, now) // R-7.2.4-11: before any reduction
	if q.recovery && q.recoveryExit.LessEq(q.cum) {
		q.recovery = false // R-6.2.1-08
	}
	if high != q.cum {
		q.countMisses(high, advanced, now)
	}
	q.renege(reneged, end)
	q.highGap = high
	q.setRwnd(s.ARwnd) // R-6.2.1-06
	q.probeSacked(s.ARwnd)
	q.settle(now)
	q.watchWindow(now)

	if wasShut && s.ARwnd > 0 && !q.probe.on {
		out.Bits |= pipes.WindowOpened
	}
	q.finishAck(wasEmpty, &out)
	return out
}

// CumAck processes the Cumulative TSN Ack of a SHUTDOWN: like a SACK that says
// nothing of gaps and of the window.
func (q *Queue) CumAck(cum chunk.TSN, now mono.Time) pipes.Outcome {
	var out pipes.Outcome
	if cum.Diff(q.cum) < 0 {
		return out
	}
	if cum.Diff(q.next-1) > 0 {
		return pipes.Outcome{Bits: pipes.BadCumTSN, TSN: cum}
	}
	wasEmpty := q.Empty()
	inRecovery := q.recovery
	rwnd := q.credit - q.outstanding

	q.beginAck()
	q.ackCum(cum, now, &out)
	q.growWindows(inRecovery, now)
	if q.recovery && q.recoveryExit.LessEq(q.cum) {
		q.recovery = false
	}
	q.credit = rwnd + q.outstanding
	if q.probe.on {
		q.probe.answered = true
		if !q.probe.waiting && q.next-q.cum == 1 {
			q.stopProbing()
		}
	}
	q.settle(now)
	q.watchWindow(now)
	q.finishAck(wasEmpty, &out)
	return out
}

// beginAck notes what each path had in flight.
func (q *Queue) beginAck() {
	q.syncPaths()
	for i := range q.at {
		a := &q.at[i]
		a.news, a.acked, a.before = false, 0, q.paths.P[i].Flight
	}
}

// finishAck adds the outcomes that all acknowledgements have in common.
func (q *Queue) finishAck(wasEmpty bool, out *pipes.Outcome) {
	for i := range q.at {
		if q.at[i].news {
			out.Bits |= pipes.PathsAcked // R-8.1-06: also if that says nothing of a path
		}
	}
	if !wasEmpty && q.Empty() {
		out.Bits |= pipes.AllAcked
	}
	if q.wantWritable && q.buffered <= q.cfg.SendBuffer/2 {
		q.wantWritable = false
		out.Bits |= pipes.Writable
	}
}

// ackCum moves the Cumulative TSN Ack Point up to cum and lets go of what it
// passes (R-6.7-03).
func (q *Queue) ackCum(cum chunk.TSN, now mono.Time, out *pipes.Outcome) {
	var done *seg.Buf // freed in one go
	for q.cum != cum {
		q.cum++
		r := q.rec(q.cum)
		if r.state == gapAcked {
			q.unset(q.acked, q.cum)
			q.nAcked--
		} else {
			q.newlyAcked(q.cum, r, now, out)
		}
		q.buffered -= int(r.n)
		m := r.msg
		r.msg = nil
		if r.flags&chunk.FlagE != 0 {
			q.buffered -= MessageOverhead
			m.Buf.Next, done = done, m.Buf
			m.Buf = nil
			q.recycle(m)
		}
	}
	q.pool.PutChain(done)
}

// newlyAcked takes r, whose TSN t is in flight or marked for retransmission,
// out of both. What was acknowledged before and reneged on is not news: it
// must not open the window, or count as progress, twice.
func (q *Queue) newlyAcked(t chunk.TSN, r *record, now mono.Time, out *pipes.Outcome) {
	a := &q.at[r.path]
	news := r.past&everAcked == 0
	if r.state == inFlight {
		if t == a.first {
			a.firstAcked = true
		}
		q.leaveFlight(t, r)
		if news {
			a.acked += r.size()
		}
	} else {
		q.unmark(t, r)
	}
	a.onePacket = false
	if !news {
		return
	}
	a.news, a.htna = true, t
	if !a.hasTop || a.top.Less(t) {
		a.top, a.hasTop = t, true
	}
	if r.past&moved == 0 {
		out.Paths = out.Paths.With(r.path)
	}
	if a.rttTimed && a.rttTSN == t {
		a.rttTimed = false
		q.paths.P[r.path].SampleRTT(now.Sub(a.rttSince), now)
	}
}

// readGaps collects the gap blocks in q.gaps and returns the highest TSN they
// report, or cum.
func (q *Queue) readGaps(s *chunk.Sack, out *pipes.Outcome) chunk.TSN {
	sent := q.Unacked()
	last := 0 // end of the highest block so far
	// Blocks in order touch each word of the bitmap once or twice. For others,
	// which no receiver sends on purpose, the work is bounded by a budget.
	budget := 2*len(q.recs)/64 + gapBudget
	for i := range s.NumGaps() {
		start16, end16 := s.Gap(i)
		start, end := int(start16), int(end16)
		if start == 0 || start > end || end > sent {
			out.Bits |= pipes.BadGap
			end = min(end, sent)
			start = max(start, 1)
			if start > end {
				continue
			}
		}
		inOrder := start > last
		if !inOrder && budget <= 0 {
			continue
		}
		words := q.setRange(q.gaps, q.cum.Add(uint32(start)), q.cum.Add(uint32(end)+1))
		if !inOrder {
			budget -= words
		}
		last = max(last, end)
	}
	return q.cum.Add(uint32(last))
}

// ackGaps applies the blocks in q.gaps, up to high, that were not known. What
// was known and is not among them any more lies in the range it returns, whose
// blocks are still in q.gaps.
func (q *Queue) ackGaps(high chunk.TSN, now mono.Time, out *pipes.Outcome) (reneged, end chunk.TSN) {
	if q.nAcked > 0 && high.Less(q.highGap) {
		high = q.highGap
	}
	end = high + 1
	reneged = end
	for from := q.cum + 1; from != end; {
		w, mask, n := q.span(from, end)
		news := q.gaps[w] &^ q.acked[w] & mask
		if reneged == end {
			if q.acked[w]&^q.gaps[w]&mask != 0 {
				reneged = from
			} else {
				q.gaps[w] &^= mask
			}
		}
		q.acked[w] |= news
		for ; news != 0; news &= news - 1 {
			t := q.at64(from, news)
			r := q.rec(t)
			q.newlyAcked(t, r, now, out)
			r.state = gapAcked
			r.past |= everAcked
			q.nAcked++
		}
		from = from.Add(n)
	}
	return reneged, end
}

// renege returns to flight what gap blocks acknowledged before and q.gaps does
// not in [from, end), with one miss indication (R-6.2.1-07), and clears that
// part of q.gaps.
func (q *Queue) renege(from, end chunk.TSN) {
	for from != end {
		w, mask, n := q.span(from, end)
		lost := q.acked[w] &^ q.gaps[w] & mask
		q.acked[w] &^= lost
		for ; lost != 0; lost &= lost - 1 {
			t := q.at64(from, lost)
			r := q.rec(t)
			q.nAcked--
			q.enterFlight(t, r)
			r.miss = 1
		}
		q.gaps[w] &^= mask
		from = from.Add(n)
	}
}

// growWindows applies sections 7.2.1 and 7.2.2 to each path on which chunks
// were newly acknowledged (R-7.2.1-09).
func (q *Queue) growWindows(inRecovery bool, now mono.Time) {
	for i := range q.at {
		a := &q.at[i]
		if a.acked == 0 {
			continue
		}
		a.ackedSince += a.acked
		p := &q.paths.P[i]
		p.CC.Acked(p, path.Ack{
			Bytes:    a.acked,
			Flight:   a.before,
			Recovery: inRecovery,
			Drained:  a.n == 0 && a.nSame+a.nAlt == 0,
			Now:      now,
		})
	}
}

// countMisses counts miss indications for what is in flight below the highest
// TSN newly acknowledged, and marks what has enough of them (section 7.2.4).
//
// Deviation R-7.2.4-03: with several paths the highest newly acknowledged TSN
// is taken per path, among the chunks last sent there. A faster path overtakes
// a slower one, after a change of the active path above all, and that must not
// look like loss. In Fast Recovery, too, only what was sent to a path before
// something else that it delivered counts. With one path it is the RFC's rule.
func (q *Queue) countMisses(high chunk.TSN, advanced bool, now mono.Time) {
	all := q.recovery && advanced // in Fast Recovery all that are reported missing count
	limit := q.cum
	for i := range q.at {
		if a := &q.at[i]; a.news {
			if all {
				limit = high
			} else if limit.Less(a.htna) {
				limit = a.htna
			}
		}
	}
	if limit == q.cum {
		return
	}
	var lost tcb.PathSet
	entering := !q.recovery
	several := len(q.at) > 1
	for t := q.nextSet(q.elig, q.cum+1, limit); t != limit; t = q.nextSet(q.elig, t+1, limit) {
		r := q.rec(t)
		a := &q.at[r.path]
		if !a.news || !all && !t.Less(a.htna) || several && !t.Less(a.top) {
			continue
		}
		if r.miss++; r.miss < missLimit {
			continue
		}
		q.mark(t, r, rtxSame) // R-6.4-05
		r.past |= fastDone    // R-7.2.4-08
		q.paths.P[r.path].Stats.FastRetransmits++
		lost = lost.With(r.path)
	}
	if lost == 0 || !entering { // R-7.2.4-10
		return
	}
	q.recovery = true
	q.recoveryExit = q.next - 1 // R-7.2.4-09
	for i := range q.at {
		if lost.Has(tcb.PathID(i)) {
			q.paths.P[i].CC.Lost(&q.paths.P[i], now)
			q.at[i].fastNow = true
		}
	}
}
