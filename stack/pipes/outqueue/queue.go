// Package outqueue is the data sender of one association: messages waiting per
// stream, the DATA chunks in flight, and what SACKs say about them (RFC 9260
// sections 6.1, 6.2.1, 6.3.2, 6.3.3, 6.9, 7.2.4).
//
// It decides what may be sent and when; the executor asks Next for a path that
// has something to send, begins a packet for it, and lets Fill put DATA chunks
// in. Nothing is sent from within Push, Sack or T3Expired.
package outqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A Message is what the application sends in one go.
type Message struct {
	Buf       *seg.Buf // the payload is Buf.B, not empty; the queue's from Push on
	PPID      chunk.PPID
	Context   uint32 // the application's, given back when sending fails
	Stream    chunk.StreamID
	Unordered bool
	Immediate bool // ask for a SACK at once (I bit) with the last fragment
	NoDelay   bool // no Nagle for this message
}

// A Queue is the data sender of one association.
type Queue struct{ cum chunk.TSN }

// Init makes q an empty queue for a new association.
func (q *Queue) Init(cfg *tcb.Config, pool *seg.Pool, paths *path.Set, tsn chunk.TSN, streams int, peerRwnd uint32) {
}

// Reset turns everything unacknowledged into unsent messages.
func (q *Queue) Reset(tsn chunk.TSN, peerRwnd uint32) {}

// SetPeerRwnd sets the peer's window.
func (q *Queue) SetPeerRwnd(rwnd uint32) {}

// SetStreams sets the number of outgoing streams.
func (q *Queue) SetStreams(n int) {}

// SetDraining tells q that no more messages will come (SHUTDOWN-PENDING).
func (q *Queue) SetDraining(on bool) {}

// Push queues a message; false if its stream does not exist or it is empty.
func (q *Queue) Push(m Message, now mono.Time) bool { return false }

// Buffered returns the bytes that count against the send buffer.
func (q *Queue) Buffered() int { return 0 }

// Queued returns the payload bytes not sent yet.
func (q *Queue) Queued() int { return 0 }

// InFlight returns the payload bytes in flight.
func (q *Queue) InFlight() int { return 0 }

// Empty reports whether nothing is queued and nothing unacknowledged.
func (q *Queue) Empty() bool { return true }

// CumTSNAck returns the Cumulative TSN Ack Point.
func (q *Queue) CumTSNAck() chunk.TSN { return q.cum }

// NextTSN returns the TSN of the next new DATA chunk.
func (q *Queue) NextTSN() chunk.TSN { return q.cum }

// PeerRwnd returns the peer's receive window as far as we know.
func (q *Queue) PeerRwnd() int { return 0 }

// WantWritable asks for the outcome Writable.
func (q *Queue) WantWritable() {}

// ZeroWindowProbing reports whether the peer answers but keeps its window shut.
func (q *Queue) ZeroWindowProbing() bool { return false }

// BeginFlush starts a transmission opportunity.
func (q *Queue) BeginFlush(now mono.Time) {}

// Next returns a path on which DATA may be sent now.
func (q *Queue) Next(now mono.Time) (tcb.PathID, bool) { return 0, false }

// Fill moves DATA chunks that may go on path id now into the packet.
func (q *Queue) Fill(id tcb.PathID, b *packet.Builder, now mono.Time) int { return 0 }

// Sack processes a SACK.
func (q *Queue) Sack(s chunk.Sack, now mono.Time) pipes.Outcome { return pipes.Outcome{} }

// CumAck processes the Cumulative TSN Ack of a SHUTDOWN.
func (q *Queue) CumAck(cum chunk.TSN, now mono.Time) pipes.Outcome { return pipes.Outcome{} }

// T3Expired is called when T3-rtx of path id expired.
func (q *Queue) T3Expired(id tcb.PathID, now mono.Time) {}

// PathDown moves what is in flight on path id elsewhere.
func (q *Queue) PathDown(id tcb.PathID, now mono.Time) {}

// PMTUReduced sends again what was too big for path id.
func (q *Queue) PMTUReduced(id tcb.PathID, now mono.Time) {}

// Purge empties the queue and reports every message.
func (q *Queue) Purge(fn func(m *Message, sent bool)) {}

// Trim gives memory back.
func (q *Queue) Trim() {}
