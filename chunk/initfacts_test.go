package chunk

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
)

// initChunk builds an INIT or INIT ACK from raw parameters, taken as they are.
func initChunk(typ Type, params string) Chunk {
	b := AppendInit(nil, typ, Init{Tag: 7, ARwnd: 65536, OS: 10, MIS: 11, TSN: 12})
	b = append(b, unhex(params)...)
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	return b
}

// factsOf is what a chunk without parameters says.
func factsOf(typ Type) InitFacts {
	return InitFacts{Type: typ, Tag: 7, ARwnd: 65536, OS: 10, MIS: 11, TSN: 12, SupportsV4: true, SupportsV6: true}
}

func TestInitFacts(t *testing.T) {
	var f InitFacts // one value for all: nothing may be left over
	for _, c := range []struct {
		name   string
		typ    Type
		params string
		want   func(f *InitFacts)
	}{
		// R-3.3.2-04 R-3.3.2.1.2-03 R-3.3.3-26: nothing else is needed
		{"plain INIT", TypeInit, "", func(f *InitFacts) {}},
		{"plain INIT ACK", TypeInitAck, "0007 0007 616263 00", func(f *InitFacts) { f.Cookie = Span{24, 3} }},
		// R-5.1.2-04
		{"addresses", TypeInit, "0005 0008 0a000001 0006 0014 20010db8000000000000000000000001 0005 0008 c000024d", func(f *InitFacts) {
			f.NAddrs = 3
			f.Addrs[0], f.Addrs[1], f.Addrs[2] = v4, v6, v4b
		}},
		{"address twice", TypeInit, "0005 0008 0a000001 0005 0008 0a000001", func(f *InitFacts) { f.NAddrs = 1; f.Addrs[0] = v4 }},
		// R-3.3.2.1.2-01 and addresses that no endpoint has
		{"useless addresses", TypeInit, `0005 0008 00000000 0005 0008 ffffffff 0005 0008 e0000001
			0006 0014 00000000000000000000000000000000 0006 0014 ff020000000000000000000000000001
			0006 0014 00000000000000000000ffff0a000001 0005 0008 0a000001`, func(f *InitFacts) {
			f.NAddrs, f.BadAddrs = 1, 6
			f.Addrs[0] = v4
		}},
		{"loopback is the caller's business", TypeInit, "0005 0008 7f000001", func(f *InitFacts) {
			f.NAddrs = 1
			f.Addrs[0] = netip.MustParseAddr("127.0.0.1")
		}},
		{"both types", TypeInit, "000c 0008 0006 0005", func(f *InitFacts) { f.HasAddrTypes = true }},
		{"IPv4 only", TypeInit, "000c 0006 0005 0000", func(f *InitFacts) { f.HasAddrTypes, f.SupportsV6 = true, false }},
		{"IPv6 only", TypeInit, "000c 0006 0006", func(f *InitFacts) { f.HasAddrTypes, f.SupportsV4 = true, false }},
		// R-3.3.2.1.5-02
		{"host name type", TypeInit, "000c 0008 000b 0006", func(f *InitFacts) { f.HasAddrTypes, f.SupportsV4 = true, false }},
		// R-5.1.2-10: a listed address counts, whichever comes first
		{"IPv4 only, but IPv6 used", TypeInit, "000c 0006 0005 0000 0006 0014 20010db8000000000000000000000001", func(f *InitFacts) {
			f.HasAddrTypes, f.NAddrs = true, 1
			f.Addrs[0] = v6
		}},
		{"IPv6 only, but IPv4 used", TypeInit, "0005 0008 0a000001 000c 0006 0006 0000", func(f *InitFacts) {
			f.HasAddrTypes, f.NAddrs = true, 1
			f.Addrs[0] = v4
		}},
		{"preservative", TypeInit, "0009 0008 000003e8", func(f *InitFacts) { f.CookiePreservative = 1000 }},
		{"ECN", TypeInit, "8000 0004", func(f *InitFacts) { f.ECN = true }},
		{"adaptation", TypeInit, "c006 0008 00000001", func(f *InitFacts) { f.HasAdaptation, f.Adaptation = true, 1 }},
		{"extensions", TypeInit, "8008 0007 c0 82 40 00", func(f *InitFacts) {
			f.Extensions.Add(TypeForwardTSN)
			f.Extensions.Add(TypeReConfig)
			f.Extensions.Add(TypeIData)
		}},
		// known, but not supported by an endpoint without Features
		{"forward TSN", TypeInit, "c000 0004", func(f *InitFacts) {
			f.ForwardTSN, f.NUnknown = true, 1
			f.Unknown[0] = Span{20, 4}
		}},
		{"set primary", TypeInit, "c004 0010 00000001 0005 0008 0a000001", func(f *InitFacts) { f.NUnknown = 1; f.Unknown[0] = Span{20, 16} }},
		// RFC 4895, RFC 4820, RFC 9653: types that ask to be skipped
		{"to skip", TypeInit, "8001 0008 00000001 8002 0008 01020304 8003 0005 c0 000000 8004 0006 0001 0000 8005 0006 0000 0000 bfff 0004 0005 0008 0a000001", func(f *InitFacts) {
			f.NAddrs = 1
			f.Addrs[0] = v4
		}},
		// R-3.2.1-04 R-3.2.1-08: stop, and what was done stays done
		{"stop", TypeInit, "0005 0008 0a000001 000d 0004 0005 0008 c000024d", func(f *InitFacts) {
			f.Stopped, f.NAddrs = true, 1
			f.Addrs[0] = v4
		}},
		// R-3.2.1-05
		{"stop and report", TypeInit, "7fff 0005 aa 000000 c001 0004 0005 0008 c000024d", func(f *InitFacts) {
			f.Stopped, f.NUnknown = true, 1
			f.Unknown[0] = Span{20, 5}
		}},
		// R-3.2.1-06
		{"skip", TypeInit, "9fff 0005 aa 000000 0005 0008 0a000001", func(f *InitFacts) { f.NAddrs = 1; f.Addrs[0] = v4 }},
		// R-3.2.1-07 R-3.2.2-01
		{"skip and report", TypeInit, "c0de 0005 aa 000000 0005 0008 0a000001 ffff 0004", func(f *InitFacts) {
			f.NUnknown, f.NAddrs = 2, 1
			f.Unknown[0], f.Unknown[1], f.Addrs[0] = Span{20, 5}, Span{36, 4}, v4
		}},
		// Behind a stop nothing is looked at, not even a broken parameter.
		{"stop before nonsense", TypeInit, "0002 0004 0005 00ff", func(f *InitFacts) { f.Stopped = true }},
		// R-3.2.2-02: an INIT ACK stopped before its cookie lacks it
		{"stop before the cookie", TypeInitAck, "4002 0004 0007 0008 61626364", func(f *InitFacts) {
			f.Stopped, f.NUnknown, f.MissingCookie, f.Verdict = true, 1, true, ErrMissing
			f.Unknown[0] = Span{20, 4}
		}},
		{"known elsewhere", TypeInit, "0001 0008 00000000 0007 0004 0008 0008 c0010004", func(f *InitFacts) { f.Cookie = Span{32, 0} }},
		{"no cookie", TypeInitAck, "", func(f *InitFacts) { f.MissingCookie, f.Verdict = true, ErrMissing }},
		{"empty cookie", TypeInitAck, "0007 0004", func(f *InitFacts) { f.Cookie, f.MissingCookie, f.Verdict = Span{24, 0}, true, ErrMissing }},
		// R-3.3.2-01: what may occur once counts once, the first time
		{"repeated", TypeInitAck, "0007 0005 61 000000 0009 0008 00000001 0009 0008 00000002 0007 0005 62 000000 c006 0008 00000003 c006 0008 00000004", func(f *InitFacts) {
			f.Cookie, f.CookiePreservative, f.HasAdaptation, f.Adaptation, f.Repeated = Span{24, 1}, 1, true, 3, true
		}},
		{"repeated types", TypeInit, "000c 0006 0005 0000 000c 0006 0006 0000", func(f *InitFacts) { f.HasAddrTypes, f.SupportsV6, f.Repeated = true, false, true }},
		// R-3.3.2-03 R-3.3.2.1.4-02 R-3.3.3-02 R-3.3.2.1.4-03
		{"host name", TypeInit, "0005 0008 0a000001 000b 0009 6162632e00 000000", func(f *InitFacts) {
			f.NAddrs, f.HasHostName, f.HostName, f.Verdict = 1, true, Span{28, 9}, ErrHostName
			f.Addrs[0] = v4
		}},
		// Malformed parameters: those before them count.
		{"IPv4 of 12", TypeInit, "8000 0004 0005 000c 0a000001 00000000", func(f *InitFacts) { f.ECN, f.Bad, f.Verdict = true, Span{24, 12}, ErrParamLength }},
		{"IPv6 of 8", TypeInit, "0006 0008 0a000001", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 8}, ErrParamLength }},
		{"preservative of 6", TypeInit, "0009 0006 0a00", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 6}, ErrParamLength }},
		{"types of odd length", TypeInit, "000c 0007 000500 00", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 7}, ErrParamLength }},
		{"ECN with value", TypeInit, "8000 0008 00000000", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 8}, ErrParamLength }},
		{"forward TSN with value", TypeInit, "c000 0008 00000000", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 8}, ErrParamLength }},
		{"adaptation of 4", TypeInit, "c006 0004", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 4}, ErrParamLength }},
		{"length 0", TypeInit, "8000 0004 0005 0000 0a000001", func(f *InitFacts) { f.ECN, f.Bad, f.Verdict = true, Span{24, 4}, ErrLength }},
		{"length 3", TypeInit, "8005 0003", func(f *InitFacts) { f.Bad, f.Verdict = Span{20, 4}, ErrLength }},
		{"overrun", TypeInit, "8000 0004 0005 0008 0a0000", func(f *InitFacts) { f.ECN, f.Bad, f.Verdict = true, Span{24, 4}, ErrOverrun }},
		{"trailing", TypeInit, "8000 0004 0005", func(f *InitFacts) { f.ECN, f.Bad, f.Verdict = true, Span{24, 2}, ErrTrailing }},
		{"malformed behind a host name", TypeInit, "000b 0004 0005 0007 0a0000", func(f *InitFacts) {
			f.HasHostName, f.HostName, f.Bad, f.Verdict = true, Span{20, 4}, Span{24, 7}, ErrParamLength
		}},
	} {
		want := factsOf(c.typ)
		c.want(&want)
		ch := initChunk(c.typ, c.params)
		if e := f.Decode(ch); e != want.Verdict {
			t.Errorf("%s: verdict %v, want %v", c.name, e, want.Verdict)
		}
		if f != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, factsText(&f), factsText(&want))
		}
		for _, s := range append([]Span{f.Cookie, f.HostName, f.Bad}, f.Unknown[:f.NUnknown]...) {
			if got := s.Of(ch); len(got) != int(s.Len) {
				t.Errorf("%s: span %v of a chunk of %d bytes", c.name, s, len(ch))
			}
		}
	}
}

