package chunk

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// unhex reads hex with blanks and line breaks.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// golden is one chunk as bytes on the wire, padding included, with what
// writes it and what it must read as.
type golden struct {
	name string
	hex  string
	enc  func(b []byte) []byte
	dec  func(c Chunk) bool
}

var (
	v4   = netip.MustParseAddr("10.0.0.1")
	v4b  = netip.MustParseAddr("192.0.2.77")
	v6   = netip.MustParseAddr("2001:db8::1")
	info = []byte("0123456")
)

// goldens follow the figures of RFC 9260 §3.3, one or more for each chunk.
var goldens = []golden{
	{
		// R-3.3.1-01 R-3.3.1-08 R-3.3.1-09 R-3.3.1-10 R-3.2-01 R-3.2-02
		name: "DATA",
		hex:  "00 03 0015  0000abcd  0007 0102  00000033  68656c6c 6f000000",
		enc: func(b []byte) []byte {
			return AppendData(b, Data{TSN: 0xabcd, Stream: 7, SSN: 0x102, PPID: 51, Flags: FlagB | FlagE, Payload: []byte("hello")})
		},
		dec: func(c Chunk) bool {
			d, e := ParseData(c)
			return e == ErrNone && d.TSN == 0xabcd && d.Stream == 7 && d.SSN == 0x102 && d.PPID == 51 &&
				d.Begins() && d.Ends() && !d.Unordered() && !d.Immediate() && string(d.Payload) == "hello"
		},
	}, {
		// R-3.3.1-02 R-3.3.1-05: the flags, and the shortest user data
		name: "DATA unordered middle fragment, SACK at once",
		hex:  "00 0c 0011  ffffffff  ffff ffff  ffffffff  61000000",
		enc: func(b []byte) []byte {
			return AppendData(b, Data{TSN: 0xffffffff, Stream: 65535, SSN: 65535, PPID: 0xffffffff, Flags: FlagU | FlagI, Payload: []byte("a")})
		},
		dec: func(c Chunk) bool {
			d, e := ParseData(c)
			return e == ErrNone && d.TSN == 0xffffffff && d.Stream == 65535 && d.PPID == 0xffffffff &&
				d.Unordered() && d.Immediate() && !d.Begins() && !d.Ends() && string(d.Payload) == "a"
		},
	}, {
		// R-6.2-32: readable, so that No User Data can name the TSN
		name: "DATA without user data",
		hex:  "00 00 0010  00000009  0000 0000  00000000",
		enc:  func(b []byte) []byte { return AppendData(b, Data{TSN: 9}) },
		dec: func(c Chunk) bool {
			d, e := ParseData(c)
			return e == ErrNone && d.TSN == 9 && len(d.Payload) == 0
		},
	}, {
		name: "INIT",
		hex:  "01 00 0014  00010203  000005dc  000a 0800  fffffffe",
		enc: func(b []byte) []byte {
			return AppendInit(b, TypeInit, Init{Tag: 0x10203, ARwnd: 1500, OS: 10, MIS: 2048, TSN: 0xfffffffe})
		},
		dec: func(c Chunk) bool {
			i, e := ParseInit(c)
			return e == ErrNone && i.Tag == 0x10203 && i.ARwnd == 1500 && i.OS == 10 && i.MIS == 2048 &&
				i.TSN == 0xfffffffe && len(i.Params) == 0
		},
	}, {
		// R-3.3.2.1-01 R-3.2-06: the last parameter's padding is not counted
		name: "INIT with parameters",
		hex: `01 00 0036  00000001  00010000  0001 0002  00000003
			0005 0008 0a000001
			0006 0014 20010db8 00000000 00000000 00000001
			000c 0006 0005 0000`,
		enc: func(b []byte) []byte {
			b, m := BeginInit(b, TypeInit, Init{Tag: 1, ARwnd: 65536, OS: 1, MIS: 2, TSN: 3})
			b = AppendAddrParam(b, v4)
			b = AppendAddrParam(b, v6)
			return End(AppendAddrTypes(b, ParamIPv4), m)
		},
		dec: func(c Chunk) bool {
			i, e := ParseInit(c)
			var types []ParamType
			w := i.Params.Walk()
			for p, ok := w.Next(); ok; p, ok = w.Next() {
				types = append(types, p.Type())
			}
			return e == ErrNone && w.Err() == ErrNone && slices.Equal(types, []ParamType{ParamIPv4, ParamIPv6, ParamSupportedAddrTypes})
		},
	}, {
		// R-3.3.3.1-02 R-3.3.3.1.2-01
		name: "INIT ACK",
		hex: `02 00 0029  80000001  00020000  ffff 0001  00000000
			0007 0007 0c0d0e 00
			0008 000d  c0aa 0009 3031323334 000000`,
		enc: func(b []byte) []byte {
			b, m := BeginInit(b, TypeInitAck, Init{Tag: 0x80000001, ARwnd: 131072, OS: 65535, MIS: 1})
			b = AppendCookieParam(b, []byte{12, 13, 14})
			return End(AppendUnrecognizedParam(b, Param(unhex("c0aa 0009 3031323334"))), m)
		},
		dec: func(c Chunk) bool {
			i, e := ParseInit(c)
			cookie, ok := i.Params.Find(ParamStateCookie)
			un, ok2 := i.Params.Find(ParamUnrecognized)
			return e == ErrNone && ok && ok2 && i.OS == 65535 && bytes.Equal(cookie.Body(), []byte{12, 13, 14}) &&
				Param(un.Body()).Type() == 0xc0aa && string(Param(un.Body()).Body()) == "01234"
		},
	}, {
		// R-3.3.4-01 R-3.3.4-03: the worked example of §3.3.4
		name: "SACK example",
		hex:  "03 00 0018  0000000c  00001234  0002 0000  0002 0003  0005 0005",
		enc: func(b []byte) []byte {
			return AppendSack(b, 12, 4660, []GapBlock{{2, 3}, {5, 5}}, nil)
		},
		dec: func(c Chunk) bool {
			s, e := ParseSack(c)
			if e != ErrNone || s.CumTSN != 12 || s.ARwnd != 4660 || s.NumGaps() != 2 || s.NumDups() != 0 {
				return false
			}
			a, b := s.Gap(0)
			x, y := s.Gap(1)
			return a == 2 && b == 3 && x == 5 && y == 5
		},
	}, {
		name: "SACK with duplicates",
		hex:  "03 00 001c  fffffffe  ffffffff  0001 0002  0001 ffff  00000013 00000013",
		enc: func(b []byte) []byte {
			return AppendSack(b, 0xfffffffe, 0xffffffff, []GapBlock{{1, 65535}}, []TSN{19, 19})
		},
		dec: func(c Chunk) bool {
			s, e := ParseSack(c)
			if e != ErrNone || s.NumGaps() != 1 || s.NumDups() != 2 {
				return false
			}
			a, b := s.Gap(0)
			return a == 1 && b == 65535 && s.Dup(0) == 19 && s.Dup(1) == 19
		},
	}, {
		name: "SACK bare",
		hex:  "03 00 0010  00000000  00000000  0000 0000",
		enc:  func(b []byte) []byte { return AppendSack(b, 0, 0, nil, nil) },
		dec: func(c Chunk) bool {
			s, e := ParseSack(c)
			return e == ErrNone && s.CumTSN == 0 && s.ARwnd == 0 && s.NumGaps() == 0 && s.NumDups() == 0
		},
	}, {
		name: "HEARTBEAT",
		hex:  "04 00 000f  0001 000b  30313233 343536 00",
		enc:  func(b []byte) []byte { return AppendHeartbeat(b, info) },
		dec: func(c Chunk) bool {
			p, e := ParseHeartbeat(c)
			return e == ErrNone && bytes.Equal(p.Body(), info)
		},
	}, {
		// R-3.3.6-01 R-3.3.6-02: the information goes back as it came
		name: "HEARTBEAT ACK",
		hex:  "05 00 000f  0001 000b  30313233 343536 00",
		enc: func(b []byte) []byte {
			return AppendHeartbeatAck(b, Chunk(unhex("04 00 000f 0001 000b 30313233 343536")))
		},
		dec: func(c Chunk) bool {
			p, e := ParseHeartbeat(c)
			return e == ErrNone && bytes.Equal(p.Body(), info)
		},
	}, {
		name: "ABORT",
		hex:  "06 00 0004",
		enc:  func(b []byte) []byte { return AppendAbort(b, false, nil) },
		dec: func(c Chunk) bool {
			a, e := ParseAbort(c)
			return e == ErrNone && !a.Reflected && len(a.Causes) == 0
		},
	}, {
		// R-3.3.7-05 R-3.3.10-01: T bit, and several causes
		name: "ABORT reflected with causes",
		hex:  "06 01 0013  0004 0004  000c 000b 30313233 343536 00",
		enc: func(b []byte) []byte {
			return AppendAbort(b, true, AppendUserAbort(AppendOutOfResource(nil), info))
		},
		dec: func(c Chunk) bool {
			a, e := ParseAbort(c)
			r, ok := a.Causes.Find(CauseUserAbort)
			_, ok2 := a.Causes.Find(CauseOutOfResource)
			return e == ErrNone && a.Reflected && ok && ok2 && bytes.Equal(r.Body(), info)
		},
	}, {
		name: "SHUTDOWN",
		hex:  "07 00 0008  89abcdef",
		enc:  func(b []byte) []byte { return AppendShutdown(b, 0x89abcdef) },
		dec: func(c Chunk) bool {
			tsn, e := ParseShutdown(c)
			return e == ErrNone && tsn == 0x89abcdef
		},
	}, {
		name: "SHUTDOWN ACK",
		hex:  "08 00 0004",
		enc:  AppendShutdownAck,
		dec:  func(c Chunk) bool { return c.Type() == TypeShutdownAck && len(c.Body()) == 0 },
	}, {
		name: "ERROR",
		hex:  "09 00 000c  0003 0008 000f4240",
		enc:  func(b []byte) []byte { return AppendError(b, AppendStaleCookie(nil, 1_000_000)) },
		dec: func(c Chunk) bool {
			cs, e := ParseError(c)
			st, _ := cs.Find(CauseStaleCookie)
			usec, e2 := st.StaleCookie()
			return e == ErrNone && e2 == ErrNone && usec == 1_000_000
		},
	}, {
		// R-3.3.11-02
		name: "COOKIE ECHO",
		hex:  "0a 00 000b  30313233 343536 00",
		enc:  func(b []byte) []byte { return AppendCookieEcho(b, info) },
		dec: func(c Chunk) bool {
			cookie, e := ParseCookieEcho(c)
			return e == ErrNone && bytes.Equal(cookie, info)
		},
	}, {
		name: "COOKIE ACK",
		hex:  "0b 00 0004",
		enc:  AppendCookieAck,
		dec:  func(c Chunk) bool { return c.Type() == TypeCookieAck && len(c.Body()) == 0 },
	}, {
		name: "ECNE",
		hex:  "0c 00 0008  00000102",
		enc:  func(b []byte) []byte { return AppendECNE(b, 0x102) },
		dec: func(c Chunk) bool {
			tsn, e := ParseECNE(c)
			return e == ErrNone && tsn == 0x102
		},
	}, {
		name: "CWR",
		hex:  "0d 00 0008  fffefdfc",
		enc:  func(b []byte) []byte { return AppendCWR(b, 0xfffefdfc) },
		dec: func(c Chunk) bool {
			tsn, e := ParseCWR(c)
			return e == ErrNone && tsn == 0xfffefdfc
		},
	}, {
		name: "PAD", // RFC 4820 section 3
		hex:  "84 00 000c  00000000 00000000",
		enc:  func(b []byte) []byte { return AppendPad(b, 12) },
		dec: func(c Chunk) bool {
			n, e := ParsePad(c)
			return e == ErrNone && n <= 8 // what is cut off is less padding
		},
	}, {
		name: "PAD, the smallest",
		hex:  "84 00 0004",
		enc:  func(b []byte) []byte { return AppendPad(b, 4) },
		dec: func(c Chunk) bool {
			n, e := ParsePad(c)
			return e == ErrNone && n == 0
		},
	}, {
		name: "SHUTDOWN COMPLETE",
		hex:  "0e 00 0004",
		enc:  func(b []byte) []byte { return AppendShutdownComplete(b, false) },
		dec:  func(c Chunk) bool { return c.Type() == TypeShutdownComplete && c.Flags() == 0 },
	}, {
		// R-3.3.13-02
		name: "SHUTDOWN COMPLETE reflected",
		hex:  "0e 01 0004",
		enc:  func(b []byte) []byte { return AppendShutdownComplete(b, true) },
		dec:  func(c Chunk) bool { return c.Type() == TypeShutdownComplete && c.Flags()&FlagT != 0 },
	},
}

