package ulpqueue

import "github.com/gosctp/gosctp/chunk"

// Partial delivery: RFC 9260 section 6.9, last paragraph.

// startPartial delivers what is there of m, which must have begun and be in
// turn, and makes everything else wait for its end.
func (q *Queue) startPartial(m *Message) {
	q.pd = m
	q.deliverPiece(m, m.TSN)
}

// deliverPiece makes what has arrived of the message in partial delivery
// ready; t is the first TSN of that.
func (q *Queue) deliverPiece(m *Message, t chunk.TSN) {
	if p := q.piece; p != nil && p == q.ready.tail {
		q.ready.bytes += m.Len
		p.addChain(m)
		p.EOR = m.ended
	} else if !m.ended {
		p := q.getMessage()
		p.Unordered = m.Unordered
		p.Stream, p.SSN, p.PPID, p.TSN, p.CumTSN = m.Stream, m.SSN, m.PPID, t, q.cum
		p.mem = messageOverhead
		q.mem += messageOverhead
		p.addChain(m)
		q.ready.Push(p)
		q.piece = p
	}
	if !m.ended {
		return
	}
	q.byTSN.remove(q.byTSN.searchTSN(m.TSN)-1, 1)
	if m.Head != nil {
		m.TSN = t
		q.deliver(m)
	} else {
		if !m.Unordered {
			q.streams.advance(m.Stream)
		}
		q.freeHusk(m)
	}
	q.pd, q.piece = nil, nil
	q.deliverWaiting()
}

// relieve begins a partial delivery if otherwise nothing could move: the
// window is shut, and the reader has nothing to read that would open it.
func (q *Queue) relieve() Result {
	if q.pd != nil || q.idle || q.byTSN.n == 0 ||
		q.ready.bytes > 0 || q.outPayload > 0 || q.window() > 0 {
		return 0
	}
	for i := range q.byTSN.n {
		m := q.byTSN.at(i)
		if m.begun && !m.ended && q.inTurn(m) {
			q.startPartial(m)
			return Delivered
		}
	}
	q.idle = true
	return 0
}
