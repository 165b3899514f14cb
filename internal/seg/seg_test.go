package seg

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestSizes(t *testing.T) {
	var p Pool
	for _, c := range []struct{ n, size int }{
		{0, 128}, {1, 128}, {128, 128}, {129, 256}, {1400, 2048}, {2048, 2048}, {2049, 4096},
		{65536, 65536}, {1 << 20, 1 << 20}, {1<<20 + 1, 1<<20 + 1}, {3 << 20, 3 << 20},
	} {
		if s := Size(c.n); s != c.size {
			t.Errorf("Size(%d) = %d, want %d", c.n, s, c.size)
		}
		b := p.Get(c.n)
		if len(b.B) != c.n || len(b.store) != c.size || b.Next != nil {
			t.Errorf("Get(%d): %d bytes in %d", c.n, len(b.B), len(b.store))
		}
		p.Put(b)
	}
	if p.InUse() != 0 {
		t.Errorf("%d in use", p.InUse())
	}
}

// No two owners ever have the same buffer, whatever way it went back.
func TestExclusive(t *testing.T) {
	var p Pool
	c := NewCache(&p)
	rng := rand.New(rand.NewPCG(1, 2))
	owned := map[*Buf]byte{}
	var list []*Buf
	for i := range 20000 {
		switch rng.IntN(5) {
		case 0, 1:
			n := rng.IntN(300) + 1
			if rng.IntN(50) == 0 {
				n = rng.IntN(2 << 20)
			}
			b := p.Get(n)
			if rng.IntN(2) == 0 {
				p.Put(b)
				b = c.Get(n)
			}
			if _, dup := owned[b]; dup {
				t.Fatal("a buffer was given out twice")
			}
			if len(b.B) != n || b.Next != nil {
				t.Fatalf("%d bytes, want %d", len(b.B), n)
			}
			mark := byte(i)
			for j := range b.B {
				b.B[j] = mark
			}
			owned[b] = mark
			list = append(list, b)
		case 2, 3:
			// Give back a chain of a few, of mixed classes.
			var head *Buf
			for range min(rng.IntN(6), len(list)) {
				k := rng.IntN(len(list))
				b := list[k]
				list[k] = list[len(list)-1]
				list = list[:len(list)-1]
				for _, v := range b.B {
					if v != owned[b] {
						t.Fatal("someone else wrote into an owned buffer")
					}
				}
				delete(owned, b)
				b.Next = head
				head = b
			}
			p.PutChain(head)
		case 4:
			if rng.IntN(100) == 0 {
				c.Flush()
				if p.InUse() != len(list) {
					t.Fatalf("%d in use, want %d", p.InUse(), len(list))
				}
			}
		}
	}
}

func TestKeepsNoMoreThanItsBound(t *testing.T) {
	var p Pool
	var head *Buf
	for range keepBytes>>20 + 5 {
		b := p.Get(1 << 20)
		b.Next = head
		head = b
	}
	p.PutChain(head)
	if n := p.class[classes-1].n; n != keepBytes>>20 {
		t.Errorf("%d MiB buffers kept", n)
	}
	f := NewFree[int](3)
	for i := range 5 {
		f.Put(&i)
	}
	f.PutN([]*int{new(int)})
	if len(f.free) != 3 {
		t.Errorf("%d values kept", len(f.free))
	}
}

func TestFree(t *testing.T) {
	type node struct{ n int }
	f := NewFree[node](100)
	c := NewFreeCache(f)
	if v := c.Get(); v == nil || v.n != 0 {
		t.Error("not a new value")
	}
	for i := range 50 {
		f.Put(&node{i})
	}
	seen := map[*node]bool{}
	for range 40 {
		v := c.Get()
		if seen[v] {
			t.Fatal("a value was given out twice")
		}
		seen[v] = true
	}
	c.Flush()
	for range 10 {
		v := f.Get()
		if seen[v] {
			t.Fatal("a value was given out twice")
		}
		seen[v] = true
	}
	if len(f.free) != 0 || f.GetN(make([]*node, 3)) != 0 {
		t.Error("values left")
	}
}

func TestConcurrent(t *testing.T) {
	var p Pool
	f := NewFree[int](10)
	ch := make(chan *Buf, 100)
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(2)
		go func() {
			defer wg.Done()
			c := NewCache(&p)
			for i := range 5000 {
				b := c.Get(i % 4000)
				for j := range b.B {
					b.B[j] = byte(i)
				}
				ch <- b
				f.Put(f.Get())
			}
			c.Flush()
		}()
		go func() {
			defer wg.Done()
			for range 5000 {
				p.PutChain(<-ch)
			}
		}()
	}
	wg.Wait()
	if p.InUse() != 0 {
		t.Errorf("%d in use", p.InUse())
	}
}

func TestNoAllocs(t *testing.T) {
	var p Pool
	c := NewCache(&p)
	if n := testing.AllocsPerRun(1000, func() {
		a, b := p.Get(1400), c.Get(100)
		a.Next = b
		p.PutChain(a)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPool(b *testing.B) {
	var p Pool
	for i := 0; i < b.N; i++ {
		p.Put(p.Get(1400))
	}
}

func BenchmarkCache(b *testing.B) {
	var p Pool
	c := NewCache(&p)
	for i := 0; i < b.N; i++ {
		p.Put(c.Get(1400))
	}
}
