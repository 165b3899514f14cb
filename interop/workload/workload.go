// Package workload says which messages the sides of an interop run exchange.
//
// Everything follows from a seed: the size, stream, ordering and each byte of
// message i in each direction. The receiver makes the same messages and
// compares, so nothing about them needs to travel but the index i, in the
// payload protocol identifier; that way messages of one byte are
// self-describing too. peers/common/workload.c is the same for peers in C.
package workload

// Direction of a message.
type Direction int

// Directions.
const (
	Up   Direction = iota // client to server
	Down                  // server to client
)

// Kind of a message: the top four bits of its payload protocol identifier. The
// next four are its generation: each restart of the peer, and each association
// in place of a lost one, begins the workload anew. The rest of a Data one is
// its index.
type Kind uint32

// Kinds. Done and Ping belong to the abortive end, see interop/README.md; Last
// says in place of the index how many messages there were.
const (
	Data Kind = 1 + iota
	Done
	Ping
	Last
)

const indexMask = 1<<24 - 1

// PPID returns the payload protocol identifier of a message.
func PPID(k Kind, generation, index int) uint32 {
	return uint32(k)<<28 | uint32(generation&0xf)<<24 | uint32(index)
}

// KindOf returns what a payload protocol identifier says about its message.
func KindOf(ppid uint32) Kind { return Kind(ppid >> 28) }

// GenerationOf returns the generation in an identifier.
func GenerationOf(ppid uint32) int { return int(ppid >> 24 & 0xf) }

// IndexOf returns the index in the identifier of a Data message, the number in
// that of a Last one.
func IndexOf(ppid uint32) int { return int(ppid & indexMask) }

// A Load is one workload; both directions have the same counts, and different
// messages.
type Load struct {
	Seed           uint64
	Messages       int
	Streams        int
	UnorderedEvery int // every nth message is unordered; 0: none is
	MaxSize        int
}

// A Message is one message of a Load.
type Message struct {
	Index     int
	Size      int
	Stream    uint16
	Unordered bool
	content   random
}

// Half of the messages are tiny, some fill a packet, some need several, and a
// few go up to the largest size.
var classes = [...]struct {
	percent uint64 // cumulative
	max     int
}{{50, 100}, {80, 1500}, {95, 10000}, {100, 1<<31 - 1}}

// Message returns the message with an index. The first has one byte, the
// second the largest size, whatever the seed.
func (l *Load) Message(dir Direction, index int) Message {
	r := random(l.Seed ^ uint64(dir+1)<<56)
	r = random(r.next() + uint64(index))
	m := Message{Index: index}
	pick, limit := r.next()%100, l.MaxSize
	for _, c := range classes {
		if pick < c.percent {
			limit = min(limit, c.max)
			break
		}
	}
	m.Size = 1 + int(r.next()%uint64(limit))
	m.Stream = uint16(r.next() % uint64(l.Streams))
	m.Unordered = l.UnorderedEvery > 0 && index%l.UnorderedEvery == l.UnorderedEvery-1
	m.content = random(r.next())
	switch index {
	case 0:
		m.Size = 1
	case 1:
		m.Size = l.MaxSize
	}
	return m
}

// Bytes sums up the sizes of all messages of one direction.
func (l *Load) Bytes(dir Direction) (n int64) {
	for i := range l.Messages {
		n += int64(l.Message(dir, i).Size)
	}
	return n
}

// Append appends the content of a message to b.
func (m Message) Append(b []byte) []byte {
	r := m.content
	for left := m.Size; left > 0; left -= 8 {
		x := r.next()
		for range min(left, 8) {
			b = append(b, byte(x))
			x >>= 8
		}
	}
	return b
}

// random is splitmix64.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
