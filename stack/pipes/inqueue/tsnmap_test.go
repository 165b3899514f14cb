package inqueue

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// naive is what tsnMap should do, written without a thought for speed.
type naive struct {
	cum chunk.TSN
	got map[chunk.TSN]bool // above cum
}

func (o *naive) add(t chunk.TSN) {
	o.got[t] = true
	for o.got[o.cum+1] {
		o.cum++
		delete(o.got, o.cum)
	}
}

func (o *naive) highest() chunk.TSN {
	h := o.cum
	for t := range o.got {
		if t-o.cum > h-o.cum {
			h = t
		}
	}
	return h
}

func (o *naive) gaps() (out []chunk.GapBlock) {
	var offs []int
	for t := range o.got {
		offs = append(offs, int(t-o.cum))
	}
	slices.Sort(offs)
	for i, n := range offs {
		if i > 0 && offs[i-1] == n-1 {
			out[len(out)-1].End = uint16(n)
		} else {
			out = append(out, chunk.GapBlock{Start: uint16(n), End: uint16(n)})
		}
	}
	return out
}

func newQueue(initial chunk.TSN) *Queue {
	cfg := tcb.DefaultConfig()
	q := new(Queue)
	q.Init(&cfg, initial)
	return q
}

// compare fails unless q and o agree; whole says to compare the gap blocks too.
func compare(t *testing.T, q *Queue, o *naive, whole bool) {
	t.Helper()
	if q.CumTSN() != o.cum {
		t.Fatalf("cumulative TSN %d, want %d", q.CumTSN(), o.cum)
	}
	if q.HasGap() != (len(o.got) > 0) {
		t.Fatalf("gap: %t, but %d above", q.HasGap(), len(o.got))
	}
	if !whole {
		return
	}
	if q.Highest() != o.highest() {
		t.Fatalf("highest %d, want %d", q.Highest(), o.highest())
	}
	if got, want := q.gapBlocks(1<<20), o.gaps(); !slices.Equal(got, want) {
		t.Fatalf("gap blocks\n%v, want\n%v", got, want)
	}
	ones := 0
	for _, w := range q.tsn.words {
		for ; w != 0; w &= w - 1 {
			ones++
		}
	}
	if ones != len(o.got) {
		t.Fatalf("%d bits for %d TSNs", ones, len(o.got))
	}
}

func check(t *testing.T, q *Queue, o *naive, tsn chunk.TSN) Verdict {
	t.Helper()
	want := New
	switch n := int64(int32(tsn - o.cum)); {
	case n <= 0 || o.got[tsn]:
		want = Duplicate
	case n > 65535:
		want = TooFar
	}
	if v := q.Classify(tsn); v != want {
		t.Fatalf("TSN %d, cumulative %d: verdict %d, want %d", tsn, o.cum, v, want)
	}
	return want
}

// R-6.2-16, R-3.3.4-02, R-3.3.4-03, R-6.2-28, R-6.2-05: random arrivals,
// losses, duplicates and reneging over the wrap of TSNs.
func TestTSNMapModel(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		initial := chunk.TSN(rng.Uint32())
		if seed%2 == 0 {
			initial = -chunk.TSN(rng.Uint32N(5000)) // wraps soon
		}
		q := newQueue(initial)
		o := &naive{cum: initial - 1, got: map[chunk.TSN]bool{}}
		spread := []uint32{3, 70, 700, 3000}[seed%4]
		for step := range 3000 {
			var tsn chunk.TSN
			switch rng.IntN(10) {
			case 0, 1, 2, 3:
				tsn = o.cum + 1
			case 4:
				tsn = o.highest() + 1
			case 5:
				tsn = o.cum - chunk.TSN(rng.Uint32N(spread))
			default:
				tsn = o.cum + 1 + chunk.TSN(rng.Uint32N(spread))
			}
			if rng.IntN(16) == 0 && o.got[tsn] {
				q.Renege(tsn)
				delete(o.got, tsn)
			} else if check(t, q, o, tsn) == New {
				q.Accept(tsn)
				o.add(tsn)
			}
			compare(t, q, o, step%16 == 0 || spread < 100)
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
	}
}

