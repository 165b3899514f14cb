// Command guest is the init of the VM of package kernelvm: it loads the kernel's
// SCTP, gives each lane a network namespace with a device of its own, and runs
// programs in them for the host.
//
// The root file system is the host's, read-only, so every program of the host
// is there under its own path.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gosctp/gosctp/interop/kernelvm/protocol"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is an init process, for a VM")
		os.Exit(64)
	}
	fmt.Println("guest:", serve())
	syscall.Sync()
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// serve returns only if something is wrong.
func serve() error {
	if err := mounts(); err != nil {
		return err
	}
	cfg, err := config()
	if err != nil {
		return err
	}
	if err := modules(cfg.Modules); err != nil {
		return err
	}
	if err := links(cfg); err != nil {
		return err
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(cfg.Control, protocol.Port))
	if err != nil {
		return err
	}
	fmt.Println("guest: ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go handle(c.(*net.TCPConn))
	}
}

func mounts() error { // the kernel has mounted /dev itself
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}, {"tmpfs", "/mnt"}} {
		if err := syscall.Mount(m[0], m[1], m[0], 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m[1], err)
		}
	}
	console, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for fd := range 3 {
		syscall.Dup2(int(console.Fd()), fd)
	}
	os.Setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
	return nil
}

// config is what the host says on the kernel's command line.
func config() (c protocol.Config, err error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return c, err
	}
	for f := range strings.FieldsSeq(string(line)) {
		if v, ok := strings.CutPrefix(f, protocol.ConfigArgument); ok {
			return protocol.ParseConfig(v)
		}
	}
	return c, fmt.Errorf("no %s on the command line", protocol.ConfigArgument)
}

// modules loads the modules that are needed; a host has no /lib/modules for
// this kernel, so modprobe is shown a root of its own.
func modules(dir string) error {
	if err := os.MkdirAll("/mnt/lib", 0o755); err != nil {
		return err
	}
	if err := os.Symlink(dir, "/mnt/lib/modules"); err != nil {
		return err
	}
	for _, m := range []string{"hmac", "md5", "sha1_generic", "sha256_generic", "sctp", "sctp_diag", "macvlan"} {
		if err := run("modprobe", "-d", "/mnt", m); err != nil {
			return err
		}
	}
	return nil
}

// links attaches to the host's devices. The lanes get no address yet: the host
// has to move its ends first, and a packet that is sent while such an end is
// down makes the driver give the device up for good. It also opens its end anew
// when the device is set up, by a name that has changed; so what a lane has are
// devices on top of these, which may be set down.
func links(c protocol.Config) error {
	cmds := []string{"ip link set lo up", "ip addr add " + c.Control + "/24 dev vec0", "ip link set vec0 up"}
	for i := 1; i <= c.Lanes; i++ {
		ns := protocol.Lane(i)
		cmds = append(cmds, "ip netns add "+ns, "ip -n "+ns+" link set lo up")
		for k, n := range protocol.Links(i) {
			below, dev := protocol.Device(n), protocol.LaneDevice(k)
			cmds = append(cmds,
				"ip link set "+below+" addrgenmode none",
				// The driver of these devices loses SCTP in UDP that comes to it unsegmented.
				"ip link set "+below+" mtu 1500 gso_max_size 1500",
				"ip link set "+below+" up",
				"ip link add link "+below+" name "+dev+" netns "+ns+" type macvlan mode passthru",
				"ip -n "+ns+" link set "+dev+" addrgenmode none",
				"ip -n "+ns+" link set "+dev+" gso_max_size 1500 up")
		}
	}
	for _, l := range cmds {
		f := strings.Fields(l)
		if err := run(f[0], f[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// handle runs one program: its input is what the connection brings after the
// request, its output goes back, and its end closes the connection.
func handle(c *net.TCPConn) {
	defer c.Close()
	r := bufio.NewReader(c)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return
	}
	var req protocol.Request
	if err := json.Unmarshal(line, &req); err != nil || len(req.Argv) == 0 {
		fmt.Fprintln(c, "guest: bad request")
		return
	}
	if req.Argv[0] == protocol.PowerOff {
		syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
	cmd := exec.Command("ip", append([]string{"netns", "exec", req.Netns}, req.Argv...)...)
	cmd.Env = append(os.Environ(), req.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, _ := cmd.StdinPipe()
	out, w, err := os.Pipe()
	if err != nil {
		return
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(c, "guest:", err)
		return
	}
	w.Close()
	kill := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	over := make(chan struct{})
	go func() {
		io.Copy(in, r)
		in.Close()
		// Its time is limited from now on, and over when the host goes.
		for end := time.Now().Add(protocol.Grace); time.Now().Before(end) && connected(c); {
			select {
			case <-over:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
		kill()
	}()
	copied := make(chan struct{})
	go func() { io.Copy(c, out); close(copied) }()
	err = cmd.Wait()
	close(over)
	<-copied
	if err != nil {
		fmt.Fprintln(c, err)
	}
}

// connected says whether the other side still has the connection, if only for
// reading: an end of its input does not tell.
func connected(c *net.TCPConn) bool {
	const tcpClose = 7 // TCP_CLOSE: it was reset
	up := false
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		up = err == nil && info.State != tcpClose
	})
	return up
}
