package record

import (
	"encoding/binary"
	"fmt"

	"github.com/gosctp/gosctp/chunk"
)

// cut is a run of bytes of a packet that are zeros in the log.
type cut struct{ off, n int }

// userData appends where a packet holds bytes of the user's: the payload of
// DATA chunks (and of I-DATA, wherever they are quoted), and the reason of a
// user's ABORT.
func userData(cuts []cut, p []byte) []cut {
	at := chunk.HeaderLen
	for at+chunk.ChunkHeaderLen <= len(p) {
		n := int(binary.BigEndian.Uint16(p[at+2:]))
		if n < chunk.ChunkHeaderLen {
			return cuts
		}
		end := min(at+n, len(p))
		switch chunk.Type(p[at]) {
		case chunk.TypeData, typeIData:
			cuts = payload(cuts, p, at, end)
		case chunk.TypeAbort, chunk.TypeError:
			cuts = causes(cuts, p, at+chunk.ChunkHeaderLen, end)
		}
		at += chunk.Padded(n)
	}
	return cuts
}

const (
	typeIData   = 64
	dataHeader  = 16
	iDataHeader = 20
)

func payload(cuts []cut, p []byte, at, end int) []cut {
	h := dataHeader
	if p[at] == typeIData {
		h = iDataHeader
	}
	if at+h < end {
		cuts = append(cuts, cut{at + h, end - at - h})
	}
	return cuts
}

func causes(cuts []cut, p []byte, at, end int) []cut {
	for at+4 <= end {
		code, n := chunk.CauseCode(binary.BigEndian.Uint16(p[at:])), int(binary.BigEndian.Uint16(p[at+2:]))
		if n < 4 {
			return cuts
		}
		stop := min(at+n, end)
		switch body := at + 4; {
		case body >= stop:
		case code == chunk.CauseUserAbort:
			cuts = append(cuts, cut{body, stop - body})
		case p[body] == byte(chunk.TypeData) || p[body] == typeIData:
			// A chunk that is quoted.
			if code == chunk.CauseUnrecognizedChunk || code == chunk.CauseProtocolViolation {
				cuts = payload(cuts, p, body, stop)
			}
		}
		at += chunk.Padded(n)
	}
	return cuts
}

// appendPacket encodes p without what is cut out of it.
func appendPacket(b, p []byte, cuts []cut) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	b = binary.AppendUvarint(b, uint64(len(cuts)))
	at := 0
	for _, c := range cuts {
		b = binary.AppendUvarint(b, uint64(c.off-at))
		b = binary.AppendUvarint(b, uint64(c.n))
		at = c.off + c.n
	}
	at = 0
	for _, c := range cuts {
		b = append(b, p[at:c.off]...)
		at = c.off + c.n
	}
	return append(b, p[at:]...)
}

const maxPacket = 1 << 16

// packet is the inverse of appendPacket: zeros are where something was cut
// out, and then the checksum is made to fit.
func (d *decoder) packet() []byte {
	n, k := d.uint(maxPacket), d.uint(maxPacket/4)
	p := make([]byte, n)
	cuts := make([]cut, 0, min(k, 64))
	at := 0
	for range k {
		off := at + d.uint(maxPacket)
		c := cut{off, d.uint(maxPacket)}
		at = c.off + c.n
		if at > n {
			d.fail(fmt.Errorf("%w: a packet's parts do not fit it", ErrFormat))
			return nil
		}
		cuts = append(cuts, c)
	}
	at = 0
	for _, c := range cuts {
		copy(p[at:], d.bytes(c.off-at))
		at = c.off + c.n
	}
	copy(p[at:], d.bytes(n-at))
	if d.err != nil {
		return nil
	}
	if len(cuts) > 0 && n >= chunk.HeaderLen {
		chunk.SetChecksum(p)
	}
	return p
}
