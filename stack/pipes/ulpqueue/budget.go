package ulpqueue

import (
	"sync/atomic"

	"github.com/gosctp/gosctp/chunk"
)

// Receive memory that many associations share. Each Queue bounds its own
// (RFC 9260 section 6.2); what all of them may hold together is a Total, of
// which each owner of Queues, such as a shard, takes parts large enough that
// the owners hardly ever meet.

// A Total is memory for the Queues of several owners. It is safe for
// concurrent use.
type Total struct {
	limit   int64
	quantum int64 // what a Budget takes at a time
	free    atomic.Int64
}

const maxQuantum = 64 << 10

// NewTotal returns a Total of limit bytes for that many owners.
func NewTotal(limit, owners int) *Total {
	t := &Total{limit: int64(limit)}
	t.quantum = min(max(t.limit/int64(16*max(owners, 1)), 1), maxQuantum)
	t.free.Store(t.limit)
	return t
}

// Limit returns what may be held, in bytes.
func (t *Total) Limit() int { return int(t.limit) }

// Free returns what nobody has taken; below zero, associations hold what each
// of them always may.
func (t *Total) Free() int { return int(t.free.Load()) }

// take gives out n bytes, rounded up, if there are as many.
func (t *Total) take(n int64) (int64, bool) {
	n = (n + t.quantum - 1) / t.quantum * t.quantum
	for {
		f := t.free.Load()
		if f < n {
			return 0, false
		}
		if t.free.CompareAndSwap(f, f-n) {
			return n, true
		}
	}
}

// A Budget is one owner's part of a Total. It belongs to who holds the owner's
// Queues.
type Budget struct {
	total      *Total
	have, used int64
	short      bool
}

// NewBudget returns a Budget that takes from t.
func NewBudget(t *Total) *Budget { return &Budget{total: t} }

// Used returns the bytes that the owner's Queues hold.
func (b *Budget) Used() int { return int(b.used) }

// Short reports, and forgets, whether a window or a chunk found less than an
// eighth of the memory left: it is time to take some back.
func (b *Budget) Short() bool {
	s := b.short
	b.short = false
	return s
}

// room reports whether n bytes more may be held, and sees that they are there.
func (b *Budget) room(n int) bool {
	lack := b.used + int64(n) - b.have
	if lack <= 0 {
		return true
	}
	got, ok := b.total.take(lack)
	b.have += got
	return ok
}

// avail returns how much more may be held now.
func (b *Budget) avail() int64 { return max(b.have-b.used, 0) + max(b.total.free.Load(), 0) }

// use counts n bytes; what was not there is owed.
func (b *Budget) use(n int) {
	b.used += int64(n)
	if lack := b.used - b.have; lack > 0 {
		got, ok := b.total.take(lack)
		if !ok {
			got = lack
			b.total.free.Add(-lack)
		}
		b.have += got
	}
}

// put takes n bytes back.
func (b *Budget) put(n int) {
	b.used -= int64(n)
	// What was owed goes back as it comes, for others are short as well.
	keep := b.used + b.total.quantum
	if b.total.free.Load() < 0 {
		keep = b.used
	}
	if spare := b.have - keep; spare > b.total.quantum || spare > 0 && keep == b.used {
		b.have -= spare
		b.total.free.Add(spare)
	}
}

const (
	// assured is what a Queue may hold whatever others do: two packets, and
	// their overhead. One that holds nothing may take a chunk of any size. So
	// an association whose user reads goes on, however slowly.
	assured = 8 << 10
	// assuredWindow is what a peer is granted of it.
	assuredWindow = 2 * segment
)

// UseBudget makes q count what it holds in b, until it is given back.
func (q *Queue) UseBudget(b *Budget) {
	q.budget = b
	b.use(q.mem)
}

// LeaveBudget takes q's memory out of its Budget: nobody can tell any more
// what becomes of it.
func (q *Queue) LeaveBudget() {
	if q.budget != nil {
		q.budget.put(q.mem)
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
		q.budget.use(n)
	} else {
		q.budget.put(-n)
	}
}

// affords reports whether the shared memory has room for n bytes more.
func (q *Queue) affords(n int) bool {
	return q.budget == nil || q.mem+n <= assured || q.budget.room(n)
}

// lack returns how many bytes have to come free for a chunk with n bytes of
// user data that does not fit: at least one.
func (q *Queue) lack(n int) int {
	l := q.mem + need(n) - q.limit
	if q.budget != nil {
		l = max(l, min(q.mem+need(n)-assured, need(n)-int(q.budget.avail())))
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
	half := q.budget.total.limit / 2
	avail := q.budget.avail()
	if avail >= half {
		return w
	}
	if avail < half/4 {
		q.budget.short = true
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
