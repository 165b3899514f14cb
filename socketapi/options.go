package socketapi

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// RTOInfo bounds the retransmission timeout (SCTP_RTOINFO). To set, 0 leaves a
// field as it is.
type RTOInfo struct{ Initial, Max, Min time.Duration }

// AssocParams is about a whole association (SCTP_ASSOCINFO). To set, 0 leaves a
// field as it is, and the last three are not looked at.
type AssocParams struct {
	MaxRetransmits int           // Association.Max.Retrans
	CookieLife     time.Duration // Valid.Cookie.Life
	PeerAddrs      int
	PeerRwnd       uint32
	LocalRwnd      uint32
}

// InitMsg is about setting associations up (SCTP_INITMSG). To set, 0 leaves a
// field as it is.
type InitMsg struct {
	OutStreams, MaxInStreams uint16
	MaxAttempts              uint16        // Max.Init.Retransmits
	MaxTimeout               time.Duration // of INIT and COOKIE ECHO; by default RTOMax
}

// PeerAddrParams is about heartbeats and packet sizes (SCTP_PEER_ADDR_PARAMS).
type PeerAddrParams struct {
	Heartbeat         bool
	HeartbeatInterval time.Duration // 0: each RTO
	MaxRetransmits    int           // Path.Max.Retrans
	PathMTUDiscovery  bool          // RFC 8899
	PathMTU           int           // IP packet size without discovery; 0: what the host says
	SackDelay         bool
	SackDelayTime     time.Duration
}

// DelayedSack is about acknowledgements (SCTP_DELAYED_SACK): how long they may
// wait, and for how many packets. Freq 1 switches waiting off.
type DelayedSack struct {
	Delay time.Duration
	Freq  int
}

// Linger says what Close does (SO_LINGER): without On it is graceful and does
// not wait; with Time 0 it aborts; else a one-to-one socket waits for so long.
type Linger struct {
	On   bool
	Time time.Duration
}

// Scheduler chooses between streams (SCTP_STREAM_SCHEDULER), with Linux's
// numbers.
type Scheduler uint8

// Schedulers that there are.
const (
	SchedFCFS Scheduler = 0 // first come, first served
	SchedRR   Scheduler = 2 // round robin, message by message
)

// Options are a Socket's options, and those of its associations to come. The
// table in docs/OPTIONS.md has the defaults and where they are from.
type Options struct {
	RTO      RTOInfo
	Assoc    AssocParams
	Init     InitMsg
	Path     PeerAddrParams
	SackFreq int
	MaxBurst int // packets of new data at once; 0 means no limit

	NoDelay              bool
	AutoClose            time.Duration // of one-to-many; 0 means never
	DisableFragments     bool
	MaxSegment           int // user data in a DATA chunk; 0 means what fits
	PartialDeliveryPoint int
	FragmentInterleave   int // 0: a message is read to its end before another; 1: those of other associations may come between
	Scheduler            Scheduler
	ProbeTimeout         time.Duration // of a path MTU probe

	SendBuffer, RecvBuffer int // per association
	Linger                 Linger
	ExplicitEOR            bool
	MappedV4               bool // for those who show addresses; a Socket's own are never mapped
	RecvRcvInfo            bool // for those who show ancillary data
	RecvNxtInfo            bool
	Adaptation             uint32
	RemoteUDPPort          uint16

	DefaultSend SendParams
	Context     uint32
	Events      EventSet

	// AllAddresses binds to all addresses that the host has, as Config's does.
	AllAddresses bool
	// Congestion is as Config's.
	Congestion func() path.Controller
}

// DefaultOptions returns RFC 9260's defaults and, where it is silent, Linux's.
func DefaultOptions() Options {
	d := tcb.DefaultConfig()
	return Options{
		RTO:   RTOInfo{d.RTOInitial.Std(), d.RTOMax.Std(), d.RTOMin.Std()},
		Assoc: AssocParams{MaxRetransmits: d.AssocMaxRetrans, CookieLife: d.ValidCookieLife.Std()},
		Init:  InitMsg{OutStreams: d.OutStreams, MaxInStreams: d.MaxInStreams, MaxAttempts: uint16(d.MaxInitRetransmits), MaxTimeout: d.RTOMax.Std()},
		Path: PeerAddrParams{
			Heartbeat: true, HeartbeatInterval: d.HBInterval.Std(), MaxRetransmits: d.PathMaxRetrans,
			PathMTUDiscovery: true, SackDelay: true, SackDelayTime: d.SackDelay.Std(),
		},
		SackFreq: d.SackFreq, MaxBurst: d.MaxBurst,
		ProbeTimeout: d.ProbeTimeout.Std(),
		SendBuffer:   d.SendBuffer, RecvBuffer: d.RecvBuffer,
		MappedV4: true,
	}
}

// Limits of options, which are Linux's.
const (
	minSegmentOption = 464
	maxSegmentOption = 65516
	minPathMTUOption = 512
	maxRTO           = 24 * time.Hour
)

