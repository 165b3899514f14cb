package replay

import (
	"bytes"
	"errors"
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/sim"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// exchange records a short one over two paths, with one packet lost: the
// caller's side, the called side, and the dump of the caller's association.
func exchange(t *testing.T) (caller, called, dump string) {
	t.Helper()
	link := impair.Config{Delay: 10 * mono.Millisecond}
	cfg := tcb.DefaultConfig()
	s := sim.Scenario{
		MTU: 1500, AtoZ: link, ZtoA: link, More: []sim.PathPlan{{AtoZ: link, ZtoA: link}}, A: cfg, Z: cfg,
		Assocs: []sim.AssocPlan{{
			A: sim.UserPlan{Messages: 6, MaxSize: 3000, Streams: 2, Pace: 5 * mono.Millisecond, Closing: sim.CloseWhenSent},
			Z: sim.UserPlan{Messages: 1, MaxSize: 100, Streams: 1},
		}},
	}
	dir := t.TempDir()
	var writers []*record.Writer
	data := 0
	r := sim.Run(4, s, sim.Options{
		Record: func(host string, _ int) stack.Recorder {
			w, err := record.Create(filepath.Join(dir, host+".sctplog"), record.Header{Program: "test", Build: "v0", Host: host})
			if err != nil {
				t.Fatal(err)
			}
			writers = append(writers, w)
			return w.Shard
		},
		Drop: func(p sim.Packet) bool {
			if p.Arrived || chunk.Type(p.Data[chunk.HeaderLen]) != chunk.TypeData || p.Src.As4()[3] != 1 {
				return false
			}
			data++
			return data == 3
		},
	})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	caller, called, dump = filepath.Join(dir, "A.sctplog"), filepath.Join(dir, "Z.sctplog"), filepath.Join(dir, "dump.sctplog")

	// The dump is that of the association that does it all again.
	f, err := record.Open(caller)
	if err != nil {
		t.Fatal(err)
	}
	last := new(lastSteps)
	p := f.Player(last)
	for more := true; more; {
		if more, err = p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	last.d.Panic = "planted\n\nstack"
	b, err := record.AppendDump(nil, record.Header{Program: "test", Build: "v0"}, last.d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dump, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return caller, called, dump
}

// lastSteps is a Watcher that keeps the dump of the only association.
type lastSteps struct{ d decision.Dump }

func (*lastSteps) Begin(*sideeffects.Call, *sideeffects.Association) {}
func (*lastSteps) Step(*sideeffects.Step)                            {}
func (*lastSteps) Packet([]byte, sideeffects.Addressing)             {}
func (l *lastSteps) End(_ *sideeffects.Call, a *sideeffects.Association) {
	if a != nil {
		l.d = a.Decisions()
	}
}

// command runs the command.
func command(args ...string) (string, error) {
	cmd := Command()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.Execute()
	return out.String(), err
}

// TestGolden: what the command says of a recording and of a dump, and the
// ladders.
func TestGolden(t *testing.T) {
	caller, called, dump := exchange(t)
	dir := t.TempDir()
	svg, html := filepath.Join(dir, "x.svg"), filepath.Join(dir, "x.html")
	for name, args := range map[string][]string{
		"caller.txt":   {caller},
		"called.txt":   {called},
		"dump.txt":     {dump},
		"why-call.txt": {caller, "--why", "1"},
		"why-init.txt": {called, "--why", "1"},
		"why-rtx.txt":  {caller, "--why", "17"},
		"ladder.txt":   {caller, "--diagram"},
		"ladder-z.txt": {called, "--diagram"},
		"ladder-d.txt": {dump, "--diagram"},
		"svg.txt":      {caller, "--diagram=" + svg},
		"html.txt":     {caller, "--diagram=" + html},
	} {
		out, err := command(args...)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		golden(t, name, strings.ReplaceAll(out, dir, ""))
	}
	for name, file := range map[string]string{"ladder.svg": svg, "ladder.html": html} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, string(b))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			t.Errorf("%s is another one (-update writes it), from line %d on:\n got %s\nwant %s", name, i+1, g[i], append(w, "", "nothing")[min(i, len(w)+1)])
			return
		}
	}
	t.Errorf("%s is another one: %d lines, want %d", name, len(g), len(w))
}