// A map over the whole width that gap blocks can express, in all three
// alignments of the ring's seam.
func TestTSNMapFullWidth(t *testing.T) {
	for _, initial := range []chunk.TSN{0, 1, 63, 64, 1<<32 - 1, 1<<32 - 40000, 12345} {
		q := newQueue(initial)
		o := &naive{cum: initial - 1, got: map[chunk.TSN]bool{}}
		take := func(n chunk.TSN) {
			tsn := o.cum + n
			if check(t, q, o, tsn) == New {
				q.Accept(tsn)
				o.add(tsn)
			}
		}
		for _, n := range []chunk.TSN{65535, 2, 1000, 65534, 65535, 65470, 64, 63, 65} {
			take(n)
			compare(t, q, o, true)
		}
		check(t, q, o, o.cum+65536) // too far
		check(t, q, o, o.cum+1<<31) // of undefined order: not new
		check(t, q, o, o.cum+1<<31-1)
		if n := len(q.tsn.words); n != maxWords {
			t.Fatalf("%d words", n)
		}
		// Every other one, then the rest.
		base := o.cum
		for n := chunk.TSN(2); n <= 65535; n += 2 {
			tsn := base + n
			if check(t, q, o, tsn) == New {
				q.Accept(tsn)
				o.add(tsn)
			}
		}
		compare(t, q, o, true)
		// Take the highest back, one by one, across words.
		for range 200 {
			h := o.highest()
			q.Renege(h)
			delete(o.got, h)
			if q.Highest() != o.highest() {
				t.Fatalf("highest %d, want %d", q.Highest(), o.highest())
			}
		}
		for n := chunk.TSN(1); n <= 65535; n++ {
			tsn := base + n
			if !tsn.LessEq(o.cum) && check(t, q, o, tsn) == New {
				q.Accept(tsn)
				o.add(tsn)
			}
		}
		compare(t, q, o, true)
		if q.HasGap() || q.CumTSN() != base+65535 {
			t.Fatalf("not everything arrived")
		}
		if q.tsn.words != nil {
			t.Errorf("a large bitmap is kept")
		}
	}
}

// Nothing is held while nothing is missing.
func TestTSNMapMemory(t *testing.T) {
	q := newQueue(7)
	for tsn := chunk.TSN(7); tsn < 100000; tsn++ {
		q.Accept(tsn)
	}
	if q.tsn.words != nil {
		t.Error("a bitmap without a gap")
	}
	q.Renege(500) // below the cumulative TSN: no
	if q.CumTSN() != 99999 || q.HasGap() {
		t.Error("an acknowledged TSN was taken back")
	}
	q.Accept(100002)
	q.Renege(100002)
	q.Renege(100002)
	if q.HasGap() || q.Highest() != 99999 {
		t.Error("a TSN taken back is still there")
	}
}

func FuzzTSNMap(f *testing.F) {
	f.Add(uint32(0), []byte{1, 3, 2, 1})
	f.Add(uint32(1<<32-3), []byte{2, 0, 130, 9, 1, 4, 1, 255, 255})
	f.Add(uint32(100), []byte{200, 200, 200, 5, 5, 64, 66, 255, 3, 1, 1})
	f.Fuzz(func(t *testing.T, initial uint32, ops []byte) {
		q := newQueue(chunk.TSN(initial))
		o := &naive{cum: chunk.TSN(initial) - 1, got: map[chunk.TSN]bool{}}
		for i := 0; i+1 < len(ops) && i < 400; i += 2 {
			n := chunk.TSN(ops[i]&0x3F) | chunk.TSN(ops[i+1])<<6
			tsn := o.cum + n
			switch ops[i] >> 6 {
			case 0: // far ahead
				tsn += n << 3
			case 1:
				tsn -= 64
			case 2:
				if h := o.highest(); h != o.cum {
					tsn = h
				}
				q.Renege(tsn)
				delete(o.got, tsn)
				compare(t, q, o, true)
				continue
			}
			if check(t, q, o, tsn) == New {
				q.Accept(tsn)
				o.add(tsn)
			}
			compare(t, q, o, true)
		}
	})
}
