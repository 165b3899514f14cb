package workload

import (
	"bytes"
	"fmt"
)

// A Verifier checks what one side receives: each message exactly once, on its
// stream, with its size, flag and content, ordered ones in order.
type Verifier struct {
	load   *Load
	dir    Direction
	seen   []bool
	next   []int // by stream: the lowest index an ordered message may have
	expect []byte

	Received  int
	Unordered int
	Bytes     int64
	Digest    uint64 // FNV-1a over index and size in the order of delivery
}

// NewVerifier returns the Verifier for one direction of a load.
func NewVerifier(l *Load, dir Direction) *Verifier {
	v := &Verifier{load: l, dir: dir, seen: make([]bool, l.Messages), next: make([]int, l.Streams)}
	v.Reset()
	return v
}

// Reset forgets what was received: the workload begins anew.
func (v *Verifier) Reset() {
	clear(v.seen)
	clear(v.next)
	v.Received, v.Unordered, v.Bytes, v.Digest = 0, 0, 0, 0xcbf29ce484222325
}

// Ordering is how a stack reported a message's U bit.
type Ordering int

// Orderings. Some stacks do not tell.
const (
	Ordered Ordering = iota
	Unordered
	NotTold
)

// Take checks one whole message.
func (v *Verifier) Take(stream uint16, ppid uint32, o Ordering, p []byte) error {
	i := IndexOf(ppid)
	if KindOf(ppid) != Data || i >= v.load.Messages {
		return fmt.Errorf("message with unexpected PPID %#x", ppid)
	}
	m := v.load.Message(v.dir, i)
	if v.seen[i] {
		return fmt.Errorf("message %d delivered twice", i)
	}
	v.seen[i] = true
	switch {
	case stream != m.Stream:
		return fmt.Errorf("message %d on stream %d, sent on %d", i, stream, m.Stream)
	case o != NotTold && (o == Unordered) != m.Unordered:
		return fmt.Errorf("message %d unordered=%t, sent with %t", i, o == Unordered, m.Unordered)
	case len(p) != m.Size:
		return fmt.Errorf("message %d has %d bytes, sent with %d", i, len(p), m.Size)
	}
	v.expect = m.Append(v.expect[:0])
	if !bytes.Equal(p, v.expect) {
		return fmt.Errorf("message %d differs in content", i)
	}
	if m.Unordered {
		v.Unordered++
	} else {
		if i < v.next[stream] {
			return fmt.Errorf("message %d out of order on stream %d: %d came first", i, stream, v.next[stream]-1)
		}
		v.next[stream] = i + 1
	}
	v.Received++
	v.Bytes += int64(len(p))
	v.digest(uint64(i))
	v.digest(uint64(len(p)))
	return nil
}

func (v *Verifier) digest(x uint64) {
	for range 8 {
		v.Digest = (v.Digest ^ x&0xff) * 0x100000001b3
		x >>= 8
	}
}
