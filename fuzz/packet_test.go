package fuzz

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/gosctp/gosctp/chunk"
)

// packet is all that a packet says, copied out of its bytes.
type packet struct {
	src, dst uint16
	tag      chunk.VTag
	chunks   []any
}

// What the chunks say that need more than one number.
type (
	initChunk struct {
		typ     chunk.Type
		tag     chunk.VTag
		arwnd   uint32
		os, mis uint16
		tsn     chunk.TSN
		params  []tlv
	}
	sackChunk struct {
		cum   chunk.TSN
		arwnd uint32
		gaps  []chunk.GapBlock
		dups  []chunk.TSN
	}
	tlv struct {
		typ  uint16
		body string
	}
	causeChunk struct {
		typ       chunk.Type
		reflected bool
		causes    []tlv
	}
	bytesChunk struct { // COOKIE ECHO, HEARTBEAT, HEARTBEAT ACK
		typ  chunk.Type
		body string
	}
	tsnChunk struct { // SHUTDOWN, ECNE, CWR
		typ chunk.Type
		tsn chunk.TSN
	}
	emptyChunk struct {
		typ       chunk.Type
		reflected bool
	}
	otherChunk struct {
		typ   chunk.Type
		flags uint8
		body  string
	}
)

func params(ps chunk.Params) (out []tlv) {
	w := ps.Walk()
	for p, ok := w.Next(); ok; p, ok = w.Next() {
		out = append(out, tlv{uint16(p.Type()), string(p.Body())})
	}
	return out
}

func causes(cs chunk.Causes) (out []tlv) {
	w := cs.Walk()
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		out = append(out, tlv{uint16(c.Code()), string(c.Body())})
	}
	return out
}

// read returns what c says, nil when it is malformed; Check and the decoders
// must be of one mind about that.
func read(t *testing.T, c chunk.Chunk) any {
	want := c.Check()
	agreed := func(e chunk.Err) bool {
		if e == chunk.ErrNone && want != e || e != chunk.ErrNone && want == chunk.ErrNone {
			t.Errorf("Check: %v, decoder: %v of %x", want, e, []byte(c))
		}
		return e == chunk.ErrNone
	}
	typ := c.Type()
	switch typ {
	case chunk.TypeData:
		if d, e := chunk.ParseData(c); agreed(e) {
			d.Payload = append([]byte{}, d.Payload...)
			return d
		}
	case chunk.TypeInit, chunk.TypeInitAck:
		if in, e := chunk.ParseInit(c); e == chunk.ErrNone && want == e {
			return initChunk{typ, in.Tag, in.ARwnd, in.OS, in.MIS, in.TSN, params(in.Params)}
		}
	case chunk.TypeSack:
		if s, e := chunk.ParseSack(c); agreed(e) {
			out := sackChunk{cum: s.CumTSN, arwnd: s.ARwnd}
			for i := range s.NumGaps() {
				start, end := s.Gap(i)
				out.gaps = append(out.gaps, chunk.GapBlock{Start: start, End: end})
			}
			for i := range s.NumDups() {
				out.dups = append(out.dups, s.Dup(i))
			}
			return out
		}
	case chunk.TypeHeartbeat:
		if p, e := chunk.ParseHeartbeat(c); e == chunk.ErrNone {
			return bytesChunk{typ, string(p.Body())}
		}
	case chunk.TypeHeartbeatAck:
		if _, e := chunk.ParseHeartbeat(c); e == chunk.ErrNone {
			return bytesChunk{typ, string(c.Body())}
		}
	case chunk.TypeAbort:
		if a, e := chunk.ParseAbort(c); agreed(e) {
			return causeChunk{typ, a.Reflected, causes(a.Causes)}
		}
	case chunk.TypeError:
		if cs, e := chunk.ParseError(c); agreed(e) {
			return causeChunk{typ, false, causes(cs)}
		}
	case chunk.TypeShutdown:
		if tsn, e := chunk.ParseShutdown(c); agreed(e) {
			return tsnChunk{typ, tsn}
		}
	case chunk.TypeECNE:
		if tsn, e := chunk.ParseECNE(c); agreed(e) {
			return tsnChunk{typ, tsn}
		}
	case chunk.TypeCWR:
		if tsn, e := chunk.ParseCWR(c); agreed(e) {
			return tsnChunk{typ, tsn}
		}
	case chunk.TypeCookieEcho:
		if cookie, e := chunk.ParseCookieEcho(c); agreed(e) {
			return bytesChunk{typ, string(cookie)}
		}
	case chunk.TypeShutdownAck, chunk.TypeCookieAck:
		return emptyChunk{typ, false}
	case chunk.TypeShutdownComplete:
		return emptyChunk{typ, c.Flags()&chunk.FlagT != 0}
	default:
		return otherChunk{typ, c.Flags(), string(c.Body())}
	}
	return nil
}