// Validate reports what is wrong with o, with EINVAL.
func (o *Options) Validate() error {
	var errs []error
	check := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("sctp: option %s: %w", what, syscall.EINVAL))
		}
	}
	check(o.RTO.Min > 0 && o.RTO.Min <= o.RTO.Max && o.RTO.Initial > 0 && o.RTO.Max <= maxRTO && o.RTO.Initial <= maxRTO, "RTO")
	check(o.Assoc.CookieLife > 0 && o.Assoc.CookieLife <= maxCookieLife, "Assoc.CookieLife")
	check(o.Assoc.MaxRetransmits >= 0 && o.Assoc.MaxRetransmits <= 65535, "Assoc.MaxRetransmits")
	check(o.Init.OutStreams > 0 && o.Init.MaxInStreams > 0, "Init")
	check(o.Init.MaxTimeout >= 0 && o.Init.MaxTimeout <= maxRTO, "Init.MaxTimeout")
	check(o.Path.HeartbeatInterval >= 0 && o.Path.HeartbeatInterval <= maxRTO, "Path.HeartbeatInterval")
	check(o.Path.MaxRetransmits >= 0 && o.Path.MaxRetransmits <= 65535, "Path.MaxRetransmits")
	check(o.Path.PathMTU == 0 || o.Path.PathMTU >= minPathMTUOption && o.Path.PathMTU <= 65535, "Path.PathMTU")
	check(o.Path.SackDelayTime >= 0 && o.Path.SackDelayTime <= maxSackDelay, "Path.SackDelayTime")
	check(o.SackFreq >= 1, "SackFreq")
	check(o.MaxBurst >= 0, "MaxBurst")
	check(o.AutoClose >= 0, "AutoClose")
	check(o.MaxSegment == 0 || o.MaxSegment >= minSegmentOption && o.MaxSegment <= maxSegmentOption, "MaxSegment")
	check(o.SendBuffer >= minBuffer && o.SendBuffer <= maxBuffer, "SendBuffer")
	check(o.RecvBuffer >= minBuffer && o.RecvBuffer <= maxBuffer, "RecvBuffer")
	check(o.PartialDeliveryPoint >= 0 && o.PartialDeliveryPoint <= o.RecvBuffer/2, "PartialDeliveryPoint")
	check(o.FragmentInterleave == 0 || o.FragmentInterleave == 1, "FragmentInterleave")
	check(o.Scheduler == SchedFCFS || o.Scheduler == SchedRR, "Scheduler")
	check(o.ProbeTimeout >= minProbeTimeout && o.ProbeTimeout <= maxRTO, "ProbeTimeout")
	check(o.DefaultSend.Flags&^defaultSendFlags == 0 && o.DefaultSend.Policy&^prPolicies == 0, "DefaultSend")
	check(o.Events&^knownEvents == 0, "Events")
	return errors.Join(errs...)
}

// tcb translates o for the stack.
func (o *Options) tcb() *tcb.Config {
	t := tcb.DefaultConfig()
	o.fill(&t)
	t.OutStreams, t.MaxInStreams = o.Init.OutStreams, o.Init.MaxInStreams
	t.SendBuffer, t.RecvBuffer = o.SendBuffer, o.RecvBuffer
	t.SenderDry = o.Events.Has(EventSenderDry)
	t.Adaptation = o.Adaptation
	return &t
}

// fill sets what can be changed while an association lives.
func (o *Options) fill(t *tcb.Config) {
	t.RTOInitial, t.RTOMin, t.RTOMax = mono.FromStd(o.RTO.Initial), mono.FromStd(o.RTO.Min), mono.FromStd(o.RTO.Max)
	t.AssocMaxRetrans, t.PathMaxRetrans = o.Assoc.MaxRetransmits, o.Path.MaxRetransmits
	t.ValidCookieLife = mono.FromStd(o.Assoc.CookieLife)
	t.MaxInitRetransmits = int(o.Init.MaxAttempts)
	t.MaxInitTimeout = mono.FromStd(o.Init.MaxTimeout)
	t.ShutdownGuard = 5 * t.RTOMax
	o.Path.fill(t)
	t.SackFreq = o.SackFreq
	if t.SackDelay == 0 {
		t.SackFreq = 1
	}
	if t.SackFreq == 1 {
		t.SackBatch = 1
	}
	t.MaxBurst = o.MaxBurst
	t.NoDelay = o.NoDelay
	t.AutoClose = mono.FromStd(o.AutoClose)
	t.MaxSegment = o.MaxSegment
	t.PartialPoint = o.PartialDeliveryPoint
	t.RoundRobin = o.Scheduler == SchedRR
	t.ProbeTimeout = mono.FromStd(o.ProbeTimeout)
}

func (p *PeerAddrParams) fill(t *tcb.Config) {
	t.HBInterval = 0
	if p.Heartbeat {
		t.HBInterval = max(mono.FromStd(p.HeartbeatInterval), mono.Millisecond)
	}
	t.PathMaxRetrans = p.MaxRetransmits
	t.PMTUDiscovery = p.PathMTUDiscovery
	t.PathMTU = 0
	if !p.PathMTUDiscovery {
		t.PathMTU = p.PathMTU
	}
	t.SackDelay = 0
	if p.SackDelay {
		t.SackDelay = mono.FromStd(p.SackDelayTime)
	}
}
