package demo

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
)

// Plan says which messages are sent: it follows from the seed, so that both
// ends know it, and the receiver can tell what is missing, altered, cut, late
// or there twice.
//
// A message starts with a header that tells what it is: a number drawn from
// its place in the plan, its length, sequence number, stream and kind, and the
// CRC32c of what follows. The header of a message shorter than that is cut.
type Plan struct {
	Seed    uint64
	Bytes   int64
	Streams int
}

const (
	headerSize = 24
	// MaxMessage is the size of the largest message of a plan.
	MaxMessage = 96 << 10
)

// message is one message's place in the plan.
type message struct {
	stream    uint16
	unordered bool
	seq       uint32 // within its stream, ordered and unordered ones apart
	size      int
}

// mix is the finalizer of splitmix64, over the parts of a key.
func mix(seed uint64, parts ...uint64) uint64 {
	h := seed
	for _, p := range parts {
		h += p*0xff51afd7ed558ccd + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

func (p *Plan) key(m *message) uint64 {
	kind := uint64(0)
	if m.unordered {
		kind = 1
	}
	return mix(p.Seed, uint64(m.stream)<<33|kind<<32|uint64(m.seq))
}

// sizes are ranges of message sizes, all equally frequent.
var sizes = [8][2]int{
	{1, 32}, {1, 256}, {200, 1400}, {1000, 3000},
	{1400, 9000}, {4000, 24000}, {16 << 10, 64 << 10}, {32 << 10, MaxMessage},
}

// size is how long m is, unless it is the plan's last.
func (p *Plan) size(m *message) int {
	k := mix(p.key(m), 1)
	r := sizes[k%8]
	n := r[0] + int((k>>8)%uint64(r[1]-r[0]+1))
	if m.unordered {
		n = max(n, headerSize) // it must say which one it is
	}
	return n
}

// cursor walks a plan.
type cursor struct {
	p    *Plan
	n    uint64
	left int64
	next [2][]uint32 // sequence numbers: ordered, unordered
}

func (p *Plan) walk() cursor {
	return cursor{p: p, left: p.Bytes, next: [2][]uint32{make([]uint32, p.Streams), make([]uint32, p.Streams)}}
}

// Next moves on to the next message; false at the end.
func (c *cursor) Next(m *message) bool {
	if c.left == 0 {
		return false
	}
	r := mix(c.p.Seed, c.n, 2)
	c.n++
	*m = message{stream: uint16(r % uint64(c.p.Streams)), unordered: r>>32&3 == 0}
	if m.unordered && c.left < headerSize {
		m.unordered = false
	}
	kind := 0
	if m.unordered {
		kind = 1
	}
	m.seq = c.next[kind][m.stream]
	c.next[kind][m.stream]++
	m.size = int(min(int64(c.p.size(m)), c.left))
	c.left -= int64(m.size)
	return true
}

// pattern is what bodies are cut from.
type pattern []byte

const patternSize = 256 << 10

func (p *Plan) pattern() pattern {
	b := make([]byte, patternSize)
	r := rand.New(rand.NewPCG(p.Seed, 0x626f6479))
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func putHeader(h *[headerSize]byte, key uint64, m *message, crc uint32) {
	binary.BigEndian.PutUint64(h[0:], key)
	binary.BigEndian.PutUint32(h[8:], uint32(m.size))
	binary.BigEndian.PutUint32(h[12:], m.seq)
	binary.BigEndian.PutUint16(h[16:], m.stream)
	h[18], h[19] = 0, 1
	if m.unordered {
		h[18] = 1
	}
	binary.BigEndian.PutUint32(h[20:], crc)
}

// fill writes message m to buf and returns it.
func (p *Plan) fill(buf []byte, m *message, pat pattern) []byte {
	var h [headerSize]byte
	key := p.key(m)
	buf = buf[:m.size]
	crc := uint32(0)
	if m.size > headerSize {
		off := int(mix(key, 3) % uint64(patternSize-MaxMessage))
		copy(buf[headerSize:], pat[off:])
		crc = crc32.Checksum(buf[headerSize:], castagnoli)
	}
	putHeader(&h, key, m, crc)
	copy(buf, h[:])
	return buf
}

// Verifier checks the messages that arrive against the plan.
type Verifier struct {
	p        *Plan
	ordered  []uint32   // next sequence number of each stream
	seen     [][]uint64 // unordered ones, a bit each
	want     [2][]uint32
	last     message
	messages int64
	bytes    int64
	total    int64 // messages in the plan
}

// NewVerifier walks the plan once to know where it ends.
func (p *Plan) NewVerifier() *Verifier {
	v := &Verifier{p: p, ordered: make([]uint32, p.Streams), seen: make([][]uint64, p.Streams)}
	c := p.walk()
	for c.Next(&v.last) {
	}
	v.want, v.total = c.next, int64(c.n)
	for s := range v.seen {
		v.seen[s] = make([]uint64, (c.next[1][s]+63)/64)
	}
	return v
}

// Check takes a message as received. An error says what is wrong with it.
func (v *Verifier) Check(stream uint16, unordered bool, b []byte) error {
	if int(stream) >= v.p.Streams {
		return fmt.Errorf("a message of %d bytes came on stream %d, which nobody uses", len(b), stream)
	}
	m := message{stream: stream, unordered: unordered, size: len(b)}
	if unordered {
		if len(b) < headerSize {
			return fmt.Errorf("an unordered message on stream %d has only %d bytes", stream, len(b))
		}
		m.seq = binary.BigEndian.Uint32(b[12:])
		if m.seq >= v.want[1][stream] {
			return fmt.Errorf("an unordered message on stream %d claims to be number %d of %d", stream, m.seq, v.want[1][stream])
		}
		word, bit := m.seq/64, uint64(1)<<(m.seq%64)
		if v.seen[stream][word]&bit != 0 {
			return fmt.Errorf("unordered message %d of stream %d came twice", m.seq, stream)
		}
		v.seen[stream][word] |= bit
	} else {
		m.seq = v.ordered[stream]
		if m.seq >= v.want[0][stream] {
			return fmt.Errorf("stream %d delivers more than the %d ordered messages that were sent", stream, m.seq)
		}
		v.ordered[stream]++
	}
	want := v.p.size(&m)
	if l := &v.last; m.stream == l.stream && m.unordered == l.unordered && m.seq == l.seq {
		want = l.size
	}
	if len(b) != want {
		return fmt.Errorf("message %d of stream %d (unordered: %v) has %d bytes, not %d: lost, cut or out of order", m.seq, stream, unordered, len(b), want)
	}
	var h [headerSize]byte
	crc := uint32(0)
	if len(b) > headerSize {
		crc = crc32.Checksum(b[headerSize:], castagnoli)
	}
	putHeader(&h, v.p.key(&m), &m, crc)
	n := min(len(b), headerSize)
	if string(b[:n]) != string(h[:n]) {
		return altered(m, b, h)
	}
	v.messages++
	v.bytes += int64(len(b))
	return nil
}

// altered takes its arguments by value, so that they cost nothing when all is
// well.
func altered(m message, b []byte, h [headerSize]byte) error {
	n := min(len(b), headerSize)
	return fmt.Errorf("message %d of stream %d (unordered: %v, %d bytes) is not what was sent: it starts with %x instead of %x",
		m.seq, m.stream, m.unordered, m.size, b[:n], h[:n])
}

// Done reports whether all of the plan has been seen; if not, the error says
// what is missing.
func (v *Verifier) Done() error {
	if v.bytes == v.p.Bytes && v.messages == v.total {
		return nil
	}
	return fmt.Errorf("%d of %d bytes in %d of %d messages arrived", v.bytes, v.p.Bytes, v.messages, v.total)
}
