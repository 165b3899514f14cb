// Package driver makes a test peer of an SCTP stack for Go: it speaks the
// protocol of interop/README.md over any Stack. peers/common/peer.c is its twin
// in C.
package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gosctp/gosctp/interop/workload"
)

// A Stack opens associations, one after the other.
type Stack interface {
	// Name is how results call the stack.
	Name() string
	// Listen makes the stack ready for a client; Accept waits for it.
	Listen(Options) error
	Accept() (Assoc, error)
	// Dial returns an *End if the other side refuses.
	Dial(Options) (Assoc, error)
}

// An Assoc is an association that is up.
type Assoc interface {
	Streams() (out, in int)
	// Send blocks while the send buffer is full. It is called by one
	// goroutine at a time.
	Send(stream uint16, ppid uint32, unordered bool, p []byte) error
	// Recv returns the next whole message, or an *End when the association
	// has ended. It is called by one goroutine at a time.
	Recv() (Msg, error)
	// Shutdown begins the graceful end; Recv reports when it is over.
	Shutdown() error
	Abort(reason string) error
}

// A Msg is a received message; Payload is valid until the next Recv.
type Msg struct {
	Stream   uint16
	PPID     uint32
	Ordering workload.Ordering
	Payload  []byte
}

// An End says how an association ended.
type End struct {
	Ending string // workload.ShutdownComp or CommLost
	Cause  int    // the first cause code of the ABORT received, 0 if there was none
}

func (e *End) Error() string {
	return fmt.Sprintf("association ended: %s, cause %d", e.Ending, e.Cause)
}

// ErrRestarted is what Recv returns in place of the first message of a peer that
// has restarted within the association.
var ErrRestarted = errors.New("the peer has restarted")

// A Multihomed is an Assoc that knows several paths.
type Multihomed interface {
	// OnPath has f called by Recv when a path changed: to available,
	// unreachable or confirmed.
	OnPath(f func(addr, state string))
	// SetPrimary fails while the address is not confirmed.
	SetPrimary(addr string) error
}

// peer is one run of the protocol.
type peer struct {
	opt       Options
	load      workload.Load
	server    bool
	sends     bool
	receives  bool
	aborts    bool
	weEnd     bool
	again     bool
	untilStop bool
	pace      time.Duration
	primary   string

	mu    sync.Mutex
	in    *workload.Verifier
	res   workload.Result
	gen   *generation
	inGen int
	last  int // how many messages the peer says that it sends, -1: not known yet

	stop      chan struct{} // closed when standard input says so
	inputOver chan struct{} // closed when there is no more of it
	once      sync.Once
	started   time.Time
	hold      bool
}

// A generation is one beginning of the workload: the first, or one after the
// peer has restarted or the association was lost.
type generation struct {
	n       int
	a       Assoc
	all     chan struct{} // closed when everything has been received
	done    chan struct{} // closed when the peer says that it has everything
	over    chan struct{} // closed when the association has ended, or the next generation begins
	through chan struct{} // closed when all has been sent, or cannot be
}

// Main runs a peer on the command line's terms and ends the process.
func Main(s Stack) {
	p := parse(s.Name(), os.Args[1:])
	if err := p.run(s); err != nil {
		p.mu.Lock()
		p.fail(err.Error())
		p.mu.Unlock()
	}
	p.finish()
}

// fail records the first thing that went wrong; p.mu is held.
func (p *peer) fail(what string) {
	if p.res.Error == "" {
		p.res.Error = what
	}
}

// expected returns how many messages are to be received, -1 if that is not
// known yet; p.mu is held.
func (p *peer) expected() int {
	switch {
	case !p.receives:
		return 0
	case p.untilStop:
		return p.last
	}
	return p.load.Messages
}

