package explore

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The explorer is worth something only if it finds what is wrong. Each mutant
// is a mistake in the shipping code. A build overlay puts all of them into one
// binary, with a number that says which of them is made; exploring with it must
// fail.
type mutant struct {
	name    string
	file    string // from the module's root
	fn      string // a function in it
	old     string // statements, or an expression, in the function; the first such
	new     string
	expr    bool // old and new are expressions
	setting string
	depth   int    // 0: mutantDepth
	says    string // a part of what the explorer has to say
}

const (
	stepGo     = "stack/fsm/step.go"
	initGo     = "stack/fsm/sf_init.go"
	cookieGo   = "stack/fsm/sf_cookie.go"
	shutdownGo = "stack/fsm/sf_shutdown.go"
	handGo     = "stack/sideeffects/do_handshake.go"
)

var mutants = []mutant{
	{name: "the Verification Tag is not looked at", file: stepGo, fn: "tagFits",
		old: "return ev.Tag&TagOwn != 0", new: "return true", setting: "off-path", says: "who knows no tag"},
	{name: "with the T bit any tag will do (CVE-2021-3772)", file: stepGo, fn: "tagFits",
		old: "return ev.Tag&TagPeer != 0", new: "return true", setting: "off-path", says: "who knows no tag"},
	{name: "T1-init goes on after the INIT ACK", file: initGo, fn: "sfInitAck",
		old: "out.stop(tcb.T1Init)", setting: "setup", says: "T1-init runs for no reason"},
	{name: "T1-cookie is not started", file: initGo, fn: "sfInitAck",
		old: "out.start(tcb.T1Cookie, p)", setting: "setup", says: "P2"},
	{name: "T1 sends nothing again", file: initGo, fn: "retrySetup",
		old: "out.send(kind, next)", setting: "setup", says: "lost its association"},
	{name: "a collision is answered with another TSN", file: initGo, fn: "sfInitCollision",
		old: "uint32(v.LocalTSN())", new: "uint32(v.LocalTSN()) + 5", expr: true, setting: "setup", says: "disagree"},
	{name: "a new INIT while up gets a cookie without tie-tags", file: handGo, fn: "(x *Executor) sendInitAck",
		old: "c.Flags&fsm.InitAckTie != 0", new: "false", expr: true, setting: "restart", says: "P4"},
	{name: "a lost COOKIE ACK is not sent again", file: cookieGo, fn: "ackCookie",
		old: "	out.send(chunk.TypeCookieAck, tcb.NoPath)", setting: "setup", says: ""},
	{name: "T1-cookie goes on after the COOKIE ACK", file: cookieGo, fn: "sfCookieAck",
		old: "out.stop(tcb.T1Cookie)", setting: "setup", says: "T1-cookie runs for no reason"},
	{name: "T1-cookie goes on after the peer's COOKIE ECHO", file: cookieGo, fn: "cookieAgain",
		old: "out.stop(tcb.T1Cookie)", setting: "setup", says: "T1-cookie runs for no reason"},
	{name: "a COOKIE ECHO that comes again is told to the user again", file: cookieGo, fn: "cookieAgain",
		old: "	ackCookie(v, ev, out)\n	return Consume", new: "	ackCookie(v, ev, out)\n	up(out, CommUp)\n	return Consume", setting: "setup", says: "COMM_UP twice"},
	{name: "of two setups at once the peer's tag is not taken", file: cookieGo, fn: "cookieCollision",
		old: "out.verb(CmdAdoptCookie)", setting: "setup", says: ""},
	{name: "a restart is taken in SHUTDOWN-ACK-SENT", file: cookieGo, fn: "cookieRestart",
		old: "v.State() == tcb.ShutdownAckSent", new: "false", expr: true, setting: "restart", says: "P8"},
	{name: "a restart forgets that the user has closed", file: cookieGo, fn: "cookieRestart",
		old: "s = tcb.ShutdownPending", new: "_ = s", setting: "reboot", says: "P10"},
	{name: "a restart keeps the old tags", file: handGo, fn: "(x *Executor) restart",
		old: "x.adoptCookie()", setting: "restart", says: ""},
	{name: "a close during set-up is forgotten", file: cookieGo, fn: "established",
		old: "v.ShutdownAsked()", new: "false", expr: true, setting: "teardown", says: "P10"},
	{name: "no heartbeats are started", file: cookieGo, fn: "up",
		old: "out.verb(CmdHeartbeats)", setting: "setup", says: "no timeout heartbeat"},
	{name: "after a Stale Cookie the tag stays", file: cookieGo, fn: "sfErrorCookieEchoed",
		old: "uint32(ev.Env.Tag)", new: "uint32(v.LocalTag())", expr: true, setting: "stale", says: "lost its association"},
	{name: "heartbeats go on after SHUTDOWN", file: shutdownGo, fn: "sfStartShutdown",
		old: "out.verb(CmdTimersStop)", setting: "teardown", says: "heartbeat runs for no reason"},
	{name: "T2-shutdown is not started for a SHUTDOWN", file: shutdownGo, fn: "sfStartShutdown",
		old: "out.start(tcb.T2Shutdown, active)", setting: "teardown", says: "no timeout T2-shutdown"},
	{name: "T5-shutdown-guard is not started", file: shutdownGo, fn: "sfStartShutdown",
		old: "out.add(Command{Verb: CmdTimerStart, Timer: tcb.T5Guard, Path: active, Dur: v.Config().ShutdownGuard})", setting: "teardown", says: "no timeout T5"},
	{name: "T2-shutdown is not started for a SHUTDOWN ACK", file: shutdownGo, fn: "sendShutdownAck",
		old: "out.start(tcb.T2Shutdown, p)", setting: "teardown", says: "no timeout T2-shutdown"},
	{name: "a SHUTDOWN means nothing to whom has sent one", file: shutdownGo, fn: "sfShutdownBoth",
		old: "sendShutdownAck(backTo(v, ev), out)", setting: "teardown", says: "lost its association"},
	{name: "SHUTDOWN COMPLETE ends nothing", file: shutdownGo, fn: "sfShutdownComplete",
		old: "out.end(ShutdownComplete, 0)", setting: "teardown", says: "lost its association"},
	{name: "a SHUTDOWN ACK out of the blue is not answered", file: "stack/fsm/sf_ootb.go", fn: "sfOOTBShutdownAck",
		old: "out.respond(chunk.TypeShutdownComplete, chunk.FlagT, ev.VTag, 0, Span{})", setting: "teardown", says: "lost its association"},
	{name: "a close after the peer's is forgotten", file: shutdownGo, fn: "sfCloseReceived",
		old: "out.verb(CmdShutdownAsked)", setting: "restart", depth: 12, says: "P10"},
	{name: "only one HEARTBEAT is sent", file: "stack/fsm/sf_path.go", fn: "sfHeartbeatTimer",
		old: "	sendHeartbeat(ev, p, out)\n	out.start(tcb.THeartbeat, p)", new: "	sendHeartbeat(ev, p, out)", setting: "heartbeats", says: "no timeout heartbeat"},
	{name: "the end is not told to the user", file: "stack/sideeffects/interpret.go", fn: "(x *Executor) deleteTCB",
		old: "change != fsm.Gone", new: "false", expr: true, setting: "abort", says: "without a last notification"},
	{name: "heartbeat timers outlive the others", file: "stack/sideeffects/do_timer.go", fn: "(x *Executor) stopTimers",
		old: "clear(a.hb)", setting: "teardown", says: "heartbeat runs for no reason"},
	{name: "DATA leaves in every state", file: "stack/sideeffects/flush.go", fn: "(x *Executor) flush",
		old: "a.tcb.State.MaySendData()", new: "true", expr: true, setting: "life", says: ""},
	{name: "T3-rtx retransmits nothing", file: "stack/sideeffects/plane.go", fn: "(pl *Plane) MarkRtx",
		old: "pl.Out.T3Expired(p, now)", new: "pl.Paths.P[p].T3 = 0", setting: "narrow life", says: "no timeout T3-rtx"},
}

