package rawip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/mmsg"
	"golang.org/x/sys/unix"
)

var (
	errClosed   = net.ErrClosed
	errNoFamily = fmt.Errorf("%w: the link has no socket for this address", transport.ErrUnreachable)
)

const (
	commonHeader = 12   // of SCTP, the least that can be called a packet
	maxFailing   = 1000 // receive errors in a row before one is final
)

// ReadBatch implements transport.Link. A slot's buffer must have room for the
// IPv4 header (up to 60 bytes) too.
func (l *Link) ReadBatch(slots []transport.RxSlot) (int, error) {
	l.readMu.Lock()
	defer l.readMu.Unlock()
	return l.reader.Read(slots)
}

// A source is one of a family's sockets.
type source struct {
	l       *Link
	f       *family
	aux     bool
	rx      *mmsg.Receiver
	drops   uint32 // last value of the kernel's counter
	failing int
}

// ReadErrors moves ICMP errors about our packets into slots.
func (s *source) ReadErrors(slots []transport.RxSlot) (got int, empty bool) {
	if !s.aux {
		return 0, true // nothing collects there
	}
	for got < len(slots) {
		ok, more := s.f.icmp.Next(&slots[got])
		if !more {
			empty = true
			break
		}
		// The kernel tells every raw socket: not all of it is about us.
		if ok && len(slots[got].Data) >= 8 && s.l.ports.owns(binary.BigEndian.Uint16(slots[got].Data)) {
			slots[got].EncapPort = 0
			got++
		}
	}
	if got > 0 {
		s.l.counters.icmp.Add(uint64(got))
	}
	return got, empty
}

// ReadPackets reads one batch.
func (s *source) ReadPackets(slots []transport.RxSlot) (got int, empty bool, err error) {
	want := min(len(slots), s.rx.Batch())
	for i := range want {
		s.rx.SetBuf(i, slots[i].Buf)
	}
	n, err := s.rx.Recv(want)
	s.l.counters.recv.Add(1)
	switch {
	case err == unix.EINTR:
		return 0, false, nil
	case err == unix.EAGAIN || err != nil && s.aux: // on aux it is the news of an ICMP error
		return 0, true, nil
	case err != nil:
		if s.failing++; s.failing > maxFailing {
			return 0, false, fmt.Errorf("sctp: read from a raw socket: %w", err)
		}
		return 0, true, nil
	}
	s.failing = 0
	bytes := 0
	for i := range n {
		if got < i { // a packet before this one was not taken
			size, _ := s.rx.Len(i)
			if copy(slots[got].Buf, slots[i].Buf[:size]) < size {
				continue
			}
		}
		if s.accept(i, &slots[got]) {
			bytes += len(slots[got].Data)
			got++
		}
	}
	s.l.counters.packetsIn.Add(uint64(got))
	s.l.counters.bytesIn.Add(uint64(bytes))
	if got < n {
		s.l.counters.invalid.Add(uint64(n - got))
	}
	return got, n < want, nil
}

// accept completes a slot whose buffer holds packet i of the batch.
func (s *source) accept(i int, t *transport.RxSlot) bool {
	size, whole := s.rx.Len(i)
	t.Kind, t.ICMP, t.MTU, t.EncapPort, t.ECN = transport.Datagram, 0, 0, 0, 0
	if s.rx.HasControl(i) {
		s.rx.Parse(i)
		s.countDrops()
	}
	if !whole {
		return false
	}
	if s.f.v6 {
		t.Data = t.Buf[:size]
		t.Src, t.Dst, t.ECN = s.rx.From(i).Addr(), s.rx.Info.Dst, s.rx.Info.ECN
		return size >= commonHeader && t.Dst.IsValid() && !t.Dst.IsMulticast() && unicast6(t.Src)
	}
	p := t.Buf[:size]
	if size < 20 {
		return false
	}
	ihl, total := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	if total == 0 {
		total = size // a super-packet, too long for its own header
	}
	if p[0]>>4 != 4 || ihl < 20 || total > size || total < ihl+commonHeader {
		return false
	}
	t.Data = p[ihl:total]
	t.ECN = p[1] & 3
	t.Src, t.Dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	return unicast4(p[12:16]) && unicast4(p[16:20])
}

