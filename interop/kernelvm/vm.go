// Package kernelvm runs the Linux kernel's SCTP as an interop peer, on a host
// whose own kernel has none: Debian's user-mode-linux is a kernel that is an
// ordinary process. It boots within seconds, needs no hardware support, and
// mounts the host's file system read-only, so there is no image to build.
//
// A VM has lanes. Each is two point-to-point Ethernet links with a network
// namespace at either end: one of the host, one inside the VM, so that runs in
// parallel share neither addresses nor the kernel's SCTP settings.
package kernelvm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/interop/kernelvm/protocol"
	"github.com/gosctp/gosctp/interop/lab"
)

// Addresses of the two ends of a lane's links. They are the same in each lane.
const (
	HostAddr  = "10.99.2.1"
	GuestAddr = "10.99.2.2"
	Subnet    = "10.99.2.0/24"

	HostAddr2  = "10.99.3.1"
	GuestAddr2 = "10.99.3.2"
	Subnet2    = "10.99.3.0/24"
)

// link is one of the links of a lane: number n of the VM's devices.
type link struct {
	n           int
	host, guest string // addresses
}

// links returns those of a lane; lanes count from 1.
func links(lane int) [2]link {
	n := protocol.Links(lane)
	return [2]link{{n[0], HostAddr, GuestAddr}, {n[1], HostAddr2, GuestAddr2}}
}

const (
	kernel       = "linux.uml"
	modules      = "/usr/lib/uml/modules"
	controlHost  = "169.254.99.1"
	controlGuest = "169.254.99.2"
	bootTimeout  = 60 * time.Second
)

// Available reports what is missing to boot a VM, or nil.
func Available() error {
	if err := lab.Need(kernel, "modprobe", "ethtool"); err != nil {
		return err
	}
	if m, _ := filepath.Glob(modules + "/*/kernel/net/sctp/sctp.ko"); len(m) == 0 {
		return &lab.Missing{What: "no sctp.ko in " + modules}
	}
	return nil
}

// A VM is a running kernel.
type VM struct {
	control *lab.Namespace
	lanes   []*lab.Namespace
	free    chan *Lane
	cmd     *exec.Cmd
	guest   string
	dir     string
	gone    chan struct{} // closed when the process has ended
	stop    func()
	Boot    time.Duration // how long it took
}

// Start boots a VM. guest is the program of package kernelvm/guest; dir is for
// the console log.
func Start(guest, dir string, lanes int) (vm *VM, err error) {
	vm = &VM{guest: guest, dir: dir, free: make(chan *Lane, lanes)}
	vm.stop = lab.OnExit(vm.close)
	reap()
	defer func() {
		if err != nil {
			vm.Stop()
		}
	}()
	if vm.control, err = lab.NewNamespace(); err != nil {
		return vm, err
	}
	if err := vm.taps(lanes); err != nil {
		return vm, err
	}
	began := time.Now()
	if err := vm.boot(lanes); err != nil {
		return vm, err
	}
	if err := vm.settle(began); err != nil {
		return vm, fmt.Errorf("%w; console:\n%s", err, vm.Console())
	}
	vm.Boot = time.Since(began)
	return vm, vm.spread(lanes)
}

func tap(i int) string { return fmt.Sprintf("tap%d", i) }

// taps makes the devices that the VM attaches to: all in one namespace, as the
// VM opens them by name. Number 0 is the control link.
func (vm *VM) taps(lanes int) error {
	ns := vm.control.Name
	for i := range 2*lanes + 1 {
		if err := ip("-n", ns, "tuntap", "add", "dev", tap(i), "mode", "tap"); err != nil {
			return err
		}
	}
	if err := ip("-n", ns, "addr", "add", controlHost+"/24", "dev", tap(0)); err != nil {
		return err
	}
	return ip("-n", ns, "link", "set", tap(0), "up")
}

