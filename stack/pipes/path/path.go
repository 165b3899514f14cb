// Package path holds what the data sender knows about each of the peer's
// transport addresses: its path MTU, round-trip time and retransmission
// timeout (RFC 9260 section 6.3), and its congestion window (section 7.2).
// Error counters and reachability are control state and live in the TCB.
package path

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// MaxPacket is the largest SCTP packet that any path takes, whatever its MTU:
// an IPv4 packet holds 65535 bytes.
const MaxPacket = (65535 - 20) &^ 3

// minPMTU is what is left when a path's MTU is reported absurdly small: one
// DATA chunk with a little user data.
const minPMTU = chunk.HeaderLen + chunk.DataHeaderLen + 36

// A Path is one transport address of the peer. Addr, EncapPort and, where the
// link knows better, Overhead are filled in before Init.
type Path struct {
	Addr      netip.Addr // the peer's address
	Src       netip.Addr // our address toward it; the zero Addr lets the host choose
	EncapPort uint16     // the peer's UDP port if encapsulated, else 0
	Overhead  int        // bytes in front of the SCTP packet: IP, and UDP if encapsulated

	PMTU   int    // largest SCTP packet, a multiple of 4 (RFC 9260 section 1.3)
	Search Search // for a larger PMTU, or a smaller one

	RTO    mono.Duration
	SRTT   mono.Duration // 0 before the first measurement
	RTTVAR mono.Duration

	Cwnd              int
	Ssthresh          int
	PartialBytesAcked int
	Flight            int // flightsize: bytes of DATA chunks in flight, headers and padding included

	T3       mono.Time // deadline of T3-rtx, zero while it is stopped; the outqueue's
	LastSent mono.Time // when DATA last went out, zero if never

	CC    Controller // decides Cwnd, Ssthresh and PartialBytesAcked; Init provides NewReno
	Stats Stats

	cfg      *tcb.Config
	idleFrom mono.Time // LastSent, moved on by each decay of an idle window
	decayed  bool      // the window decayed since DATA was last sent
	link     int       // largest SCTP packet that the host's interface takes
	largest  int       // packet with DATA since T3-rtx last expired; not what IP may fragment
}

// Stats count what happened on a path since its Init.
type Stats struct {
	Packets         uint64 // packets with DATA
	Chunks          uint64 // DATA chunks, retransmissions included
	Retransmissions uint64 // DATA chunks sent again
	T3Expiries      uint64
	FastRetransmits uint64 // DATA chunks marked by fast retransmit
	RTTSamples      uint64
	MinRTT, LastRTT mono.Duration
	Probes          uint64 // of the path MTU
	ProbesAcked     uint64
}

// Init gives the path the initial values of RFC 9260 sections 6.3.1 and 7.2.1.
// mtu is the size of the largest IP packet; Config.PathMTU overrides it. The
// addresses, Overhead and CC stay.
func (p *Path) Init(cfg *tcb.Config, mtu int) {
	if p.Overhead == 0 {
		p.Overhead = 20
		if p.v6() {
			p.Overhead = 40
		}
		if p.EncapPort != 0 {
			p.Overhead += 8
		}
	}
	*p = Path{
		Addr: p.Addr, Src: p.Src, EncapPort: p.EncapPort, Overhead: p.Overhead, CC: p.CC,
		RTO: cfg.RTOInitial, // R-6.3.1-01
		cfg: cfg,
	}
	if p.CC == nil {
		p.CC = NewReno{}
	}
	p.initPMTU(mtu)
	p.CC.Reset(p)
}

func (p *Path) initPMTU(mtu int) {
	p.link = p.sizeOf(mtu)
	if p.cfg.PathMTU != 0 {
		mtu = p.cfg.PathMTU
	}
	least := p.sizeOf(p.cfg.MinPathMTU)
	p.Search.init(!p.cfg.PMTUDiscovery, p.sizeOf(mtu), least, p.Overhead, p.v6(), p.cfg.PMTURaise)
	p.PMTU = p.Search.Size
}

// Restart gives the path the initial values of a new association with the same
// peer, except for the path MTU, of which nothing new is known.
func (p *Path) Restart() {
	search, cfg := p.Search, p.cfg
	p.Init(cfg, cfg.MinPathMTU)
	p.Search, p.PMTU = search, search.Size
	p.CC.Reset(p)
}

// Moved takes note that packets take another way from now on, with overhead
// bytes in front of them and an interface that takes mtu: nothing is known of
// its congestion and round trip (RFC 9260 section 7.2.5), or of what it takes.
// It reports whether the PMTU is smaller now.
func (p *Path) Moved(mtu, overhead int, now mono.Time) (reduced bool) {
	old, started := p.PMTU, p.Search.started
	p.Overhead = overhead
	p.initPMTU(mtu)
	if started {
		p.Search.start(now)
	}
	p.RTO, p.SRTT, p.RTTVAR = p.cfg.RTOInitial, 0, 0
	p.CC.Reset(p)
	return p.PMTU < old
}

// SetConfig replaces the configuration that Init was given. It reports whether
// the PMTU is smaller now.
func (p *Path) SetConfig(cfg *tcb.Config, now mono.Time) (reduced bool) {
	was := p.cfg
	p.cfg = cfg
	p.RTO = p.clampRTO(p.RTO)
	if was.PathMTU == cfg.PathMTU && was.PMTUDiscovery == cfg.PMTUDiscovery {
		return false
	}
	old, started := p.PMTU, p.Search.started
	p.initPMTU(p.link + p.Overhead)
	if started {
		p.Search.start(now)
	}
	return p.PMTU < old
}

// Config returns the configuration that Init was given.
func (p *Path) Config() *tcb.Config { return p.cfg }

// PMDCS is the largest DATA chunk, header included, that fits a packet on this
// path (RFC 9260 section 1.3).
func (p *Path) PMDCS() int { return p.PMTU - chunk.HeaderLen }

func (p *Path) v6() bool { return p.Addr.Is6() && !p.Addr.Is4In6() }

// sizeOf returns the largest SCTP packet in an IP packet of mtu bytes.
func (p *Path) sizeOf(mtu int) int {
	return max(minPMTU, min((mtu-p.Overhead)&^3, MaxPacket))
}

// Sent takes note that a packet of size bytes with DATA leaves on this path;
// size is 0 if IP may fragment it.
func (p *Path) Sent(size int, now mono.Time) {
	p.LastSent, p.idleFrom, p.decayed = now, now, false
	p.Stats.Packets++
	if size > p.largest {
		p.largest = size
		if size > p.Search.base {
			p.Search.start(now)
		}
	}
}