const mutantDepth = 9

var (
	mutate    func(n int) // makes mistake n from here on, 0 for none; set by the overlay
	mutantDoc = flag.Bool("explore.update", false, "write the table of mistakes in docs/EXPLORATION.md anew")
)

const doc = "../../docs/EXPLORATION.md"

// TestMutantsAreFound builds the mutants, and explores them in another process.
func TestMutantsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: builds the code anew")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIP: no go command: ", err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := make(map[string]string)
	add := func(name, text string) {
		file := filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = file
	}
	changed := make(map[string]string)
	for i := range mutants {
		m := &mutants[i]
		text := changed[m.file]
		if text == "" {
			src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
			if err != nil {
				t.Fatal(err)
			}
			text = string(src)
		}
		if changed[m.file], err = m.put(text, i+1); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range changed {
		add(name, text)
	}
	add("stack/tcb/mutant.go", `package tcb

var Mutant int

func Mutated[T any](n int, is, was T) T {
	if Mutant == n {
		return is
	}
	return was
}
`)
	add("sim/explore/mutate_test.go", `package explore

import "github.com/gosctp/gosctp/stack/tcb"

func init() { mutate = func(n int) { tcb.Mutant = n } }
`)
	overlay := filepath.Join(dir, "overlay.json")
	j, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(overlay, j, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-count=1", "-v", "-vet=off", "-timeout=30m", "-overlay", overlay, "-run", "^TestMutant$", ".", fmt.Sprint("-explore.update=", *mutantDoc))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d mistakes, each was found", len(mutants))) {
		t.Errorf("not all mistakes were found: %v", err)
	}
}

