package inqueue

import "github.com/gosctp/gosctp/chunk"

// The walk over a packet: RFC 9260 sections 3 and 6.10.

// An Item is what the state machine sees of a packet at a time: one control
// chunk, or a run of consecutive DATA chunks. It aliases the packet.
type Item struct {
	Type      chunk.Type
	Chunk     chunk.Chunk // the item's first chunk
	Off       int         // where Chunk begins in the packet
	Run       []byte      // the whole item, for a chunk.Walker
	N         int         // chunks in Run
	First     bool        // the packet begins with this item
	Last      bool        // no further item follows
	Singleton bool        // the packet holds this one chunk and nothing else
}

// A Cursor steps through the items of one packet. A chunk that does not fit
// into the packet ends the walk; the items before it count.
type Cursor struct {
	packet []byte
	off    int // of the next chunk header
}

// Reset points the cursor to the first item of packet, which begins with the
// common header.
func (c *Cursor) Reset(packet []byte) {
	c.packet, c.off = packet, min(chunk.HeaderLen, len(packet))
}

// span returns the bytes that the chunk at the start of b takes up, padding
// included, or 0 if there is no whole chunk.
func span(b []byte) int {
	if len(b) < chunk.ChunkHeaderLen {
		return 0
	}
	n := int(b[2])<<8 | int(b[3])
	if n < chunk.ChunkHeaderLen || n > len(b) {
		return 0
	}
	return min(chunk.Padded(n), len(b))
}

// Next returns the next item, or false at the end.
func (c *Cursor) Next() (Item, bool) {
	off := c.off
	rest := c.packet[off:]
	n := span(rest)
	if n == 0 {
		return Item{}, false
	}
	first := chunk.Chunk(rest)
	first = first[:first.Len():first.Len()]
	it := Item{Type: first.Type(), Chunk: first, Off: off, N: 1, First: off == chunk.HeaderLen}
	next := span(rest[n:])
	if it.Type == chunk.TypeData {
		for next != 0 && chunk.Chunk(rest[n:]).Type() == chunk.TypeData {
			n += next
			next = span(rest[n:])
			it.N++
		}
	}
	it.Run = rest[:n:n]
	it.Last = next == 0
	it.Singleton = it.First && it.N == 1 && len(rest)-n < chunk.ChunkHeaderLen
	c.off = off + n
	return it, true
}

// Err says, once Next has returned false, why the walk ended: ErrNone when
// every byte of the packet was used.
func (c *Cursor) Err() chunk.Err {
	if len(c.packet) < chunk.HeaderLen {
		return chunk.ErrShort
	}
	w := chunk.Walk(c.packet[c.off:])
	return w.Err()
}