func parse(t *testing.T, b []byte) (p packet, e chunk.Err) {
	h, e := chunk.ParseHeader(b)
	if e != chunk.ErrNone {
		return p, e
	}
	p = packet{src: h.SrcPort, dst: h.DstPort, tag: h.VTag}
	w := chunk.Walk(b[chunk.HeaderLen:])
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		if v := read(t, c); v != nil {
			p.chunks = append(p.chunks, v)
		}
	}
	return p, w.Err()
}

// write encodes p with the encoders of package chunk.
func write(p packet) []byte {
	b := chunk.AppendHeader(nil, p.src, p.dst, p.tag)
	for _, v := range p.chunks {
		switch c := v.(type) {
		case chunk.Data:
			b = chunk.AppendData(b, c)
		case initChunk:
			var m int
			b, m = chunk.BeginInit(b, c.typ, chunk.Init{Tag: c.tag, ARwnd: c.arwnd, OS: c.os, MIS: c.mis, TSN: c.tsn})
			b = chunk.End(appendParams(b, c.params), m)
		case sackChunk:
			b = chunk.AppendSack(b, c.cum, c.arwnd, c.gaps, c.dups)
		case causeChunk:
			var cs chunk.Causes
			for _, x := range c.causes {
				cs = chunk.AppendCause(cs, chunk.CauseCode(x.typ), x.body)
			}
			if c.typ == chunk.TypeAbort {
				b = chunk.AppendAbort(b, c.reflected, cs)
			} else {
				b = chunk.AppendError(b, cs)
			}
		case bytesChunk:
			switch c.typ {
			case chunk.TypeCookieEcho:
				b = chunk.AppendCookieEcho(b, []byte(c.body))
			case chunk.TypeHeartbeat:
				b = chunk.AppendHeartbeat(b, []byte(c.body))
			case chunk.TypeHeartbeatAck:
				hb := append(chunk.Chunk{byte(chunk.TypeHeartbeat), 0, 0, 0}, c.body...)
				b = chunk.AppendHeartbeatAck(b, hb)
			}
		case tsnChunk:
			switch c.typ {
			case chunk.TypeShutdown:
				b = chunk.AppendShutdown(b, c.tsn)
			case chunk.TypeECNE:
				b = chunk.AppendECNE(b, c.tsn)
			case chunk.TypeCWR:
				b = chunk.AppendCWR(b, c.tsn)
			}
		case emptyChunk:
			switch c.typ {
			case chunk.TypeShutdownAck:
				b = chunk.AppendShutdownAck(b)
			case chunk.TypeCookieAck:
				b = chunk.AppendCookieAck(b)
			case chunk.TypeShutdownComplete:
				b = chunk.AppendShutdownComplete(b, c.reflected)
			}
		case otherChunk:
			var m int
			b, m = chunk.Begin(b, c.typ, c.flags)
			b = chunk.End(append(b, c.body...), m)
		}
	}
	chunk.SetChecksum(b)
	return b
}

func appendParams(b []byte, ps []tlv) []byte {
	for _, p := range ps {
		b = chunk.AppendParam(b, chunk.ParamType(p.typ), []byte(p.body))
	}
	return b
}

