package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/pcapng"
	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/gosctp/gosctp/socketapi"
)

// Options are what the flags say.
type Options struct {
	Transport string // one of Transports, "" for the best that can be had
	Bytes     units.Bytes
	Streams   int
	Loss      units.Fraction
	MTU       int
	Pcap      string
	Record    string // of the sender's stack
	Data      bool   // with user data
	Seed      uint64
	Stall     time.Duration // give up after that long without progress
}

// Defaults returns the options of a run without flags.
func Defaults() Options {
	return Options{Bytes: 64 << 20, Streams: 16, MTU: 1500, Stall: 30 * time.Second}
}

// Validate reports options that make no sense.
func (o *Options) Validate() error {
	switch {
	case !validTransport(o.Transport):
		return outcome.Usage("there is no transport %q: rawip, rawip6, udp or mem", o.Transport)
	case o.Bytes < 1:
		return outcome.Usage("--bytes must be at least 1")
	case o.Streams < 1 || o.Streams > math.MaxUint16:
		return outcome.Usage("--streams must be within 1 and 65535")
	case o.MTU < 576 || o.MTU > 65535:
		return outcome.Usage("--mtu must be within 576 and 65535")
	case o.Data && o.Record == "":
		return outcome.Usage("--record-data needs --record")
	case o.Loss >= 1:
		return outcome.Usage("with --loss 100%% nothing would ever arrive")
	}
	return nil
}

// Result is what a run found out; as JSON it is what --json prints.
type Result struct {
	Transport       string  `json:"transport"`
	Reason          string  `json:"reason"` // why this transport
	Bytes           int64   `json:"bytes"`  // verified
	Messages        int64   `json:"messages"`
	Streams         int     `json:"streams"`
	Verified        bool    `json:"verified"`
	Goodput         float64 `json:"goodput_bits_per_second"`
	Retransmissions uint64  `json:"retransmissions"` // DATA chunks sent again
	HandshakeUS     float64 `json:"handshake_us"`
	DurationMS      float64 `json:"duration_ms"` // from the first send to the last byte verified
	RTTUS           float64 `json:"rtt_us"`      // smoothed
	PathMTU         int     `json:"path_mtu"`
	Packets         uint64  `json:"packets"` // sent by the client
	Loss            float64 `json:"loss"`
	PacketsLost     uint64  `json:"packets_lost"` // on purpose, both directions
	Seed            uint64  `json:"seed"`
	Captured        int     `json:"captured_packets,omitempty"`
	Error           string  `json:"error,omitempty"`
}

// A run is one transfer under way.
type run struct {
	o        *Options
	plan     Plan
	verifier *Verifier
	got      atomic.Int64 // bytes verified
	finished atomic.Int64 // when, in nanoseconds since begun
	begun    time.Time
	out, in  *socketapi.Conn
	dialled  atomic.Pointer[socketapi.Conn] // out, once there
}

// Run moves the data and verifies it. The Result is filled as far as the run
// came, also if there is an error. progress may be nil; it is called now and
// then with the bytes verified so far.
func Run(ctx context.Context, o Options, progress func(int64)) (res Result, err error) {
	res = Result{Transport: o.Transport, Streams: o.Streams, Loss: float64(o.Loss), Seed: o.Seed, PathMTU: o.MTU}
	defer func() {
		if err != nil {
			res.Error = err.Error()
		}
	}()
	if err := o.Validate(); err != nil {
		return res, err
	}
	var capture *pcapng.Writer
	if o.Pcap != "" {
		f, err := os.Create(o.Pcap)
		if err != nil {
			return res, err
		}
		defer f.Close()
		if capture, err = pcapng.New(f, "sctp demo (gosctp)"); err != nil {
			return res, err
		}
	}
	w, err := openWire(&o)
	if err != nil {
		return res, err
	}
	res.Transport, res.Reason = w.name, w.why
	r := &run{o: &o, plan: Plan{Seed: o.Seed, Bytes: int64(o.Bytes), Streams: o.Streams}}
	r.verifier = r.plan.NewVerifier()
	err = w.start(&o, capture)
	if err == nil {
		err = r.transfer(ctx, w, &res, progress)
	}
	res.PacketsLost = w.lost()
	if cerr := w.close(); err == nil {
		err = cerr
	}
	if capture != nil {
		res.Captured = capture.Count()
		if cerr := capture.Close(); err == nil && cerr != nil {
			err = cerr // an fs.PathError: it names the file
		}
	}
	res.Bytes, res.Messages = r.verifier.bytes, r.verifier.messages
	res.Verified = err == nil
	return res, err
}

