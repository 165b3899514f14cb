package mmsg

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// The kernel's array of headers has this stride.
func TestMmsghdrLayout(t *testing.T) {
	want := uintptr(64)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		want = 32
	}
	if got := unsafe.Sizeof(mmsghdr{}); got != want {
		t.Errorf("struct mmsghdr has %d bytes, want %d", got, want)
	}
}

// R-10-02, R-10-06 and R-10-07 tell these apart.
func TestClassify(t *testing.T) {
	const icmp, icmp6 = unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6
	for _, tc := range []struct {
		name              string
		origin, typ, code uint8
		want              transport.ICMP
		mtu               uint32
		ok                bool
	}{
		{"network unreachable", icmp, 3, 0, transport.ICMPUnreachable, 0, true},
		{"protocol unreachable", icmp, 3, 2, transport.ICMPProtoUnreachable, 0, true},
		{"port unreachable", icmp, 3, 3, transport.ICMPPortUnreachable, 0, true},
		{"fragmentation needed", icmp, 3, 4, transport.ICMPPacketTooBig, 1400, true},
		{"prohibited", icmp, 3, 13, transport.ICMPUnreachable, 0, true},
		{"source quench", icmp, 4, 0, transport.ICMPOther, 0, true},
		{"time exceeded", icmp, 11, 0, transport.ICMPTimeExceeded, 0, true},
		{"parameter problem", icmp, 12, 0, transport.ICMPParameterProblem, 0, true},
		{"no route", icmp6, 1, 0, transport.ICMPUnreachable, 0, true},
		{"port unreachable 6", icmp6, 1, 4, transport.ICMPPortUnreachable, 0, true},
		{"packet too big", icmp6, 2, 0, transport.ICMPPacketTooBig, 1400, true},
		{"hop limit", icmp6, 3, 0, transport.ICMPTimeExceeded, 0, true},
		{"bad header field", icmp6, 4, 0, transport.ICMPParameterProblem, 0, true},
		{"unknown next header", icmp6, 4, 1, transport.ICMPProtoUnreachable, 0, true},
		{"unknown type", icmp6, 99, 0, transport.ICMPOther, 0, true},
		{"local", unix.SO_EE_ORIGIN_LOCAL, 3, 4, 0, 0, false},
		{"timestamp", unix.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, 0, 0, false},
	} {
		kind, mtu, ok := classify(&unix.SockExtendedErr{Origin: tc.origin, Type: tc.typ, Code: tc.code, Info: 1400})
		if kind != tc.want || mtu != tc.mtu || ok != tc.ok {
			t.Errorf("%s: %d, MTU %d, %v", tc.name, kind, mtu, ok)
		}
	}
}

func TestSendErrors(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EMSGSIZE:      transport.ErrTooBig,
		unix.EADDRNOTAVAIL: transport.ErrUnreachable,
		unix.EHOSTUNREACH:  transport.ErrUnreachable,
		unix.ENOBUFS:       transport.ErrNoBuffers,
		unix.EPERM:         transport.ErrNoBuffers,
	} {
		err := SendError(errno)
		if !errors.Is(err, want) || !errors.Is(err, errno) {
			t.Errorf("%v is not %v", err, want)
		}
	}
	if err := SendError(unix.EPERM); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
	if err := SendError(unix.ENOTCONN); err != unix.ENOTCONN {
		t.Error(err)
	}
}

func TestSockaddr(t *testing.T) {
	z := new(hostnet.Host).Zones()
	for _, a := range []string{"192.0.2.1", "2001:db8::1", "fe80::1%lo", "::1"} {
		var s sockaddr
		want := netip.AddrPortFrom(netip.MustParseAddr(a), 0x1234)
		n := s.set(want.Addr(), want.Port(), z)
		if got := s.get(z); got != want {
			t.Errorf("%v became %v", want, got)
		}
		if size := uint32(unix.SizeofSockaddrInet6); want.Addr().Is6() != (n == size) {
			t.Errorf("%v has length %d", want, n)
		}
	}
}

// What the kernel writes is trusted, but never beyond the buffer.
func TestParseStopsAtTheEnd(t *testing.T) {
	var c recvControl
	b := unsafe.Pointer(&c)
	used := putSource(b, 0, netip.MustParseAddr("192.0.2.1"), nil)
	used = putECN(b, used, false, 3)
	for n := 0; n <= used; n++ {
		var in Info
		in.parse(b, n)
		if n == used && in.ECN != 3 {
			t.Errorf("ECN %d", in.ECN)
		}
	}
	(*unix.Cmsghdr)(b).SetLen(1) // shorter than its own header
	var in Info
	in.parse(b, used)
	if in.ECN != 0 || in.Dst.IsValid() {
		t.Errorf("%+v", in)
	}
}

// A full send buffer holds the writer until there is room, or the end.
func TestWaitWritable(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	p, err := NewPoll(fds[1])
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fill := func() {
		for err = nil; err == nil; {
			_, err = unix.Write(fds[0], make([]byte, 1000))
		}
		if err != syscall.EAGAIN {
			t.Fatal(err)
		}
	}
	fill()
	done := make(chan error)
	go func() { done <- p.WaitWritable(fds[0]) }()
	var b [1000]byte
	for {
		if _, err := unix.Read(fds[1], b[:]); err != nil {
			break
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	fill()
	go func() { done <- p.WaitWritable(fds[0]) }()
	p.Shutdown()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if err := p.Wait(); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}
