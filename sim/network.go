package sim

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/transport"
)

// Network joins hosts by wires and lets their time pass.
type Network struct {
	clock  clock
	seed   uint64
	hosts  []*Host
	wires  map[route]*impair.Link
	nWires uint64
	queue  eventQueue
	serial uint64
	trace  hash.Hash
	sent   uint64
	astray uint64   // packets for a UDP port that a NAT has forgotten
	ready  []func() // to be called before time passes
	spy    func(Packet)

	// UDP encapsulates what the hosts send; set it before they are added.
	UDP bool

	// Tap, if set, sees each packet as it is sent and as it arrives.
	Tap func(Packet)
	// Drop, if set, says which packets are lost, beside those that chance
	// loses.
	Drop func(Packet) bool
	// Record, if set, gives a host its recorder, each time that it boots.
	Record func(host string, boot int) stack.Recorder
}

// Packet is an SCTP packet that a Tap sees. Data is valid during the call only.
type Packet struct {
	At       mono.Time
	Arrived  bool // false: just sent
	Src, Dst netip.Addr
	SrcUDP   uint16 // port that it came from, if encapsulated
	Data     []byte
}

type route struct{ src, dst netip.Addr }

// NewNetwork returns a network without hosts, at one second of its time.
func NewNetwork(seed uint64) *Network {
	return &Network{
		clock: clock{now: mono.Time(mono.Second)}, seed: seed,
		wires: make(map[route]*impair.Link), trace: sha256.New(),
	}
}

// Now returns the virtual time.
func (n *Network) Now() mono.Time { return n.clock.now }

// Sum is a digest of all packets so far: what was sent, when, and when it
// arrived.
func (n *Network) Sum() [32]byte { return [32]byte(n.trace.Sum(nil)) }

// Packets returns how many packets were sent.
func (n *Network) Packets() uint64 { return n.sent }

// entropy returns randomness for one purpose.
func (n *Network) entropy(purpose string, i uint64) *rand.ChaCha8 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], n.seed)
	binary.LittleEndian.PutUint64(b[8:], i)
	return rand.NewChaCha8(sha256.Sum256(append(b[:], purpose...)))
}

// Host is a host: a stack on one link.
type Host struct {
	Name  string
	Stack *stack.Stack

	net   *Network
	index uint64
	opts  stack.Options
	link  *link
	boots int
	addrs []netip.Addr
	mtu   int
	gone  map[netip.Addr]bool
	mtus  map[netip.Addr]int // of the interfaces with these addresses, if another
	udp   uint16             // port that the network sees, with UDP
	due   mono.Time          // when the stack wants Step
	take  func(src, dst netip.Addr, data []byte)
}

// AddHost adds a host. Opts.Shards and Paranoid are set for it.
func (n *Network) AddHost(name string, mtu int, opts stack.Options, addrs ...netip.Addr) *Host {
	opts.Shards, opts.Paranoid = 1, true
	h := &Host{Name: name, net: n, index: uint64(len(n.hosts)), opts: opts, addrs: addrs, mtu: mtu}
	if n.UDP {
		h.udp = firstUDP
	}
	n.hosts = append(n.hosts, h)
	h.Boot()
	return h
}

const firstUDP = 9899

// Boot gives a host without a stack a new one, which knows nothing of what was
// before.
func (h *Host) Boot() {
	purpose := "host"
	if h.boots > 0 {
		purpose = fmt.Sprintf("host, boot %d", h.boots)
	}
	opts := h.opts
	if h.net.Record != nil {
		opts.Record = h.net.Record(h.Name, h.boots)
	}
	h.boots++
	h.link = &link{h: h}
	s, err := stack.New(stack.World{
		Clock: &h.net.clock, Entropy: h.net.entropy(purpose, h.index), Links: []transport.Link{h.link},
	}, opts)
	if err != nil {
		panic(err) // the options are ours
	}
	h.Stack = s
}

// Crash takes a host's stack away: nothing more of it reaches the network,
// and what arrives before the next Boot is lost.
func (h *Host) Crash() {
	h.link.dead = true
	h.Stack, h.due = nil, 0
}

// SetAddr takes one of the host's addresses away, or gives it back, and tells
// its stack. What is sent to an address that is away is lost.
func (h *Host) SetAddr(addr netip.Addr, there bool) {
	if h.gone == nil {
		h.gone = make(map[netip.Addr]bool)
	}
	h.gone[addr] = !there
	if h.Stack != nil {
		h.Stack.HostChanged()
	}
}

// Rebind gives the host another UDP port; its NAT forgets the old one.
func (h *Host) Rebind(port uint16) { h.udp = port }

// AddPeer adds a host without a stack, whose packets are its owner's: take gets
// what arrives, and may keep data, and Send sends.
func (n *Network) AddPeer(name string, take func(src, dst netip.Addr, data []byte), addrs ...netip.Addr) *Host {
	h := &Host{Name: name, net: n, addrs: addrs, take: take}
	n.hosts = append(n.hosts, h)
	return h
}

// Send puts a packet on the wire from src to dst; without a wire it is lost.
func (h *Host) Send(src, dst netip.Addr, data []byte) {
	if h.net.wires[route{src, dst}] != nil {
		h.net.send(h, src, dst, 0, data, false)
	}
}

// Inject hands the host's stack now what a link would: a packet that needs no
// wire, or an ICMP error.
func (h *Host) Inject(slot transport.RxSlot) {
	h.net.push(event{at: h.net.clock.now, to: h, udp: h.udp, slot: slot})
}

