package tcb

// PathID names a path (a peer's transport address) within an association: its
// index, stable for the association's life.
type PathID uint8

// NoPath is no path.
const NoPath PathID = 0xFF

// MaxPaths bounds the paths of an association, so that a set of them fits a
// PathSet.
const MaxPaths = 32

// PathSet is a set of paths.
type PathSet uint32

// Has reports whether p is in s.
func (s PathSet) Has(p PathID) bool { return p < MaxPaths && s&(1<<p) != 0 }

// With returns s and p.
func (s PathSet) With(p PathID) PathSet {
	if p >= MaxPaths {
		return s
	}
	return s | 1<<p
}

// Without returns s less p.
func (s PathSet) Without(p PathID) PathSet {
	if p >= MaxPaths {
		return s
	}
	return s &^ (1 << p)
}
