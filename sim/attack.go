package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/transport"
)

// AttackKind is what an attacker can do.
type AttackKind uint8

// Attackers. All know addresses and ports. Off the path they know no tag, and
// must gain nothing; those that see packets may repeat them or complain about
// them; on the path they can do what they like, short of what a cookie's MAC
// protects.
const (
	AttackChunks   AttackKind = iota // well-formed chunks with wrong tags
	AttackNoise                      // random bytes
	AttackInits                      // INITs in the peer's or a stranger's name
	AttackICMP                       // ICMP about packets that were never sent
	AttackReplay                     // old packets again
	AttackAltered                    // old packets, altered, with a wrong tag or checksum
	AttackComplain                   // ICMP about packets that were sent: too big, unreachable
	AttackOnPath                     // altered packets with the right tag and checksum
	numAttacks
)

var attackNames = names{"chunks", "noise", "inits", "icmp", "replay", "altered", "complain", "on-path"}

// MarshalText implements encoding.TextMarshaler.
func (k AttackKind) MarshalText() ([]byte, error) { return attackNames.text(uint8(k)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *AttackKind) UnmarshalText(b []byte) (err error) {
	n, err := attackNames.value(b)
	*k = AttackKind(n)
	return err
}

func (k AttackKind) String() string {
	if k < numAttacks {
		return attackNames[k]
	}
	return fmt.Sprint(uint8(k))
}

// Attack is an attacker at work: a packet every so often, on average.
type Attack struct {
	Kind            AttackKind
	From, To, Every mono.Duration
}

const (
	maxInjected = 500 // packets of one attacker
	maxSeen     = 64  // packets that it remembers
)

// attacker is an Attack in a run.
type attacker struct {
	run  *run
	kind AttackKind
	rng  *rand.Rand
	seen []Packet
	left int // packets that it may still send
}

func (r *run) attack(i int, plan Attack) {
	x := &attacker{run: r, kind: plan.Kind, rng: rand.New(r.net.entropy("attack", uint64(i))), left: maxInjected}
	if plan.Kind >= AttackReplay {
		next := r.net.spy
		r.net.spy = func(p Packet) {
			if next != nil {
				next(p)
			}
			x.see(p)
		}
	}
	end := mono.Time(mono.Second).Add(plan.To)
	var again func()
	again = func() {
		if r.net.Now() > end || x.left == 0 {
			return
		}
		x.left--
		x.strike()
		r.net.At(r.net.Now().Add(mono.Duration(x.rng.ExpFloat64()*float64(plan.Every))), again)
	}
	r.after(plan.From, again)
}

// see remembers some of the packets that are sent: recent ones, and a few old
// ones.
func (x *attacker) see(p Packet) {
	if p.Arrived {
		return
	}
	at := len(x.seen)
	switch {
	case at < maxSeen:
		x.seen = append(x.seen, Packet{})
	case x.rng.IntN(4) == 0:
		at = x.rng.IntN(maxSeen)
	default:
		return
	}
	p.Data = append([]byte(nil), p.Data...)
	x.seen[at] = p
}

func (x *attacker) strike() {
	if x.kind < AttackReplay {
		x.offPath()
		return
	}
	if len(x.seen) == 0 {
		return
	}
	p := x.seen[x.rng.IntN(len(x.seen))]
	data := append([]byte(nil), p.Data...)
	slot := transport.RxSlot{Data: data, Src: p.Src, Dst: p.Dst, EncapPort: p.SrcUDP}
	switch x.kind {
	case AttackAltered:
		x.alter(data, chunk.HeaderLen)
		if x.rng.IntN(2) == 0 {
			tag := binary.BigEndian.Uint32(data[4:])
			binary.BigEndian.PutUint32(data[4:], tag^(1+x.rng.Uint32N(1<<32-1)))
			chunk.SetChecksum(data)
		}
	case AttackComplain:
		// Whoever sent the packet hears of it.
		slot.Kind = transport.ICMPError
		slot.ICMP = []transport.ICMP{transport.ICMPPacketTooBig, transport.ICMPPacketTooBig, transport.ICMPUnreachable, transport.ICMPTimeExceeded, transport.ICMPParameterProblem}[x.rng.IntN(5)]
		slot.MTU = []uint32{0, 1, 68, 296, 575, 576, 600, 1280, 1500, 9000, 1 << 31}[x.rng.IntN(11)]
		slot.Data = data[:min(len(data), 8<<x.rng.IntN(8))]
		x.inject(x.run.net.hostOf(p.Src), slot)
		return
	case AttackOnPath:
		switch x.rng.IntN(8) {
		case 0:
			slot.Kind, slot.ICMP = transport.ICMPError, transport.ICMPProtoUnreachable
			x.inject(x.run.net.hostOf(p.Src), slot)
			return
		case 1:
			slot.Data = append(data[:chunk.HeaderLen], x.chunk()...)
		default:
			x.alter(data, 0)
		}
		chunk.SetChecksum(slot.Data)
	}
	x.inject(x.run.net.hostOf(p.Dst), slot)
}

func (x *attacker) inject(to *Host, slot transport.RxSlot) {
	x.run.counts[Injected]++
	to.Inject(slot)
}

// alter changes some bytes from a place on.
func (x *attacker) alter(data []byte, from int) {
	for range 1 + x.rng.IntN(6) {
		if i := from + x.rng.IntN(len(data)-from); x.rng.IntN(3) == 0 {
			data[i] ^= 1 << x.rng.IntN(8)
		} else {
			data[i] = byte(x.rng.Uint32())
		}
	}
}

// offPath strikes without knowing a tag.
func (x *attacker) offPath() {
	r := x.run
	side := Side(x.rng.IntN(2))
	i := x.rng.IntN(len(r.addrA))
	to, src, dst := r.hosts[side], r.addrs[1-side][i], r.addrs[side][i]
	own, peer := x.ports(side)
	tag := x.rng.Uint32()
	if x.rng.IntN(8) == 0 {
		tag = 0
	}
	slot := transport.RxSlot{Src: src, Dst: dst}
	if r.s.UDP {
		slot.EncapPort = uint16(1 + x.rng.IntN(65535))
	}
	switch x.kind {
	case AttackChunks:
		slot.Data = header(peer, own, tag)
		for range 1 + x.rng.IntN(3) {
			slot.Data = append(slot.Data, x.chunk()...)
		}
	case AttackNoise:
		slot.Data = header(peer, own, tag)
		for range x.rng.IntN(200) {
			slot.Data = append(slot.Data, byte(x.rng.Uint32()))
		}
		if x.rng.IntN(4) == 0 {
			slot.Data = slot.Data[:x.rng.IntN(len(slot.Data))]
			x.inject(to, slot)
			return
		}
	case AttackInits:
		if x.rng.IntN(3) == 0 {
			slot.Src = netip.MustParseAddr([2]string{"10.77.0.7", "fd77::7"}[b2i(dst.Is6())])
		}
		slot.Data = append(header(peer, own, 0), x.init(chunk.TypeInit)...)
	case AttackICMP:
		// Quoted is what the host sends from dst to src.
		slot = transport.RxSlot{Src: dst, Dst: src, Kind: transport.ICMPError}
		slot.ICMP = transport.ICMP(x.rng.IntN(int(transport.ICMPParameterProblem) + 1))
		slot.MTU = uint32(x.rng.IntN(2000))
		slot.Data = header(own, peer, tag)
		if x.rng.IntN(2) == 0 {
			slot.Data = append(header(own, peer, 0), x.init(chunk.TypeInit)...)
		}
		slot.Data = slot.Data[:min(len(slot.Data), 8<<x.rng.IntN(4))]
		x.inject(to, slot)
		return
	}
	chunk.SetChecksum(slot.Data)
	x.inject(to, slot)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ports returns the ports of some association, as seen from a side.
func (x *attacker) ports(side Side) (own, peer uint16) {
	if len(x.run.pairs) == 0 {
		return portZ, portA
	}
	p := x.run.pairs[x.rng.IntN(len(x.run.pairs))]
	a, z := p.port, uint16(portZ)
	switch p.plan.Open {
	case OpenByZ:
		a, z = portA, p.port
	case OpenBoth:
		z = p.port
	case OpenNobody:
		z = portDead
	}
	if side == SideA {
		return a, z
	}
	return z, a
}

func header(src, dst uint16, tag uint32) []byte {
	b := make([]byte, chunk.HeaderLen, 256)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	binary.BigEndian.PutUint32(b[4:], tag)
	return b
}

// chunk returns a well-formed chunk of any type.
func (x *attacker) chunk() []byte {
	word := func(n int) (b []byte) {
		for range n {
			b = binary.BigEndian.AppendUint32(b, x.rng.Uint32())
		}
		return b
	}
	t := chunk.Type([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 0x3f, 0x40, 0x80, 0xc0, 0xff}[x.rng.IntN(18)])
	flags := byte(x.rng.IntN(4))
	var body []byte
	switch t {
	case chunk.TypeData:
		flags = byte(x.rng.IntN(16))
		body = word(4)
		binary.BigEndian.PutUint16(body[4:], uint16(x.rng.IntN(4)))
	case chunk.TypeInit, chunk.TypeInitAck:
		return x.init(t)
	case chunk.TypeSack:
		body = word(3)
		binary.BigEndian.PutUint32(body[8:], 0)
	case chunk.TypeHeartbeat, chunk.TypeHeartbeatAck:
		body = append([]byte{0, 1, 0, 12}, word(2)...)
	case chunk.TypeAbort, chunk.TypeError:
		body = append([]byte{0, byte(1 + x.rng.IntN(13)), 0, 8}, word(1)...)
	case chunk.TypeShutdown:
		body = word(1)
	case chunk.TypeCookieEcho:
		body = word(30)
	case chunk.TypeShutdownAck, chunk.TypeShutdownComplete, chunk.TypeCookieAck:
	default:
		body = word(x.rng.IntN(5))
	}
	b := binary.BigEndian.AppendUint16([]byte{byte(t), flags}, uint16(4+len(body)))
	return append(b, body...)
}

// init returns an INIT or INIT ACK that somebody could mean.
func (x *attacker) init(t chunk.Type) []byte {
	be := binary.BigEndian
	b := []byte{byte(t), 0, 0, 0}
	b = be.AppendUint32(b, x.rng.Uint32())
	b = be.AppendUint32(b, 65536)
	b = be.AppendUint16(b, uint16(x.rng.IntN(20)))
	b = be.AppendUint16(b, uint16(x.rng.IntN(20)))
	b = be.AppendUint32(b, x.rng.Uint32())
	if t == chunk.TypeInitAck || x.rng.IntN(3) == 0 {
		b = append(b, 0, 7, 0, 8, 1, 2, 3, 4) // a cookie
	}
	if x.rng.IntN(3) == 0 {
		// Another address: a stranger's, or one of the peer's.
		a := x.run.addrs[x.rng.IntN(2)][x.rng.IntN(len(x.run.addrA))]
		if x.rng.IntN(2) == 0 {
			a = netip.MustParseAddr("10.88.0.8")
		}
		b = chunk.AppendAddrParam(b, a)
	}
	if x.rng.IntN(3) == 0 {
		b = append(b, byte(x.rng.IntN(4)<<6), 0x77, 0, 8, 1, 2, 3, 4) // unknown
	}
	be.PutUint16(b[2:], uint16(len(b)))
	return b
}