func factsText(f *InitFacts) string {
	g := *f
	return fmt.Sprintf("%v %v %+v", f.Addrs[:f.NAddrs], f.Unknown[:f.NUnknown], struct {
		Verdict                                         Err
		NAddrs, NUnknown                                int
		More, Bad                                       uint16
		Cookie, Host, At                                Span
		V4, V6, Types, ECN, Fwd, Stopped, Rep, Miss, Ad bool
	}{g.Verdict, g.NAddrs, g.NUnknown, g.MoreAddrs, g.BadAddrs, g.Cookie, g.HostName, g.Bad,
		g.SupportsV4, g.SupportsV6, g.HasAddrTypes, g.ECN, g.ForwardTSN, g.Stopped, g.Repeated, g.MissingCookie, g.HasAdaptation})
}

// R-3.3.2-07 R-3.3.2-09 R-3.3.2-14 R-3.3.2-18 R-3.3.3-06 R-3.3.3-10 R-3.3.3-16
// R-3.3.3-20: the fixed fields are judged first, in the order of what the
// answer to them can be.
func TestInitFactsFixedFields(t *testing.T) {
	good := Init{Tag: 7, ARwnd: MinARwnd, OS: 1, MIS: 1, TSN: 0}
	for _, c := range []struct {
		name string
		mod  func(in *Init)
		want Err
	}{
		{"smallest", func(in *Init) {}, ErrNone},
		{"largest", func(in *Init) { *in = Init{Tag: 1<<32 - 1, ARwnd: 1<<32 - 1, OS: 65535, MIS: 65535, TSN: 1<<32 - 1} }, ErrNone},
		{"tag 0", func(in *Init) { in.Tag = 0 }, ErrZeroTag},
		{"a_rwnd 1499", func(in *Init) { in.ARwnd = MinARwnd - 1 }, ErrARwnd},
		{"a_rwnd 0", func(in *Init) { in.ARwnd = 0 }, ErrARwnd},
		{"OS 0", func(in *Init) { in.OS = 0 }, ErrZeroStreams},
		{"MIS 0", func(in *Init) { in.MIS = 0 }, ErrZeroStreams},
		{"all wrong", func(in *Init) { *in = Init{Params: unhex("0005 00ff")} }, ErrZeroTag},
		{"rwnd before streams", func(in *Init) { in.ARwnd, in.OS = 0, 0 }, ErrARwnd},
		{"streams before format", func(in *Init) { in.OS, in.Params = 0, unhex("0005 00ff") }, ErrZeroStreams},
		{"format before host name", func(in *Init) { in.Params = unhex("000b 0004 0005 00ff") }, ErrOverrun},
	} {
		for _, typ := range []Type{TypeInit, TypeInitAck} {
			in := good
			if typ == TypeInitAck {
				in.Params = AppendCookieParam(nil, info)
			}
			c.mod(&in)
			if typ == TypeInitAck && c.want == ErrNone {
				in.Params = AppendCookieParam(nil, info)
			}
			var f InitFacts
			e := f.Decode(AppendInit(nil, typ, in))
			if e != c.want || f.Verdict != e || f.Tag != in.Tag || f.ARwnd != in.ARwnd || f.OS != in.OS || f.MIS != in.MIS || f.TSN != in.TSN || f.Type != typ {
				t.Errorf("%v %s: %v, %+v", typ, c.name, e, f)
			}
		}
	}
}

