package demo

import (
	"bytes"
	"slices"
	"testing"
)

type sent struct {
	message
	data []byte
}

func all(p *Plan) []sent {
	var out []sent
	c, pat, buf := p.walk(), p.pattern(), make([]byte, MaxMessage)
	var m message
	for c.Next(&m) {
		out = append(out, sent{m, bytes.Clone(p.fill(buf, &m, pat))})
	}
	return out
}

func TestPlanCoversSizesAndKinds(t *testing.T) {
	p := &Plan{Seed: 1, Bytes: 16 << 20, Streams: 16}
	var total int64
	var small, large, unordered int
	streams := map[uint16]bool{}
	for _, s := range all(p) {
		total += int64(s.size)
		streams[s.stream] = true
		if s.size < 8 {
			small++
		}
		if s.size > 64<<10 {
			large++
		}
		if s.unordered {
			unordered++
		}
	}
	if total != p.Bytes || len(streams) != 16 || small == 0 || large == 0 || unordered == 0 {
		t.Errorf("%d bytes, %d streams, %d small, %d large, %d unordered", total, len(streams), small, large, unordered)
	}
	other := all(&Plan{Seed: 2, Bytes: 16 << 20, Streams: 16})
	if slices.EqualFunc(all(p), other, func(a, b sent) bool { return bytes.Equal(a.data, b.data) }) {
		t.Error("the seed makes no difference")
	}
}

func TestVerifierAcceptsThePlan(t *testing.T) {
	for _, p := range []*Plan{
		{Seed: 1, Bytes: 1 << 20, Streams: 16}, {Seed: 2, Bytes: 1, Streams: 1}, {Seed: 3, Bytes: 100001, Streams: 3},
		{Seed: 4, Bytes: 0, Streams: 2},
	} {
		v := p.NewVerifier()
		msgs := all(p)
		// Unordered messages may come in any order among themselves.
		var late []sent
		for _, s := range msgs {
			if s.unordered {
				late = append(late, s)
				continue
			}
			if err := v.Check(s.stream, false, s.data); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Done(); err == nil && len(late) > 0 {
			t.Error("done before all came")
		}
		slices.Reverse(late)
		for _, s := range late {
			if err := v.Check(s.stream, true, s.data); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Done(); err != nil {
			t.Error(err)
		}
	}
}

func TestVerifierRejects(t *testing.T) {
	p := &Plan{Seed: 9, Bytes: 2 << 20, Streams: 4}
	msgs := all(p)
	first := func(f func(sent) bool) sent {
		for _, s := range msgs {
			if f(s) {
				return s
			}
		}
		t.Fatal("the plan has no such message")
		return sent{}
	}
	ord := first(func(s sent) bool { return !s.unordered && s.seq == 0 && s.size > 100 })
	second := first(func(s sent) bool { return !s.unordered && s.stream == ord.stream && s.seq == 1 })
	un := first(func(s sent) bool { return s.unordered && s.size > 100 })
	flip := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i] ^= 1
		return b
	}
	for name, tc := range map[string]struct {
		stream    uint16
		unordered bool
		data      []byte
	}{
		"altered header":       {ord.stream, false, flip(ord.data, 0)},
		"altered body":         {ord.stream, false, flip(ord.data, len(ord.data)-1)},
		"cut":                  {ord.stream, false, ord.data[:len(ord.data)-1]},
		"empty":                {ord.stream, false, nil},
		"second before first":  {second.stream, false, second.data},
		"wrong stream":         {(ord.stream + 1) % 4, false, ord.data},
		"no such stream":       {4, false, ord.data},
		"ordered as unordered": {ord.stream, true, ord.data},
		"unordered as ordered": {un.stream, false, un.data},
		"unordered altered":    {un.stream, true, flip(un.data, 50)},
		"unordered cut":        {un.stream, true, un.data[:23]},
		"unknown number":       {un.stream, true, flip(un.data, 12)},
	} {
		if err := p.NewVerifier().Check(tc.stream, tc.unordered, tc.data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	v := p.NewVerifier()
	if err := v.Check(un.stream, true, un.data); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(un.stream, true, un.data); err == nil {
		t.Error("twice: accepted")
	}
	v = p.NewVerifier()
	for _, s := range msgs {
		if err := v.Check(s.stream, s.unordered, s.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Check(ord.stream, false, ord.data); err == nil {
		t.Error("more than was sent: accepted")
	}
}

func TestFillAndCheckDoNotAllocate(t *testing.T) {
	p := &Plan{Seed: 1, Bytes: 64 << 20, Streams: 16}
	v, c, pat, buf := p.NewVerifier(), p.walk(), p.pattern(), make([]byte, MaxMessage)
	var m message
	if n := testing.AllocsPerRun(500, func() {
		c.Next(&m)
		if err := v.Check(m.stream, m.unordered, p.fill(buf, &m, pat)); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
}

func BenchmarkFillAndCheck(b *testing.B) {
	p := &Plan{Seed: 1, Bytes: 1 << 40, Streams: 16}
	v := &Verifier{p: p, last: message{seq: 1<<32 - 1}, ordered: make([]uint32, 16), want: [2][]uint32{make([]uint32, 16), make([]uint32, 16)}}
	for i := range 16 {
		v.want[0][i], v.want[1][i] = 1<<31, 1<<31
		v.seen = append(v.seen, make([]uint64, 1<<20))
	}
	c, pat, buf := p.walk(), p.pattern(), make([]byte, MaxMessage)
	var m message
	b.ReportAllocs()
	for b.Loop() {
		c.Next(&m)
		if err := v.Check(m.stream, m.unordered, p.fill(buf, &m, pat)); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(v.bytes / max(v.messages, 1))
	}
}
