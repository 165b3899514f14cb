package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/rawip"
	"github.com/gosctp/gosctp/transport/udpencap"
	"github.com/spf13/cobra"
)

var errPriv = fmt.Errorf("%w: raw sockets need more", transport.ErrPrivilege)

// fake is a host of which everything works.
func fake() host {
	return host{
		root: "/nonexistent",
		raw:  func() rawip.Report { return rawip.Report{RcvBuf: 8 << 20} },
		udp:  func() udpencap.Report { return udpencap.Report{GSO: true, GRO: true} },
		port: func() error { return nil },
		try:  func(context.Context, string) error { return nil },
	}
}

func TestExamine(t *testing.T) {
	for _, tc := range []struct {
		name string
		host func(*host)
		ok   bool
		best string
		text []string // of what is printed
	}{
		{"all works", func(*host) {}, true, "rawip", []string{"works here, directly over IP", "yes, tested"}},
		{"no test", func(h *host) { h.try = nil }, true, "rawip", []string{"raw IPv4           yes\n"}},
		{"no privilege", func(h *host) {
			h.raw = func() rawip.Report { return rawip.Report{V4: errPriv, V6: errPriv} }
		}, true, "udp", []string{"encapsulated in UDP", "lacks CAP_NET_RAW", "setcap"}},
		{"kernel loaded", func(h *host) {
			h.raw = func() rawip.Report { return rawip.Report{KernelSCTP: true} }
		}, true, "udp", []string{"kernel SCTP        loaded", "modprobe -r sctp", "ABORT"}},
		{"port taken", func(h *host) { h.port = func() error { return transport.ErrPortInUse } }, true, "rawip", []string{"not free", "--udp-encap=PORT"}},
		{"small buffer", func(h *host) {
			h.raw = func() rawip.Report { return rawip.Report{RcvBuf: 212992} }
		}, true, "rawip", []string{"rmem_max"}},
		{"filtered", func(h *host) {
			h.try = func(_ context.Context, name string) error {
				if name == "udp" {
					return nil
				}
				return errors.New("no progress")
			}
		}, true, "udp", []string{"no progress", "protocol 132"}},
		{"only IPv6", func(h *host) {
			h.raw = func() rawip.Report { return rawip.Report{V4: errors.New("no such family")} }
		}, true, "rawip", []string{"no: no such family", "raw IPv6           yes"}},
		{"nothing", func(h *host) {
			h.raw = func() rawip.Report { return rawip.Report{V4: errPriv, V6: errPriv} }
			h.udp = func() udpencap.Report { return udpencap.Report{V4: os.ErrPermission, V6: os.ErrPermission} }
		}, false, "none", []string{"does not work here"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := fake()
			tc.host(&h)
			print := func(asJSON bool) (string, error) {
				var out bytes.Buffer
				cmd := &cobra.Command{}
				cmd.SetContext(context.Background())
				cmd.SetOut(&out)
				err := run(cmd, h, asJSON)
				return out.String(), err
			}
			text, err := print(false)
			if (err == nil) != tc.ok || err != nil && outcome.Code(err) != outcome.Failed {
				t.Errorf("error %v", err)
			}
			for _, want := range tc.text {
				if !strings.Contains(text, want) {
					t.Errorf("does not say %q:\n%s", want, text)
				}
			}
			out, _ := print(true)
			var m map[string]any
			if err := json.Unmarshal([]byte(out), &m); err != nil {
				t.Fatal(err)
			}
			if m["ok"] != tc.ok || m["best"] != tc.best {
				t.Errorf("%s", out)
			}
			for _, k := range []string{"rawip4", "rawip6", "udp", "kernel_sctp_loaded", "kernel_sctp_module", "udp_port_9899_free", "receive_buffer", "os"} {
				if _, ok := m[k]; !ok {
					t.Errorf("no %s in %s", k, out)
				}
			}
		})
	}
}

func TestKernelModule(t *testing.T) {
	for _, tc := range []struct {
		want  string
		files map[string]string
	}{
		{"absent", nil},
		{"absent", map[string]string{"lib/modules/6.1/modules.dep": "kernel/net/dccp/dccp.ko:\n"}},
		{"present", map[string]string{"lib/modules/6.1/modules.dep": "kernel/net/sctp/sctp.ko.xz: kernel/lib/crc.ko\n"}},
		{"present", map[string]string{"usr/lib/modules/6.1/modules.dep": "kernel/net/sctp/sctp.ko:\n"}},
		{"builtin", map[string]string{"lib/modules/6.1/modules.builtin": "kernel/net/sctp/sctp.ko\n"}},
		{"present", map[string]string{
			"lib/modules/6.1/modules.dep": "kernel/net/sctp/sctp.ko:\n",
			"etc/modprobe.d/x.conf":       "# install sctp /bin/false\ninstall sctp_diag /bin/false\nblacklist sctp\n",
		}},
		{"blocked", map[string]string{
			"lib/modules/6.1/modules.dep": "kernel/net/sctp/sctp.ko:\n",
			"etc/modprobe.d/sctp.conf":    "install sctp /bin/false\n",
		}},
	} {
		root := t.TempDir()
		write := func(name, text string) {
			f := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("proc/sys/kernel/osrelease", "6.1\n")
		for name, text := range tc.files {
			write(name, text)
		}
		if got := kernelModule(root); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.files, got, tc.want)
		}
	}
	if got := kernelModule("/nonexistent"); got != "absent" {
		t.Errorf("without /proc: %s", got)
	}
}

// On any host that runs this test, UDP over loopback works.
func TestThisHost(t *testing.T) {
	r := examine(context.Background(), thisHost(true))
	if !r.OK || !r.UDP.OK || !r.UDP.Tested {
		t.Errorf("%+v", r)
	}
	if raw := rawip.Check(); raw.OK() != (r.Best == "rawip") {
		t.Errorf("best is %s, raw sockets: %+v", r.Best, raw)
	}
}
