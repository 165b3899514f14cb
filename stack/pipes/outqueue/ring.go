package outqueue

import (
	"math/bits"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The DATA chunks in flight: a ring of records indexed by TSN, and beside it
// bitmaps of the same index, so that what a SACK changes, what is marked for
// retransmission and what can be missing is found by the word.

// maxInFlight bounds the TSNs between the ack point and the last one sent: gap
// blocks reach no farther. It also keeps the send window below 2^31 TSNs and
// 2^16 messages of one stream (R-6.1-23, R-6.1-24).
const maxInFlight = 65535

const (
	minRing = 64 // a whole word of each bitmap
	maxRing = 65536
)

// state of a DATA chunk that was sent and is not cumulatively acknowledged.
type state uint8

const (
	inFlight  state = iota
	rtxSame         // marked for retransmission, on the path it was sent to
	rtxAlt          // marked for retransmission, on an alternate path
	gapAcked        // acknowledged by a gap block
	numStates       // in tests
)

// What is remembered of a chunk's past.
const (
	fastDone  uint8 = 1 << iota // fast retransmitted: not again (section 7.2.4 rule 5)
	moved                       // sent to more than one path: its SACK says nothing about either
	everAcked                   // acknowledged once; reneged if it is not gapAcked any more
	sentAgain
)

// A record is a DATA chunk that was sent.
type record struct {
	msg   *message
	off   uint32 // of its user data in the message
	n     uint16 // bytes of user data
	flags uint8  // of the chunk
	state state
	path  tcb.PathID // last sent to
	miss  uint8      // miss indications
	past  uint8
}

// size is what the chunk counts in flightsize (R-7.2-04).
func (r *record) size() int { return chunk.Padded(chunk.DataHeaderLen + int(r.n)) }

type ring struct {
	recs []record // power of two, at least minRing
	mask uint32

	acked []uint64 // state gapAcked
	rtx   []uint64 // state rtxSame or rtxAlt
	elig  []uint64 // in flight and may be fast retransmitted: counts misses
	gaps  []uint64 // scratch: what a SACK reports; zero between calls
}

func (g *ring) rec(t chunk.TSN) *record { return &g.recs[uint32(t)&g.mask] }

func (g *ring) set(m []uint64, t chunk.TSN) {
	i := uint32(t) & g.mask
	m[i>>6] |= 1 << (i & 63)
}

func (g *ring) unset(m []uint64, t chunk.TSN) {
	i := uint32(t) & g.mask
	m[i>>6] &^= 1 << (i & 63)
}

// clear forgets all records, and keeps the memory unless it is much.
func (g *ring) clear() {
	if len(g.recs) > 4096 {
		*g = ring{}
		return
	}
	clear(g.recs)
	clear(g.acked)
	clear(g.rtx)
	clear(g.elig)
	clear(g.gaps)
}

// grow doubles the ring, whose records are those of [from, to).
func (g *ring) grow(from, to chunk.TSN) {
	n := max(2*len(g.recs), minRing)
	w := n / 64
	words := make([]uint64, 4*w)
	h := ring{
		recs: make([]record, n), mask: uint32(n - 1),
		acked: words[:w:w], rtx: words[w : 2*w : 2*w], elig: words[2*w : 3*w : 3*w], gaps: words[3*w:],
	}
	for t := from; t != to; t++ {
		*h.rec(t) = *g.rec(t)
		i := uint32(t) & g.mask
		if g.acked[i>>6]&(1<<(i&63)) != 0 {
			h.set(h.acked, t)
		}
		if g.rtx[i>>6]&(1<<(i&63)) != 0 {
			h.set(h.rtx, t)
		}
		if g.elig[i>>6]&(1<<(i&63)) != 0 {
			h.set(h.elig, t)
		}
	}
	*g = h
}

// nextSet returns the first TSN of [from, to) whose bit is set in m, or to.
func (g *ring) nextSet(m []uint64, from, to chunk.TSN) chunk.TSN {
	for from != to {
		i := uint32(from) & g.mask
		if w := m[i>>6] >> (i & 63); w != 0 {
			if n := uint32(bits.TrailingZeros64(w)); n < uint32(to-from) {
				return from.Add(n)
			}
			return to
		}
		step := 64 - i&63
		if step >= uint32(to-from) {
			return to
		}
		from = from.Add(step)
	}
	return to
}

// nextInFlight returns the first TSN of [from, to) that is in flight, or to.
func (g *ring) nextInFlight(from, to chunk.TSN) chunk.TSN {
	for from != to {
		i := uint32(from) & g.mask
		if w := ^(g.acked[i>>6] | g.rtx[i>>6]) >> (i & 63); w != 0 {
			if n := uint32(bits.TrailingZeros64(w)); n < uint32(to-from) {
				return from.Add(n)
			}
			return to
		}
		step := 64 - i&63
		if step >= uint32(to-from) {
			return to
		}
		from = from.Add(step)
	}
	return to
}

// span returns the word of the bitmaps that holds from, and the bits of it
// that belong to [from, to); n is how many they are.
func (g *ring) span(from, to chunk.TSN) (word, mask uint64, n uint32) {
	i := uint32(from) & g.mask
	n = min(64-i&63, uint32(to-from))
	return uint64(i >> 6), (^uint64(0) >> (64 - n)) << (i & 63), n
}

// at64 returns the TSN of the lowest bit set in w, a part of the word of a
// bitmap that holds from, at from or above.
func (g *ring) at64(from chunk.TSN, w uint64) chunk.TSN {
	return from.Add(uint32(bits.TrailingZeros64(w)) - uint32(from)&g.mask&63)
}

// setRange sets the bits of [from, to) in m and returns the words touched.
func (g *ring) setRange(m []uint64, from, to chunk.TSN) (words int) {
	for from != to {
		w, mask, n := g.span(from, to)
		m[w] |= mask
		from = from.Add(n)
		words++
	}
	return words
}
