package tcb

import (
	"encoding/binary"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
)

// TCB is the control state of one association (RFC 9260 section 14.2), less
// what the pipes own. Only the executor writes it.
type TCB struct {
	Cfg *Config
	ID  uint32 // the association id that users see

	State     State
	LocalPort uint16
	PeerPort  uint16
	LocalTag  chunk.VTag
	PeerTag   chunk.VTag
	// Tie-tags are nonces, never the tags themselves: the State Cookie that
	// carries them is authenticated, not encrypted (RFC 9260 section 5.1.3).
	TieLocal uint32
	TiePeer  uint32

	LocalTSN   chunk.TSN // own Initial TSN
	PeerTSN    chunk.TSN // peer's Initial TSN
	PeerRwnd   uint32    // the peer's a_rwnd at set-up
	OutStreams uint16    // outgoing streams in use; before INIT ACK those asked for
	InStreams  uint16    // incoming streams in use

	Errors         uint16 // association error counter (section 8.1)
	InitTries      uint16 // retransmissions of INIT and COOKIE ECHO so far
	StaleRetries   uint8  // Stale Cookie errors answered with a new INIT
	ShutdownAsked  bool   // the user closed before the association was up, or after the peer did
	Initiated      bool   // we sent the INIT
	CookieLifetime uint32 // Cookie Preservative to ask for, in ms; 0 for none

	Primary PathID
	CtlPath PathID // where the last INIT, COOKIE ECHO, SHUTDOWN or SHUTDOWN ACK went
	Armed   uint8  // control timers that run: bit TimerID
	Paths   []PathCtl

	CtlSent mono.Time // when the last INIT or COOKIE ECHO was sent for the first time
}

// PathCtl is the control state of one path.
type PathCtl struct {
	State   PathState
	Cut     bool // the host has no way there now: no route, no own address, or no carrier
	HBOut   bool // a HEARTBEAT is unanswered
	HBArmed bool // the heartbeat timer runs
	Errors  uint16
	Nonce   uint64 // of the last HEARTBEAT
}

// Usable reports whether the path takes DATA: it is active and not cut.
func (p *PathCtl) Usable() bool { return p.State == PathActive && !p.Cut }

// Clone returns a copy that shares nothing but the Config.
func (t *TCB) Clone() TCB {
	c := *t
	c.Paths = append([]PathCtl(nil), t.Paths...)
	return c
}

// AppendKey appends a canonical form of the control state, points in time
// left out. Two TCBs with the same key behave the same.
func (t *TCB) AppendKey(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, byte(t.State), byte(t.Primary), byte(t.CtlPath), t.Armed, t.StaleRetries, flag(t.ShutdownAsked)|flag(t.Initiated)<<1)
	b = le.AppendUint16(b, t.LocalPort)
	b = le.AppendUint16(b, t.PeerPort)
	b = le.AppendUint32(b, uint32(t.LocalTag))
	b = le.AppendUint32(b, uint32(t.PeerTag))
	b = le.AppendUint32(b, t.TieLocal)
	b = le.AppendUint32(b, t.TiePeer)
	b = le.AppendUint32(b, uint32(t.LocalTSN))
	b = le.AppendUint32(b, uint32(t.PeerTSN))
	b = le.AppendUint32(b, t.PeerRwnd)
	b = le.AppendUint32(b, t.CookieLifetime)
	b = le.AppendUint16(b, t.OutStreams)
	b = le.AppendUint16(b, t.InStreams)
	b = le.AppendUint16(b, t.Errors)
	b = le.AppendUint16(b, t.InitTries)
	for i := range t.Paths {
		p := &t.Paths[i]
		b = append(b, byte(p.State), flag(p.HBOut)|flag(p.HBArmed)<<1|flag(p.Cut)<<2)
		b = le.AppendUint16(b, p.Errors)
		b = le.AppendUint64(b, p.Nonce)
	}
	return b
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// SelectPaths says which path takes new data and which takes retransmissions
// (RFC 9260 sections 6.4 and 6.4.1): the primary while it is active, else the
// active path with the fewest errors, else the confirmed one with the fewest;
// retransmissions go to another active path where there is one, again that with
// the fewest errors. Of equal ones the next after the primary is taken. A path
// that is cut counts as the worst of all.
//
// Deviation R-6.4.1-02: how far two pairs of addresses lie apart is not known
// here; errors are, so that each dead path costs one timeout only.
func (t *TCB) SelectPaths() (active, retran PathID) {
	n := PathID(len(t.Paths))
	active, retran = NoPath, NoPath
	better := func(p, than PathID) bool {
		return than == NoPath || t.Paths[p].Errors < t.Paths[than].Errors
	}
	for i := PathID(0); i < n; i++ {
		p := (t.Primary + i) % n
		if !t.Paths[p].Usable() {
			continue
		}
		if active != t.Primary && better(p, active) {
			active, retran = p, active
		} else if better(p, retran) {
			retran = p
		}
	}
	if active == NoPath {
		active = t.leastErrors()
	}
	if retran == NoPath {
		retran = active
	}
	return active, retran
}

func (t *TCB) leastErrors() PathID {
	best := t.Primary
	for i := range t.Paths {
		p := &t.Paths[i]
		if p.State == PathUnconfirmed {
			continue
		}
		b := &t.Paths[best]
		if b.State == PathUnconfirmed || b.Cut && !p.Cut || b.Cut == p.Cut && p.Errors < b.Errors {
			best = PathID(i)
		}
	}
	return best
}
