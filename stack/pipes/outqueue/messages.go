package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
)

// Messages waiting to be sent: a FIFO per stream, all of them in the order of
// Push, and a scheduler that picks the stream whose message is next. A message
// leaves when its last fragment is sent; from then on only records hold it.

// A Message is what the application sends in one go.
type Message struct {
	Buf       *seg.Buf // the payload is Buf.B, not empty; the queue's from Push on
	PPID      chunk.PPID
	Context   uint32 // the application's, given back when sending fails
	Stream    chunk.StreamID
	Unordered bool
	Immediate bool  // ask for a SACK at once (I bit) with the last fragment
	Via       uint8 // the path that the user wants, and 1, while it is usable; 0: the one in use
	NoDelay   bool  // do not hold this message, and those before it, back for bundling
}

type message struct {
	Message
	next         *message // in its stream, or in the free list
	older, newer *message // in the order of Push
	off          int      // bytes that became DATA chunks
	ssn          chunk.SSN
	tried        bool // some of it went out before the peer restarted
}

type stream struct {
	head, tail *message
	ssn        chunk.SSN
	active     bool   // in the scheduler's list
	after      uint16 // the next stream in it
}

type messages struct {
	streams  []stream // grown up to the highest stream used
	nStreams int
	sched    *scheduler
	rr       roundRobin

	oldest, newest *message
	current        *message // sent in part: its rest goes next, whatever the scheduler says
	nQueued        int
	nNoDelay       int
	nVia           int // want a path
	queued         int

	free  *message
	nFree int
}

// maxFree bounds the messages kept for reuse.
const maxFree = 1 << 14

// A scheduler is a way to choose between streams at message boundaries
// (RFC 8260 section 3). peek changes nothing, so that a chunk that does not
// fit is not charged.
type scheduler struct {
	push func(q *messages, m *message) // m was queued; its stream may have been empty. May be nil
	peek func(q *messages) *message    // whose fragment goes next
	done func(q *messages, m *message) // m left: fully sent, or dropped. May be nil
}

// fcfs sends messages in the order of Push.
var fcfs = scheduler{
	peek: func(q *messages) *message { return q.oldest },
}

// roundRobin is a circle of the streams that have messages.
type roundRobin struct {
	head, tail uint16
	n          int
}

// rr takes one message of each stream in turn.
var rr = scheduler{
	push: func(q *messages, m *message) {
		if s := &q.streams[m.Stream]; !s.active {
			q.rrAppend(uint16(m.Stream))
		}
	},
	peek: func(q *messages) *message {
		if q.rr.n == 0 {
			return nil
		}
		return q.streams[q.rr.head].head
	},
	done: func(q *messages, m *message) {
		id := uint16(m.Stream)
		s := &q.streams[id]
		if id == q.rr.head {
			q.rr.head = s.after
			q.rr.n--
			s.active = false
			if s.head != nil {
				q.rrAppend(id)
			}
		} else if s.head == nil { // dropped out of turn
			for i := q.rr.head; ; i = q.streams[i].after {
				if p := &q.streams[i]; p.after == id {
					p.after = s.after
					if q.rr.tail == id {
						q.rr.tail = i
					}
					q.rr.n--
					s.active = false
					return
				}
			}
		}
	},
}

func (q *messages) rrAppend(id uint16) {
	q.streams[id].active = true
	if q.rr.n == 0 {
		q.rr.head = id
	} else {
		q.streams[q.rr.tail].after = id
	}
	q.rr.tail = id
	q.rr.n++
}

// Scheduler names a stream scheduler.
type Scheduler uint8

// Stream schedulers.
const (
	FCFS Scheduler = iota // first come, first served
	RR                    // round robin, message by message
)

// SetScheduler changes how the next message is chosen. The rest of a message
// already sent in part goes first.
func (q *Queue) SetScheduler(s Scheduler) {
	q.sched = &fcfs
	if s == RR {
		q.sched = &rr
	}
	for i := range q.streams {
		q.streams[i].active = false
	}
	q.rr = roundRobin{}
	for m := q.oldest; m != nil && q.sched.push != nil; m = m.newer {
		q.sched.push(&q.messages, m)
	}
}

