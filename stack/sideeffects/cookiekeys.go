package sideeffects

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/gosctp/gosctp/internal/mono"
)

// The keys of the State Cookie's MAC (RFC 9260 section 5.1.3). All executors of
// a stack have the same, so that a cookie can be opened by whichever of them
// has an association with its peer by then.

// Secrets are the keys that are good at a time. They are never changed: others
// take their place.
type Secrets struct {
	ID       uint8 // of Current; Previous is that of ID-1
	Current  [32]byte
	Previous [32]byte
	Two      bool // there is a Previous
}

const keyLife = 30 * 60 * mono.Second

// CookieKeys changes the keys every half hour, or, if cookies live longer, only
// as often as they do: one that was made just before a change is good with the
// previous key for all of its life. The zero value is ready to use, by one
// goroutine at a time.
type CookieKeys struct {
	cur  *Secrets
	due  mono.Time
	life mono.Duration // of the cookie that lives longest
}

// At returns the keys that are good now, where a cookie of the given life may
// be about to be made. New ones come from entropy.
func (k *CookieKeys) At(now mono.Time, life mono.Duration, entropy func([]byte)) *Secrets {
	k.life = max(k.life, life)
	if k.cur != nil && now < k.due {
		return k.cur
	}
	s := &Secrets{ID: 1}
	if k.cur != nil {
		s.ID = k.cur.ID + 1
		// If nobody came for long the key is too old to be a previous one.
		if now < k.due.Add(k.period()) {
			s.Previous, s.Two = k.cur.Current, true
		}
	}
	entropy(s.Current[:])
	k.cur, k.due = s, now.Add(k.period())
	return s
}

func (k *CookieKeys) period() mono.Duration { return max(keyLife, k.life) }

// cookieKeys are an executor's hashes for the keys it saw last.
type cookieKeys struct {
	from *Secrets
	mac  [2]hash.Hash // current, previous
	sum  [sha256.Size]byte
}

// useKeys looks the keys up that are good now, for a cookie of the given life.
func (x *Executor) useKeys(life mono.Duration) {
	s := x.Host.Secrets(x.now, life)
	k := &x.keys
	if k.from == s {
		return
	}
	k.from = s
	k.mac = [2]hash.Hash{hmac.New(sha256.New, s.Current[:])}
	if s.Two {
		k.mac[1] = hmac.New(sha256.New, s.Previous[:])
	}
}

// keyOf returns the hash of the key with a number, nil if that is forgotten.
func (x *Executor) keyOf(id uint8) hash.Hash {
	switch x.keys.from.ID {
	case id:
		return x.keys.mac[0]
	case id + 1:
		return x.keys.mac[1]
	}
	return nil
}

func (x *Executor) mac(h hash.Hash, b []byte) []byte {
	h.Reset()
	h.Write(b)
	return h.Sum(x.keys.sum[:0])
}
