package lint

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gosctp/gosctp/"

// rules says what the non-test files of a folder may import: packages of ours
// by path, and of the standard library and others by full name. A folder that
// is not listed is bound by its nearest listed parent.
var rules = map[string][]string{
	"chunk": {"encoding/binary", "hash/crc32", "math/bits", "net/netip", "strconv"},

	"stack/tcb":            {"chunk", "internal/mono", "encoding/binary"},
	"stack/fsm":            {"chunk", "internal/mono", "stack/tcb"},
	"stack/decision":       {"chunk", "internal/mono", "stack/tcb", "stack/fsm", "encoding/binary", "errors", "fmt"},
	"stack/pipes":          {"chunk", "stack/tcb"},
	"stack/pipes/path":     {"chunk", "internal/mono", "stack/tcb", "net/netip", "math/bits"},
	"stack/pipes/packet":   {"chunk", "internal/mono", "stack/tcb", "math/bits"},
	"stack/pipes/outqueue": {"chunk", "internal/mono", "internal/seg", "stack/tcb", "stack/pipes", "stack/pipes/packet", "stack/pipes/path", "math/bits"},
	"stack/pipes/inqueue":  {"chunk", "internal/mono", "stack/tcb", "math/bits"},
	"stack/pipes/ulpqueue": {"chunk", "internal/mono", "internal/seg", "stack/tcb", "math/bits"},
	"stack/sideeffects":    {"chunk", "internal/mono", "internal/seg", "stack/...", "encoding/binary", "net/netip", "crypto/hmac", "crypto/sha256", "hash", "fmt"},
	"stack":                {"chunk", "internal/mono", "internal/seg", "stack/...", "transport", "*std"},
	"transport":            {"*std"},
	"transport/mem":        {"transport", "transport/internal/...", "*std"},
	"transport/rawip":      {"transport", "transport/internal/...", "internal/hostnet", "*std", "golang.org/x/net/...", "golang.org/x/sys/..."},
	"transport/udpencap":   {"transport", "transport/internal/...", "internal/hostnet", "*std", "golang.org/x/net/...", "golang.org/x/sys/..."},
	"transport/internal":   {"transport", "transport/internal/...", "internal/hostnet", "*std", "golang.org/x/net/...", "golang.org/x/sys/..."},
	"internal/hostnet":     {"transport", "*std", "golang.org/x/sys/...", "github.com/vishvananda/netlink/..."},
	"socketapi":            {"chunk", "internal/mono", "internal/seg", "internal/record", "stack/...", "transport/...", "*std"},
	"internal/mono":        {"time"},
	"internal/seg":         {"math/bits", "sync", "sync/atomic"},
	"sim":                  {"*std", "*ours", "github.com/vishvananda/netlink/...", "golang.org/x/sys/..."},
	"internal":             {"*"},
	"cmd":                  {"*"},
	"fuzz":                 {"*"},
	"conformance":          {"*"},
	"tools":                {"*"},
}

// noWorld are the packages that let code read a clock, randomness or the
// operating system; the core may not import them.
var noWorld = []string{"time", "math/rand", "math/rand/v2", "crypto/rand", "net", "os", "syscall", "unsafe", "sync", "runtime", "golang.org/x/sys/unix", "context", "log", "log/slog", "io"}

var core = []string{"chunk", "stack/tcb", "stack/fsm", "stack/decision", "stack/pipes", "stack/sideeffects"}

func TestImports(t *testing.T) {
	files := 0
	walk(t, func(dir, file string) {
		files++
		allowed, ok := ruleFor(dir)
		for _, imp := range imports(t, file) {
			if !ok {
				t.Errorf("%s: no import rule for this folder", file)
				return
			}
			if !permits(allowed, imp) {
				t.Errorf("%s: may not import %q", file, imp)
			}
			if inCore(dir) && slices.Contains(noWorld, imp) {
				t.Errorf("%s: the core reads no clock, randomness or socket: %q", file, imp)
			}
			if strings.HasPrefix(imp, "github.com/google/gopacket") && !strings.HasPrefix(dir, "cmd/") && !strings.HasPrefix(dir, "internal/cli") && !strings.HasPrefix(dir, "tools") {
				t.Errorf("%s: gopacket is for captures, tools and tests", file)
			}
		}
	})
	if files < 40 {
		t.Fatalf("only %d files were looked at", files)
	}
}

// The rule itself is tested: what it must refuse is refused.
func TestImportRulesRefuse(t *testing.T) {
	for _, c := range [][2]string{
		{"stack/fsm", "time"}, {"stack/fsm", module + "stack/pipes/outqueue"},
		{"stack/pipes/outqueue", "time"}, {"stack/sideeffects", "crypto/rand"},
		{"stack/sideeffects", module + "transport"}, {"chunk", module + "stack/tcb"},
		{"chunk", "github.com/google/gopacket"}, {"stack", module + "socketapi"},
		{"transport/rawip", module + "stack"}, {"stack/tcb", "net"},
	} {
		allowed, ok := ruleFor(c[0])
		if ok && permits(allowed, c[1]) {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

func inCore(dir string) bool {
	return slices.ContainsFunc(core, func(c string) bool { return dir == c || strings.HasPrefix(dir, c+"/") })
}

func ruleFor(dir string) ([]string, bool) {
	for d := dir; ; d = filepath.Dir(d) {
		if r, ok := rules[d]; ok {
			return r, true
		}
		if d == "." || d == "/" {
			return nil, false
		}
	}
}

func permits(allowed []string, imp string) bool {
	ours, isOurs := strings.CutPrefix(imp, module)
	std := !isOurs && !strings.Contains(strings.Split(imp, "/")[0], ".")
	for _, a := range allowed {
		switch {
		case a == "*", a == "*std" && std, a == "*ours" && isOurs:
			return true
		}
		name := imp
		if isOurs {
			name = ours
		}
		if a == name {
			return true
		}
		if base, ok := strings.CutSuffix(a, "/..."); ok && (name == base || strings.HasPrefix(name, base+"/")) {
			return true
		}
	}
	return false
}

// walk calls f for each Go file of the module that is not a test.
func walk(t *testing.T, f func(dir, file string)) {
	t.Helper()
	root := moduleRoot(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if rel != "." {
				if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "build" || d.Name() == "bin" {
					return filepath.SkipDir
				}
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			f(filepath.ToSlash(filepath.Dir(rel)), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}
