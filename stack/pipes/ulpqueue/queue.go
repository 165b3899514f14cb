package ulpqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/tcb"
)

// maxNotes bounds the notifications that wait without being vital, and
// maxVital those that are.
const (
	maxNotes = 256
	maxVital = 256
)

// A Queue is one association's way from accepted DATA chunks to the
// application. Its zero value is not usable: see Init.
type Queue struct {
	cfg   *tcb.Config
	pool  *seg.Pool
	nodes *seg.Free[Message]
	cache *Cache // in front of them, or nil

	// byTSN has what has arrived and is not ready: messages with fragments
	// missing, and complete ones that wait for their turn. Each takes a range
	// of TSNs, and the ranges do not overlap. bySSN has the complete ordered
	// ones among them again, by stream and SSN.
	byTSN sorted
	bySSN sorted

	ready List
	notes int // notifications in ready that are not vital,
	vital int // and those that are

	// pd is the message in partial delivery. It stays in byTSN until its end
	// is there, and all other data waits. piece is the last piece of it in
	// ready.
	pd    *Message
	piece *Message

	from      tcb.PathID // where the chunks at hand came from
	streams   streams
	inStreams uint16
	cum       chunk.TSN
	cumKnown  bool

	budget *seg.Budget // what mem is counted in, too; nil: nothing is shared

	limit   int // memory that may be held
	credit  int // user data that is granted to the peer
	mem     int // memory held
	payload int // user data held
	win     int // user data that the peer may still send
	told    int // a_rwnd of the last SACK
	largest int // user data of a chunk
	usual   usual

	outPayload int // part of payload that the reader has,
	outMem     int // and the memory it takes
}

// Init prepares q for inStreams incoming streams. Buffers and messages come
// from pool and nodes, which may be shared. A Queue that was in use must have
// been purged.
func (q *Queue) Init(cfg *tcb.Config, pool *seg.Pool, nodes *seg.Free[Message], inStreams uint16) {
	limit := max(cfg.RecvBuffer, minBuffer)
	*q = Queue{
		cfg: cfg, pool: pool, nodes: nodes, inStreams: inStreams,
		limit: limit, credit: limit / 2, win: limit / 2, told: limit / 2,
	}
}

// From says which path the chunks to be inserted next came from: a Message
// tells it of its first one.
func (q *Queue) From(p tcb.PathID) { q.from = p }

// SetConfig replaces the parameters that Init was given. The memory that may be
// held stays what the peer was told.
func (q *Queue) SetConfig(cfg *tcb.Config) { q.cfg = cfg }

// A Cache saves the Queues of one owner, such as a shard, most of the locking
// that shared free lists take. It is for one goroutine at a time.
type Cache struct {
	bufs  *seg.Cache
	nodes *seg.FreeCache[Message]
}

// NewCache returns a Cache in front of pool and nodes.
func NewCache(pool *seg.Pool, nodes *seg.Free[Message]) *Cache {
	return &Cache{seg.NewCache(pool), seg.NewFreeCache(nodes)}
}

// Flush gives what c holds back to the free lists.
func (c *Cache) Flush() {
	c.bufs.Flush()
	c.nodes.Flush()
}

// UseCache makes q take buffers and messages from c, which must be in front
// of the free lists given to Init.
func (q *Queue) UseCache(c *Cache) { q.cache = c }

func (q *Queue) getBuf(n int) *seg.Buf {
	if q.cache != nil {
		return q.cache.bufs.Get(n)
	}
	return q.pool.Get(n)
}

func (q *Queue) getMessage() *Message {
	if q.cache != nil {
		return q.cache.nodes.Get()
	}
	return q.nodes.Get()
}

// InStreams returns the number of incoming streams.
func (q *Queue) InStreams() uint16 { return q.inStreams }

// Ready reports whether Detach would find something.
func (q *Queue) Ready() bool { return !q.ready.Empty() }

// ReadyBytes returns the user data that is ready.
func (q *Queue) ReadyBytes() int { return q.ready.bytes }

// Held returns the memory accounted for, the reader's part included.
func (q *Queue) Held() int { return q.mem }

// Pending reports whether data is held that is not ready.
func (q *Queue) Pending() bool { return q.byTSN.n > 0 }

// Notify puts a notification behind everything that is ready. It returns
// false, and frees the notification's bytes, if too many wait already: a
// reader who comes late finds the first ones, and how it ended.
func (q *Queue) Notify(n Notification) bool {
	count, limit := &q.notes, maxNotes
	if n.Rank >= Vital {
		count, limit = &q.vital, maxVital
	}
	if *count >= limit && n.Rank < Final {
		if n.Bytes != nil {
			q.pool.PutChain(n.Bytes)
		}
		return false
	}
	*count++
	m := q.getMessage()
	m.Kind, m.EOR, m.Note = KindNotification, true, n
	q.ready.Push(m)
	return true
}

// Detach moves ready messages to the end of dst, the reader's: one, and as
// many more as keep the user data within maxBytes. It returns their number.
func (q *Queue) Detach(dst *List, maxBytes int) int {
	n, bytes := 0, 0
	for m := q.ready.head; m != nil; m = q.ready.head {
		bytes += m.Len
		if n > 0 && bytes > maxBytes {
			break
		}
		q.ready.Pop()
		if m == q.piece {
			q.piece = nil
		}
		if m.Kind == KindNotification {
			if m.Note.Rank >= Vital {
				q.vital--
			} else {
				q.notes--
			}
		}
		q.outPayload += m.Len
		q.outMem += m.mem
		dst.Push(m)
		n++
	}
	return n
}

// Abort drops what is not ready, and tells the reader if the message it has
// seen pieces of will have no end.
func (q *Queue) Abort() {
	if m := q.pd; m != nil {
		n := Notification{Kind: NotePartialAborted, Rank: Final, A: uint32(m.Stream), B: uint32(m.SSN)}
		if m.Unordered {
			n.C = 1
		}
		q.Notify(n)
	}
	q.pd, q.piece = nil, nil
	for q.byTSN.n > 0 {
		i := q.byTSN.n - 1
		m := q.byTSN.at(i)
		q.byTSN.remove(i, 1)
		q.drop(m)
	}
	if q.bySSN.n > 0 {
		q.bySSN.remove(0, q.bySSN.n)
	}
}

// Restart makes q ready for a peer that has restarted the association: SSNs
// begin anew, what is not ready is dropped, what is ready stays.
func (q *Queue) Restart(inStreams uint16) {
	q.Abort()
	q.streams = streams{}
	q.inStreams = inStreams
	q.largest, q.cumKnown = 0, false
}

// Purge frees everything in q. What the reader has stays accounted for.
func (q *Queue) Purge() {
	q.pd = nil
	q.Abort()
	for m := q.ready.Pop(); m != nil; m = q.ready.Pop() {
		q.drop(m)
	}
	q.notes, q.vital = 0, 0
	q.streams = streams{}
}

// drop frees a message that the reader has not got.
func (q *Queue) drop(m *Message) {
	q.release(m.Len, m.mem)
	FreeMessage(q.pool, q.nodes, m)
}
