// Package rxring is a bounded queue of received packets between goroutines,
// for links whose packets do not come straight from a socket.
package rxring

import (
	"net"
	"sync"

	"github.com/gosctp/gosctp/transport"
)

// A Ring holds packets until they are read. It blocks on a condition variable
// only, so it works in testing/synctest bubbles.
type Ring struct {
	mu     sync.Mutex
	more   sync.Cond // something to read, or closed
	closed bool
	// slots holds n packets from head on. Storage comes from free, last used
	// first, so that the memory held follows the deepest queue and not the
	// ring's size.
	slots []transport.RxSlot
	head  int
	n     int
	free  [][]byte
	least int // size of the smallest storage
	drops uint64
}

// New returns a Ring for the given number of packets, most of which are not
// larger than typical.
func New(packets, typical int) *Ring {
	r := &Ring{slots: make([]transport.RxSlot, packets), least: typical}
	r.more.L = &r.mu
	return r
}

// Lock begins a run of Put.
func (r *Ring) Lock() { r.mu.Lock() }

// Unlock ends a run of Put, and wakes the reader.
func (r *Ring) Unlock() {
	r.mu.Unlock()
	r.more.Signal()
}

// Put copies a packet into the ring; false if it was full or closed. The
// caller holds the lock.
func (r *Ring) Put(p *transport.RxSlot) bool {
	if r.closed || r.n == len(r.slots) {
		r.drops++
		return false
	}
	var buf []byte
	if k := len(r.free); k > 0 {
		buf = r.free[k-1]
		r.free = r.free[:k-1]
	}
	if len(buf) < len(p.Data) {
		buf = make([]byte, max(len(p.Data), r.least))
	}
	i := r.head + r.n
	if i >= len(r.slots) {
		i -= len(r.slots)
	}
	r.n++
	to := &r.slots[i]
	*to = *p
	to.Buf, to.Data = buf, buf[:copy(buf, p.Data)]
	return true
}

// Read blocks until there are packets, copies them into the leading slots, and
// returns how many; net.ErrClosed after Close.
func (r *Ring) Read(slots []transport.RxSlot) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for r.n == 0 && !r.closed {
			r.more.Wait()
		}
		if r.closed {
			return 0, net.ErrClosed
		}
		if got := r.take(slots); got > 0 {
			return got, nil
		}
	}
}

func (r *Ring) take(slots []transport.RxSlot) int {
	got := 0
	for got < len(slots) && r.n > 0 {
		from, to := &r.slots[r.head], &slots[got]
		if len(from.Data) <= len(to.Buf) {
			buf := to.Buf
			*to = *from
			to.Buf, to.Data = buf, buf[:copy(buf, from.Data)]
			got++
		} else {
			r.drops++
		}
		r.free = append(r.free, from.Buf)
		from.Buf, from.Data = nil, nil
		r.n--
		if r.head++; r.head == len(r.slots) {
			r.head = 0
		}
	}
	return got
}

// Dropped returns how many packets were lost because the ring was full or a
// reader's buffer too small.
func (r *Ring) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drops
}

// Closed reports whether the ring is closed.
func (r *Ring) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// Close drops all packets and ends all reading; false if it was closed before.
func (r *Ring) Close() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.closed = true
	r.slots, r.free, r.n, r.head = nil, nil, 0, 0
	r.more.Broadcast()
	return true
}
