package fuzz

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
)

// bell is a stack that listens, and a peer that asks it for cookies.
type bell struct {
	d      *duo
	z      *host
	packet []byte
}

const bellTag chunk.VTag = 0xC0FFEE01

func newBell(t testing.TB) *bell {
	d := newDuo(t)
	return &bell{d: d, z: d.side[1]}
}

// ring sends one chunk to the stack and returns the packet that comes back.
func (b *bell) ring(tag chunk.VTag, c []byte) []byte {
	p := chunk.AppendHeader(b.packet[:0], 7, port, tag)
	p = append(p, c...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	chunk.SetChecksum(p)
	b.packet = p
	b.d.drop(len(b.d.fly))
	b.d.input(1, p)
	if len(b.d.fly) == 0 {
		return nil
	}
	return b.d.fly[0].data
}

// cookie returns a fresh cookie and the tag that goes with it.
func (b *bell) cookie(t testing.TB) (chunk.VTag, []byte) {
	in := chunk.AppendInit(nil, chunk.TypeInit, chunk.Init{Tag: bellTag, ARwnd: 65536, OS: 1, MIS: 1, TSN: 1})
	re := b.ring(0, in)
	if re == nil {
		t.Fatal("no answer to INIT")
	}
	var f chunk.InitFacts
	c, e := chunk.ParseChunk(re[chunk.HeaderLen:])
	if e != chunk.ErrNone || f.Decode(c) != chunk.ErrNone || c.Type() != chunk.TypeInitAck {
		t.Fatal("not an INIT ACK:", chunk.Format(re))
	}
	return f.Tag, append([]byte(nil), f.Cookie.Of(c)...)
}

// try sends a COOKIE ECHO and reports whether it made an association, which is
// ended again.
func (b *bell) try(t testing.TB, tag chunk.VTag, cookie []byte) bool {
	re := b.ring(tag, chunk.AppendCookieEcho(nil, cookie))
	n := b.z.s.Stats().Associations
	if n == 0 {
		if re != nil {
			t.Fatalf("a cookie that is no good was answered: %s", chunk.Format(re))
		}
		return false
	}
	if re == nil || chunk.Type(re[chunk.HeaderLen]) != chunk.TypeCookieAck {
		t.Fatal("an association without COOKIE ACK")
	}
	b.ring(tag, chunk.AppendAbort(nil, false, nil))
	b.z.leave()
	if b.z.s.Stats().Associations != 0 {
		t.Fatal("it does not end")
	}
	return true
}

var theBell *bell

// FuzzCookie sends cookies to a stack that listens: bytes of its own, and
// changed copies of real ones. Only a cookie that is byte for byte the stack's
// makes an association.
func FuzzCookie(f *testing.F) {
	b := newBell(f)
	tag, cookie := b.cookie(f)
	if !b.try(f, tag, cookie) {
		f.Fatal("a good cookie is not good")
	}
	f.Add([]byte{}, []byte{}, uint32(tag), false)
	f.Add(cookie, []byte{}, uint32(tag), false)
	f.Add(cookie[:len(cookie)-1], []byte{}, uint32(tag), false)
	f.Add([]byte{}, []byte{}, uint32(0), true)
	f.Add([]byte{}, []byte{0, 0, 0, 1}, uint32(0), true)
	f.Add([]byte{}, []byte{0, 1}, uint32(0), true)
	f.Add([]byte{}, []byte{0, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0xff}, uint32(0), true)
	f.Add([]byte{1, 2, 3}, []byte{}, uint32(0), true)
	f.Add([]byte{1, 2, 3, 4}, []byte{}, uint32(0), true)
	f.Add([]byte{}, []byte{}, uint32(1), true)

	// With real, the cookie is a real one: mask is laid over it, tail goes
	// behind it, and tag is laid over its tag. Else it is tail.
	f.Fuzz(func(t *testing.T, tail, mask []byte, tag uint32, real bool) {
		if len(tail) > 8192 {
			return
		}
		b := theBell
		if b == nil {
			b = newBell(t)
		}
		theBell = nil
		b.d.begin()
		if !real {
			if b.try(t, chunk.VTag(tag), tail) {
				t.Fatal("bytes that are no cookie of ours made an association")
			}
			theBell = b
			return
		}
		own, cookie := b.cookie(t)
		changed := tag != 0 || len(tail) > 3
		for i := range cookie {
			if i < len(mask) {
				cookie[i] ^= mask[i]
				changed = changed || mask[i] != 0
			}
		}
		invalid := b.z.s.Stats().Events[fsm.StatInvalidCookies]
		made := b.try(t, own^chunk.VTag(tag), append(cookie, tail...))
		if made == changed {
			t.Fatalf("changed %v, but an association: %v", changed, made)
		}
		if n := b.z.s.Stats().Events[fsm.StatInvalidCookies]; own^chunk.VTag(tag) != 0 && (n != invalid) != changed {
			t.Fatalf("changed %v, but counted as invalid: %d", changed, n-invalid)
		}
		theBell = b
	})
}
