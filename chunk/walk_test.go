package chunk

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Packets whose chunks end in every way that a packet can end.
func TestWalk(t *testing.T) {
	for _, c := range []struct {
		name  string
		hex   string
		types []Type
		want  Err
	}{
		{"empty", "", nil, ErrNone},
		{"one", "0b000004", []Type{TypeCookieAck}, ErrNone},
		{"two", "0b000004 08000004", []Type{TypeCookieAck, TypeShutdownAck}, ErrNone},
		{"padding between", "0a000005 61000000 0b000004", []Type{TypeCookieEcho, TypeCookieAck}, ErrNone},
		// R-3.2-06: the last chunk may lack its padding or count it
		{"no final padding", "0b000004 0a000005 61", []Type{TypeCookieAck, TypeCookieEcho}, ErrNone},
		{"part of the final padding", "0a000005 6100", []Type{TypeCookieEcho}, ErrNone},
		{"padding counted", "0a000008 61000000 0b000004", []Type{TypeCookieEcho, TypeCookieAck}, ErrNone},
		// R-6.10-07: a partial chunk is dropped, the ones before it count
		{"cut header", "0b000004 0a0000", []Type{TypeCookieAck}, ErrTrailing},
		{"one byte", "0b000004 0a", []Type{TypeCookieAck}, ErrTrailing},
		{"overrun by one", "0b000004 0a000005", []Type{TypeCookieAck}, ErrOverrun},
		{"overrun by far", "0b000004 0a00ffff 00000000", []Type{TypeCookieAck}, ErrOverrun},
		{"length 3", "0b000004 0a000003 0b000004", []Type{TypeCookieAck}, ErrLength},
		{"length 0", "0b000004 00000000 0b000004", []Type{TypeCookieAck}, ErrLength},
		{"all zero", "00000000 00000000", nil, ErrLength},
		{"unpadded before another", "0a000005 610b0000 04", []Type{TypeCookieEcho}, ErrTrailing},
	} {
		b := unhex(c.hex)
		w := Walk(b)
		var types []Type
		for ch, ok := w.Next(); ok; ch, ok = w.Next() {
			types = append(types, ch.Type())
			if at := w.Offset(); !bytes.Equal(b[at:at+len(ch)], ch) || ch.Len() != len(ch) || cap(ch) != len(ch) {
				t.Errorf("%s: chunk %x at %d, cap %d", c.name, ch, at, cap(ch))
			}
			if more := len(types) < len(c.types) || len(b)-w.Offset()-Padded(len(ch)) >= ChunkHeaderLen; w.Rest() != more {
				t.Errorf("%s: Rest() = %v behind chunk %d", c.name, w.Rest(), len(types))
			}
		}
		if !bytes.Equal(asBytes(types), asBytes(c.types)) || w.Err() != c.want {
			t.Errorf("%s: %v, %v", c.name, types, w.Err())
		}
		if ch, ok := w.Next(); ok || ch != nil || w.Err() != c.want {
			t.Errorf("%s: the walk goes on behind its end", c.name)
		}
	}
}

func asBytes(types []Type) []byte {
	b := make([]byte, len(types))
	for i, t := range types {
		b[i] = byte(t)
	}
	return b
}

// Bug class D: whatever the bytes, a walk ends, and soon.
func TestWalkEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 2048)
	for range 20_000 {
		n := rng.IntN(len(b))
		for i := range n {
			r := rng.Uint32() // few bits set, so that lengths are small
			b[i] = byte(r) & byte(r>>8) & byte(r>>16)
		}
		w, last, steps := Walk(b[:n:n]), -1, 0
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			if w.Offset() <= last || len(c) < ChunkHeaderLen || len(c) != c.Len() {
				t.Fatalf("%x: chunk %x at %d after %d", b[:n], c, w.Offset(), last)
			}
			last = w.Offset()
			steps++
			c.Check()
		}
		if steps > n/4 {
			t.Fatalf("%d chunks in %d bytes", steps, n)
		}
	}
}

func TestParseChunk(t *testing.T) {
	c, e := ParseChunk(unhex("0a000005 61000000 0b000004"))
	if e != ErrNone || len(c) != 5 || c.Type() != TypeCookieEcho {
		t.Errorf("%x %v", c, e)
	}
	for h, want := range map[string]Err{"": ErrShort, "0b00": ErrTrailing, "0b000003": ErrLength, "0b000005": ErrOverrun} {
		if c, e := ParseChunk(unhex(h)); c != nil || e != want {
			t.Errorf("%q: %x, %v", h, c, e)
		}
	}
}

