package rawip

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/internal/hostnet"
	"golang.org/x/sys/unix"
)

// ootbLock is the name that the elected responder listens on. The other
// processes hold a connection to it, and learn by its end that the post is
// vacant.
const ootbLock = "@gosctp/ootb"

// A responder stands for election to the one process in a network namespace
// that answers out-of-the-blue packets for ports that nobody holds (RFC 9260
// section 8.4).
type responder struct {
	ns      *hostnet.Namespace
	won     func()      // called once elected
	post    atomic.Bool // we have the post: the filter is to let packets in
	elected atomic.Bool // and it does
	done    chan struct{}
	ended   sync.WaitGroup

	mu   sync.Mutex
	open map[io.Closer]struct{} // what close has to close
}

const (
	retryMin = 10 * time.Millisecond
	retryMax = time.Second
)

func newResponder(ns *hostnet.Namespace, won func()) *responder {
	return &responder{ns: ns, won: won, done: make(chan struct{}), open: map[io.Closer]struct{}{}}
}

// start makes the first attempt at once: a process that is alone is elected
// when start returns.
func (r *responder) start() {
	ln, _ := r.listen()
	if ln != nil {
		r.win()
	}
	r.ended.Go(func() { r.run(ln) })
}

// win takes office.
func (r *responder) win() {
	r.post.Store(true)
	r.won()
	r.elected.Store(true)
}

// run serves, or waits for the end of the one elected and tries again.
func (r *responder) run(ln *net.UnixListener) {
	wait := retryMin
	for {
		if ln != nil {
			r.serve(ln)
			return
		}
		if r.watch() {
			wait = retryMin
		} else {
			// No office holder that accepts us: it has not begun to listen,
			// or is full.
			select {
			case <-r.done:
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, retryMax)
		}
		var err error
		if ln, err = r.listen(); errors.Is(err, net.ErrClosed) {
			return
		}
		if ln != nil {
			r.win()
		}
	}
}

// listen tries to take the post; nil and an error if someone has it.
func (r *responder) listen() (ln *net.UnixListener, err error) {
	r.ns.Do(func() {
		ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: ootbLock, Net: "unix"})
	})
	if ln == nil {
		return nil, err
	}
	if !r.keep(ln) {
		return nil, net.ErrClosed
	}
	return ln, nil
}

// watch connects to the one elected and returns when it is gone; false if it
// could not be reached.
func (r *responder) watch() bool {
	var c *net.UnixConn
	var err error
	r.ns.Do(func() {
		c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: ootbLock, Net: "unix"})
	})
	if err != nil || c == nil || !r.keep(c) {
		return false
	}
	defer r.drop(c)
	began := time.Now()
	var b [1]byte
	_, _ = c.Read(b[:])
	// One that turns us away at once would make this a busy loop.
	return time.Since(began) > retryMin
}

// serve holds the connections of the others until they end or we do.
func (r *responder) serve(ln *net.UnixListener) {
	defer r.drop(ln)
	for {
		c, err := ln.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
				select {
				case <-r.done:
					return
				case <-time.After(retryMax):
				}
			}
			continue
		}
		if !r.keep(c) {
			return
		}
		r.ended.Go(func() {
			defer r.drop(c)
			var b [16]byte
			for {
				if _, err := c.Read(b[:]); err != nil {
					return
				}
			}
		})
	}
}

// keep notes what close has to close; false if it is too late for that.
func (r *responder) keep(c io.Closer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		c.Close()
		return false
	}
	r.open[c] = struct{}{}
	return true
}

func (r *responder) drop(c io.Closer) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

// close leaves the post or the queue for it.
func (r *responder) close() {
	r.post.Store(false)
	r.elected.Store(false)
	close(r.done)
	r.mu.Lock()
	open := r.open
	r.open = nil
	r.mu.Unlock()
	for c := range open {
		c.Close()
	}
	r.ended.Wait()
}
