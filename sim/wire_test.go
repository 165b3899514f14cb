package sim

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
)

// TestWire reads every packet of many random runs with a parser of its own,
// and holds them to what RFC 9260 says of any packet, whatever led to it.
func TestWire(t *testing.T) {
	n := uint64(60)
	if testing.Short() || raceEnabled {
		n = 20
	}
	all := newWireGuard()
	for seed, left := uint64(1), n; left > 0; seed++ {
		g := newWireGuard()
		s := Random(seed)
		if len(s.Attacks) > 0 || s.forgetful() {
			continue // what arrives was not all sent, or sent by somebody who forgot it
		}
		left--
		res := Run(seed, s, Options{Tap: g.packet})
		if res.Err != nil {
			t.Fatalf("seed %d: %v", seed, res.Err)
		}
		for _, e := range g.errs {
			t.Errorf("seed %d: %s", seed, e)
		}
		all.add(g)
	}
	all.spread(t)
	// What did not occur was not looked at.
	for _, what := range []string{
		"INIT", "INIT ACK", "COOKIE ECHO", "COOKIE ACK", "fragment", "unordered fragment", "retransmission", "bundled control",
		"SACK", "HEARTBEAT", "SHUTDOWN", "SHUTDOWN ACK", "SHUTDOWN COMPLETE", "ABORT", "reflected", "padding",
	} {
		if all.seen[what] == 0 {
			t.Errorf("no %s in %d runs", what, n)
		}
	}
	t.Logf("%v", all.seen)
}

// wireGuard looks at each packet that is sent.
type wireGuard struct {
	flows map[wireFlow]*wireState
	tags  map[wireEnds]map[uint32]bool // Initiate Tags that src has told dst
	seen  map[string]int
	tsns  []uint32 // initial TSNs
	vtags []uint32 // Initiate Tags
	hbs   map[string]bool
	errs  []string
	at    mono.Time
}

type wireEnds struct {
	src, dst         byte // the host's number in its address
	srcPort, dstPort uint16
}

type wireFlow struct {
	wireEnds
	tag uint32
}

func (e wireEnds) back() wireEnds { return wireEnds{e.dst, e.src, e.dstPort, e.srcPort} }

// wireState is one direction of an association.
type wireState struct {
	cookie     bool // COOKIE ECHO or COOKIE ACK was sent
	data       bool
	next       uint32 // TSN
	open       bool   // within a message
	flags      byte
	sid, ssn   uint16
	ssns       map[uint16]uint16
	shutdown   bool // SHUTDOWN or SHUTDOWN ACK was sent
	arrived    map[byte]bool
	sinceSack  int
	lastSack   string
	lastWindow uint32
}

func newWireGuard() *wireGuard {
	return &wireGuard{
		flows: make(map[wireFlow]*wireState), tags: make(map[wireEnds]map[uint32]bool),
		seen: make(map[string]int), hbs: make(map[string]bool),
	}
}

func (g *wireGuard) add(o *wireGuard) {
	for k, v := range o.seen {
		g.seen[k] += v
	}
	g.tsns = append(g.tsns, o.tsns...)
	g.vtags = append(g.vtags, o.vtags...)
}

func (g *wireGuard) bad(format string, args ...any) {
	if len(g.errs) < 20 {
		g.errs = append(g.errs, fmt.Sprintf("at %v: "+format, append([]any{g.at}, args...)...))
	}
}

func (g *wireGuard) flow(e wireEnds, tag uint32) *wireState {
	k := wireFlow{e, tag}
	if g.flows[k] == nil {
		g.flows[k] = &wireState{ssns: make(map[uint16]uint16), arrived: make(map[byte]bool)}
	}
	return g.flows[k]
}

func hostNumber(a netip.Addr) byte { b := a.AsSlice(); return b[len(b)-1] }

const (
	wData, wInit, wInitAck, wSack, wHeartbeat       = 0, 1, 2, 3, 4
	wAbort, wShutdown, wShutdownAck                 = 6, 7, 8
	wCookieEcho, wCookieAck, wShutdownComplete      = 10, 11, 14
	wUnordered, wBegin, wEnd, wReflected       byte = 4, 2, 1, 1
)

