package sideeffects

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
)

// open judges a cookie that arrives with the given header.
func (w *world) open(b []byte, h chunk.Header) fsm.CookieFacts {
	w.x.begin(nil, &Endpoint{Cfg: w.settings()}, w.now)
	w.x.in = &Datagram{Header: h, Src: peerA, Dst: here}
	w.x.openCookie(b)
	return w.x.ev.Cookie
}

func sampleCookie(r *rand.Rand, now mono.Time) (Cookie, chunk.Header) {
	c := Cookie{
		Created: now, Lifetime: 60 * mono.Second,
		LocalTag: chunk.VTag(r.Uint32()), PeerTag: chunk.VTag(r.Uint32()),
		LocalTSN: chunk.TSN(r.Uint32()), PeerTSN: chunk.TSN(r.Uint32()),
		TieLocal: r.Uint32(), TiePeer: r.Uint32(), PeerRwnd: r.Uint32(),
		OutStreams: uint16(r.Uint32()), InStreams: uint16(r.Uint32()),
		LocalPort: uint16(r.Uint32()), PeerPort: uint16(r.Uint32()),
		LocalAddr: here, PeerAddr: peerA, EncapPort: uint16(r.Uint32()), Link: uint8(r.Uint32()),
	}
	for i := range r.IntN(5) {
		a := netip.AddrFrom4([4]byte{10, 2, byte(i), byte(r.Uint32())})
		if i%2 == 1 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.Uint32())})
		}
		c.Addrs[i] = a
		c.NAddrs++
	}
	return c, chunk.Header{SrcPort: c.PeerPort, DstPort: c.LocalPort, VTag: c.LocalTag}
}

// R-5.1.3-02: what goes in comes out.
// R-3.3.3.1.1-01: what makes the association is all in the cookie
func TestCookieRoundTrip(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		c, h := sampleCookie(r, w.now)
		b := w.x.appendCookie([]byte("in front"), &c)[len("in front"):]
		f := w.open(b, h)
		if !f.Valid || f.Expired || f.LocalTag != c.LocalTag || f.PeerTag != c.PeerTag || f.TieLocal != c.TieLocal || f.TiePeer != c.TiePeer {
			t.Fatalf("%+v of %+v", f, c)
		}
		if w.x.cookie != c {
			t.Fatalf("%+v\nwant %+v", w.x.cookie, c)
		}
	}
}

