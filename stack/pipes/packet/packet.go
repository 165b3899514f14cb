// Package packet bundles chunks into one SCTP packet, written in place into
// the slot it will be sent from (RFC 9260 section 6.10). What goes in, and in
// which order, is the caller's business: control chunks, SACK, DATA by TSN.
package packet

import (
	"github.com/gosctp/gosctp/chunk"
)

// A Builder builds one packet at a time.
type Builder struct {
	buf      []byte // what is written so far; its capacity is the slot
	mtu      int
	lastData int // where the last DATA chunk begins, 0 without one
	over     bool
}

// Begin starts a packet in buf, whose capacity bounds it. mtu is the path's
// PMTU, common header included. buf must have room for the common header.
func (b *Builder) Begin(buf []byte, mtu int, src, dst uint16, tag chunk.VTag) {
	b.buf = chunk.AppendHeader(buf[:0], src, dst, tag)
	b.mtu = min(mtu, cap(buf))
	b.lastData = 0
	b.over = false
}

// Room returns the number of bytes left for chunks, their padding included.
func (b *Builder) Room() int { return max(b.mtu-len(b.buf), 0) &^ 3 }

// Empty reports whether the packet has no chunk yet.
func (b *Builder) Empty() bool { return len(b.buf) == chunk.HeaderLen }

// HasData reports whether the packet has a DATA chunk.
func (b *Builder) HasData() bool { return b.lastData != 0 }

// Oversize reports whether the packet is larger than the PMTU: a single chunk
// that did not fit, which has to be sent with IP fragmentation.
func (b *Builder) Oversize() bool { return b.over }

// Len returns the size of the packet so far.
func (b *Builder) Len() int { return len(b.buf) }

// Tail returns an empty slice at the packet's end. The caller appends one or
// more chunks to it and hands the result to Commit.
func (b *Builder) Tail() []byte { return b.buf[len(b.buf):] }

// Commit takes what the caller appended to Tail, padded to a multiple of four
// bytes. It reports false and leaves the packet as it was if that exceeds the
// PMTU; but what exceeds it as the first in a packet, and fits the slot, goes
// in and makes the packet Oversize.
func (b *Builder) Commit(tail []byte) bool {
	n := len(tail)
	if n == 0 {
		return true
	}
	end := len(b.buf)
	// An append beyond the slot has moved to memory of its own.
	if !b.fits((n + 3) &^ 3) {
		return false
	}
	b.buf = b.buf[:end+(n+3)&^3]
	clear(b.buf[end+n:])
	return true
}

// fits reports whether n more bytes may go in, and marks an oversize packet.
func (b *Builder) fits(n int) bool {
	if n <= b.mtu-len(b.buf) {
		return true
	}
	if !b.Empty() || n > cap(b.buf)-len(b.buf) || n > chunk.Padded(chunk.MaxChunkLen) {
		return false
	}
	b.over = true
	return true
}

// Data adds a DATA chunk. It reports false, and adds nothing, if the chunk
// does not fit; the first chunk of a packet may be Oversize.
func (b *Builder) Data(flags uint8, tsn chunk.TSN, sid chunk.StreamID, ssn chunk.SSN, ppid chunk.PPID, payload []byte) bool {
	n := chunk.DataHeaderLen + len(payload)
	padded := (n + 3) &^ 3
	if padded > b.mtu-len(b.buf) && !b.fits(padded) {
		return false
	}
	at := len(b.buf)
	c := b.buf[at : at+padded]
	b.buf = b.buf[:at+padded]
	b.lastData = at
	// The padding is within the last word; the payload overwrites the rest.
	c[padded-1], c[padded-2], c[padded-3] = 0, 0, 0
	chunk.PutDataHeader(c, flags, uint16(n), tsn, sid, ssn, ppid)
	copy(c[chunk.DataHeaderLen:], payload)
	return true
}

// Pad makes an Oversize packet n bytes long by a PAD chunk, as far as the slot
// allows (RFC 4820).
func (b *Builder) Pad(n int) {
	n = min(min(n, cap(b.buf))-len(b.buf), chunk.MaxChunkLen) &^ 3
	if !b.over || n < chunk.ChunkHeaderLen {
		return
	}
	if b.lastData == 0 {
		b.buf = chunk.AppendPad(b.buf, n) // behind what has to come first
		return
	}
	// Control chunks stand before DATA (RFC 9260 section 6).
	end := len(b.buf)
	b.buf = b.buf[:end+n]
	copy(b.buf[chunk.HeaderLen+n:], b.buf[chunk.HeaderLen:end])
	chunk.AppendPad(b.buf[:chunk.HeaderLen], n)
	b.lastData += n
}

// Immediate sets the I bit of the last DATA chunk, if there is one.
func (b *Builder) Immediate() {
	if b.lastData != 0 {
		b.buf[b.lastData+1] |= chunk.FlagI
	}
}

// Finish stores the CRC32c and returns the packet, which is valid until the
// slot is used again.
func (b *Builder) Finish() []byte {
	chunk.SetChecksum(b.buf)
	return b.buf
}