func (g *wireGuard) packet(p Packet) {
	g.at = p.At
	d := p.Data
	e := wireEnds{hostNumber(p.Src), hostNumber(p.Dst), binary.BigEndian.Uint16(d), binary.BigEndian.Uint16(d[2:])}
	tag := binary.BigEndian.Uint32(d[4:])
	if p.Arrived {
		g.arrival(e, tag, d)
		return
	}
	if e.srcPort == 0 || e.dstPort == 0 { // R-3.1-01, R-3.1-02
		g.bad("port 0")
	}
	chunks := g.split(d)
	alone, data := "", false
	for i, c := range chunks {
		typ, flags, v := c[0], c[1], c[4:binary.BigEndian.Uint16(c[2:])]
		switch typ {
		case wInit, wInitAck:
			g.init(e, tag, c[0], v)
			alone = "INIT or INIT ACK"
		case wShutdownComplete:
			alone = "SHUTDOWN COMPLETE"
		case wAbort:
			g.seen["ABORT"]++
			if data || i != len(chunks)-1 { // R-3.3.7-01, R-3.3.7-02
				g.bad("an ABORT is chunk %d of %d, DATA: %v", i+1, len(chunks), data)
			}
		}
		if typ == wData {
			data = true
		} else {
			if data { // R-6-10
				g.bad("control chunk %d behind DATA", typ)
			}
			if i > 0 {
				g.seen["bundled control"]++
			}
		}
		if typ == wInit {
			if tag != 0 { // R-3.1-04, R-12.3-02
				g.bad("INIT with tag %x", tag)
			}
			continue
		}
		g.tagged(e, tag, typ, flags)
		g.chunk(e, tag, typ, flags, v, p)
	}
	if alone != "" && len(chunks) > 1 { // R-3-01, R-12.3-01
		g.bad("%s is bundled with %d others", alone, len(chunks)-1)
	}
}

