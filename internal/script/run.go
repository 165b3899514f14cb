package script

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/sim"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack"
)

// Playing a script.

// Options are for looking at a run; the zero value only says how it ended.
type Options struct {
	// Trace gets each packet and each step of the stack as a line.
	Trace io.Writer
	// MaxSteps bounds what happens in a script, 0 for half a million.
	MaxSteps int
}

// Result is what came of a script that passed.
type Result struct {
	Statements int           // done, those of blocks each time
	Packets    uint64        // in both directions
	Time       time.Duration // that passed for the stack
}

// A Failure says which statement of a script did not hold.
type Failure struct {
	File string
	Line int
	Text string        // the statement
	At   time.Duration // since the beginning
	Err  error         // what was expected, and what came
	Tail string        // the last packets and steps, as lines
}

// Error returns all of it, in several lines.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s:%d: after %v: %v\n    %s", f.File, f.Line, f.At, f.Err, f.Text)
	if f.Tail != "" {
		s += "\n  what happened last:\n    " + strings.ReplaceAll(strings.TrimRight(f.Tail, "\n"), "\n", "\n    ")
	}
	return s
}

// Unwrap returns what was expected, and what came.
func (f *Failure) Unwrap() error { return f.Err }

// packet is one of the stack's that arrived at the peer.
type packet struct {
	at       mono.Time
	src, dst netip.Addr
	data     []byte
}

type runner struct {
	s     *Script
	net   *sim.Network
	stack *sim.Host
	peer  *sim.Host
	wires map[[2]netip.Addr]*impair.Link
	env   env
	tail  *trace.Tail

	start   mono.Time
	base    mono.Time // when the last statement was done
	queue   []packet  // not matched yet
	last    *packet   // matched last
	inTag   chunk.VTag
	answers bool // HEARTBEATs
	user    user

	strangers []netip.Addr // beside the peer's addresses, that packets came from

	steps, maxSteps int
	done            int // statements
	cur             *stmt
}

var (
	errTooMuch   = errors.New("too much happens: the script or the stack does not come to rest")
	errContained = errors.New("the stack contained a panic")
)

// Run plays s. The error is nil or a *Failure.
func (s *Script) Run(o Options) (res Result, err error) {
	r := &runner{s: s, env: make(env), tail: trace.NewTail(30), wires: make(map[[2]netip.Addr]*impair.Link), maxSteps: o.MaxSteps}
	if r.maxSteps == 0 {
		r.maxSteps = 500_000
	}
	var w io.Writer = r.tail
	if o.Trace != nil {
		w = io.MultiWriter(r.tail, o.Trace)
	}
	defer func() {
		if r.net != nil {
			res = Result{Statements: r.done, Packets: r.net.Packets(), Time: r.net.Now().Sub(r.start).Std()}
		}
		if err != nil {
			f := &Failure{File: s.File, At: res.Time, Err: err, Tail: r.tail.String()}
			if r.cur != nil {
				f.Line, f.Text = r.cur.line, r.cur.text
			}
			err = f
		}
	}()
	if err := r.build(w); err != nil {
		return res, err
	}
	err = r.block(s.body)
	if err == nil {
		err = r.rest()
	}
	if err == nil {
		err = r.user.left(r)
	}
	if r.stack.Stack.Stats().Contained != 0 {
		err = errors.Join(errContained, err)
	}
	return res, err
}

