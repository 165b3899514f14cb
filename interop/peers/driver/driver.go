// Package driver makes a test peer of an SCTP stack for Go: it speaks the
// protocol of interop/README.md over any Stack. peers/common/peer.c is its twin
// in C.
package driver

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gosctp/gosctp/interop/workload"
)

// Options are what a Stack needs to know to open an association.
type Options struct {
	UDP               bool
	Local, Remote     string // IP addresses
	Port, LocalPort   int    // SCTP ports: the server's, the client's (0: any)
	UDPPort, UDPPeer  int    // our UDP port (0: any), and the one we send to
	Streams           int
	HeartbeatInterval time.Duration // 0: the stack's default
}

// A Stack opens one association.
type Stack interface {
	// Name is how results call the stack.
	Name() string
	// Listen makes the stack ready for a client; Accept waits for it.
	Listen(Options) error
	Accept() (Assoc, error)
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

// peer is one run of the protocol.
type peer struct {
	opt     Options
	load    workload.Load
	server  bool
	sends   bool
	expects int // messages to receive
	aborts  bool
	weEnd   bool

	mu       sync.Mutex
	in       *workload.Verifier
	res      workload.Result
	peerDone bool
	all      chan struct{} // closed when everything has been received
	done     chan struct{} // closed when the peer says that it has everything
	ended    chan struct{} // closed when the association has ended
	through  chan struct{} // closed when all has been sent, or cannot be
	once     sync.Once
	started  time.Time
	hold     bool
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

func parse(name string, args []string) *peer {
	p := &peer{started: time.Now(), all: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}), through: make(chan struct{})}
	fs := flag.NewFlagSet(name+"-peer server|client", flag.ExitOnError)
	if len(args) == 0 || (args[0] != "server" && args[0] != "client") {
		fs.Usage()
		os.Exit(64)
	}
	p.server = args[0] == "server"
	transport := fs.String("transport", "raw", "raw or udp")
	fs.StringVar(&p.opt.Local, "local", "", "our IP address")
	fs.StringVar(&p.opt.Remote, "remote", "", "the server's IP address")
	fs.IntVar(&p.opt.Port, "port", 5000, "SCTP port of the server")
	fs.IntVar(&p.opt.LocalPort, "local-port", 0, "SCTP port of the client, 0 for any")
	fs.IntVar(&p.opt.UDPPort, "udp-port", 9899, "our UDP port")
	fs.IntVar(&p.opt.UDPPeer, "udp-peer", 9899, "UDP port of the other side")
	fs.IntVar(&p.load.Messages, "messages", 100, "messages in each direction")
	fs.Uint64Var(&p.load.Seed, "seed", 1, "what the messages are made from")
	fs.IntVar(&p.load.Streams, "streams", 16, "streams in each direction")
	fs.IntVar(&p.load.UnorderedEvery, "unordered-every", 4, "every nth message is unordered, 0 for none")
	fs.IntVar(&p.load.MaxSize, "max-size", 102400, "bytes of the largest message")
	direction := fs.String("direction", "both", "up, down or both")
	end := fs.String("end", "shutdown", "shutdown or abort")
	ender := fs.String("ender", "client", "who ends the association: client, server or both")
	hb := fs.Int("hb-ms", 0, "heartbeat interval, 0 for the stack's default")
	timeout := fs.Int("timeout", 120, "seconds after which to give up")
	fs.BoolVar(&p.hold, "hold", false, "stay after RESULT until standard input ends")
	fs.Parse(args[1:])
	p.opt.UDP = *transport == "udp"
	p.opt.Streams = p.load.Streams
	p.opt.HeartbeatInterval = time.Duration(*hb) * time.Millisecond
	role, mine, theirs := "client", "up", "down"
	in := workload.Down
	if p.server {
		role, mine, theirs, in = "server", "down", "up", workload.Up
	}
	p.sends = *direction == "both" || *direction == mine
	if *direction == "both" || *direction == theirs {
		p.expects = p.load.Messages
	}
	p.aborts = *end == "abort"
	p.weEnd = *ender == "both" || *ender == role
	p.in = workload.NewVerifier(&p.load, in)
	p.res = workload.Result{Stack: name, Role: role, Transport: *transport}
	time.AfterFunc(time.Duration(*timeout)*time.Second, func() {
		p.mu.Lock()
		p.fail("timeout")
		p.hold = false
		p.mu.Unlock()
		p.finish()
	})
	return p
}

