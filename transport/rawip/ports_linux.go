package rawip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// Locks are datagram sockets bound to abstract names. The kernel frees them
// with the process, however it ends, and keeps a set for each network
// namespace. A port below the ephemeral range, or one asked for by number, has
// a lock of its own; ephemeral ports are taken in blocks of 256 with one lock.
// Whoever wants a port in a block takes its own lock first and then looks for
// the other kind, so that of two at least one sees the other.
const (
	portLock  = "@gosctp/port/"
	blockLock = "@gosctp/block/"

	firstEphemeral = 49152
	firstSpare     = 32768 // below the blocks: when others have taken all of them
)

// ports is the table of what this process holds.
type ports struct {
	ns      *hostnet.Namespace
	changed func(ports []uint16, blocks []uint8) error // the filter
	owned   [1 << 16 / 64]atomic.Uint64                // ports in use, a bit each

	mu     sync.Mutex
	probe  int // socket to look for others' locks with
	single map[uint16]int
	blocks map[uint8]*block
	closed bool
}

type block struct {
	fd   int
	used int
}

func newPorts(ns *hostnet.Namespace, changed func([]uint16, []uint8) error) (*ports, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &ports{ns: ns, changed: changed, probe: fd, single: map[uint16]int{}, blocks: map[uint8]*block{}}, nil
}

func (t *ports) owns(p uint16) bool { return t.owned[p>>6].Load()&(1<<(p&63)) != 0 }

func (t *ports) mark(p uint16, on bool) {
	if on {
		t.owned[p>>6].Or(1 << (p & 63))
	} else {
		t.owned[p>>6].And(^uint64(1 << (p & 63)))
	}
}

func portName(p uint16) string { return fmt.Sprintf("%s%d", portLock, p) }
func blockName(b uint8) string { return fmt.Sprintf("%s%d", blockLock, b) }

var errHeld = errors.New("held")

// lock takes a name; errHeld if someone else has it.
func (t *ports) lock(name string) (fd int, err error) {
	err = errors.New("the network namespace of the link cannot be entered")
	t.ns.Do(func() {
		fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			err = os.NewSyscallError("socket", err)
			return
		}
		if err = unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
			unix.Close(fd)
			if err == unix.EADDRINUSE {
				err = errHeld
			} else {
				err = fmt.Errorf("bind %s: %w", name, err)
			}
		}
	})
	return fd, err
}

// held reports whether any process has a name. Connecting a datagram socket
// is not noticed by the one connected to.
func (t *ports) held(name string) bool {
	err := unix.Connect(t.probe, &unix.SockaddrUnix{Name: name})
	for err == unix.EINTR {
		err = unix.Connect(t.probe, &unix.SockaddrUnix{Name: name})
	}
	return err != unix.ECONNREFUSED
}

func inUse(p uint16) error {
	return fmt.Errorf("%w: port %d: %w", transport.ErrPortInUse, p, unix.EADDRINUSE)
}

// reserve takes a port, any ephemeral one for 0.
func (t *ports) reserve(p uint16) (uint16, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, errClosed
	}
	var err error
	if p == 0 {
		p, err = t.ephemeral()
	} else {
		err = t.numbered(p)
	}
	if err != nil {
		return 0, err
	}
	t.mark(p, true)
	return p, nil
}

// numbered takes the port asked for.
func (t *ports) numbered(p uint16) error {
	if t.owns(p) {
		return inUse(p)
	}
	if b := t.blocks[uint8(p>>8)]; b != nil {
		if t.held(portName(p)) {
			return inUse(p)
		}
		b.used++
		return nil
	}
	fd, err := t.lock(portName(p))
	if err == nil && p >= firstEphemeral && t.held(blockName(uint8(p>>8))) {
		unix.Close(fd)
		err = errHeld
	}
	switch {
	case err == errHeld:
		return inUse(p)
	case err != nil:
		return fmt.Errorf("sctp: reserve port %d: %w", p, err)
	}
	t.single[p] = fd
	if err := t.update(); err != nil {
		unix.Close(fd)
		delete(t.single, p)
		return err
	}
	return nil
}

// ephemeral takes any port, from a block of ours if there is room, else from a
// new block, else from the spare range.
func (t *ports) ephemeral() (uint16, error) {
	for n, b := range t.blocks {
		if p, ok := t.from(n, b); ok {
			return p, nil
		}
	}
	const count = 256 - firstEphemeral>>8
	for i, start := 0, rand.IntN(count); i < count; i++ {
		n := uint8(firstEphemeral>>8 + (start+i)%count)
		if t.blocks[n] != nil {
			continue
		}
		fd, err := t.lock(blockName(n))
		if err == errHeld {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("sctp: reserve a block of ports: %w", err)
		}
		b := &block{fd: fd}
		p, ok := t.from(n, b)
		if !ok { // others hold each of its ports
			unix.Close(fd)
			continue
		}
		t.blocks[n] = b
		if err := t.update(); err != nil {
			unix.Close(fd)
			delete(t.blocks, n)
			return 0, err
		}
		return p, nil
	}
	const spare = firstEphemeral - firstSpare
	for i, start := 0, rand.IntN(spare); i < spare; i++ {
		p := uint16(firstSpare + (start+i)%spare)
		err := t.numbered(p)
		if err == nil || !errors.Is(err, transport.ErrPortInUse) {
			return p, err
		}
	}
	return 0, fmt.Errorf("%w: no ephemeral port is left: %w", transport.ErrPortInUse, unix.EADDRINUSE)
}

// from takes a free port of a block, by chance, so that a port is not soon
// used again.
func (t *ports) from(n uint8, b *block) (uint16, bool) {
	if b.used == 256 {
		return 0, false
	}
	start := rand.IntN(256)
	for i := range 256 {
		p := uint16(n)<<8 | uint16(start+i)&0xff
		if !t.owns(p) && !t.held(portName(p)) {
			b.used++
			return p, true
		}
	}
	return 0, false
}

// release gives a port back. One block stays with us even if it is empty.
func (t *ports) release(p uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || !t.owns(p) {
		return
	}
	t.mark(p, false)
	if fd, ok := t.single[p]; ok {
		delete(t.single, p)
		_ = t.update() // at worst the filter lets too much pass
		unix.Close(fd)
		return
	}
	n := uint8(p >> 8)
	b := t.blocks[n]
	if b.used--; b.used == 0 && len(t.blocks) > 1 {
		delete(t.blocks, n)
		_ = t.update()
		unix.Close(b.fd)
	}
}

// answers decides who answers for a port that this process does not hold.
func (t *ports) answers(p uint16, elected bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	ours := t.blocks[uint8(p>>8)] != nil
	if t.closed || p == 0 || t.owns(p) || !elected && !ours || t.held(portName(p)) {
		return false
	}
	return ours || p < firstEphemeral || !t.held(blockName(uint8(p>>8)))
}

// update hands the table to the filter. The caller holds t.mu.
func (t *ports) update() error {
	ports := make([]uint16, 0, len(t.single))
	for p := range t.single {
		ports = append(ports, p)
	}
	slices.Sort(ports)
	blocks := make([]uint8, 0, len(t.blocks))
	for n := range t.blocks {
		blocks = append(blocks, n)
	}
	slices.Sort(blocks)
	return t.changed(ports, blocks)
}

// refresh makes the filter anew.
func (t *ports) refresh() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	return t.update()
}

// close gives everything back.
func (t *ports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, fd := range t.single {
		unix.Close(fd)
	}
	for _, b := range t.blocks {
		unix.Close(b.fd)
	}
	unix.Close(t.probe)
}
