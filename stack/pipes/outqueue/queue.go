// Package outqueue is the data sender of one association: messages waiting per
// stream, the DATA chunks in flight, and what SACKs say about them (RFC 9260
// sections 6.1, 6.2.1, 6.3.2, 6.3.3, 6.9 and 7.2.4).
//
// It decides what may be sent and when. At each opportunity to transmit the
// executor calls BeginFlush; then, as long as Next names a path, it begins a
// packet for that path, adds what control chunks and SACK there are, and lets
// Fill put DATA chunks in. Nothing is sent from within Push, Sack or
// T3Expired.
package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// MessageOverhead is what a message counts against the send buffer beyond its
// payload.
const MessageOverhead = 128

// A Queue is the data sender of one association.
type Queue struct {
	cfg   *tcb.Config
	pool  *seg.Pool
	paths *path.Set

	messages
	ring
	at []pathState // by PathID

	// TSNs in (cum, next) have been sent and are not cumulatively
	// acknowledged; their records are in the ring.
	cum, next   chunk.TSN
	outstanding int // payload bytes in flight
	nRtx        int // records marked for retransmission
	nAcked      int // records acknowledged by gap blocks
	highGap     chunk.TSN

	arwnd    uint32 // as last advertised
	credit   int    // the peer's rwnd is credit − outstanding (section 6.2.1)
	maxRwnd  int    // the largest window seen, for silly window avoidance
	frag     int    // what fragment said last
	buffered int
	probe    probe

	recovery     bool      // Fast Recovery (section 7.2.4), for the association
	recoveryExit chunk.TSN // left when this is cumulatively acknowledged

	wantWritable bool
	draining     bool
}

// Init makes q the empty queue of a new association. tsn is the first TSN to
// use, streams the number of outgoing streams. What q held before is given
// back without report; its memory is used again.
func (q *Queue) Init(cfg *tcb.Config, pool *seg.Pool, paths *path.Set, tsn chunk.TSN, streams int, peerRwnd uint32) {
	if q.pool != nil {
		q.Purge(func(*Message, bool) {})
	}
	*q = Queue{
		cfg: cfg, pool: pool, paths: paths,
		ring: q.ring, at: q.at[:0],
		messages: messages{free: q.free, nFree: q.nFree, streams: q.streams[:0], sched: &fcfs},
	}
	if cfg.RoundRobin {
		q.sched = &rr
	}
	q.nStreams = streams
	q.start(tsn, peerRwnd)
}

// start sets everything but the messages to the beginning of an association.
func (q *Queue) start(tsn chunk.TSN, peerRwnd uint32) {
	q.cum, q.next = tsn-1, tsn
	q.outstanding, q.nRtx, q.nAcked = 0, 0, 0
	q.probe = probe{}
	q.recovery = false
	q.maxRwnd, q.frag = 0, 1
	q.ring.clear()
	clear(q.at)
	q.at = q.at[:0]
	q.syncPaths()
	for i := range q.paths.P {
		p := &q.paths.P[i]
		p.Flight, p.T3, p.PartialBytesAcked = 0, 0, 0
	}
	q.SetPeerRwnd(peerRwnd)
}

// Reset starts over with a new first TSN after the peer restarted, or lost the
// handshake in which data was already sent (stale cookie): whatever is not
// fully acknowledged becomes an unsent message again, in the order it was
// sent, with new TSNs and SSNs. Paths keep their window and RTO.
func (q *Queue) Reset(tsn chunk.TSN, peerRwnd uint32) {
	var head, tail *message
	keep := func(m *message) {
		m.off, m.ssn, m.next, m.newer, m.older = 0, 0, nil, nil, nil
		if tail == nil {
			head = m
		} else {
			tail.next = m
		}
		tail = m
	}
	q.eachMessage(func(m *message, sent bool) {
		m.tried = sent
		keep(m)
	})
	q.dropQueued()
	q.buffered = 0
	q.start(tsn, peerRwnd)
	for m := head; m != nil; {
		next := m.next
		m.next = nil
		q.enqueue(m)
		q.buffered += len(m.Buf.B) + MessageOverhead
		m = next
	}
}

// SetPeerRwnd sets the peer's receive window to the a_rwnd of its INIT or INIT
// ACK.
func (q *Queue) SetPeerRwnd(rwnd uint32) { // R-6.2.1-02
	q.setRwnd(rwnd)
}

func (q *Queue) setRwnd(rwnd uint32) {
	q.arwnd = rwnd
	q.credit = int(rwnd)
	if q.credit > q.maxRwnd {
		q.maxRwnd = q.credit
		q.frag = q.fragment()
	}
}

