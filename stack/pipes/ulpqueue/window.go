package ulpqueue

import (
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The receive window: RFC 9260 section 6.2.
//
// Two things are bounded. The memory held, bookkeeping included, never
// exceeds RecvBuffer, but for a single chunk that alone is larger. The user data held is what the peer accounts for, and
// half of RecvBuffer is granted for it, so that the usual overhead needs no
// attention and a_rwnd follows rules B and C of section 6.2 to the byte. When
// messages are so small that their overhead exceeds that half, the window
// shrinks faster than by what arrived, in time not to have to drop anything.

const (
	minBuffer = 4096 // RecvBuffer is taken to be at least this

	messageOverhead = 160 // of a message: a Message and its places in rings
	bufOverhead     = 64  // of a fragment: a seg.Buf

	segment = 1500 // of data, what a packet takes, roughly
)

// charge returns the memory accounted for a fragment of n bytes.
func charge(n int) int { return seg.Size(n) + bufOverhead }

// need returns the memory that must be free for a chunk with n bytes: also for
// the message that it may begin, and the one that a partial delivery takes.
func need(n int) int { return charge(n) + 2*messageOverhead }

// Room reports whether a chunk with n bytes of user data and a TSN above all
// others may be accepted.
//
// Deviation R-6.2-02: what a_rwnd has granted is taken even when a later SACK
// said 0 because too little of the grant was left to be of use. It is Linux and
// usrsctp that gain, as senders of small messages to a slow reader: what they
// had under way then would all be lost.
//
// If there is no room, something may become ready: a message too large for the
// buffer is delivered in pieces.
func (q *Queue) Room(n int) bool {
	if (q.payload+n <= q.credit || q.window() > 0) && q.fits(n) {
		return true
	}
	q.largest = max(q.largest, n)
	q.startPartial()
	return false
}

// fits reports whether there is memory for a chunk with n bytes. An empty
// buffer takes any chunk: else one larger than the buffer would never pass.
func (q *Queue) fits(n int) bool {
	return q.payload == 0 || q.mem+need(n) <= q.limit && q.affords(need(n))
}

// InitialWindow returns the a_rwnd for an INIT or INIT ACK, also where there is
// no Queue yet.
func InitialWindow(cfg *tcb.Config) uint32 { return uint32(max(cfg.RecvBuffer, minBuffer) / 2) }

// Window returns the a_rwnd for a SACK, or INIT, that goes out now, and
// remembers what the peer has been told.
func (q *Queue) Window() uint32 {
	q.told = q.window()
	return uint32(q.told)
}

// CurrentWindow returns what Window would, and nothing more.
func (q *Queue) CurrentWindow() uint32 { return uint32(q.window()) }

// window avoids the silly window syndrome: rather than a window too small for
// the chunks this peer sends, it says 0.
func (q *Queue) window() int {
	usual := q.largest
	if usual == 0 {
		usual = segment
	}
	w := q.share(q.win, usual)
	if w < min(usual, q.credit/2) || !q.fits(usual) {
		return 0
	}
	return w
}

// hold accounts for n bytes of user data that take mem bytes.
func (q *Queue) hold(n, mem int) {
	q.payload += n
	q.account(mem)
	q.usual.add(n, mem)
	q.largest = max(q.largest, n)
	// a_rwnd is not increased unless something is released, even if what
	// arrived made the overhead look better.
	q.win = max(0, min(q.win-n, q.grant()))
}

// release undoes hold.
func (q *Queue) release(n, mem int) {
	q.payload -= n
	q.account(-mem)
	q.win = max(0, q.grant())
}

// grant returns how much user data the peer may still send: what is left of
// the credit, or what the memory left will take if the ratio of data to
// memory stays as it is. While little is held, that ratio says little, and is
// drawn towards one half.
func (q *Queue) grant() int {
	g := q.credit - q.payload
	if q.mem > 2*q.payload {
		a := max(0, int64(q.limit)/16-int64(q.mem)/8)
		fit := int64(q.limit-q.mem-2*messageOverhead) * (a + int64(q.payload)) / (2*a + int64(q.mem))
		g = min(g, int(fit))
	}
	// What was read leaves room for more of the same kind; but for a few
	// packets, so that a peer can show that it has larger messages too.
	if q.usual.mem > 2*q.usual.payload {
		free := max(0, int64(q.limit-q.mem-need(q.largest)))
		fit := max(free*q.usual.payload/q.usual.mem, min(free/2, 2*segment))
		g = min(g, int(fit))
	}
	return g
}

// usual is a moving average of what chunks bring and what they take, so that a
// peer whose messages are small is not granted more of them than fit once
// everything was read.
type usual struct{ payload, mem int64 }

const (
	usualWeight = 64 // chunks that the average goes back, about
	usualShift  = 8  // fixed point
)

// message counts the overhead of a message whose first chunk comes next.
func (u *usual) message() {
	u.mem += messageOverhead << usualShift * usualWeight / (usualWeight - 1)
}

func (u *usual) add(n, mem int) {
	u.payload += int64(n)<<usualShift - u.payload/usualWeight
	// Rounded up: rather too little is granted than too much.
	u.mem += int64(mem)<<usualShift + 1 - u.mem/usualWeight
}

// Consumed reports that the application has read n bytes of what Detach gave
// out. It returns true if a SACK should now tell the peer that the window has
// opened.
func (q *Queue) Consumed(n int) bool {
	n = min(n, q.outPayload)
	mem := q.outMem
	if n < q.outPayload {
		mem = int(int64(mem) * int64(n) / int64(q.outPayload))
	}
	q.outPayload -= n
	q.outMem -= mem
	q.release(n, mem)
	q.startPartial()
	w := q.window()
	if q.told == 0 {
		return w > 0
	}
	// Much, or several times what the peer knows of: small messages never make
	// a window that is much.
	return w-q.told >= max(segment, q.limit/16) || w-q.told >= segment && w >= 4*q.told
}
