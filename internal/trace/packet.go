package trace

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/chunk"
)

// Packet returns an SCTP packet in words: ports, tag, and its chunks.
func Packet(p []byte) string {
	h, e := chunk.ParseHeader(p)
	if e != chunk.ErrNone {
		return fmt.Sprintf("no SCTP packet: %d bytes", len(p))
	}
	w := []string{fmt.Sprintf("%d > %d tag %08x", h.SrcPort, h.DstPort, uint32(h.VTag))}
	if !chunk.VerifyChecksum(p) {
		w = append(w, "bad checksum")
	}
	walk := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := walk.Next()
		if !ok {
			break
		}
		w = append(w, Chunk(c))
	}
	if walk.Err() != chunk.ErrNone {
		w = append(w, "malformed rest")
	}
	return strings.Join(w, " | ")
}

// Chunk returns a chunk in words.
func Chunk(c chunk.Chunk) string {
	switch c.Type() {
	case chunk.TypeData:
		if d, e := chunk.ParseData(c); e == chunk.ErrNone {
			return fmt.Sprintf("DATA %d %d:%d %s%d bytes", d.TSN, d.Stream, d.SSN, dataFlags(&d), len(d.Payload))
		}
	case chunk.TypeSack:
		if s, e := chunk.ParseSack(c); e == chunk.ErrNone {
			return sack(&s)
		}
	case chunk.TypeInit, chunk.TypeInitAck:
		if in, e := chunk.ParseInit(c); e == chunk.ErrNone {
			return fmt.Sprintf("%v tag %08x TSN %d a_rwnd %d streams %d/%d", c.Type(), uint32(in.Tag), in.TSN, in.ARwnd, in.OS, in.MIS)
		}
	case chunk.TypeShutdown:
		if cum, e := chunk.ParseShutdown(c); e == chunk.ErrNone {
			return fmt.Sprintf("SHUTDOWN %d", cum)
		}
	case chunk.TypeAbort, chunk.TypeShutdownComplete:
		if c.Flags()&chunk.FlagT != 0 {
			return c.Type().String() + " T"
		}
	}
	return c.Type().String()
}

func dataFlags(d *chunk.Data) string {
	var b strings.Builder
	for _, f := range []struct {
		on bool
		c  byte
	}{{d.Unordered(), 'U'}, {d.Begins(), 'B'}, {d.Ends(), 'E'}, {d.Immediate(), 'I'}} {
		if f.on {
			b.WriteByte(f.c)
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String()
}

func sack(s *chunk.Sack) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SACK %d a_rwnd %d", s.CumTSN, s.ARwnd)
	for i := range s.NumGaps() {
		from, to := s.Gap(i)
		fmt.Fprintf(&b, " +%d-%d", from, to)
	}
	for i := range s.NumDups() {
		fmt.Fprintf(&b, " dup %d", s.Dup(i))
	}
	return b.String()
}
