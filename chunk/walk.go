package chunk

import "encoding/binary"

// The chunks of a packet: RFC 9260 §3.2 and §6.10.

// ChunkHeaderLen is the size of a chunk header: type, flags, length.
const ChunkHeaderLen = 4

// MaxChunkLen is what the 16-bit Chunk Length can say.
const MaxChunkLen = 65535

// Chunk is one whole chunk: header first, as long as its Chunk Length says,
// without padding. Chunks come from a Walker or ParseChunk; the accessors
// need the four bytes of the header to be there.
type Chunk []byte

// Type returns the chunk type.
func (c Chunk) Type() Type { return Type(c[0]) }

// Flags returns the chunk flags.
func (c Chunk) Flags() uint8 { return c[1] }

// Len returns the Chunk Length field.
func (c Chunk) Len() int { return int(binary.BigEndian.Uint16(c[2:])) }

// Body returns what follows the chunk header.
func (c Chunk) Body() []byte { return c[ChunkHeaderLen:] }

// Check says whether c is well formed for its type: long enough, its counts
// within its length, its list of parameters or causes walkable to the end.
// Values are not judged. Types that RFC 9260 does not define are well formed.
func (c Chunk) Check() Err {
	if len(c) < ChunkHeaderLen || len(c) < c.Type().MinLen() {
		return ErrShort
	}
	var e Err
	switch c.Type() {
	case TypeInit, TypeInitAck:
		_, e = listLen(c[InitLen:])
	case TypeSack:
		_, e = ParseSack(c)
	case TypeHeartbeat, TypeHeartbeatAck:
		if _, e = ParseHeartbeat(c); e == ErrNone {
			_, e = listLen(c[ChunkHeaderLen:])
		}
	case TypeAbort, TypeError:
		_, e = listLen(c[ChunkHeaderLen:])
	}
	return e
}

// is reports whether c can be a chunk of type t with at least n bytes.
func (c Chunk) is(t Type, n int) Err {
	if len(c) < ChunkHeaderLen {
		return ErrShort
	}
	if Type(c[0]) != t {
		return ErrType
	}
	if len(c) < n {
		return ErrShort
	}
	return ErrNone
}

// ParseChunk returns the chunk at the start of b.
func ParseChunk(b []byte) (Chunk, Err) {
	w := Walk(b)
	c, ok := w.Next()
	if !ok && len(b) == 0 {
		return nil, ErrShort
	}
	return c, w.stopErr(ok)
}

// Padded returns n rounded up to a multiple of four: what n bytes of chunk,
// parameter or cause occupy on the wire.
func Padded(n int) int { return (n + 3) &^ 3 }

// Walker steps through the chunks of a packet. It cannot loop: each step
// takes at least four bytes or ends the walk.
type Walker struct {
	rest []byte // from the next chunk header on
	size int    // of the whole body
	at   int    // offset of the chunk that was returned last
}

// Walk returns a Walker over body, the bytes after the common header.
func Walk(body []byte) Walker { return Walker{rest: body, size: len(body)} }

// Next returns the next chunk. It returns false at the end and at the first
// chunk that does not fit, which Err then explains; a partial chunk is never
// returned (RFC 9260 §6.10). Only the last chunk may lack its padding.
func (w *Walker) Next() (Chunk, bool) {
	b := w.rest
	if len(b) < ChunkHeaderLen {
		return nil, false
	}
	n := int(b[2])<<8 | int(b[3])
	if n < ChunkHeaderLen || n > len(b) {
		return nil, false
	}
	w.at = w.size - len(b)
	w.rest = b[min(Padded(n), len(b)):]
	return b[:n:n], true
}

// Err says why Next returned false: ErrNone when every byte was used.
func (w *Walker) Err() Err { return tlvErr(w.rest) }

// stopErr is Err for a walk that may not have stopped.
func (w *Walker) stopErr(ok bool) Err {
	if ok {
		return ErrNone
	}
	return w.Err()
}

// Rest reports whether the packet goes on behind the chunk returned last:
// that at least another chunk header follows.
func (w *Walker) Rest() bool { return len(w.rest) >= ChunkHeaderLen }

// Offset returns where the chunk returned last begins, counted from the start
// of the bytes given to Walk.
func (w *Walker) Offset() int { return w.at }

// tlvErr explains why a walk over chunks, parameters or causes, which all
// keep a 16-bit length in bytes 2 and 3, cannot go on at b.
func tlvErr(b []byte) Err {
	switch {
	case len(b) == 0:
		return ErrNone
	case len(b) < 4:
		return ErrTrailing
	}
	switch n := int(binary.BigEndian.Uint16(b[2:])); {
	case n < 4:
		return ErrLength
	case n > len(b):
		return ErrOverrun
	}
	return ErrNone
}
