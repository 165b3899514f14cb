package sim

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Result is the outcome of a run.
type Result struct {
	Err      error // what did not hold; nil if all did
	Sum      [32]byte
	Packets  uint64
	Messages int // that arrived
	Bytes    int
	Graceful int // associations that both ends closed gracefully
	Ended    int // and those that ended in another way
	Time     mono.Duration
	Tail     string // the last steps, if there is an error
}

// Options are for looking at a run; the zero value is for many runs.
type Options struct {
	Trace io.Writer         // every step, as a line
	Tap   func(Packet)      // every packet
	Drop  func(Packet) bool // packets to lose, as Network.Drop

	script func(*run) // a test's own, before time passes
}

// Limits of a run: virtual time, and things that happen.
const (
	maxTime  = 4 * 3600 * mono.Second
	maxSteps = 5_000_000
)

type run struct {
	net    *Network
	s      Scenario
	a, z   *Host
	addrA  []netip.Addr // by path
	addrZ  []netip.Addr
	users  []*user
	pairs  []*pair
	eps    []*stack.Endpoint
	errs   []error
	listen map[*Host]*stack.Endpoint
	note   func(*user, *ulpqueue.Notification) // sees the notifications, if set
}

// pair is an association with its two ends.
type pair struct {
	plan AssocPlan
	a, z *user
	port uint16 // A's; Z's is the same with OpenBoth
}

const (
	portZ    = 5000 // listens
	portA    = 6000 // listens
	portDead = 7000
	ports    = 40000
)

// Run plays a scenario and checks that what must hold did.
func Run(seed uint64, s Scenario, o Options) (res Result) {
	r := &run{net: NewNetwork(seed), s: s, listen: make(map[*Host]*stack.Endpoint)}
	r.net.Tap, r.net.Drop = o.Tap, o.Drop
	tail := trace.NewTail(60)
	var w io.Writer = tail
	if o.Trace != nil {
		w = io.MultiWriter(tail, o.Trace)
	}
	defer func() {
		if p := recover(); p != nil {
			r.fail("panic: %v", p)
		}
		res.Err = errors.Join(r.errs...)
		res.Sum, res.Packets = r.net.Sum(), r.net.Packets()
		res.Time = r.net.Now().Sub(mono.Time(mono.Second))
		if res.Err != nil {
			res.Tail = tail.String()
		}
	}()
	r.build(w)
	if o.script != nil {
		o.script(r)
	}
	steps := 0
	start := r.net.Now()
	for r.net.Step(start.Add(maxTime)) && len(r.errs) == 0 {
		if steps++; steps > maxSteps {
			r.fail("no end after %d steps, at %v", steps, r.net.Now().Sub(start))
			break
		}
	}
	if len(r.errs) == 0 {
		r.check(&res)
	}
	return res
}

func (r *run) fail(format string, args ...any) {
	if len(r.errs) < 10 {
		at := r.net.Now().Sub(mono.Time(mono.Second))
		r.errs = append(r.errs, fmt.Errorf("at %v: "+format, append([]any{at}, args...)...))
	}
}

func (r *run) build(w io.Writer) {
	s := &r.s
	paths := s.paths()
	for i := range paths {
		format := "10.0.%d.%d"
		if s.V6 {
			format = "fd00:%d::%d"
		}
		r.addrA = append(r.addrA, netip.MustParseAddr(fmt.Sprintf(format, i, 1)))
		r.addrZ = append(r.addrZ, netip.MustParseAddr(fmt.Sprintf(format, i, 2)))
	}
	r.a = r.net.AddHost("A", s.MTU, stack.Options{Trace: &trace.Writer{Who: "A", W: w}}, r.addrA...)
	r.z = r.net.AddHost("Z", s.MTU, stack.Options{Trace: &trace.Writer{Who: "Z", W: w}}, r.addrZ...)
	for i, p := range paths {
		az := r.net.Connect(r.addrA[i], r.addrZ[i], p.AtoZ)
		za := r.net.Connect(r.addrZ[i], r.addrA[i], p.ZtoA)
		for _, d := range p.Dead {
			if d.Way != WayZtoA {
				r.kill(az, p.AtoZ, d)
			}
			if d.Way != WayAtoZ {
				r.kill(za, p.ZtoA, d)
			}
		}
	}
	r.listenOn(r.z, portZ, &s.Z)
	r.listenOn(r.a, portA, &s.A)
	for i, plan := range s.Assocs {
		r.plan(i, plan)
	}
}

// kill loses all packets of a wire for a time.
func (r *run) kill(w *impair.Link, cfg impair.Config, d Span) {
	start := r.net.Now()
	r.net.At(start.Add(d.From), func() { w.SetConfig(impair.Config{Loss: 1}) })
	r.net.At(start.Add(d.To), func() { w.SetConfig(cfg) })
}

// listenOn has a host take associations, and gives them to the users that
// expect them.
func (r *run) listenOn(h *Host, port uint16, cfg *tcb.Config) {
	ep := r.open(h, port, cfg)
	r.listen[h] = ep
	ep.Listen(8, func() {
		r.net.Soon(func() {
			for a := ep.Accept(); a != nil; a = ep.Accept() {
				r.accepted(h, a)
			}
		})
	})
}

func (r *run) open(h *Host, port uint16, cfg *tcb.Config) *stack.Endpoint {
	var local []netip.Addr
	if len(r.s.More) > 0 && !r.s.Wildcard {
		local = h.addrs
	}
	ep, err := h.Stack.Open(local, port, cfg)
	if err != nil {
		panic(err)
	}
	r.eps = append(r.eps, ep)
	return ep
}