// put makes mistake n of a file's text.
func (m *mutant) put(text string, n int) (string, error) {
	before, rest, ok := strings.Cut(text, "func "+m.fn+"(")
	body, after, ok2 := strings.Cut(rest, m.old)
	if !ok || !ok2 || strings.Contains(body, "\nfunc ") {
		return "", fmt.Errorf("%s in %s has not what the mutant replaces: adapt the mutant %q", m.fn, m.file, m.name)
	}
	made := fmt.Sprintf("if tcb.Mutant == %d {\n%s\n} else {\n%s\n}", n, m.new, m.old)
	if m.expr {
		made = fmt.Sprintf("tcb.Mutated(%d, %s, %s)", n, m.new, m.old)
	}
	return before + "func " + m.fn + "(" + body + made + after, nil
}

// TestMutant explores each mutant, in the binary that has them.
func TestMutant(t *testing.T) {
	if mutate == nil {
		t.Skip("SKIP: TestMutantsAreFound builds what this is for")
	}
	table := "| mistake | in | found in the setting | which says |\n|---|---|---|---|\n"
	found := 0
	for i, m := range mutants {
		mutate(i + 1)
		r := Run(SettingNamed(m.setting), Limits{Depth: max(m.depth, mutantDepth)})
		mutate(0)
		switch {
		case r.Bad == nil:
			t.Errorf("%s: the explorer sees nothing wrong in %d states", m.name, r.States)
		case !strings.Contains(r.Bad.Err.Error(), m.says):
			t.Errorf("%s: the explorer says %v, want %q", m.name, r.Bad.Err, m.says)
		default:
			found++
			t.Logf("%s: after %d states: %.150v", m.name, r.States, r.Bad.Err)
			fn := m.fn[strings.LastIndex(m.fn, " ")+1:]
			table += fmt.Sprintf("| %s | `%s` | %s | %s |\n", m.name, fn, m.setting, short(r.Bad.Err))
		}
	}
	if t.Failed() {
		return
	}
	t.Logf("%d mistakes, each was found", found)
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- mistakes -->\n"
	parts := strings.Split(string(text), mark)
	if len(parts) != 3 {
		t.Fatalf("%s has not two marks %q", doc, mark)
	}
	if parts[1] == table {
		return
	}
	if !*mutantDoc {
		t.Errorf("%s is out of date: go test ./sim/explore -run TestMutantsAreFound -explore.update", doc)
		return
	}
	parts[1] = table
	if err := os.WriteFile(doc, []byte(strings.Join(parts, mark)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// short is the beginning of what the explorer says.
func short(err error) string {
	s := err.Error()
	for _, end := range []string{" (", ": ", ", "} {
		if i := strings.Index(s, end); i > 20 || i > 0 && end == " (" && i < 4 {
			s = s[:i]
		}
	}
	return s
}
