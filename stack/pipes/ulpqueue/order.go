package ulpqueue

import "github.com/gosctp/gosctp/chunk"

// The order of messages within a stream: RFC 9260 sections 6.5 and 6.6.

const (
	pageShift = 7
	pageSize  = 1 << pageShift
)

// streams holds the next SSN of each incoming stream, in pages that are made
// when a stream in them delivers its first ordered message.
type streams struct {
	pages []*[pageSize]chunk.SSN
}

// next returns the SSN whose turn it is.
func (s *streams) next(id chunk.StreamID) chunk.SSN {
	p := int(id >> pageShift)
	if p >= len(s.pages) || s.pages[p] == nil {
		return 0
	}
	return s.pages[p][id&(pageSize-1)]
}

// advance makes it the turn of the SSN after next.
func (s *streams) advance(id chunk.StreamID) {
	p := int(id >> pageShift)
	if p >= len(s.pages) {
		s.pages = append(s.pages, make([]*[pageSize]chunk.SSN, p+1-len(s.pages))...)
	}
	if s.pages[p] == nil {
		s.pages[p] = new([pageSize]chunk.SSN)
	}
	s.pages[p][id&(pageSize-1)]++
}

// inTurn reports whether m may be delivered before any other message of its
// stream.
func (q *Queue) inTurn(m *Message) bool {
	return m.Unordered || m.SSN == q.streams.next(m.Stream)
}

// checkSSN says what is wrong with the SSN of an ordered chunk, if anything.
// One that is not within 2^15 after the one whose turn it is either was used
// before, or is too far ahead for us. The latter takes a peer that has very
// many messages under way, of which we would have some.
func (q *Queue) checkSSN(d *chunk.Data) Result {
	turn := q.streams.next(d.Stream)
	if int16(d.SSN-turn) >= 0 {
		return 0
	}
	if i := q.bySSN.searchSSN(d.Stream, turn+1<<15-1); i > 0 {
		if m := q.bySSN.at(i - 1); m.Stream == d.Stream && m.SSN-turn >= 1<<14 {
			return NoRoom
		}
	}
	return Violation
}

// deliver makes a complete message ready; it must be in no ring any more.
func (q *Queue) deliver(m *Message) {
	if !m.Unordered {
		q.streams.advance(m.Stream)
	}
	m.EOR = true
	m.CumTSN = q.cum
	q.ready.Push(m)
}

// deliverNext delivers the messages of a stream that were waiting for the one
// just delivered.
func (q *Queue) deliverNext(stream chunk.StreamID) {
	if q.bySSN.n == 0 {
		return
	}
	q.deliverFrom(q.bySSN.searchSSN(stream, q.streams.next(stream)))
}

// deliverFrom delivers the messages at index i of bySSN and behind that are in
// turn.
func (q *Queue) deliverFrom(i int) {
	k := 0
	for ; i+k < q.bySSN.n; k++ {
		m := q.bySSN.at(i + k)
		if m.SSN != q.streams.next(m.Stream) {
			break
		}
		q.byTSN.remove(q.byTSN.searchTSN(m.TSN)-1, 1)
		q.deliver(m)
	}
	if k > 0 {
		q.bySSN.remove(i, k)
	}
}

// wait keeps a complete ordered message until its turn comes. It reports
// false if there is another one with the same numbers.
func (q *Queue) wait(m *Message) bool {
	if p := q.pd; p != nil && !p.Unordered && p.Stream == m.Stream && p.SSN == m.SSN {
		return false
	}
	i := q.bySSN.searchSSN(m.Stream, m.SSN)
	if i < q.bySSN.n {
		if o := q.bySSN.at(i); o.Stream == m.Stream && o.SSN == m.SSN {
			return false
		}
	}
	q.bySSN.insert(i, m)
	m.waiting = true
	return true
}

// unwait undoes wait.
func (q *Queue) unwait(m *Message) {
	if m.waiting {
		q.bySSN.remove(q.bySSN.searchSSN(m.Stream, m.SSN), 1)
		m.waiting = false
	}
}

// deliverWaiting delivers everything complete that may go, after a partial
// delivery that held it back.
func (q *Queue) deliverWaiting() {
	for i := 0; i < q.byTSN.n; {
		m := q.byTSN.at(i)
		if m.Unordered && m.begun && m.ended {
			q.byTSN.remove(i, 1)
			q.deliver(m)
			continue
		}
		i++
	}
	for i := 0; i < q.bySSN.n; {
		if m := q.bySSN.at(i); m.SSN == q.streams.next(m.Stream) {
			q.deliverFrom(i)
			continue
		}
		i++
	}
}
