package socketapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/transport"
)

// Transport is how SCTP packets travel.
type Transport uint8

// Transports.
const (
	// Auto is raw IP where the process may and the kernel does not speak SCTP
	// itself, else UDP encapsulation.
	Auto Transport = iota
	// RawIP is SCTP directly over IP, protocol 132. It needs CAP_NET_RAW.
	RawIP
	// UDP is SCTP in UDP (RFC 6951). It needs no privilege.
	UDP
)

// String returns the transport's name: auto, rawip or udp.
func (t Transport) String() string {
	switch t {
	case Auto:
		return "auto"
	case RawIP:
		return "rawip"
	case UDP:
		return "udp"
	}
	return "invalid"
}

// UDPConfig is about UDP encapsulation.
type UDPConfig struct {
	// Listen is the UDP address that packets are received at. If it is zero,
	// the first Listen binds port 9899 of all addresses, and a host that only
	// dials takes any free port.
	Listen netip.AddrPort
	// RemotePort is the UDP port that peers are dialled at; 0 means 9899.
	RemotePort uint16
}

// HostConfig says how a Host reaches the world. The zero value is good.
type HostConfig struct {
	// Transport is used if Links is empty.
	Transport Transport
	UDP       UDPConfig
	// Links are the program's own links, for example from package mem. The
	// Host closes them.
	Links []transport.Link
	// AllowKernelSCTP opens raw IP although the kernel's SCTP is loaded and
	// would abort associations that it does not know.
	AllowKernelSCTP bool
	// Logger hears of what no caller is told of: which transport was chosen
	// in place of a better one, and links that fail. Nil means silence.
	Logger *slog.Logger
	// PacketTap sees each packet in and out. It is called from several
	// goroutines, delays them, and must not use the Host.
	PacketTap func(Packet)
	// Record names a file that gets the input of the Host's stack, for `sctp
	// replay`: each packet byte for byte, user data left out unless RecordData
	// is set. It holds the Host's secrets, so its owner only can read it; an
	// older file of that name is replaced, its mode too. Associations never wait
	// for the file: if it cannot be written fast enough, recording stops, which
	// the file, the Logger and Close tell.
	Record     string
	RecordData bool
	// DumpDir is the directory for the last steps of associations that a bug
	// in this package has cost, one file each, for `sctp replay`; "" writes
	// none. The Logger is told in any case.
	DumpDir string
	// Shards is how many groups of associations can run at once; 0 means as
	// many as there are processors, at most 8.
	Shards int
	// RecvMemory bounds the receive memory of all associations together, in
	// bytes, bookkeeping included: 256 MiB by default, negative means no
	// limit. Windows shrink from where half of it is taken; 8 KiB, or one
	// packet, is left to each association whatever others do.
	RecvMemory int
	// MaxAssociations is how many associations peers may have set up at a
	// time, 1048576 by default; further peers are refused.
	MaxAssociations int
	// OutOfBlueRate is how many packets for no association are answered per
	// second, 1000 by default.
	OutOfBlueRate int
}

// Host is an SCTP host in this process: a stack and its links.
type Host struct {
	stack *stack.Stack
	kind  string
	why   string
	udp   *udpLinks // nil but with UDP on ports to be chosen
	log   *slog.Logger
	rec   *record.Writer // nil: nothing is recorded

	udpPort uint16 // with UDP on a port that was chosen

	mu        sync.Mutex
	closed    bool
	conns     map[*Conn]struct{}
	listeners map[*Listener]struct{}
	sockets   map[*Socket]struct{}
}

// NewHost starts a Host. Close it to free its sockets and goroutines.
func NewHost(cfg HostConfig) (*Host, error) {
	h := &Host{
		log:   cfg.Logger,
		conns: make(map[*Conn]struct{}), listeners: make(map[*Listener]struct{}),
		sockets: make(map[*Socket]struct{}),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	links, err := h.open(cfg)
	if err != nil {
		return nil, err
	}
	world := stack.World{Links: links, Clock: mono.System()}
	o := cfg.options()
	o.Contained = func(d decision.Dump) { h.contained(d, cfg.DumpDir) }
	if cfg.Record != "" {
		if h.rec, err = h.record(&cfg, world.Clock.Now()); err == nil {
			o.Record = h.rec.Shard
		}
	}
	if err == nil {
		h.stack, err = stack.New(world, o)
	}
	if err != nil {
		for _, l := range links {
			l.Close()
		}
		if h.rec != nil {
			h.rec.Close()
		}
		return nil, err
	}
	h.stack.Start()
	return h, nil
}

func (c *HostConfig) options() stack.Options {
	return stack.Options{
		Shards: c.Shards, RecvMemory: c.RecvMemory,
		MaxAssociations: c.MaxAssociations, OutOfBlueRate: c.OutOfBlueRate,
	}
}

// Transport says how packets travel: "rawip", "udp", or "links" for the
// program's own.
func (h *Host) Transport() string { return h.kind }

// Why says why it is that transport.
func (h *Host) Why() string { return h.why }

// Addrs lists the addresses that the host can be reached at.
func (h *Host) Addrs() ([]netip.Addr, error) { return h.stack.Addrs() }

// UDPPort returns the UDP port that the host receives at, 0 if it has none.
func (h *Host) UDPPort() uint16 {
	if h.udp == nil {
		return h.udpPort
	}
	for _, l := range []*lateLink{h.udp.server, h.udp.client} {
		if u := l.get(); u != nil {
			return u.Port()
		}
	}
	return 0
}

// Err returns why a link failed, nil if all work.
func (h *Host) Err() error { return h.stack.Err() }

// Close aborts all associations of the host, and frees its links. To let an
// association finish first, wait for its Conn.CloseWait.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return fmt.Errorf("sctp: host: %w", net.ErrClosed)
	}
	h.closed = true
	conns, listeners, sockets := h.conns, h.listeners, h.sockets
	h.conns, h.listeners, h.sockets = nil, nil, nil
	h.mu.Unlock()
	for l := range listeners {
		l.Close()
	}
	for c := range conns {
		c.Abort("")
	}
	for s := range sockets {
		s.abandon()
	}
	err := h.stack.Close()
	if h.rec != nil {
		err = errors.Join(err, h.rec.Close())
	}
	return err
}

// add registers a Conn; false if the host is closed.
func (h *Host) add(c *Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.conns[c] = struct{}{}
	}
	return !h.closed
}

func (h *Host) remove(c *Conn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
}

var shared struct {
	mu   sync.Mutex
	host *Host
}

// DefaultHost returns the Host that Dial and Listen use without another. It is
// made on first use, with transport Auto; if it is closed, the next use makes
// a new one.
func DefaultHost() (*Host, error) { return defaultHost() }

func defaultHost() (*Host, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if h := shared.host; h != nil {
		h.mu.Lock()
		closed := h.closed
		h.mu.Unlock()
		if !closed {
			return h, nil
		}
	}
	h, err := NewHost(HostConfig{})
	if err != nil {
		return nil, err
	}
	shared.host = h
	return h, nil
}

var errHostClosed = errors.New("sctp: the host was closed")

func (h *Host) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}
