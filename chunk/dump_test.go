package chunk

import (
	"strings"
	"testing"
)

// The text form is read by people and compared by scripts: it is part of the
// contract.
func TestFormat(t *testing.T) {
	head := AppendHeader(nil, 38412, 5001, 0x0a0b0c0d)
	for _, c := range []struct {
		body []byte
		want string
	}{
		{AppendData(nil, Data{TSN: 1, Stream: 2, SSN: 3, PPID: 4, Flags: FlagI | FlagB | FlagE, Payload: []byte("hello")}), "DATA tsn=1 sid=2 ssn=3 ppid=4 len=5 IBE"},
		{AppendData(nil, Data{TSN: 1, Flags: FlagU}), "DATA tsn=1 sid=0 unordered ppid=0 len=0 ---"},
		{AppendSack(nil, 12, 4660, []GapBlock{{2, 3}, {5, 5}}, []TSN{19, 19}), "SACK cum=12 rwnd=4660 gaps=2-3,5-5 dups=19,19"},
		{unhex("01000014 00000001 00000000 0001 0001 00000000"), "INIT tag=0x00000001 rwnd=0 os=1 mis=1 tsn=0"},
		{unhex("0100001c 00000001 00000000 0001 0001 00000000 c1230004 0005ffff"), "INIT tag=0x00000001 rwnd=0 os=1 mis=1 tsn=0 [Parameter 0xc123] (length field beyond the end)"},
		{AppendError(nil, AppendMissingParams(nil, ParamStateCookie, ParamIPv4)), "ERROR [Missing Mandatory Parameter: State Cookie, IPv4 Address]"},
		{AppendError(nil, AppendStaleCookie(nil, 12)), "ERROR [Stale Cookie usec=12]"},
		{AppendError(nil, AppendUnrecognizedChunk(nil, Chunk{0xc5, 0, 0, 4})), "ERROR [Unrecognized Chunk Type: CHUNK 197]"},
		{AppendError(nil, AppendCause(nil, CauseUnrecognizedChunk, "")), "ERROR [Unrecognized Chunk Type]"},
		{AppendError(nil, AppendUnrecognizedParams(nil, Param{0xc1, 0x23, 0, 4})), "ERROR [Unrecognized Parameters [Parameter 0xc123]]"},
		{AppendAbort(nil, false, AppendRestartNewAddrs(nil, v4, v6)), "ABORT [Restart of an Association with New Addresses [10.0.0.1] [2001:db8::1]]"},
		{AppendAbort(nil, true, AppendCause(nil, 999, "abc")), "ABORT T [Cause 999 info=3]"},
		{AppendECNE(nil, 5), "ECNE tsn=5"},
		{AppendPad(nil, 1400), "PAD len=1400"},
		{AppendCWR(nil, 6), "CWR tsn=6"},
		{unhex("4501 0006 0000 0000"), "CHUNK 69 flags=0x01 len=6"},
		{unhex("c100 0004"), "ASCONF flags=0x00 len=4"},
		{unhex("0300 0004"), "SACK len=4 (too short)"},
		{unhex("0300 0010 00000000 00000000 ffff 0000"), "SACK len=16 (count beyond the end)"},
		{unhex("0700 0007 000000"), "SHUTDOWN len=7 (too short)"},
		{unhex("0600 0008 00050009"), "ABORT len=8 (length field beyond the end)"},
		{unhex("0400 000c 0001000400010003"), "HEARTBEAT len=12 (length field below header size)"},
		{unhex("0100 0013 000000000000000000000000000000 00"), "INIT len=19 (too short)"},
		{unhex("0900 0004"), "ERROR len=4 (too short)"},
		{unhex("0400 0008 00020004"), "HEARTBEAT len=8 (mandatory parameter missing)"},
		{unhex("0400 0004"), "HEARTBEAT len=4 (too short)"},
		{unhex("0b00 0004 0b00"), "COOKIE ACK\n  (2 bytes: trailing bytes)"},
		{unhex("0b00 0003"), "(4 bytes: length field below header size)"},
	} {
		p := append(head[:HeaderLen:HeaderLen], c.body...)
		SetChecksum(p)
		if got, want := Format(p), "38412 > 5001 tag 0x0a0b0c0d\n  "+c.want+"\n"; got != want {
			t.Errorf("got  %swant %s", got, want)
		}
		p[8]++
		if got := Format(p); !strings.HasPrefix(got, "38412 > 5001 tag 0x0a0b0c0d bad checksum\n") {
			t.Errorf("bad checksum goes unnoticed: %s", got)
		}
	}
	if got := Format(head[:5]); got != "packet of 5 bytes: too short\n" {
		t.Error(got)
	}
	if got := string(AppendChunkText(nil, Chunk{1})); got != "(too short)" {
		t.Error(got)
	}
}

// Every code point has a name of its own, and unknown ones show their number.
func TestNames(t *testing.T) {
	names := map[string]bool{}
	unique := func(s string) {
		if s == "" || names[s] {
			t.Errorf("name %q is empty or taken", s)
		}
		names[s] = true
	}
	for i := range 256 {
		unique(Type(i).String())
	}
	for i := range 0x10000 {
		unique(ParamType(i).String())
	}
	clear(names)
	for i := range 0x10000 {
		unique(CauseCode(i).String())
	}
	clear(names)
	for e := range numErr {
		unique(e.Error())
		if (e.OrNil() == nil) != (e == ErrNone) {
			t.Errorf("%v as an error: %v", e, e.OrNil())
		}
	}
	if got := Err(200).Error(); got != "sctp: unknown decoding error" {
		t.Error(got)
	}
	for got, want := range map[string]string{
		TypeInitAck.String(): "INIT ACK", Type(77).String(): "CHUNK 77", TypeIForwardTSN.String(): "I-FORWARD-TSN",
		ParamStateCookie.String(): "State Cookie", ParamType(0x1f).String(): "Parameter 0x001f",
		CauseStaleCookie.String(): "Stale Cookie", CauseCode(0).String(): "Cause 0",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestChunkSet(t *testing.T) {
	var s ChunkSet
	for _, typ := range []Type{0, 7, 8, 64, 255} {
		if s.Has(typ) {
			t.Errorf("%v is in the empty set", typ)
		}
		s.Add(typ)
	}
	n := 0
	for i := range 256 {
		if s.Has(Type(i)) {
			n++
		}
	}
	if n != 5 || !s.Has(255) || !s.Has(0) || !s.Has(64) {
		t.Errorf("%d members: %x", n, s)
	}
}
