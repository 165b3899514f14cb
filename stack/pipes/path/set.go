package path

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A Set is the paths of one association, by PathID. A path that was removed
// keeps its place with a PMTU of zero.
type Set struct {
	P      []Path
	Active tcb.PathID  // takes new data
	Retran tcb.PathID  // takes what timed out elsewhere; NoPath means Active
	Usable tcb.PathSet // that data may go on if it is wanted there
}

// Get returns path id, or nil if there is none.
func (s *Set) Get(id tcb.PathID) *Path {
	if int(id) >= len(s.P) {
		return nil
	}
	return &s.P[id]
}

// AMDCS is the smallest PMDCS of all paths: the largest DATA chunk that can
// fail over to any of them (RFC 9260 section 7.3). It is 0 without paths.
func (s *Set) AMDCS() int {
	n := 0
	for i := range s.P {
		if m := s.P[i].PMTU; m > 0 && (n == 0 || m < n) {
			n = m
		}
	}
	return max(n-chunk.HeaderLen, 0)
}

// Alternate returns where to send again what timed out on id: Retran, or
// Active if it was Retran that failed (RFC 9260 section 6.4).
func (s *Set) Alternate(id tcb.PathID) tcb.PathID {
	r := s.Retran
	if int(r) >= len(s.P) {
		r = s.Active
	}
	if r == id && int(s.Active) < len(s.P) {
		r = s.Active
	}
	if int(r) >= len(s.P) {
		return id
	}
	return r
}
