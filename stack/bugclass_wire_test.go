package stack_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The classes of bugs that SCTP stacks have had, one test each, here those
// about bytes on the wire: A lengths, B indices, C encoders, D endless loops, I
// leaks. docs/BUGCLASSES.md says which known bug belongs to which. A panic is
// not contained in these stacks: it ends the test.

// situations brings a peer into each state of an association.
var situations = map[tcb.State]func(r *rig) *peer{
	tcb.Closed: func(r *rig) *peer {
		p := r.peer()
		p.theirs = 77
		return p
	},
	tcb.CookieWait: func(r *rig) *peer { return r.peer().dial() },
	tcb.CookieEchoed: func(r *rig) *peer {
		p := r.peer().dial()
		p.send(p.initAck(someCookie))
		r.take()
		return p
	},
	tcb.Established: func(r *rig) *peer { return r.peer().connect() },
	tcb.ShutdownPending: func(r *rig) *peer {
		p := r.peer().connect()
		p.write("unacknowledged")
		p.a.Shutdown()
		r.take()
		return p
	},
	tcb.ShutdownSent: func(r *rig) *peer {
		p := r.peer().connect()
		p.a.Shutdown()
		r.take()
		return p
	},
	tcb.ShutdownReceived: func(r *rig) *peer {
		p := r.peer().connect()
		p.write("unacknowledged")
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		r.take()
		return p
	},
	tcb.ShutdownAckSent: func(r *rig) *peer {
		p := r.peer().connect()
		p.send(chunk.AppendShutdown(nil, p.itsn-1))
		r.take()
		return p
	},
}

// everyState runs f for a peer in each state.
func everyState(t *testing.T, f func(t *testing.T, s tcb.State, p *peer)) {
	for _, s := range slices.Sorted(maps.Keys(situations)) {
		t.Run(s.String(), func(t *testing.T) {
			p := situations[s](newRig(t))
			if p.a != nil {
				p.inState(s)
			}
			f(t, s, p)
		})
	}
}

// everyKind returns a sound chunk of each kind, as p may send it, parameters
// and causes of all kinds included.
func (p *peer) everyKind() map[string][]byte {
	var params []byte
	params = chunk.AppendAddrParam(params, alt)
	params = chunk.AppendAddrTypes(params, chunk.ParamIPv4, chunk.ParamIPv6)
	params = chunk.AppendCookiePreservative(params, 1000)
	params = chunk.AppendParam(params, 0x8000, nil)
	params = chunk.AppendParam(params, 0xc001, []byte("report me"))
	var causes []byte
	causes = chunk.AppendInvalidStream(causes, 3)
	causes = chunk.AppendStaleCookie(causes, 1000)
	causes = chunk.AppendMissingParams(causes, chunk.ParamStateCookie)
	causes = chunk.AppendNoUserData(causes, 7)
	causes = chunk.AppendProtocolViolation(causes, []byte("why"))
	return map[string][]byte{
		"DATA":              piece(p.tsn, whole, 0, []byte("12345")),
		"INIT":              p.initWith(params),
		"INIT ACK":          p.initAck(append(bytes.Clone(someCookie), params...)),
		"SACK":              chunk.AppendSack(nil, p.itsn-1, 65536, []chunk.GapBlock{{Start: 2, End: 3}, {Start: 5, End: 5}}, []chunk.TSN{1, 2}),
		"HEARTBEAT":         chunk.AppendHeartbeat(nil, []byte("12345")),
		"HEARTBEAT ACK":     chunk.AppendHeartbeatAck(nil, chunk.Chunk(chunk.AppendHeartbeat(nil, make([]byte, 40)))),
		"ABORT":             chunk.AppendAbort(nil, false, causes),
		"SHUTDOWN":          chunk.AppendShutdown(nil, p.itsn-1),
		"SHUTDOWN ACK":      chunk.AppendShutdownAck(nil),
		"ERROR":             chunk.AppendError(nil, causes),
		"COOKIE ECHO":       chunk.AppendCookieEcho(nil, bytes.Repeat([]byte{1, 200}, 80)),
		"COOKIE ACK":        chunk.AppendCookieAck(nil),
		"ECNE":              plain(12, 0, 0, 0, 1),
		"CWR":               plain(13, 0, 0, 0, 1),
		"SHUTDOWN COMPLETE": chunk.AppendShutdownComplete(nil, false),
		"AUTH":              plain(15, 0, 0, 0, 1, 2, 3, 4, 5),
		"ASCONF":            plain(0xc1, make([]byte, 24)...),
		"RE-CONFIG":         plain(130, make([]byte, 16)...),
		"FORWARD TSN":       plain(0xc0, 0, 0, 0, 0, 0xff, 0xff, 0, 0),
		"I-DATA":            plain(64, make([]byte, 24)...),
	}
}

