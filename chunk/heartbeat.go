package chunk

// HEARTBEAT and HEARTBEAT ACK: RFC 9260 §3.3.5 and §3.3.6.

// ParseHeartbeat returns the Heartbeat Info parameter of a HEARTBEAT or
// HEARTBEAT ACK chunk.
func ParseHeartbeat(c Chunk) (Param, Err) {
	if len(c) < ChunkHeaderLen {
		return nil, ErrShort
	}
	if t := c.Type(); t != TypeHeartbeat && t != TypeHeartbeatAck {
		return nil, ErrType
	}
	if len(c) < ChunkHeaderLen+ParamHeaderLen {
		return nil, ErrShort
	}
	w := Params(c.Body()).Walk()
	p, ok := w.Next()
	switch {
	case !ok:
		return nil, w.Err()
	case p.Type() != ParamHeartbeatInfo:
		return nil, ErrMissing
	}
	return p, ErrNone
}

// AppendHeartbeat appends a HEARTBEAT chunk with that sender-specific
// information, or nothing when it is too long.
func AppendHeartbeat(b []byte, info []byte) []byte {
	return appendHeartbeat(b, TypeHeartbeat, info)
}

func appendHeartbeat(b []byte, typ Type, info []byte) []byte {
	if len(info) > MaxParamBody-ChunkHeaderLen {
		return b
	}
	b, mark := Begin(b, typ, 0)
	return End(AppendParam(b, ParamHeartbeatInfo, info), mark)
}

// AppendHeartbeatAck appends the HEARTBEAT ACK that answers hb: the whole
// body of hb goes back as it came.
func AppendHeartbeatAck(b []byte, hb Chunk) []byte {
	n := len(hb)
	if n < ChunkHeaderLen || n > MaxChunkLen {
		return b
	}
	b = append(b, byte(TypeHeartbeatAck), 0, byte(n>>8), byte(n))
	return pad(append(b, hb.Body()...), n)
}
