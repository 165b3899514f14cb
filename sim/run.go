package sim

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Result is the outcome of a run.
type Result struct {
	Err      error  // what did not hold; nil if all did
	Fault    string // what kind of thing that was: the first part of Err without its details
	Sum      [32]byte
	Packets  uint64
	Messages int // that arrived
	Bytes    int
	Graceful int // associations that both ends closed gracefully
	Ended    int // and those that ended in another way
	Time     mono.Duration
	Counts   Counts
	Tail     string // the last steps, if there is an error
}

// Options are for looking at a run; the zero value is for many runs.
type Options struct {
	Trace io.Writer         // every step, as a line
	Tap   func(Packet)      // every packet
	Drop  func(Packet) bool // packets to lose, as Network.Drop
	// Record, if set, gives a host its recorder, each time that it boots.
	Record func(host string, boot int) stack.Recorder

	script func(*run)                        // a test's own, before time passes
	spoil  func(u *user, data []byte) []byte // a planted fault: changes what u reads
}

// Limits of a run: virtual time, and things that happen.
const (
	maxTime  = 4 * 3600 * mono.Second
	maxSteps = 5_000_000
)

type run struct {
	net     *Network
	s       Scenario
	o       Options
	hosts   [2]*Host
	a, z    *Host
	addrs   [2][]netip.Addr // by path
	addrA   []netip.Addr
	addrZ   []netip.Addr
	wires   []*wire
	users   []*user
	pairs   []*pair
	eps     [2][]*stack.Endpoint
	errs    []error
	fault   string
	counts  Counts
	hostile bool
	lastTag [2]chunk.VTag                       // of the packet that arrived last at a side
	echoes  [2]map[chunk.VTag]int               // COOKIE ECHOs that arrived there, by tag
	note    func(*user, *ulpqueue.Notification) // sees the notifications, if set
}

// pair is an association with its two ends, and what comes of it when one of
// them is begun anew.
type pair struct {
	plan  AssocPlan
	index int
	a, z  *user  // the last ones
	port  uint16 // A's; Z's is the same with OpenBoth
	// By side: what the ends sent, one after the other, and the endpoint to
	// start from.
	flows   [2][]*flow
	ep      [2]*stack.Endpoint
	redials int // left
	// haunted: an old COOKIE ECHO, of an incarnation that is gone, has taken an
	// association back to that one (action B of RFC 9260 section 5.2.4 asks for
	// no more than that the own tag is right). It fails then.
	haunted bool
}

func (p *pair) user(s Side) *user {
	if s == SideA {
		return p.a
	}
	return p.z
}

const (
	portZ    = 5000 // listens
	portA    = 6000 // listens
	portDead = 7000
	ports    = 40000
)

