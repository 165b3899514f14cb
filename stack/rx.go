package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

const (
	rxFirst = 8 // slots to begin with; doubled when a read fills them
	rxBatch = 64
	rxBuf   = 65536
)

func (s *Stack) readLoop(i int) {
	defer s.wg.Done()
	slots := moreSlots(nil, rxFirst)
	for {
		n, err := s.links[i].ReadBatch(slots)
		if n > 0 {
			s.Input(i, slots[:n], s.clock.Now())
		}
		if n == len(slots) && n < rxBatch {
			slots = moreSlots(slots, n)
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.linkFailed(i, err)
			}
			return
		}
	}
}

// moreSlots adds n slots: a link that is hardly used needs few.
func moreSlots(slots []transport.RxSlot, n int) []transport.RxSlot {
	for range n {
		slots = append(slots, transport.RxSlot{Buf: make([]byte, rxBuf)})
	}
	return slots
}

// Input processes packets that link i received, one caller per link at a
// time. Start does this by itself.
func (s *Stack) Input(i int, slots []transport.RxSlot, now mono.Time) {
	b := &s.links[i].rx
	b.stack, b.now = s, now
	for j := range slots {
		s.counters.in.Add(1)
		if slots[j].Kind == transport.ICMPError {
			b.hold(nil)
			s.icmp(&slots[j], now)
			continue
		}
		b.more = j+1 < len(slots)
		b.packet(i, &slots[j])
	}
	b.hold(nil)
}

// rxRun is a batch being processed: it keeps the lock of a shard while packets
// for it come one after the other.
type rxRun struct {
	stack *Stack
	now   mono.Time
	held  *shard
	more  bool // the batch goes on after this packet
	in    sideeffects.Datagram
}

func (b *rxRun) hold(sh *shard) {
	if b.held == sh {
		return
	}
	if b.held != nil {
		b.held.acknowledge(b.now)
		b.held.release()
	}
	b.held = sh
	if sh != nil {
		sh.mu.Lock()
	}
}

func (b *rxRun) packet(link int, slot *transport.RxSlot) {
	s := b.stack
	p := slot.Data
	h, e := chunk.ParseHeader(p)
	if e != chunk.ErrNone || len(p) < chunk.HeaderLen+chunk.ChunkHeaderLen || h.SrcPort == 0 || h.DstPort == 0 {
		s.counters.bad.Add(1)
		return
	}
	if !chunk.VerifyChecksum(p) {
		s.counters.badSum.Add(1)
		return
	}
	b.in = sideeffects.Datagram{
		Packet: p, Header: h, Src: slot.Src, Dst: slot.Dst,
		EncapPort: slot.EncapPort, Link: uint8(link),
		NotUnicast: !unicast(slot.Src) || !unicast(slot.Dst),
	}
	if !byTuple(h, p) {
		sh := s.shards[uint32(h.VTag)%uint32(len(s.shards))]
		b.hold(sh)
		if a := sh.byTag[h.VTag]; a != nil && a.port() == h.DstPort && a.peerPort() == h.SrcPort {
			b.deliver(sh, a)
			return
		}
	}
	b.slow()
}

// byTuple reports whether a packet's association is found by addresses first:
// INIT, COOKIE ECHO, and reflected tags.
func byTuple(h chunk.Header, p []byte) bool {
	if h.VTag == 0 {
		return true
	}
	switch chunk.Type(p[chunk.HeaderLen]) {
	case chunk.TypeInit, chunk.TypeCookieEcho:
		return true
	case chunk.TypeAbort, chunk.TypeShutdownComplete:
		return p[chunk.HeaderLen+1]&chunk.FlagT != 0
	}
	return false
}

func (b *rxRun) deliver(sh *shard, a *Assoc) {
	sh.current = a
	sh.x.More = b.more
	sh.x.Packet(&a.a, nil, &b.in, b.now)
	sh.x.More = false
	sh.settle(a)
	if b.more && !a.owing && a.a.OwesSack() {
		a.owing = true
		sh.owing = append(sh.owing, a)
	}
}