// TestGolden holds every chunk to its bytes, in both directions.
// R-3-02: the bytes are in network byte order
func TestGolden(t *testing.T) {
	seen := ChunkSet{}
	for _, g := range goldens {
		want := unhex(g.hex)
		for _, prefix := range []string{"", "x", "twelve bytes"} {
			got := g.enc([]byte(prefix))
			if string(got[:len(prefix)]) != prefix || !bytes.Equal(got[len(prefix):], want) {
				t.Errorf("%s: wrote %x\nwant %x", g.name, got[len(prefix):], want)
			}
		}
		w := Walk(want)
		c, ok := w.Next()
		if !ok || c.Len() != len(c) || w.Rest() || w.Offset() != 0 {
			t.Errorf("%s: not one chunk", g.name)
			continue
		}
		if !g.dec(c) {
			t.Errorf("%s: read wrongly", g.name)
		}
		if e := c.Check(); e != ErrNone {
			t.Errorf("%s: Check: %v", g.name, e)
		}
		if _, ok := w.Next(); ok || w.Err() != ErrNone {
			t.Errorf("%s: walk ends with %v", g.name, w.Err())
		}
		// R-3.2-04 R-3.2.1-03: padding bytes and unassigned flags mean nothing.
		dirty := bytes.Clone(want)
		for i := c.Len(); i < len(dirty); i++ {
			dirty[i] = 0xff
		}
		// R-3.2-05 R-3.3.2-05 R-3.3.3-03
		dirty[1] |= 0xf0
		w = Walk(dirty)
		if c, _ = w.Next(); !g.dec(c) && g.name != "SHUTDOWN COMPLETE" {
			t.Errorf("%s: padding or reserved flags are looked at", g.name)
		}
		seen.Add(c.Type())
	}
	for typ := TypeData; typ <= TypeShutdownComplete; typ++ {
		if !seen.Has(typ) {
			t.Errorf("no golden bytes for %v", typ)
		}
	}
}

