package ulpqueue

import "github.com/gosctp/gosctp/chunk"

// RenegeFor makes room for a chunk with n bytes of user data and the TSN from,
// which fills a gap: data with higher TSNs that is not ready is dropped from
// the highest TSN down, and each TSN is told to dropped, which takes it back.
// It reports whether there is room now (RFC 9260 section 6.2).
func (q *Queue) RenegeFor(n int, from chunk.TSN, dropped func(chunk.TSN)) bool {
	for !q.fits(n) {
		if q.byTSN.n == 0 {
			return false
		}
		i := q.byTSN.n - 1
		m := q.byTSN.at(i)
		if m == q.pd || !from.Less(m.TSN) {
			return false
		}
		q.revokeHighest(q.lack(n), dropped)
	}
	return true
}

// revokeHighest drops of the message with the highest TSN as many fragments as
// hold need bytes of memory, or all, and returns what came free.
func (q *Queue) revokeHighest(need int, dropped func(chunk.TSN)) (freed int) {
	i := q.byTSN.n - 1
	m := q.byTSN.at(i)
	q.unwait(m)
	before := q.mem
	keep, bytes, mem := q.keepFor(m, need)
	first := m.TSN + chunk.TSN(keep)
	for t := m.last; first.LessEq(t); t-- {
		dropped(t)
	}
	if keep == 0 {
		q.byTSN.remove(i, 1)
		q.drop(m)
		return before - q.mem
	}
	q.cut(m, keep)
	m.last, m.ended = first-1, false
	q.release(m.Len-bytes, m.mem-mem)
	m.Len, m.mem = bytes, mem
	return before - q.mem
}

// keepFor returns how many fragments of m may stay, what they hold and what is
// accounted for m then, if need bytes of memory are to come free.
func (q *Queue) keepFor(m *Message, need int) (keep, bytes, mem int) {
	mem = messageOverhead
	for b := m.Head; b != nil; b = b.Next {
		c := charge(len(b.B))
		if m.mem-(mem+c) < need {
			break
		}
		keep++
		bytes += len(b.B)
		mem += c
	}
	return keep, bytes, mem
}

// cut frees all but the first keep fragments of m.
func (q *Queue) cut(m *Message, keep int) {
	b := m.Head
	for range keep - 1 {
		b = b.Next
	}
	q.pool.PutChain(b.Next)
	b.Next = nil
	m.tail = b
}
