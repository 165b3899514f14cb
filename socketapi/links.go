package socketapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/rawip"
	"github.com/gosctp/gosctp/transport/udpencap"
)

// open opens the links that cfg asks for.
func (h *Host) open(cfg HostConfig) ([]transport.Link, error) {
	var links []transport.Link
	switch {
	case len(cfg.Links) > 0:
		h.kind, h.why = "links", "the program brought its own links"
		links = slices.Clone(cfg.Links)
	case cfg.Transport == RawIP:
		l, err := rawip.Open(rawip.Config{AllowKernelSCTP: cfg.AllowKernelSCTP})
		if err != nil {
			return nil, err
		}
		h.kind, h.why = "rawip", "asked for"
		links = []transport.Link{l}
	case cfg.Transport == UDP:
		h.kind, h.why = "udp", "asked for"
	case cfg.Transport == Auto:
		l, err := rawip.Open(rawip.Config{AllowKernelSCTP: cfg.AllowKernelSCTP})
		if err == nil {
			h.kind, h.why = "rawip", "this process may use raw sockets"
			links = []transport.Link{l}
			break
		}
		h.kind, h.why = "udp", fmt.Sprintf("no raw IP: %v", err)
		if errors.Is(err, transport.ErrKernelSCTP) {
			h.log.Warn("kernel SCTP found, using UDP encapsulation", slog.Any("err", err))
		} else {
			h.log.Info("no raw IP, using UDP encapsulation", slog.Any("err", err))
		}
	default:
		return nil, fmt.Errorf("sctp: transport %d does not exist", cfg.Transport)
	}
	if h.kind == "udp" {
		var err error
		if links, err = h.openUDP(cfg.UDP); err != nil {
			return nil, err
		}
	}
	if cfg.PacketTap != nil || cfg.Logger != nil {
		for i, l := range links {
			links[i] = watch(l, h.log.With(slog.String("transport", h.kind), slog.Int("link", i)), cfg.PacketTap)
		}
	}
	return links, nil
}

func (h *Host) openUDP(cfg UDPConfig) ([]transport.Link, error) {
	if cfg.Listen != (netip.AddrPort{}) {
		l, err := udpencap.Open(udpencap.Config{Listen: cfg.Listen, RemotePort: cfg.RemotePort})
		if err != nil {
			return nil, err
		}
		h.udpPort = l.Port()
		return []transport.Link{l}, nil
	}
	u := &udpLinks{}
	u.server = newLateLink(udpencap.Config{
		Listen:     netip.AddrPortFrom(netip.Addr{}, udpencap.DefaultPort),
		RemotePort: cfg.RemotePort,
	})
	u.client = newLateLink(udpencap.Config{RemotePort: cfg.RemotePort})
	h.udp = u
	// What is open to be dialled is good for dialling, too: it comes first.
	return []transport.Link{u.server, u.client}, nil
}

// udpLinks are the two links of a host with UDP encapsulation that was not told
// its port: dialling takes any free one, listening the well-known.
type udpLinks struct{ server, client *lateLink }

// forDial makes sure that there is a link to dial with.
func (h *Host) forDial() error {
	if h.udp == nil || h.udp.server.isOpen() {
		return nil
	}
	return h.udp.client.open()
}

// forListen makes sure that there is a link to be dialled at.
func (h *Host) forListen() error {
	if h.udp == nil {
		return nil
	}
	return h.udp.server.open()
}

// lateLink is a UDP link that is opened when it is wanted.
type lateLink struct {
	cfg    udpencap.Config
	opened chan struct{} // closed once link is there
	closed chan struct{}

	mu      sync.Mutex
	link    *udpencap.Link
	done    bool
	changed func() // of Watch
}

func newLateLink(cfg udpencap.Config) *lateLink {
	return &lateLink{cfg: cfg, opened: make(chan struct{}), closed: make(chan struct{})}
}

func (l *lateLink) open() error {
	u, changed, err := l.openOnce()
	if u != nil && changed != nil {
		changed() // the host has this link's addresses now
	}
	return err
}

// openOnce returns the link if it is new, and who watches it.
func (l *lateLink) openOnce() (*udpencap.Link, func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return nil, nil, errHostClosed
	}
	if l.link != nil {
		return nil, nil, nil
	}
	u, err := udpencap.Open(l.cfg)
	if err != nil {
		return nil, nil, err
	}
	l.link = u
	if l.changed != nil {
		u.Watch(l.changed)
	}
	close(l.opened)
	return u, l.changed, nil
}