// FuzzPacket reads a packet, writes what it read, and reads that: both
// readings must say the same, and the second writing must be the first.
func FuzzPacket(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 65535 {
			return
		}
		was := bytes.Clone(b)
		p, e := parse(t, b)
		text := chunk.Format(b)
		chunk.VerifyChecksum(b)
		if !bytes.Equal(b, was) {
			t.Fatal("reading wrote")
		}
		if e != chunk.ErrNone && len(b) < chunk.HeaderLen {
			return
		}
		// A RE-CONFIG or ASCONF loses the padding it counted; all others are
		// stable from the first writing on.
		again := write(p)
		if len(again)%4 != 0 || !chunk.VerifyChecksum(again) {
			t.Fatalf("%s written as %x", text, again)
		}
		p2, e := parse(t, again)
		if e != chunk.ErrNone {
			t.Fatalf("%s written as %x: %v", text, again, e)
		}
		p.forgetPadding()
		p2.forgetPadding()
		if !reflect.DeepEqual(p, p2) {
			t.Fatalf("read\n%+v\nwritten and read\n%+v", p, p2)
		}
		if third := write(p2); !bytes.Equal(third, again) {
			t.Fatalf("written twice:\n%x\n%x", again, third)
		}
		askGopacket(t, again)
	})
}

// forgetPadding takes from chunks that are lists to us, but opaque here, the
// padding that their last element may carry.
func (p *packet) forgetPadding() {
	for i, v := range p.chunks {
		c, ok := v.(otherChunk)
		skip := 0
		switch {
		case !ok:
			continue
		case c.typ == chunk.TypeASCONF, c.typ == chunk.TypeASCONFAck:
			skip = 4
		case c.typ != chunk.TypeReConfig:
			continue
		}
		if len(c.body) <= skip {
			continue
		}
		end := 0
		w := chunk.Params(c.body[skip:]).Walk()
		for q, ok := w.Next(); ok; q, ok = w.Next() {
			end = w.Offset() + len(q)
		}
		if w.Err() == chunk.ErrNone {
			c.body = c.body[:skip+end]
			p.chunks[i] = c
		}
	}
}

// askGopacket compares the first chunk with what gopacket makes of it, where
// gopacket follows RFC 9260: DATA, INIT, INIT ACK, SHUTDOWN.
func askGopacket(t *testing.T, b []byte) {
	w := chunk.Walk(b[chunk.HeaderLen:])
	c, ok := w.Next()
	if !ok || w.Rest() {
		return
	}
	switch c.Type() {
	case chunk.TypeData, chunk.TypeInit, chunk.TypeInitAck, chunk.TypeShutdown:
	default:
		return
	}
	p := gopacket.NewPacket(b, layers.LayerTypeSCTP, gopacket.Default)
	if len(p.Layers()) < 2 {
		t.Fatalf("gopacket reads nothing of %s", chunk.Format(b))
	}
	same := false
	switch l := p.Layers()[1].(type) {
	case *layers.SCTPData:
		d, _ := chunk.ParseData(c)
		same = uint32(d.TSN) == l.TSN && uint16(d.Stream) == l.StreamId && uint16(d.SSN) == l.StreamSequence &&
			uint32(d.PPID) == uint32(l.PayloadProtocol) && d.Begins() == l.BeginFragment && d.Ends() == l.EndFragment
	case *layers.SCTPInit:
		in, _ := chunk.ParseInit(c)
		same = uint32(in.Tag) == l.InitiateTag && in.ARwnd == l.AdvertisedReceiverWindowCredit && in.OS == l.OutboundStreams &&
			in.MIS == l.InboundStreams && uint32(in.TSN) == l.InitialTSN && len(params(in.Params)) == len(l.Parameters)
	case *layers.SCTPShutdown:
		tsn, _ := chunk.ParseShutdown(c)
		same = uint32(tsn) == l.CumulativeTSNAck
	}
	if !same {
		t.Errorf("gopacket reads %+v\nwe read %s", p.Layers()[1], chunk.Format(b))
	}
}

