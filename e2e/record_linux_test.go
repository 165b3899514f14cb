package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/nstest"
)

// TestRecording: both ends of an association over two links are recorded, and
// killed as kill -9 does. Their files play up to where they end, and each packet
// is the one that was sent.
func TestRecording(t *testing.T) {
	a, z := twoHosts(t)
	nstest.Wire(a, z, "two", "two")
	a.Up("two", 1500, "10.2.0.1/24")
	z.Up("two", 1500, "10.2.0.2/24")
	dir := t.TempDir()
	files := [2]string{filepath.Join(dir, "client"), filepath.Join(dir, "server")}
	server := start(t, z, "listen", "-v", "--lines", "--transport", "rawip", "--echo", "--record", files[1], "10.1.0.2/10.2.0.2:5000")
	server.waitFor("listening")
	client := start(t, a, "connect", "-v", "--lines", "--transport", "rawip", "--record", files[0], "--source", "10.1.0.1,10.2.0.1", "10.1.0.2/10.2.0.2:5000")
	client.waitFor("connected")
	for written := int64(0); written < 20<<10; {
		client.echo(strings.Repeat("secret ", 100))
		written = 1 << 40
		for _, f := range files {
			s, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			written = min(written, s.Size())
		}
	}
	client.kill() // first: it would see that the server is gone, and end
	client.in.Close()
	server.kill()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		out, err := exec.Command(bin, "replay", f).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, tail(out))
		}
		for _, want := range []string{"as recorded, byte for byte", "The file ends early", "COOKIE", "10.2.0."} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: no %q in\n%s", f, want, tail(out))
			}
		}
		b, err := os.ReadFile(f)
		if err != nil || strings.Contains(string(b), "secret") {
			t.Errorf("user data is in the file, %v", err)
		}
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }
