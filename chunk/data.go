package chunk

import "encoding/binary"

// Payload data: RFC 9260 §3.3.1.

// DataHeaderLen is the size of a DATA chunk without its user data.
const DataHeaderLen = 16

// MaxDataLen is the most user data that one DATA chunk can hold.
const MaxDataLen = MaxChunkLen - DataHeaderLen

// Data is a DATA chunk; Payload aliases the packet and has no padding.
type Data struct {
	TSN     TSN
	Stream  StreamID
	SSN     SSN
	PPID    PPID
	Flags   uint8
	Payload []byte
}

// Begins reports whether this is the first fragment of a message.
func (d *Data) Begins() bool { return d.Flags&FlagB != 0 }

// Ends reports whether this is the last fragment of a message.
func (d *Data) Ends() bool { return d.Flags&FlagE != 0 }

// Unordered reports whether the SSN means nothing.
func (d *Data) Unordered() bool { return d.Flags&FlagU != 0 }

// Immediate reports whether the sender wants its SACK at once.
func (d *Data) Immediate() bool { return d.Flags&FlagI != 0 }

// ParseData reads a DATA chunk. A chunk without user data is read as well:
// the caller answers it with the cause No User Data.
func ParseData(c Chunk) (Data, Err) {
	if len(c) < DataHeaderLen || Type(c[0]) != TypeData {
		return Data{}, c.is(TypeData, DataHeaderLen)
	}
	return Data{
		TSN:     TSN(binary.BigEndian.Uint32(c[4:])),
		Stream:  StreamID(binary.BigEndian.Uint16(c[8:])),
		SSN:     SSN(binary.BigEndian.Uint16(c[10:])),
		PPID:    PPID(binary.BigEndian.Uint32(c[12:])),
		Flags:   c[1],
		Payload: c[DataHeaderLen:],
	}, ErrNone
}

// PutDataHeader writes the 16 bytes of a DATA header at the start of b;
// length is the Chunk Length, user data included and padding not.
func PutDataHeader(b []byte, flags uint8, length uint16, tsn TSN, sid StreamID, ssn SSN, ppid PPID) {
	_ = b[DataHeaderLen-1]
	binary.BigEndian.PutUint32(b, uint32(TypeData)<<24|uint32(flags)<<16|uint32(length))
	binary.BigEndian.PutUint32(b[4:], uint32(tsn))
	binary.BigEndian.PutUint32(b[8:], uint32(sid)<<16|uint32(ssn))
	binary.BigEndian.PutUint32(b[12:], uint32(ppid))
}

// AppendData appends d as a padded DATA chunk, or nothing when the payload is
// longer than MaxDataLen.
func AppendData(b []byte, d Data) []byte {
	if len(d.Payload) > MaxDataLen {
		return b
	}
	n := len(b)
	b = append(b, make([]byte, DataHeaderLen)...)
	PutDataHeader(b[n:], d.Flags, uint16(DataHeaderLen+len(d.Payload)), d.TSN, d.Stream, d.SSN, d.PPID)
	return pad(append(b, d.Payload...), len(d.Payload))
}