// A wrong type is told from a right one by every decoder.
func TestWrongType(t *testing.T) {
	decoders := map[Type]func(c Chunk) Err{
		TypeData:       func(c Chunk) Err { _, e := ParseData(c); return e },
		TypeSack:       func(c Chunk) Err { _, e := ParseSack(c); return e },
		TypeInit:       func(c Chunk) Err { _, e := ParseInit(c); return e },
		TypeHeartbeat:  func(c Chunk) Err { _, e := ParseHeartbeat(c); return e },
		TypeAbort:      func(c Chunk) Err { _, e := ParseAbort(c); return e },
		TypeShutdown:   func(c Chunk) Err { _, e := ParseShutdown(c); return e },
		TypeError:      func(c Chunk) Err { _, e := ParseError(c); return e },
		TypeCookieEcho: func(c Chunk) Err { _, e := ParseCookieEcho(c); return e },
		TypeECNE:       func(c Chunk) Err { _, e := ParseECNE(c); return e },
		TypeCWR:        func(c Chunk) Err { _, e := ParseCWR(c); return e },
		TypePad:        func(c Chunk) Err { _, e := ParsePad(c); return e },
	}
	for typ, dec := range decoders {
		for _, g := range goldens {
			w := Walk(unhex(g.hex))
			c, _ := w.Next()
			same := c.Type() == typ || typ == TypeInit && c.Type() == TypeInitAck ||
				typ == TypeHeartbeat && c.Type() == TypeHeartbeatAck
			if e := dec(c); (e == ErrNone) != same || !same && e != ErrType {
				t.Errorf("decoder of %v on %s: %v", typ, g.name, e)
			}
		}
		for n := range ChunkHeaderLen {
			if e := dec(make(Chunk, n)); e != ErrShort {
				t.Errorf("decoder of %v on %d bytes: %v", typ, n, e)
			}
		}
	}
}