// What is no INIT tells nothing, and leaves nothing of the chunk before it.
func TestInitFactsNoInit(t *testing.T) {
	var f InitFacts
	f.Features = FeatureForwardTSN
	for _, c := range []struct {
		c    Chunk
		want Err
	}{
		{nil, ErrShort}, {Chunk(unhex("0100")), ErrShort}, {initChunk(TypeInit, "")[:InitLen-1], ErrShort},
		{Chunk(unhex("0300 0010 00000001 00000002 0000 0000 00000000")), ErrType},
	} {
		f.Decode(initChunk(TypeInit, "0005 0008 0a000001 c0de 0004 000b 0004"))
		if e := f.Decode(c.c); e != c.want || f.Verdict != e {
			t.Errorf("%x: %v", c.c, e)
		}
		if (f != InitFacts{Features: FeatureForwardTSN, Verdict: c.want}) {
			t.Errorf("%x: left over: %s", c.c, factsText(&f))
		}
	}
}

// Features take parameters off the list of those to report, and nothing else.
func TestInitFactsFeatures(t *testing.T) {
	c := initChunk(TypeInit, "c000 0004 c004 0010 00000001 0005 0008 0a000001 c0de 0004")
	for feat, want := range map[Features]int{0: 3, FeatureForwardTSN: 2, FeatureSetPrimary: 2, FeatureForwardTSN | FeatureSetPrimary: 1} {
		f := InitFacts{Features: feat}
		if e := f.Decode(c); e != ErrNone || f.NUnknown != want || !f.ForwardTSN || f.Features != feat {
			t.Errorf("features %b: %v, %d to report", feat, e, f.NUnknown)
		}
	}
}