// TestBugClassALengths: every length in every chunk, parameter and cause, made
// wrong in every way, in every state; and every packet cut short anywhere.
// Nothing is read that is not there: what is beyond the packet is poison.
func TestBugClassALengths(t *testing.T) {
	lengths := []uint16{0, 1, 3, 4, 5, 7, 8, 15, 16, 17, 19, 20, 21, 0x7fff, 0xfffc, 0xffff}
	everyState(t, func(t *testing.T, s tcb.State, p *peer) {
		give := func(tag chunk.VTag, b []byte) {
			room := append(bytes.Clone(b), bytes.Repeat([]byte{0xa5}, 64)...)[:len(b):len(b)]
			chunk.SetChecksum(room)
			p.deliver(p.addr, p.to, room)
			for _, out := range p.take() {
				says(t, out.data) // is well formed
				if bytes.Contains(out.data, []byte{0xa5, 0xa5, 0xa5, 0xa5}) {
					t.Fatal("what was beyond the packet was sent")
				}
			}
			if s != tcb.Closed && p.a.End().Ended {
				*p = *situations[s](newRig(t))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(p.everyKind())) {
			tag := func() chunk.VTag {
				if name == "INIT" {
					return 0
				}
				return p.theirs
			}
			for off := 2; off+1 < len(p.everyKind()[name]); off += 2 {
				for _, l := range lengths {
					c := p.everyKind()[name]
					binary.BigEndian.PutUint16(c[off:], l)
					give(tag(), p.packet(tag(), c))
				}
			}
			for n := range len(p.everyKind()[name]) {
				give(tag(), p.packet(tag(), p.everyKind()[name])[:12+n])
			}
		}
	})
}

// TestBugClassBIndices: numbers of the peer's that name things of ours: streams,
// TSNs, gap offsets, paths. Those that do not exist are refused, and those that
// do are the only ones touched.
func TestBugClassBIndices(t *testing.T) {
	p := newRig(t).peer().connect()
	for _, sid := range []chunk.StreamID{10, 11, 255, 256, 32767, 32768, 65534, 65535} {
		p.send(p.dataOn(sid, "x"))
		if got := p.said(); got != "ERROR(1)+SACK" { // R-6.5-02
			t.Errorf("stream %d: %s", sid, got)
		}
	}
	p.write("one in flight")
	p.take()
	for _, g := range []chunk.GapBlock{{Start: 1, End: 65535}, {Start: 65535, End: 65535}, {Start: 0, End: 0}, {Start: 2, End: 1}, {Start: 0, End: 65535}, {Start: 65535, End: 1}} {
		q := newRig(t).peer().connect()
		q.write("one in flight")
		q.take()
		q.send(chunk.AppendSack(nil, q.itsn-1, 65536, []chunk.GapBlock{g}, nil))
		q.wait(mono.Second)
	}
	p.a.Status()
	for _, path := range []uint32{1, 2, 31, 32, 255, 256, 1 << 31, 1<<32 - 1} {
		info := make([]byte, 40)
		binary.BigEndian.PutUint32(info, 0x676f5348)
		binary.BigEndian.PutUint32(info[4:], path)
		hb := chunk.Chunk(chunk.AppendHeartbeat(nil, info))
		p.send(chunk.AppendHeartbeatAck(nil, hb))
	}
	p.inState(tcb.Established)
	p.send(chunk.AppendError(nil, chunk.AppendInvalidStream(nil, 65535))) // about a stream that we do not have
	p.inState(tcb.Established)

	// Of the streams themselves: none that was not agreed on is written to.
	for _, n := range []uint16{1, 2, 65535} {
		q := newRig(t).peer()
		q.port = 7000 + n%1000
		q.sendTag(0, chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: q.tag, ARwnd: 65536, OS: n, MIS: n, TSN: q.tsn}))
		q.takeInitAck()
		q.send(q.echo())
		q.take()
		q.accept()
		b := q.a.Buffer(1)
		if err := q.a.Send(stack.Message{Stream: chunk.StreamID(min(n, 10))}, b); err == nil {
			t.Errorf("stream %d of %d was written to", min(n, 10), n)
		}
	}
}