func (r *runner) build(w io.Writer) error {
	c := &r.s.world
	r.net = sim.NewNetwork(1)
	r.start, r.base = r.net.Now(), r.net.Now()
	r.net.Tap = func(p sim.Packet) {
		way := ">"
		if !slices.Contains(c.local, p.Src) {
			way = "<"
		}
		// What arrives here is seen when it was sent, what arrives there when
		// it did.
		if p.Arrived == (way == "<") {
			fmt.Fprintf(w, "%9.3f %s %v to %v: %s\n", p.At.Sub(r.start).Seconds(), way, p.Src, p.Dst, describePacket(r.env, p.Data))
		}
	}
	r.stack = r.net.AddHost("stack", c.mtu, stack.Options{Trace: &trace.Writer{W: indent{w, r.start}}}, c.local...)
	r.peer = r.net.AddPeer("peer", r.arrive, c.peer...)
	for _, a := range c.local {
		for _, b := range c.peer {
			r.wires[[2]netip.Addr{a, b}] = r.net.Connect(a, b, impair.Config{Delay: mono.FromStd(c.delay)})
			r.wires[[2]netip.Addr{b, a}] = r.net.Connect(b, a, impair.Config{Delay: mono.FromStd(c.delay)})
		}
	}
	ep, err := r.stack.Stack.Open(c.bind, c.stackPort, &c.cfg)
	if err != nil {
		return err
	}
	r.user.ep = ep
	r.env[varPeerTag] = num(uint32(0x7E57AB1E))
	r.env[varPeerTSN] = num(uint32(1000))
	return nil
}

// indent writes the steps of the stack between the packets; it takes whole
// lines.
type indent struct {
	w     io.Writer
	start mono.Time
}

func (i indent) Write(p []byte) (int, error) {
	line := p
	if _, rest, ok := bytes.Cut(p, []byte(" ")); ok {
		line = rest
	}
	_, err := fmt.Fprintf(i.w, "%12s%s", "", line)
	return len(p), err
}

func (r *runner) block(body []stmt) error {
	for i := range body {
		st := &body[i]
		r.cur = st
		if r.done++; r.done > r.maxSteps {
			return errTooMuch
		}
		if err := st.do.run(r); err != nil {
			return err
		}
	}
	return nil
}

// arrive takes a packet of the stack's.
func (r *runner) arrive(src, dst netip.Addr, data []byte) {
	p := packet{r.net.Now(), src, dst, bytes.Clone(data)}
	if cs, err := split(p.data); r.answers && err == nil && len(cs) == 1 && cs[0].Type() == chunk.TypeHeartbeat {
		tag, err := r.env.num(ref(varStackTag), u32)
		if err == nil {
			r.peer.Send(dst, src, r.packet(chunk.VTag(tag), r.s.world.peerPort, r.s.world.stackPort, chunk.AppendHeartbeatAck(nil, cs[0])))
			return
		}
	}
	r.queue = append(r.queue, p)
}

// packet puts chunks, each padded, into a packet.
func (r *runner) packet(tag chunk.VTag, sport, dport uint16, chunks []byte) []byte {
	b := append(chunk.AppendHeader(nil, sport, dport, tag), chunks...)
	chunk.SetChecksum(b)
	return b
}

// pass lets time pass until limit, or until stop says so.
func (r *runner) pass(limit mono.Time, stop func() bool) error {
	reached := false
	r.net.At(limit, func() { reached = true })
	for !stop() {
		if r.steps++; r.steps > r.maxSteps {
			return errTooMuch
		}
		if !r.net.Step(limit) {
			if !reached {
				return errors.New("time stands still")
			}
			return nil
		}
	}
	return nil
}

func never() bool { return false }

// rest lets happen what happens now, after which nothing may wait to be
// expected.
func (r *runner) rest() error {
	if err := r.pass(r.net.Now(), never); err != nil {
		return err
	}
	return r.quiet()
}

func (r *runner) quiet() error {
	if len(r.queue) == 0 {
		return nil
	}
	p := &r.queue[0]
	return fmt.Errorf("expected no packet, came %s from %v to %v, %s", describePacket(r.env, p.data), p.src, p.dst, r.ago(p.at))
}

func (r *runner) ago(t mono.Time) string {
	return fmt.Sprintf("%v after the statement before", t.Sub(r.base).Std())
}

// wait lets d pass in silence.
func (r *runner) wait(d time.Duration) error {
	if err := r.pass(r.base.Add(mono.FromStd(d)), never); err != nil {
		return err
	}
	return r.quiet()
}

// acted ends a statement: what it caused is on its way.
func (r *runner) acted() error {
	r.base = r.net.Now()
	return r.user.poll(r)
}
