// Package seg holds the buffers in which user data lives between the
// application and the wire: size classes with free lists, so that the hot path
// allocates nothing in steady state.
package seg

import (
	"math/bits"
	"sync"
)

const (
	minShift = 7  // 128 bytes
	maxShift = 20 // 1 MiB; larger buffers are not kept
	classes  = maxShift - minShift + 1

	// keepBytes bounds what one class keeps on its free list.
	keepBytes = 8 << 20
)

// A Buf is a buffer from a Pool. Its owner may set B to any part of the
// storage that Get returned, and use Next to chain buffers.
type Buf struct {
	B     []byte
	Next  *Buf
	store []byte
	class int8 // -1: too large to keep
}

// A Pool hands out Bufs and takes them back. It is safe for use by several
// goroutines.
type Pool struct {
	class [classes]freeList
}

type freeList struct {
	mu   sync.Mutex
	head *Buf
	n    int
}

// Get returns a buffer of n bytes. Its contents are undefined.
func (p *Pool) Get(n int) *Buf {
	c := 0
	if n > 1<<minShift {
		c = bits.Len(uint(n-1)) - minShift
	}
	if c >= classes {
		b := make([]byte, n)
		return &Buf{B: b, store: b, class: -1}
	}
	f := &p.class[c]
	f.mu.Lock()
	b := f.head
	if b != nil {
		f.head = b.Next
		f.n--
	}
	f.mu.Unlock()
	if b == nil {
		b = &Buf{store: make([]byte, 1<<(minShift+c)), class: int8(c)}
	}
	b.Next = nil
	b.B = b.store[:n]
	return b
}

// Put takes a buffer back. The caller must not use it afterwards.
func (p *Pool) Put(b *Buf) {
	if b.class < 0 {
		return
	}
	poison(b)
	f := &p.class[b.class]
	f.mu.Lock()
	if f.n<<(minShift+uint(b.class)) < keepBytes {
		b.Next = f.head
		f.head = b
		f.n++
	}
	f.mu.Unlock()
}

// PutChain takes a chain of buffers back.
func (p *Pool) PutChain(b *Buf) {
	for b != nil {
		next := b.Next
		p.Put(b)
		b = next
	}
}

// Size returns the memory that a buffer of n bytes occupies.
func Size(n int) int {
	if n <= 1<<minShift {
		return 1 << minShift
	}
	c := bits.Len(uint(n-1)) - minShift
	if c >= classes {
		return n
	}
	return 1 << (minShift + c)
}
