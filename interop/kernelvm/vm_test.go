package kernelvm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosctp/gosctp/interop/lab"
)

func TestMain(m *testing.M) {
	lab.CleanupOnSignal()
	lab.RemoveStale()
	code := m.Run()
	lab.Cleanup()
	os.Exit(code)
}

func start(t *testing.T, lanes int) *VM {
	t.Helper()
	err := lab.Host()
	if err == nil {
		err = Available()
	}
	if missing := (*lab.Missing)(nil); errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := lab.NewPrograms()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Go("guest", "..", "./kernelvm/guest"); err != nil {
		t.Fatal(err)
	}
	vm, err := Start(p.Path("guest"), p.Dir, lanes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vm.Stop)
	t.Logf("booted in %s", vm.Boot)
	return vm
}

// do runs a program in a lane to its end and returns what it printed.
func do(t *testing.T, l *Lane, stdin string, argv ...string) string {
	t.Helper()
	p, err := lab.Run(l, argv...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	io.WriteString(p, stdin)
	p.CloseInput()
	if err := p.WaitEnd(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	return p.Output()
}

func TestVM(t *testing.T) {
	vm := start(t, 2)
	a, b := take(t, vm), take(t, vm)
	if got := do(t, a, "through and back", "cat"); got != "through and back" {
		t.Errorf("cat: %q", got)
	}
	if got := do(t, a, "", "checksctp"); got != "SCTP supported" {
		t.Errorf("checksctp: %q", got)
	}
	if got := do(t, a, "", "false"); got != "exit status 1" {
		t.Errorf("false: %q", got)
	}
	if got := do(t, a, "", "touch", "/etc/gosctp-test"); !strings.Contains(got, "Read-only") {
		t.Errorf("the host's files can be written to: %q", got)
	}
	// Each lane has the kernel's SCTP settings to itself.
	do(t, a, "", "sh", "-c", "echo 9899 >/proc/sys/net/sctp/udp_port")
	if got := do(t, b, "", "cat", "/proc/sys/net/sctp/udp_port"); got != "0" {
		t.Errorf("udp_port of the other lane: %q", got)
	}
	// A program that does not end by itself is ended with its connection.
	p, err := lab.Run(a, "sh", "-c", "echo here; exec sleep 7777")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.WaitLine("here", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Close()
	const ps = `for c in /proc/[0-9]*/cmdline; do tr '\0' ' ' <$c; echo; done`
	deadline := time.Now().Add(10 * time.Second)
	for strings.Contains(do(t, a, "", "sh", "-c", ps), "sleep 7777") {
		if time.Now().After(deadline) {
			t.Fatal("a program outlives its connection")
		}
	}
	a.Release()
	a = take(t, vm)
	if got := do(t, a, "", "cat", "/proc/sys/net/sctp/udp_port"); got != "0" {
		t.Errorf("udp_port as the next user of a lane finds it: %q", got)
	}
	a.Release()
	b.Release()
}

func take(t *testing.T, vm *VM) *Lane {
	t.Helper()
	l, err := vm.Take()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestManyRequests(t *testing.T) {
	vm := start(t, 4)
	var wg sync.WaitGroup
	for range 4 {
		l := take(t, vm)
		wg.Go(func() {
			for i := range 50 {
				want := fmt.Sprint("request ", i)
				if got := do(t, l, want, "cat"); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.Log(vm.Console())
	}
}