// SetMTU changes the MTU of the interface that has one of the host's addresses.
func (h *Host) SetMTU(addr netip.Addr, mtu int) {
	if h.mtus == nil {
		h.mtus = make(map[netip.Addr]int)
	}
	h.mtus[addr] = mtu
}

// Connect lays a wire from src to dst. What is not connected is unreachable.
func (n *Network) Connect(src, dst netip.Addr, cfg impair.Config) *impair.Link {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	n.nWires++
	l := impair.New(cfg, n.entropy("wire", n.nWires).Uint64())
	n.wires[route{src, dst}] = l
	return l
}

// At calls f when the time has come.
func (n *Network) At(t mono.Time, f func()) {
	n.push(event{at: max(t, n.clock.now), do: f})
}

// Soon calls f before time passes.
func (n *Network) Soon(f func()) { n.ready = append(n.ready, f) }

// send puts a packet of h on its wire.
func (n *Network) send(h *Host, src, dst netip.Addr, udp uint16, data []byte, fragment bool) {
	n.sent++
	sent := Packet{At: n.clock.now, Src: src, Dst: dst, SrcUDP: h.udp, Data: data}
	n.record(sent)
	if n.Drop != nil && n.Drop(sent) {
		return
	}
	wire := n.wires[route{src, dst}]
	p := impair.Packet{Data: append([]byte(nil), data...), Size: len(data) + n.overhead(dst), MayFragment: fragment}
	for _, d := range wire.Send(nil, p, n.clock.now) {
		slot := transport.RxSlot{Data: d.Data, Src: src, Dst: dst, EncapPort: h.udp}
		to := n.hostOf(dst)
		if d.Bounced {
			slot.Kind, slot.ICMP, slot.MTU = transport.ICMPError, transport.ICMPPacketTooBig, uint32(wire.Config().MTU)
			to = h
		}
		n.push(event{at: d.At, to: to, udp: udp, slot: slot})
	}
}

func (n *Network) overhead(dst netip.Addr) int {
	size := 40
	if dst.Is4() {
		size = 20
	}
	if n.UDP {
		size += 8
	}
	return size
}

func (n *Network) hostOf(a netip.Addr) *Host {
	for _, h := range n.hosts {
		for _, b := range h.addrs {
			if a == b {
				return h
			}
		}
	}
	return nil
}

// record adds a packet to the trace.
func (n *Network) record(p Packet) {
	var b [1 + 8 + 16 + 16 + 4]byte
	if p.Arrived {
		b[0] = 1
	}
	binary.BigEndian.PutUint64(b[1:], uint64(p.At))
	src, dst := p.Src.As16(), p.Dst.As16()
	copy(b[9:], src[:])
	copy(b[25:], dst[:])
	binary.BigEndian.PutUint32(b[41:], uint32(len(p.Data)))
	n.trace.Write(b[:])
	n.trace.Write(p.Data)
	if n.spy != nil {
		n.spy(p)
	}
	if n.Tap != nil {
		n.Tap(p)
	}
}

// Step lets the next thing happen; it returns false if nothing will, or not
// before limit.
func (n *Network) Step(limit mono.Time) bool {
	n.settle()
	var next *Host
	at := mono.Time(0)
	if len(n.queue) > 0 {
		at = n.queue[0].at
	}
	for _, h := range n.hosts {
		if h.due != 0 && (at == 0 || h.due < at) {
			at, next = h.due, h
		}
	}
	if at == 0 || at > limit {
		return false
	}
	n.clock.now = max(n.clock.now, at)
	if next != nil {
		next.due = 0 // settle asks again
		return true
	}
	e := heap.Pop(&n.queue).(event)
	switch {
	case e.do != nil:
		e.do()
	case e.to != nil:
		switch {
		case e.to.Stack == nil && e.to.take == nil:
			return true // it is down
		case e.to.gone[e.slot.Dst] && e.slot.Kind == transport.Datagram:
			return true
		case n.UDP && e.slot.Kind == transport.Datagram && e.udp != e.to.udp:
			n.astray++
			return true
		}
		if e.slot.Kind == transport.Datagram {
			n.record(Packet{At: n.clock.now, Arrived: true, Src: e.slot.Src, Dst: e.slot.Dst, SrcUDP: e.slot.EncapPort, Data: e.slot.Data})
		}
		switch {
		case e.to.Stack != nil:
			e.to.Stack.Input(0, []transport.RxSlot{e.slot}, n.clock.now)
		case e.slot.Kind == transport.Datagram:
			e.to.take(e.slot.Src, e.slot.Dst, e.slot.Data)
		}
	}
	return true
}

// settle runs what is ready now, and asks the stacks when they want to run.
func (n *Network) settle() {
	for {
		for i := 0; i < len(n.ready); i++ {
			n.ready[i]()
		}
		n.ready = n.ready[:0]
		for _, h := range n.hosts {
			if h.Stack != nil {
				h.due = h.Stack.Step(n.clock.now)
			}
		}
		if len(n.ready) == 0 {
			return
		}
	}
}

// event is something that will happen: a packet for a host arrives, or a call.
type event struct {
	at     mono.Time
	serial uint64
	to     *Host
	udp    uint16 // the port it is sent to, if encapsulated
	slot   transport.RxSlot
	do     func()
}

func (n *Network) push(e event) {
	n.serial++
	e.serial = n.serial
	heap.Push(&n.queue, e)
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].serial < q[j].serial
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return x
}

// String returns the packet as a line.
func (p Packet) String() string {
	verb := "sent"
	if p.Arrived {
		verb = "arrived"
	}
	return fmt.Sprintf("%d.%09d %v > %v %s: %s", int64(p.At)/1e9, int64(p.At)%1e9, p.Src, p.Dst, verb, trace.Packet(p.Data))
}
