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

func (t *Total) rounded(n int64) int64 { return (n + t.quantum - 1) / t.quantum * t.quantum }

// take gives out n bytes, rounded up, if there are as many.
func (t *Total) take(n int64) (int64, bool) {
	n = t.rounded(n)
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
	watch      func(free int64) int64
}

// NewBudget returns a Budget that takes from t.
func NewBudget(t *Total) *Budget { return &Budget{total: t} }

// Watch has f told whenever b looks at how much of the Total is free, with what
// it sees; b goes by what f returns. So it can be recorded, and said again.
func (b *Budget) Watch(f func(free int64) int64) { b.watch = f }

func (b *Budget) seen(free int64) int64 {
	if b.watch != nil {
		return b.watch(free)
	}
	return free
}

// take is Total's, as far as b sees it.
func (b *Budget) take(n int64) (int64, bool) {
	if b.watch == nil {
		return b.total.take(n)
	}
	free, need := b.total.free.Load(), b.total.rounded(n)
	got, ok := b.total.take(n)
	if ok {
		free = max(free, need) // it was there
	} else {
		free = min(free, need-1)
	}
	if (b.watch(free) >= need) == ok {
		return got, ok
	}
	// What is said again is not what is there.
	if ok {
		b.total.free.Add(got)
		return 0, false
	}
	b.total.free.Add(-need)
	return need, true
}

// Quantum returns how many bytes b takes at a time.
func (b *Budget) Quantum() int { return int(b.total.quantum) }

// LikeBudget returns a Budget of a Total of its own, which is as another was.
func LikeBudget(limit, quantum int) *Budget {
	t := &Total{limit: int64(limit), quantum: int64(quantum)}
	t.free.Store(t.limit)
	return NewBudget(t)
}

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
	got, ok := b.take(lack)
	b.have += got
	return ok
}

// Avail returns how much more may be held now.
func (b *Budget) Avail() int64 { return max(b.have-b.used, 0) + max(b.seen(b.total.free.Load()), 0) }

// Use counts n bytes; what was not there is owed.
func (b *Budget) Use(n int) {
	b.used += int64(n)
	if lack := b.used - b.have; lack > 0 {
		got, ok := b.take(lack)
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
	if b.seen(b.total.free.Load()) < 0 {
		keep = b.used
	}
	if spare := b.have - keep; spare > b.total.quantum || spare > 0 && keep == b.used {
		b.have -= spare
		b.total.free.Add(spare)
	}
}