// facts is what InitFacts says without saying where it stands.
type facts struct {
	verdict                          chunk.Err
	addrs                            []netip.Addr
	cookie, hostName                 string
	unknown                          []string
	v4, v6, types, ecn, fwd, adapt   bool
	stopped, repeated, missing       bool
	adaptation, preservative         uint32
	extensions                       chunk.ChunkSet
	moreAddrs, badAddrs, moreUnknown uint16
}

func factsOf(f *chunk.InitFacts, c chunk.Chunk) facts {
	out := facts{
		verdict: f.Verdict, addrs: slices.Clone(f.Addrs[:f.NAddrs]),
		cookie: string(f.Cookie.Of(c)), hostName: string(f.HostName.Of(c)),
		v4: f.SupportsV4, v6: f.SupportsV6, types: f.HasAddrTypes, ecn: f.ECN, fwd: f.ForwardTSN, adapt: f.HasAdaptation,
		stopped: f.Stopped, repeated: f.Repeated, missing: f.MissingCookie,
		adaptation: f.Adaptation, preservative: f.CookiePreservative, extensions: f.Extensions,
		moreAddrs: f.MoreAddrs, badAddrs: f.BadAddrs, moreUnknown: f.MoreUnknown,
	}
	for _, s := range f.Unknown[:f.NUnknown] {
		out.unknown = append(out.unknown, string(s.Of(c)))
	}
	return out
}

// FuzzParams puts a list of parameters into an INIT and an INIT ACK, both as it
// is and written again parameter by parameter: the facts must be the same.
func FuzzParams(f *testing.F) {
	var used chunk.InitFacts
	f.Fuzz(func(t *testing.T, list []byte) {
		if len(list) > chunk.MaxChunkLen-chunk.InitLen-4 {
			return
		}
		again := appendParams(nil, params(list))
		if !reflect.DeepEqual(params(again), params(list)) {
			t.Fatalf("%x written again: %x", list, again)
		}
		if w := chunk.Params(again).Walk(); len(again) > 0 {
			for _, ok := w.Next(); ok; _, ok = w.Next() {
			}
			if w.Err() != chunk.ErrNone {
				t.Fatalf("%x: %v", again, w.Err())
			}
		}
		w := chunk.Params(list).Walk()
		for p, ok := w.Next(); ok; p, ok = w.Next() {
			if a, e := chunk.ParamAddr(p); e == chunk.ErrNone && !a.Is4In6() {
				if b := chunk.AppendAddrParam(nil, a); !bytes.Equal(b, p) {
					t.Errorf("address %v: %x written as %x", a, p, b)
				}
			}
			if q, ok := chunk.Params(list).Find(p.Type()); !ok || q.Type() != p.Type() {
				t.Errorf("%v is not found", p.Type())
			}
		}
		broken := w.Err() != chunk.ErrNone
		for _, typ := range []chunk.Type{chunk.TypeInit, chunk.TypeInitAck} {
			in := chunk.Init{Tag: 1, ARwnd: 1500, OS: 1, MIS: 1, Params: list}
			one := chunk.Chunk(chunk.AppendInit(nil, typ, in))
			in.Params = again
			two := chunk.Chunk(chunk.AppendInit(nil, typ, in))
			one, two = one[:one.Len()], two[:two.Len()]
			e1 := used.Decode(one)
			f1 := factsOf(&used, one)
			e2 := used.Decode(two)
			f2 := factsOf(&used, two)
			if broken && !f1.stopped {
				// What cannot be walked cannot be written again; what was
				// taken in before must be the same all the same.
				if e1 == chunk.ErrNone || e1 == chunk.ErrHostName || e1 == chunk.ErrMissing {
					t.Errorf("%x: %v", list, e1)
				}
				f1.verdict = f2.verdict
			} else if e1 != e2 {
				t.Errorf("%x: %v, written again %v", list, e1, e2)
			}
			if !reflect.DeepEqual(f1, f2) {
				t.Errorf("%v of %x:\n%+v\n%+v", typ, list, f1, f2)
			}
		}
	})
}
