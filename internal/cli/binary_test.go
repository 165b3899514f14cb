package cli

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/transport/rawip"
)

// build makes the program, in a directory that everybody may enter.
func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sctp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "sctp")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/gosctp/gosctp/cmd/sctp").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

type demoResult struct {
	Transport, Reason string
	Bytes             int64
	Verified          bool
}

func demoOf(t *testing.T, cmd *exec.Cmd) demoResult {
	t.Helper()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s%s", cmd, err, out, errs.String())
	}
	if errs.Len() > 0 {
		t.Errorf("stderr: %s", errs.String())
	}
	var r demoResult
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

func TestBinary(t *testing.T) {
	bin := build(t)
	r := demoOf(t, exec.Command(bin, "demo", "--transport", "mem", "--bytes", "1MiB", "--json"))
	if !r.Verified || r.Bytes != 1<<20 || r.Transport != "mem" {
		t.Errorf("%+v", r)
	}
	var exit *exec.ExitError
	if err := exec.Command(bin, "demo", "--bytes", "many").Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("misuse: %v", err)
	}
	peer := filepath.Join(filepath.Dir(bin), "sctp-perf-peer")
	if err := os.Symlink(bin, peer); err != nil {
		t.Skip(err)
	}
	out, err := exec.Command(peer, "server", "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--udp-peer") {
		t.Errorf("as sctp-perf-peer: %v: %s", err, out)
	}
}

// inNamespace returns a command that runs a shell script in a network
// namespace of its own, which ends with it. $SCTP is the program.
func inNamespace(t *testing.T, bin, script string) *exec.Cmd {
	t.Helper()
	if r := rawip.Check(); !r.OK() {
		t.Skipf("needs raw sockets: %+v", r)
	}
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	if out, err := exec.Command("unshare", "-n", "true").CombinedOutput(); err != nil {
		t.Skipf("needs a network namespace, which takes root: %s", out)
	}
	cmd := exec.Command("unshare", "-n", "sh", "-ec", "ip link set lo up\n"+script)
	cmd.Env = append(os.Environ(), "SCTP="+bin)
	return cmd
}

func TestBinaryRawIP(t *testing.T) {
	bin := build(t)
	for args, want := range map[string]string{
		"": "rawip", "--transport rawip --loss 1%": "rawip", "--transport rawip6": "rawip6",
	} {
		r := demoOf(t, inNamespace(t, bin, `exec "$SCTP" demo --json --bytes 2MiB `+args))
		if !r.Verified || r.Bytes != 2<<20 || r.Transport != want {
			t.Errorf("demo %s: %+v", args, r)
		}
	}
	// Two processes of ours on one host, and a third that wants a taken port.
	out, err := inNamespace(t, bin, `
		"$SCTP" listen --echo -k 127.0.0.1:5000 & a=$!
		"$SCTP" listen --echo -k 127.0.0.1:5001 & b=$!
		trap 'kill $a $b' EXIT
		for port in 5000 5001; do
			n=0
			until echo "port $port" | "$SCTP" connect -q 200ms 127.0.0.1:$port 2>/dev/null; do
				n=$((n + 1)); [ $n -lt 50 ]; sleep 0.1
			done
		done
		"$SCTP" listen 127.0.0.1:5001 2>&1 </dev/null && exit 9
		"$SCTP" connect 127.0.0.1:5002 2>&1 </dev/null && exit 9
		"$SCTP" check --json
	`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"port 5000\n", "port 5001\n", "Another program has this port", "nobody listens", `"best":"rawip"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
