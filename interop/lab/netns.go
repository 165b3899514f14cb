package lab

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Device is what the link under test is called in each namespace.
const Device = "sctp0"

// DeviceN is what one of several links is called, counted from 0.
func DeviceN(link int) string { return fmt.Sprint("sctp", link) }

// A Namespace is a network namespace of this process's own.
type Namespace struct {
	Name   string
	remove func()
}

const prefix = "gosctp-"

var serial atomic.Int64

// NewNamespace makes a network namespace with only the loopback device up. Its
// name has our pid, so that runs in parallel do not clash.
func NewNamespace() (*Namespace, error) {
	name := fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), serial.Add(1))
	if err := run("ip", "netns", "add", name); err != nil {
		return nil, err
	}
	n := &Namespace{Name: name}
	n.remove = OnExit(func() { run("ip", "netns", "del", name) })
	err := n.Do(func() error { // all runs are over IPv4; what IPv6 says by itself is only noise
		for _, which := range []string{"all", "default"} {
			err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
			if err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = run("ip", "-n", name, "link", "set", "lo", "up")
	}
	if err != nil {
		n.Remove()
		return nil, err
	}
	return n, nil
}

// Remove deletes the namespace.
func (n *Namespace) Remove() { n.remove() }

// RemoveStale deletes what runs left behind that were killed too hard to do it
// themselves.
func RemoveStale() {
	list, err := output(context.Background(), "ip", "netns", "list")
	if err != nil {
		return
	}
	for l := range strings.Lines(list) {
		name, _, _ := strings.Cut(strings.TrimSpace(l), " ")
		rest, ours := strings.CutPrefix(name, prefix)
		pid, _, _ := strings.Cut(rest, "-")
		if _, err := strconv.Atoi(pid); !ours || err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			run("ip", "netns", "del", name)
		}
	}
}

func (n *Namespace) path() string { return "/run/netns/" + n.Name }

// Do runs f on a thread that is inside the namespace. Sockets and devices that
// f opens itself, not through other goroutines, belong to it.
func (n *Namespace) Do(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	there, err := os.Open(n.path())
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return back // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// Run runs a command inside to its end; the error has its output.
func (n *Namespace) Run(argv ...string) error {
	argv = n.Command(argv...)
	return run(argv[0], argv[1:]...)
}

// Command returns the arguments that run a program inside the namespace.
func (n *Namespace) Command(argv ...string) []string {
	return append([]string{"ip", "netns", "exec", n.Name}, argv...)
}