// TestTruncated cuts every sample at every byte. Cut without touching its
// length, a chunk is an error and never returned, unless only padding is gone;
// cut with its length, it is an error wherever a fixed field or the inside of
// a parameter or cause was cut.
func TestTruncated(t *testing.T) {
	for _, g := range goldens {
		whole := unhex(g.hex)
		w := Walk(whole)
		c, _ := w.Next()
		for n := range len(whole) {
			w := Walk(whole[:n:n])
			got, ok := w.Next()
			if n >= c.Len() {
				if !ok || !bytes.Equal(got, c) {
					t.Errorf("%s without padding: %v", g.name, w.Err())
				}
				continue
			}
			if ok || n > 0 && w.Err() == ErrNone {
				t.Errorf("%s cut to %d bytes: chunk %x, %v", g.name, n, got, w.Err())
			}
			if n < ChunkHeaderLen {
				if Chunk(whole[:n]).Check() != ErrShort {
					t.Errorf("%s: Check of %d bytes", g.name, n)
				}
				continue
			}
			cut := Chunk(bytes.Clone(whole[:n:n]))
			cut[2], cut[3] = byte(n>>8), byte(n)
			wantErr := n < cut.Type().MinLen() || cut.Type() == TypeSack || !onBoundary(c, n)
			if e := cut.Check(); (e != ErrNone) != wantErr {
				t.Errorf("%s of %d bytes: %v", g.name, n, e)
			}
			g.dec(cut) // must not panic
			AppendChunkText(nil, cut)
			var f InitFacts
			f.Decode(cut)
		}
	}
}

