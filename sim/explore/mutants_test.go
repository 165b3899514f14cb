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
	fn      string // a function in it
	old     string // what is replaced in the function, once
	new     string
	setting string
	says    string // a part of what the explorer has to say
}{
	{
		name: "T1-cookie is not started", file: "stack/fsm/sf_init.go", fn: "sfInitAck",
		old: "out.start(tcb.T1Cookie, p)", new: "",
		setting: "setup", says: "P2",
	},
	{
		name: "the Verification Tag is not looked at", file: "stack/fsm/step.go", fn: "tagFits",
		old: "return ev.Tag&TagOwn != 0", new: "return true",
		setting: "abort", says: "",
	},
	{
		name: "T3-rtx retransmits nothing", file: "stack/sideeffects/plane.go", fn: "(pl *Plane) MarkRtx",
		old: "pl.Out.T3Expired(p, now)", new: "pl.Paths.P[p].T3 = 0",
		setting: "life", says: "no timeout T3-rtx",
	},
	{
		name: "a lost COOKIE ACK is not sent again", file: "stack/fsm/sf_cookie.go", fn: "ackCookie",
		old: "out.send(chunk.TypeCookieAck, tcb.NoPath)", new: "",
		setting: "setup", says: "",
	},
	{
		name: "T2-shutdown is not started for a SHUTDOWN ACK", file: "stack/fsm/sf_shutdown.go", fn: "sendShutdownAck",
		old: "out.start(tcb.T2Shutdown, p)", new: "",
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
			before, rest, ok := strings.Cut(string(src), "func "+m.fn+"(")
			body, after, ok2 := strings.Cut(rest, m.old)
			if !ok || !ok2 || strings.Contains(body, "\nfunc ") {
				t.Fatalf("%s in %s has not what the mutant replaces: adapt the mutant", m.fn, m.file)
			}
			dir := t.TempDir()
			mutant := filepath.Join(dir, filepath.Base(m.file))
			write(t, mutant, []byte(before+"func "+m.fn+"("+body+m.new+after))
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