func (p *peer) run(s Stack) error {
	if p.server {
		if err := s.Listen(p.opt); err != nil {
			return err
		}
		fmt.Println("READY")
	}
	for {
		a, err := p.associate(s)
		if end := (*End)(nil); errors.As(err, &end) {
			p.mu.Lock()
			p.res.Ending, p.res.Cause = end.Ending, end.Cause
			p.mu.Unlock()
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.res.Up = true
		p.begin(a)
		p.mu.Unlock()
		if m, ok := a.(Multihomed); ok {
			p.watch(m)
		}
		fmt.Println("EVENT up")
		if err = p.receive(a); err != nil {
			return err
		}
		p.mu.Lock()
		fmt.Println("EVENT lost", p.res.Cause)
		// A stack may end gracefully for a process that was killed.
		lost := p.again && (p.res.Ending != workload.ShutdownComp || p.in.Received != p.expected())
		if lost {
			p.res.Losses++
			p.res.Ending = ""
		}
		p.mu.Unlock()
		if !lost {
			return nil
		}
	}
}

// associate waits for an association, or dials one; again and again where
// that is wanted.
func (p *peer) associate(s Stack) (Assoc, error) {
	if p.server {
		return s.Accept()
	}
	for {
		a, err := s.Dial(p.opt)
		if err == nil || !p.again {
			return a, err
		}
		fmt.Println("EVENT not up:", err)
		time.Sleep(100 * time.Millisecond)
	}
}

// begin begins a generation; p.mu is held.
func (p *peer) begin(a Assoc) {
	g := &generation{a: a, all: make(chan struct{}), done: make(chan struct{}), over: make(chan struct{}), through: make(chan struct{})}
	before := p.gen
	if before != nil {
		g.n = before.n + 1
		p.in.Reset()
		p.res.Sent, p.res.SentBytes, p.inGen, p.last = 0, 0, 0, -1
	}
	p.gen = g
	p.res.StreamsOut, p.res.StreamsIn = a.Streams()
	if !p.receives {
		close(g.all)
	}
	go func() {
		if before != nil {
			<-before.through // one at a time sends
		}
		p.send(g)
	}()
}

// watch tells of the paths, and sets the primary one as soon as that is possible.
func (p *peer) watch(m Multihomed) {
	primary := func() {
		if p.primary != "" {
			m.SetPrimary(p.primary)
		}
	}
	m.OnPath(func(addr, state string) {
		fmt.Println("EVENT path", addr, state)
		if addr == p.primary && state == "confirmed" {
			primary()
		}
	})
	primary()
}

// send is the sending side of a generation. A graceful end starts once
// everything has been received and handed to the stack: what is still under way
// is SHUTDOWN's to deliver. An abortive one waits for the other side to say that
// it has everything. The side to be aborted keeps sending, so that a lost ABORT
// is noticed soon.
func (p *peer) send(g *generation) {
	err := p.sendAll(g)
	close(g.through)
	if err != nil {
		p.refused(g, "send", err)
		return
	}
	select {
	case <-g.all:
	case <-g.over:
		return
	}
	if !p.aborts {
		if p.weEnd {
			p.refused(g, "shutdown", g.a.Shutdown())
		}
		return
	}
	if err := g.a.Send(0, workload.PPID(workload.Done, g.n, 0), false, []byte("DONE")); err != nil {
		p.refused(g, "send", err)
		return
	}
	if p.weEnd {
		select {
		case <-g.done:
			p.refused(g, "abort", g.a.Abort("interop test"))
		case <-g.over:
		}
		return
	}
	tick := time.NewTicker(300 * time.Millisecond)
	for {
		select {
		case <-tick.C:
			if g.a.Send(0, workload.PPID(workload.Ping, g.n, 0), false, []byte("PING")) != nil {
				return // the receiving side learns why
			}
		case <-g.over:
			return
		}
	}
}

func (p *peer) sendAll(g *generation) error {
	dir := workload.Up
	if p.server {
		dir = workload.Down
	}
	var buf []byte
	i := 0
	for ; p.sends && i < p.load.Messages && !p.stopped(); i++ {
		m := p.load.Message(dir, i)
		buf = m.Append(buf[:0])
		if err := g.a.Send(m.Stream, workload.PPID(workload.Data, g.n, i), m.Unordered, buf); err != nil {
			return err
		}
		p.mu.Lock()
		current := p.gen == g
		if current {
			p.res.Sent++
			p.res.SentBytes += int64(m.Size)
		}
		p.mu.Unlock()
		if !current {
			return nil
		}
		if p.pace > 0 {
			time.Sleep(p.pace)
		}
	}
	if p.sends && p.untilStop {
		return g.a.Send(0, workload.PPID(workload.Last, g.n, i), false, []byte("LAST"))
	}
	return nil
}

// stopped says whether no more messages are wanted.
func (p *peer) stopped() bool {
	if !p.untilStop {
		return false
	}
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// refused is called when a call was refused. That is no fault if the other side
// was first with the end, or has restarted, which is about to be reported then.
func (p *peer) refused(g *generation, what string, err error) {
	if err == nil {
		return
	}
	select {
	case <-g.over:
	case <-time.After(10 * time.Second):
		p.mu.Lock()
		p.fail(what + ": " + err.Error())
		p.mu.Unlock()
		p.finish()
	}
}

// receive is the receiving side, until the association ends.
func (p *peer) receive(a Assoc) error {
	defer func() { close(p.gen.over) }()
	for {
		m, err := a.Recv()
		if end, ok := err.(*End); ok {
			p.mu.Lock()
			p.res.Ending, p.res.Cause = end.Ending, end.Cause
			p.mu.Unlock()
			select { // the end may be known before the last call to Send has returned
			case <-p.gen.through:
			case <-time.After(10 * time.Second):
			}
			return nil
		} else if errors.Is(err, ErrRestarted) {
			fmt.Println("EVENT restart")
			p.mu.Lock()
			p.res.Restarts++
			close(p.gen.over)
			p.begin(a)
			p.mu.Unlock()
			continue
		} else if err != nil {
			return err
		}
		p.mu.Lock()
		err = p.take(m)
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// take takes a message; p.mu is held.
func (p *peer) take(m Msg) error {
	g := workload.GenerationOf(m.PPID)
	if p.again && g < p.inGen { // queued before the other side knew that we are new
		p.res.Stale++
		return nil
	}
	if p.again && g > p.inGen {
		p.inGen, p.last = g, -1
		p.in.Reset()
	}
	switch workload.KindOf(m.PPID) {
	case workload.Ping:
		return nil
	case workload.Done:
		closeOnce(p.gen.done)
		return nil
	case workload.Last:
		p.last = workload.IndexOf(m.PPID)
	default:
		if err := p.in.Take(m.Stream, m.PPID, m.Ordering, m.Payload); err != nil {
			return err
		}
		if p.untilStop && p.in.Received%100 == 0 {
			fmt.Println("PROGRESS", p.in.Received)
		}
	}
	if p.in.Received == p.expected() {
		closeOnce(p.gen.all)
	}
	return nil
}

// closeOnce closes a channel unless it is closed; p.mu is held.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// finish prints the result, once, and ends the process.
func (p *peer) finish() {
	p.once.Do(func() {
		p.mu.Lock()
		r := &p.res
		r.Received, r.ReceivedBytes, r.Unordered = p.in.Received, p.in.Bytes, p.in.Unordered
		r.Digest = fmt.Sprintf("%016x", p.in.Digest)
		r.Verified = r.Received == p.expected() && r.Error == ""
		if p.sends && !p.untilStop && r.Sent != p.load.Messages {
			p.fail("not everything was sent")
		}
		if !r.Verified {
			p.fail("not everything was received")
		}
		r.Millis = time.Since(p.started).Milliseconds()
		b, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		fmt.Printf("RESULT %s\n", b)
		hold, failed := p.hold, r.Error != ""
		p.mu.Unlock()
		if hold {
			<-p.inputOver
		}
		if failed {
			os.Exit(1)
		}
		os.Exit(0)
	})
	select {} // another goroutine is at it
}
