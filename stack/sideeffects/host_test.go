package sideeffects

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

var (
	here  = netip.MustParseAddr("10.0.0.1")
	here2 = netip.MustParseAddr("10.0.0.2")
	peerA = netip.MustParseAddr("10.0.9.1")
	peerB = netip.MustParseAddr("10.0.9.2")
	peer6 = netip.MustParseAddr("2001:db8::9")
)

// world is a Host that keeps what is sent, and the executor in it.
type world struct {
	testing.TB
	x   *Executor
	now mono.Time
	out []packetOut
	rnd *rand.ChaCha8

	full    bool // no room to send
	cfg     tcb.Config
	local   []netip.Addr
	created *Association
	ended   int
	keys    CookieKeys
	fixed   []byte // if set, what Entropy gives, over and over
}

type packetOut struct {
	data []byte
	to   Addressing
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: mono.Time(1000 * mono.Second), rnd: rand.NewChaCha8([32]byte{7}), cfg: tcb.DefaultConfig()}
	w.x = &Executor{Host: w, Pools: NewPools()}
	return w
}

func (w *world) Slot(n int) []byte {
	if w.full {
		return nil
	}
	return make([]byte, n)
}

func (w *world) Emit(p []byte, to Addressing) {
	if !chunk.VerifyChecksum(p) {
		w.Fatal("a packet with a bad checksum")
	}
	w.out = append(w.out, packetOut{append([]byte(nil), p...), to})
}

func (w *world) Entropy(b []byte) {
	if w.fixed != nil {
		for i := range b {
			b[i] = w.fixed[i%len(w.fixed)]
		}
		return
	}
	w.rnd.Read(b)
}

func (w *world) Secrets(now mono.Time, life mono.Duration) *Secrets {
	return w.keys.At(now, life, w.Entropy)
}

func (w *world) NewTag() chunk.VTag {
	var b [4]byte
	w.Entropy(b[:])
	return chunk.VTag(binary.BigEndian.Uint32(b[:]) | 1)
}

func (w *world) Route(dst netip.Addr, _ []netip.Addr) (Route, bool) {
	if dst.Is6() {
		return Route{}, false
	}
	return Route{Src: here, MTU: 1500, Overhead: 20}, true
}

func (w *world) Create(c *Cookie) *Association {
	a := new(Association)
	w.x.Prepare(a, w.settings(), 1, c.LocalPort, c.PeerPort)
	w.created = a
	return a
}

func (w *world) Ended(*Association) { w.ended++ }

func (w *world) settings() Settings { return Settings{Config: &w.cfg, Local: w.local} }

// packet makes a datagram from the peer.
func (w *world) packet(src netip.Addr, tag chunk.VTag, chunks ...[]byte) *Datagram {
	b := chunk.AppendHeader(nil, 6000, 5000, tag)
	for _, c := range chunks {
		b = append(b, c...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	chunk.SetChecksum(b)
	h, _ := chunk.ParseHeader(b)
	return &Datagram{Packet: b, Header: h, Src: src, Dst: here}
}

// blue processes a packet that belongs to no association.
func (w *world) blue(tag chunk.VTag, chunks ...[]byte) {
	ep := &Endpoint{Cfg: w.settings(), Listening: true}
	w.x.Packet(nil, ep, w.packet(peerA, tag, chunks...), w.now)
}

// give processes a packet of association a.
func (w *world) give(a *Association, chunks ...[]byte) {
	local, _ := a.Tags()
	w.x.Packet(a, nil, w.packet(peerA, local, chunks...), w.now)
}

// said is what was sent since the last call: chunks joined by +, packets by |.
func (w *world) said() string {
	var l []string
	for _, p := range w.out {
		var cs []string
		for it := chunk.Walk(p.data[chunk.HeaderLen:]); ; {
			c, ok := it.Next()
			if !ok {
				break
			}
			cs = append(cs, c.Type().String())
		}
		l = append(l, strings.Join(cs, "+"))
	}
	w.out = nil
	return strings.Join(l, " | ")
}

func (w *world) expect(want string) {
	w.Helper()
	if got := w.said(); got != want {
		w.Fatalf("said %q, want %q", got, want)
	}
}

// only returns the only chunk of the only packet that was sent.
func (w *world) only() (chunk.Chunk, chunk.VTag) {
	w.Helper()
	if len(w.out) != 1 {
		w.Fatalf("%d packets", len(w.out))
	}
	p := w.out[0].data
	w.out = nil
	c, e := chunk.ParseChunk(p[chunk.HeaderLen:])
	if e != chunk.ErrNone || chunk.HeaderLen+chunk.Padded(len(c)) != len(p) {
		w.Fatalf("not one chunk: %s", chunk.Format(p))
	}
	h, _ := chunk.ParseHeader(p)
	return c, h.VTag
}

const peerTag chunk.VTag = 0xABCD0001

func peerInit(params []byte) []byte {
	return chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: params})
}

// ask sends an INIT and returns tag and cookie of the answer.
func (w *world) ask(params []byte) (chunk.VTag, []byte) {
	w.Helper()
	w.blue(0, peerInit(params))
	c, _ := w.only()
	var f chunk.InitFacts
	if e := f.Decode(c); e != chunk.ErrNone {
		w.Fatal(e)
	}
	return f.Tag, append([]byte(nil), f.Cookie.Of(c)...)
}

// accept sets an association up from the peer's side.
func (w *world) accept() *Association {
	w.Helper()
	tag, cookie := w.ask(nil)
	w.created = nil
	w.blue(tag, chunk.AppendCookieEcho(nil, cookie))
	w.expect("COOKIE ACK")
	if w.created == nil || w.created.State() != tcb.Established {
		w.Fatal("no association")
	}
	return w.created
}

// connect begins an association from our side.
func (w *world) connect(peers ...netip.Addr) *Association {
	w.Helper()
	a := new(Association)
	w.x.Prepare(a, w.settings(), 2, 5000, 6000)
	for _, p := range peers {
		if !w.x.AddPeer(a, p, netip.Addr{}, 0) {
			w.Fatal("no such peer")
		}
	}
	w.x.Associate(a, w.now)
	return a
}

// up sets an association up from our side.
func (w *world) up(peers ...netip.Addr) *Association {
	w.Helper()
	a := w.connect(peers...)
	w.out = nil
	params := chunk.AppendCookieParam(nil, []byte("yours"))
	for len(params)%4 != 0 {
		params = append(params, 0)
	}
	for _, p := range peers {
		params = chunk.AppendAddrParam(params, p)
	}
	w.give(a, chunk.AppendInit(nil, chunk.TypeInitAck, chunk.Init{
		Tag: peerTag, ARwnd: 65536, OS: 5, MIS: 7, TSN: 100, Params: params,
	}))
	w.expect("COOKIE ECHO")
	w.give(a, chunk.AppendCookieAck(nil))
	w.out = nil
	if a.State() != tcb.Established {
		w.Fatal(a.State())
	}
	return a
}

// fire lets time pass until the association's next deadline and returns it.
func (w *world) fire(a *Association) mono.Time {
	t := a.Deadline()
	if t != 0 {
		w.now = max(w.now, t)
		w.x.Timeout(a, w.now)
	}
	return t
}
