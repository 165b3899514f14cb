package chunk

// COOKIE ECHO and COOKIE ACK: RFC 9260 §3.3.11 and §3.3.12. What a cookie
// holds is private to who made it.

// ParseCookieEcho returns the cookie of a COOKIE ECHO chunk; it may be empty.
func ParseCookieEcho(c Chunk) (cookie []byte, _ Err) {
	if e := c.is(TypeCookieEcho, ChunkHeaderLen); e != ErrNone {
		return nil, e
	}
	return c.Body(), ErrNone
}

// AppendCookieEcho appends a COOKIE ECHO chunk with exactly that cookie, or
// nothing when it is too long.
func AppendCookieEcho(b []byte, cookie []byte) []byte {
	n := ChunkHeaderLen + len(cookie)
	if n > MaxChunkLen {
		return b
	}
	b = append(b, byte(TypeCookieEcho), 0, byte(n>>8), byte(n))
	return pad(append(b, cookie...), n)
}

// AppendCookieAck appends a COOKIE ACK chunk.
func AppendCookieAck(b []byte) []byte { return appendEmpty(b, TypeCookieAck, 0) }
