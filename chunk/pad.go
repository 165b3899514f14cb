package chunk

// The PAD chunk: RFC 4820 §3.

// AppendPad appends a PAD chunk that takes n bytes, a multiple of four, or
// nothing when no PAD chunk has that size.
func AppendPad(b []byte, n int) []byte {
	if n < ChunkHeaderLen || n > Padded(MaxChunkLen) || n%4 != 0 {
		return b
	}
	size := min(n, MaxChunkLen)
	b = append(b, byte(TypePad), 0, byte(size>>8), byte(size))
	for n -= ChunkHeaderLen; n > 0; n -= len(zeros) {
		b = append(b, zeros[:min(n, len(zeros))]...)
	}
	return b
}

var zeros [256]byte

// ParsePad returns how many bytes of padding a PAD chunk holds.
func ParsePad(c Chunk) (n int, _ Err) {
	if e := c.is(TypePad, ChunkHeaderLen); e != ErrNone {
		return 0, e
	}
	return len(c.Body()), ErrNone
}
