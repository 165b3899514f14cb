//go:build linux

package mmsg

import (
	"net/netip"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

const (
	sendBatch   = 64
	maxSegments = 64    // the kernel's UDP_MAX_SEGMENTS, in its smallest version
	maxPayload  = 65507 // UDP payload of the largest IPv4 packet
)

// A Sender writes batches of packets of one address family to one socket.
type Sender struct {
	fd    int
	v6    bool
	udp   bool
	wait  func(fd int) error // blocks until fd is writable
	zones *hostnet.Zones

	GSO     bool // merge packets into UDP_SEGMENT sends
	retries int  // after an error that may be of an earlier packet
	frag    bool // the socket allows fragmentation just now

	msgs  []mmsghdr
	iovs  []unix.Iovec
	names []sockaddr
	ctls  []sendControl
	first []int // per message: index of its first slot in slots
	slots []int // per I/O vector: its slot
	n     int   // messages prepared
	niov  int

	// for packets of a refused GSO send, one at a time
	one    mmsghdr
	oneCtl sendControl

	Sent, Bytes, Errors, Calls, Merged uint64
}

// NewSender prepares to send through fd; wait blocks until it is writable.
func NewSender(fd int, v6, udp bool, wait func(fd int) error, z *hostnet.Zones) *Sender {
	s := &Sender{
		fd: fd, v6: v6, udp: udp, wait: wait, zones: z,
		msgs:  make([]mmsghdr, sendBatch),
		iovs:  make([]unix.Iovec, sendBatch),
		names: make([]sockaddr, sendBatch),
		ctls:  make([]sendControl, sendBatch),
		first: make([]int, sendBatch),
		slots: make([]int, sendBatch),
	}
	if udp {
		s.retries = 2 // its socket has IP_RECVERR
	}
	for i := range s.msgs {
		s.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&s.names[i]))
	}
	return s
}

// Mine reports whether a destination is of the sender's family.
func (s *Sender) Mine(dst netip.Addr) bool { return dst.IsValid() && dst.Is4() != s.v6 }

// Send sends the slots with a destination of the sender's family, in order,
// and sets their Err. port is the UDP port for slots that name none. An error
// is one of waiting, and final.
func (s *Sender) Send(slots []transport.TxSlot, port uint16) error {
	for i := 0; i < len(slots); {
		s.n, s.niov = 0, 0
		for ; i < len(slots) && s.niov < len(s.iovs); i++ {
			t := &slots[i]
			if !s.Mine(t.Dst) {
				continue
			}
			if t.Fragment != s.frag {
				if s.n > 0 {
					break
				}
				s.setFragment(t.Fragment)
			}
			if len(t.Data) == 0 {
				t.Err = SendError(unix.EINVAL)
				continue
			}
			t.Err = nil
			if !s.GSO || !s.join(slots, t) {
				s.add(t, port)
			}
			s.slots[s.niov-1] = i
		}
		if err := s.flush(slots); err != nil {
			s.setFragment(false)
			return err
		}
	}
	s.setFragment(false)
	return nil
}

// setFragment clears or sets the DF bit of all packets sent from now on. Not
// every kernel has a control message for it.
func (s *Sender) setFragment(on bool) {
	if s.frag != on {
		s.frag = on
		SetFragment(s.fd, s.v6, on)
	}
}

// add prepares a message for one packet.
func (s *Sender) add(t *transport.TxSlot, port uint16) {
	m := s.n
	h := &s.msgs[m].hdr
	if t.EncapPort != 0 {
		port = t.EncapPort
	}
	if !s.udp {
		port = 0
	}
	h.Namelen = s.names[m].set(t.Dst, port, s.zones)
	h.Iov = &s.iovs[s.niov]
	h.SetIovlen(1)
	s.setControl(h, &s.ctls[m], t)
	s.first[m] = s.niov
	s.vector(t)
	s.n++
}

func (s *Sender) setControl(h *unix.Msghdr, c *sendControl, t *transport.TxSlot) {
	used := 0
	if t.Src.IsValid() {
		used = putSource(unsafe.Pointer(c), used, t.Src, s.zones)
	}
	if t.ECN != 0 {
		used = putECN(unsafe.Pointer(c), used, s.v6, t.ECN)
	}
	h.Control = nil
	if used > 0 {
		h.Control = (*byte)(unsafe.Pointer(c))
	}
	h.SetControllen(used)
}

