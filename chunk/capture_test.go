package chunk

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// capture is one packet of another implementation.
type capture struct {
	from   string
	packet []byte
	text   string
}

// captures reads testdata/captures.txt.
func captures(tb testing.TB) []capture {
	raw, err := os.ReadFile("testdata/captures.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var out []capture
	for block := range strings.SplitSeq(string(raw), "\n\n") {
		var c capture
		var digits strings.Builder
		for line := range strings.Lines(block) {
			switch trimmed := strings.TrimSpace(line); {
			case strings.HasPrefix(line, ";"), trimmed == "":
			case strings.HasPrefix(line, "# "):
				c.from = strings.TrimPrefix(trimmed, "# ")
			case c.text == "" && strings.Trim(trimmed, "0123456789abcdef") == "":
				digits.WriteString(trimmed)
			default:
				c.text += strings.TrimRight(line, "\n") + "\n"
			}
		}
		if digits.Len() == 0 {
			continue
		}
		if c.packet, err = hex.DecodeString(digits.String()); err != nil {
			tb.Fatal(err)
		}
		out = append(out, c)
	}
	if len(out) < 30 {
		tb.Fatalf("%d captured packets", len(out))
	}
	return out
}

// reencode writes the chunk that c reads as.
func reencode(b []byte, c Chunk) []byte {
	switch c.Type() {
	case TypeData:
		d, _ := ParseData(c)
		return AppendData(b, d)
	case TypeInit, TypeInitAck:
		in, _ := ParseInit(c)
		typ := c.Type()
		b, m := BeginInit(b, typ, in)
		w := in.Params.Walk()
		for p, ok := w.Next(); ok; p, ok = w.Next() {
			if a, e := ParamAddr(p); e == ErrNone {
				b = AppendAddrParam(b, a)
			} else {
				b = AppendParam(b, p.Type(), p.Body())
			}
		}
		return End(b, m)
	case TypeSack:
		s, _ := ParseSack(c)
		var gaps []GapBlock
		var dups []TSN
		for i := range s.NumGaps() {
			start, end := s.Gap(i)
			gaps = append(gaps, GapBlock{start, end})
		}
		for i := range s.NumDups() {
			dups = append(dups, s.Dup(i))
		}
		return AppendSack(b, s.CumTSN, s.ARwnd, gaps, dups)
	case TypeHeartbeat:
		p, _ := ParseHeartbeat(c)
		return AppendHeartbeat(b, p.Body())
	case TypeHeartbeatAck:
		return AppendHeartbeatAck(b, c)
	case TypeAbort, TypeError:
		typ := c.Type()
		b, m := Begin(b, typ, c.Flags())
		w := Causes(c.Body()).Walk()
		for cause, ok := w.Next(); ok; cause, ok = w.Next() {
			b = AppendCause(b, cause.Code(), cause.Body())
		}
		return End(b, m)
	case TypeShutdown:
		tsn, _ := ParseShutdown(c)
		return AppendShutdown(b, tsn)
	case TypeShutdownAck:
		return AppendShutdownAck(b)
	case TypeCookieEcho:
		cookie, _ := ParseCookieEcho(c)
		return AppendCookieEcho(b, cookie)
	case TypeCookieAck:
		return AppendCookieAck(b)
	case TypeShutdownComplete:
		return AppendShutdownComplete(b, c.Flags()&FlagT != 0)
	}
	return append(b, c...)
}

// Packets of the Linux kernel and of usrsctp: read, and written again byte by
// byte as they wrote them, checksum included.
func TestCaptures(t *testing.T) {
	var seen ChunkSet
	for _, c := range captures(t) {
		if !VerifyChecksum(c.packet) {
			t.Errorf("bad checksum:\n%s", c.text)
		}
		if got := Format(c.packet); got != c.text {
			t.Errorf("%s:\n%swant\n%s", c.from, got, c.text)
		}
		h, e := ParseHeader(c.packet)
		if e != ErrNone {
			t.Fatal(e)
		}
		again := AppendHeader(nil, h.SrcPort, h.DstPort, h.VTag)
		w := Walk(c.packet[HeaderLen:])
		for ch, ok := w.Next(); ok; ch, ok = w.Next() {
			seen.Add(ch.Type())
			if e := ch.Check(); e != ErrNone {
				t.Errorf("%v in\n%s", e, c.text)
			}
			again = reencode(again, ch)
		}
		if w.Err() != ErrNone {
			t.Errorf("%v in\n%s", w.Err(), c.text)
		}
		if SetChecksum(again); !bytes.Equal(again, c.packet) {
			t.Errorf("%s:\n%swrote %x\nread  %x", c.from, c.text, again, c.packet)
		}
		// R-6.8-04, and every truncation: whatever is left, no panic, and no
		// chunk that was not there.
		for n := range c.packet {
			w, full := Walk(c.packet[HeaderLen:max(n, HeaderLen)]), Walk(c.packet[HeaderLen:])
			for ch, ok := w.Next(); ok; ch, ok = w.Next() {
				if whole, _ := full.Next(); !bytes.Equal(whole, ch) {
					t.Fatalf("cut to %d bytes: chunk %x", n, ch)
				}
			}
			Format(c.packet[:n])
			if VerifyChecksum(c.packet[:n]) {
				t.Errorf("cut to %d bytes, the checksum of %x holds", n, c.packet)
			}
		}
	}
	for _, typ := range []Type{TypeData, TypeInit, TypeInitAck, TypeSack, TypeHeartbeat, TypeHeartbeatAck, TypeAbort,
		TypeShutdown, TypeShutdownAck, TypeError, TypeCookieEcho, TypeCookieAck, TypeShutdownComplete} {
		if !seen.Has(typ) {
			t.Errorf("no captured %v", typ)
		}
	}
}

// What the kernel's and usrsctp's INIT and INIT ACK say.
func TestCapturedInitFacts(t *testing.T) {
	var f InitFacts
	n := map[Type]int{}
	for _, c := range captures(t) {
		w := Walk(c.packet[HeaderLen:])
		ch, _ := w.Next()
		if ch.Type() != TypeInit && ch.Type() != TypeInitAck {
			continue
		}
		n[ch.Type()]++
		if e := f.Decode(ch); e != ErrNone || f.Repeated || f.Stopped {
			t.Errorf("%v in\n%s", e, c.text)
		}
		if f.ECN != strings.Contains(c.text, "ECN") || f.ForwardTSN != strings.Contains(c.text, "Forward-TSN") ||
			f.HasAddrTypes != strings.Contains(c.text, "Address Types") || f.NAddrs != strings.Count(c.text, "[10.77.") ||
			f.Extensions.Has(TypeASCONF) != strings.Contains(c.text, "Supported Extensions") ||
			f.MissingCookie || (f.Cookie.Len > 0) != (ch.Type() == TypeInitAck) {
			t.Errorf("%s of\n%s", factsText(&f), c.text)
		}
		if want := strings.Count(c.text, "[Forward-TSN"); f.NUnknown != want {
			t.Errorf("%d parameters to report of\n%s", f.NUnknown, c.text)
		}
	}
	if n[TypeInit] < 2 || n[TypeInitAck] < 3 {
		t.Error("too few:", n)
	}
}
