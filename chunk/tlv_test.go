package chunk

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
)

// TestGoldenParams holds every parameter of RFC 9260 to its bytes, in both
// directions, and checks its length against every truncation.
func TestGoldenParams(t *testing.T) {
	for _, g := range []struct {
		name string
		hex  string
		enc  func(b []byte) []byte
		typ  ParamType
		body string
	}{
		// R-3.2.1-01 R-3.2.1-02
		{"Heartbeat Info", "0001 0009 6162636465 000000",
			func(b []byte) []byte { return AppendParam(b, ParamHeartbeatInfo, []byte("abcde")) },
			ParamHeartbeatInfo, "6162636465"},
		{"IPv4 Address", "0005 0008 0a000001",
			func(b []byte) []byte { return AppendAddrParam(b, v4) }, ParamIPv4, "0a000001"},
		{"IPv6 Address", "0006 0014 20010db8000000000000000000000001",
			func(b []byte) []byte { return AppendAddrParam(b, v6) }, ParamIPv6, "20010db8000000000000000000000001"},
		// R-3.3.2.1.2-01 R-3.3.2.1.2-02
		{"IPv4-mapped", "0005 0008 c000024d",
			func(b []byte) []byte { return AppendAddrParam(b, netip.MustParseAddr("::ffff:192.0.2.77")) }, ParamIPv4, "c000024d"},
		{"State Cookie", "0007 0006 ffee 0000",
			func(b []byte) []byte { return AppendCookieParam(b, []byte{0xff, 0xee}) }, ParamStateCookie, "ffee"},
		// R-3.3.3.1.2-01
		{"Unrecognized Parameter", "0008 000a c0010006ddee 0000",
			func(b []byte) []byte { return AppendUnrecognizedParam(b, unhex("c0010006ddee")) }, ParamUnrecognized, "c0010006ddee"},
		{"Cookie Preservative", "0009 0008 000003e8",
			func(b []byte) []byte { return AppendCookiePreservative(b, 1000) }, ParamCookiePreservative, "000003e8"},
		// R-3.3.2.1.5-01: the host name is not listed
		{"Supported Address Types", "000c 0008 0005 0006",
			func(b []byte) []byte { return AppendAddrTypes(b, ParamIPv4, ParamHostName, ParamIPv6) }, ParamSupportedAddrTypes, "00050006"},
		{"Supported Address Types, one", "000c 0006 0006 0000",
			func(b []byte) []byte { return AppendAddrTypes(b, ParamIPv6) }, ParamSupportedAddrTypes, "0006"},
		{"ECN Capable", "8000 0004",
			func(b []byte) []byte { return AppendParam(b, ParamECN, nil) }, ParamECN, ""},
		{"Forward-TSN-Supported", "c000 0004",
			func(b []byte) []byte { return AppendParam(b, ParamForwardTSN, nil) }, ParamForwardTSN, ""},
		{"Adaptation Layer Indication", "c006 0008 00000001",
			func(b []byte) []byte { return AppendParam32(b, ParamAdaptationLayer, 1) }, ParamAdaptationLayer, "00000001"},
		{"Supported Extensions", "8008 0007 c0 82 40 00",
			func(b []byte) []byte { return AppendSupportedExt(b, TypeForwardTSN, TypeReConfig, TypeIData) }, ParamSupportedExt, "c08240"},
	} {
		want := unhex(g.hex)
		if got := g.enc([]byte("ab")); !bytes.Equal(got[2:], want) || string(got[:2]) != "ab" {
			t.Errorf("%s: wrote %x, want %x", g.name, got[2:], want)
		}
		w := Params(want).Walk()
		p, ok := w.Next()
		if !ok || p.Type() != g.typ || p.Len() != len(p) || w.Offset() != 0 || !bytes.Equal(p.Body(), unhex(g.body)) {
			t.Errorf("%s: read %x", g.name, p)
			continue
		}
		if _, ok := w.Next(); ok || w.Err() != ErrNone || len(w.Rest()) != 0 {
			t.Errorf("%s: walk ends with %v", g.name, w.Err())
		}
		for n := 1; n < p.Len(); n++ {
			w := Params(want[:n:n]).Walk()
			if _, ok := w.Next(); ok || w.Err() == ErrNone {
				t.Errorf("%s cut to %d bytes: %v", g.name, n, w.Err())
			}
		}
	}
}

