package chunk

import (
	"encoding/binary"
	"hash/crc32"
)

// The common header and the packet's CRC32c: RFC 9260 §3.1, §6.8 and
// Appendix A.

// HeaderLen is the size of the common header.
const HeaderLen = 12

// Header is the common header of a packet. Checksum is the CRC32c as a
// number, comparable with what Checksum returns.
type Header struct {
	SrcPort, DstPort uint16
	VTag             VTag
	Checksum         uint32
}

// ParseHeader reads the common header at the start of packet.
func ParseHeader(packet []byte) (Header, Err) {
	if len(packet) < HeaderLen {
		return Header{}, ErrShort
	}
	_ = packet[11]
	return Header{
		SrcPort:  binary.BigEndian.Uint16(packet),
		DstPort:  binary.BigEndian.Uint16(packet[2:]),
		VTag:     VTag(binary.BigEndian.Uint32(packet[4:])),
		Checksum: binary.LittleEndian.Uint32(packet[8:]),
	}, ErrNone
}

// AppendHeader appends a common header with a zero checksum.
func AppendHeader(b []byte, src, dst uint16, tag VTag) []byte {
	return append(b,
		byte(src>>8), byte(src), byte(dst>>8), byte(dst),
		byte(tag>>24), byte(tag>>16), byte(tag>>8), byte(tag),
		0, 0, 0, 0)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headCRC[i][v] is what byte i of the header, having the value v, adds to the
// CRC32c of a header with zero checksum field; headZero is that of a header
// of zeroes. CRCs are linear, so that ports and tag need no walk of their own.
var headCRC, headZero = func() (t [8][256]uint32, zero uint32) {
	var h [HeaderLen]byte
	zero = crc32.Checksum(h[:], castagnoli)
	for i := range t {
		for v := range t[i] {
			h[i] = byte(v)
			t[i][v] = crc32.Checksum(h[:], castagnoli) ^ zero
		}
		h[i] = 0
	}
	return t, zero
}()

// Checksum returns the CRC32c of packet with its checksum field taken as
// zero; packet is only read. It is 0 for what is shorter than a header.
func Checksum(packet []byte) uint32 {
	if len(packet) < HeaderLen {
		return 0
	}
	h := (*[8]byte)(packet)
	c := headZero ^ headCRC[0][h[0]] ^ headCRC[1][h[1]] ^ headCRC[2][h[2]] ^ headCRC[3][h[3]] ^
		headCRC[4][h[4]] ^ headCRC[5][h[5]] ^ headCRC[6][h[6]] ^ headCRC[7][h[7]]
	return crc32.Update(c, castagnoli, packet[HeaderLen:])
}

// VerifyChecksum reports whether packet carries its own CRC32c.
func VerifyChecksum(packet []byte) bool {
	return len(packet) >= HeaderLen && binary.LittleEndian.Uint32(packet[8:]) == Checksum(packet)
}

// SetChecksum stores the CRC32c of packet, which must hold a whole header.
// Appendix A's bit order makes the stored field little-endian.
func SetChecksum(packet []byte) {
	binary.LittleEndian.PutUint32(packet[8:HeaderLen], Checksum(packet))
}
