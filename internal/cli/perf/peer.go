package perf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
)

// peer is one side of a comparison between SCTP stacks. A runner starts the
// same program of each stack as server and as client, with the same flags, and
// reads the lines READY and RESULT.
type peer struct {
	server    bool
	mode      string
	transport string
	local     string
	remote    string
	port      uint16
	udpPort   uint16
	udpPeer   uint16
	size      int
	streams   int
	unordered bool
	nodelay   bool
	duration  float64
	sndbuf    int
	rcvbuf    int
	conc      int
	count     int
	mtu       int
	kernel    bool
	hold      time.Duration

	out io.Writer
	cfg *socketapi.Config
}

func peerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "peer",
		Hidden: true,
		Short:  "Be one side of a comparison between SCTP stacks",
		Long: `For programs that measure several SCTP stacks side by side. Each stack has a
program that takes the same flags and prints the same lines: the server READY
once it can be talked to, and both RESULT and a JSON object at their end. Under
the name sctp-perf-peer (a link to this program, for example) the words
"perf peer" are left out.

  mode        client                                        server
  bulk, rate  sends messages for --duration, shuts down     takes one association, reads to its end
  rr          sends one message, waits for the echo, again  echoes
  setup       connects and shuts down, --conc at a time     takes all comers until SIGTERM
  idle        opens --count associations                    takes all comers until SIGTERM`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, role := range []string{"server", "client"} {
		p := &peer{server: role == "server", hold: 20 * time.Second}
		sub := &cobra.Command{
			Use: role, Short: "The " + role, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				p.out = cmd.OutOrStdout()
				return p.run(cmd.Context())
			},
		}
		p.flags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func (p *peer) flags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&p.mode, "mode", "bulk", "bulk, rate, rr, setup or idle")
	fs.StringVar(&p.transport, "transport", "raw", "raw or udp")
	fs.StringVar(&p.local, "local", "127.0.0.1", "local IP address")
	fs.StringVar(&p.remote, "remote", "127.0.0.1", "the server's IP address")
	fs.Uint16Var(&p.port, "port", 5001, "the server's SCTP port")
	fs.Uint16Var(&p.udpPort, "udp-port", 9899, "own UDP port")
	fs.Uint16Var(&p.udpPeer, "udp-peer", 9899, "the other's UDP port")
	fs.IntVar(&p.size, "size", 0, "size of a message (default 1400, with rate and rr 100)")
	fs.IntVar(&p.streams, "streams", 1, "how many streams to send on")
	fs.BoolVar(&p.unordered, "unordered", false, "send unordered")
	fs.BoolVar(&p.nodelay, "nodelay", false, "do not collect small messages")
	fs.Float64Var(&p.duration, "duration", 5, "seconds to measure")
	fs.IntVar(&p.sndbuf, "sndbuf", 0, "bytes of send buffer (default: the library's)")
	fs.IntVar(&p.rcvbuf, "rcvbuf", 0, "bytes of receive buffer (default: the library's)")
	fs.IntVar(&p.conc, "conc", 1, "setup: workers at the same time")
	fs.IntVar(&p.count, "count", 1000, "idle: how many associations")
	fs.IntVar(&p.mtu, "mtu", 0, "MTU of the link (default: what the host says)")
	fs.BoolVar(&p.kernel, "allow-kernel-sctp", false, "go on although the kernel's SCTP is loaded")
}

func (p *peer) validate() error {
	switch p.mode {
	case "bulk", "rate", "rr", "setup", "idle":
	default:
		return outcome.Usage("there is no mode %q", p.mode)
	}
	if p.size == 0 {
		p.size = 1400
		if p.mode == "rate" || p.mode == "rr" {
			p.size = 100
		}
	}
	if p.size < 1 || p.size > 1<<20 || p.streams < 1 || p.streams > 65534 || p.duration <= 0 || p.conc < 1 || p.count < 1 {
		return outcome.Usage("a number is out of range")
	}
	p.cfg = &socketapi.Config{
		OutStreams: uint16(p.streams), NoDelay: p.nodelay, PathMTU: p.mtu,
		SendBuffer: p.sndbuf, RecvBuffer: p.rcvbuf, Backlog: 1024,
	}
	if err := p.cfg.Validate(); err != nil {
		return &outcome.UsageError{Err: err}
	}
	return nil
}