// onBoundary reports whether c cut to n bytes still ends where a parameter,
// a cause or free bytes may end.
func onBoundary(c Chunk, n int) bool {
	at := listOffset(c.Type())
	if at == 0 {
		return true
	}
	for rest := c[at:]; ; {
		tlv, after := tlvNext(rest)
		if tlv == nil {
			return n == len(c)
		}
		pos := len(c) - len(rest)
		if n == pos || n >= pos+len(tlv) && n <= len(c)-len(after) {
			return true
		}
		if rest = after; n < len(c)-len(after) {
			return false
		}
	}
}

// A PAD chunk has any size that a chunk can have, in steps of four, and never
// another (RFC 4820 section 3).
func TestPadSizes(t *testing.T) {
	for n := -4; n <= 65544; n++ {
		if n > 2000 && n < 65500 && n%1000 > 8 {
			continue
		}
		b := AppendPad([]byte{1}, n)
		if n < 4 || n > 65536 || n%4 != 0 {
			if len(b) != 1 {
				t.Fatalf("a PAD chunk of %d bytes: %d", n, len(b)-1)
			}
			continue
		}
		w := Walk(b[1:])
		c, ok := w.Next()
		if _, more := w.Next(); len(b) != 1+n || !ok || more || w.Err() != ErrNone {
			t.Fatalf("%d bytes for a PAD chunk of %d", len(b)-1, n)
		}
		if got, e := ParsePad(c); e != ErrNone || got != min(n, 65535)-4 {
			t.Fatalf("PAD of %d: %d bytes of padding, %v", n, got, e)
		}
	}
}
