package ulpqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
)

// Receive memory that many associations share. Each Queue bounds its own (RFC
// 9260 section 6.2); a Budget bounds what all of them hold.

const (
	// assured is what a Queue may hold whatever others do: two packets, and
	// their overhead. One that holds nothing may take a chunk of any size. So
	// an association whose user reads goes on, however slowly.
	assured = 8 << 10
	// assuredWindow is what a peer is granted of it.
	assuredWindow = 2 * segment
)

// UseBudget makes q count what it holds in b, until it is given back.
func (q *Queue) UseBudget(b *seg.Budget) {
	q.budget = b
	b.Use(q.mem)
}

// LeaveBudget takes q's memory out of its Budget: nobody can tell any more
// what becomes of it.
func (q *Queue) LeaveBudget() {
	if q.budget != nil {
		q.budget.Put(q.mem)
		q.budget = nil
	}
}

// account counts n bytes of memory more, or less.
func (q *Queue) account(n int) {
	q.mem += n
	if q.budget == nil {
		return
	}
	if n > 0 {
		q.budget.Use(n)
	} else {
		q.budget.Put(-n)
	}
}

// affords reports whether the shared memory has room for n bytes more.
func (q *Queue) affords(n int) bool {
	return q.budget == nil || q.mem+n <= assured || q.budget.Room(n)
}

// lack returns how many bytes have to come free for a chunk with n bytes of
// user data that does not fit: at least one.
func (q *Queue) lack(n int) int {
	l := q.mem + need(n) - q.limit
	if q.budget != nil {
		l = max(l, min(q.mem+need(n)-assured, need(n)-int(q.budget.Avail())))
	}
	return max(l, 1)
}

// share bounds a window w by what is left of the shared memory: from the point
// where half of it is taken the windows of all shrink in proportion, down to
// what everyone is assured of.
func (q *Queue) share(w, usual int) int {
	if q.budget == nil {
		return w
	}
	half := int64(q.budget.Limit()) / 2
	avail := q.budget.Avail()
	if avail >= half {
		return w
	}
	if avail < half/4 {
		q.budget.SetShort()
	}
	s := int(int64(q.credit) * avail / max(half, 1))
	if q.payload == 0 {
		s = max(s, assuredWindow, usual)
	} else {
		s = max(s, assuredWindow-q.payload)
	}
	return min(w, s)
}

// Undelivered returns the memory in what could be dropped by Reclaim.
func (q *Queue) Undelivered() int {
	sum := 0
	for i := q.byTSN.n - 1; i >= 0 && q.revocable(q.byTSN.at(i)); i-- {
		sum += q.byTSN.at(i).mem
	}
	return sum
}

// revocable reports whether m may be dropped: it lies above the cumulative TSN,
// and no piece of it was delivered.
func (q *Queue) revocable(m *Message) bool {
	return m != q.pd && q.cumKnown && q.cum.Less(m.TSN)
}

// Reclaim drops what is not ready and lies above the cumulative TSN, from the
// highest TSN down, until no more than keep bytes of memory are in it. Each TSN
// is told to dropped, which takes it back (RFC 9260 section 6.2: a receiver may
// renege when it is out of buffer). It returns what came free.
func (q *Queue) Reclaim(keep int, dropped func(chunk.TSN)) (freed int) {
	for excess := q.Undelivered() - keep; excess > 0; {
		n := q.revokeHighest(excess, dropped)
		excess -= n
		freed += n
	}
	return freed
}