func TestParamAddr(t *testing.T) {
	for _, a := range []netip.Addr{v4, v4b, v6, netip.MustParseAddr("fe80::1%eth0")} {
		got, e := ParamAddr(AppendAddrParam(nil, a))
		if e != ErrNone || got != a.WithZone("") {
			t.Errorf("%v came back as %v, %v", a, got, e)
		}
	}
	if b := AppendAddrParam(nil, netip.Addr{}); len(b) != 0 {
		t.Errorf("the zero Addr was written as %x", b)
	}
	for _, c := range []struct {
		hex  string
		want Err
	}{
		{"", ErrShort}, {"0005 00", ErrShort},
		{"0005 0004", ErrParamLength}, {"0005 0007 0a0000", ErrParamLength},
		{"0005 000c 0a00000100000000", ErrParamLength},
		{"0006 0008 0a000001", ErrParamLength}, {"0006 0018 20010db8000000000000000000000001 00000000", ErrParamLength},
		{"0007 0008 0a000001", ErrType}, {"000b 0008 61620000", ErrType},
	} {
		if a, e := ParamAddr(Param(unhex(c.hex))); e != c.want || a.IsValid() {
			t.Errorf("%s: %v, %v", c.hex, a, e)
		}
	}
}

// R-3.2.1-04 R-3.2.1-05 R-3.2.1-06 R-3.2.1-07, R-3.2-07 R-3.2-08 R-3.2-09
// R-3.2-10: what the two top bits of a type mean.
func TestActionBits(t *testing.T) {
	for bits, want := range [4]struct{ stop, report bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		typ, p := Type(bits<<6|0x2a), ParamType(bits<<14|0x2a)
		if typ.StopOnUnknown() != want.stop || typ.ReportUnknown() != want.report {
			t.Errorf("chunk type %#x: stop %v report %v", uint8(typ), typ.StopOnUnknown(), typ.ReportUnknown())
		}
		if p.StopOnUnknown() != want.stop || p.ReportUnknown() != want.report {
			t.Errorf("parameter type %#x: stop %v report %v", uint16(p), p.StopOnUnknown(), p.ReportUnknown())
		}
	}
}

