package rawip

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/mmsg"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Link is the raw IP link. It implements transport.Link and transport.Ports.
type Link struct {
	families []*family
	poll     *mmsg.Poll
	reader   *mmsg.Reader
	host     hostnet.Host
	ports    *ports
	stand    *responder // nil if the process does not stand for election
	rcvBuf   int
	counters counters

	filterMu sync.Mutex
	readMu   sync.Mutex // held while reading; Close takes it before it frees
	writeMu  sync.Mutex // the same for writing
}

var (
	_ transport.Link    = (*Link)(nil)
	_ transport.Ports   = (*Link)(nil)
	_ transport.Watcher = (*Link)(nil)
)

// A family is the two raw sockets for one IP version. main receives packets
// for our ports, and sends. aux collects ICMP errors, so that main is never
// disturbed by them, and receives packets for all other ports while this
// process is the elected responder: a flood of those cannot fill the queue of
// main.
type family struct {
	v6        bool
	main, aux int
	icmp      *mmsg.ErrQueue
	tx        *mmsg.Sender
}

const readBatch = 64

// Open opens the link. It fails with transport.ErrPrivilege without
// CAP_NET_RAW, and with transport.ErrKernelSCTP if the kernel's SCTP is loaded.
func Open(cfg Config) (*Link, error) {
	if kernelSCTP() && !cfg.AllowKernelSCTP {
		return nil, fmt.Errorf("%w: unload it (modprobe -r sctp) and keep it from loading "+
			"(echo 'install sctp /bin/false' > /etc/modprobe.d/sctp.conf), use UDP encapsulation, "+
			"or set AllowKernelSCTP and Mark, and drop the kernel's own packets, which lack the mark "+
			"(iptables -A OUTPUT -p sctp -m mark ! --mark MARK -j DROP)", transport.ErrKernelSCTP)
	}
	if cfg.RcvBuf == 0 {
		cfg.RcvBuf = defaultRcvBuf
	}
	if cfg.SndBuf == 0 {
		cfg.SndBuf = defaultSndBuf
	}
	either := !cfg.V4 && !cfg.V6
	l := new(Link)
	l.host.NS = hostnet.OpenNamespace()
	fail := func(err error) (*Link, error) {
		l.free()
		return nil, err
	}
	for _, v6 := range []bool{false, true} {
		asked := either || cfg.V4
		if v6 {
			asked = either || cfg.V6
		}
		if !asked {
			continue
		}
		f, err := l.openFamily(v6, cfg)
		if err != nil {
			if v6 && either && noFamily(err) {
				continue // a host without IPv6
			}
			return fail(err)
		}
		l.families = append(l.families, f)
	}
	var fds []int
	var sources []mmsg.Source
	zones := l.host.Zones()
	for _, f := range l.families {
		f.icmp = mmsg.NewErrQueue(f.aux, zones)
		fds = append(fds, f.main, f.aux)
		sources = append(sources,
			&source{l: l, f: f, rx: mmsg.NewReceiver(f.main, readBatch, f.v6, zones)},
			&source{l: l, f: f, rx: mmsg.NewReceiver(f.aux, readBatch, f.v6, zones), aux: true})
	}
	var err error
	if l.poll, err = mmsg.NewPoll(fds...); err != nil {
		return fail(fmt.Errorf("sctp: open raw IP: %w", err))
	}
	l.reader = mmsg.NewReader(l.poll, sources...)
	l.reader.Gather = cfg.Gather
	for _, f := range l.families {
		f.tx = mmsg.NewSender(f.main, f.v6, false, l.poll.WaitWritable, zones)
	}
	if l.ports, err = newPorts(l.host.NS, l.refilter); err != nil {
		return fail(fmt.Errorf("sctp: open raw IP: %w", err))
	}
	if !cfg.NoResponder {
		l.stand = newResponder(l.host.NS, func() { l.elected() })
		l.stand.start()
	}
	return l, nil
}

func kernelSCTP() bool {
	_, err := os.Stat("/proc/thread-self/net/sctp")
	return err == nil
}

func noFamily(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT)
}

// rawSocket opens a raw socket whose filter refuses everything.
func rawSocket(v6 bool) (int, error) {
	domain, name := unix.AF_INET, "IPv4"
	if v6 {
		domain, name = unix.AF_INET6, "IPv6"
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, socketError(name, err)
	}
	if err := attach(fd, filter{}.program(v6)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	// What came in before the filter was there is not for us.
	var b [1]byte
	for {
		if _, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT); err != nil {
			return fd, nil
		}
	}
}