// Push queues a message. It reports false, and leaves m.Buf to the caller, if
// the message is empty or its stream does not exist.
func (q *Queue) Push(m Message, _ mono.Time) bool {
	if int(m.Stream) >= q.nStreams || m.Buf == nil || len(m.Buf.B) == 0 { // R-6.5-01, R-6.2-33
		return false
	}
	e := q.free
	if e != nil {
		q.free = e.next
		q.nFree--
		e.next = nil
	} else {
		e = new(message)
	}
	// Field by field, from registers: a copy by way of the stack stalls.
	e.Buf, e.PPID, e.Context, e.Stream = m.Buf, m.PPID, m.Context, m.Stream
	e.Unordered, e.Immediate, e.NoDelay, e.Via = m.Unordered, m.Immediate, m.NoDelay, m.Via
	q.enqueue(e)
	q.buffered += len(m.Buf.B) + MessageOverhead
	return true
}

// enqueue puts a message with cleared links at the end.
func (q *messages) enqueue(m *message) {
	if int(m.Stream) >= len(q.streams) {
		q.growStreams(int(m.Stream) + 1)
	}
	s := &q.streams[m.Stream]
	if s.tail == nil {
		s.head = m
	} else {
		s.tail.next = m
	}
	s.tail = m
	m.older = q.newest
	if q.newest == nil {
		q.oldest = m
	} else {
		q.newest.newer = m
	}
	q.newest = m
	q.nQueued++
	if m.NoDelay {
		q.nNoDelay++
	}
	if m.Via != 0 {
		q.nVia++
	}
	q.queued += len(m.Buf.B)
	if q.sched.push != nil {
		q.sched.push(q, m)
	}
}

// growStreams makes room for n streams: an association with 65535 streams pays
// for those it uses.
func (q *messages) growStreams(n int) {
	if n <= cap(q.streams) {
		had := len(q.streams)
		q.streams = q.streams[:n]
		clear(q.streams[had:])
		return
	}
	s := make([]stream, n, min(max(n, 2*len(q.streams)), max(n, q.nStreams)))
	copy(s, q.streams)
	q.streams = s
}

// head returns the message that the next new DATA chunk belongs to.
func (q *messages) head() *message {
	if q.current != nil {
		return q.current
	}
	if q.nQueued == 0 {
		return nil
	}
	return q.sched.peek(q)
}

// remove takes a message out of the queue.
func (q *messages) remove(m *message) {
	s := &q.streams[m.Stream]
	if s.head == m {
		s.head = m.next
		if s.tail == m {
			s.tail = nil
		}
	} else {
		p := s.head
		for p.next != m {
			p = p.next
		}
		p.next = m.next
		if s.tail == m {
			s.tail = p
		}
	}
	if m.older == nil {
		q.oldest = m.newer
	} else {
		m.older.newer = m.newer
	}
	if m.newer == nil {
		q.newest = m.older
	} else {
		m.newer.older = m.older
	}
	m.next, m.older, m.newer = nil, nil, nil
	q.nQueued--
	if m.NoDelay {
		q.nNoDelay--
	}
	if m.Via != 0 {
		q.nVia--
	}
	q.queued -= len(m.Buf.B) - m.off
	if q.current == m {
		q.current = nil
	}
	if q.sched.done != nil {
		q.sched.done(q, m)
	}
}

// dropQueued forgets all messages and starts the streams anew.
func (q *messages) dropQueued() {
	clear(q.streams)
	q.oldest, q.newest, q.current = nil, nil, nil
	q.nQueued, q.nNoDelay, q.nVia, q.queued = 0, 0, 0, 0
	q.rr = roundRobin{}
}

// recycle gives a message's memory back.
func (q *Queue) recycle(m *message) {
	if m.Buf != nil {
		q.pool.Put(m.Buf)
	}
	if q.nFree >= maxFree {
		return
	}
	*m = message{next: q.free}
	q.free = m
	q.nFree++
}