func (s *Sender) vector(t *transport.TxSlot) {
	s.iovs[s.niov].Base = unsafe.SliceData(t.Data)
	s.iovs[s.niov].SetLen(len(t.Data))
	s.niov++
}

// join adds a packet to the message before it, if the two can leave as
// segments of one send: same addresses, port and ECN, same size or the last
// one and shorter.
func (s *Sender) join(slots []transport.TxSlot, t *transport.TxSlot) bool {
	if s.n == 0 || t.Fragment {
		return false
	}
	m := s.n - 1
	f := &slots[s.slots[s.first[m]]]
	have := s.niov - s.first[m]
	size := len(f.Data)
	switch {
	case have == maxSegments,
		len(t.Data) > size,
		int(s.iovs[s.niov-1].Len) != size, // already has its short last one
		have*size+len(t.Data) > maxPayload,
		t.Dst != f.Dst, t.Src != f.Src, t.EncapPort != f.EncapPort, t.ECN != f.ECN:
		return false
	}
	h := &s.msgs[m].hdr
	if have == 1 {
		c := unsafe.Pointer(&s.ctls[m])
		h.SetControllen(putSegment(c, int(h.Controllen), size))
		h.Control = (*byte)(c)
	}
	s.vector(t)
	h.SetIovlen(have + 1)
	return true
}

// flush sends the prepared messages.
func (s *Sender) flush(slots []transport.TxSlot) error {
	tries := 0
	for done := 0; done < s.n; {
		s.Calls++
		r, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&s.msgs[done])), uintptr(s.n-done), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case e == 0:
			for end := done + int(r); done < end; done++ {
				s.sent(done)
			}
			tries = 0
		case e == unix.EINTR:
		case e == unix.EAGAIN:
			if err := s.wait(s.fd); err != nil {
				return err
			}
		case e == unix.EBADF || e == unix.ENOTSOCK:
			return e
		case Pending(e) && tries < s.retries:
			// Perhaps not about this packet. If it is, it comes again.
			tries++
		default:
			// sendmmsg stops at the first message that fails.
			tries = 0
			if err := s.failed(done, e, slots); err != nil {
				return err
			}
			done++
		}
	}
	return nil
}

// count returns how many packets message m has.
func (s *Sender) count(m int) int {
	if m+1 < s.n {
		return s.first[m+1] - s.first[m]
	}
	return s.niov - s.first[m]
}

func (s *Sender) sent(m int) {
	c := s.count(m)
	s.Sent += uint64(c)
	s.Bytes += uint64(s.msgs[m].n)
	if c > 1 {
		s.Merged += uint64(c)
	}
}

// failed deals with message m, which gave e. The packets of a merged send are
// sent one by one, to learn which of them is to blame.
func (s *Sender) failed(m int, e unix.Errno, slots []transport.TxSlot) error {
	c := s.count(m)
	if c == 1 {
		slots[s.slots[s.first[m]]].Err = SendError(e)
		s.Errors++
		return nil
	}
	if e == unix.EIO || e == unix.EOPNOTSUPP || e == unix.ENOPROTOOPT {
		s.GSO = false // a device without checksum offload, IPsec, …
	}
	for k := s.first[m]; k < s.first[m]+c; k++ {
		if err := s.sendOne(m, k, &slots[s.slots[k]]); err != nil {
			return err
		}
	}
	return nil
}

// sendOne sends packet k, of message m, by itself.
func (s *Sender) sendOne(m, k int, t *transport.TxSlot) error {
	s.one.hdr = s.msgs[m].hdr
	s.one.hdr.Iov = &s.iovs[k]
	s.one.hdr.SetIovlen(1)
	s.setControl(&s.one.hdr, &s.oneCtl, t)
	for tries := 0; ; {
		s.Calls++
		_, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd),
			uintptr(unsafe.Pointer(&s.one)), 1, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case e == 0:
			s.Sent++
			s.Bytes += uint64(s.one.n)
			return nil
		case e == unix.EINTR:
		case e == unix.EAGAIN:
			if err := s.wait(s.fd); err != nil {
				return err
			}
		case Pending(e) && tries < s.retries:
			tries++
		default:
			t.Err = SendError(e)
			s.Errors++
			return nil
		}
	}
}
