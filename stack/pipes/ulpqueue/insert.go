package ulpqueue

import "github.com/gosctp/gosctp/chunk"

// Reassembly: RFC 9260 sections 3.3.1 and 6.9.

// Result says what became of a chunk.
type Result uint8

// Results. A chunk that is not Accepted was dropped and must not be
// acknowledged.
const (
	Accepted  Result = 1 << iota
	NoRoom           // it would exceed the receive buffer, or the order of its stream
	Violation        // it contradicts other chunks of the peer
	Delivered        // something became ready
)

// maxSpread bounds the distance of TSNs in a Queue, so that they have an
// order.
const maxSpread = 1 << 30

// Insert takes a DATA chunk whose TSN is new. Its user data is copied. A
// chunk without user data, or with a stream or TSN that cannot be, is dropped
// without a word.
func (q *Queue) Insert(d chunk.Data) Result {
	n := len(d.Payload)
	if n == 0 || uint16(d.Stream) >= q.inStreams {
		return 0
	}
	if !q.fits(n) {
		q.largest = max(q.largest, n)
		return NoRoom | q.startPartial()
	}
	if !d.Unordered() {
		if r := q.checkSSN(&d); r != 0 {
			return r
		}
	}
	if q.byTSN.n > 0 || d.Flags&(chunk.FlagB|chunk.FlagE) != chunk.FlagB|chunk.FlagE {
		return q.insert(&d)
	}
	// A whole message, and nothing is pending that it could belong to or
	// that could wait for it.
	if !d.Unordered() && d.SSN != q.streams.next(d.Stream) {
		return q.insert(&d)
	}
	q.deliver(q.message(&d))
	return Accepted | Delivered
}

// message makes a message of one chunk.
func (q *Queue) message(d *chunk.Data) *Message {
	m := q.getMessage()
	m.Unordered = d.Unordered()
	m.begun, m.ended = d.Begins(), d.Ends()
	m.Stream, m.SSN, m.PPID = d.Stream, d.SSN, d.PPID
	m.TSN, m.last = d.TSN, d.TSN
	m.From = q.from
	m.mem = messageOverhead
	q.account(messageOverhead)
	q.usual.message()
	q.addData(m, d)
	return m
}

// addData copies the user data of d to the end of m.
func (q *Queue) addData(m *Message, d *chunk.Data) {
	n := len(d.Payload)
	b := q.getBuf(n)
	copy(b.B, d.Payload)
	mem := charge(n)
	m.addBuf(b, n, mem)
	q.hold(n, mem)
}

// insert is Insert for chunks that have to do with others.
func (q *Queue) insert(d *chunk.Data) Result {
	t := d.TSN
	if q.byTSN.n > 0 {
		if n := t.Diff(q.byTSN.at(0).TSN); n < -maxSpread || n > maxSpread {
			return 0
		}
	}
	// Between which messages does it fall, and is it a part of them?
	i := q.byTSN.searchTSN(t)
	var prev, next *Message
	if i > 0 {
		m := q.byTSN.at(i - 1)
		if t.LessEq(m.last) {
			return 0
		}
		if m.last+1 == t {
			if m.ended != d.Begins() {
				return Violation
			}
			if !m.ended {
				prev = m
			}
		}
	}
	if i < q.byTSN.n {
		m := q.byTSN.at(i)
		if m.TSN == t+1 {
			if m.begun != d.Ends() {
				return Violation
			}
			if !m.begun {
				next = m
			}
		}
	}
	if prev != nil && !prev.akin(d) || next != nil && !next.akin(d) {
		return Violation
	}

	switch {
	case prev != nil:
		q.addData(prev, d)
		prev.last, prev.ended = t, d.Ends()
		if next != nil {
			prev.last, prev.ended = next.last, next.ended
			prev.addChain(next)
			q.byTSN.remove(i, 1)
			q.freeHusk(next)
		}
		return Accepted | q.settle(prev, i-1, t)
	case next != nil:
		m := q.message(d)
		m.last, m.ended = next.last, next.ended
		m.addChain(next)
		q.byTSN.set(i, m)
		q.freeHusk(next)
		return Accepted | q.settle(m, i, t)
	}

	m := q.message(d)
	q.byTSN.insert(i, m)
	return Accepted | q.settle(m, i, t)
}

// akin reports whether d can be a fragment of m.
func (m *Message) akin(d *chunk.Data) bool {
	return m.Unordered == d.Unordered() && m.Stream == d.Stream && m.PPID == d.PPID &&
		(m.Unordered || m.SSN == d.SSN)
}

// settle does what the fragment with TSN t made possible for its message m,
// which is at index i of byTSN.
func (q *Queue) settle(m *Message, i int, t chunk.TSN) Result {
	switch {
	case m == q.pd:
		q.deliverPiece(m, t)
		return Delivered
	case m.begun && m.ended:
		if q.pd == nil && q.inTurn(m) {
			q.byTSN.remove(i, 1)
			q.deliver(m)
			if !m.Unordered {
				q.deliverNext(m.Stream)
			}
			return Delivered
		}
		if !m.Unordered && !q.wait(m) {
			return Violation
		}
	}
	return 0
}

// CumTSNAdvanced tells the cumulative TSN after a packet with DATA. It returns
// Violation if a message turns out to lack an end, a beginning or the message
// before it in its stream although every TSN up to there has arrived, and
// Delivered if a partial delivery began.
func (q *Queue) CumTSNAdvanced(cum chunk.TSN) Result {
	// What ends at or below the cumulative TSN of the last time is known to
	// be whole.
	old, known := q.cum, q.cumKnown
	q.cum, q.cumKnown = cum, true
	if q.byTSN.n == 0 {
		return 0
	}
	i := 0
	if known {
		i = max(0, q.byTSN.searchTSN(old)-1)
	}
	for ; i < q.byTSN.n; i++ {
		m := q.byTSN.at(i)
		if cum.Less(m.TSN) {
			break
		}
		if !m.begun || !m.ended && m.last.Less(cum) {
			return Violation
		}
		if m.ended && m != q.pd {
			// It is whole, and everything before it has arrived, but the SSN
			// whose turn it is has not: the peer left it out, and nothing
			// would ever move what waits for it.
			return Violation
		}
	}
	return q.startPartial()
}

// freeHusk frees a message whose user data has moved to another one.
func (q *Queue) freeHusk(m *Message) {
	q.account(-m.mem)
	FreeMessage(q.pool, q.nodes, m)
}
