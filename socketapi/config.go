package socketapi

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Config holds what can be chosen for an association, or for all associations
// of a Listener. The zero value of each field stands for its default, and so
// does a nil *Config. A Config may be used again, but not changed while in use
// by Dial or Listen.
type Config struct {
	// Host is where the association lives; nil means the one that all share
	// who do not say.
	Host *Host
	// LocalAddr is what Dial binds to; nil, or no IPs, means all addresses of
	// the host, port 0 any free one. Listen ignores it.
	LocalAddr *Addr
	// AllAddresses binds to all addresses that the host has now, and tells
	// peers of all of them, less loopback and link-local ones where the peer's
	// address is neither. Without it, Dial and Listen on all addresses tell a
	// peer only of those that the host sends from toward the addresses that
	// the peer has named: behind NAT, or beside private networks, others are
	// of no use to it. A peer that dials several addresses of a Listener keeps
	// only those that it is told of. In either case a peer that is reached at
	// a global address is told of no private one, and none of its own is used.
	AllAddresses bool
	// PathSources pins own addresses: packets to an address of the peer's that
	// is a key come from its value, from the INIT on, as after
	// Conn.SetPathSource. The values must be among LocalAddr, or the host's
	// addresses if Dial binds to all. Listen ignores it.
	PathSources map[netip.Addr]netip.Addr
	// RemoteUDPPort is the peer's UDP port with UDP encapsulation (RFC 6951);
	// 0 means HostConfig.UDP.RemotePort.
	RemoteUDPPort uint16

	// OutStreams is how many outgoing streams are asked for, 10 by default;
	// MaxInStreams how many incoming ones are offered, 65535 by default. The
	// peer may allow fewer.
	OutStreams, MaxInStreams uint16

	// RTOInitial (1 s), RTOMin (1 s) and RTOMax (60 s) bound the
	// retransmission timeout (RFC 9260 section 6.3.1).
	RTOInitial, RTOMin, RTOMax time.Duration
	// MaxRetransmits is Association.Max.Retrans (10), MaxPathRetransmits is
	// Path.Max.Retrans (5), MaxInitRetransmits is Max.Init.Retransmits (8).
	// Negative means none.
	MaxRetransmits, MaxPathRetransmits, MaxInitRetransmits int
	// HeartbeatInterval is HB.interval (30 s). Negative switches heartbeats
	// off, but for those that confirm addresses; a path that was given up then
	// never comes back.
	HeartbeatInterval time.Duration
	// SackDelay (200 ms) is how long an acknowledgement may wait, at most
	// 500 ms; SackFreq (2) for how many packets. Negative SackDelay, or
	// SackFreq 1, acknowledges each packet at once. SackBatch (4) is how many
	// packets that arrived in one batch a SACK may acknowledge; 1 means that
	// batches are nothing special, as RFC 9260 section 6.2 has it.
	SackDelay time.Duration
	SackFreq  int
	SackBatch int
	// MaxBurst is how many packets of new data go out at once (4); negative
	// means no limit.
	MaxBurst int
	// CookieLife is Valid.Cookie.Life (60 s): for how long a handshake may be
	// answered, at most a day. The keys of the cookies are kept as long.
	CookieLife time.Duration
	// ShutdownGuard bounds a graceful shutdown (5 minutes, RFC 9260 section
	// 9.2: five times RTOMax).
	ShutdownGuard time.Duration

	// SendBuffer is how many bytes of messages may wait to be sent and
	// acknowledged; it bounds the size of a message. RecvBuffer is how many
	// bytes are kept for the reader; half of it is what the peer is offered,
	// the rest is for bookkeeping. Both are 1 MiB by default.
	SendBuffer, RecvBuffer int
	// PartialDeliveryPoint is how many bytes of an incomplete message make
	// its first part available to the reader; by default only a full receive
	// buffer does.
	PartialDeliveryPoint int
	// NoDelay sends small messages at once instead of collecting them while
	// others are in flight (as TCP_NODELAY).
	NoDelay bool
	// PathMTU overrides what the host says about the size of IP packets.
	PathMTU int
	// NoPathMTUDiscovery switches the search for the path MTU by probes off
	// (RFC 8899); then only the host and ICMP messages lower it, and nothing
	// raises it again.
	NoPathMTUDiscovery bool
	// PathMTUProbeTimeout (1 s) is how long the answer to a probe may take, at
	// least; the retransmission timeout if that is longer. PathMTURaise (10
	// minutes) is how long a path MTU that was found holds before larger ones
	// are tried again; negative means for ever.
	PathMTUProbeTimeout, PathMTURaise time.Duration
	// MaxSegment bounds the user data in a DATA chunk; the default is what
	// the path MTU takes.
	MaxSegment int

	// Congestion makes the congestion controller of each path to a peer's
	// address; nil stands for NewReno as in RFC 9260 section 7.2. See
	// docs/CONGESTION.md for how to write one.
	Congestion func() path.Controller

	// Backlog is how many associations may wait to be accepted, 128 by
	// default. Only Listen uses it.
	Backlog int
	// MaxAssociations is how many associations of a Listener there may be at a
	// time, those included that wait to be accepted; further peers are
	// refused. By default HostConfig.MaxAssociations alone bounds them.
	MaxAssociations int
}

