package chunk

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// Fuzz targets for the readers, each against a second, naive reading. Run one
// with: go test -fuzz FuzzWalk ./chunk

// naiveTLVs cuts a list into elements whose length stands in bytes 2 and 3, by
// index arithmetic on the whole, and says whether every byte was accounted for.
func naiveTLVs(b []byte) (at []int, clean bool) {
	pos := 0
	for pos+4 <= len(b) {
		n := int(binary.BigEndian.Uint16(b[pos+2 : pos+4]))
		if n < 4 || pos+n > len(b) {
			return at, false
		}
		at = append(at, pos)
		for pos += n; n%4 != 0; n++ {
			pos++
		}
	}
	return at, pos >= len(b)
}

func FuzzWalk(f *testing.F) {
	for _, c := range captures(f) {
		f.Add(c.packet[HeaderLen:])
	}
	for _, g := range goldens {
		f.Add(unhex(g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		at, clean := naiveTLVs(b)
		var got []int
		w := Walk(b)
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			got = append(got, w.Offset())
			if len(c) != c.Len() || &c[0] != &b[w.Offset()] || cap(c) != len(c) {
				t.Fatalf("chunk %x at %d", c, w.Offset())
			}
			check := c.Check()
			text := string(AppendChunkText(nil, c))
			if check != ErrNone && c.Type() <= TypeShutdownComplete && !bytes.Contains([]byte(text), []byte(errText[check])) {
				t.Errorf("%v goes unmentioned in %q", check, text)
			}
			again, e := ParseChunk(c)
			if e != ErrNone || !bytes.Equal(again, c) {
				t.Errorf("chunk %x alone: %v", c, e)
			}
		}
		if !slices.Equal(got, at) || (w.Err() == ErrNone) != clean {
			t.Errorf("chunks at %v, %v; want %v, clean %v", got, w.Err(), at, clean)
		}
		if !bytes.Equal(b, was) {
			t.Error("reading wrote")
		}
	})
}

// naiveInit reads an INIT the slow way: what parameters there are up to the
// one that ends it.
type naiveInit struct {
	addrs            []netip.Addr
	unknown          [][]byte
	cookie, hostName []byte
	stopped, broken  bool
}

func naiveFacts(body []byte) (n naiveInit) {
	at, clean := naiveTLVs(body)
	for _, pos := range at {
		p := body[pos : pos+int(binary.BigEndian.Uint16(body[pos+2:]))]
		typ, v := binary.BigEndian.Uint16(p), p[4:]
		size := map[uint16]int{5: 4, 6: 16, 9: 4, 0x8000: 0, 0xc000: 0, 0xc006: 4}
		if want, fixed := size[typ]; fixed && len(v) != want || typ == 12 && len(v)%2 != 0 {
			n.broken = true
			return n
		}
		switch typ {
		case 5, 6:
			a, _ := netip.AddrFromSlice(v)
			if UsableAddr(a) && !slices.Contains(n.addrs, a) {
				n.addrs = append(n.addrs, a)
			}
		case 7:
			if n.cookie == nil {
				n.cookie = v
			}
		case 11:
			if n.hostName == nil {
				n.hostName = p
			}
		case 0xc000:
			if !slices.ContainsFunc(n.unknown, func(u []byte) bool { return u[0] == 0xc0 && u[1] == 0 }) {
				n.unknown = append(n.unknown, p)
			}
		case 1, 8, 9, 12, 0x8000, 0x8008, 0xc006:
		default:
			if typ&0x4000 != 0 {
				n.unknown = append(n.unknown, p)
			}
			if typ&0x8000 == 0 {
				n.stopped = true
				return n
			}
		}
	}
	n.broken = !clean
	return n
}

