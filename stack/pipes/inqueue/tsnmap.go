package inqueue

import (
	"math/bits"

	"github.com/gosctp/gosctp/chunk"
)

const (
	// maxAhead is how far a TSN may be ahead of the cumulative one: what a
	// Gap Ack Block can express (RFC 9260 section 3.3.4).
	maxAhead = 65535

	minWords  = 16 // the bitmap starts with 1,024 TSNs,
	maxWords  = (maxAhead + 1) / 64
	keepWords = 64 // and is kept for the next gap when it is this small
)

// tsnMap is the set of TSNs that have arrived: all up to cum, and those above
// it, up to highest, whose bits are set. The bitmap is a ring in which a TSN
// always has the same place; bits outside (cum, highest] are zero. There is no
// bitmap while nothing is missing.
type tsnMap struct {
	cum, highest chunk.TSN
	words        []uint64 // a power of two of them
}

func (m *tsnMap) reset(cum chunk.TSN) {
	clear(m.words)
	m.cum, m.highest = cum, cum
	m.release()
}

func (m *tsnMap) hasGap() bool { return m.cum != m.highest }

// word returns the place of the bits of t's 64 neighbours.
func (m *tsnMap) word(t chunk.TSN) *uint64 {
	return &m.words[uint32(t)>>6&uint32(len(m.words)-1)]
}

func bit(t chunk.TSN) uint { return uint(t) & 63 }

// has reports whether t, which lies above cum, has arrived.
func (m *tsnMap) has(t chunk.TSN) bool {
	return uint32(t-m.cum) <= uint32(m.highest-m.cum) && *m.word(t)>>bit(t)&1 != 0
}

// add notes that t arrived, which must be within maxAhead of cum and new.
func (m *tsnMap) add(t chunk.TSN) {
	if t == m.cum+1 {
		if !m.hasGap() {
			m.cum, m.highest = t, t
			return
		}
		m.cum = t
		if m.has(t + 1) {
			end := m.runEnd(t + 1)
			m.clear(t+1, end)
			m.cum = end
		}
		if !m.hasGap() {
			m.release()
		}
		return
	}
	m.grow(int(t - m.cum))
	*m.word(t) |= 1 << bit(t)
	if m.highest.Less(t) {
		m.highest = t
	}
}

// remove takes t, which must be above cum, out again.
func (m *tsnMap) remove(t chunk.TSN) {
	*m.word(t) &^= 1 << bit(t)
	if t != m.highest {
		return
	}
	for t = t - 1; m.cum.Less(t); t -= chunk.TSN(bit(t) + 1) {
		if w := *m.word(t) << (63 - bit(t)); w != 0 {
			m.highest = t - chunk.TSN(bits.LeadingZeros64(w))
			return
		}
	}
	m.highest = m.cum
	m.release()
}

// runEnd returns the last TSN of the run of arrived TSNs that t belongs to. It
// ends: the bit of the first missing TSN is zero, and the ring has one.
func (m *tsnMap) runEnd(t chunk.TSN) chunk.TSN {
	for {
		n := uint(bits.TrailingZeros64(^(*m.word(t) >> bit(t))))
		full := n >= 64-bit(t)
		t += chunk.TSN(n)
		if !full {
			return t - 1
		}
	}
}

// next returns the first TSN from t on that arrived; t must be above cum and
// at most highest, which has its bit set.
func (m *tsnMap) next(t chunk.TSN) chunk.TSN {
	for {
		if w := *m.word(t) >> bit(t); w != 0 {
			return t + chunk.TSN(bits.TrailingZeros64(w))
		}
		t += chunk.TSN(64 - bit(t))
	}
}

// clear clears the bits from a to b.
func (m *tsnMap) clear(a, b chunk.TSN) {
	for {
		mask := ^uint64(0) << bit(a)
		left := uint(b - a)
		if left < 64-bit(a) {
			mask &= ^uint64(0) >> (63 - bit(b))
			*m.word(a) &^= mask
			return
		}
		*m.word(a) &^= mask
		a += chunk.TSN(64 - bit(a))
		if b.Less(a) {
			return
		}
	}
}

// grow makes the ring hold TSNs up to n ahead of cum.
func (m *tsnMap) grow(n int) {
	if n <= 64*len(m.words) {
		return
	}
	size := minWords
	for 64*size < n {
		size <<= 1
	}
	if 2*len(m.words) > keepWords && size < maxWords {
		size <<= 1 // a wide gap widens further
	}
	wide := tsnMap{cum: m.cum, highest: m.highest, words: make([]uint64, size)}
	if m.hasGap() {
		for end := m.cum; end != m.highest; {
			t := m.next(end + 1)
			end = m.runEnd(t)
			wide.set(t, end)
		}
	}
	m.words = wide.words
}

// set sets the bits from a to b.
func (m *tsnMap) set(a, b chunk.TSN) {
	for {
		mask := ^uint64(0) << bit(a)
		if uint(b-a) < 64-bit(a) {
			*m.word(a) |= mask & (^uint64(0) >> (63 - bit(b)))
			return
		}
		*m.word(a) |= mask
		a += chunk.TSN(64 - bit(a))
		if b.Less(a) {
			return
		}
	}
}

// release gives a large bitmap up; nothing may be missing.
func (m *tsnMap) release() {
	if len(m.words) > keepWords {
		m.words = nil
	}
}
