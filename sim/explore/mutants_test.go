package explore

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The explorer is worth something only if it finds what is wrong. Each mutant
// is the shipping code with one mistake, put in its place by a build overlay;
// exploring it must fail.
var mutants = []struct {
	name    string
	file    string // from the module's root
	old     string // what is replaced, once
	new     string
	setting string
	says    string // a part of what the explorer has to say
}{
	{
		name: "T1-cookie is not started", file: "stack/fsm/sf_init.go",
		old: "	out.start(tcb.T1Cookie, p)\n", new: "",
		setting: "setup", says: "no timeout T1-cookie",
	},
	{
		name: "the Verification Tag is not looked at", file: "stack/fsm/step.go",
		old:     "	case TagRuleOwn:\n		return ev.Tag&TagOwn != 0\n",
		new:     "	case TagRuleOwn:\n		return true\n",
		setting: "abort", says: "",
	},
	{
		name: "T3-rtx retransmits nothing", file: "stack/fsm/sf_data.go",
		old:     "	if !strike(v, ev.Path, true, out) {\n		return Consume\n	}\n	out.path(CmdMarkRtx, ev.Path)\n",
		new:     "	if !strike(v, ev.Path, true, out) {\n		return Consume\n	}\n",
		setting: "life", says: "no timeout T3-rtx",
	},
	{
		name: "a lost COOKIE ACK is not sent again", file: "stack/fsm/sf_cookie.go",
		old:     "	out.send(chunk.TypeCookieAck, tcb.NoPath)\n	return Consume\n}\n\n// cookieCollision",
		new:     "	return Consume\n}\n\n// cookieCollision",
		setting: "setup", says: "",
	},
	{
		name: "T2-shutdown is stopped as soon as it starts", file: "stack/fsm/sf_shutdown.go",
		old:     "func sfStartShutdownAck(v tcb.View, _ *Event, out *Commands) Disposition {\n	active, _ := v.SelectPaths()\n	out.verb(CmdTimersStop)\n	sendShutdownAck(active, out)\n",
		new:     "func sfStartShutdownAck(v tcb.View, _ *Event, out *Commands) Disposition {\n	active, _ := v.SelectPaths()\n	sendShutdownAck(active, out)\n	out.verb(CmdTimersStop)\n",
		setting: "teardown", says: "no timeout T2-shutdown",
	},
}

func TestMutantsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: builds the code anew for each mutant")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIP: no go command: ", err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			file := filepath.Join(root, filepath.FromSlash(m.file))
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("%s has what the mutant replaces %d times, want once: adapt the mutant", m.file, n)
			}
			dir := t.TempDir()
			mutant := filepath.Join(dir, filepath.Base(m.file))
			write(t, mutant, []byte(strings.Replace(string(src), m.old, m.new, 1)))
			overlay := filepath.Join(dir, "overlay.json")
			j, err := json.Marshal(map[string]any{"Replace": map[string]string{file: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			write(t, overlay, j)
			cmd := exec.Command("go", "test", "-overlay", overlay, "-run", "TestExplore", ".",
				"-explore.setting="+m.setting, "-explore.depth=9")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("the explorer sees nothing wrong")
			}
			if !strings.Contains(string(out), "again: go test") || !strings.Contains(string(out), m.says) {
				t.Fatalf("it fails in another way than by a counterexample that says %q:\n%.3000s", m.says, out)
			}
		})
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
