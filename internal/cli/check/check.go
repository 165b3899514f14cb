// Package check is `sctp check`: can this host do SCTP here, how, what is
// missing, and what is in the way.
package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gosctp/gosctp/internal/cli/demo"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/rawip"
	"github.com/gosctp/gosctp/transport/udpencap"
)

// Way is one way to do SCTP.
type Way struct {
	OK     bool   `json:"ok"`
	Tested bool   `json:"tested"` // data was moved over loopback
	Reason string `json:"reason,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// Report is what was found out; as JSON it is what --json prints.
type Report struct {
	OK            bool     `json:"ok"`   // some way works
	Best          string   `json:"best"` // rawip, udp or none
	OS            string   `json:"os"`
	RawIP4        Way      `json:"rawip4"`
	RawIP6        Way      `json:"rawip6"`
	UDP           Way      `json:"udp"`
	UDPPortFree   bool     `json:"udp_port_9899_free"`
	UDPGSO        bool     `json:"udp_gso"`
	UDPGRO        bool     `json:"udp_gro"`
	KernelLoaded  bool     `json:"kernel_sctp_loaded"`
	KernelModule  string   `json:"kernel_sctp_module"` // present, builtin, blocked or absent
	Responder     bool     `json:"responder"`          // some process answers for ports that nobody holds
	ReceiveBuffer int      `json:"receive_buffer"`     // bytes granted to a raw socket, 0 if none could be had
	Notes         []string `json:"notes,omitempty"`
}

// host is where the facts come from, so that tests can have others.
type host struct {
	root string // of the file system
	raw  func() rawip.Report
	udp  func() udpencap.Report
	port func() error // binds UDP port 9899
	try  func(ctx context.Context, transport string) error
}

func thisHost(test bool) host {
	h := host{root: "/", raw: rawip.Check, udp: udpencap.Check, port: bindPort}
	if test {
		h.try = func(ctx context.Context, transport string) error {
			o := demo.Defaults()
			o.Transport, o.Bytes, o.Stall = transport, 256<<10, 5*time.Second
			_, err := demo.Run(ctx, o, nil)
			return err
		}
	}
	return h
}

func bindPort() error {
	l, err := udpencap.Open(udpencap.Config{Listen: netip.AddrPortFrom(netip.Addr{}, udpencap.DefaultPort)})
	if err != nil {
		return err
	}
	return l.Close()
}

const wantedBuffer = 4 << 20

// examine finds out all that there is to report.
func examine(ctx context.Context, h host) Report {
	r := Report{OS: runtime.GOOS + "/" + runtime.GOARCH, Best: "none"}
	raw, udp := h.raw(), h.udp()
	r.KernelLoaded, r.Responder, r.ReceiveBuffer = raw.KernelSCTP, raw.Responder, raw.RcvBuf
	r.KernelModule = kernelModule(h.root)
	r.UDPGSO, r.UDPGRO = udp.GSO, udp.GRO
	r.RawIP4 = rawWay(ctx, h, raw.V4, raw.KernelSCTP, "rawip")
	r.RawIP6 = rawWay(ctx, h, raw.V6, raw.KernelSCTP, "rawip6")
	r.UDP = udpWay(ctx, h, udp)
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	err := h.port()
	r.UDPPortFree = err == nil
	if errors.Is(err, transport.ErrPortInUse) {
		note("UDP port 9899 is taken: listen elsewhere (--udp-encap=PORT), and tell the peers; dialling is not affected")
	}
	switch {
	case r.KernelLoaded && (raw.V4 == nil || raw.V6 == nil):
		note("the kernel's SCTP is loaded and answers packets that are meant for this program with ABORT")
	case !r.KernelLoaded && r.KernelModule == "present":
		note("the kernel has an SCTP module that any program can have loaded by opening an SCTP socket, and that then ends " +
			"associations over raw IP. To keep it out: echo 'install sctp /bin/false' > /etc/modprobe.d/sctp.conf")
	}
	if r.ReceiveBuffer > 0 && r.ReceiveBuffer < wantedBuffer {
		note("raw sockets get a receive buffer of %d bytes only; fast senders overflow it. More: sysctl -w net.core.rmem_max=%d", r.ReceiveBuffer, wantedBuffer)
	}
	switch {
	case r.RawIP4.OK || r.RawIP6.OK:
		r.OK, r.Best = true, "rawip"
	case r.UDP.OK:
		r.OK, r.Best = true, "udp"
	}
	return r
}

func rawWay(ctx context.Context, h host, err error, kernel bool, name string) Way {
	switch {
	case err != nil:
		return Way{Reason: outcome.Brief(err), Fix: rawFix(err)}
	case kernel:
		return Way{
			Reason: outcome.Brief(transport.ErrKernelSCTP),
			Fix:    "modprobe -r sctp, and keep it from loading: echo 'install sctp /bin/false' > /etc/modprobe.d/sctp.conf",
		}
	}
	return tested(ctx, h, name, "see whether a packet filter drops IP protocol 132: nft list ruleset, iptables -L")
}

func rawFix(err error) string {
	switch {
	case errors.Is(err, transport.ErrPrivilege), errors.Is(err, os.ErrPermission):
		return "run as root, or: setcap cap_net_raw+ep $(command -v sctp); in a container, add the capability NET_RAW"
	case runtime.GOOS != "linux":
		return "none here: use UDP encapsulation"
	}
	return ""
}

func udpWay(ctx context.Context, h host, r udpencap.Report) Way {
	if !r.OK() {
		return Way{Reason: errors.Join(r.V4, r.V6).Error()}
	}
	return tested(ctx, h, "udp", "see whether a packet filter drops UDP on the loopback interface")
}

// tested moves data, unless the user does not want that.
func tested(ctx context.Context, h host, transport, fix string) Way {
	if h.try == nil {
		return Way{OK: true}
	}
	if err := h.try(ctx, transport); err != nil {
		return Way{Tested: true, Reason: "a transfer over loopback failed: " + err.Error(), Fix: fix}
	}
	return Way{OK: true, Tested: true}
}

// kernelModule looks for the kernel's SCTP without loading it.
func kernelModule(root string) string {
	read := func(parts ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{root}, parts...)...))
		if err != nil {
			return ""
		}
		return string(b)
	}
	release := strings.TrimSpace(read("proc/sys/kernel/osrelease"))
	if release == "" {
		return "absent"
	}
	for _, base := range []string{"lib/modules", "usr/lib/modules"} {
		if strings.Contains(read(base, release, "modules.builtin"), "/sctp/sctp.ko") {
			return "builtin"
		}
		if strings.Contains(read(base, release, "modules.dep"), "/sctp/sctp.ko") {
			if blocked(root) {
				return "blocked"
			}
			return "present"
		}
	}
	return "absent"
}

// blocked reports whether modprobe was told not to load the module.
func blocked(root string) bool {
	for _, dir := range []string{"etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"} {
		files, _ := filepath.Glob(filepath.Join(root, dir, "*.conf"))
		for _, f := range files {
			b, _ := os.ReadFile(f)
			for line := range strings.Lines(string(b)) {
				w := strings.Fields(line)
				if len(w) >= 3 && w[0] == "install" && w[1] == "sctp" && (strings.HasSuffix(w[2], "/false") || strings.HasSuffix(w[2], "/true")) {
					return true
				}
			}
		}
	}
	return false
}
