package seg

// cacheBytes is about what a Cache takes from one class of its Pool at a
// time, and cacheBufs bounds the number.
const (
	cacheBytes = 64 << 10
	cacheBufs  = 32
)

// A Cache hands out buffers of a Pool and takes a lock only once in a while.
// It is for one goroutine at a time. Buffers go back to the Pool, which any
// goroutine may do. Its zero value is not usable: see NewCache.
type Cache struct {
	pool *Pool
	head [classes]*Buf
}

// NewCache returns a Cache in front of p.
func NewCache(p *Pool) *Cache { return &Cache{pool: p} }

// Get returns a buffer of n bytes. Its contents are undefined.
func (c *Cache) Get(n int) *Buf {
	k := classOf(n)
	if k == large {
		return c.pool.Get(n)
	}
	b := c.head[k]
	if b == nil {
		b = c.pool.take(k, min(max(cacheBytes>>(minShift+k), 1), cacheBufs))
	}
	c.head[k] = b.Next
	b.Next = nil
	unpoison(b)
	b.B = b.store[:n]
	return b
}

// Flush gives what c holds back to the Pool.
func (c *Cache) Flush() {
	for k := range c.head {
		for b := c.head[k]; b != nil; {
			next := b.Next
			unpoison(b)
			c.pool.Put(b)
			b = next
		}
		c.head[k] = nil
	}
}

// take returns a chain of up to n buffers of class k, at least one.
func (p *Pool) take(k, n int) *Buf {
	f := &p.class[k]
	f.mu.Lock()
	head := f.head
	if head == nil {
		f.out++
		f.mu.Unlock()
		return newBuf(k, 0)
	}
	last := head
	got := 1
	for ; got < n && last.Next != nil; got++ {
		last = last.Next
	}
	f.head = last.Next
	f.n -= got
	f.out += got
	f.mu.Unlock()
	last.Next = nil
	return head
}

// A FreeCache hands out values of a Free and takes a lock only once in a
// while. It is for one goroutine at a time.
type FreeCache[T any] struct {
	from *Free[T]
	n    int
	v    [cacheBufs]*T
}

// NewFreeCache returns a FreeCache in front of f.
func NewFreeCache[T any](f *Free[T]) *FreeCache[T] { return &FreeCache[T]{from: f} }

// Get returns a kept value as it was put, or a new zero one.
func (c *FreeCache[T]) Get() *T {
	if c.n == 0 {
		if c.n = c.from.GetN(c.v[:]); c.n == 0 {
			return new(T)
		}
	}
	c.n--
	v := c.v[c.n]
	c.v[c.n] = nil
	return v
}

// Flush gives what c holds back.
func (c *FreeCache[T]) Flush() {
	c.from.PutN(c.v[:c.n])
	clear(c.v[:c.n])
	c.n = 0
}