func FuzzInitFacts(f *testing.F) {
	for _, c := range captures(f) {
		w := Walk(c.packet[HeaderLen:])
		if ch, _ := w.Next(); ch.Type() == TypeInit || ch.Type() == TypeInitAck {
			f.Add([]byte(ch))
		}
	}
	f.Add([]byte(fullInit()))
	var reused InitFacts
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxChunkLen {
			return
		}
		c := Chunk(b)
		e := reused.Decode(c)
		var fresh InitFacts
		if fresh.Decode(c); fresh != reused {
			t.Fatalf("a used InitFacts reads differently:\n%s\n%s", factsText(&reused), factsText(&fresh))
		}
		in, pe := ParseInit(c)
		if pe != ErrNone {
			if e != pe || fresh != (InitFacts{Verdict: pe}) {
				t.Fatalf("%v, %v, %s", e, pe, factsText(&fresh))
			}
			return
		}
		n := naiveFacts(in.Params)
		if !slices.Equal(fresh.Addrs[:fresh.NAddrs], n.addrs[:min(len(n.addrs), MaxAddrs)]) {
			t.Errorf("addresses %v, want %v", fresh.Addrs[:fresh.NAddrs], n.addrs)
		}
		var unknown [][]byte
		for _, s := range fresh.Unknown[:fresh.NUnknown] {
			unknown = append(unknown, s.Of(c))
		}
		if !slices.EqualFunc(unknown, n.unknown[:min(len(n.unknown), MaxUnknown)], bytes.Equal) ||
			int(fresh.MoreUnknown) != len(n.unknown)-fresh.NUnknown {
			// Set Primary may be repeated and counts each time in both.
			t.Errorf("unknown %x and %d, want %x", unknown, fresh.MoreUnknown, n.unknown)
		}
		if !bytes.Equal(fresh.Cookie.Of(c), n.cookie) || !bytes.Equal(fresh.HostName.Of(c), n.hostName) || fresh.HasHostName != (n.hostName != nil) {
			t.Errorf("cookie %x, host name %x, want %+v", fresh.Cookie.Of(c), fresh.HostName.Of(c), n)
		}
		want := ErrNone
		switch {
		case in.Tag == 0:
			want = ErrZeroTag
		case in.ARwnd < 1500:
			want = ErrARwnd
		case in.OS == 0 || in.MIS == 0:
			want = ErrZeroStreams
		case n.broken:
			if e != ErrLength && e != ErrOverrun && e != ErrTrailing && e != ErrParamLength {
				t.Errorf("malformed, but %v", e)
			}
			want = e
		case n.hostName != nil:
			want = ErrHostName
		case c.Type() == TypeInitAck && len(n.cookie) == 0:
			want = ErrMissing
		}
		if e != want || fresh.Verdict != e || fresh.Stopped != n.stopped || (fresh.Bad.Len > 0) != n.broken {
			t.Errorf("verdict %v, want %v; stopped %v, bad %v; want %+v", e, want, fresh.Stopped, fresh.Bad, n)
		}
	})
}

func FuzzCauses(f *testing.F) {
	for _, g := range causes {
		f.Add(unhex(g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		at, clean := naiveTLVs(b)
		if (Causes(b).Check() == ErrNone) != clean {
			t.Errorf("Check: %v, clean %v", Causes(b).Check(), clean)
		}
		var again []byte
		i := 0
		w := Causes(b).Walk()
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			if i == len(at) || &c[0] != &b[at[i]] || c.Len() != len(c) {
				t.Fatalf("cause %x, want those at %v", c, at)
			}
			i++
			c.InvalidStream()
			c.StaleCookie()
			c.NoUserData()
			if n, e := c.MissingParams(); e == ErrNone {
				for j := range n {
					c.MissingParam(j)
				}
			}
			restored(t, c)
			again = AppendCause(again, c.Code(), c.Body())
		}
		if i != len(at) || (w.Err() == ErrNone) != clean {
			t.Errorf("%d causes, %v; want %d, clean %v", i, w.Err(), len(at), clean)
		}
		// Written again, the same causes are read.
		w = Causes(again).Walk()
		for _, pos := range at {
			c, ok := w.Next()
			n := int(binary.BigEndian.Uint16(b[pos+2:]))
			if !ok || len(c) == n && !bytes.Equal(c, b[pos:pos+n]) || len(c) != n && n <= MaxCauseInfo {
				t.Fatalf("%x written again: %x", b[pos:pos+n], c)
			}
		}
	})
}

// restored writes a cause with its own encoder and compares.
func restored(t *testing.T, c Cause) {
	var b []byte
	switch sid, e := c.InvalidStream(); {
	case e == ErrNone && len(c) == 8 && c[6] == 0 && c[7] == 0:
		b = AppendInvalidStream(nil, sid)
	default:
		if usec, e := c.StaleCookie(); e == ErrNone && len(c) == 8 {
			b = AppendStaleCookie(nil, usec)
		} else if tsn, e := c.NoUserData(); e == ErrNone && len(c) == 8 {
			b = AppendNoUserData(nil, tsn)
		} else {
			return
		}
	}
	if !bytes.Equal(b, c) {
		t.Errorf("%x written as %x", c, b)
	}
}

func FuzzSack(f *testing.F) {
	for _, g := range goldens {
		if b := unhex(g.hex); Type(b[0]) == TypeSack {
			f.Add(b)
		}
	}
	f.Add(AppendSack(nil, 1, 2, make([]GapBlock, 300), make([]TSN, 50)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, e := ParseChunk(b)
		if e != ErrNone {
			return
		}
		s, e := ParseSack(c)
		if e != ErrNone {
			if c.Type() == TypeSack && len(c) >= SackHeaderLen && e != ErrCount {
				t.Errorf("%x: %v", c, e)
			}
			return
		}
		want := SackHeaderLen + 4*(s.NumGaps()+s.NumDups())
		if want > len(c) {
			t.Fatalf("%d gaps and %d duplicates in %d bytes", s.NumGaps(), s.NumDups(), len(c))
		}
		again := reencode(nil, c)
		canon := bytes.Clone(c[:want])
		canon[1], canon[2], canon[3] = 0, byte(want>>8), byte(want)
		if !bytes.Equal(again, canon) {
			t.Errorf("%x written again: %x", canon, again)
		}
	})
}
