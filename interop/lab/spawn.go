package lab

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Spawn starts a command in a process group of its own, such that it is killed
// when this process dies, however that happens.
//
// The kernel means the thread that started it, and threads of a Go program
// come and go. So one thread starts all of them, and stays.
func Spawn(c *exec.Cmd) error {
	spawner()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s := spawn{c, make(chan error, 1)}
	spawns <- s
	return <-s.err
}

type spawn struct {
	c   *exec.Cmd
	err chan error
}

var (
	spawns  = make(chan spawn)
	spawner = sync.OnceFunc(func() {
		go func() {
			runtime.LockOSThread()
			for s := range spawns {
				s.err <- s.c.Start()
			}
		}()
	})
)
