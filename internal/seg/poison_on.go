//go:build invariants

package seg

// poison overwrites a freed buffer, so that use after Put shows.
func poison(b *Buf) {
	if b.freed {
		panic("seg: a buffer was put back twice")
	}
	b.freed = true
	for i := range b.store {
		b.store[i] = 0xDB
	}
	b.B = nil
}

func unpoison(b *Buf) { b.freed = false }
