//go:build invariants

package seg

// poison overwrites a freed buffer, so that use after Put shows.
func poison(b *Buf) {
	for i := range b.store {
		b.store[i] = 0xDB
	}
	b.B = nil
}