// causes holds every cause of RFC 9260 to its bytes, in both directions:
// §3.3.10.1 to §3.3.10.13.
var causes = []struct {
	code CauseCode
	hex  string
	enc  func(b []byte) []byte
	dec  func(c Cause) bool
}{
	{CauseInvalidStream, "0001 0008 0102 0000",
		func(b []byte) []byte { return AppendInvalidStream(b, 0x102) },
		func(c Cause) bool { sid, e := c.InvalidStream(); return e == ErrNone && sid == 0x102 }},
	{CauseMissingParam, "0002 000a 00000001 0007 0000",
		func(b []byte) []byte { return AppendMissingParams(b, ParamStateCookie) },
		func(c Cause) bool {
			n, e := c.MissingParams()
			return e == ErrNone && n == 1 && c.MissingParam(0) == ParamStateCookie
		}},
	{CauseMissingParam, "0002 000c 00000002 0007 c006",
		func(b []byte) []byte { return AppendMissingParams(b, ParamStateCookie, ParamAdaptationLayer) },
		func(c Cause) bool {
			n, e := c.MissingParams()
			return e == ErrNone && n == 2 && c.MissingParam(1) == ParamAdaptationLayer
		}},
	// R-3.3.10.3-01
	{CauseStaleCookie, "0003 0008 00000000",
		func(b []byte) []byte { return AppendStaleCookie(b, 0) },
		func(c Cause) bool { usec, e := c.StaleCookie(); return e == ErrNone && usec == 0 }},
	{CauseStaleCookie, "0003 0008 fffffffe",
		func(b []byte) []byte { return AppendStaleCookie(b, 0xfffffffe) },
		func(c Cause) bool { usec, e := c.StaleCookie(); return e == ErrNone && usec == 0xfffffffe }},
	{CauseOutOfResource, "0004 0004", AppendOutOfResource,
		func(c Cause) bool { return len(c.Body()) == 0 }},
	{CauseUnresolvableAddr, "0005 000c 000b 0008 61620000",
		func(b []byte) []byte { return AppendUnresolvableAddr(b, Param(unhex("000b 0008 61620000"))) },
		func(c Cause) bool { p, ok := Params(c.Body()).Find(ParamHostName); return ok && len(p) == 8 }},
	{CauseUnrecognizedChunk, "0006 000a c5 07 0006 beef 0000",
		func(b []byte) []byte { return AppendUnrecognizedChunk(b, Chunk(unhex("c5 07 0006 beef"))) },
		func(c Cause) bool {
			ch, e := ParseChunk(c.Body())
			return e == ErrNone && ch.Type() == 0xc5 && ch.Flags() == 7 && ch.Len() == 6
		}},
	{CauseInvalidMandatory, "0007 0004", AppendInvalidMandatory,
		func(c Cause) bool { return len(c.Body()) == 0 }},
	{CauseUnrecognizedParams, "0008 0011 c001 0005 aa 000000 c002 0005 bb 000000",
		func(b []byte) []byte {
			return AppendUnrecognizedParams(b, Param(unhex("c001 0005 aa")), Param(unhex("c002 0005 bb")))
		},
		func(c Cause) bool {
			p, ok := Params(c.Body()).Find(0xc002)
			return ok && p.Body()[0] == 0xbb
		}},
	{CauseNoUserData, "0009 0008 12345678",
		func(b []byte) []byte { return AppendNoUserData(b, 0x12345678) },
		func(c Cause) bool { tsn, e := c.NoUserData(); return e == ErrNone && tsn == 0x12345678 }},
	{CauseCookieInShutdown, "000a 0004", AppendCookieInShutdown,
		func(c Cause) bool { return len(c.Body()) == 0 }},
	{CauseRestartNewAddrs, "000b 0020 0005 0008 c000024d 0006 0014 20010db8000000000000000000000001",
		func(b []byte) []byte { return AppendRestartNewAddrs(b, v4b, v6) },
		func(c Cause) bool {
			p, ok := Params(c.Body()).Find(ParamIPv6)
			a, e := ParamAddr(p)
			return ok && e == ErrNone && a == v6
		}},
	{CauseUserAbort, "000c 0009 6f6f707321 000000",
		func(b []byte) []byte { return AppendUserAbort(b, "oops!") },
		func(c Cause) bool { return string(c.Body()) == "oops!" }},
	{CauseProtocolViolation, "000d 0004",
		func(b []byte) []byte { return AppendProtocolViolation(b, []byte(nil)) },
		func(c Cause) bool { return len(c.Body()) == 0 }},
	{CauseUnsupportedHMAC, "0105 0006 0003 0000",
		func(b []byte) []byte { return AppendCause(b, CauseUnsupportedHMAC, []byte{0, 3}) },
		func(c Cause) bool { return bytes.Equal(c.Body(), []byte{0, 3}) }},
}

func TestGoldenCauses(t *testing.T) {
	seen := map[CauseCode]bool{}
	for _, g := range causes {
		seen[g.code] = true
		want := unhex(g.hex)
		if got := g.enc([]byte("abc")); !bytes.Equal(got[3:], want) || string(got[:3]) != "abc" {
			t.Errorf("%v: wrote %x, want %x", g.code, got[3:], want)
		}
		w := Causes(want).Walk()
		c, ok := w.Next()
		if !ok || c.Code() != g.code || c.Len() != len(c) || !g.dec(c) {
			t.Errorf("%v: read wrongly", g.code)
			continue
		}
		if _, ok := w.Next(); ok || w.Err() != ErrNone || Causes(want).Check() != ErrNone {
			t.Errorf("%v: walk ends with %v", g.code, w.Err())
		}
		for n := 1; n < c.Len(); n++ {
			cut := Causes(want[:n:n])
			w := cut.Walk()
			if _, ok := w.Next(); ok || w.Err() == ErrNone || cut.Check() == ErrNone {
				t.Errorf("%v cut to %d bytes: %v", g.code, n, w.Err())
			}
			if n < CauseHeaderLen {
				continue
			}
			short := Cause(bytes.Clone(want[:n]))
			short[3] = byte(n)
			if fixedCause(g.code) && g.dec(short) {
				t.Errorf("%v of %d bytes was read", g.code, n)
			}
		}
	}
	for code := CauseInvalidStream; code <= CauseProtocolViolation; code++ {
		if !seen[code] {
			t.Errorf("no golden bytes for %v", code)
		}
	}
}