// socketError says what to do about the error of opening a raw socket.
func socketError(name string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: raw %s sockets need CAP_NET_RAW: give it to the program "+
			"(setcap cap_net_raw+ep FILE), to the container (securityContext.capabilities.add: [\"NET_RAW\"], "+
			"docker run --cap-add NET_RAW), or use UDP encapsulation, which needs no privilege: %w",
			transport.ErrPrivilege, name, err)
	}
	return fmt.Errorf("sctp: open a raw %s socket: %w", name, err)
}

func attach(fd int, prog []bpf.Instruction) error {
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return fmt.Errorf("sctp: socket filter: %w", err)
	}
	// bpf.RawInstruction is laid out as struct sock_filter.
	p := unix.SockFprog{Len: uint16(len(raw)), Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(raw)))}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p); err != nil {
		return fmt.Errorf("sctp: socket filter of %d instructions: %w", len(raw), err)
	}
	return nil
}

func (l *Link) openFamily(v6 bool, cfg Config) (*family, error) {
	// aux comes first: with neither, the kernel answers that SCTP is
	// unreachable; with one that filters, it is silent.
	aux, err := rawSocket(v6)
	if err != nil {
		return nil, err
	}
	main, err := rawSocket(v6)
	if err != nil {
		unix.Close(aux)
		return nil, err
	}
	f := &family{v6: v6, main: main, aux: aux}
	arrivals := mmsg.Arrivals(v6)
	if !v6 {
		arrivals = nil // the IP header is there to be read
	}
	err = mmsg.Set(main, mmsg.Common(v6), arrivals)
	if err == nil {
		err = mmsg.Set(aux, mmsg.Common(v6), arrivals, mmsg.Errors(v6))
	}
	if err == nil && cfg.Mark != 0 {
		err = mmsg.Set(main, []mmsg.Option{{Level: unix.SOL_SOCKET, Name: unix.SO_MARK, Value: cfg.Mark}})
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("sctp: open raw IP: %w", err)
	}
	l.rcvBuf = mmsg.Buffers(main, cfg.RcvBuf, cfg.SndBuf)
	return f, nil
}

func (f *family) close() {
	unix.Close(f.main)
	unix.Close(f.aux)
}

// refilter makes the sockets receive what the port table says.
func (l *Link) refilter(ports []uint16, blocks []uint8) error {
	l.filterMu.Lock()
	defer l.filterMu.Unlock()
	if l.reader.Closed.Load() {
		return nil
	}
	own := filter{ports: ports, blocks: blocks}
	others := filter{} // nothing
	if l.stand != nil && l.stand.post.Load() {
		others = filter{ports: ports, blocks: blocks, invert: true}
	}
	for _, f := range l.families {
		// main first: a packet seen twice does less harm than one not seen.
		if err := f.filter(f.main, own); err != nil {
			return err
		}
		if err := f.filter(f.aux, others); err != nil {
			return err
		}
	}
	return nil
}

func (f *family) filter(fd int, want filter) error {
	if len(want.ports) > maxSingles {
		want = want.fold()
	}
	err := attach(fd, want.program(f.v6))
	if errors.Is(err, unix.ENOMEM) { // beyond net.core.optmem_max
		err = attach(fd, want.fold().program(f.v6))
	}
	return err
}

// elected lets the link see packets for ports that nobody holds.
func (l *Link) elected() {
	if l.ports.refresh() != nil {
		return // too little memory for a filter: silence is what the others keep, too
	}
}

// free releases whatever there is of a link that nobody uses any more.
func (l *Link) free() {
	for _, f := range l.families {
		f.close()
	}
	if l.poll != nil {
		l.poll.Close()
	}
	l.host.NS.Close()
}

// Close implements transport.Link. Other processes can have our ports, and
// the post of responder, at once.
func (l *Link) Close() error {
	if l.reader.Closed.Swap(true) {
		return errClosed
	}
	l.host.Unwatch()
	l.poll.Shutdown()
	if l.stand != nil {
		l.stand.close()
	}
	l.ports.close()
	l.readMu.Lock()
	defer l.readMu.Unlock()
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	l.filterMu.Lock()
	defer l.filterMu.Unlock()
	l.free()
	return nil
}
