// Command pion is the test peer on github.com/pion/sctp, over UDP encapsulation
// (RFC 6951): pion's packets, ports and checksum included, are the datagrams.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/sctp"

	"github.com/gosctp/gosctp/interop/peers/driver"
	"github.com/gosctp/gosctp/interop/workload"
)

func main() { driver.Main(&stack{}) }

type stack struct {
	opt  driver.Options
	wire *wire
}

func (*stack) Name() string { return "pion" }

func (s *stack) Listen(o driver.Options) error {
	s.opt = o
	return s.open()
}

// open binds the UDP socket. Port 0 is a client's: any will do.
func (s *stack) open() error {
	if !s.opt.UDP {
		return errors.New("pion has no raw IP transport")
	}
	if s.opt.Port != 5000 {
		return errors.New("pion knows no SCTP port but 5000")
	}
	sock, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(s.opt.Local[0]), Port: s.opt.UDPPort})
	if err != nil {
		return err
	}
	sock.SetReadBuffer(4 << 20)
	s.wire = &wire{UDPConn: sock}
	if s.opt.Remote[0] != "" {
		s.wire.peer.Store(&net.UDPAddr{IP: net.ParseIP(s.opt.Remote[0]), Port: s.opt.UDPPeer})
	}
	return nil
}

func (s *stack) options() (out []sctp.AssociationOption) {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	return []sctp.AssociationOption{
		sctp.WithNetConn(s.wire), sctp.WithLoggerFactory(quiet), sctp.WithBlockWrite(true),
		sctp.WithMaxMessageSize(1 << 20), sctp.WithMTU(1500 - 28),
	}
}

func (s *stack) Accept() (driver.Assoc, error) {
	var opts []sctp.ServerOption
	for _, o := range s.options() {
		opts = append(opts, o)
	}
	a, err := sctp.ServerWithOptions(opts...)
	return s.assoc(a), err
}

func (s *stack) Dial(o driver.Options) (driver.Assoc, error) {
	s.opt = o
	if err := s.open(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var opts []sctp.ClientOption
	for _, o := range s.options() {
		opts = append(opts, o)
	}
	a, err := sctp.ClientContext(ctx, opts...)
	return s.assoc(a), err
}

// An assoc reads all streams, each in a goroutine of its own, since pion has no
// queue common to them.
type assoc struct {
	a       *sctp.Association
	wire    *wire
	streams int

	mu      sync.Mutex
	readers map[uint16]bool // streams that are being read
	over    bool
	wg      sync.WaitGroup

	msgs    chan driver.Msg
	taken   chan struct{} // the message last received may be overwritten
	pending bool
	readErr atomic.Pointer[error]
	aborted atomic.Bool
}

func (s *stack) assoc(a *sctp.Association) *assoc {
	if a == nil {
		return nil
	}
	as := &assoc{a: a, wire: s.wire, streams: s.opt.Streams, readers: map[uint16]bool{},
		msgs: make(chan driver.Msg), taken: make(chan struct{})}
	go as.accept()
	return as
}

// accept takes the streams that the peer has used first, until the end.
func (as *assoc) accept() {
	for {
		s, err := as.a.AcceptStream()
		if err != nil {
			break
		}
		as.use(s)
	}
	as.mu.Lock()
	as.over = true
	as.mu.Unlock()
	as.wg.Wait()
	close(as.msgs)
}

// use starts the reader of a stream that has none.
func (as *assoc) use(s *sctp.Stream) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if id := s.StreamIdentifier(); !as.over && !as.readers[id] {
		as.readers[id] = true
		as.wg.Go(func() { as.read(s) })
	}
}

func (as *assoc) read(s *sctp.Stream) {
	buf := make([]byte, 1<<20)
	for {
		n, ppid, err := s.ReadSCTP(buf)
		if err != nil {
			as.readErr.CompareAndSwap(nil, &err)
			return
		}
		as.msgs <- driver.Msg{Stream: s.StreamIdentifier(), PPID: uint32(ppid), Ordering: workload.NotTold, Payload: buf[:n]}
		<-as.taken
	}
}

// pion does not say how many streams were negotiated.
func (as *assoc) Streams() (out, in int) { return as.streams, as.streams }

func (as *assoc) Send(stream uint16, ppid uint32, unordered bool, p []byte) error {
	s, err := as.a.OpenStream(stream, sctp.PayloadTypeWebRTCBinary)
	if err != nil {
		return err
	}
	as.use(s)
	s.SetReliabilityParams(unordered, sctp.ReliabilityTypeReliable, 0)
	_, err = s.WriteSCTP(p, sctp.PayloadProtocolIdentifier(ppid))
	return err
}

func (as *assoc) Recv() (driver.Msg, error) {
	if as.pending {
		as.taken <- struct{}{}
	}
	m, ok := <-as.msgs
	if as.pending = ok; ok {
		return m, nil
	}
	// All streams have ended. pion tells an abort by the readers' error; that a
	// graceful end was complete only the packets show.
	var why error
	if p := as.readErr.Load(); p != nil {
		why = *p
	}
	end := &driver.End{Ending: workload.CommLost}
	switch {
	case errors.Is(why, sctp.ErrUserInitiatedAbort):
		end.Cause = workload.UserInitiatedAbort
	case errors.Is(why, sctp.ErrChunk), as.aborted.Load():
	case as.wire.complete.Load():
		end.Ending = workload.ShutdownComp
	default:
		return driver.Msg{}, fmt.Errorf("pion ended without SHUTDOWN COMPLETE or ABORT: %w", why)
	}
	go as.wire.outOfTheBlue()
	return driver.Msg{}, end
}

func (as *assoc) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	return as.a.Shutdown(ctx)
}

func (as *assoc) Abort(reason string) error {
	as.aborted.Store(true)
	as.a.Abort(reason)
	return nil
}
