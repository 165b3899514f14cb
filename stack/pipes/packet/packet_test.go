package packet

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
)

// dirty returns a slot full of old bytes: padding must not leak them.
func dirty(n int) []byte { return bytes.Repeat([]byte{0xEE}, n) }

// R-6.8-01, R-6.8-02, R-6.10-03, R-6.10-04
func TestGolden(t *testing.T) {
	var b Builder
	b.Begin(dirty(1500), 1480, 5000, 7, 0x01020304)
	if !b.Empty() || b.HasData() || b.Room() != 1468 {
		t.Fatalf("empty %v room %d", b.Empty(), b.Room())
	}
	if !b.Commit(chunk.AppendSack(b.Tail(), 9, 1000, []chunk.GapBlock{{Start: 2, End: 3}}, nil)) {
		t.Fatal("SACK refused")
	}
	if b.Room() != 1468-20 || b.HasData() || b.Empty() {
		t.Fatalf("room %d", b.Room())
	}
	if !b.Data(chunk.FlagB|chunk.FlagE, 0x10, 3, 4, 0x33, []byte("hello")) {
		t.Fatal("DATA refused")
	}
	b.Immediate()
	got := b.Finish()
	want := []byte{
		0x13, 0x88, 0, 7, 1, 2, 3, 4, 0, 0, 0, 0,
		3, 0, 0, 20, 0, 0, 0, 9, 0, 0, 3, 0xe8, 0, 1, 0, 0, 0, 2, 0, 3,
		0, 0x0b, 0, 21, 0, 0, 0, 0x10, 0, 3, 0, 4, 0, 0, 0, 0x33, 'h', 'e', 'l', 'l', 'o', 0, 0, 0,
	}
	if !chunk.VerifyChecksum(got) {
		t.Error("bad CRC32c")
	}
	clear(got[8:12])
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if b.Len() != len(want) {
		t.Errorf("Len %d", b.Len())
	}
}

func TestCommitPadsAndRollsBack(t *testing.T) {
	var b Builder
	b.Begin(dirty(100), 40, 1, 2, 3)
	if !b.Commit(b.Tail()) || !b.Empty() {
		t.Error("nothing is something")
	}
	if !b.Commit(append(b.Tail(), 11, 0, 0, 5, 9)) { // padding is ours
		t.Fatal("refused")
	}
	if b.Len() != 20 || b.Room() != 20 {
		t.Fatalf("len %d room %d", b.Len(), b.Room())
	}
	if b.Commit(append(b.Tail(), make([]byte, 21)...)) || b.Len() != 20 || b.Oversize() {
		t.Error("a chunk beyond the PMTU went in")
	}
	if b.Commit(append(b.Tail(), make([]byte, 200)...)) || b.Len() != 20 {
		t.Error("a chunk beyond the slot went in")
	}
	if b.Data(0, 1, 2, 3, 4, make([]byte, 5)) {
		t.Error("DATA beyond the PMTU went in")
	}
	if !b.Data(0, 1, 2, 3, 4, make([]byte, 4)) || b.Room() != 0 {
		t.Error("DATA that fits exactly was refused")
	}
	p := b.Finish()
	if !bytes.Equal(p[12:20], []byte{11, 0, 0, 5, 9, 0, 0, 0}) {
		t.Errorf("% x", p)
	}
}

// R-6.10-01, R-6.9-07
func TestOversize(t *testing.T) {
	var b Builder
	for _, data := range []bool{true, false} {
		add := func(n int) bool {
			if data {
				return b.Data(3, 1, 0, 0, 0, make([]byte, n-16))
			}
			return b.Commit(append(b.Tail(), make([]byte, n)...))
		}
		b.Begin(dirty(1500), 100, 1, 2, 3)
		if !add(200) || !b.Oversize() || b.Room() != 0 {
			t.Errorf("a lone chunk beyond the PMTU was refused (DATA: %v)", data)
		}
		if add(16) {
			t.Error("more was bundled with it")
		}
		b.Begin(dirty(1500), 100, 1, 2, 3)
		if b.Oversize() || !add(16) || add(200) || b.Oversize() {
			t.Error("it was bundled with another")
		}
		b.Begin(dirty(150), 100, 1, 2, 3)
		if add(200) || !b.Empty() {
			t.Error("it went beyond the slot")
		}
	}
	b.Begin(dirty(80000), 70000, 1, 2, 3)
	if b.Data(3, 1, 0, 0, 0, make([]byte, chunk.MaxDataLen+1)) && len(b.Finish()) > 65550 {
		t.Error("the Chunk Length overflowed")
	}
}

