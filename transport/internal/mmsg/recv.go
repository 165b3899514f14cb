//go:build linux

package mmsg

import (
	"net/netip"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr. Go pads it as C does, on 32 and 64 bits.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// A Receiver reads batches of packets from one socket. After Recv, the
// accessors tell about packet i of the batch.
type Receiver struct {
	fd     int
	names  []sockaddr // nil if the caller needs no source addresses
	msgs   []mmsghdr
	iovs   []unix.Iovec
	ctls   []recvControl
	used   int // headers that the kernel has written to
	Info   Info
	Calls  uint64 // system calls so far
	Failed uint64 // calls that reported an error of an earlier packet
}

// NewReceiver prepares to read up to batch packets at a time; named asks for
// their source addresses.
func NewReceiver(fd, batch int, named bool, z *hostnet.Zones) *Receiver {
	r := &Receiver{
		fd:   fd,
		msgs: make([]mmsghdr, batch),
		iovs: make([]unix.Iovec, batch),
		ctls: make([]recvControl, batch),
		used: batch,
		Info: Info{zones: z},
	}
	if named {
		r.names = make([]sockaddr, batch)
	}
	for i := range r.msgs {
		h := &r.msgs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&r.ctls[i]))
		if named {
			h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		}
	}
	r.rearm()
	return r
}

// rearm resets the lengths that the kernel has overwritten.
func (r *Receiver) rearm() {
	for i := range r.msgs[:r.used] {
		h := &r.msgs[i].hdr
		h.SetControllen(int(unsafe.Sizeof(r.ctls[0])))
		if r.names != nil {
			h.Namelen = uint32(unsafe.Sizeof(r.names[0]))
		}
	}
	r.used = 0
}

// Batch returns how many packets one Recv can read.
func (r *Receiver) Batch() int { return len(r.msgs) }

// SetBuf gives packet i of the next batch its storage.
func (r *Receiver) SetBuf(i int, buf []byte) {
	if p := unsafe.SliceData(buf); r.iovs[i].Base != p || int(r.iovs[i].Len) != len(buf) {
		r.iovs[i].Base = p
		r.iovs[i].SetLen(len(buf))
	}
}

// Recv reads up to n packets into the storage set by SetBuf, and returns how
// many there were. It does not block: EAGAIN if there are none. Fewer than n
// means that no more were waiting.
func (r *Receiver) Recv(n int) (int, error) {
	r.rearm()
	r.Calls++
	got, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(r.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(r.msgs))), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		if e != unix.EAGAIN {
			r.Failed++
		}
		return 0, errnoError(e)
	}
	r.used = int(got)
	return int(got), nil
}

// Len returns the size of packet i, and whether it is whole.
func (r *Receiver) Len(i int) (n int, whole bool) {
	return int(r.msgs[i].n), r.msgs[i].hdr.Flags&unix.MSG_TRUNC == 0
}

// From returns the source of packet i.
func (r *Receiver) From(i int) netip.AddrPort { return r.names[i].get(r.Info.zones) }

// Parse makes r.Info tell about packet i.
func (r *Receiver) Parse(i int) {
	r.Info.parse(unsafe.Pointer(&r.ctls[i]), int(r.msgs[i].hdr.Controllen))
}

// HasControl reports whether packet i came with control messages at all.
func (r *Receiver) HasControl(i int) bool { return r.msgs[i].hdr.Controllen > 0 }
