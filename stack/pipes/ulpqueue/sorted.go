package ulpqueue

import "github.com/gosctp/gosctp/chunk"

const (
	minSorted  = 16
	keepSorted = 256 // larger rings are given up when they are empty
)

// sorted is an ordered sequence of messages in a ring. Both ends are cheap,
// which is where data usually arrives and leaves; elsewhere the shorter side
// moves.
type sorted struct {
	ring    []*Message // a power of two of them
	head, n int
}

func (s *sorted) at(i int) *Message { return s.ring[(s.head+i)&(len(s.ring)-1)] }

func (s *sorted) set(i int, m *Message) { s.ring[(s.head+i)&(len(s.ring)-1)] = m }

// insert puts m at index i.
func (s *sorted) insert(i int, m *Message) {
	if s.n == len(s.ring) {
		s.grow()
	}
	if 2*i < s.n {
		s.head = (s.head - 1) & (len(s.ring) - 1)
		for j := range i {
			s.set(j, s.at(j+1))
		}
	} else {
		for j := s.n; j > i; j-- {
			s.set(j, s.at(j-1))
		}
	}
	s.n++
	s.set(i, m)
}

// remove takes the k messages from index i out.
func (s *sorted) remove(i, k int) {
	if i < s.n-i-k {
		for j := i - 1; j >= 0; j-- {
			s.set(j+k, s.at(j))
		}
		for j := range k {
			s.set(j, nil)
		}
		s.head = (s.head + k) & (len(s.ring) - 1)
	} else {
		for j := i; j < s.n-k; j++ {
			s.set(j, s.at(j+k))
		}
		for j := s.n - k; j < s.n; j++ {
			s.set(j, nil)
		}
	}
	s.n -= k
	if s.n == 0 && len(s.ring) > keepSorted {
		s.ring = nil
	}
}

func (s *sorted) grow() {
	ring := make([]*Message, max(minSorted, 2*len(s.ring)))
	for i := range s.n {
		ring[i] = s.at(i)
	}
	s.ring, s.head = ring, 0
}

// searchTSN returns, in a sequence sorted by TSN, how many messages begin at
// or before t.
func (s *sorted) searchTSN(t chunk.TSN) int {
	if s.n == 0 || s.at(s.n-1).TSN.LessEq(t) {
		return s.n
	}
	lo, hi := 0, s.n-1 // the one at hi begins after t
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.at(mid).TSN.LessEq(t) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// searchSSN returns, in a sequence sorted by stream and SSN, where a message
// with these numbers is or belongs.
func (s *sorted) searchSSN(stream chunk.StreamID, ssn chunk.SSN) int {
	if s.n == 0 || s.at(s.n-1).before(stream, ssn) {
		return s.n
	}
	lo, hi := 0, s.n-1 // the one at hi is not before
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.at(mid).before(stream, ssn) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (m *Message) before(stream chunk.StreamID, ssn chunk.SSN) bool {
	if m.Stream != stream {
		return m.Stream < stream
	}
	return m.SSN.Less(ssn)
}
