package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// proc is a command that runs in this process.
type proc struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *buffer
	errs   *buffer
	cancel context.CancelFunc
	done   chan int
}

// buffer is written by the command while the test reads.
type buffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // gets a value with each write
}

func newBuffer() *buffer { return &buffer{more: make(chan struct{}, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const patience = 30 * time.Second

// start runs a command. Its standard input is what is written to proc.in.
func start(t *testing.T, args ...string) *proc {
	t.Helper()
	r, w := io.Pipe()
	p := startWith(t, r, args...)
	p.in = w
	return p
}

func startWith(t *testing.T, in io.Reader, args ...string) *proc {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &proc{t: t, out: newBuffer(), errs: newBuffer(), cancel: cancel, done: make(chan int, 1)}
	go func() {
		p.done <- Run(ctx, append([]string{"sctp"}, args...), Streams{In: in, Out: p.out, Err: p.errs})
	}()
	t.Cleanup(func() {
		cancel()
		if p.in != nil {
			p.in.Close()
		}
	})
	return p
}

// wait returns the exit status.
func (p *proc) wait() int {
	p.t.Helper()
	select {
	case code := <-p.done:
		return code
	case <-time.After(patience):
		p.t.Fatalf("still running; stdout %q, stderr %q", clip(p.out.String()), clip(p.errs.String()))
		return -1
	}
}

func clip(s string) string { return s[:min(len(s), 500)] }

// sees waits until the text is there.
func sees(t *testing.T, b *buffer, text string) {
	t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.more:
		case <-timeout:
			t.Fatalf("%q did not come in %q", text, clip(b.String()))
		}
	}
}

// run runs a command to its end.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := startWith(t, strings.NewReader(""), args...)
	code = p.wait()
	return code, p.out.String(), p.errs.String()
}

