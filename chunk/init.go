package chunk

import "encoding/binary"

// INIT and INIT ACK: RFC 9260 §3.3.2 and §3.3.3.

// InitLen is the size of an INIT or INIT ACK chunk without parameters.
const InitLen = 20

// MinARwnd is the smallest a_rwnd that INIT and INIT ACK may announce.
const MinARwnd = 1500

// Init is the fixed part of an INIT or INIT ACK chunk and a view of its
// parameters.
type Init struct {
	Tag     VTag
	ARwnd   uint32
	OS, MIS uint16
	TSN     TSN
	Params  Params
}

// ParseInit reads an INIT or INIT ACK chunk; parameters are not looked at.
func ParseInit(c Chunk) (Init, Err) {
	if len(c) < ChunkHeaderLen {
		return Init{}, ErrShort
	}
	if t := c.Type(); t != TypeInit && t != TypeInitAck {
		return Init{}, ErrType
	}
	if len(c) < InitLen {
		return Init{}, ErrShort
	}
	return Init{
		Tag:    VTag(binary.BigEndian.Uint32(c[4:])),
		ARwnd:  binary.BigEndian.Uint32(c[8:]),
		OS:     binary.BigEndian.Uint16(c[12:]),
		MIS:    binary.BigEndian.Uint16(c[14:]),
		TSN:    TSN(binary.BigEndian.Uint32(c[16:])),
		Params: Params(c[InitLen:]),
	}, ErrNone
}

// BeginInit appends the header and fixed part of an INIT or INIT ACK;
// parameters follow, then End. in.Params is not used.
func BeginInit(b []byte, typ Type, in Init) (_ []byte, mark int) {
	b, mark = Begin(b, typ, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(in.Tag))
	b = binary.BigEndian.AppendUint32(b, in.ARwnd)
	b = binary.BigEndian.AppendUint32(b, uint32(in.OS)<<16|uint32(in.MIS))
	return binary.BigEndian.AppendUint32(b, uint32(in.TSN)), mark
}

// AppendInit appends a whole INIT or INIT ACK chunk, in.Params included.
func AppendInit(b []byte, typ Type, in Init) []byte {
	b, mark := BeginInit(b, typ, in)
	return End(append(b, in.Params...), mark)
}