// spread moves each lane's taps to a namespace of its own. The VM keeps its
// hold of them.
func (vm *VM) spread(lanes int) error {
	for i := 1; i <= lanes; i++ {
		ns, err := lab.NewNamespace()
		if err != nil {
			return err
		}
		vm.lanes = append(vm.lanes, ns)
		l := &Lane{Host: ns, vm: vm, netns: protocol.Lane(i), n: i}
		if err := l.attach(); err != nil {
			return err
		}
		vm.free <- l
	}
	return nil
}

// attach gives a lane its links.
func (l *Lane) attach() error {
	for i, link := range links(l.n) {
		dev := lab.DeviceN(i)
		for _, args := range [][]string{
			{"-n", l.vm.control.Name, "link", "set", tap(link.n), "netns", l.Host.Name, "name", dev},
			{"-n", l.Host.Name, "addr", "add", link.host + "/24", "dev", dev},
			{"-n", l.Host.Name, "link", "set", dev, "mtu", "1500", "up"},
		} {
			if err := ip(args...); err != nil {
				return err
			}
		}
		if err := lab.OffloadsOff(l.Host, dev); err != nil {
			return err
		}
		if err := l.Run("ip", "addr", "add", link.guest+"/24", "dev", l.Device(i)); err != nil {
			return err
		}
	}
	return l.Run("ip", "route", "add", "default", "via", HostAddr)
}