const (
	defaultBacklog = 128
	minPathMTU     = 576
	minBuffer      = 4096
	maxBuffer      = 1 << 30
	maxSackDelay   = 500 * time.Millisecond
	maxCookieLife  = 24 * time.Hour
	maxDuration    = 24 * time.Hour
	maxCount       = 1000
	maxBacklog     = 1 << 20

	minProbeTimeout = time.Second // RFC 8899 section 5.1.1
)

// Validate reports all that is wrong with c, joined by errors.Join; nil if
// nothing is.
func (c *Config) Validate() error {
	if c == nil {
		return nil
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("sctp: config: "+format, args...)) }
	notNegative := func(name string, d time.Duration) {
		if d < 0 {
			bad("%s is negative", name)
		}
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"RTOInitial", c.RTOInitial}, {"RTOMin", c.RTOMin}, {"RTOMax", c.RTOMax},
		{"HeartbeatInterval", c.HeartbeatInterval}, {"ShutdownGuard", c.ShutdownGuard},
		{"PathMTUProbeTimeout", c.PathMTUProbeTimeout}, {"PathMTURaise", c.PathMTURaise},
	} {
		if d.d > maxDuration {
			bad("%s %v exceeds %v", d.name, d.d, maxDuration)
		}
	}
	notNegative("RTOInitial", c.RTOInitial)
	notNegative("RTOMin", c.RTOMin)
	notNegative("RTOMax", c.RTOMax)
	notNegative("CookieLife", c.CookieLife)
	notNegative("ShutdownGuard", c.ShutdownGuard)
	if d := c.PathMTUProbeTimeout; d != 0 && d < minProbeTimeout {
		bad("PathMTUProbeTimeout %v is less than %v", d, minProbeTimeout)
	}
	t := c.tcb()
	if t.RTOMin > t.RTOMax {
		bad("RTOMin %v exceeds RTOMax %v", t.RTOMin, t.RTOMax)
	}
	if t.RTOInitial > t.RTOMax {
		bad("RTOInitial %v exceeds RTOMax %v", t.RTOInitial, t.RTOMax)
	}
	if c.SackDelay > maxSackDelay {
		bad("SackDelay %v exceeds %v", c.SackDelay, maxSackDelay) // R-6.2-14
	}
	if c.CookieLife > maxCookieLife {
		bad("CookieLife %v exceeds %v", c.CookieLife, maxCookieLife)
	}
	size := func(name string, n, min, max int) {
		if n != 0 && (n < min || n > max) {
			bad("%s %d is not within %d and %d", name, n, min, max)
		}
	}
	size("SendBuffer", c.SendBuffer, minBuffer, maxBuffer)
	size("RecvBuffer", c.RecvBuffer, minBuffer, maxBuffer)
	size("PathMTU", c.PathMTU, minPathMTU, 65535)
	size("MaxSegment", c.MaxSegment, 4, 65535)
	size("PartialDeliveryPoint", c.PartialDeliveryPoint, 1, min(t.RecvBuffer, maxBuffer))
	size("SackFreq", c.SackFreq, 0, maxCount)
	size("SackBatch", c.SackBatch, 0, maxCount)
	size("Backlog", c.Backlog, 0, maxBacklog)
	size("MaxAssociations", c.MaxAssociations, 0, math.MaxInt)
	most := func(name string, n int) {
		if n > maxCount {
			bad("%s %d exceeds %d", name, n, maxCount)
		}
	}
	most("MaxRetransmits", c.MaxRetransmits)
	most("MaxPathRetransmits", c.MaxPathRetransmits)
	most("MaxInitRetransmits", c.MaxInitRetransmits)
	most("MaxBurst", c.MaxBurst)
	return errors.Join(errs...)
}