func (p *peer) host(local netip.Addr) (*socketapi.Host, error) {
	cfg := socketapi.HostConfig{AllowKernelSCTP: p.kernel}
	switch p.transport {
	case "raw":
		cfg.Transport = socketapi.RawIP
	case "udp":
		cfg.Transport = socketapi.UDP
		cfg.UDP = socketapi.UDPConfig{Listen: netip.AddrPortFrom(local, p.udpPort), RemotePort: p.udpPeer}
	default:
		return nil, outcome.Usage("there is no transport %q", p.transport)
	}
	return socketapi.NewHost(cfg)
}

func (p *peer) run(ctx context.Context) error {
	if err := p.validate(); err != nil {
		return err
	}
	local, err := netip.ParseAddr(p.local)
	if err != nil {
		return outcome.Usage("--local: %v", err)
	}
	remote, err := netip.ParseAddr(p.remote)
	if err != nil {
		return outcome.Usage("--remote: %v", err)
	}
	h, err := p.host(local)
	if err != nil {
		return err
	}
	defer h.Close()
	own := &socketapi.Addr{IPs: []netip.Addr{local}}
	if p.server {
		own.Port = p.port
		l, err := h.ListenAddr(own, p.cfg)
		if err != nil {
			return err
		}
		defer l.Close()
		if p.mode == "setup" || p.mode == "idle" {
			return p.serveMany(ctx, h, l)
		}
		return p.serveOne(ctx, l)
	}
	p.cfg.LocalAddr = own
	dial := func(ctx context.Context) (*socketapi.Conn, error) {
		return h.DialAddr(ctx, &socketapi.Addr{IPs: []netip.Addr{remote}, Port: p.port}, p.cfg)
	}
	switch p.mode {
	case "setup":
		return p.setup(ctx, dial)
	case "idle":
		return p.idle(ctx, dial)
	}
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Abort("")
	// A server that is gone must not keep the client, nor the runner.
	ctx, cancel := context.WithTimeout(ctx, time.Duration((p.duration+15)*float64(time.Second)))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Abort("out of time") })
	defer stop()
	if p.mode == "rr" {
		return p.pingPong(conn)
	}
	return p.send(ctx, conn)
}

// result prints the last line.
func (p *peer) result(m map[string]any) error {
	role := "client"
	if p.server {
		role = "server"
	}
	for k, v := range map[string]any{
		"tool": "gosctp", "role": role, "mode": p.mode, "transport": p.transport, "size": p.size,
		"streams": p.streams, "unordered": p.unordered, "nodelay": p.nodelay, "cpu_s": cpuSeconds(),
	} {
		m[k] = v
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "RESULT %s\n", b)
	return err
}

func (p *peer) ready() { fmt.Fprintln(p.out, "READY") }

func (p *peer) serveOne(ctx context.Context, l *socketapi.Listener) error {
	p.ready()
	conn, err := l.AcceptSCTP(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Abort("") })
	defer stop()
	if p.mode == "rr" {
		n, err := echo(conn)
		if err != nil {
			return err
		}
		p.leave(ctx, conn)
		return p.result(map[string]any{"msgs": n})
	}
	var n counter
	s, err := receive(conn, &n, nil)
	if err != nil {
		return err
	}
	p.leave(ctx, conn)
	r := s.report()
	return p.result(map[string]any{
		"msgs": r.Messages, "bytes": r.Bytes, "secs": r.Seconds,
		"gbps": r.BitsPerSecond / 1e9, "msgs_per_s": r.MessagesPerSecond,
	})
}

// leave waits for the end of an association that the other side ends.
func (p *peer) leave(ctx context.Context, conn *socketapi.Conn) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn.CloseWait(ctx)
}

func (p *peer) send(ctx context.Context, conn *socketapi.Conn) error {
	var n counter
	l := &load{size: p.size, streams: p.streams, unordered: p.unordered}
	start := time.Now()
	if err := l.send(conn, start.Add(time.Duration(p.duration*float64(time.Second))), &n); err != nil {
		return err
	}
	err := conn.CloseWait(ctx)
	secs := time.Since(start).Seconds()
	st := conn.Status()
	sent := n.sample()
	return p.result(map[string]any{
		"msgs": sent.messages, "secs": secs, "gbps": float64(sent.bytes) * 8 / secs / 1e9,
		"msgs_per_s": float64(sent.messages) / secs, "retrans": st.Retransmissions, "shutdown_ok": err == nil,
	})
}

