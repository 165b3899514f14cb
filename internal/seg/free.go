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

// Put takes a value back.
func (f *Free[T]) Put(v *T) {
	f.mu.Lock()
	if len(f.free) < f.max {
		f.free = append(f.free, v)
	}
	f.mu.Unlock()
}
