package tcb

import "github.com/gosctp/gosctp/internal/mono"

// Config holds the protocol parameters of an association. Its zero value is
// not usable: start from DefaultConfig. It is never changed once an
// association points to it.
type Config struct {
	// RFC 9260 section 16.
	RTOInitial         mono.Duration
	RTOMin             mono.Duration
	RTOMax             mono.Duration
	MaxBurst           int // packets of new data in one go; 0 means no limit
	ValidCookieLife    mono.Duration
	AssocMaxRetrans    int
	PathMaxRetrans     int
	MaxInitRetransmits int
	MaxInitTimeout     mono.Duration // bounds T1-init and T1-cookie; 0 means RTOMax
	HBInterval         mono.Duration // 0 switches heartbeats on idle paths off
	HBMaxBurst         int
	SackDelay          mono.Duration
	SackFreq           int // packets with DATA per SACK; 1 acknowledges each
	// SackBatch is how many packets with DATA one SACK may acknowledge when
	// they came in one batch from the link; SackFreq or less means that
	// batches are nothing special.
	//
	// Deviation R-6.2-08: every second packet is acknowledged, but in a batch
	// every fourth. A SACK costs both hosts as much as a packet with DATA, and
	// what a sender with the usual Max.Burst of 4 may send per SACK is four
	// packets, so that its window keeps growing.
	SackBatch int

	OutStreams   uint16 // outgoing streams asked for
	MaxInStreams uint16 // incoming streams offered

	SendBuffer    int // bytes queued and in flight, overhead included
	RecvBuffer    int // bytes held for the application, overhead included
	PartialPoint  int // bytes of one message at which partial delivery starts; 0: only when the window is full
	NoDelay       bool
	RoundRobin    bool          // streams take turns, message by message; else first come, first served
	MaxMessage    int           // largest message that may be sent; 0 means SendBuffer
	MaxSegment    int           // largest user data of a DATA chunk; 0 means what the path MTU takes
	PathMTU       int           // IP packet size that overrides what the link says; 0 means the link's
	MinPathMTU    int           // below this a reported path MTU is not believed
	PMTUDiscovery bool          // probes for the path MTU (RFC 8899); without, only ICMP and the host change it
	ProbeTimeout  mono.Duration // PROBE_TIMER, at least; RTO if that is longer
	PMTURaise     mono.Duration // PMTU_RAISE_TIMER; 0 means never
	InitialBurst  int           // initial cwnd in packets; 0 means RFC 9260 section 7.2.1
	ShutdownGuard mono.Duration
	AutoClose     mono.Duration // without DATA for that long the association is shut down; 0 means never
	SenderDry     bool          // the user wants to know when nothing is queued or in flight any more

	Adaptation uint32 // adaptation layer indication to tell the peer of; 0 for none

	// Paths has what paths have of their own, by PathID; nil: nothing.
	Paths *[MaxPaths]PathConfig

	// MaxAssociations is how many associations of an endpoint peers may have
	// set up at a time; 0 means as many as the stack takes.
	MaxAssociations int
}

// PathConfig are the parameters that a path may have of its own (RFC 6458
// section 8.1.12), if Own is set.
type PathConfig struct {
	Own            bool
	HBInterval     mono.Duration
	PathMaxRetrans int
	PathMTU        int
	PMTUDiscovery  bool
}

// Of returns the parameters of path p.
func (c *Config) Of(p PathID) PathConfig {
	if c.Paths != nil && p < MaxPaths && c.Paths[p].Own {
		return c.Paths[p]
	}
	return PathConfig{HBInterval: c.HBInterval, PathMaxRetrans: c.PathMaxRetrans, PathMTU: c.PathMTU, PMTUDiscovery: c.PMTUDiscovery}
}

// With returns c with the parameters of path p in place of the common ones.
func (c *Config) With(p PathID) *Config {
	own := c.Of(p)
	if !own.Own {
		return c
	}
	d := *c
	d.HBInterval, d.PathMaxRetrans, d.PathMTU, d.PMTUDiscovery = own.HBInterval, own.PathMaxRetrans, own.PathMTU, own.PMTUDiscovery
	return &d
}

// Without returns c for an association that has lost path p: those behind it
// have moved up.
func (c *Config) Without(p PathID) *Config {
	if c.Paths == nil || p >= MaxPaths {
		return c
	}
	d, paths := *c, *c.Paths
	copy(paths[p:], paths[p+1:])
	paths[MaxPaths-1] = PathConfig{}
	d.Paths = &paths
	return &d
}

// Defaults of RFC 9260 section 16 and, where it is silent, of Linux.
var defaultConfig = Config{
	RTOInitial:         1 * mono.Second,
	RTOMin:             1 * mono.Second,
	RTOMax:             60 * mono.Second,
	MaxBurst:           4,
	ValidCookieLife:    60 * mono.Second,
	AssocMaxRetrans:    10,
	PathMaxRetrans:     5,
	MaxInitRetransmits: 8,
	HBInterval:         30 * mono.Second,
	HBMaxBurst:         1,
	SackDelay:          200 * mono.Millisecond,
	SackFreq:           2,
	SackBatch:          4,
	OutStreams:         10,
	MaxInStreams:       65535,
	SendBuffer:         1 << 20,
	RecvBuffer:         1 << 20,
	MinPathMTU:         576,
	PMTUDiscovery:      true,
	ProbeTimeout:       1 * mono.Second,
	PMTURaise:          600 * mono.Second,
	ShutdownGuard:      5 * 60 * mono.Second,
}

// DefaultConfig returns the parameters of RFC 9260 section 16 and, where it is
// silent, Linux's or ours.
func DefaultConfig() Config { return defaultConfig }
