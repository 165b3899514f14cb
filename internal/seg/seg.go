// Package seg holds the buffers in which user data lives between the
// application and the wire: size classes with free lists, so that the hot path
// allocates nothing in steady state.
//
// Pool and Free are shared and locked. Who takes many at a time and is alone
// with it, as a shard is under its lock, puts a Cache or a FreeCache in front.
package seg

import (
	"math/bits"
	"sync"
)

const (
	minShift = 7  // 128 bytes
	maxShift = 20 // 1 MiB; larger buffers are not kept
	classes  = maxShift - minShift + 1
	large    = classes // the class of larger buffers

	// keepBytes bounds what one class keeps on its free list.
	keepBytes = 8 << 20
)

// A Buf is a buffer from a Pool. Its owner may set B to any part of the
// storage that Get returned, and use Next to chain buffers.
type Buf struct {
	B     []byte
	Next  *Buf
	store []byte
	class uint8
	freed bool // with the invariants build tag only
}

// A Pool hands out Bufs and takes them back. It is safe for use by several
// goroutines.
type Pool struct {
	class [classes + 1]freeList
}

type freeList struct {
	mu   sync.Mutex
	head *Buf
	n    int // kept
	out  int // handed out and not back yet
}

// classOf returns the class of a buffer of n bytes.
func classOf(n int) int {
	if n <= 1<<minShift {
		return 0
	}
	return min(bits.Len(uint(n-1))-minShift, large)
}

// newBuf returns a new buffer of class c for n bytes.
func newBuf(c, n int) *Buf {
	if c < large {
		n = 1 << (minShift + c)
	}
	return &Buf{store: make([]byte, n), class: uint8(c)}
}

// Get returns a buffer of n bytes. Its contents are undefined.
func (p *Pool) Get(n int) *Buf {
	c := classOf(n)
	f := &p.class[c]
	f.mu.Lock()
	b := f.head
	if b != nil {
		f.head = b.Next
		f.n--
	}
	f.out++
	f.mu.Unlock()
	if b == nil {
		b = newBuf(c, n)
	}
	b.Next = nil
	unpoison(b)
	b.B = b.store[:n]
	return b
}

// Put takes a buffer back. The caller must not use it afterwards.
func (p *Pool) Put(b *Buf) {
	poison(b)
	f := &p.class[b.class]
	f.mu.Lock()
	f.put(b)
	f.mu.Unlock()
}

// PutChain takes a chain of buffers back.
func (p *Pool) PutChain(b *Buf) {
	for b != nil {
		c := b.class
		f := &p.class[c]
		f.mu.Lock()
		for b != nil && b.class == c {
			next := b.Next
			poison(b)
			f.put(b)
			b = next
		}
		f.mu.Unlock()
	}
}

func (f *freeList) put(b *Buf) {
	f.out--
	if b.class < large && f.n < keepBytes>>(minShift+b.class) {
		b.Next = f.head
		f.head = b
		f.n++
	}
}

// InUse returns the number of buffers that have been handed out and not been
// put back. Those in a Cache count.
func (p *Pool) InUse() int {
	n := 0
	for c := range p.class {
		f := &p.class[c]
		f.mu.Lock()
		n += f.out
		f.mu.Unlock()
	}
	return n
}

// Size returns the memory that a buffer of n bytes occupies.
func Size(n int) int {
	if c := classOf(n); c < large {
		return 1 << (minShift + c)
	}
	return n
}