// wellFormed fails unless every chunk, parameter and cause of a packet has the
// length that it says, and padding of zeroes (R-3.2-02, R-3.2-03, R-3.2.1-02).
func wellFormed(t *testing.T, packet []byte) {
	t.Helper()
	tlv := func(b []byte, what string) {
		for len(b) > 0 {
			if len(b) < 4 {
				t.Fatalf("%s: %d bytes too many", what, len(b))
			}
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 4 || n > len(b) {
				t.Fatalf("%s: length %d of %d", what, n, len(b))
			}
			pad := min(chunk.Padded(n), len(b))
			if bytes.Trim(b[n:pad], "\x00") != nil && len(bytes.Trim(b[n:pad], "\x00")) > 0 {
				t.Fatalf("%s: padding %x", what, b[n:pad])
			}
			b = b[pad:]
		}
	}
	if len(packet)%4 != 0 || len(packet) > 65535 {
		t.Fatalf("a packet of %d bytes", len(packet))
	}
	for b := packet[chunk.HeaderLen:]; len(b) > 0; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) || chunk.Padded(n) > len(b) {
			t.Fatalf("%v: length %d of %d", chunk.Type(b[0]), n, len(b))
		}
		if len(bytes.Trim(b[n:chunk.Padded(n)], "\x00")) > 0 {
			t.Fatalf("%v: padding %x", chunk.Type(b[0]), b[n:chunk.Padded(n)])
		}
		switch c := b[:n]; chunk.Type(b[0]) {
		case chunk.TypeInit, chunk.TypeInitAck:
			tlv(c[20:], "INIT")
		case chunk.TypeAbort, chunk.TypeError, chunk.TypeHeartbeat, chunk.TypeHeartbeatAck:
			tlv(c[4:], chunk.Type(b[0]).String())
		}
		b = b[chunk.Padded(n):]
	}
}

// TestBugClassCEncoders: what we build ourselves keeps its lengths right,
// however much there would be to say: unknown parameters and chunks of all
// sizes, reasons, addresses, gap blocks.
func TestBugClassCEncoders(t *testing.T) {
	check := func(r *rig) int {
		t.Helper()
		l := r.take()
		for _, s := range l {
			wellFormed(t, s.data)
		}
		return len(l)
	}
	for _, size := range []int{0, 1, 2, 3, 4, 5, 100, 1000, 1400, 5000, 30000, 65000} {
		big := bytes.Repeat([]byte{0xee}, size)
		p := newRig(t).peer()
		for _, n := range []int{1, 7, 40} {
			if n*(size+4) > 65000 {
				continue
			}
			var params []byte
			for i := range n {
				params = chunk.AppendParam(params, chunk.ParamType(0xc100+i), big)
			}
			p.sendTag(0, p.initWith(params))
			if check(p.rig) != 1 {
				t.Errorf("%d parameters of %d bytes: no INIT ACK", n, size)
			}
		}
		p = newRig(t).peer().connect()
		p.send(plain(0xff, big...), chunk.AppendHeartbeat(nil, big[:min(size, 60000)]))
		if size < 60000 && check(p.rig) == 0 {
			t.Errorf("%d bytes: no answer", size)
		}
		if size > 0 { // DATA of all sizes, in packets of all sizes
			p.write(string(big[:min(size, 200)]))
			p.write(string(big))
			check(p.rig)
		}
		p.a.Abort(big)
		if check(p.rig) == 0 {
			t.Errorf("no ABORT with %d bytes of reason", size)
		}
		p = newRig(t).peer().connect()
		for i := range min(size, 600) {
			p.send(piece(p.tsn+1+chunk.TSN(2*i), whole|chunk.FlagU, 0, []byte{1}))
		}
		check(p.rig)
	}
	p := newRig(t).peer().connect()
	var params []byte
	for i := range 200 {
		params = chunk.AppendAddrParam(params, a4(10, 9, 9, byte(i)))
	}
	p.sendTag(0, p.initWith(params)) // a restart that adds them all
	if check(p.rig) != 1 {
		t.Error("no ABORT")
	}
}