// unicast4 refuses multicast, limited broadcast, loopback's broadcast (which
// has no link layer to tell) and the unspecified address.
func unicast4(a []byte) bool {
	v := binary.BigEndian.Uint32(a)
	return v < 0xe0000000 && v != 0 && v != 0x7fffffff
}

func unicast6(a netip.Addr) bool {
	return a.IsValid() && !a.IsMulticast() && !a.IsUnspecified()
}

// countDrops takes note of the socket's drop counter, which the kernel sends
// along with packets.
func (s *source) countDrops() {
	if !s.rx.Info.HasDrops {
		return
	}
	if d := s.rx.Info.Drops - s.drops; d != 0 {
		s.drops = s.rx.Info.Drops
		if !s.aux { // the others' packets are no loss
			s.l.counters.drops.Add(uint64(d))
		}
	}
}

// WriteBatch implements transport.Link. Packets to different address families
// may overtake each other.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if l.reader.Closed.Load() {
		return errClosed
	}
	left := len(slots)
	failed := uint64(0)
	for _, f := range l.families {
		mine := 0
		for i := range slots {
			if f.tx.Mine(slots[i].Dst) {
				mine++
			}
		}
		if mine == 0 {
			continue
		}
		left -= mine
		was := [4]uint64{f.tx.Sent, f.tx.Bytes, f.tx.Errors, f.tx.Calls}
		err := f.tx.Send(slots, 0)
		l.counters.packetsOut.Add(f.tx.Sent - was[0])
		l.counters.bytesOut.Add(f.tx.Bytes - was[1])
		l.counters.send.Add(f.tx.Calls - was[3])
		failed += f.tx.Errors - was[2]
		if err != nil {
			return err
		}
	}
	if left > 0 {
		for i := range slots {
			if !l.carries(slots[i].Dst) {
				slots[i].Err = errNoFamily
				failed++
			}
		}
	}
	if failed > 0 {
		l.counters.sendErrors.Add(failed)
		for i := range slots {
			if hostnet.Outdated(slots[i].Err) {
				l.host.Forget()
				break
			}
		}
	}
	return nil
}

// carries reports whether there is a socket for packets to dst.
func (l *Link) carries(dst netip.Addr) bool {
	for _, f := range l.families {
		if f.tx.Mine(dst) {
			return true
		}
	}
	return false
}

// Route implements transport.Link.
func (l *Link) Route(dst netip.Addr) (transport.Route, error) {
	if !l.carries(dst) {
		return transport.Route{}, errNoFamily
	}
	way, err := l.host.Route(dst)
	if err != nil {
		return transport.Route{}, err
	}
	r := transport.Route{Src: way.Src, MTU: way.MTU, Overhead: 20, NoCarrier: way.NoCarrier}
	if dst.Is6() {
		r.Overhead = 40
	}
	return r, nil
}

// Addrs implements transport.Link.
func (l *Link) Addrs() ([]netip.Addr, error) {
	all, err := l.host.Addrs()
	if err != nil {
		return nil, err
	}
	mine := all[:0]
	for _, a := range all {
		if l.carries(a) {
			mine = append(mine, a)
		}
	}
	return mine, nil
}

// Watch implements transport.Watcher.
func (l *Link) Watch(changed func()) { l.host.Watch(changed) }

// Forget implements transport.Watcher.
func (l *Link) Forget() { l.host.Forget() }

// Stats returns what the link has done so far.
func (l *Link) Stats() Stats {
	s := l.counters.stats()
	s.RcvBuf = l.rcvBuf
	s.Responder = l.stand != nil && l.stand.elected.Load()
	return s
}

// Reserve implements transport.Ports.
func (l *Link) Reserve(port uint16) (uint16, error) { return l.ports.reserve(port) }

// Release implements transport.Ports.
func (l *Link) Release(port uint16) { l.ports.release(port) }

// Answers implements transport.Ports. The process that holds a block of
// ephemeral ports answers for those of them that are not in use.
func (l *Link) Answers(port uint16) bool {
	return l.ports.answers(port, l.stand != nil && l.stand.elected.Load())
}
