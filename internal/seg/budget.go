package seg

import "sync/atomic"

// A Total is memory that several owners share, such as shards. An owner takes of
// it in large parts, so that owners hardly ever meet. It is safe for
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

// Free returns what nobody has taken; below zero, more is held than there is.
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

// A Budget is one owner's part of a Total. It is for one goroutine at a time.
type Budget struct {
	total      *Total
	have, used int64
	short      bool
}

// NewBudget returns a Budget that takes from t.
func NewBudget(t *Total) *Budget { return &Budget{total: t} }

// Limit returns what all owners together may hold, in bytes.
func (b *Budget) Limit() int { return b.total.Limit() }

// Used returns the bytes that the owner holds.
func (b *Budget) Used() int { return int(b.used) }

// SetShort notes that memory is short.
func (b *Budget) SetShort() { b.short = true }

// Short reports, and forgets, whether memory was short.
func (b *Budget) Short() bool {
	s := b.short
	b.short = false
	return s
}

// Room reports whether n bytes more may be held, and sees that they are there.
func (b *Budget) Room(n int) bool {
	lack := b.used + int64(n) - b.have
	if lack <= 0 {
		return true
	}
	got, ok := b.total.take(lack)
	b.have += got
	return ok
}

// Avail returns how much more may be held now.
func (b *Budget) Avail() int64 { return max(b.have-b.used, 0) + max(b.total.free.Load(), 0) }

// Use counts n bytes; what was not there is owed.
func (b *Budget) Use(n int) {
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

// Put takes n bytes back.
func (b *Budget) Put(n int) {
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
