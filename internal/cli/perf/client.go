package perf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/internal/cli/netopts"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
)

// clientOptions are the client's flags.
type clientOptions struct {
	net       netopts.Options
	size      units.Bytes
	streams   int
	unordered bool
	nodelay   bool
	rr        bool
	duration  seconds
	interval  seconds
	parallel  int
	json      bool
	sndbuf    units.Bytes
	rcvbuf    units.Bytes
}

func clientCommand() *cobra.Command {
	o := clientOptions{streams: 1, parallel: 1, duration: seconds(10 * time.Second), interval: seconds(time.Second)}
	cmd := &cobra.Command{
		Use:   "client HOST[:PORT]",
		Short: "Measure against a server",
		Long: `Sends messages to "sctp perf server" as fast as it takes them, and reports what
arrived there. With --rr it sends one message, waits for its echo, and again,
and reports how long that took.

A line is printed for each interval, with what was handed to SCTP in it. The
summary has the receiver's view too.`,
		Example: `  sctp perf client 192.0.2.1
  sctp perf client 192.0.2.1:5201 -P 4 --streams 8 -t 30
  sctp perf client 192.0.2.1 --size 100 --nodelay
  sctp perf client 192.0.2.1 --rr --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return outcome.Usage("name the server, such as 192.0.2.1 or 192.0.2.1:%d", defaultPort)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			remote, err := serverAddr(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			c := &client{o: &o, out: cmd.OutOrStdout(), remote: remote}
			return c.run(cmd.Context(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	o.net.Add(fs, false)
	o.size = 0
	fs.Var(&o.size, "size", "size of a message (default 64 KiB, with --rr 100 B)")
	fs.IntVar(&o.streams, "streams", 1, "send on that many streams, one after the other")
	fs.BoolVar(&o.unordered, "unordered", false, "let messages overtake each other")
	fs.BoolVar(&o.nodelay, "nodelay", false, "send small messages at once instead of collecting them")
	fs.BoolVar(&o.rr, "rr", false, "request and response: measure latency")
	fs.VarP(&o.duration, "time", "t", "how long to measure")
	fs.VarP(&o.interval, "interval", "i", "print a line each time so much has passed; 0: none")
	fs.IntVarP(&o.parallel, "parallel", "P", 1, "associations at the same time")
	fs.BoolVar(&o.json, "json", false, "print one JSON object at the end, and nothing else")
	fs.Var(&o.sndbuf, "sndbuf", "send buffer (default: that of the library)")
	fs.Var(&o.rcvbuf, "rcvbuf", "receive buffer (default: that of the library)")
	for _, name := range []string{"size", "sndbuf", "rcvbuf"} {
		fs.Lookup(name).DefValue = "" // the text has said it
	}
	return cmd
}

func (o *clientOptions) validate() error {
	if o.size == 0 {
		o.size = 64 << 10
		if o.rr {
			o.size = 100
		}
	}
	switch {
	case o.size > 1<<20:
		return outcome.Usage("--size must be within 1 and 1 MiB")
	case o.streams < 1 || o.streams >= math.MaxUint16:
		return outcome.Usage("--streams must be within 1 and 65534")
	case o.parallel < 1 || o.parallel > 10000:
		return outcome.Usage("--parallel must be within 1 and 10000")
	case o.duration == 0:
		return outcome.Usage("--time must be more than 0")
	}
	cfg := o.config()
	if err := cfg.Validate(); err != nil {
		return &outcome.UsageError{Err: err}
	}
	return nil
}

func (o *clientOptions) config() *socketapi.Config {
	return &socketapi.Config{
		OutStreams: uint16(o.streams), NoDelay: o.nodelay || o.rr, PathMTU: o.net.MTU,
		SendBuffer: int(o.sndbuf), RecvBuffer: int(o.rcvbuf),
	}
}

// serverAddr takes an address with or without a port.
func serverAddr(ctx context.Context, s string) (*socketapi.Addr, error) {
	a, err := socketapi.ResolveAddr(ctx, s)
	var bad *socketapi.AddrError
	if errors.As(err, &bad) && !strings.HasSuffix(s, ":") {
		if strings.Count(s, ":") > 1 && !strings.Contains(s, "]") {
			s = "[" + s + "]"
		}
		a, err = socketapi.ResolveAddr(ctx, fmt.Sprintf("%s:%d", s, defaultPort))
	}
	if errors.As(err, &bad) {
		return nil, &outcome.UsageError{Err: err}
	}
	if err == nil && len(a.IPs) == 0 {
		return nil, outcome.Usage("%q does not name a host", s)
	}
	return a, err
}

// client is one measurement.
type client struct {
	o      *clientOptions
	out    io.Writer
	remote *socketapi.Addr
	flows  []*flow
	result Result
}

// patience is how long after the end of a measurement the server may take for
// what is still on its way.
const patience = 30 * time.Second

// flow is one association of a measurement.
type flow struct {
	conn      *socketapi.Conn
	n         counter
	lat       []time.Duration
	from      time.Time
	took      time.Duration
	received  report
	retrans   atomic.Uint64 // as last seen
	handshake time.Duration
	prev      sample
	prevRe    uint64
}

// Result is what --json prints.
type Result struct {
	Start     resultStart      `json:"start"`
	Intervals []resultInterval `json:"intervals"`
	End       resultEnd        `json:"end"`
	Error     string           `json:"error,omitempty"`
}

type resultStart struct {
	Transport string  `json:"transport"`
	Reason    string  `json:"reason"`
	Remote    string  `json:"remote"`
	Mode      string  `json:"mode"` // bulk or rr
	Size      int     `json:"size"`
	Streams   int     `json:"streams"`
	Parallel  int     `json:"parallel"`
	Unordered bool    `json:"unordered"`
	NoDelay   bool    `json:"nodelay"`
	Seconds   float64 `json:"seconds"`
}

type resultInterval struct {
	Start             float64 `json:"start"`
	End               float64 `json:"end"`
	Bytes             int64   `json:"bytes"`
	Messages          int64   `json:"messages"`
	BitsPerSecond     float64 `json:"bits_per_second"`
	MessagesPerSecond float64 `json:"messages_per_second"`
	Retransmissions   uint64  `json:"retransmissions"`
}

type resultEnd struct {
	Sent            report     `json:"sent"`
	Received        *report    `json:"received,omitempty"`
	Latency         *latencies `json:"latency,omitempty"`
	Retransmissions uint64     `json:"retransmissions"`
	HandshakeUS     float64    `json:"handshake_us"`
	RTTUS           float64    `json:"rtt_us"`
	CPUSeconds      float64    `json:"cpu_s"` // of this process
}

func (c *client) run(ctx context.Context, errs io.Writer) error {
	err := c.measure(ctx, errs)
	if ctx.Err() != nil {
		err = outcome.ErrInterrupted
	}
	if c.o.json {
		if err != nil {
			c.result.Error = err.Error()
		}
		b, jerr := json.Marshal(&c.result)
		if jerr != nil {
			return jerr
		}
		if _, werr := fmt.Fprintf(c.out, "%s\n", b); werr != nil {
			return werr
		}
		return err
	}
	if err == nil {
		c.summary()
	}
	return err
}

func (c *client) measure(parent context.Context, errs io.Writer) error {
	o := c.o
	h, err := o.net.Host(false, errs)
	if err != nil {
		return err
	}
	defer h.Close()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	mode, name := modeSend, "bulk"
	if o.rr {
		mode, name = modeEcho, "rr"
	}
	c.result.Start = resultStart{
		Transport: h.Transport(), Reason: h.Why(), Remote: c.remote.String(), Mode: name, Size: int(o.size),
		Streams: o.streams, Parallel: o.parallel, Unordered: o.unordered, NoDelay: o.nodelay || o.rr,
		Seconds: time.Duration(o.duration).Seconds(),
	}
	c.result.Intervals = []resultInterval{}
	for range o.parallel {
		f, err := c.open(ctx, h, mode)
		if err != nil {
			return err
		}
		defer f.conn.Abort("")
		c.flows = append(c.flows, f)
	}
	stop := context.AfterFunc(ctx, func() {
		for _, f := range c.flows {
			f.conn.Abort("the client was stopped")
		}
	})
	defer stop()
	if !o.json {
		s := c.flows[0].conn.Status()
		fmt.Fprintf(c.out, "%v to %v over %s (%s), %d streams, path MTU %d\n", &s.Local, &s.Remote,
			h.Transport(), h.Why(), s.OutStreams, s.Paths[0].PMTU)
		c.head()
	}
	cpu := cpuSeconds()
	start := time.Now()
	end := start.Add(time.Duration(o.duration))
	done := make(chan struct{})
	var lines, work sync.WaitGroup
	if o.interval > 0 {
		lines.Go(func() { c.intervals(start, end, done) })
	}
	for _, f := range c.flows {
		work.Go(func() {
			if err := c.load(ctx, f, end); err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	close(done)
	lines.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.collect(cpuSeconds() - cpu)
	return nil
}

// open sets an association up and agrees with the server on the mode.
func (c *client) open(ctx context.Context, h *socketapi.Host, mode string) (*flow, error) {
	f := &flow{}
	begin := time.Now()
	var err error
	if f.conn, err = h.DialAddr(ctx, c.remote, c.o.config()); err != nil {
		return nil, err
	}
	f.handshake = time.Since(begin)
	if n := int(f.conn.Status().OutStreams); n < c.o.streams {
		f.conn.Abort("")
		return nil, fmt.Errorf("the server takes only %d streams", n)
	}
	f.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer f.conn.SetReadDeadline(time.Time{})
	var w welcome
	if err = tell(f.conn, hello{Version: version, Mode: mode}); err == nil {
		err = hear(f.conn, &w)
	}
	switch {
	case err != nil:
	case !w.Server:
		err = errors.New("what listens there is not `sctp perf server`")
	case w.Error != "":
		err = errors.New(w.Error)
	}
	if err != nil {
		f.conn.Abort("")
		return nil, fmt.Errorf("agree with the server: %w", err)
	}
	return f, nil
}

// load runs one association to its end.
func (c *client) load(ctx context.Context, f *flow, end time.Time) (err error) {
	l := &load{size: int(c.o.size), streams: c.o.streams, unordered: c.o.unordered}
	f.from = time.Now()
	f.conn.SetDeadline(end.Add(patience))
	if c.o.rr {
		f.lat, err = l.pingPong(f.conn, end, &f.n, make([]time.Duration, 0, 1<<16))
	} else {
		err = l.send(f.conn, end, &f.n)
	}
	f.took = time.Since(f.from)
	if err != nil {
		return err
	}
	if !c.o.rr {
		sent := f.n.sample()
		if err := tell(f.conn, finish{sent.messages, sent.bytes}); err != nil {
			return err
		}
		if err := hear(f.conn, &f.received); err != nil {
			return fmt.Errorf("hear the server's report: %w", err)
		}
	}
	f.retrans.Store(f.conn.Status().Retransmissions)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f.conn.CloseWait(ctx)
}

func (c *client) collect(cpu float64) {
	e := &c.result.End
	e.CPUSeconds = cpu
	var got report
	var lat []time.Duration
	var handshakes time.Duration
	for _, f := range c.flows {
		s := f.n.sample()
		e.Sent.Messages += s.messages
		e.Sent.Bytes += s.bytes
		e.Sent.Seconds = max(e.Sent.Seconds, f.took.Seconds())
		got.Messages += f.received.Messages
		got.Bytes += f.received.Bytes
		got.Seconds = max(got.Seconds, f.received.Seconds)
		got.BitsPerSecond += f.received.BitsPerSecond
		got.MessagesPerSecond += f.received.MessagesPerSecond
		e.Retransmissions += f.retrans.Load()
		lat = append(lat, f.lat...)
		handshakes += f.handshake
		if p := f.conn.Status().Paths; len(p) > 0 {
			e.RTTUS += float64(p[0].SRTT.Nanoseconds()) / 1e3 / float64(len(c.flows))
		}
	}
	e.HandshakeUS = float64(handshakes.Nanoseconds()) / 1e3 / float64(len(c.flows))
	e.Sent.BitsPerSecond = rate(float64(e.Sent.Bytes)*8, e.Sent.Seconds)
	e.Sent.MessagesPerSecond = rate(float64(e.Sent.Messages), e.Sent.Seconds)
	if c.o.rr {
		p := percentiles(lat)
		e.Latency = &p
		return
	}
	e.Received = &got
}
