package chunk

import (
	"math/rand/v2"
	"testing"
)

// Serial arithmetic around the wrap, and at the distance that RFC 1982 leaves
// undefined.
// R-1.6-02
func TestTSNOrder(t *testing.T) {
	for _, c := range []struct {
		a, b         TSN
		less, lessEq bool
		diff         int32
	}{
		{0, 0, false, true, 0},
		{0, 1, true, true, -1},
		{1, 0, false, false, 1},
		{0xffffffff, 0, true, true, -1},
		{0, 0xffffffff, false, false, 1},
		{0xfffffff0, 0x10, true, true, -0x20},
		{0x7fffffff, 0x80000000, true, true, -1},
		{0, 0x7fffffff, true, true, -0x7fffffff},
		{0, 0x80000000, false, false, -0x80000000},
		{0x80000000, 0, false, false, -0x80000000},
		{0xffffffff, 0x7fffffff, false, false, -0x80000000},
		{0, 0x80000001, false, false, 0x7fffffff},
	} {
		if got := c.a.Less(c.b); got != c.less {
			t.Errorf("%#x.Less(%#x) = %v", c.a, c.b, got)
		}
		if got := c.a.LessEq(c.b); got != c.lessEq {
			t.Errorf("%#x.LessEq(%#x) = %v", c.a, c.b, got)
		}
		if got := c.a.Diff(c.b); got != c.diff {
			t.Errorf("%#x.Diff(%#x) = %d", c.a, c.b, got)
		}
	}
	if got := TSN(0xfffffffe).Add(3); got != 1 {
		t.Errorf("0xfffffffe + 3 = %#x", got)
	}
}

// Against RFC 1982's own definition, from random and from close numbers.
func TestSerialModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		a := rng.Uint32()
		b := a + uint32(int32(rng.Uint32())>>rng.UintN(32))
		i1, i2 := uint64(a), uint64(b)
		less := i1 < i2 && i2-i1 < 1<<31 || i1 > i2 && i1-i2 > 1<<31
		if TSN(a).Less(TSN(b)) != less {
			t.Fatalf("TSN %#x < %#x: want %v", a, b, less)
		}
		if TSN(a).LessEq(TSN(b)) != (less || a == b) {
			t.Fatalf("TSN %#x <= %#x", a, b)
		}
		if TSN(b).Add(uint32(TSN(a).Diff(TSN(b)))) != TSN(a) {
			t.Fatalf("Diff and Add of %#x and %#x disagree", a, b)
		}
		s1, s2 := uint64(a&0xffff), uint64(b&0xffff)
		less = s1 < s2 && s2-s1 < 1<<15 || s1 > s2 && s1-s2 > 1<<15
		if SSN(s1).Less(SSN(s2)) != less {
			t.Fatalf("SSN %#x < %#x: want %v", s1, s2, less)
		}
	}
	if SSN(0xffff).Next() != 0 || SSN(7).Next() != 8 {
		t.Error("SSN.Next does not wrap at 2^16")
	}
	if SSN(0).Less(0x8000) || SSN(0x8000).Less(0) {
		t.Error("SSNs at distance 2^15 are ordered")
	}
}
