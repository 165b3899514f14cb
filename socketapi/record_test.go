package socketapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// replayed plays a recording, which must be whole, and send the same packets.
func replayed(t *testing.T, path string) *record.Player {
	t.Helper()
	f, err := record.Open(path)
	if err != nil || f.Damage != "" || f.Stopped != "" {
		t.Fatalf("%v, %+v", err, f)
	}
	p := f.Player(nil)
	for more := true; more; {
		if more, err = p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if p.Note != "" || p.Odd != nil {
		t.Errorf("%q, %v", p.Note, p.Odd)
	}
	return p
}

// TestRecord: many associations on several shards, used by many goroutines at
// once, are recorded and sent again packet by packet, with user data and
// without.
func TestRecord(t *testing.T) {
	for _, data := range []bool{false, true} {
		dir := t.TempDir()
		a, z := mem.NewPair(1500)
		var hosts [2]*socketapi.Host
		var files [2]string
		for i, l := range []transport.Link{a, z} {
			files[i] = filepath.Join(dir, fmt.Sprint("host", i))
			h, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{l}, Shards: 4, Record: files[i], RecordData: data})
			if err != nil {
				t.Fatal(err)
			}
			hosts[i] = h
		}
		l, err := hosts[1].Listen("10.0.0.2:5000", nil)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				c, err := l.AcceptSCTP(context.Background())
				if err != nil {
					return
				}
				wg.Go(func() { io.Copy(c, c); c.Close() })
			}
		})
		secret := bytes.Repeat([]byte("secret!"), 400)
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				c, err := hosts[0].Dial(context.Background(), "10.0.0.2:5000", nil)
				if err != nil {
					t.Error(err)
					return
				}
				var both sync.WaitGroup
				both.Go(func() {
					for range 100 {
						if _, err := c.Write(secret); err != nil {
							t.Error(err)
							return
						}
					}
				})
				if _, err := io.ReadFull(c, make([]byte, 100*len(secret))); err != nil {
					t.Error(err)
				}
				both.Wait()
				if err := c.CloseWait(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		clients.Wait()
		l.Close()
		for _, h := range hosts {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		for _, path := range files {
			if p := replayed(t, path); p.Packets < 800 {
				t.Errorf("only %d packets", p.Packets)
			}
			b, err := os.ReadFile(path)
			if err != nil || bytes.Contains(b, []byte("secret!")) != data {
				t.Errorf("%v; user data in the file: %v, want %v", err, !data, data)
			}
			if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o600 {
				t.Errorf("%v: others may read it", s.Mode())
			}
		}
	}
}

// TestRecordThatCannotBe: a file that cannot be made is an error at once.
func TestRecordThatCannotBe(t *testing.T) {
	a, _ := mem.NewPair(1500)
	_, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{a}, Record: filepath.Join(t.TempDir(), "no", "such")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// faulty is a congestion controller with a bug.
type faulty struct{ path.NewReno }

func (*faulty) Acked(*path.Path, path.Ack) { panic("a planted bug") }

// TestDumpOfABug: a panic costs one association; its last steps go to a file,
// and the Logger says where.
func TestDumpOfABug(t *testing.T) {
	dir := t.TempDir()
	var said lockedBuffer
	a, z := mem.NewPair(1500)
	client, err := socketapi.NewHost(socketapi.HostConfig{
		Links: []transport.Link{a}, DumpDir: dir, Logger: slog.New(slog.NewTextHandler(&said, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{z}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := server.Listen("10.0.0.2:5000", nil); err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.2:5000", &socketapi.Config{
		Congestion: func() path.Controller { return new(faulty) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("it lives")
	}
	if err := client.Close(); err != nil { // after it all is told
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "sctp-bug-*.sctplog"))
	if err != nil || len(files) != 1 || !strings.Contains(said.String(), files[0]) || !strings.Contains(said.String(), "a planted bug") {
		t.Fatalf("%v, %v, %s", files, err, said.String())
	}
	f, err := record.Open(files[0])
	if err != nil || len(f.Dumps) != 1 || !strings.Contains(f.Dumps[0].Panic, "faulty") {
		t.Fatalf("%v, %+v", err, f)
	}
	steps, err := decision.Decode(f.Dumps[0].Steps)
	if err != nil || len(steps) == 0 || steps[len(steps)-1].Event.ID != fsm.EvSack {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
}

// lockedBuffer is written by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestDumpSteps: an association's last steps are a file, after its end too.
func TestDumpSteps(t *testing.T) {
	a, z := mem.NewPair(1500)
	client, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{a}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{z}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l, err := server.Listen("10.0.0.2:5000", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.2:5000", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		var b bytes.Buffer
		if err := c.DumpSteps(&b); err != nil {
			t.Fatal(err)
		}
		f, err := record.Parse(b.Bytes())
		if err != nil || len(f.Dumps) != 1 || f.Damage != "" || len(f.Dumps[0].Steps) == 0 {
			t.Fatalf("dump %d: %v, %+v", i, err, f)
		}
		c.Abort("enough")
	}
}
