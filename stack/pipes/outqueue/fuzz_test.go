package outqueue

import (
	"math/rand/v2"
	"testing"
)

// script is a chooser that reads its choices from bytes.
type script struct{ b []byte }

func (s *script) n(k int) int {
	v := 0
	for k > 1 && len(s.b) > 0 {
		v = v<<8 | int(s.b[0])
		s.b = s.b[1:]
		if k <= 256 {
			break
		}
		k >>= 8
	}
	return v
}

func (s *script) more() bool { return len(s.b) > 0 }

// bounded keeps the choices of a script in range, whatever its bytes.
type bounded struct{ script }

func (b *bounded) n(k int) int { return b.script.n(k) % k }

// FuzzSackSequence reads bytes as operations on a queue, hostile SACKs among
// them, and holds the queue against the model after each.
func FuzzSackSequence(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{0, 10, 100, 1000, 3000} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	// Send a lot, then gaps.
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 0, 5, 3, 0, 0, 0, 0, 3, 1, 0, 0, 0, 3, 2, 0, 0, 0, 0, 30, 3, 3, 3, 60, 0, 60, 0, 82, 1, 5, 9, 9, 9, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 5000 {
			return
		}
		newDuel(t, &bounded{script{b}}).run()
	})
}