// reap ends what VMs have left behind: a kernel has helper processes, in the
// group that it leads, and they do not notice when it is killed.
func reap() {
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range procs {
		cmdline, err := os.ReadFile(dir + "/cmdline")
		if err != nil || !strings.HasPrefix(string(cmdline), kernel) || !strings.Contains(string(cmdline), "\x00"+protocol.ConfigArgument) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		leader, err := syscall.Getpgid(pid)
		if err == nil && leader != pid && syscall.Kill(leader, 0) == syscall.ESRCH {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func (vm *VM) boot(lanes int) error {
	cfg := protocol.Config{Modules: modules, Control: controlGuest, Lanes: lanes}
	argv := vm.control.Command(kernel, "mem=512M", "rootfstype=hostfs", "rootflags=/", "root=/dev/root", "ro",
		"init="+vm.guest, "uml_dir="+vm.dir+"/", "umid=vm", "con=null", "con0=null,fd:1", "ssl=null", "quiet", "panic=-1",
		cfg.Argument())
	for i := range 2*lanes + 1 {
		argv = append(argv, fmt.Sprintf("vec%d:transport=tap,ifname=%s,gro=0,mac=02:00:00:99:00:%02x", i, tap(i), i))
	}
	console, err := os.Create(vm.consoleFile())
	if err != nil {
		return err
	}
	defer console.Close()
	vm.cmd, vm.gone = exec.Command(argv[0], argv[1:]...), make(chan struct{})
	vm.cmd.Stdout, vm.cmd.Stderr = console, console
	if err := lab.Spawn(vm.cmd); err != nil {
		vm.cmd = nil
		return err
	}
	go func(cmd *exec.Cmd, gone chan struct{}) {
		cmd.Wait()
		close(gone)
	}(vm.cmd, vm.gone)
	return nil
}

func (vm *VM) consoleFile() string { return filepath.Join(vm.dir, "console.log") }

// Console returns what the kernel has printed.
func (vm *VM) Console() string {
	b, _ := os.ReadFile(vm.consoleFile())
	return string(b)
}

// settle waits until the guest answers.
func (vm *VM) settle(began time.Time) error {
	for {
		c, err := vm.dial(time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-vm.gone:
			return errors.New("the VM ended while it booted")
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(began) > bootTimeout {
			return fmt.Errorf("no answer from the VM in %s", bootTimeout)
		}
	}
}

func (vm *VM) dial(timeout time.Duration) (c *net.TCPConn, err error) {
	err = vm.control.Do(func() error {
		conn, err := net.DialTimeout("tcp4", net.JoinHostPort(controlGuest, protocol.Port), timeout)
		if err == nil {
			c = conn.(*net.TCPConn)
		}
		return err
	})
	return c, err
}

// Crash ends the VM as a power failure does, without a word to anyone. The
// lanes' namespaces stay.
func (vm *VM) Crash() {
	syscall.Kill(-vm.cmd.Process.Pid, syscall.SIGKILL)
	<-vm.gone
	vm.cmd = nil
	reap()
}

// Reboot boots the VM again after Crash. Its lanes are attached to the same
// namespaces, and at the same addresses.
func (vm *VM) Reboot() error {
	for i, ns := range vm.lanes {
		for k, link := range links(i + 1) {
			if err := ip("-n", ns.Name, "link", "set", lab.DeviceN(k), "netns", vm.control.Name, "name", tap(link.n)); err != nil {
				return err
			}
		}
	}
	began := time.Now()
	if err := vm.boot(len(vm.lanes)); err != nil {
		return err
	}
	if err := vm.settle(began); err != nil {
		return fmt.Errorf("%w; console:\n%s", err, vm.Console())
	}
	for i, ns := range vm.lanes {
		l := &Lane{Host: ns, vm: vm, netns: protocol.Lane(i + 1), n: i + 1}
		if err := l.attach(); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the VM and removes its namespaces.
func (vm *VM) Stop() { vm.stop() }

func (vm *VM) close() {
	if vm.cmd != nil {
		if c, err := vm.dial(time.Second); err == nil {
			json.NewEncoder(c).Encode(protocol.Request{Argv: []string{protocol.PowerOff}})
			c.Close()
		}
		select {
		case <-vm.gone:
		case <-time.After(3 * time.Second):
			syscall.Kill(-vm.cmd.Process.Pid, syscall.SIGKILL)
			<-vm.gone
		}
		reap()
	}
	for _, ns := range vm.lanes {
		ns.Remove()
	}
	if vm.control != nil {
		vm.control.Remove()
	}
}

// A Lane is one link to the VM. Programs that Start runs are inside, on the
// kernel's SCTP, at GuestAddr; Host is the namespace at this end, at HostAddr.
type Lane struct {
	Host  *lab.Namespace
	vm    *VM
	netns string
	n     int // it is the nth lane
}

// Device returns what the VM calls one of the lane's links, 0 or 1.
func (l *Lane) Device(link int) string { return protocol.LaneDevice(link) }

// Take waits for a free lane, and undoes what its last user and peers/linux may
// have set. Release gives it back.
func (vm *VM) Take() (*Lane, error) {
	l := <-vm.free
	err := l.Run("sh", "-c", "ip route replace default via "+HostAddr+
		" && cd /proc/sys/net/sctp && echo 0 >encap_port && echo 0 >udp_port && echo 1 >pf_enable")
	if err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// Release gives the lane back. All programs in it must have ended.
func (l *Lane) Release() { l.vm.free <- l }

// Run runs a command inside to its end; any output is an error.
func (l *Lane) Run(argv ...string) error {
	p, err := lab.Run(l, argv...)
	if err != nil {
		return err
	}
	defer p.Close()
	p.CloseInput()
	if err := p.WaitEnd(30 * time.Second); err != nil { // the kernel is slow where processors are few
		return err
	}
	if out := p.Output(); out != "" {
		return fmt.Errorf("VM: %s: %s", strings.Join(argv, " "), out)
	}
	return nil
}

// Start implements lab.Place.
func (l *Lane) Start(argv ...string) (io.WriteCloser, io.Reader, func(), error) {
	c, err := l.vm.dial(10 * time.Second)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("VM: %w", err)
	}
	if err := json.NewEncoder(c).Encode(protocol.Request{Netns: l.netns, Argv: argv}); err != nil {
		c.Close()
		return nil, nil, nil, err
	}
	return input{c}, c, func() { c.SetLinger(0); c.Close() }, nil
}

// input is the sending half of a connection.
type input struct{ *net.TCPConn }

func (i input) Close() error { return i.CloseWrite() }

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}