func (r *run) accepted(h *Host, a *stack.Assoc) {
	port := a.Status().PeerPort
	for _, p := range r.pairs {
		u := p.z
		if p.plan.Open == OpenByZ {
			u = p.a
		}
		if p.port != port || p.plan.Open > OpenByZ || u.run != r || (h == r.z) != (u == p.z) {
			continue
		}
		if u.as != nil {
			if !u.as.End().Ended {
				r.fail("%s: a second association from the same peer", u.name)
			}
			// A COOKIE ECHO that comes again after our ABORT got lost makes a
			// new association; nobody wants it.
			a.Abort(nil)
			a.Discard()
			return
		}
		u.start(a)
		a.OnWake(u.wake)
		return
	}
	r.fail("%s accepted an association from port %d that nobody started", h.Name, port)
}

// plan arranges for an association.
func (r *run) plan(i int, plan AssocPlan) {
	name := fmt.Sprintf("association %d", i)
	az := newFlow(name+" A to Z", r.net.seed<<8+uint64(2*i))
	za := newFlow(name+" Z to A", r.net.seed<<8+uint64(2*i+1))
	p := &pair{plan: plan, port: ports + uint16(i)}
	p.a = r.newUser(name+" at A", plan.A, az, za)
	p.z = r.newUser(name+" at Z", plan.Z, za, az)
	r.pairs = append(r.pairs, p)

	dial := func(u *user, h *Host, cfg *tcb.Config, to []netip.Addr, port uint16, at mono.Duration) {
		if r.s.Known > 0 {
			to = to[:r.s.Known]
		}
		r.net.At(r.net.Now().Add(at), func() {
			ep := r.open(h, p.port, cfg)
			a, err := ep.Associate(to, port, 0, nil, u.wake)
			if err != nil {
				r.fail("%s: associate: %w", u.name, err)
				return
			}
			u.start(a)
		})
	}
	switch plan.Open {
	case OpenByA:
		dial(p.a, r.a, &r.s.A, r.addrZ, portZ, plan.Start)
	case OpenByZ:
		dial(p.z, r.z, &r.s.Z, r.addrA, portA, plan.Start)
	case OpenBoth:
		dial(p.a, r.a, &r.s.A, r.addrZ, p.port, plan.Start)
		dial(p.z, r.z, &r.s.Z, r.addrA, p.port, plan.Start+plan.Skew)
	case OpenNobody:
		dial(p.a, r.a, &r.s.A, r.addrZ, portDead, plan.Start)
	}
}

// check is the reckoning, when nothing happens any more.
func (r *run) check(res *Result) {
	for _, p := range r.pairs {
		r.checkPair(p, res)
		for _, f := range []*flow{p.a.out, p.z.out} {
			res.Messages += f.arrived
			res.Bytes += f.bytes
		}
	}
	for _, ep := range r.eps {
		if err := ep.Close(); err != nil {
			r.fail("close an endpoint: %w", err)
		}
	}
	for _, h := range r.net.hosts {
		st := h.Stack.Stats()
		if st.Associations != 0 {
			r.fail("%s: %d associations are left", h.Name, st.Associations)
		}
		if st.Buffers != 0 {
			r.fail("%s: %d buffers are not given back", h.Name, st.Buffers)
		}
		for i := range r.pairs {
			ep, err := h.Stack.Open(nil, ports+uint16(i), &r.s.A)
			if err != nil {
				r.fail("%s: a port is not free after the end: %w", h.Name, err)
				continue
			}
			ep.Close()
		}
	}
}

func (r *run) checkPair(p *pair, res *Result) {
	graceful := 0
	for _, u := range []*user{p.a, p.z} {
		if u.as == nil {
			continue
		}
		if !u.ended {
			r.fail("%v after the end of all traffic", u)
			continue
		}
		if u.end.Change == fsm.ShutdownComplete {
			graceful++
		}
	}
	// Who closed gracefully knows that its messages arrived, and the peer's
	// were all acknowledged before.
	if graceful > 0 {
		for _, f := range []*flow{p.a.out, p.z.out} {
			if f.arrived != f.taken {
				r.fail("%s: %d of %d messages arrived, and the end was graceful (%v; %v)", f.name, f.arrived, f.taken, p.a, p.z)
			}
		}
	}
	switch {
	case p.plan.Open == OpenNobody:
		if e := p.a.end; p.a.ended && e.Change != fsm.CantStart && e.Change != fsm.Gone {
			r.fail("%v, and there was no peer", p.a)
		}
		if r.s.Reliable() && p.a.ended && !p.a.end.ByPeer && p.plan.A.Closing == CloseNever {
			r.fail("%v, want a refusal", p.a)
		}
	case graceful == 2, graceful == 1 && p.crossed():
		res.Graceful++
	case p.a.as != nil || p.z.as != nil:
		res.Ended++
		if r.s.Reliable() && !p.gaveUpEarly() {
			r.fail("a reliable network, and no graceful end: %v; %v", p.a, p.z)
		}
	}
}

// crossed reports whether one end was still waiting for SHUTDOWN COMPLETE when
// it got an ABORT: a packet of its own that others had overtaken came to the
// peer out of the blue (RFC 9260 section 8.4 rule 8).
func (p *pair) crossed() bool {
	for _, u := range []*user{p.a, p.z} {
		if u.ended && u.end.ByPeer && u.end.Cause == 0 {
			return true
		}
	}
	return false
}

// gaveUpEarly reports whether there need not have been an association: a user
// closed before it was up and had nothing to send, or called before the other
// side was there.
func (p *pair) gaveUpEarly() bool {
	if p.plan.Open == OpenBoth && p.plan.Skew > 0 {
		return true
	}
	for _, u := range []*user{p.a, p.z} {
		if u.ended && u.end.Change == fsm.Gone {
			return true
		}
	}
	return false
}
