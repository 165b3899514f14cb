// Package lab builds what an interop run happens in: network namespaces of its
// own, a clean or an impaired link between them, a packet capture, the peers as
// processes. Nothing outside these namespaces is touched, and everything is
// taken down again, also after a signal.
package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// A Stack of things to undo, last first.
type cleanups struct {
	mu    sync.Mutex
	funcs []*func()
}

var pending cleanups

// OnExit registers f to run at Cleanup or at a signal; the returned function
// runs it now instead. f runs once.
func OnExit(f func()) (now func()) {
	pending.mu.Lock()
	defer pending.mu.Unlock()
	p := &f
	pending.funcs = append(pending.funcs, p)
	return func() {
		if pending.take(p) {
			f()
		}
	}
}

func (c *cleanups) take(p *func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, q := range c.funcs {
		if q == p {
			c.funcs = append(c.funcs[:i], c.funcs[i+1:]...)
			return true
		}
	}
	return false
}

// Cleanup undoes everything that is still registered.
func Cleanup() {
	for {
		pending.mu.Lock()
		n := len(pending.funcs)
		if n == 0 {
			pending.mu.Unlock()
			return
		}
		f := pending.funcs[n-1]
		pending.funcs = pending.funcs[:n-1]
		pending.mu.Unlock()
		(*f)()
	}
}

// CleanupOnSignal ends the process after Cleanup when it is interrupted.
func CleanupOnSignal() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-c
		Cleanup()
		os.Exit(130)
	}()
}

// A Missing says why something cannot run on this host.
type Missing struct{ What string }

func (m *Missing) Error() string { return m.What }

// Host reports why this host cannot have a lab at all, or nil.
func Host() error {
	if os.Geteuid() != 0 {
		return &Missing{"not root: needs network namespaces and raw sockets"}
	}
	if err := run("ip", "netns", "list"); err != nil {
		return &Missing{"no `ip netns`: " + err.Error()}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return &Missing{"no /dev/net/tun"}
	}
	if _, err := os.Stat("/proc/net/sctp"); err == nil {
		return &Missing{"this host's kernel has its own SCTP loaded, which answers in every namespace"}
	}
	return nil
}

// Need reports which of the programs and packages are missing, or nil.
func Need(programs ...string) error {
	var miss []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			miss = append(miss, p)
		}
	}
	if len(miss) > 0 {
		return &Missing{"missing: " + strings.Join(miss, ", ")}
	}
	return nil
}

// run runs a command to its end; the error has its output.
func run(name string, args ...string) error {
	_, err := output(context.Background(), name, args...)
	return err
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	var stderr strings.Builder
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// each runs commands given as lines, up to the first that fails.
func each(lines ...string) error {
	for _, l := range lines {
		f := strings.Fields(l)
		if err := run(f[0], f[1:]...); err != nil {
			return err
		}
	}
	return nil
}