// fail records the first thing that went wrong; p.mu is held.
func (p *peer) fail(what string) {
	if p.res.Error == "" {
		p.res.Error = what
	}
}

func (p *peer) run(s Stack) error {
	var a Assoc
	var err error
	if p.server {
		if err = s.Listen(p.opt); err != nil {
			return err
		}
		fmt.Println("READY")
		a, err = s.Accept()
	} else {
		a, err = s.Dial(p.opt)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.res.Up = true
	p.res.StreamsOut, p.res.StreamsIn = a.Streams()
	p.mu.Unlock()
	if p.expects == 0 {
		close(p.all)
	}
	go p.send(a)
	return p.receive(a)
}

// send is the sending side. A graceful end starts once everything has been
// received and handed to the stack: what is still under way is SHUTDOWN's to
// deliver. An abortive one waits for the other side to say that it has
// everything. The side to be aborted keeps sending, so that a lost ABORT is
// noticed soon.
func (p *peer) send(a Assoc) {
	err := p.sendAll(a)
	close(p.through)
	if err != nil {
		p.refused("send", err)
		return
	}
	select {
	case <-p.all:
	case <-p.ended:
		return
	}
	if !p.aborts {
		if p.weEnd {
			p.refused("shutdown", a.Shutdown())
		}
		return
	}
	if err := a.Send(0, workload.PPID(workload.Done, 0), false, []byte("DONE")); err != nil {
		p.refused("send", err)
		return
	}
	if p.weEnd {
		select {
		case <-p.done:
			p.refused("abort", a.Abort("interop test"))
		case <-p.ended:
		}
		return
	}
	tick := time.NewTicker(300 * time.Millisecond)
	for {
		select {
		case <-tick.C:
			if a.Send(0, workload.PPID(workload.Ping, 0), false, []byte("PING")) != nil {
				return // the receiving side learns why
			}
		case <-p.ended:
			return
		}
	}
}

func (p *peer) sendAll(a Assoc) error {
	dir := workload.Up
	if p.server {
		dir = workload.Down
	}
	var buf []byte
	for i := 0; p.sends && i < p.load.Messages; i++ {
		m := p.load.Message(dir, i)
		buf = m.Append(buf[:0])
		if err := a.Send(m.Stream, workload.PPID(workload.Data, i), m.Unordered, buf); err != nil {
			return err
		}
		p.mu.Lock()
		p.res.Sent++
		p.res.SentBytes += int64(m.Size)
		p.mu.Unlock()
	}
	return nil
}

// refused is called when a call was refused. That is no fault if the other side
// was first with the end, which is about to be reported then.
func (p *peer) refused(what string, err error) {
	if err == nil {
		return
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.mu.Lock()
		p.fail(what + ": " + err.Error())
		p.mu.Unlock()
		p.finish()
	}
}

func (p *peer) receive(a Assoc) error {
	defer close(p.ended)
	for {
		m, err := a.Recv()
		if end, ok := err.(*End); ok {
			p.mu.Lock()
			p.res.Ending, p.res.Cause = end.Ending, end.Cause
			p.mu.Unlock()
			select { // the end may be known before the last call to Send has returned
			case <-p.through:
			case <-time.After(10 * time.Second):
			}
			return nil
		} else if err != nil {
			return err
		}
		switch workload.KindOf(m.PPID) {
		case workload.Ping:
		case workload.Done:
			if !p.peerDone {
				p.peerDone = true
				close(p.done)
			}
		default:
			p.mu.Lock()
			err = p.in.Take(m.Stream, m.PPID, m.Ordering, m.Payload)
			all := p.in.Received == p.expects
			p.mu.Unlock()
			if err != nil {
				return err
			}
			if all {
				close(p.all)
			}
		}
	}
}

// finish prints the result, once, and ends the process.
func (p *peer) finish() {
	p.once.Do(func() {
		p.mu.Lock()
		r := &p.res
		r.Received, r.ReceivedBytes, r.Unordered = p.in.Received, p.in.Bytes, p.in.Unordered
		r.Digest = fmt.Sprintf("%016x", p.in.Digest)
		r.Verified = r.Received == p.expects && r.Error == ""
		if p.sends && r.Sent != p.load.Messages {
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
			io.Copy(io.Discard, os.Stdin)
		}
		if failed {
			os.Exit(1)
		}
		os.Exit(0)
	})
	select {} // another goroutine is at it
}