// tcb translates c for the stack.
func (c *Config) tcb() *tcb.Config {
	t := tcb.DefaultConfig()
	if c == nil {
		return &t
	}
	duration := func(to *mono.Duration, d time.Duration) {
		switch {
		case d > 0:
			*to = mono.FromStd(d)
		case d < 0:
			*to = 0
		}
	}
	count := func(to *int, n int) {
		switch {
		case n > 0:
			*to = n
		case n < 0:
			*to = 0
		}
	}
	duration(&t.RTOMin, c.RTOMin)
	duration(&t.RTOMax, c.RTOMax)
	if c.RTOInitial > 0 {
		t.RTOInitial = mono.FromStd(c.RTOInitial)
	} else {
		// The limits alone may be given.
		t.RTOInitial = min(max(t.RTOInitial, t.RTOMin), t.RTOMax)
	}
	if c.RTOMax > 0 && c.RTOMin == 0 {
		t.RTOMin = min(t.RTOMin, t.RTOMax)
	}
	count(&t.AssocMaxRetrans, c.MaxRetransmits)
	count(&t.PathMaxRetrans, c.MaxPathRetransmits)
	count(&t.MaxInitRetransmits, c.MaxInitRetransmits)
	duration(&t.HBInterval, c.HeartbeatInterval)
	duration(&t.SackDelay, c.SackDelay)
	count(&t.SackFreq, c.SackFreq)
	count(&t.SackBatch, c.SackBatch)
	if t.SackDelay == 0 {
		t.SackFreq, t.SackBatch = 1, 1
	}
	count(&t.MaxBurst, c.MaxBurst)
	duration(&t.ValidCookieLife, c.CookieLife)
	switch {
	case c.ShutdownGuard > 0:
		t.ShutdownGuard = mono.FromStd(c.ShutdownGuard)
	case c.RTOMax > 0:
		t.ShutdownGuard = 5 * t.RTOMax
	}
	count(&t.SendBuffer, c.SendBuffer)
	count(&t.RecvBuffer, c.RecvBuffer)
	count(&t.PartialPoint, c.PartialDeliveryPoint)
	count(&t.PathMTU, c.PathMTU)
	t.PMTUDiscovery = !c.NoPathMTUDiscovery
	duration(&t.ProbeTimeout, c.PathMTUProbeTimeout)
	duration(&t.PMTURaise, c.PathMTURaise)
	count(&t.MaxSegment, c.MaxSegment)
	t.NoDelay = c.NoDelay
	t.MaxAssociations = c.MaxAssociations
	if c.OutStreams > 0 {
		t.OutStreams = c.OutStreams
	}
	if c.MaxInStreams > 0 {
		t.MaxInStreams = c.MaxInStreams
	}
	return &t
}

func (c *Config) backlog() int {
	if c == nil || c.Backlog == 0 {
		return defaultBacklog
	}
	return c.Backlog
}

// host returns the Host that c names, else the shared one.
func (c *Config) host() (*Host, error) {
	if c != nil && c.Host != nil {
		return c.Host, nil
	}
	return defaultHost()
}
