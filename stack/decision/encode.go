package decision

import (
	"encoding/binary"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A record is a header, and what its flags say follows. All numbers are little
// endian: most processors store them as they are.
//
//	step        kind, event, disposition, number of commands; flags (4); the
//	            event; entropy, INIT, cookie, heartbeat, if flagged; commands
//	checkpoint  kind, number of paths, the TCB, its paths

var le = binary.LittleEndian

const (
	kindStep       = 1
	kindCheckpoint = 2

	stepFixed   = 40
	commandSize = 32
	entropySize = 24
	initSize    = 28
	cookieSize  = 28
	hbSize      = 20
	tcbFixed    = 64
	pathSize    = 12
)

// Flags of a step.
const (
	flagTCB = 1 << iota // there was a TCB
	flagEntropy
	flagInit
	flagCookie
	flagHB
	flagFirst
	flagAlone
	flagOutqEmpty
	flagZeroWindow
	flagPathBusy
	flagNewAddrs
	flagPeerUnknown
	flagListening
	flagBacklogFull
	flagNonUnicast
	flagCut
	flagSourceGone
	flagForeign
)

// sections are the parts that only some events have.
func sections(ev *fsm.Event) (flags uint32, size int) {
	switch ev.ID {
	case fsm.EvInit, fsm.EvInitAck:
		if ev.Init != nil {
			flags, size = flagInit, initSize
		}
	case fsm.EvCookieEcho:
		flags, size = flagCookie, cookieSize
	case fsm.EvHeartbeatAck:
		flags, size = flagHB, hbSize
	}
	e := &ev.Env
	if uint64(e.Tag)|uint64(e.TSN)|uint64(e.Tie[0])|uint64(e.Tie[1])|e.Nonce != 0 {
		flags |= flagEntropy
		size += entropySize
	}
	return flags, size
}

// b1 has no branch.
func b1(v bool) (n uint32) {
	if v {
		n = 1
	}
	return n
}

// putHeader fills the part that every step has.
func putHeader(b *[stepFixed]byte, flags uint32, ev *fsm.Event, d fsm.Disposition, n int) {
	f, e := &ev.Facts, &ev.Env
	flags |= b1(ev.First)<<5 | b1(ev.Alone)<<6 |
		b1(f.OutqEmpty)<<7 | b1(f.ZeroWindow)<<8 | b1(f.PathBusy)<<9 | b1(f.NewAddrs)<<10 | b1(f.PeerUnknown)<<11 |
		b1(e.Listening)<<12 | b1(e.BacklogFull)<<13 | b1(e.NonUnicast)<<14 |
		b1(f.Cut)<<15 | b1(f.SourceGone)<<16 | b1(f.Foreign)<<17
	le.PutUint32(b[0:], kindStep|uint32(ev.ID)<<8|uint32(d)<<16|uint32(n)<<24)
	le.PutUint32(b[4:], flags)
	le.PutUint64(b[8:], uint64(e.Now))
	le.PutUint32(b[16:], uint32(ev.Path)|uint32(ev.Flags)<<8|uint32(ev.Tag)<<16|uint32(ev.Type)<<24)
	le.PutUint32(b[20:], uint32(ev.VTag))
	le.PutUint32(b[24:], ev.Arg)
	le.PutUint32(b[28:], uint32(ev.Paths))
	le.PutUint32(b[32:], uint32(ev.Code)|uint32(ev.Len)<<16)
	le.PutUint32(b[36:], uint32(ev.Span.Off)|uint32(ev.Span.Len)<<16)
}

// putStep fills b, which has the right size.
func putStep(b []byte, flags uint32, ev *fsm.Event, d fsm.Disposition, out *fsm.Commands) {
	putHeader((*[stepFixed]byte)(b), flags, ev, d, out.Len())
	b = b[stepFixed:]
	if flags&flagEntropy != 0 {
		e := &ev.Env
		le.PutUint32(b, uint32(e.Tag))
		le.PutUint32(b[4:], uint32(e.TSN))
		le.PutUint32(b[8:], e.Tie[0])
		le.PutUint32(b[12:], e.Tie[1])
		le.PutUint64(b[16:], e.Nonce)
		b = b[entropySize:]
	}
	switch {
	case flags&flagInit != 0:
		putInit(b, ev.Init)
		b = b[initSize:]
	case flags&flagCookie != 0:
		putCookie(b, &ev.Cookie)
		b = b[cookieSize:]
	case flags&flagHB != 0:
		b[0], b[1] = byte(b1(ev.HB.Valid)), byte(ev.HB.Path)
		le.PutUint16(b[2:], ev.HB.Probe)
		le.PutUint64(b[4:], ev.HB.Nonce)
		le.PutUint64(b[12:], uint64(ev.HB.RTT))
		b = b[hbSize:]
	}
	for i := 0; i < out.Len(); i++ {
		putCommand((*[commandSize]byte)(b), out.At(i))
		b = b[commandSize:]
	}
}

func putCommand(b *[commandSize]byte, c *fsm.Command) {
	le.PutUint64(b[0:], uint64(c.Verb)|uint64(c.Kind)<<8|uint64(c.Flags)<<16|uint64(c.Path)<<24|uint64(c.Timer)<<32|uint64(c.Code)<<48)
	le.PutUint64(b[8:], uint64(c.A)|uint64(c.B)<<32)
	le.PutUint64(b[16:], uint64(c.C)|uint64(c.Span.Off)<<32|uint64(c.Span.Len)<<48)
	le.PutUint64(b[24:], uint64(c.Dur))
}

// putInit keeps what the machine and a reader want to know of an INIT or INIT
// ACK; its lists stay in the packet.
func putInit(b []byte, in *chunk.InitFacts) {
	_ = b[initSize-1]
	b[0], b[1], b[2], b[3] = byte(in.Type), byte(in.Verdict), byte(in.NAddrs), byte(in.NUnknown)
	le.PutUint32(b[4:], uint32(in.Tag))
	le.PutUint32(b[8:], in.ARwnd)
	le.PutUint16(b[12:], in.OS)
	le.PutUint16(b[14:], in.MIS)
	le.PutUint32(b[16:], uint32(in.TSN))
	le.PutUint32(b[20:], in.CookiePreservative)
	le.PutUint32(b[24:], b1(in.MissingCookie)|b1(in.HasHostName)<<1|b1(in.SupportsV4)<<2|b1(in.SupportsV6)<<3)
}

func putCookie(b []byte, c *fsm.CookieFacts) {
	_ = b[cookieSize-1]
	le.PutUint32(b, b1(c.Valid)|b1(c.Expired)<<1|b1(c.Moved)<<2)
	le.PutUint64(b[4:], uint64(c.StaleBy))
	le.PutUint32(b[12:], uint32(c.LocalTag))
	le.PutUint32(b[16:], uint32(c.PeerTag))
	le.PutUint32(b[20:], c.TieLocal)
	le.PutUint32(b[24:], c.TiePeer)
}

func tcbSize(t *tcb.TCB) int { return tcbFixed + pathSize*len(t.Paths) }

func putTCB(b []byte, t *tcb.TCB) int {
	n := tcbSize(t)
	b = b[:n]
	b[0], b[1], b[2], b[3] = kindCheckpoint, byte(len(t.Paths)), byte(t.State), byte(t.Primary)
	b[4], b[5], b[6] = byte(t.CtlPath), t.Armed, t.StaleRetries
	b[7] = byte(b1(t.ShutdownAsked) | b1(t.Initiated)<<1)
	le.PutUint16(b[8:], t.LocalPort)
	le.PutUint16(b[10:], t.PeerPort)
	le.PutUint32(b[12:], uint32(t.LocalTag))
	le.PutUint32(b[16:], uint32(t.PeerTag))
	le.PutUint32(b[20:], t.TieLocal)
	le.PutUint32(b[24:], t.TiePeer)
	le.PutUint32(b[28:], uint32(t.LocalTSN))
	le.PutUint32(b[32:], uint32(t.PeerTSN))
	le.PutUint32(b[36:], t.PeerRwnd)
	le.PutUint32(b[40:], t.CookieLifetime)
	le.PutUint16(b[44:], t.OutStreams)
	le.PutUint16(b[46:], t.InStreams)
	le.PutUint16(b[48:], t.Errors)
	le.PutUint16(b[50:], t.InitTries)
	le.PutUint32(b[52:], t.ID)
	le.PutUint64(b[56:], uint64(t.CtlSent))
	for i := range t.Paths {
		p, q := &t.Paths[i], b[tcbFixed+pathSize*i:]
		q[0], q[1] = byte(p.State), byte(b1(p.HBOut)|b1(p.HBArmed)<<1|b1(p.Cut)<<2)
		le.PutUint16(q[2:], p.Errors)
		le.PutUint64(q[4:], p.Nonce)
	}
	return n
}