// TestBugClassDProgress: what has no length, or more parts than bytes, ends; the
// steps are counted.
func TestBugClassDProgress(t *testing.T) {
	steps := counter{}
	r := newRig(t, withOptions(func(o *stack.Options) { o.Trace = &steps }), withConfig(func(c *tcb.Config) { c.NoDelay, c.RecvBuffer = true, 8<<20 }))
	p := r.peer().connect()
	zero := func(c []byte, off int) []byte {
		c = bytes.Clone(c)
		c[off], c[off+1] = 0, 0
		return c
	}
	e := chunk.AppendError(nil, chunk.AppendInvalidStream(nil, 3))
	hb := chunk.AppendHeartbeat(nil, []byte("1234"))
	for _, c := range [][]byte{
		zero(hb, 2), zero(hb, 6), zero(e, 2), zero(e, 6), zero(plain(0xbf, 1, 2, 3, 4), 2), make([]byte, 60000),
	} {
		steps.n = 0
		p.send(c, c)
		if steps.n > 2 {
			t.Errorf("%d steps for %.20x", steps.n, c)
		}
	}
	p.sendTag(0, zero(p.initWith(chunk.AppendParam(nil, 0x9000, []byte("1234"))), 22))
	p.take()
	p.inState(tcb.Established)

	// SACKs full of blocks that overlap, and DATA of ten thousand fragments.
	for range 20 {
		p.write("in flight")
	}
	var blocks []chunk.GapBlock
	for i := range 16000 {
		blocks = append(blocks, chunk.GapBlock{Start: uint16(2 + i%3), End: 5})
	}
	steps.n = 0
	p.send(chunk.AppendSack(nil, p.itsn-1, 65536, blocks, nil))
	if steps.n > 4 {
		t.Errorf("%d steps for a SACK", steps.n)
	}
	p.inState(tcb.Established)
	flags := uint8(chunk.FlagB)
	for range 10000 {
		p.send(piece(p.tsn, flags, 0, []byte{1}))
		p.tsn++
		flags = 0
	}
	p.send(piece(p.tsn, chunk.FlagE, 0, []byte{1}))
	total := 0
	for _, m := range p.received() {
		total += len(m)
	}
	if total != 10001 {
		t.Errorf("%d bytes of 10001", total)
	}
}

// TestBugClassILeaks: buffers that are used again carry nothing into packets,
// neither padding nor the rest of chunks.
func TestBugClassILeaks(t *testing.T) {
	r := newRig(t)
	secret := bytes.Repeat([]byte{0x5e}, 1400)
	other := r.peer()
	other.port, other.tag = 9000, 0x01020304
	other.connect()
	// Fill each slot of each ring with the data of another association.
	for i := range 700 {
		other.write(string(secret))
		top := other.itsn + chunk.TSN(i)
		other.send(sack(top, 1<<20))
	}
	r.take()
	p := r.peer()
	p.port = 9001
	clean := func(what string) {
		t.Helper()
		for _, s := range r.take() {
			wellFormed(t, s.data)
			if bytes.Contains(s.data, []byte{0x5e, 0x5e, 0x5e, 0x5e}) {
				t.Errorf("%s: data of another association in %s", what, says(t, s.data))
			}
		}
	}
	for n := range 5 {
		p.sendTag(0, p.initWith(chunk.AppendParam(nil, 0xc001, make([]byte, n))))
		clean("INIT")
	}
	p.sendTag(0, p.init())
	p.takeInitAck()
	if bytes.Contains(p.cookie, []byte{0x5e, 0x5e, 0x5e, 0x5e}) {
		t.Error("a cookie with another's data")
	}
	p.send(p.echo())
	p.take()
	p.accept()
	for n := range 9 {
		p.send(chunk.AppendHeartbeat(nil, make([]byte, n)))
		clean("HEARTBEAT")
		p.send(plain(0xff, make([]byte, n)...))
		clean("unknown chunk")
		p.write(string(make([]byte, n+1)))
		clean("DATA")
		// A truncated chunk: what lies behind it in the slot is not its own.
		c := p.packet(p.theirs, chunk.AppendHeartbeat(nil, make([]byte, 200)))
		c = c[: 40+4*n : 40+4*n]
		chunk.SetChecksum(c)
		p.deliver(p.addr, p.to, c)
		clean("a truncated HEARTBEAT")
	}
	p.a.Abort(nil)
	clean("ABORT")
}