// slow finds the association by endpoint and addresses, or the endpoint alone.
func (b *rxRun) slow() {
	s := b.stack
	b.hold(nil)
	ep := s.ports.find(b.in.Dst, b.in.Header.DstPort)
	if ep == nil {
		b.outOfBlue()
		return
	}
	if a := s.lookup(ep, b.in.Src, b.in.Header.SrcPort, b.in.Packet); a != nil {
		sh := a.shard
		b.hold(sh)
		if a.State() != tcb.Closed {
			b.deliver(sh, a)
			return
		}
	}
	// The tag of a COOKIE ECHO says in which shard its association will be: the
	// one whose turn it was when the INIT came.
	at := uint32(b.in.Header.VTag)
	if at == 0 {
		at = spread(b.in.Src, b.in.Header.SrcPort)
	}
	sh := s.shards[at%uint32(len(s.shards))]
	b.hold(sh)
	kind := chunk.Type(b.in.Packet[chunk.HeaderLen])
	if kind != chunk.TypeInit && kind != chunk.TypeCookieEcho || !ep.listening() {
		s.counters.blue.Add(1)
		if !s.blue.take(b.now) {
			return
		}
	}
	e := ep.facts()
	sh.current = nil
	sh.creating = ep
	sh.x.Packet(nil, &e, &b.in, b.now)
	sh.creating = nil
	if a := sh.created; a != nil {
		sh.created = nil
		// What follows the COOKIE ECHO in its packet may have ended it already.
		ended := a.State() == tcb.Closed
		if ended || !ep.arrived(a) {
			if !ended {
				sh.x.Abort(&a.a, nil, b.now)
			}
			a.drop(b.now) // nobody will read the DATA that came along
		}
		sh.settle(a)
	}
}

// spread says which shard gets the association of a new peer (FNV-1a).
func spread(a netip.Addr, port uint16) uint32 {
	h := uint32(2166136261)
	for _, c := range a.As16() {
		h = (h ^ uint32(c)) * 16777619
	}
	h = (h ^ uint32(port>>8)) * 16777619
	h = (h ^ uint32(port&0xff)) * 16777619
	return h ^ h>>16
}

// outOfBlue handles a packet for a port that is not ours.
func (b *rxRun) outOfBlue() {
	s := b.stack
	s.counters.blue.Add(1)
	if !s.ports.answers(int(b.in.Link), b.in.Header.DstPort) || !s.blue.take(b.now) {
		return
	}
	sh := s.shards[uint32(b.in.Header.VTag)%uint32(len(s.shards))]
	b.hold(sh)
	sh.current = nil
	sh.x.Packet(nil, nil, &b.in, b.now)
}

func (s *Stack) icmp(slot *transport.RxSlot, now mono.Time) {
	q := slot.Data
	h, e := chunk.ParseHeader(padQuote(q))
	if e != chunk.ErrNone || len(q) < 8 {
		return
	}
	ep := s.ports.find(slot.Src, h.SrcPort)
	if ep == nil {
		return
	}
	a := s.lookup(ep, slot.Dst, h.DstPort, nil)
	if a == nil {
		return
	}
	sh := a.shard
	sh.mu.Lock()
	if quoteFits(a, h, q) {
		sh.current = a
		switch slot.ICMP {
		case transport.ICMPProtoUnreachable:
			sh.x.Unreachable(&a.a, now)
		case transport.ICMPPacketTooBig:
			sh.x.TooBig(&a.a, slot.Dst, int(slot.MTU), now)
		}
		sh.settle(a)
	}
	sh.release()
}

// padQuote lets a quote of eight bytes pass for a header.
func padQuote(q []byte) []byte {
	if len(q) >= chunk.HeaderLen || len(q) < 8 {
		return q
	}
	var b [chunk.HeaderLen]byte
	copy(b[:], q)
	return b[:]
}

// quoteFits checks the tag in a quoted packet against the association (RFC
// 9260 section 10 ICMP6).
func quoteFits(a *Assoc, h chunk.Header, q []byte) bool {
	if a.State() == tcb.Closed {
		return false
	}
	local, peer := a.a.Tags()
	if h.VTag != 0 {
		return h.VTag == peer
	}
	const initTag = chunk.HeaderLen + chunk.ChunkHeaderLen
	if len(q) < initTag+4 || chunk.Type(q[chunk.HeaderLen]) != chunk.TypeInit || a.State() != tcb.CookieWait {
		return false
	}
	t := q[initTag:]
	return chunk.VTag(uint32(t[0])<<24|uint32(t[1])<<16|uint32(t[2])<<8|uint32(t[3])) == local
}

// Step runs the timers that are due and sends what there is; it returns when
// to be called next, zero if there is nothing to wait for. Start does this by
// itself.
func (s *Stack) Step(now mono.Time) mono.Time {
	var next mono.Time
	for _, sh := range s.shards {
		sh.mu.Lock()
		sh.expire(now)
		sh.release()
		sh.mu.Lock()
		t := sh.heap.next()
		sh.mu.Unlock()
		if next == 0 || (t != 0 && t < next) {
			next = t
		}
	}
	return next
}

// linkFailed is told of a link that cannot receive any more; associations on
// it die by their timers.
func (s *Stack) linkFailed(i int, err error) {
	s.linkErr.CompareAndSwap(nil, &linkError{i, err})
}

type linkError struct {
	link int
	err  error
}

// Err returns why a link stopped receiving, nil if all work.
func (s *Stack) Err() error {
	if e := s.linkErr.Load(); e != nil {
		return fmt.Errorf("sctp: link %d failed: %w", e.link, e.err)
	}
	return nil
}
