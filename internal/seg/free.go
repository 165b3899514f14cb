package seg

import "sync"

// A Free keeps values of one type for reuse. It is safe for use by several
// goroutines.
type Free[T any] struct {
	mu   sync.Mutex
	free []*T
	max  int
}

// NewFree returns a Free that keeps at most max values.
func NewFree[T any](max int) *Free[T] { return &Free[T]{max: max} }

// Get returns a kept value as it was put, or a new zero one.
func (f *Free[T]) Get() *T {
	f.mu.Lock()
	if n := len(f.free); n > 0 {
		v := f.free[n-1]
		f.free[n-1] = nil
		f.free = f.free[:n-1]
		f.mu.Unlock()
		return v
	}
	f.mu.Unlock()
	return new(T)
}

// GetN fills dst with kept values, as many as there are, and returns their
// number.
func (f *Free[T]) GetN(dst []*T) int {
	f.mu.Lock()
	n := min(len(dst), len(f.free))
	rest := len(f.free) - n
	copy(dst, f.free[rest:])
	clear(f.free[rest:])
	f.free = f.free[:rest]
	f.mu.Unlock()
	return n
}

// Put takes a value back.
func (f *Free[T]) Put(v *T) {
	f.mu.Lock()
	if len(f.free) < f.max {
		f.free = append(f.free, v)
	}
	f.mu.Unlock()
}

// PutN takes values back.
func (f *Free[T]) PutN(vs []*T) {
	f.mu.Lock()
	f.free = append(f.free, vs[:min(len(vs), max(f.max-len(f.free), 0))]...)
	f.mu.Unlock()
}