// change flips a bit of the n-th packet that was sent with a chunk of that type
// first, and makes the checksum of its block fit.
func change(t *testing.T, file string, kind chunk.Type) {
	t.Helper()
	f, err := record.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &packetOf{kind: kind}
	p := f.Player(w)
	for more := true; more; {
		if more, err = p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, w.p)
	if at < 0 {
		t.Fatal("no such packet")
	}
	b[at+len(w.p)-1] ^= 1
	const magicLen, headerLen = 12, 16
	for i := magicLen; i < len(b); {
		n := int(b[i]) | int(b[i+1])<<8 | int(b[i+2])<<16
		sum := crc32.MakeTable(crc32.Castagnoli)
		v := crc32.Update(crc32.Checksum(b[i:i+12], sum), sum, b[i+headerLen:i+headerLen+n])
		copy(b[i+12:], []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		i += headerLen + n
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

type packetOf struct {
	lastSteps
	kind chunk.Type
	p    []byte
}

func (w *packetOf) Packet(p []byte, _ sideeffects.Addressing) {
	if chunk.Type(p[chunk.HeaderLen]) == w.kind && w.p == nil {
		w.p = bytes.Clone(p)
	}
}

// TestDifference: what is not as recorded is told with its step, and is the
// exit status.
func TestDifference(t *testing.T) {
	caller, _, dump := exchange(t)
	change(t, caller, chunk.TypeCookieEcho)
	out, err := command(caller)
	if !errors.Is(err, outcome.ErrReported) {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"DIFFERENCE at step 9,", "(packet at ", "Recorded: ", "Now: ", "They differ from byte ", "up to there as recorded"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}

	// A dump in which another decision stands.
	b, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	f, err := record.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Dumps[0]
	steps := bytes.Clone(d.Steps)
	for i := range steps {
		steps[i] ^= 1
		d.Steps = steps
		if s, err := decision.Decode(steps); err == nil && len(s) > 0 {
			if b, err = record.AppendDump(nil, record.Header{}, d); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dump, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := command(dump); errors.Is(err, outcome.ErrReported) && strings.Contains(out, "DIFFERS: today ") && strings.Contains(out, "decided otherwise") {
				return
			}
		}
		steps[i] ^= 1
	}
	t.Error("no change of a dump made a difference")
}

// TestCutOff: a file without its end plays up to there, and says so.
func TestCutOff(t *testing.T) {
	caller, _, _ := exchange(t)
	b, err := os.ReadFile(caller)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(caller, b[:len(b)-16], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command(caller); err != nil || !strings.Contains(out, "The file ends early: it has no end") || !strings.Contains(out, "all as recorded") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDamaged: a file with another byte in its middle plays up to there, and
// fails.
func TestDamaged(t *testing.T) {
	caller, _, dump := exchange(t)
	for _, file := range []string{caller, dump} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := command(file)
		if outcome.Code(err) != outcome.Failed || !strings.Contains(out, "The file is damaged at byte ") || !strings.Contains(out, "What is before it was played.") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

func TestMisuse(t *testing.T) {
	caller, called, _ := exchange(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	svg := filepath.Join(t.TempDir(), "x.svg")
	for _, tt := range []struct {
		want string
		code int
		args []string
	}{
		{"Name one file", outcome.Misused, nil},
		{"not a recording", outcome.Misused, []string{other}},
		{"no such file", outcome.Misused, []string{other + "x"}},
		{"neither a file nor a pipe", outcome.Misused, []string{os.DevNull}},
		{"choose one", outcome.Misused, []string{caller, "--why", "3", "--diagram"}},
		{"choose one way", outcome.Misused, []string{caller, "--why", "3", "--from", "2"}},
		{"--why=0: steps are numbered from 1", outcome.Misused, []string{caller, "--why", "0"}},
		{"--why=-1: steps are numbered from 1", outcome.Misused, []string{caller, "--why", "-1"}},
		{"--from=0: steps", outcome.Misused, []string{caller, "--from", "0"}},
		{"--to=-1: steps", outcome.Misused, []string{caller, "--to", "-1"}},
		{"--from=10 is behind --to=5", outcome.Misused, []string{caller, "--from", "10", "--to", "5"}},
		{"--assoc=0: no association", outcome.Misused, []string{caller, "--assoc", "0"}},
		{"--diagram=: a name that ends in .svg, .html or .txt", outcome.Misused, []string{caller, "--diagram="}},
		{".svg, .html or .txt", outcome.Misused, []string{caller, "--diagram=x.pdf"}},
		{"there is no step 9999: the recording has 27", outcome.Failed, []string{caller, "--why", "9999"}},
		{"there is no step 28: the recording has 27", outcome.Failed, []string{caller, "--from", "28"}},
		{"there is no association 77; those in the recording: 3", outcome.Failed, []string{caller, "--assoc", "77"}},
		{"there is no association 77; those in the recording: 3", outcome.Failed, []string{caller, "--assoc", "77", "--diagram=" + svg}},
		{"there is no association 9; those", outcome.Failed, []string{caller, "--assoc", "9", "--why", "3"}},
		{"step 1 is of no association, not of 3", outcome.Failed, []string{called, "--assoc", "3", "--why", "1"}},
		{"association 3 has no step there", outcome.Failed, []string{called, "--assoc", "3", "--to", "1"}},
	} {
		out, err := command(tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || outcome.Code(err) != tt.code || out != "" {
			t.Errorf("%v: %v, status %d, want %q, %d\n%s", tt.args, err, outcome.Code(err), tt.want, tt.code, out)
		}
	}
	if _, err := os.Stat(svg); err == nil {
		t.Error("a diagram of nothing was written")
	}
	for _, args := range [][]string{{caller, "--to", "0"}, {caller, "--from", "27"}, {caller, "--assoc", "3", "--why", "27"}, {called, "--assoc", "3", "--from", "2", "--to", "2"}} {
		if out, err := command(args...); err != nil || !strings.Contains(out, "SHUTDOWN COMPLETE") && !strings.Contains(out, "COOKIE ACK") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
