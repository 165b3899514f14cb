package ulpqueue

import "github.com/gosctp/gosctp/chunk"

// Partial delivery: RFC 9260 section 6.9, last paragraph.

// startPartial begins a partial delivery if there is cause for one: enough of
// a message is there, or the window is shut and the reader has nothing to read
// that would open it.
//
// Only the message that the cumulative TSN is in comes into question. Then all
// that has to wait for its end has higher TSNs, and can be reneged on if it
// takes the room that the rest of the message needs.
func (q *Queue) startPartial() Result {
	if q.byTSN.n == 0 || q.pd != nil || !q.cumKnown {
		return 0
	}
	m := q.byTSN.at(0)
	if !m.begun || m.ended || q.cum.Less(m.TSN) || !q.inTurn(m) {
		return 0
	}
	enough := q.cfg.PartialPoint > 0 && m.Len >= q.cfg.PartialPoint
	if !enough && (q.ready.bytes > 0 || q.outPayload > 0 || q.window() > 0) {
		return 0
	}
	q.pd = m
	q.deliverPiece(m, m.TSN)
	return Delivered
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
		p.From = m.From
		p.mem = messageOverhead
		q.account(messageOverhead)
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
