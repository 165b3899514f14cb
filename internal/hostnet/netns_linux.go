package hostnet

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const nsPath = "/proc/thread-self/ns/net"

// A Namespace is a network namespace: that of the thread which opened a link.
// The link's sockets stay in it, whichever threads they are used from; what
// is asked by new sockets must be asked there too.
type Namespace struct {
	file *os.File // nil if the host does not tell
	stat unix.Stat_t
}

// OpenNamespace returns the calling thread's.
func OpenNamespace() *Namespace {
	n := new(Namespace)
	f, err := os.Open(nsPath)
	if err != nil {
		return n
	}
	if unix.Fstat(int(f.Fd()), &n.stat) != nil {
		f.Close()
		return n
	}
	n.file = f
	return n
}

// Do runs f on a thread that is in the namespace.
func (n *Namespace) Do(f func()) {
	if n == nil || n.file == nil {
		f()
		return
	}
	runtime.LockOSThread()
	var here unix.Stat_t
	err := unix.Stat(nsPath, &here)
	if err != nil || here.Ino == n.stat.Ino && here.Dev == n.stat.Dev {
		f()
		runtime.UnlockOSThread()
		return
	}
	runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, since nobody
		// else wants one in a foreign namespace.
		runtime.LockOSThread()
		if unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET) == nil {
			f()
		}
	}()
	<-done
}

// Close releases the namespace.
func (n *Namespace) Close() {
	if n != nil && n.file != nil {
		n.file.Close()
	}
}
