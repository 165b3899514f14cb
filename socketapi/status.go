package socketapi

import (
	"net/netip"
	"time"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// State is the state of an association (RFC 9260 section 4).
type State = tcb.State

// States of an association.
const (
	Closed           = tcb.Closed
	CookieWait       = tcb.CookieWait
	CookieEchoed     = tcb.CookieEchoed
	Established      = tcb.Established
	ShutdownPending  = tcb.ShutdownPending
	ShutdownSent     = tcb.ShutdownSent
	ShutdownReceived = tcb.ShutdownReceived
	ShutdownAckSent  = tcb.ShutdownAckSent
)

// Status is a snapshot of an association.
type Status struct {
	State                 State
	Local, Remote         Addr
	OutStreams, InStreams uint16 // as agreed with the peer
	PeerRwnd              int    // bytes of messages that the peer has room for
	InFlight              int    // bytes sent and not acknowledged
	Queued                int    // bytes not sent yet
	Held                  int    // memory that waits for the reader
	Errors                int    // the association's error counter
	InPackets, InBytes    uint64
	OutPackets, OutBytes  uint64
	Retransmissions       uint64 // DATA chunks sent again, on all paths
	Primary               int    // index in Paths
	Paths                 []PathStatus
}

// PathStatus is a snapshot of a path to the peer.
type PathStatus struct {
	Addr, Src       netip.Addr
	State           string // active, inactive or unconfirmed
	Errors          int
	RTO             time.Duration
	SRTT            time.Duration // 0 if not measured yet
	RTTVar          time.Duration
	MinRTT, LastRTT time.Duration
	Cwnd            int
	Ssthresh        int
	InFlight        int
	PMTU            int    // largest IP packet
	PMTUSearch      string // for another: disabled, base, searching, complete or error (RFC 8899 section 5.2)
	Probes          uint64 // of the path MTU, sent
	ProbesAcked     uint64
	Packets         uint64 // sent, with DATA
	Chunks          uint64 // DATA chunks sent, retransmissions included
	Retransmissions uint64
	FastRetransmits uint64
	Timeouts        uint64 // of T3-rtx
}

// Status returns a snapshot of the association.
func (c *Conn) Status() Status { return statusOf(c.a) }

func statusOf(a *stack.Assoc) Status {
	t := a.Status()
	s := Status{
		State: t.State, Local: Addr{t.LocalAddrs, t.LocalPort}, Remote: Addr{Port: t.PeerPort},
		OutStreams: t.OutStreams, InStreams: t.InStreams,
		PeerRwnd: t.PeerRwnd, InFlight: t.InFlight, Queued: t.Queued, Held: t.Held, Errors: t.Errors,
		InPackets: t.InPackets, InBytes: t.InBytes, OutPackets: t.OutPackets, OutBytes: t.OutBytes,
		Primary: int(t.Primary),
	}
	for i := range t.Paths {
		p := &t.Paths[i]
		s.Remote.IPs = append(s.Remote.IPs, p.Addr)
		s.Retransmissions += p.Stats.Retransmissions
		s.Paths = append(s.Paths, PathStatus{
			Addr: p.Addr, Src: p.Src, State: p.State.String(), Errors: p.Errors,
			RTO: p.RTO.Std(), SRTT: p.SRTT.Std(), RTTVar: p.RTTVAR.Std(),
			MinRTT: p.Stats.MinRTT.Std(), LastRTT: p.Stats.LastRTT.Std(),
			Cwnd: p.Cwnd, Ssthresh: p.Ssthresh, InFlight: p.InFlight, PMTU: p.PMTU,
			PMTUSearch: p.Search.String(), Probes: p.Stats.Probes, ProbesAcked: p.Stats.ProbesAcked,
			Packets: p.Stats.Packets, Chunks: p.Stats.Chunks,
			Retransmissions: p.Stats.Retransmissions, FastRetransmits: p.Stats.FastRetransmits,
			Timeouts: p.Stats.T3Expiries,
		})
	}
	return s
}

// HostStats counts what a Host has done so far.
type HostStats struct {
	InPackets, OutPackets uint64
	BadChecksums          uint64
	BadPackets            uint64 // too short, or without ports
	OutOfBlue             uint64 // for no association of ours
	SendErrors            uint64 // packets that a link refused
	Contained             uint64 // bugs that cost one association each
	Associations          int    // now
	Buffers               int    // for messages, in use now
	RecvMemory            int    // bytes held for readers now, of HostConfig.RecvMemory; 0 without a limit
	Events                []Counter
}

// Counter is a named number.
type Counter struct {
	Name  string // as in Linux's /proc/net/sctp/snmp
	Value uint64
}

// Stats returns what the host has done so far.
func (h *Host) Stats() HostStats {
	t := h.stack.Stats()
	s := HostStats{
		InPackets: t.InPackets, OutPackets: t.OutPackets, BadChecksums: t.BadChecksums,
		BadPackets: t.BadPackets, OutOfBlue: t.OutOfBlue, SendErrors: t.SendErrors,
		Contained: t.Contained, Associations: t.Associations, Buffers: t.Buffers, RecvMemory: t.RecvMemory,
	}
	for i, n := range t.Events {
		s.Events = append(s.Events, Counter{fsm.Stat(i).String(), n})
	}
	return s
}