// Watch implements transport.Watcher.
func (l *lateLink) Watch(changed func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = changed
	if l.link != nil {
		l.link.Watch(changed)
	}
}

func (l *lateLink) isOpen() bool { return l.get() != nil }

func (l *lateLink) get() *udpencap.Link {
	select {
	case <-l.opened:
		return l.link
	default:
		return nil
	}
}

var errNotOpen = fmt.Errorf("%w: the link is not open", transport.ErrUnreachable)

// Forget implements transport.Watcher.
func (l *lateLink) Forget() {
	if u := l.get(); u != nil {
		u.Forget()
	}
}

// ReadBatch implements transport.Link.
func (l *lateLink) ReadBatch(slots []transport.RxSlot) (int, error) {
	select {
	case <-l.opened:
		return l.link.ReadBatch(slots)
	default:
	}
	select {
	case <-l.opened:
		return l.link.ReadBatch(slots)
	case <-l.closed:
		return 0, net.ErrClosed
	}
}

// WriteBatch implements transport.Link.
func (l *lateLink) WriteBatch(slots []transport.TxSlot) error {
	if u := l.get(); u != nil {
		return u.WriteBatch(slots)
	}
	for i := range slots {
		slots[i].Err = errNotOpen
	}
	return nil
}

// Route implements transport.Link.
func (l *lateLink) Route(dst netip.Addr) (transport.Route, error) {
	if u := l.get(); u != nil {
		return u.Route(dst)
	}
	return transport.Route{}, errNotOpen
}

// Addrs implements transport.Link.
func (l *lateLink) Addrs() ([]netip.Addr, error) {
	if u := l.get(); u != nil {
		return u.Addrs()
	}
	return nil, nil
}

// Close implements transport.Link.
func (l *lateLink) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return net.ErrClosed
	}
	l.done = true
	close(l.closed)
	if l.link != nil {
		return l.link.Close()
	}
	return nil
}

var _ transport.Watcher = (*lateLink)(nil)

// Packet is an SCTP packet as a PacketTap sees it. Data is valid during the
// call only.
type Packet struct {
	Time      time.Time
	Out       bool
	Src, Dst  netip.Addr
	EncapPort uint16 // the peer's UDP port, if encapsulated in UDP and known
	Data      []byte
}

// watched is a link whose packets are tapped, and whose failure is logged.
type watched struct {
	transport.Link
	log *slog.Logger
	tap func(Packet)
}

// watchedPorts is one that shares its ports with other processes.
type watchedPorts struct {
	watched
	transport.Ports
}

var _ transport.Ports = (*watchedPorts)(nil)

func watch(l transport.Link, log *slog.Logger, tap func(Packet)) transport.Link {
	w := watched{l, log, tap}
	if p, ok := l.(transport.Ports); ok {
		return &watchedPorts{w, p}
	}
	return &w
}

// Watch implements transport.Watcher, as far as the link does.
func (w *watched) Watch(changed func()) {
	if l, ok := w.Link.(transport.Watcher); ok {
		l.Watch(changed)
	}
}

// Forget implements transport.Watcher, as far as the link does.
func (w *watched) Forget() {
	if l, ok := w.Link.(transport.Watcher); ok {
		l.Forget()
	}
}

// ReadBatch implements transport.Link.
func (w *watched) ReadBatch(slots []transport.RxSlot) (int, error) {
	n, err := w.Link.ReadBatch(slots)
	if w.tap != nil && n > 0 {
		now := time.Now()
		for i := range slots[:n] {
			if s := &slots[i]; s.Kind == transport.Datagram {
				w.tap(Packet{Time: now, Src: s.Src, Dst: s.Dst, EncapPort: s.EncapPort, Data: s.Data})
			}
		}
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		w.log.Error("link failed, no more packets are received", slog.Any("err", err))
	}
	return n, err
}

// WriteBatch implements transport.Link.
func (w *watched) WriteBatch(slots []transport.TxSlot) error {
	if w.tap != nil {
		now := time.Now()
		for i := range slots {
			s := &slots[i]
			w.tap(Packet{Time: now, Out: true, Src: s.Src, Dst: s.Dst, EncapPort: s.EncapPort, Data: s.Data})
		}
	}
	return w.Link.WriteBatch(slots)
}
