//go:build linux

package mmsg

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// A Source is a socket that a Reader reads. Both methods fill the leading
// slots, do not block, and say whether they have found the socket empty. An
// error is final.
type Source interface {
	ReadPackets(slots []transport.RxSlot) (n int, empty bool, err error)
	ReadErrors(slots []transport.RxSlot) (n int, empty bool)
}

// A Reader reads several sockets in turn. One goroutine at a time uses it.
type Reader struct {
	Closed atomic.Bool
	// Gather is how long to wait, when packets come thick, before looking for
	// more: waking the reader is a large part of what a packet costs.
	Gather  time.Duration
	busy    bool // the last read was of several packets
	poll    *Poll
	sources []Source
	turn    int // source to begin with
}

// gatherMin is how many packets make a read a busy one. Request and response
// never wait.
const gatherMin = 4

// checkEvery is how many reads go by between looks at the sockets that are not
// known to be ready.
const checkEvery = 16

// NewReader returns a Reader of sources, whose sockets poll watches in the
// same order.
func NewReader(poll *Poll, sources ...Source) *Reader {
	return &Reader{poll: poll, sources: sources}
}

// Read blocks until there is something to read, fills the leading slots, and
// returns how many. Once Closed is set and the Poll shut down, it returns
// net.ErrClosed.
func (r *Reader) Read(slots []transport.RxSlot) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	for {
		if r.Closed.Load() {
			return 0, net.ErrClosed
		}
		r.turn++
		if r.turn%checkEvery == 0 {
			r.poll.Check()
		}
		if n, err := r.ready(slots); n > 0 || err != nil {
			r.busy = n >= gatherMin
			return n, err
		}
		if r.busy && r.Gather > 0 {
			r.busy = false
			t := unix.NsecToTimespec(int64(r.Gather))
			_ = unix.Nanosleep(&t, nil) // shorter, if a signal comes
			r.poll.Check()
			continue
		}
		if r.poll.In|r.poll.Err != 0 {
			continue
		}
		if err := r.poll.Wait(); err != nil {
			return 0, err
		}
	}
}

// ready reads the sources that are ready.
func (r *Reader) ready(slots []transport.RxSlot) (int, error) {
	got := 0
	for k := range r.sources {
		if got == len(slots) {
			break
		}
		i := (r.turn + k) % len(r.sources)
		bit := uint32(1) << i
		if r.poll.Err&bit != 0 {
			n, empty := r.sources[i].ReadErrors(slots[got:])
			got += n
			if empty {
				r.poll.Err &^= bit
			}
		}
		if r.poll.In&bit != 0 && got < len(slots) {
			n, empty, err := r.sources[i].ReadPackets(slots[got:])
			got += n
			if err != nil {
				return got, err
			}
			if empty {
				r.poll.In &^= bit
			}
		}
	}
	return got, nil
}
