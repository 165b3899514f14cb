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
	walk   chunk.Walker
	ahead  chunk.Chunk // the chunk after the last item
	ok     bool        // ahead is one
	first  bool
	err    chunk.Err
}

// Reset points the cursor to the first item of packet, which begins with the
// common header.
func (c *Cursor) Reset(packet []byte) {
	*c = Cursor{first: true}
	if len(packet) < chunk.HeaderLen {
		c.err = chunk.ErrShort
		return
	}
	c.packet = packet
	c.walk = chunk.Walk(packet[chunk.HeaderLen:])
	c.ahead, c.ok = c.walk.Next()
}

// Next returns the next item, or false at the end.
func (c *Cursor) Next() (Item, bool) {
	if !c.ok {
		return Item{}, false
	}
	it := Item{
		Type:  c.ahead.Type(),
		Chunk: c.ahead,
		Off:   chunk.HeaderLen + c.walk.Offset(),
		N:     1,
		First: c.first,
	}
	c.first = false
	at, n := it.Off, len(c.ahead)
	for {
		c.ahead, c.ok = c.walk.Next()
		if !c.ok || it.Type != chunk.TypeData || c.ahead.Type() != chunk.TypeData {
			break
		}
		at, n = chunk.HeaderLen+c.walk.Offset(), len(c.ahead)
		it.N++
	}
	it.Run = c.packet[it.Off:min(at+chunk.Padded(n), len(c.packet))]
	it.Last = !c.ok
	it.Singleton = it.First && it.N == 1 && !c.ok && !c.walk.Rest()
	return it, true
}

// Err says, once Next has returned false, why the walk ended: ErrNone when
// every byte of the packet was used.
func (c *Cursor) Err() chunk.Err {
	if c.ok {
		return chunk.ErrNone
	}
	if c.err != chunk.ErrNone {
		return c.err
	}
	return c.walk.Err()
}