func (p *peer) latencies(lat []time.Duration, secs float64) error {
	if len(lat) == 0 {
		return errors.New("nothing was measured")
	}
	l := percentiles(lat)
	return p.result(map[string]any{
		"ops": l.Count, "secs": secs, "ops_per_s": float64(l.Count) / secs,
		"p50_us": l.P50, "p90_us": l.P90, "p99_us": l.P99, "p999_us": l.P999, "max_us": l.Max,
	})
}

func (p *peer) pingPong(conn *socketapi.Conn) error {
	var n counter
	l := &load{size: p.size, streams: 1, unordered: p.unordered}
	start := time.Now()
	lat, err := l.pingPong(conn, start.Add(time.Duration(p.duration*float64(time.Second))), &n, make([]time.Duration, 0, 1<<20))
	if err != nil {
		return err
	}
	secs := time.Since(start).Seconds()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn.CloseWait(ctx)
	return p.latencies(lat, secs)
}

type dialer func(context.Context) (*socketapi.Conn, error)

func (p *peer) setup(ctx context.Context, dial dialer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration((p.duration+15)*float64(time.Second)))
	defer cancel()
	start := time.Now()
	end := start.Add(time.Duration(p.duration * float64(time.Second)))
	var wg sync.WaitGroup
	lats := make([][]time.Duration, p.conc)
	errs := make([]error, p.conc)
	for i := range p.conc {
		wg.Go(func() {
			for begin := time.Now(); begin.Before(end); begin = time.Now() {
				conn, err := dial(ctx)
				if err == nil {
					err = conn.CloseWait(ctx)
				}
				if err != nil {
					errs[i] = err
					return
				}
				lats[i] = append(lats[i], time.Since(begin))
			}
		})
	}
	wg.Wait()
	secs := time.Since(start).Seconds()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var all []time.Duration
	for _, l := range lats {
		all = append(all, l...)
	}
	return p.latencies(all, secs)
}

// memory is the process's resident memory in KiB, after what is free was given
// back, and before.
func memory() (after, before int) {
	before = residentKiB()
	runtime.GC()
	debug.FreeOSMemory()
	return residentKiB(), before
}

func residentKiB() int {
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(b)) {
			var n int
			if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &n); err == nil {
				return n
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int((m.Sys - m.HeapReleased) >> 10)
}

func grown(m map[string]any, base, n int) {
	after, before := memory()
	m["rss_base_kib"], m["rss_kib"], m["rss_before_gc_kib"] = base, after, before
	m["goroutines"] = runtime.NumGoroutine()
	if n > 0 {
		m["kib_per_assoc"] = float64(after-base) / float64(n)
		m["kib_per_assoc_before_gc"] = float64(before-base) / float64(n)
	}
}

// serveMany takes associations and leaves them to themselves: a peer that
// shuts down needs no help.
func (p *peer) serveMany(ctx context.Context, h *socketapi.Host, l *socketapi.Listener) error {
	base, _ := memory()
	p.ready()
	taken, most := 0, 0
	for {
		if _, err := l.AcceptSCTP(ctx); err != nil {
			if ctx.Err() == nil {
				return err
			}
			break
		}
		taken++
		if p.mode == "idle" {
			most = max(most, h.Stats().Associations)
		}
	}
	m := map[string]any{"assocs": taken}
	n := 0
	if p.mode == "idle" {
		n = h.Stats().Associations
		m["assocs_max"], m["assocs_now"] = most, n
	}
	grown(m, base, n)
	return p.result(m)
}

func (p *peer) idle(ctx context.Context, dial dialer) error {
	base, _ := memory()
	start := time.Now()
	all := make([]*socketapi.Conn, 0, p.count)
	for range p.count {
		conn, err := dial(ctx)
		if err != nil {
			return err
		}
		all = append(all, conn)
	}
	secs := time.Since(start).Seconds()
	m := map[string]any{"assocs": len(all), "secs": secs}
	grown(m, base, len(all))
	if err := p.result(m); err != nil {
		return err
	}
	// Stay until the runner has looked at the server, so that it has them all.
	select {
	case <-ctx.Done():
	case <-time.After(p.hold):
	}
	runtime.KeepAlive(all)
	return nil
}
