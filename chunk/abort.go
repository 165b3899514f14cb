package chunk

// ABORT and ERROR, the carriers of error causes: RFC 9260 §3.3.7 and §3.3.10.

// Abort is a view of an ABORT chunk.
type Abort struct {
	Reflected bool // the T bit: the Verification Tag is the one the receiver sent
	Causes    Causes
}

// ParseAbort reads an ABORT chunk; one whose causes are malformed is an error,
// since it must be discarded (RFC 9260 §3.3.7).
func ParseAbort(c Chunk) (Abort, Err) {
	if e := c.is(TypeAbort, ChunkHeaderLen); e != ErrNone {
		return Abort{}, e
	}
	cs := Causes(c.Body())
	if e := cs.Check(); e != ErrNone {
		return Abort{}, e
	}
	return Abort{Reflected: c.Flags()&FlagT != 0, Causes: cs}, ErrNone
}

// AppendAbort appends an ABORT chunk with encoded causes, or nothing when
// they are too long; reflected sets the T bit. To encode the causes in place
// use Begin, the causes' encoders and End.
func AppendAbort(b []byte, reflected bool, causes Causes) []byte {
	b, mark := Begin(b, TypeAbort, tBit(reflected))
	return End(append(b, causes...), mark)
}

// ParseError returns the causes of an ERROR chunk: one at least, all of them
// well formed.
func ParseError(c Chunk) (Causes, Err) {
	if e := c.is(TypeError, ChunkHeaderLen+CauseHeaderLen); e != ErrNone {
		return nil, e
	}
	cs := Causes(c.Body())
	if e := cs.Check(); e != ErrNone {
		return nil, e
	}
	return cs, ErrNone
}

// AppendError appends an ERROR chunk with encoded causes, or nothing when
// there are none or they are too long.
func AppendError(b []byte, causes Causes) []byte {
	if len(causes) == 0 {
		return b
	}
	b, mark := Begin(b, TypeError, 0)
	return End(append(b, causes...), mark)
}