// split takes the packet apart: whole chunks, padded to 4 bytes with up to 3
// zero bytes, to the packet's end.
func (g *wireGuard) split(d []byte) (chunks [][]byte) {
	rest := d[12:]
	for len(rest) > 0 {
		if len(rest) < 4 { // R-3.2-01, R-6.10-05
			g.bad("%d bytes behind the last chunk", len(rest))
			return chunks
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		padded := (n + 3) &^ 3
		if n < 4 || padded > len(rest) { // R-3.2-02, R-3.2-03, R-6.10-05
			g.bad("chunk %d of %d bytes in %d", rest[0], n, len(rest))
			return chunks
		}
		for _, b := range rest[n:padded] { // R-3.2-02
			g.seen["padding"]++
			if b != 0 {
				g.bad("padding is not zero")
			}
		}
		chunks = append(chunks, rest[:padded])
		rest = rest[padded:]
	}
	return chunks
}

func (g *wireGuard) init(e wireEnds, vtag uint32, typ byte, v []byte) {
	tag, rwnd := binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	os, mis, tsn := binary.BigEndian.Uint16(v[8:]), binary.BigEndian.Uint16(v[10:]), binary.BigEndian.Uint32(v[12:])
	g.seen[map[byte]string{wInit: "INIT", wInitAck: "INIT ACK"}[typ]]++
	// R-3.3.2-13, R-3.3.2-17, R-3.3.3-05, R-3.3.3-09, R-3.3.3-14, R-3.3.3-19
	if tag == 0 || rwnd < 1500 || os == 0 || mis == 0 {
		g.bad("chunk %d with tag %x, a_rwnd %d, OS %d, MIS %d", typ, tag, rwnd, os, mis)
	}
	if g.tags[e] == nil {
		g.tags[e] = make(map[uint32]bool)
	}
	if !g.tags[e][tag] { // not sent again
		g.tags[e][tag] = true
		g.tsns, g.vtags = append(g.tsns, tsn), append(g.vtags, tag)
	}
	cookie := 0
	for rest := v[16:]; len(rest) >= 4; {
		p, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if p == 11 { // R-3.3.2-02, R-3.3.2.1.4-01, R-3.3.3-01, R-3.3.3.1-01
			g.bad("a Host Name Address in chunk %d", typ)
		}
		if p == 7 {
			cookie = n
		}
		rest = rest[min((n+3)&^3, len(rest)):]
	}
	// R-3.3.11-03, R-12.4-06: four paths of IPv6 take most of it
	if typ == wInitAck && (cookie == 0 || cookie > 400 || len(v) > 600) {
		g.bad("INIT ACK of %d bytes with a cookie of %d", len(v), cookie)
	}
}

// tagged looks at the Verification Tag of a chunk that is not INIT.
// R-3.1-03, R-3.3.2-06, R-3.3.3-04, R-5.3.1-02
func (g *wireGuard) tagged(e wireEnds, tag uint32, typ, flags byte) {
	if (typ == wAbort || typ == wShutdownComplete) && flags&wReflected != 0 {
		g.seen["reflected"]++
		if len(g.flow(e.back(), tag).arrived) == 0 { // R-3.1-05
			g.bad("chunk %d reflects tag %x that never came", typ, tag)
		}
		return
	}
	if tag == 0 || !g.tags[e.back()][tag] {
		g.bad("chunk %d with tag %x, which the peer never announced", typ, tag)
	}
}

func (g *wireGuard) chunk(e wireEnds, tag uint32, typ, flags byte, v []byte, p Packet) {
	f := g.flow(e, tag)
	in := g.flowsIn(e)
	switch typ {
	case wCookieEcho, wCookieAck:
		g.seen[map[byte]string{wCookieEcho: "COOKIE ECHO", wCookieAck: "COOKIE ACK"}[typ]]++
		f.cookie = true
	case wData:
		if !f.cookie { // R-3.3.11-01, R-3.3.12-01
			g.bad("DATA before COOKIE ECHO or COOKIE ACK")
		}
		if f.shutdown { // R-6-01
			g.bad("DATA after SHUTDOWN or SHUTDOWN ACK")
		}
		g.dataChunk(f, flags, v)
	case wSack:
		g.seen["SACK"]++
		if !f.cookie { // R-3.3.12-01
			g.bad("SACK before COOKIE ACK")
		}
		window := binary.BigEndian.Uint32(v[4:])
		same := string(v[:4]) + string(v[8:])
		if f.sinceSack == 0 && same == f.lastSack && window == f.lastWindow { // R-6.2-11, R-6.2-10
			g.bad("the same SACK again, though nothing came")
		}
		f.sinceSack, f.lastSack, f.lastWindow = 0, same, window
	case wHeartbeat:
		g.seen["HEARTBEAT"]++
		info := string(v[4:])
		if g.hbs[info] { // R-3.3.5-03
			g.bad("a HEARTBEAT's contents came again: no nonce")
		}
		g.hbs[info] = true
		dst := p.Dst.As16()
		if len(info) < 8+8+len(dst) || !containsBytes(info, string(dst[:])) { // R-3.3.5-02
			g.bad("a HEARTBEAT to %v does not say so: %x", p.Dst, info)
		}
	case wShutdown:
		g.seen["SHUTDOWN"]++
		f.shutdown = true
	case wShutdownAck:
		g.seen["SHUTDOWN ACK"]++
		f.shutdown = true
		if !in[wShutdown] && !in[wShutdownAck] { // R-3.3.8-01, R-3.3.9-01
			g.bad("SHUTDOWN ACK, but no SHUTDOWN came")
		}
	case wShutdownComplete:
		g.seen["SHUTDOWN COMPLETE"]++
		if !in[wShutdownAck] { // R-3.3.13-01
			g.bad("SHUTDOWN COMPLETE, but no SHUTDOWN ACK came")
		}
	}
}

// flowsIn tells which chunk types have come the other way, with any tag.
func (g *wireGuard) flowsIn(e wireEnds) map[byte]bool {
	in := make(map[byte]bool)
	for k, f := range g.flows {
		if k.wireEnds == e.back() {
			for c := range f.arrived {
				in[c] = true
			}
		}
	}
	return in
}

// dataChunk follows the TSNs, and with them messages and their streams.
func (g *wireGuard) dataChunk(f *wireState, flags byte, v []byte) {
	tsn, sid, ssn := binary.BigEndian.Uint32(v), binary.BigEndian.Uint16(v[4:]), binary.BigEndian.Uint16(v[6:])
	switch ahead := int32(tsn - f.next); {
	case !f.data:
		f.data = true
	case ahead < 0:
		g.seen["retransmission"]++
		return
	case ahead > 0: // R-3.3.1-13, R-1.6-01, R-1.6-03
		g.bad("TSN %x, the next is %x", tsn, f.next)
	}
	f.next = tsn + 1
	begin := flags&wBegin != 0
	if begin == f.open { // R-3.3.1-11
		g.bad("TSN %x: flags %x within a message: %v", tsn, flags, f.open)
	}
	if begin {
		f.flags, f.sid, f.ssn = flags, sid, ssn
		if flags&wUnordered == 0 {
			if want := f.ssns[sid]; ssn != want { // R-6.5-04
				g.bad("SSN %d in stream %d, not %d", ssn, sid, want)
			}
			f.ssns[sid] = ssn + 1
		}
	} else {
		g.seen["fragment"]++
		if flags&wUnordered != 0 {
			g.seen["unordered fragment"]++
		}
		if (flags^f.flags)&wUnordered != 0 || sid != f.sid || flags&wUnordered == 0 && ssn != f.ssn { // R-6.9-13
			g.bad("TSN %x: fragments of a message differ", tsn)
		}
	}
	f.open = flags&wEnd == 0
}

func (g *wireGuard) arrival(e wireEnds, tag uint32, d []byte) {
	f := g.flow(e, tag)
	for rest := d[12:]; len(rest) >= 4; {
		f.arrived[rest[0]] = true
		n := (int(binary.BigEndian.Uint16(rest[2:])) + 3) &^ 3
		if n < 4 || n > len(rest) {
			break // corrupted on the way
		}
		rest = rest[n:]
	}
	for k, o := range g.flows {
		if k.wireEnds == e.back() {
			o.sinceSack++
		}
	}
}

func containsBytes(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i:i+len(sub)] == sub {
			return true
		}
	}
	return false
}

// spread looks whether tags and initial TSNs are random: each bit is set in
// about half of them.
func (g *wireGuard) spread(t *testing.T) {
	for name, vs := range map[string][]uint32{
		"Initiate Tag": g.vtags, // R-5.3.1-01
		"initial TSN":  g.tsns,  // R-3.3.2-21, R-3.3.3-23
	} {
		if len(vs) < 60 {
			t.Errorf("only %d of %s", len(vs), name)
		}
		for b := range 32 {
			set := 0
			for _, v := range vs {
				set += int(bits.RotateLeft32(v, -b) & 1)
			}
			if set < len(vs)/4 || set > len(vs)*3/4 {
				t.Errorf("%s: bit %d is set in %d of %d", name, b, set, len(vs))
			}
		}
	}
}