// Bug class C: what does not fit a 16-bit length is not written, or clipped
// where the RFC leaves the length free.
func TestEncoderLimits(t *testing.T) {
	pre := []byte("before")
	big := make([]byte, 70_000)
	for i := range big {
		big[i] = 0xa5
	}
	for _, c := range []struct {
		name string
		max  int
		enc  func(n int) []byte
	}{
		{"DATA", MaxDataLen, func(n int) []byte { return AppendData(pre, Data{Payload: big[:n]}) }},
		{"COOKIE ECHO", MaxChunkLen - 4, func(n int) []byte { return AppendCookieEcho(pre, big[:n]) }},
		{"HEARTBEAT", MaxChunkLen - 8, func(n int) []byte { return AppendHeartbeat(pre, big[:n]) }},
		{"HEARTBEAT ACK", MaxChunkLen, func(n int) []byte { return AppendHeartbeatAck(pre, big[:n]) }},
		{"INIT", MaxChunkLen - InitLen, func(n int) []byte { return AppendInit(pre, TypeInit, Init{Params: big[:n]}) }},
		{"ABORT", MaxChunkLen - 4, func(n int) []byte { return AppendAbort(pre, false, big[:n]) }},
		{"ERROR", MaxChunkLen - 4, func(n int) []byte { return AppendError(pre, big[:n]) }},
		{"parameter", MaxParamBody, func(n int) []byte { return AppendParam(pre, ParamPadding, big[:n]) }},
		{"unrecognized parameter", MaxParamBody, func(n int) []byte { return AppendUnrecognizedParam(pre, big[:n]) }},
		{"own chunk", MaxChunkLen - 4, func(n int) []byte {
			b, m := Begin(pre, TypeAuth, 0)
			return End(append(b, big[:n]...), m)
		}},
	} {
		for _, over := range []int{1, 2, 3, 4, 5, len(big) - c.max} {
			if got := c.enc(c.max + over); !bytes.Equal(got, pre) {
				t.Errorf("%s %d bytes over the limit: %d bytes written", c.name, over, len(got)-len(pre))
			}
		}
		for n := c.max - 4; n <= c.max; n++ {
			got := c.enc(n)[len(pre):]
			if l := int(got[2])<<8 | int(got[3]); Padded(l) != len(got) || len(got)-l > 3 {
				t.Errorf("%s with %d bytes: length %d, %d written", c.name, n, l, len(got))
			}
		}
	}
	if got := AppendError(pre, nil); !bytes.Equal(got, pre) {
		t.Errorf("ERROR without cause: %x", got)
	}
	for _, n := range []int{MaxCauseInfo - 1, MaxCauseInfo, MaxCauseInfo + 1, len(big)} {
		got := AppendError(nil, AppendCause(nil, CauseProtocolViolation, big[:n]))
		cs, e := ParseError(Chunk(got[:min(len(got), MaxChunkLen)]))
		p, ok := cs.Find(CauseProtocolViolation)
		if e != ErrNone || !ok || len(p.Body()) != min(n, MaxCauseInfo) {
			t.Errorf("cause of %d bytes: %v, %d", n, e, len(p))
		}
	}
	many := make([]ParamType, 70_000)
	w := Causes(AppendMissingParams(nil, many...)).Walk()
	c, _ := w.Next()
	if n, e := c.MissingParams(); e != ErrNone || n != (MaxCauseInfo-4)/2 {
		t.Errorf("%d missing parameters, %v", n, e)
	}
	b := AppendSack(nil, 1, 2, make([]GapBlock, 20_000), make([]TSN, 20_000))
	s, e := ParseSack(b)
	if e != ErrNone || s.NumGaps() != MaxSackEntries || s.NumDups() != 0 || Chunk(b).Len() != len(b) {
		t.Errorf("full SACK: %d gaps, %d duplicates, %v", s.NumGaps(), s.NumDups(), e)
	}
	s, e = ParseSack(AppendSack(nil, 1, 2, make([]GapBlock, 16_000), make([]TSN, 20_000)))
	if e != ErrNone || s.NumGaps() != 16_000 || s.NumDups() != MaxSackEntries-16_000 {
		t.Errorf("full SACK: %d gaps, %d duplicates, %v", s.NumGaps(), s.NumDups(), e)
	}
	if b := AppendSupportedExt(pre, make([]Type, 70_000)...); !bytes.Equal(b, pre) {
		t.Errorf("%d bytes of Supported Extensions", len(b))
	}
	types := make([]ParamType, 40_000)
	for i := range types {
		types[i] = ParamIPv4
	}
	if b := AppendAddrTypes(pre, types...); !bytes.Equal(b, pre) {
		t.Errorf("%d bytes of Supported Address Types", len(b))
	}
}

// A SACK whose counts lie in either direction.
func TestSackCounts(t *testing.T) {
	for h, want := range map[string]Err{
		"0300 0014 00000001 00000002 0001 0000 0002 0003":                   ErrNone,
		"0300 0010 00000001 00000002 0001 0000":                             ErrCount,
		"0300 0010 00000001 00000002 0000 0001":                             ErrCount,
		"0300 0010 00000001 00000002 ffff ffff":                             ErrCount,
		"0300 0014 00000001 00000002 0001 0001 0002 0003":                   ErrCount,
		"0300 0016 00000001 00000002 0001 0001 0002 0003 0000":              ErrCount,
		"0300 0018 00000001 00000002 0000 0001 00000013 00000000":           ErrNone, // more than counted
		"0300 000c 00000001 00000002":                                       ErrShort,
		"0300 0018 00000001 00000002 0001 0001 0005 0002 00000013":          ErrNone, // reversed: not for the parser
		"0300 001c 00000001 00000002 8000 8001 0005 0002 00000013 00000000": ErrCount,
	} {
		if s, e := ParseSack(unhex(h)); e != want || e != ErrNone && (s.NumGaps() != 0 || s.NumDups() != 0) {
			t.Errorf("%s: %v", h, e)
		}
	}
}