// Bug classes C and E: lists are bounded, and what is beyond is counted.
func TestInitFactsBounds(t *testing.T) {
	b, m := BeginInit(nil, TypeInit, Init{Tag: 1, ARwnd: 9999, OS: 1, MIS: 1})
	for i := range 1000 {
		b = AppendAddrParam(b, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		b = AppendParam(b, 0xff00, nil)
	}
	var f InitFacts
	if e := f.Decode(End(b, m)); e != ErrNone {
		t.Fatal(e)
	}
	if f.NAddrs != MaxAddrs || f.MoreAddrs != 1000-MaxAddrs || f.Addrs[31] != netip.MustParseAddr("10.0.0.31") {
		t.Errorf("%d addresses and %d more", f.NAddrs, f.MoreAddrs)
	}
	if f.NUnknown != MaxUnknown || f.MoreUnknown != 1000-MaxUnknown {
		t.Errorf("%d unknown and %d more", f.NUnknown, f.MoreUnknown)
	}
	// R-3.3.3-24: an INIT ACK as large as a chunk can be
	cookie := make([]byte, MaxChunkLen-InitLen-ParamHeaderLen)
	c := AppendInit(nil, TypeInitAck, Init{Tag: 1, ARwnd: 9999, OS: 1, MIS: 1, Params: AppendCookieParam(nil, cookie)})
	w := Walk(c)
	ch, _ := w.Next()
	if e := f.Decode(ch); e != ErrNone || len(f.Cookie.Of(ch)) != len(cookie) {
		t.Errorf("cookie of %d bytes: %v, %v", len(cookie), e, f.Cookie)
	}
	if (Span{65535, 65535}).Of(ch) != nil || (Span{0, 1}).Of(nil) != nil {
		t.Error("a span outside of the chunk has bytes")
	}
}

// TestInitParams: the parameters stand behind the fixed fields. R-3.3.2.1-01
func TestInitParams(t *testing.T) {
	params := AppendAddrTypes(AppendCookieParam(nil, []byte("cookie")), ParamIPv4)
	b := AppendInit([]byte("in front"), TypeInitAck, Init{Tag: 1, ARwnd: 2, OS: 3, MIS: 4, TSN: 5, Params: params})
	in, e := ParseInit(Chunk(b[len("in front"):]))
	if e != ErrNone || in.Tag != 1 || in.ARwnd != 2 || in.OS != 3 || in.MIS != 4 || in.TSN != 5 || !bytes.Equal(in.Params, params) {
		t.Errorf("%v, %+v", e, in)
	}
}