// The bytes of many random packets read back as what was put in.
// An oversize packet is padded in front of its DATA chunk (R-6-10, R-6.10-03),
// and behind a control chunk, which may have to be the first.
func TestPad(t *testing.T) {
	payload := bytes.Repeat([]byte{7}, 201)
	for _, data := range []bool{true, false} {
		var b Builder
		b.Begin(dirty(1500), 100, 1, 2, 3)
		if data {
			b.Data(3, 9, 0, 0, 0, payload)
			b.Pad(1300)
			b.Immediate()
		} else {
			b.Commit(chunk.AppendCookieEcho(b.Tail(), payload))
			b.Pad(1300)
		}
		p := b.Finish()
		if len(p) != 1300 {
			t.Fatalf("DATA: %v: %d bytes, want 1300", data, len(p))
		}
		var order []chunk.Type
		w := chunk.Walk(p[chunk.HeaderLen:])
		for c, ok := w.Next(); ok; c, ok = w.Next() {
			order = append(order, c.Type())
			if d, e := chunk.ParseData(c); c.Type() == chunk.TypeData && (e != chunk.ErrNone || d.TSN != 9 || d.Flags&chunk.FlagI == 0 || !bytes.Equal(d.Payload, payload)) {
				t.Errorf("%+v, %v", d, e)
			}
		}
		want := []chunk.Type{chunk.TypePad, chunk.TypeData}
		if !data {
			want = []chunk.Type{chunk.TypeCookieEcho, chunk.TypePad}
		}
		if !slices.Equal(order, want) {
			t.Errorf("%v, want %v", order, want)
		}
	}
	var b Builder
	b.Begin(dirty(1500), 1400, 1, 2, 3)
	b.Data(3, 9, 0, 0, 0, payload)
	b.Pad(1300)
	if n := len(b.Finish()); n > 300 {
		t.Errorf("a packet that fits was padded to %d bytes", n)
	}
}

func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	slot := dirty(3000)
	var b Builder
	for range 3000 {
		mtu := 100 + rng.IntN(2000)
		b.Begin(slot, mtu, uint16(rng.Uint32()), 9, chunk.VTag(rng.Uint32()))
		var want [][]byte
		for range 20 {
			pay := make([]byte, 1+rng.IntN(300))
			for i := range pay {
				pay[i] = byte(rng.Uint32())
			}
			room, empty := b.Room(), b.Empty()
			if b.Data(3, 5, 6, 7, 8, pay) {
				want = append(want, pay)
				if !empty && room < chunk.Padded(16+len(pay)) {
					t.Fatal("exceeds the room")
				}
			} else if room >= chunk.Padded(16+len(pay)) {
				t.Fatal("refused what fits")
			}
		}
		p := b.Finish()
		if len(p) > mtu && !b.Oversize() || len(p)%4 != 0 {
			t.Fatalf("%d bytes at PMTU %d", len(p), mtu)
		}
		body := p[chunk.HeaderLen:]
		w := chunk.Walk(body)
		for _, pay := range want {
			c, ok := w.Next()
			d, e := chunk.ParseData(c)
			if !ok || e != chunk.ErrNone || !bytes.Equal(d.Payload, pay) {
				t.Fatalf("read back % x", d.Payload)
			}
			for _, x := range body[w.Offset()+len(c) : w.Offset()+chunk.Padded(len(c))] {
				if x != 0 {
					t.Fatal("padding is not zero")
				}
			}
		}
	}
}

func TestNoAllocation(t *testing.T) {
	slot := make([]byte, 1500)
	pay := make([]byte, 1400)
	var b Builder
	if n := testing.AllocsPerRun(100, func() {
		b.Begin(slot, 1480, 1, 2, 3)
		b.Commit(chunk.AppendSack(b.Tail(), 1, 2, nil, nil))
		b.Data(3, 1, 2, 3, 4, pay)
		b.Finish()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkData1400(b *testing.B) {
	slot := make([]byte, 1500)
	pay := make([]byte, 1400)
	var p Builder
	b.ReportAllocs()
	for b.Loop() {
		p.Begin(slot, 1480, 1, 2, 3)
		p.Data(3, 1, 2, 3, 4, pay)
	}
}
