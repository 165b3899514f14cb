package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Status is a snapshot of an association.
type Status struct {
	ID                    uint32
	State                 tcb.State
	LocalPort, PeerPort   uint16
	LocalAddrs            []netip.Addr
	OutStreams, InStreams uint16
	PeerRwnd              int // bytes that the peer can take
	InFlight              int // bytes sent and not acknowledged
	Queued                int // bytes not sent yet
	Held                  int // bytes of receive memory in use
	Errors                int // association error counter
	Primary               tcb.PathID
	InPackets, InBytes    uint64
	OutPackets, OutBytes  uint64
	Paths                 []PathStatus
}

// PathStatus is a snapshot of a path.
type PathStatus struct {
	Addr, Src netip.Addr
	State     tcb.PathState
	Errors    int
	RTO       mono.Duration
	SRTT      mono.Duration
	RTTVAR    mono.Duration
	Cwnd      int
	Ssthresh  int
	InFlight  int
	PMTU      int              // largest IP packet
	Search    path.SearchState // for the path MTU
	Stats     path.Stats
}

// Status returns a snapshot of a.
func (a *Association) Status() Status {
	t := &a.tcb
	s := Status{
		ID: t.ID, State: t.State, LocalPort: t.LocalPort, PeerPort: t.PeerPort,
		LocalAddrs: a.LocalAddrs(nil), OutStreams: t.OutStreams, InStreams: t.InStreams,
		Errors: int(t.Errors), Primary: t.Primary,
		InPackets: a.rx.packets, InBytes: a.rx.bytes, OutPackets: a.tx.packets, OutBytes: a.tx.bytes,
	}
	pl, _ := a.data.(*Plane)
	if pl != nil && pl.sending {
		s.PeerRwnd, s.InFlight, s.Queued = pl.Out.PeerRwnd(), pl.Out.InFlight(), pl.Out.Queued()
	}
	for i := range a.dests {
		p := PathStatus{Addr: a.dests[i].to.Dst, Src: a.dests[i].to.Src, State: t.Paths[i].State, Errors: int(t.Paths[i].Errors)}
		if pl != nil {
			q := &pl.Paths.P[i]
			p.RTO, p.SRTT, p.RTTVAR = q.RTO, q.SRTT, q.RTTVAR
			p.Cwnd, p.Ssthresh, p.InFlight, p.PMTU, p.Stats = q.Cwnd, q.Ssthresh, q.Flight, q.PMTU+q.Overhead, q.Stats
			p.Search = q.Search.State
			s.Held = pl.Up.Held()
		}
		s.Paths = append(s.Paths, p)
	}
	return s
}