// freeUDP returns a UDP port that is free.
func freeUDP(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func TestMisuse(t *testing.T) {
	for _, line := range []string{
		"nope", "demo extra", "demo --no-such-flag",
		"demo --bytes x", "demo --bytes 0", "demo --transport tcp", "demo --streams 0", "demo --streams 70000",
		"demo --loss 100%", "demo --loss 5", "demo --mtu 100",
		"listen", "listen 1.2.3.4:5 1.2.3.5:5", "listen nothing", "listen :70000", "listen :5 --ppid what", "listen :5 --echo --discard",
		"listen :5 --echo --send-only", "listen :5 --transport sctp", "listen :5 --udp-encap=0",
		"connect", "connect :5", "connect 127.0.0.1", "connect 127.0.0.1:5 --transport rawip --udp-encap",
		"connect 127.0.0.1:5 --send-only --recv-only", "connect 127.0.0.1:5 --size 0", "connect 127.0.0.1:5 --stream 65535",
		"connect 127.0.0.1:5 --source x", "connect 127.0.0.1:5 --mtu 5 --udp-encap", "connect 127.0.0.1:5 -q -1s", "connect 127.0.0.1:5 -w -1s",
		"connect 127.0.0.1:5 --transport rawip --udp-local 5",
		"perf client", "perf client a b", "perf client 127.0.0.1 --streams 0", "perf client 127.0.0.1 -P 0", "perf client 127.0.0.1 -t 0",
		"perf client 127.0.0.1 -t x", "perf client 127.0.0.1 --size 2MiB", "perf client 127.0.0.1 --sndbuf 1", "perf client :5201",
		"perf server a b", "perf server nothing",
		"perf peer client --mode x", "perf peer client --streams 0", "perf peer server --transport tcp", "perf peer client --local x",
		"check extra", "check --no-such-flag",
	} {
		code, out, errs := run(t, strings.Fields(line)...)
		if code != 2 || out != "" || !strings.Contains(errs, "--help") {
			t.Errorf("sctp %s: exit status %d, stdout %q, stderr %q", line, code, out, errs)
		}
	}
}

// Each command says what it is for, and how it is called.
func TestHelp(t *testing.T) {
	started := false
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		args := strings.Fields(c.CommandPath())[1:]
		code, out, _ := run(t, append(args, "--help")...)
		if code != 0 || !strings.Contains(out, "Usage:") || c.Short == "" {
			t.Errorf("%s --help: exit status %d: %s", c.CommandPath(), code, out)
		}
		if c.Runnable() && !strings.Contains(out, "Examples:") && !strings.Contains(c.CommandPath(), " peer") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	root := newRoot(&started)
	walk(root)
	if n := len(root.Commands()); n < 5 {
		t.Errorf("%d sub-commands", n)
	}
	if code, out, _ := run(t); code != 0 || !strings.Contains(out, "sctp demo") {
		t.Errorf("without arguments: exit status %d: %s", code, out)
	}
	if _, out, _ := run(t, "perf", "--help"); strings.Contains(out, "peer") {
		t.Error("`sctp perf peer` is not hidden")
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := run(t, "completion", shell); code != 0 || len(out) < 500 {
			t.Errorf("completion %s: exit status %d, %d bytes", shell, code, len(out))
		}
	}
	for line, want := range map[string]string{
		"demo --transport ": "rawip6", "connect --ppid ": "ngap", "listen --transport ": "rawip", "perf ": "client",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		if _, out, _ := run(t, args...); !strings.Contains(out, want) {
			t.Errorf("completion of %q lacks %q: %s", line, want, out)
		}
	}
}

// The names are what scripts rely on.
func TestDemoJSON(t *testing.T) {
	code, out, errs := run(t, "demo", "--transport", "mem", "--bytes", "1MiB", "--streams", "4", "--seed", "7", "--json")
	if code != 0 || errs != "" {
		t.Fatalf("exit status %d: %s", code, errs)
	}
	if strings.Count(out, "\n") != 1 {
		t.Errorf("not one line: %q", out)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{
		"transport": "mem", "bytes": float64(1 << 20), "streams": 4.0, "verified": true, "seed": 7.0, "retransmissions": nil,
		"messages": nil, "goodput_bits_per_second": nil, "handshake_us": nil, "duration_ms": nil, "rtt_us": nil,
	} {
		v, ok := m[k]
		if !ok || want != nil && v != want {
			t.Errorf("%s is %v, want %v", k, v, want)
		}
		if f, isNumber := v.(float64); isNumber && f <= 0 && k != "retransmissions" {
			t.Errorf("%s is %v", k, f)
		}
	}
}

func TestDemoSummary(t *testing.T) {
	code, out, errs := run(t, "demo", "--transport", "udp", "--bytes", "1MiB", "--loss", "1%", "--seed", "3")
	if code != 0 || errs != "" {
		t.Fatalf("exit status %d: %s", code, errs)
	}
	for _, want := range []string{"1 MiB in", "every byte verified", "goodput", "RTT", "handshake", "retransmissions", "UDP encapsulation", "1%"} {
		if !strings.Contains(out, want) {
			t.Errorf("the summary lacks %q:\n%s", want, out)
		}
	}
}

func TestDemoFailureHasAStatusAndJSON(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, []string{"sctp", "demo", "--transport", "mem", "--json"}, Streams{Out: &out, Err: &errs})
	var m struct {
		Verified bool   `json:"verified"`
		Error    string `json:"error"`
	}
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || m.Verified || m.Error == "" || code != 130 {
		t.Errorf("exit status %d, %s, %v", code, out.String(), err)
	}
}

// scan gives the lines of b one by one.
func lines(s string) []string {
	var out []string
	for sc := bufio.NewScanner(strings.NewReader(s)); sc.Scan(); {
		out = append(out, sc.Text())
	}
	return out
}

func udpFlag(port int) string { return fmt.Sprintf("--udp-encap=%d", port) }
