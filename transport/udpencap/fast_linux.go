package udpencap

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/mmsg"
	"golang.org/x/sys/unix"
)

const (
	readBatch  = 64 // packets in one call, unmerged
	groBatch   = 16 // merged packets in one call
	maxMerged  = 65536
	maxFailing = 1000 // receive errors in a row before one is final
)

// fast is Linux's engine.
type fast struct {
	l       *Link
	sockets []*socket
	poll    *mmsg.Poll
	reader  *mmsg.Reader
	remote  uint16
	granted int
	zones   *hostnet.Zones

	readMu, writeMu sync.Mutex // held while reading and writing; close takes both before it frees
}

// A socket is the UDP socket of one address family.
type socket struct {
	e       *fast
	v6      bool
	fd      int
	bound   netip.Addr
	rx      *mmsg.Receiver
	icmp    *mmsg.ErrQueue
	tx      *mmsg.Sender
	drops   uint32 // last value of the kernel's counter
	failing int
	merged  merged
}

// merged is what is left of packets that the kernel has merged: they do not
// fit the slots they are read for. Its buffers are nil without UDP_GRO.
type merged struct {
	bufs    [][]byte
	next, n int    // messages of the last batch that are not split yet
	rest    []byte // of the message before next
	size    int    // of a segment
	slot    transport.RxSlot
}

func openFast(l *Link, cfg Config) error {
	e := &fast{l: l, remote: cfg.RemotePort, zones: l.host.Zones()}
	free := func() {
		for _, s := range e.sockets {
			unix.Close(s.fd)
			l.local[family(s.bound)] = netip.AddrPort{}
		}
		e.sockets = nil
	}
	err := bindAll(cfg.Listen, func(at netip.AddrPort) (uint16, error) {
		s, port, err := e.open(at, cfg)
		if err != nil {
			return 0, err
		}
		e.sockets = append(e.sockets, s)
		l.local[family(at.Addr())] = netip.AddrPortFrom(at.Addr(), port)
		return port, nil
	}, free)
	if err != nil {
		free()
		return err
	}
	var fds []int
	var sources []mmsg.Source
	for _, s := range e.sockets {
		fds = append(fds, s.fd)
		sources = append(sources, s)
	}
	if e.poll, err = mmsg.NewPoll(fds...); err != nil {
		free()
		return fmt.Errorf("sctp: UDP encapsulation: %w", err)
	}
	e.reader = mmsg.NewReader(e.poll, sources...)
	e.reader.Gather = cfg.Gather
	for _, s := range e.sockets {
		s.tx = mmsg.NewSender(s.fd, s.v6, true, e.poll.WaitWritable, e.zones)
		s.tx.GSO = !cfg.NoOffload && unix.SetsockoptInt(s.fd, unix.SOL_UDP, unix.UDP_SEGMENT, 0) == nil
	}
	l.engine = e
	return nil
}

// open binds one socket.
func (e *fast) open(at netip.AddrPort, cfg Config) (*socket, uint16, error) {
	s := &socket{e: e, v6: at.Addr().Is6(), bound: at.Addr()}
	domain := unix.AF_INET
	options := [][]mmsg.Option{mmsg.Common(s.v6), mmsg.Arrivals(s.v6), mmsg.Errors(s.v6)}
	if s.v6 {
		domain = unix.AF_INET6
		options = append(options, []mmsg.Option{{Level: unix.IPPROTO_IPV6, Name: unix.IPV6_V6ONLY, Value: 1}})
	}
	var err error
	s.fd, err = unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socket", err)
	}
	if err = mmsg.Set(s.fd, options...); err == nil {
		err = mmsg.Bind(s.fd, at, e.zones)
	}
	var port uint16
	if err == nil {
		port, err = mmsg.LocalPort(s.fd)
	}
	if err != nil {
		unix.Close(s.fd)
		return nil, 0, err
	}
	e.granted = mmsg.Buffers(s.fd, cfg.RcvBuf, cfg.SndBuf)
	s.icmp = mmsg.NewErrQueue(s.fd, e.zones)
	if !cfg.NoOffload && unix.SetsockoptInt(s.fd, unix.SOL_UDP, unix.UDP_GRO, 1) == nil {
		s.rx = mmsg.NewReceiver(s.fd, groBatch, true, e.zones)
		for i := range groBatch {
			s.merged.bufs = append(s.merged.bufs, make([]byte, maxMerged))
			s.rx.SetBuf(i, s.merged.bufs[i])
		}
	} else {
		s.rx = mmsg.NewReceiver(s.fd, readBatch, true, e.zones)
	}
	return s, port, nil
}

func (e *fast) rcvBuf() int { return e.granted }

func (e *fast) close() error {
	if e.reader.Closed.Swap(true) {
		return net.ErrClosed
	}
	e.poll.Shutdown()
	e.readMu.Lock()
	defer e.readMu.Unlock()
	e.writeMu.Lock()
	defer e.writeMu.Unlock()
	for _, s := range e.sockets {
		unix.Close(s.fd)
	}
	e.poll.Close()
	return nil
}

func (e *fast) read(slots []transport.RxSlot) (int, error) {
	e.readMu.Lock()
	defer e.readMu.Unlock()
	return e.reader.Read(slots)
}

// ReadErrors moves ICMP errors into slots.
func (s *socket) ReadErrors(slots []transport.RxSlot) (got int, empty bool) {
	for got < len(slots) {
		ok, more := s.icmp.Next(&slots[got])
		if !more {
			empty = true
			break
		}
		if ok {
			got++
		}
	}
	if got > 0 {
		s.e.l.counters.icmp.Add(uint64(got))
	}
	return got, empty
}

