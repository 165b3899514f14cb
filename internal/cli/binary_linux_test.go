package cli

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Who may not use raw sockets gets UDP, and is told so.
func TestBinaryAsOrdinaryUser(t *testing.T) {
	bin := build(t)
	cmd := exec.Command(bin, "demo", "--json", "--bytes", "2MiB")
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	r := demoOf(t, cmd)
	if !r.Verified || r.Transport != "udp" || !strings.Contains(r.Reason, "CAP_NET_RAW") {
		t.Errorf("%+v", r)
	}
	cmd = exec.Command(bin, "listen", "--transport", "rawip", ":5000")
	cmd.Dir = "/"
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "CAP_NET_RAW") || !strings.Contains(string(out), "--transport udp") {
		t.Errorf("%v: %s", err, out)
	}
}