// Run plays a scenario and checks that what must hold did.
func Run(seed uint64, s Scenario, o Options) (res Result) {
	r := &run{net: NewNetwork(seed), s: s.clone(), o: o, hostile: s.hostile()}
	r.net.Tap, r.net.Drop, r.net.Record = o.Tap, o.Drop, o.Record
	tail := trace.NewTail(60)
	var w io.Writer = tail
	if o.Trace != nil {
		w = io.MultiWriter(tail, o.Trace)
	}
	defer func() {
		if p := recover(); p != nil {
			r.failed(fmt.Sprintf("panic: %v", p), fmt.Errorf("panic: %v", p))
		}
		res.Err, res.Fault = errors.Join(r.errs...), r.fault
		res.Sum, res.Packets = r.net.Sum(), r.net.Packets()
		res.Time = r.net.Now().Sub(mono.Time(mono.Second))
		res.Counts = r.count()
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
	r.failed(format, fmt.Errorf(format, args...))
}

var details = regexp.MustCompile(`[0-9][0-9a-zµ.:]*`)

func (r *run) failed(kind string, err error) {
	if len(r.errs) == 0 {
		r.fault = details.ReplaceAllString(kind, "#")
	}
	if len(r.errs) < 10 {
		r.errs = append(r.errs, fmt.Errorf("at %v: %w", r.net.Now().Sub(mono.Time(mono.Second)), err))
	}
}

func (r *run) build(w io.Writer) {
	s := &r.s
	r.net.UDP = s.UDP
	r.echoes = [2]map[chunk.VTag]int{{}, {}}
	r.net.spy = func(p Packet) {
		h, e := chunk.ParseHeader(p.Data)
		if !p.Arrived || e != chunk.ErrNone {
			return
		}
		side := Side(b2i(slices.Contains(r.addrZ, p.Dst)))
		r.lastTag[side] = h.VTag
		if len(p.Data) > chunk.HeaderLen && chunk.Type(p.Data[chunk.HeaderLen]) == chunk.TypeCookieEcho && chunk.VerifyChecksum(p.Data) {
			r.echoes[side][h.VTag]++
		}
	}
	for i := range s.paths() {
		format := "10.0.%d.%d"
		if s.V6 {
			format = "fd00:%d::%d"
		}
		r.addrA = append(r.addrA, netip.MustParseAddr(fmt.Sprintf(format, i, 1)))
		r.addrZ = append(r.addrZ, netip.MustParseAddr(fmt.Sprintf(format, i, 2)))
	}
	r.a = r.net.AddHost("A", s.MTU, stack.Options{Trace: &trace.Writer{Who: "A", W: w}}, r.addrA...)
	r.z = r.net.AddHost("Z", s.MTU, stack.Options{Trace: &trace.Writer{Who: "Z", W: w}}, r.addrZ...)
	r.hosts = [2]*Host{r.a, r.z}
	r.addrs = [2][]netip.Addr{r.addrA, r.addrZ}
	r.wiring()
	r.listenOn(SideZ)
	r.listenOn(SideA)
	for i, plan := range s.Assocs {
		r.plan(i, plan)
	}
	r.mishaps()
}

// config returns the configuration of a side.
func (r *run) config(s Side) *tcb.Config {
	if s == SideA {
		return &r.s.A
	}
	return &r.s.Z
}

// listenOn has a host take associations, and gives them to the users that
// expect them.
func (r *run) listenOn(s Side) {
	port := uint16(portA)
	if s == SideZ {
		port = portZ
	}
	ep := r.open(s, port)
	ep.Listen(8, func() {
		r.net.Soon(func() {
			for a := ep.Accept(); a != nil; a = ep.Accept() {
				r.accepted(s, a)
			}
		})
	})
}

func (r *run) open(s Side, port uint16) *stack.Endpoint {
	var local []netip.Addr
	if len(r.s.More) > 0 && !r.s.Wildcard {
		local = r.addrs[s]
	}
	ep, err := r.hosts[s].Stack.Open(local, port, r.config(s))
	if err != nil {
		panic(err)
	}
	ep.SetCongestion(Controllers[r.s.CC])
	r.eps[s] = append(r.eps[s], ep)
	return ep
}

func (r *run) accepted(s Side, a *stack.Assoc) {
	port := a.Status().PeerPort
	again := r.echoed(s)
	for _, p := range r.pairs {
		if p.port != port || p.plan.Open > OpenByZ || p.plan.Open.by(s) {
			continue
		}
		u := p.user(s)
		caller := p.user(1 - s).out.serial
		if u.as != nil {
			if !u.over() && !u.as.End().Ended {
				r.fail("%s: a second association from the same peer", u.name)
			}
			if caller == u.caller {
				// A COOKIE ECHO that comes again after our ABORT got lost, or
				// that an attacker repeats, makes a new association; nobody
				// wants it.
				r.counts[Ghosts]++
				a.Abort(nil)
				a.Discard()
				return
			}
			u = r.newUser(p, s)
		}
		u.caller, u.haunted = caller, again
		u.start(a)
		a.OnWake(u.wake)
		return
	}
	if r.hostile {
		a.Abort(nil)
		a.Discard()
		return
	}
	r.fail("%v accepted an association from port %d that nobody started", s, port)
}

// echoed reports whether the COOKIE ECHO that has just arrived may be an old
// one.
func (r *run) echoed(s Side) bool { return r.echoes[s][r.lastTag[s]] > 1 }

// plan arranges for an association.
func (r *run) plan(i int, plan AssocPlan) {
	p := &pair{plan: plan, index: i, port: ports + uint16(i), redials: plan.Redials}
	r.newUser(p, SideA)
	r.newUser(p, SideZ)
	r.pairs = append(r.pairs, p)
	for _, s := range []Side{SideA, SideZ} {
		at := plan.Start
		if s == SideZ && plan.Open == OpenBoth {
			at += plan.Skew
		}
		if plan.Open.by(s) {
			r.net.At(r.net.Now().Add(at), func() { r.dial(p, s) })
		}
	}
}

// dial starts the association of a pair's present user at a side.
func (r *run) dial(p *pair, s Side) {
	u, h := p.user(s), r.hosts[s]
	if h.Stack == nil || u.as != nil {
		return // nobody is there to call, or has called already
	}
	if p.ep[s] == nil {
		p.ep[s] = r.open(s, p.port)
	}
	to := r.addrs[1-s]
	if r.s.Known > 0 {
		to = to[:r.s.Known]
	}
	port := [2]uint16{portA, portZ}[1-s]
	switch p.plan.Open {
	case OpenBoth:
		port = p.port
	case OpenNobody:
		port = portDead
	}
	a, err := p.ep[s].Associate(to, port, r.hosts[1-s].udp, nil, u.wake)
	if err != nil {
		r.fail("%s: associate: %w", u.name, err)
		return
	}
	u.start(a)
	if p.plan.Leave {
		ep := p.ep[s]
		if err := ep.Close(); err != nil {
			r.fail("%s: close its endpoint: %w", u.name, err)
		}
		r.eps[s] = slices.DeleteFunc(r.eps[s], func(e *stack.Endpoint) bool { return e == ep })
		p.ep[s] = nil
	}
}

// redial lets the user at a side be followed by another who calls again; false
// if it is not to be.
func (r *run) redial(p *pair, s Side, after mono.Duration) bool {
	if p.redials == 0 || !p.plan.Open.by(s) || p.user(s).as == nil {
		return false
	}
	p.redials--
	r.counts[Redials]++
	r.newUser(p, s)
	r.net.At(r.net.Now().Add(after), func() { r.dial(p, s) })
	return true
}

// check is the reckoning, when nothing happens any more.
func (r *run) check(res *Result) {
	for _, u := range r.users {
		if u.as != nil && !u.over() {
			r.fail("%v after the end of all traffic", u)
		}
		if u.ended && u.end.Change == fsm.ShutdownComplete && u.out.arrived != u.out.taken && !u.doubtful() {
			r.fail("%s: %d of %d messages arrived, and the end was graceful", u.out.name, u.out.arrived, u.out.taken)
		}
		if n := u.out.lost(); u.ended && n >= 0 && !u.doubtful() {
			r.fail("%s: message %d of %d did not arrive, and nobody was told (%v)", u.out.name, n, u.out.taken, u)
		}
		res.Messages += u.out.arrived
		res.Bytes += u.out.bytes
	}
	for _, p := range r.pairs {
		r.checkPair(p, res)
	}
	for _, side := range []Side{SideA, SideZ} {
		r.checkHost(side)
	}
}

// checkHost checks that nothing is left behind.
func (r *run) checkHost(side Side) {
	h := r.hosts[side]
	if h.Stack == nil {
		return
	}
	for _, ep := range r.eps[side] {
		if err := ep.Close(); err != nil {
			r.fail("close an endpoint: %w", err)
		}
	}
	st := h.Stack.Stats()
	for _, left := range []struct {
		what string
		n    int
	}{
		{"associations", st.Associations}, {"buffers", st.Buffers}, {"addresses", st.Addresses},
		{"timers", st.Timers}, {"ports", st.Ports}, {"bytes of receive memory", st.RecvMemory},
	} {
		if left.n != 0 {
			r.failed(left.what+" are left", fmt.Errorf("%s: %d %s are left", h.Name, left.n, left.what))
		}
	}
	for i := range r.pairs {
		ep, err := h.Stack.Open(nil, ports+uint16(i), r.config(side))
		if err != nil {
			r.fail("%s: a port is not free after the end: %w", h.Name, err)
			continue
		}
		ep.Close()
	}
}

func (r *run) checkPair(p *pair, res *Result) {
	graceful := 0
	for _, u := range []*user{p.a, p.z} {
		if u.ended && u.end.Change == fsm.ShutdownComplete {
			graceful++
		}
	}
	again := len(p.flows[SideA]) > 1 || len(p.flows[SideZ]) > 1 || p.a.crashed || p.z.crashed
	// Who closed gracefully knows that its messages arrived, and the peer's
	// were all acknowledged before.
	if graceful > 0 && !again && !p.a.doubtful() && !p.z.doubtful() {
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
	case graceful == 2, graceful == 1 && (p.crossed() || len(r.s.Rebinds) > 0):
		// Who lost the SHUTDOWN COMPLETE asks for it again, in vain if the
		// peer's port is another by now and nobody is there to tell of it.
		res.Graceful++
	case p.a.as != nil || p.z.as != nil:
		res.Ended++
		if r.s.Reliable() && !p.gaveUpEarly() {
			r.fail("a reliable network, and no graceful end: %v; %v", p.a, p.z)
		}
		if r.s.Survives() && !p.gaveUpEarly() && graceful == 0 {
			r.fail("a path lived, and yet: %v; %v", p.a, p.z)
		}
	}
	if c := p.user(Side(b2i(p.plan.Open == OpenByZ))); r.s.Recovers() && p.plan.Open <= OpenByZ && c.ended &&
		c.begun > mono.Time(mono.Second).Add(r.s.settled()) &&
		c.end.Change != fsm.ShutdownComplete && !p.gaveUpEarly() && !p.crossed() {
		r.fail("it was begun after all restarts, and yet: %v; %v", p.a, p.z)
	}
	if r.s.Survives() && p.plan.Open != OpenNobody && !p.gaveUpEarly() {
		for _, f := range []*flow{p.a.out, p.z.out} {
			if f.arrived != f.taken {
				r.fail("a path lived, and yet %d of %d messages of %s arrived", f.arrived, f.taken, f.name)
			}
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
