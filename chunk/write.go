package chunk

import "encoding/binary"

// Building chunks in place: Begin, append what the chunk holds, End. Lengths
// and padding follow RFC 9260 §3.2 and §3.2.1.

var zeroPad [4]byte

// pad appends the zero bytes that bring the n bytes last appended to a
// multiple of four.
func pad(b []byte, n int) []byte { return append(b, zeroPad[:-n&3]...) }

// Begin appends a chunk header and returns the mark that End needs.
func Begin(b []byte, typ Type, flags uint8) (_ []byte, mark int) {
	return append(b, byte(typ), flags, 0, 0), len(b)
}

// End finishes the chunk begun at mark: it writes the Chunk Length, which
// does not count the padding of a last parameter or cause, and pads. A chunk
// longer than MaxChunkLen is taken away again, so that len(result) == mark.
func End(b []byte, mark int) []byte {
	n := len(b) - mark
	if n > MaxChunkLen+3 {
		return b[:mark]
	}
	if at := listOffset(Type(b[mark])); at != 0 && n > at {
		list, _ := listLen(b[mark+at:])
		n = at + list
	}
	if n > MaxChunkLen {
		return b[:mark]
	}
	binary.BigEndian.PutUint16(b[mark+2:], uint16(n))
	clear(b[mark+n:]) // what a list counted as its last padding
	return pad(b, len(b)-mark)
}

// listOffset returns where the parameters or causes of a chunk begin, 0 when
// the chunk has none.
func listOffset(t Type) int {
	switch t {
	case TypeInit, TypeInitAck:
		return InitLen
	case TypeHeartbeat, TypeHeartbeatAck, TypeAbort, TypeError, TypeReConfig:
		return ChunkHeaderLen
	case TypeASCONF, TypeASCONFAck:
		return ChunkHeaderLen + 4
	}
	return 0
}

// listLen returns the length of a list of parameters or causes without the
// padding of the last; what is no list counts whole and says why.
func listLen(b []byte) (int, Err) {
	n, rest := 0, b
	for {
		tlv, after := tlvNext(rest)
		if tlv == nil {
			if e := tlvErr(rest); e != ErrNone {
				return len(b), e
			}
			return n, ErrNone
		}
		n = len(b) - len(rest) + len(tlv)
		rest = after
	}
}

// tlvNext cuts the first parameter or cause off b; nil when there is none
// that fits.
func tlvNext(b []byte) (tlv, rest []byte) {
	if len(b) < 4 {
		return nil, b
	}
	n := int(b[2])<<8 | int(b[3])
	if n < 4 || n > len(b) {
		return nil, b
	}
	return b[:n:n], b[min(Padded(n), len(b)):]
}

// appendEmpty appends a chunk that is nothing but its header.
func appendEmpty(b []byte, typ Type, flags uint8) []byte {
	return append(b, byte(typ), flags, 0, ChunkHeaderLen)
}

// appendTSNChunk appends a chunk whose body is one TSN.
func appendTSNChunk(b []byte, typ Type, tsn TSN) []byte {
	return append(b, byte(typ), 0, 0, 8, byte(tsn>>24), byte(tsn>>16), byte(tsn>>8), byte(tsn))
}

// parseTSNChunk reads a chunk whose body begins with a TSN.
func parseTSNChunk(c Chunk, typ Type) (TSN, Err) {
	if e := c.is(typ, 8); e != ErrNone {
		return 0, e
	}
	return TSN(binary.BigEndian.Uint32(c[4:])), ErrNone
}
