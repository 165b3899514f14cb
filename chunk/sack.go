package chunk

import "encoding/binary"

// Selective acknowledgement: RFC 9260 §3.3.4.

// SackHeaderLen is the size of a SACK without gap blocks and duplicates.
const SackHeaderLen = 16

// MaxSackEntries is how many gap blocks and duplicates together fit one SACK.
const MaxSackEntries = (MaxChunkLen - SackHeaderLen) / 4

// GapBlock is a Gap Ack Block: first and last TSN of a received run, as
// offsets from the Cumulative TSN Ack.
type GapBlock struct{ Start, End uint16 }

// Sack is a view of a SACK chunk. Its blocks are as the peer wrote them: they
// may be reversed, overlapping or beyond what was ever sent.
type Sack struct {
	CumTSN       TSN
	ARwnd        uint32
	nGaps, nDups uint16
	list         []byte // gap blocks, then duplicates
}

// ParseSack reads a SACK chunk whose counts agree with its length; bytes
// behind the lists are ignored.
func ParseSack(c Chunk) (Sack, Err) {
	if e := c.is(TypeSack, SackHeaderLen); e != ErrNone {
		return Sack{}, e
	}
	s := Sack{
		CumTSN: TSN(binary.BigEndian.Uint32(c[4:])),
		ARwnd:  binary.BigEndian.Uint32(c[8:]),
		nGaps:  binary.BigEndian.Uint16(c[12:]),
		nDups:  binary.BigEndian.Uint16(c[14:]),
	}
	n := 4 * (int(s.nGaps) + int(s.nDups))
	if n > len(c)-SackHeaderLen {
		return Sack{}, ErrCount
	}
	s.list = c[SackHeaderLen : SackHeaderLen+n]
	return s, ErrNone
}

// NumGaps returns the number of Gap Ack Blocks.
func (s *Sack) NumGaps() int { return int(s.nGaps) }

// Gap returns the i-th Gap Ack Block.
func (s *Sack) Gap(i int) (start, end uint16) {
	v := binary.BigEndian.Uint32(s.list[4*i:])
	return uint16(v >> 16), uint16(v)
}

// NumDups returns the number of duplicate TSNs.
func (s *Sack) NumDups() int { return int(s.nDups) }

// Dup returns the i-th duplicate TSN.
func (s *Sack) Dup(i int) TSN {
	return TSN(binary.BigEndian.Uint32(s.list[4*(int(s.nGaps)+i):]))
}

// AppendSack appends a SACK chunk. What exceeds MaxSackEntries is left out,
// duplicates before gap blocks; the path MTU is the caller's business.
func AppendSack(b []byte, cum TSN, arwnd uint32, gaps []GapBlock, dups []TSN) []byte {
	gaps = gaps[:min(len(gaps), MaxSackEntries)]
	dups = dups[:min(len(dups), MaxSackEntries-len(gaps))]
	n := len(b)
	b = append(b, make([]byte, SackHeaderLen)...)
	h := b[n:]
	binary.BigEndian.PutUint32(h, uint32(TypeSack)<<24|uint32(SackHeaderLen+4*(len(gaps)+len(dups))))
	binary.BigEndian.PutUint32(h[4:], uint32(cum))
	binary.BigEndian.PutUint32(h[8:], arwnd)
	binary.BigEndian.PutUint32(h[12:], uint32(len(gaps))<<16|uint32(len(dups)))
	for _, g := range gaps {
		b = binary.BigEndian.AppendUint32(b, uint32(g.Start)<<16|uint32(g.End))
	}
	for _, t := range dups {
		b = binary.BigEndian.AppendUint32(b, uint32(t))
	}
	return b
}
