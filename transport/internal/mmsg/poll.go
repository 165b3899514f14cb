//go:build linux

package mmsg

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Poll waits for any of a link's sockets. It is an epoll descriptor of its
// own, which in turn Go's poller watches: one goroutine can so wait for both
// address families.
type Poll struct {
	// In and Err say by source, as a bit, what is ready. Wait adds bits; the
	// reader clears them once it has found a socket empty.
	In, Err uint32

	ep     int
	wake   int // event descriptor, written to on shutdown
	file   *os.File
	raw    syscall.RawConn
	try    func(fd uintptr) bool // made once: a closure would allocate
	failed error
	events [8]unix.EpollEvent
	down   atomic.Bool
}

// NewPoll returns a Poll for the given sockets. Source i is fds[i].
func NewPoll(fds ...int) (*Poll, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &Poll{ep: ep}
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(ep)
		return nil, os.NewSyscallError("eventfd", err)
	}
	for i, fd := range append(fds, p.wake) {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if i == len(fds) {
			ev.Fd = -1
		}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			unix.Close(p.wake)
			unix.Close(ep)
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	// Without O_NONBLOCK os.NewFile would leave Go's poller alone.
	if err := unix.SetNonblock(ep, true); err != nil {
		unix.Close(p.wake)
		unix.Close(ep)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p.file = os.NewFile(uintptr(ep), "sctp-poll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		unix.Close(p.wake)
		p.file.Close()
		return nil, err
	}
	p.try = func(uintptr) bool { return p.check(0) }
	return p, nil
}

// check asks which sources are ready, and reports whether any is.
func (p *Poll) check(timeout int) bool {
	n, err := unix.EpollWait(p.ep, p.events[:], timeout)
	if err != nil {
		if err == unix.EINTR {
			return false
		}
		p.failed = os.NewSyscallError("epoll_wait", err)
		return true
	}
	for i := range p.events[:n] {
		e := &p.events[i]
		if e.Fd < 0 {
			continue
		}
		bit := uint32(1) << e.Fd
		if e.Events&unix.EPOLLIN != 0 {
			p.In |= bit
		}
		if e.Events&unix.EPOLLERR != 0 {
			p.Err |= bit
		}
	}
	return n > 0
}

// Check looks, without blocking, which sources are ready.
func (p *Poll) Check() { p.check(0) }

// Wait blocks until a source is ready; net.ErrClosed after Shutdown.
func (p *Poll) Wait() error {
	if err := p.raw.Read(p.try); err != nil {
		if errors.Is(err, os.ErrClosed) {
			return net.ErrClosed
		}
		return err
	}
	if p.down.Load() {
		return net.ErrClosed
	}
	return p.failed
}

// WaitWritable blocks until fd is writable; net.ErrClosed after Shutdown. It
// holds a thread, since full send buffers are rare, and short.
func (p *Poll) WaitWritable(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}, {Fd: int32(p.wake), Events: unix.POLLIN}}
	for {
		if p.down.Load() {
			return net.ErrClosed
		}
		n, err := unix.Poll(fds, -1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if n > 0 && fds[0].Revents != 0 {
			return nil
		}
	}
}

// Shutdown makes all waiting end. It may be called at any time, once.
func (p *Poll) Shutdown() {
	p.down.Store(true)
	one := [8]byte{1, 1, 1, 1, 1, 1, 1, 0} // not zero and not the maximum in either byte order
	_, _ = unix.Write(p.wake, one[:])
}

// Close releases the descriptors, when nothing waits any more.
func (p *Poll) Close() {
	p.file.Close()
	unix.Close(p.wake)
}