// R-4-01 R-5.1.3-01 R-5.1.5-02: each bit counts.
// R-5.1.3-03
func TestCookieBitFlips(t *testing.T) {
	w := newWorld(t)
	c, h := sampleCookie(rand.New(rand.NewPCG(2, 2)), w.now)
	w.x.now = w.now
	b := w.x.appendCookie(nil, &c)
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if w.open(b, h).Valid {
			t.Errorf("good with bit %d of byte %d flipped", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	for n := range len(b) {
		if w.open(b[:n], h).Valid {
			t.Errorf("good with %d of %d bytes", n, len(b))
		}
	}
	for n := range 4 { // what padded the parameter may come along
		if !w.open(append(b[:len(b):len(b)], make([]byte, n)...), h).Valid {
			t.Errorf("bad with %d bytes of padding", n)
		}
	}
	if w.open(append(b[:len(b):len(b)], 0, 0, 0, 0), h).Valid {
		t.Error("good with four bytes more")
	}
	if !w.open(b, h).Valid {
		t.Error("not good as it was")
	}
}

// R-5.1.5-03: ports and tag.
func TestCookieBinding(t *testing.T) {
	w := newWorld(t)
	w.x.now = w.now
	c, h := sampleCookie(rand.New(rand.NewPCG(3, 3)), w.now)
	b := w.x.appendCookie(nil, &c)
	for _, f := range []func(*chunk.Header){
		func(h *chunk.Header) { h.SrcPort++ }, func(h *chunk.Header) { h.DstPort++ },
		func(h *chunk.Header) { h.SrcPort, h.DstPort = h.DstPort, h.SrcPort },
		func(h *chunk.Header) { h.VTag++ }, func(h *chunk.Header) { h.VTag = c.PeerTag }, func(h *chunk.Header) { h.VTag = 0 },
	} {
		bad := h
		f(&bad)
		if w.open(b, bad).Valid {
			t.Errorf("good for %+v, made for %+v", bad, h)
		}
	}
	other := newWorld(t) // another stack's secret
	other.rnd.Read(make([]byte, 99))
	if other.open(b, h).Valid {
		t.Error("good elsewhere")
	}
	w.local = []netip.Addr{here2}
	if w.open(b, h).Valid {
		t.Error("good for an endpoint on another address")
	}
	w.local = []netip.Addr{here2, here}
	if !w.open(b, h).Valid {
		t.Error("bad for an endpoint that has the address")
	}
}

// R-5.1.5-01 R-5.1.3-04 R-5.1.3-05: keys change every half hour, and the last
// one is still good.
func TestCookieKeys(t *testing.T) {
	w := newWorld(t)
	mk := func() ([]byte, chunk.Header) {
		c, h := sampleCookie(rand.New(rand.NewPCG(4, 4)), w.now)
		c.Lifetime = 30 * 60 * mono.Second
		w.x.now = w.now
		return w.x.appendCookie(nil, &c), h
	}
	pass := func(m mono.Duration) { w.now = w.now.Add(m * 60 * mono.Second) }
	first, h := mk()
	pass(29)
	again, _ := mk()
	if first[1] != again[1] {
		t.Error("a new key after 29 minutes")
	}
	pass(2)
	second, _ := mk()
	if second[1] == first[1] {
		t.Error("the same key after 31 minutes")
	}
	if !w.open(first, h).Valid || !w.open(second, h).Valid {
		t.Error("the key and the one before it are good")
	}
	pass(31)
	third, _ := mk()
	if w.open(first, h).Valid {
		t.Error("the last key but one is good")
	}
	if !w.open(second, h).Valid || !w.open(third, h).Valid {
		t.Error("the key and the one before it are good")
	}
	pass(59)
	if !w.open(third, h).Valid {
		t.Error("the key before this one is bad, although nothing happened in between")
	}
	fourth, _ := mk()
	pass(1000)
	if w.open(fourth, h).Valid || w.open(third, h).Valid {
		t.Error("good after 17 hours, because nobody called")
	}
	// 256 changes on, a key has the same number and is another.
	old, _ := mk()
	for range 256 {
		pass(31)
		mk()
	}
	if now, _ := mk(); now[1] != old[1] || w.open(old, h).Valid {
		t.Error("the number says more than the key")
	}
}

// A cookie that lives for hours is good all that time, however often the keys
// could change meanwhile, and stale afterwards. R-5.1.5-04
func TestCookieThatLivesLong(t *testing.T) {
	w := newWorld(t)
	mk := func(life mono.Duration) ([]byte, chunk.Header) {
		c, h := sampleCookie(rand.New(rand.NewPCG(4, 4)), w.now)
		c.Lifetime = life
		w.x.now = w.now
		return w.x.appendCookie(nil, &c), h
	}
	const hour = 3600 * mono.Second
	first, _ := mk(60 * mono.Second)
	w.now = w.now.Add(keyLife - mono.Second) // the key is about to change
	long, h := mk(5 * hour)
	if long[1] != first[1] {
		t.Fatal("this tests nothing: there is a new key already")
	}
	for made := w.now; w.now < made.Add(5*hour); w.now = w.now.Add(9 * 60 * mono.Second) {
		mk(60 * mono.Second)
		if f := w.open(long, h); !f.Valid || f.Expired {
			t.Fatalf("after %v: %+v", w.now.Sub(made), f)
		}
	}
	if f := w.open(long, h); !f.Valid || !f.Expired {
		t.Errorf("past its life: %+v", f)
	}
	if now, _ := mk(60 * mono.Second); now[1] == long[1] {
		t.Error("the key never changed")
	}
}

// R-5.1.5-04 R-5.1.5-05: staleness to the microsecond.
func TestCookieExpiry(t *testing.T) {
	w := newWorld(t)
	w.x.now = w.now
	c, h := sampleCookie(rand.New(rand.NewPCG(5, 5)), w.now)
	b := w.x.appendCookie(nil, &c)
	begin := w.now
	for _, tt := range []struct {
		age, stale mono.Duration
	}{{0, 0}, {60 * mono.Second, 0}, {60*mono.Second + 1, 1}, {61 * mono.Second, mono.Second}} {
		w.now = begin.Add(tt.age)
		f := w.open(b, h)
		if !f.Valid || f.Expired != (tt.stale > 0) || f.StaleBy != tt.stale {
			t.Errorf("after %v: %+v", tt.age, f)
		}
	}
}

// R-5.2.6-03: what the peer may ask for has a bound.
func TestPreservativeBound(t *testing.T) {
	for ms, want := range map[uint32]mono.Duration{0: 0, 1: mono.Millisecond, 60000: 60 * mono.Second, 60001: 60 * mono.Second, 1<<32 - 1: 60 * mono.Second} {
		if got := mayExtend(ms); got != want {
			t.Errorf("%d ms: %v, want %v", ms, got, want)
		}
	}
}

// R-5.1.3-07 R-5.1.3-06: a cookie is small, and has nothing of the TCB that an
// attacker could use: tie-tags are not tags.
func TestCookieContents(t *testing.T) {
	w := newWorld(t)
	_, cookie := w.ask(nil)
	if len(cookie) > 160 {
		t.Errorf("%d bytes without further addresses", len(cookie))
	}
	a := w.accept()
	local, peer := a.Tags()
	if v := a.TCB(); true {
		l, p := v.TieTags()
		if l == 0 || p == 0 || chunk.VTag(l) == local || chunk.VTag(p) == peer {
			t.Errorf("tie-tags %x %x for tags %x %x", l, p, local, peer)
		}
	}
	// The answer to a restart carries the tie-tags, not the tags (R-5.2.2-05).
	w.x.Packet(a, nil, w.packet(peerA, 0, peerInit(nil)), w.now)
	c, _ := w.only()
	var f chunk.InitFacts
	f.Decode(c)
	got := w.open(f.Cookie.Of(c), chunk.Header{SrcPort: 6000, DstPort: 5000, VTag: f.Tag})
	l, p := a.TCB().TieTags()
	if !got.Valid || got.TieLocal != l || got.TiePeer != p || got.LocalTag == local {
		t.Errorf("%+v", got)
	}
}