// ReadPackets reads one batch, or takes from the last one.
func (s *socket) ReadPackets(slots []transport.RxSlot) (got int, empty bool, err error) {
	c := &s.e.l.counters
	if s.merged.bufs != nil {
		got, empty, err = s.readMerged(slots)
	} else {
		got, empty, err = s.readPlain(slots)
	}
	if got > 0 {
		bytes := 0
		for i := range slots[:got] {
			bytes += len(slots[i].Data)
		}
		c.packetsIn.Add(uint64(got))
		c.bytesIn.Add(uint64(bytes))
	}
	return got, empty, err
}

// recv reads up to n messages; empty says that there were none.
func (s *socket) recv(n int) (got int, empty bool, err error) {
	got, err = s.rx.Recv(n)
	s.e.l.counters.recv.Add(1)
	switch {
	case err == nil:
		s.failing = 0
		return got, false, nil
	case err == unix.EINTR:
		return 0, false, nil
	case err == unix.EAGAIN:
		return 0, true, nil
	}
	// An ICMP error announces itself so, and is then in the error queue.
	if e, ok := err.(unix.Errno); ok && mmsg.Pending(e) {
		return 0, true, nil
	}
	if s.failing++; s.failing > maxFailing {
		return 0, false, fmt.Errorf("sctp: read from a UDP socket: %w", err)
	}
	return 0, true, nil
}

func (s *socket) readPlain(slots []transport.RxSlot) (int, bool, error) {
	want := min(len(slots), s.rx.Batch())
	for i := range want {
		s.rx.SetBuf(i, slots[i].Buf)
	}
	n, empty, err := s.recv(want)
	got := 0
	for i := range n {
		size, whole := s.rx.Len(i)
		to := &slots[got]
		if got < i && whole { // a packet before this one was not taken
			whole = copy(to.Buf, slots[i].Buf[:size]) == size
		}
		if s.head(i, to) && whole && size >= commonHeader {
			to.Data = to.Buf[:size]
			got++
		} else {
			s.e.l.counters.invalid.Add(1)
		}
	}
	return got, empty || n < want, err
}

// head fills all of a slot but the data from packet i of the batch; false if
// the packet is to be ignored.
func (s *socket) head(i int, to *transport.RxSlot) bool {
	s.rx.Parse(i)
	in := &s.rx.Info
	if in.HasDrops && in.Drops != s.drops {
		s.e.l.counters.drops.Add(uint64(in.Drops - s.drops))
		s.drops = in.Drops
	}
	from := s.rx.From(i)
	to.Src, to.EncapPort, to.Dst, to.ECN = from.Addr(), from.Port(), in.Dst, in.ECN
	to.Kind, to.ICMP, to.MTU = transport.Datagram, 0, 0
	return unicast(to.Src) && unicast(to.Dst) && to.EncapPort != 0
}

// readMerged splits packets that the kernel may have merged.
func (s *socket) readMerged(slots []transport.RxSlot) (int, bool, error) {
	m := &s.merged
	got := 0
	for got < len(slots) {
		if len(m.rest) > 0 {
			got += s.split(slots[got:])
			continue
		}
		if m.next < m.n {
			i := m.next
			m.next++
			if !s.head(i, &m.slot) {
				s.e.l.counters.invalid.Add(1)
				continue
			}
			size, _ := s.rx.Len(i)
			m.rest, m.size = m.bufs[i][:size], size
			if g := s.rx.Info.Segment; g > 0 && g < size {
				m.size = g
				s.e.l.counters.mergedIn.Add(uint64((size + g - 1) / g))
			}
			continue
		}
		if got > 0 && m.n < len(m.bufs) {
			return got, true, nil // the last batch was not full
		}
		n, empty, err := s.recv(len(m.bufs))
		m.next, m.n = 0, n
		if n == 0 {
			return got, empty, err
		}
	}
	return got, false, nil
}

// split moves segments into slots.
func (s *socket) split(slots []transport.RxSlot) int {
	m := &s.merged
	got := 0
	for got < len(slots) && len(m.rest) > 0 {
		size := min(m.size, len(m.rest))
		seg := m.rest[:size]
		m.rest = m.rest[size:]
		to := &slots[got]
		if size < commonHeader || size > len(to.Buf) {
			s.e.l.counters.invalid.Add(1)
			continue
		}
		buf := to.Buf
		*to = m.slot
		to.Buf, to.Data = buf, buf[:copy(buf, seg)]
		got++
	}
	return got
}

func (e *fast) write(slots []transport.TxSlot) error {
	e.writeMu.Lock()
	defer e.writeMu.Unlock()
	if e.reader.Closed.Load() {
		return net.ErrClosed
	}
	c := &e.l.counters
	left := len(slots)
	for _, s := range e.sockets {
		mine := 0
		for i := range slots {
			if s.tx.Mine(slots[i].Dst) {
				mine++
			}
		}
		if mine == 0 {
			continue
		}
		left -= mine
		t := s.tx
		sent, bytes, errs, calls, merged := t.Sent, t.Bytes, t.Errors, t.Calls, t.Merged
		err := t.Send(slots, e.remote)
		c.packetsOut.Add(t.Sent - sent)
		c.bytesOut.Add(t.Bytes - bytes)
		c.send.Add(t.Calls - calls)
		if t.Merged != merged {
			c.mergedOut.Add(t.Merged - merged)
		}
		if t.Errors != errs {
			c.sendErrors.Add(t.Errors - errs)
		}
		if err != nil {
			return err
		}
	}
	if left > 0 {
		for i := range slots {
			if !e.l.carries(slots[i].Dst) {
				slots[i].Err = errNoFamily
				c.sendErrors.Add(1)
			}
		}
	}
	return nil
}

// offloads asks the kernel what it can do.
func offloads() (gso, gro bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	gso = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, 0) == nil
	gro = unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) == nil
	return gso, gro
}
