package ulpqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Kind tells a message of the peer from a notification.
type Kind uint8

// Kinds.
const (
	KindData Kind = iota
	KindNotification
)

// NotePartialAborted is the Kind of the one notification that this package
// makes: the message whose pieces were delivered so far has no end. A is the
// stream, B the SSN, C is 1 if it was unordered.
const NotePartialAborted uint8 = 0xFF

// Rank says how much a notification matters when many wait.
type Rank uint8

// Ranks.
const (
	Usual Rank = iota // dropped when many wait
	Vital             // dropped when many of them wait, which takes a peer that restarts again and again
	Final             // never dropped: what is reported is bounded otherwise
)

// A Notification tells the application about something other than data. What
// the fields mean depends on Kind, which except for NotePartialAborted is the
// caller's to define.
type Notification struct {
	Kind    uint8
	Path    tcb.PathID
	Cause   uint16
	Rank    Rank
	A, B, C uint32
	Bytes   *seg.Buf // optional; FreeMessage frees it
}

// A Message is what the application reads: a message of the peer, a piece of
// one, or a notification. The unexported fields describe a message that is
// still being put together.
type Message struct {
	Kind      Kind
	Unordered bool
	EOR       bool // the message ends here; false: more pieces follow

	begun   bool // the first fragment is here
	ended   bool // the last fragment is here
	waiting bool // complete, and in bySSN

	Stream chunk.StreamID
	SSN    chunk.SSN
	PPID   chunk.PPID
	TSN    chunk.TSN // of the first fragment
	CumTSN chunk.TSN // cumulative TSN when the message became ready
	From   tcb.PathID
	last   chunk.TSN // of the last fragment

	Len  int      // bytes of user data
	mem  int      // memory that is accounted for this message
	Head *seg.Buf // the user data, in a chain
	tail *seg.Buf

	Note Notification
	next *Message
}

// Next returns the message behind m in its List.
func (m *Message) Next() *Message { return m.next }

// addBuf appends a fragment.
func (m *Message) addBuf(b *seg.Buf, n, mem int) {
	if m.Head == nil {
		m.Head = b
	} else {
		m.tail.Next = b
	}
	m.tail = b
	m.Len += n
	m.mem += mem
}

// addChain moves the user data of m2, if any, to the end of m.
func (m *Message) addChain(m2 *Message) {
	if m2.Head == nil {
		return
	}
	if m.Head == nil {
		m.Head = m2.Head
	} else {
		m.tail.Next = m2.Head
	}
	m.tail = m2.tail
	m.Len += m2.Len
	m.mem += m2.mem - messageOverhead
	m2.Head, m2.tail, m2.Len, m2.mem = nil, nil, 0, messageOverhead
}

// FreeMessage recycles a message that has been read. It needs no lock.
func FreeMessage(pool *seg.Pool, nodes *seg.Free[Message], m *Message) {
	if m.Head != nil {
		pool.PutChain(m.Head)
	}
	if m.Note.Bytes != nil {
		pool.PutChain(m.Note.Bytes)
	}
	*m = Message{}
	nodes.Put(m)
}

// FreeList recycles every message in l, with less locking than one by one. It
// leaves l empty.
func FreeList(pool *seg.Pool, nodes *seg.Free[Message], l *List) {
	var chain *seg.Buf
	var free [32]*Message
	n := 0
	for m := l.head; m != nil; {
		next := m.next
		if m.Note.Bytes != nil {
			pool.PutChain(m.Note.Bytes)
		}
		if m.Head != nil {
			m.tail.Next = chain
			chain = m.Head
		}
		*m = Message{}
		if n == len(free) {
			nodes.PutN(free[:])
			n = 0
		}
		free[n] = m
		n++
		m = next
	}
	pool.PutChain(chain)
	nodes.PutN(free[:n])
	*l = List{}
}

// A List is a FIFO of messages. Its zero value is empty.
type List struct {
	head, tail *Message
	n, bytes   int
}

// Push appends m.
func (l *List) Push(m *Message) {
	m.next = nil
	if l.tail == nil {
		l.head = m
	} else {
		l.tail.next = m
	}
	l.tail = m
	l.n++
	l.bytes += m.Len
}

// Pop takes the first message out, nil if there is none.
func (l *List) Pop() *Message {
	m := l.head
	if m == nil {
		return nil
	}
	l.head = m.next
	if l.head == nil {
		l.tail = nil
	}
	m.next = nil
	l.n--
	l.bytes -= m.Len
	return m
}

// Append moves everything in l2 to the end of l.
func (l *List) Append(l2 *List) {
	if l2.head == nil {
		return
	}
	if l.tail == nil {
		l.head = l2.head
	} else {
		l.tail.next = l2.head
	}
	l.tail = l2.tail
	l.n += l2.n
	l.bytes += l2.bytes
	*l2 = List{}
}

// Front returns the first message and leaves it there.
func (l *List) Front() *Message { return l.head }

// Empty reports whether there is nothing in l.
func (l *List) Empty() bool { return l.head == nil }

// Len returns the number of messages.
func (l *List) Len() int { return l.n }

// Bytes returns the user data in l.
func (l *List) Bytes() int { return l.bytes }