// SetConfig replaces the parameters that Init was given.
func (q *Queue) SetConfig(cfg *tcb.Config) {
	if cfg.RoundRobin != q.cfg.RoundRobin {
		s := FCFS
		if cfg.RoundRobin {
			s = RR
		}
		q.SetScheduler(s)
	}
	q.cfg = cfg
	q.frag = q.fragment()
}

// FragmentPoint returns the most user data that a new DATA chunk may carry.
func (q *Queue) FragmentPoint() int { return q.fragment() }

// SetStreams sets the number of outgoing streams, once the peer said how many
// it takes. Messages already queued for others stay until PurgeStreams.
func (q *Queue) SetStreams(n int) { q.nStreams = n }

// SetDraining says whether no more messages will come (SHUTDOWN-PENDING):
// nothing is held back for bundling, and the last chunk asks for its SACK.
func (q *Queue) SetDraining(on bool) { q.draining = on }

// Buffered returns the bytes that count against the send buffer: queued or not
// cumulatively acknowledged, and MessageOverhead for each message.
func (q *Queue) Buffered() int { return q.buffered }

// Queued returns the payload bytes not sent yet.
func (q *Queue) Queued() int { return q.queued }

// QueuedMessages returns the number of messages not fully sent yet.
func (q *Queue) QueuedMessages() int { return q.nQueued }

// InFlight returns the payload bytes in flight.
func (q *Queue) InFlight() int { return q.outstanding }

// Unacked returns the number of DATA chunks that were sent and are not
// cumulatively acknowledged.
func (q *Queue) Unacked() int { return int(q.next - q.cum - 1) }

// Empty reports whether nothing is queued and everything sent is cumulatively
// acknowledged.
func (q *Queue) Empty() bool { return q.nQueued == 0 && q.next-q.cum == 1 }

// CumTSNAck returns the Cumulative TSN Ack Point.
func (q *Queue) CumTSNAck() chunk.TSN { return q.cum }

// NextTSN returns the TSN of the next new DATA chunk.
func (q *Queue) NextTSN() chunk.TSN { return q.next }

// PeerRwnd returns the peer's receive window as far as we know, never negative
// (section 6.2.1).
func (q *Queue) PeerRwnd() int { return max(q.credit-q.outstanding, 0) }

// InRecovery reports whether the association is in Fast Recovery.
func (q *Queue) InRecovery() bool { return q.recovery }

// WantWritable asks for the outcome Writable once Buffered has fallen to half
// of Config.SendBuffer.
func (q *Queue) WantWritable() { q.wantWritable = true }

// Purge empties the queue because the association ends, and reports every
// message that is not fully acknowledged; sent says whether any of it went
// out. fn may keep m.Buf by setting it to nil; m itself is not valid after.
func (q *Queue) Purge(fn func(m *Message, sent bool)) {
	q.eachMessage(func(m *message, sent bool) {
		fn(&m.Message, sent)
		q.recycle(m)
	})
	q.dropQueued()
	q.buffered = 0
	q.start(q.next, 0)
}

// PurgeStreams drops and reports the queued messages of streams that do not
// exist, after SetStreams or a change of the application's mind before
// anything was sent on them.
func (q *Queue) PurgeStreams(fn func(m *Message, sent bool)) {
	for m := q.oldest; m != nil; {
		next := m.newer
		if int(m.Stream) >= q.nStreams && m.off == 0 {
			q.buffered -= len(m.Buf.B) + MessageOverhead
			q.remove(m)
			fn(&m.Message, m.tried)
			q.recycle(m)
		}
		m = next
	}
}

// eachMessage calls fn for all messages in the order in which they were or
// will be sent. fn may recycle the message, and change its links.
func (q *Queue) eachMessage(fn func(m *message, sent bool)) {
	cur := q.current
	var last, afterCur *message
	if cur != nil {
		afterCur = cur.newer
	}
	for t := q.cum + 1; t != q.next; t++ {
		if m := q.rec(t).msg; m != last { // fragments are neighbours
			last = m
			fn(m, true)
		}
	}
	if cur != nil && cur != last {
		fn(cur, true)
	}
	for m := q.oldest; m != nil; {
		if m == cur {
			m = afterCur
			continue
		}
		next := m.newer
		fn(m, m.tried)
		m = next
	}
}

// Trim gives back the memory of an empty queue, for an association that has
// been idle for long.
func (q *Queue) Trim() {
	if q.Empty() {
		q.ring = ring{}
		q.free, q.nFree = nil, 0
	}
}
