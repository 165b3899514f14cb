package chunk

import (
	"bytes"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// gopacket's SCTP layer as an independent reading and writing of the format.
// Where it differs from RFC 9260 the tests go around it: it takes a Gap Ack
// Block for two bytes, does not know ECNE and CWR, decodes nothing behind a DATA chunk, and fails on an
// ERROR or HEARTBEAT whose last parameter is not a multiple of four long.

// decode returns gopacket's layers of an SCTP packet.
func decode(t *testing.T, packet []byte) []gopacket.Layer {
	t.Helper()
	p := gopacket.NewPacket(packet, layers.LayerTypeSCTP, gopacket.Default)
	if fail := p.Layer(gopacket.LayerTypeDecodeFailure); fail != nil {
		t.Fatalf("gopacket: %v\n%s", p.ErrorLayer().Error(), Format(packet))
	}
	return p.Layers()
}

// serialize returns the packet that gopacket makes of layers, with checksum.
func serialize(t *testing.T, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	head := &layers.SCTP{SrcPort: 5000, DstPort: 5001, VerificationTag: 0xcafebabe}
	all := append([]gopacket.SerializableLayer{head}, ls...)
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// sameTLV compares a list of ours with gopacket's reading of it.
func sameTLV(t *testing.T, name string, ours []byte, theirs []layers.SCTPParameter) {
	t.Helper()
	w := Params(ours).Walk()
	i := 0
	for p, ok := w.Next(); ok; p, ok = w.Next() {
		if i == len(theirs) || uint16(p.Type()) != theirs[i].Type || !bytes.Equal(p.Body(), theirs[i].Value) {
			t.Errorf("%s: %d. parameter %x, gopacket %+v", name, i, p, theirs)
			return
		}
		i++
	}
	if i != len(theirs) || w.Err() != ErrNone {
		t.Errorf("%s: %d parameters, gopacket %d", name, i, len(theirs))
	}
}

// agree compares what we and gopacket read of one chunk.
func agree(t *testing.T, c Chunk, l gopacket.Layer) {
	t.Helper()
	var head layers.SCTPChunk
	switch l := l.(type) {
	case *layers.SCTPData:
		head = l.SCTPChunk
		d, e := ParseData(c)
		if e != ErrNone || uint32(d.TSN) != l.TSN || uint16(d.Stream) != l.StreamId || uint16(d.SSN) != l.StreamSequence ||
			uint32(d.PPID) != uint32(l.PayloadProtocol) || d.Begins() != l.BeginFragment || d.Ends() != l.EndFragment || d.Unordered() != l.Unordered {
			t.Errorf("DATA %+v, gopacket %+v", d, l)
		}
		if !bytes.HasPrefix(l.Payload, d.Payload) {
			t.Errorf("user data %x, gopacket %x", d.Payload, l.Payload)
		}
	case *layers.SCTPInit:
		head = l.SCTPChunk
		in, e := ParseInit(c)
		if e != ErrNone || uint32(in.Tag) != l.InitiateTag || in.ARwnd != l.AdvertisedReceiverWindowCredit ||
			in.OS != l.OutboundStreams || in.MIS != l.InboundStreams || uint32(in.TSN) != l.InitialTSN {
			t.Errorf("INIT %+v, gopacket %+v", in, l)
		}
		var ps []layers.SCTPParameter
		for _, p := range l.Parameters {
			ps = append(ps, layers.SCTPParameter(p))
		}
		sameTLV(t, c.Type().String(), in.Params, ps)
	case *layers.SCTPSack:
		head = l.SCTPChunk
		s, e := ParseSack(c)
		if e != ErrNone || uint32(s.CumTSN) != l.CumulativeTSNAck || s.ARwnd != l.AdvertisedReceiverWindowCredit ||
			s.NumGaps() != int(l.NumGapACKs) || s.NumDups() != int(l.NumDuplicateTSNs) {
			t.Errorf("SACK %+v, gopacket %+v", s, l)
		}
		for i := range s.NumDups() {
			if s.NumGaps() == 0 && uint32(s.Dup(i)) != l.DuplicateTSNs[i] {
				t.Errorf("duplicate %d, gopacket %v", s.Dup(i), l.DuplicateTSNs)
			}
		}
	case *layers.SCTPHeartbeat:
		head = l.SCTPChunk
		var ps []layers.SCTPParameter
		for _, p := range l.Parameters {
			ps = append(ps, layers.SCTPParameter(p))
		}
		sameTLV(t, c.Type().String(), c.Body(), ps)
	case *layers.SCTPError:
		head = l.SCTPChunk
		var ps []layers.SCTPParameter
		for _, p := range l.Parameters {
			ps = append(ps, layers.SCTPParameter(p))
		}
		sameTLV(t, c.Type().String(), c.Body(), ps)
	case *layers.SCTPShutdown:
		head = l.SCTPChunk
		if cum, e := ParseShutdown(c); e != ErrNone || uint32(cum) != l.CumulativeTSNAck {
			t.Errorf("SHUTDOWN %d, gopacket %+v", cum, l)
		}
	case *layers.SCTPShutdownAck:
		head = l.SCTPChunk
	case *layers.SCTPCookieEcho:
		head = l.SCTPChunk
		if cookie, e := ParseCookieEcho(c); e != ErrNone || !bytes.Equal(cookie, l.Cookie) {
			t.Errorf("cookie %x, gopacket %x", cookie, l.Cookie)
		}
	case *layers.SCTPEmptyLayer:
		head = l.SCTPChunk
	case *layers.SCTPUnknownChunkType:
		head = l.SCTPChunk
	default:
		t.Errorf("gopacket reads %v as %T", c.Type(), l)
		return
	}
	if uint8(c.Type()) != uint8(head.Type) || c.Flags() != head.Flags || c.Len() != int(head.Length) {
		t.Errorf("chunk %v %#x %d, gopacket %v %#x %d", c.Type(), c.Flags(), c.Len(), head.Type, head.Flags, head.Length)
	}
}

// oracleReads says whether gopacket can read the chunk at all; see above.
func oracleReads(c Chunk) bool {
	switch c.Type() {
	case TypeHeartbeat, TypeHeartbeatAck, TypeAbort, TypeError:
		return len(c)%4 == 0
	case TypeSack:
		s, _ := ParseSack(c)
		return s.NumGaps() == 0 // otherwise the lists are misread
	case TypeECNE, TypeCWR, TypePad:
		return false
	}
	return true
}

// What we write, gopacket reads as we do: golden bytes and captured packets.
func TestOracleReadsOurs(t *testing.T) {
	var packets [][]byte
	for _, g := range goldens {
		packets = append(packets, g.enc(AppendHeader(nil, 5000, 5001, 0xcafebabe)))
	}
	for _, c := range captures(t) {
		packets = append(packets, c.packet)
	}
	compared := 0
	for _, p := range packets {
		w := Walk(p[HeaderLen:])
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			if !oracleReads(c) {
				continue
			}
			// One chunk a packet: gopacket stops behind DATA.
			h, _ := ParseHeader(p)
			one := append(append(AppendHeader(nil, h.SrcPort, h.DstPort, h.VTag), c...), zeroPad[:-len(c)&3]...)
			SetChecksum(one)
			ls := decode(t, one)
			head := ls[0].(*layers.SCTP)
			if uint16(head.SrcPort) != h.SrcPort || uint16(head.DstPort) != h.DstPort || head.VerificationTag != uint32(h.VTag) {
				t.Errorf("header %+v, gopacket %+v", h, head)
			}
			agree(t, c, ls[1])
			compared++
		}
	}
	if compared < 45 {
		t.Errorf("only %d chunks compared", compared)
	}
}

// What gopacket writes, we read as it was meant, and its checksum is ours.
func TestOracleWritesForUs(t *testing.T) {
	chunkOf := func(typ Type, flags uint8) layers.SCTPChunk {
		return layers.SCTPChunk{Type: layers.SCTPChunkType(typ), Flags: flags}
	}
	for _, c := range []struct {
		name  string
		layer gopacket.SerializableLayer
		data  string
		text  string
	}{
		{"DATA", &layers.SCTPData{SCTPChunk: chunkOf(TypeData, 0), Unordered: true, BeginFragment: true, TSN: 0xfffffff0, StreamId: 3, PayloadProtocol: 46},
			"seven b", "DATA tsn=4294967280 sid=3 unordered ppid=46 len=7 -B-"},
		{"INIT", &layers.SCTPInit{SCTPChunk: chunkOf(TypeInit, 0), InitiateTag: 9, AdvertisedReceiverWindowCredit: 1500, OutboundStreams: 1, InboundStreams: 2, InitialTSN: 3,
			Parameters: []layers.SCTPInitParameter{{Type: 5, Value: []byte{10, 0, 0, 1}}, {Type: 12, Value: []byte{0, 5}}}},
			"", "INIT tag=0x00000009 rwnd=1500 os=1 mis=2 tsn=3 [10.0.0.1] [Supported Address Types 2]"},
		{"INIT ACK", &layers.SCTPInit{SCTPChunk: chunkOf(TypeInitAck, 0), InitiateTag: 9, AdvertisedReceiverWindowCredit: 1500, OutboundStreams: 1, InboundStreams: 2, InitialTSN: 3,
			Parameters: []layers.SCTPInitParameter{{Type: 7, Value: []byte("cookie")}, {Type: 6, Value: v6.AsSlice()}}},
			"", "INIT ACK tag=0x00000009 rwnd=1500 os=1 mis=2 tsn=3 [State Cookie 6] [2001:db8::1]"},
		{"SACK", &layers.SCTPSack{SCTPChunk: chunkOf(TypeSack, 0), CumulativeTSNAck: 77, AdvertisedReceiverWindowCredit: 88, DuplicateTSNs: []uint32{5, 6}},
			"", "SACK cum=77 rwnd=88 dups=5,6"},
		{"HEARTBEAT", &layers.SCTPHeartbeat{SCTPChunk: chunkOf(TypeHeartbeat, 0), Parameters: []layers.SCTPHeartbeatParameter{{Type: 1, Value: []byte("abcde")}}},
			"", "HEARTBEAT info=5"},
		{"HEARTBEAT ACK", &layers.SCTPHeartbeat{SCTPChunk: chunkOf(TypeHeartbeatAck, 0), Parameters: []layers.SCTPHeartbeatParameter{{Type: 1, Value: []byte("abcdefgh")}}},
			"", "HEARTBEAT ACK info=8"},
		{"ABORT", &layers.SCTPError{SCTPChunk: chunkOf(TypeAbort, 1), Parameters: []layers.SCTPErrorParameter{{Type: 9, Value: []byte{0, 0, 1, 0}}, {Type: 12, Value: []byte("why")}}},
			"", "ABORT T [No User Data tsn=256] [User-Initiated Abort info=3]"},
		{"ERROR", &layers.SCTPError{SCTPChunk: chunkOf(TypeError, 0), Parameters: []layers.SCTPErrorParameter{{Type: 1, Value: []byte{0, 7, 0, 0}}}},
			"", "ERROR [Invalid Stream Identifier sid=7]"},
		{"SHUTDOWN", &layers.SCTPShutdown{SCTPChunk: chunkOf(TypeShutdown, 0), CumulativeTSNAck: 5}, "", "SHUTDOWN tsn=5"},
		{"SHUTDOWN ACK", &layers.SCTPShutdownAck{SCTPChunk: chunkOf(TypeShutdownAck, 0)}, "", "SHUTDOWN ACK"},
		{"COOKIE ECHO", &layers.SCTPCookieEcho{SCTPChunk: chunkOf(TypeCookieEcho, 0), Cookie: []byte("crumb")}, "", "COOKIE ECHO cookie=5"},
		{"COOKIE ACK", &layers.SCTPEmptyLayer{SCTPChunk: chunkOf(TypeCookieAck, 0)}, "", "COOKIE ACK"},
		{"SHUTDOWN COMPLETE", &layers.SCTPEmptyLayer{SCTPChunk: chunkOf(TypeShutdownComplete, 1)}, "", "SHUTDOWN COMPLETE T"},
	} {
		p := serialize(t, c.layer, gopacket.Payload(c.data))
		if !VerifyChecksum(p) {
			t.Errorf("%s: gopacket's checksum is refused", c.name)
		}
		want := "5000 > 5001 tag 0xcafebabe\n  " + c.text + "\n"
		if got := Format(p); got != want {
			t.Errorf("%s: got %swant %s", c.name, got, want)
		}
		w := Walk(p[HeaderLen:])
		ch, ok := w.Next()
		if !ok || w.Rest() || ch.Check() != ErrNone {
			t.Errorf("%s: %v", c.name, w.Err())
			continue
		}
		// gopacket counts all padding but that of user data and cookies; ours
		// written again reads the same.
		if got := Format(reencode(AppendHeader(nil, 5000, 5001, 0xcafebabe), ch)); got != "5000 > 5001 tag 0xcafebabe bad checksum\n  "+c.text+"\n" {
			t.Errorf("%s written again: %s", c.name, got)
		}
	}
}