func fixedCause(c CauseCode) bool {
	switch c {
	case CauseInvalidStream, CauseMissingParam, CauseStaleCookie, CauseNoUserData:
		return true
	}
	return false
}

// Wrong codes, short causes and lying counts.
func TestCauseErrors(t *testing.T) {
	for _, g := range causes {
		w := Causes(unhex(g.hex)).Walk()
		c, _ := w.Next()
		for code, dec := range map[CauseCode]func() Err{
			CauseInvalidStream: func() Err { _, e := c.InvalidStream(); return e },
			CauseMissingParam:  func() Err { _, e := c.MissingParams(); return e },
			CauseStaleCookie:   func() Err { _, e := c.StaleCookie(); return e },
			CauseNoUserData:    func() Err { _, e := c.NoUserData(); return e },
		} {
			if e := dec(); (e == ErrNone) != (code == g.code) || code != g.code && e != ErrType {
				t.Errorf("%v read as %v: %v", g.code, code, e)
			}
		}
	}
	if _, e := Cause(nil).StaleCookie(); e != ErrShort {
		t.Error(e)
	}
	if _, e := Cause(unhex("0003 0004")).StaleCookie(); e != ErrParamLength {
		t.Error(e)
	}
	for _, h := range []string{"0002 0008 00000001", "0002 000a 00000002 0007", "0002 000a ffffffff 0007", "0002 000a 80000000 0007"} {
		if n, e := Cause(unhex(h)).MissingParams(); e != ErrCount || n != 0 {
			t.Errorf("%s: %d, %v", h, n, e)
		}
	}
}

// Lists in which a header lies.
func TestListErrors(t *testing.T) {
	for _, c := range []struct {
		hex  string
		n    int // elements before the error
		want Err
	}{
		{"", 0, ErrNone},
		{"00", 0, ErrTrailing},
		{"000100", 0, ErrTrailing},
		{"0001 0000", 0, ErrLength},
		{"0001 0003", 0, ErrLength},
		{"0001 0005", 0, ErrOverrun},
		{"0001 ffff 00", 0, ErrOverrun},
		{"0001 0005 00", 1, ErrNone},    // last one without padding
		{"0001 0005 00 ff", 1, ErrNone}, // with part of it
		{"0001 0005 00 000000 00", 1, ErrTrailing},
		{"0001 0004 0002 0000 0003 0004", 1, ErrLength},
		{"0001 0004 0002 0004 0003 0008", 2, ErrOverrun},
	} {
		b := unhex(c.hex)
		n := 0
		w := Params(b).Walk()
		for _, ok := w.Next(); ok; _, ok = w.Next() {
			n++
		}
		if n != c.n || w.Err() != c.want {
			t.Errorf("parameters %q: %d, %v", c.hex, n, w.Err())
		}
		n = 0
		cw := Causes(b).Walk()
		for _, ok := cw.Next(); ok; _, ok = cw.Next() {
			n++
		}
		if n != c.n || cw.Err() != c.want || Causes(b).Check() != c.want {
			t.Errorf("causes %q: %d, %v, %v", c.hex, n, cw.Err(), Causes(b).Check())
		}
	}
}

// Offsets are those of the parameters in the list.
func TestParamOffsets(t *testing.T) {
	ps := Params(unhex("0007 0005 aa 000000 0005 0008 0a000001 8000 0004"))
	w := ps.Walk()
	var at []int
	for p, ok := w.Next(); ok; p, ok = w.Next() {
		at = append(at, w.Offset())
		if !bytes.Equal(ps[w.Offset():w.Offset()+len(p)], p) {
			t.Errorf("nothing like %x at %d", p, w.Offset())
		}
	}
	if !slices.Equal(at, []int{0, 8, 16}) {
		t.Error(at)
	}
	if _, ok := ps.Find(ParamIPv6); ok {
		t.Error("found what is not there")
	}
	if _, ok := Causes(ps).Find(99); ok {
		t.Error("found what is not there")
	}
}
