package rawip

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/hostnet"
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
	checkEvery   = 16   // reads between looks at the sockets that are not known to be ready
)

// ReadBatch implements transport.Link. A slot's buffer must have room for the
// IPv4 header (up to 60 bytes) too.
func (l *Link) ReadBatch(slots []transport.RxSlot) (int, error) {
	if len(slots) == 0 {
		return 0, nil
	}
	l.readMu.Lock()
	defer l.readMu.Unlock()
	for {
		if l.closed.Load() {
			return 0, errClosed
		}
		if l.reads++; l.reads%checkEvery == 0 {
			l.poll.Check()
		}
		n, err := l.readReady(slots)
		if n > 0 || err != nil {
			return n, err
		}
		if l.poll.In|l.poll.Err != 0 {
			continue
		}
		if err := l.poll.Wait(); err != nil {
			return 0, err
		}
	}
}

// readReady reads the sockets that are ready, beginning with another one each
// time.
func (l *Link) readReady(slots []transport.RxSlot) (int, error) {
	got := 0
	sources := 2 * len(l.families)
	l.turn++
	for k := range sources {
		i := (l.turn + k) % sources
		bit := uint32(1) << i
		f, aux := l.families[i/2], i&1 == 1
		if l.poll.Err&bit != 0 {
			if aux {
				got += l.readErrors(f, bit, slots[got:])
			} else {
				l.poll.Err &^= bit // nothing collects there
			}
		}
		if l.poll.In&bit != 0 && got < len(slots) {
			n, err := l.readSocket(f, aux, bit, slots[got:])
			if err != nil {
				return got, err
			}
			got += n
		}
		if got == len(slots) {
			break
		}
	}
	return got, nil
}

// readErrors moves ICMP errors about our packets into slots.
func (l *Link) readErrors(f *family, bit uint32, slots []transport.RxSlot) int {
	got := 0
	for got < len(slots) {
		ok, more := f.icmp.Next(&slots[got])
		if !more {
			l.poll.Err &^= bit
			break
		}
		// The kernel tells every raw socket: not all of it is about us.
		if ok && len(slots[got].Data) >= 8 && l.ports.owns(binary.BigEndian.Uint16(slots[got].Data)) {
			slots[got].EncapPort = 0
			got++
		}
	}
	if got > 0 {
		l.counters.icmp.Add(uint64(got))
	}
	return got
}

// readSocket reads one batch from one socket.
func (l *Link) readSocket(f *family, aux bool, bit uint32, slots []transport.RxSlot) (int, error) {
	rx := f.rx
	if aux {
		rx = f.auxRx
	}
	want := min(len(slots), rx.Batch())
	for i := range want {
		rx.SetBuf(i, slots[i].Buf)
	}
	n, err := rx.Recv(want)
	l.counters.recv.Add(1)
	if err != nil {
		// On aux it is the news of an ICMP error.
		if err != unix.EAGAIN && err != unix.EINTR && !aux {
			if l.failing++; l.failing > maxFailing {
				return 0, fmt.Errorf("sctp: read from a raw socket: %w", err)
			}
		}
		if err != unix.EINTR {
			l.poll.In &^= bit
		}
		return 0, nil
	}
	l.failing = 0
	if n < want {
		l.poll.In &^= bit
	}
	got, bytes := 0, 0
	for i := range n {
		if got < i { // a packet before this one was not taken
			size, _ := rx.Len(i)
			if copy(slots[got].Buf, slots[i].Buf[:size]) < size {
				continue
			}
		}
		if l.accept(f, aux, rx, i, &slots[got]) {
			bytes += len(slots[got].Data)
			got++
		}
	}
	l.counters.packetsIn.Add(uint64(got))
	l.counters.bytesIn.Add(uint64(bytes))
	if got < n {
		l.counters.invalid.Add(uint64(n - got))
	}
	return got, nil
}

// accept completes a slot whose buffer holds packet i of the batch.
func (l *Link) accept(f *family, aux bool, rx *mmsg.Receiver, i int, s *transport.RxSlot) bool {
	size, whole := rx.Len(i)
	s.Kind, s.ICMP, s.MTU, s.EncapPort, s.ECN = transport.Datagram, 0, 0, 0, 0
	if rx.HasControl(i) {
		rx.Parse(i)
		if rx.Info.HasDrops {
			l.dropped(f, aux, rx.Info.Drops)
		}
	}
	if !whole {
		return false
	}
	if f.v6 {
		s.Data = s.Buf[:size]
		s.Src, s.Dst, s.ECN = rx.From(i).Addr(), rx.Info.Dst, rx.Info.ECN
		return size >= commonHeader && s.Dst.IsValid() && !s.Dst.IsMulticast() && unicast6(s.Src)
	}
	p := s.Buf[:size]
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
	s.Data = p[ihl:total]
	s.ECN = p[1] & 3
	s.Src, s.Dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
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

// dropped takes note of a socket's drop counter, which the kernel sends along
// with packets.
func (l *Link) dropped(f *family, aux bool, now uint32) {
	last := &f.drops[0]
	if aux {
		last = &f.drops[1]
	}
	if d := now - *last; d != 0 {
		*last = now
		if !aux { // the others' packets are no loss
			l.counters.drops.Add(uint64(d))
		}
	}
}

// WriteBatch implements transport.Link. Packets to different address families
// may overtake each other.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if l.closed.Load() {
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
	src, mtu, err := l.host.Route(dst)
	if err != nil {
		return transport.Route{}, err
	}
	r := transport.Route{Src: src, MTU: mtu, Overhead: 20}
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
