package chunk

import (
	"testing"
)

// fullPacket is a packet as bulk transfer makes it: a SACK and DATA.
func fullPacket(payload, chunks int) []byte {
	b := AppendHeader(nil, 1, 2, 3)
	b = AppendSack(b, 100, 65536, []GapBlock{{2, 3}, {5, 9}}, []TSN{7})
	for i := range chunks {
		b = AppendData(b, Data{TSN: TSN(i), Flags: FlagB | FlagE, Payload: make([]byte, payload)})
	}
	SetChecksum(b)
	return b
}

// fullInit is an INIT ACK as a host with many addresses and all extensions
// sends it.
func fullInit() Chunk {
	b, m := BeginInit(nil, TypeInitAck, Init{Tag: 1, ARwnd: 65536, OS: 10, MIS: 10})
	for range 4 {
		b = AppendAddrParam(b, v4)
		b = AppendAddrParam(b, v6)
		b = AppendAddrParam(b, v4b)
	}
	b = AppendCookieParam(b, make([]byte, 200))
	b = AppendSupportedExt(b, TypeForwardTSN, TypeReConfig, TypeAuth)
	b = AppendParam(b, ParamForwardTSN, nil)
	b = AppendParam(b, ParamRandom, make([]byte, 32))
	b = AppendParam(b, 0xc0de, []byte("what?"))
	return End(b, m)
}

var sink struct {
	n int
	b bool
	e Err
}

// readPacket does with a packet what a receiver does at least.
func readPacket(p []byte) {
	h, e := ParseHeader(p)
	sink.b = e == ErrNone && h.VTag == 3
	w := Walk(p[HeaderLen:])
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		switch c.Type() {
		case TypeData:
			d, e := ParseData(c)
			sink.n += len(d.Payload) + int(d.TSN)
			sink.e = e
		case TypeSack:
			s, e := ParseSack(c)
			for i := range s.NumGaps() {
				start, end := s.Gap(i)
				sink.n += int(start) + int(end)
			}
			for i := range s.NumDups() {
				sink.n += int(s.Dup(i))
			}
			sink.e = e
		}
		sink.n += w.Offset()
	}
	sink.e = w.Err()
}

// Neither reading nor writing allocates, nor does anything that is refused.
func TestNoAllocs(t *testing.T) {
	packet, init := fullPacket(100, 12), fullInit()
	buf := make([]byte, 0, 65536)
	gaps, dups := []GapBlock{{2, 3}, {5, 9}}, []TSN{7}
	payload, cookie := make([]byte, 1400), make([]byte, 200)
	var facts InitFacts
	broken := Chunk(unhex("0100 001c 00000001 00010000 0001 0001 00000000 c1230004 0005ffff"))
	abort := AppendAbort(nil, true, AppendUserAbort(AppendOutOfResource(nil), "why"))
	for name, f := range map[string]func(){
		"checksum":     func() { sink.b = VerifyChecksum(packet); SetChecksum(packet) },
		"read packet":  func() { readPacket(packet) },
		"read garbage": func() { readPacket(init) },
		"init facts":   func() { sink.e = facts.Decode(init) },
		"broken init":  func() { sink.e = facts.Decode(broken); sink.b = sink.e.OrNil() == nil },
		"params": func() {
			w := Params(init[InitLen:]).Walk()
			for p, ok := w.Next(); ok; p, ok = w.Next() {
				a, _ := ParamAddr(p)
				sink.b = UsableAddr(a)
			}
		},
		"causes": func() {
			a, _ := ParseAbort(abort)
			c, _ := a.Causes.Find(CauseUserAbort)
			_, sink.e = c.StaleCookie()
		},
		"append data": func() {
			b := AppendData(AppendHeader(buf, 1, 2, 3), Data{TSN: 1, Payload: payload})
			SetChecksum(b)
			sink.n = len(b)
		},
		"append sack":  func() { sink.n = len(AppendSack(buf, 1, 2, gaps, dups)) },
		"append small": func() { sink.n = len(AppendShutdownComplete(AppendCookieAck(AppendShutdown(buf, 1)), true)) },
		"append init": func() {
			b, m := BeginInit(buf, TypeInitAck, Init{Tag: 1, ARwnd: 65536, OS: 10, MIS: 10})
			b = AppendAddrParam(AppendAddrParam(b, v4), v6)
			b = AppendAddrTypes(b, ParamIPv4, ParamIPv6)
			b = AppendUnrecognizedParam(AppendCookieParam(b, cookie), Param(init[20:28]))
			sink.n = len(End(b, m))
		},
		"append causes": func() {
			b, m := Begin(buf, TypeError, 0)
			b = AppendInvalidStream(b, 1)
			b = AppendMissingParams(b, ParamStateCookie)
			b = AppendUnrecognizedChunk(b, broken)
			b = AppendRestartNewAddrs(b, v4, v6)
			b = AppendProtocolViolation(b, "a reason that is longer than a small string would be")
			sink.n = len(End(b, m))
		},
		"append heartbeat": func() { sink.n = len(AppendHeartbeatAck(AppendHeartbeat(buf, cookie), init)) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkChecksum(b *testing.B) {
	for name, n := range map[string]int{"64": 64, "1480": 1480, "9000": 9000} {
		p := make([]byte, n)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				sink.n = int(Checksum(p))
			}
		})
	}
}

func BenchmarkReadPacket(b *testing.B) {
	for name, p := range map[string][]byte{"1x1400": fullPacket(1400, 1), "12x100": fullPacket(100, 12)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				readPacket(p)
			}
		})
	}
}

func BenchmarkAppendData(b *testing.B) {
	buf, payload := make([]byte, 0, 2048), make([]byte, 1400)
	b.ReportAllocs()
	for b.Loop() {
		sink.n = len(AppendData(AppendHeader(buf, 1, 2, 3), Data{TSN: 1, Payload: payload}))
	}
}

func BenchmarkAppendSack(b *testing.B) {
	buf, gaps, dups := make([]byte, 0, 2048), []GapBlock{{2, 3}, {5, 9}}, []TSN{7}
	b.ReportAllocs()
	for b.Loop() {
		sink.n = len(AppendSack(buf, 1, 2, gaps, dups))
	}
}

func BenchmarkInitFacts(b *testing.B) {
	c := fullInit()
	var f InitFacts
	b.ReportAllocs()
	for b.Loop() {
		sink.e = f.Decode(c)
	}
}