// transfer sets the association up, runs sender and receiver, and watches over
// them.
func (r *run) transfer(parent context.Context, w *wire, res *Result, progress func(int64)) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	cfg := &socketapi.Config{
		LocalAddr: &socketapi.Addr{IPs: w.addrs[:1]}, OutStreams: uint16(r.o.Streams), PathMTU: r.o.MTU,
	}
	l, err := w.server.ListenAddr(&socketapi.Addr{IPs: w.addrs[1:]}, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	port := l.Addr().(*socketapi.Addr).Port
	w.port.Store(uint32(port))
	var watch sync.WaitGroup
	watching := make(chan struct{})
	defer watch.Wait()
	defer close(watching)
	watch.Go(func() { r.watch(watching, cancel, progress) })

	r.begun = time.Now()
	addr := net.JoinHostPort(w.addrs[1].String(), strconv.Itoa(int(port)))
	if r.out, err = w.client.Dial(ctx, addr, cfg); err != nil {
		return causeOf(ctx, fmt.Errorf("set up the association: %w", err))
	}
	r.dialled.Store(r.out)
	res.HandshakeUS = float64(time.Since(r.begun).Nanoseconds()) / 1e3
	if r.in, err = l.AcceptSCTP(ctx); err != nil {
		return causeOf(ctx, fmt.Errorf("accept the association: %w", err))
	}
	if n := int(r.out.Status().OutStreams); n < r.o.Streams {
		return fmt.Errorf("the association has only %d streams", n)
	}
	stop := context.AfterFunc(ctx, func() {
		r.out.Abort("the demo was stopped")
		r.in.Abort("the demo was stopped")
	})
	defer stop()

	r.begun = time.Now()
	var peers sync.WaitGroup
	var sendErr, recvErr error
	peers.Go(func() {
		if recvErr = r.receive(); recvErr != nil {
			cancel(recvErr)
		}
	})
	sendErr = r.send()
	status := r.out.Status()
	if sendErr == nil {
		sendErr = r.out.CloseWait(ctx)
	}
	if sendErr != nil {
		cancel(sendErr)
	}
	peers.Wait()
	r.report(res, status, r.out.Status())
	if recvErr != nil {
		return causeOf(ctx, fmt.Errorf("receive: %w", recvErr))
	}
	if sendErr != nil {
		return causeOf(ctx, fmt.Errorf("send: %w", sendErr))
	}
	return r.verifier.Done()
}

// causeOf prefers the reason for which ctx was cancelled to what came of it.
func causeOf(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil || errors.Is(err, cause):
		return err
	case errors.Is(cause, context.Canceled):
		return outcome.ErrInterrupted
	default:
		return cause
	}
}

func (r *run) report(res *Result, before, after socketapi.Status) {
	s := before
	for _, p := range s.Paths {
		res.RTTUS = float64(p.SRTT.Nanoseconds()) / 1e3
		res.PathMTU = p.PMTU
	}
	res.Retransmissions = max(before.Retransmissions, after.Retransmissions)
	res.Packets = max(before.OutPackets, after.OutPackets)
	took := time.Since(r.begun)
	if ns := r.finished.Load(); ns != 0 {
		took = time.Duration(ns)
	}
	res.DurationMS = float64(took.Nanoseconds()) / 1e6
	if got := r.got.Load(); got > 0 && took > 0 {
		res.Goodput = float64(got) * 8 / took.Seconds()
	}
}

func (r *run) send() error {
	pat, buf := r.plan.pattern(), make([]byte, MaxMessage)
	c := r.plan.walk()
	var m message
	for c.Next(&m) {
		info := socketapi.SendInfo{Stream: m.stream, Unordered: m.unordered}
		if _, err := r.out.SendMsg(info, r.plan.fill(buf, &m, pat)); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) receive() error {
	buf := make([]byte, MaxMessage+1)
	have := 0
	for {
		n, info, err := r.in.RecvMsg(buf[have:])
		if errors.Is(err, io.EOF) && have == 0 {
			r.in.Close()
			return r.verifier.Done()
		}
		if err != nil {
			return err
		}
		have += n
		if !info.EOR {
			if have == len(buf) {
				return fmt.Errorf("a message on stream %d is longer than any that was sent", info.Stream)
			}
			continue
		}
		if err := r.verifier.Check(info.Stream, info.Unordered, buf[:have]); err != nil {
			return err
		}
		r.got.Add(int64(have))
		have = 0
		if r.verifier.bytes == r.plan.Bytes {
			r.finished.Store(int64(time.Since(r.begun)))
		}
	}
}

// watch reports progress, and cancels the run when there is none.
func (r *run) watch(done <-chan struct{}, cancel context.CancelCauseFunc, progress func(int64)) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last, since := int64(0), time.Now()
	for {
		select {
		case <-done:
			if progress != nil {
				progress(r.got.Load())
			}
			return
		case <-tick.C:
		}
		got := r.got.Load()
		if progress != nil {
			progress(got)
		}
		if got != last {
			last, since = got, time.Now()
		} else if stalled := time.Since(since); stalled > r.o.Stall {
			cancel(fmt.Errorf("no progress for %v, after %v of %v%s",
				stalled.Round(time.Millisecond), units.Bytes(got), r.o.Bytes, r.state()))
			return
		}
	}
}

// state says what the sender was at.
func (r *run) state() string {
	c := r.dialled.Load()
	if c == nil {
		return ": the association did not come up"
	}
	s := c.Status()
	return fmt.Sprintf(" (state %v, %d bytes in flight, %d queued, the receiver has room for %d, %d chunks sent again)",
		s.State, s.InFlight, s.Queued, s.PeerRwnd, s.Retransmissions)
}
