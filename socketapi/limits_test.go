package socketapi

import (
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/tcb"
)

// docs/LIMITS.md says what is so: each default is the code's, each option
// exists, each test does.
func TestLimitsDocument(t *testing.T) {
	tests := testNames(t, "..")
	rows := tableRows(t, "../docs/LIMITS.md", 5)
	if len(rows) < 35 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		what, def, option := r[0], r[1], strings.Trim(r[2], "`")
		got := 0
		if d, err := time.ParseDuration(strings.Replace(def, " ", "", 1)); err == nil {
			got = int(d)
		} else if got, err = strconv.Atoi(regexp.MustCompile(`^\d+`).FindString(def)); err != nil {
			t.Errorf("%s: default %q is no number", what, def)
			continue
		}
		if option != "" {
			want, err := limit(option)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if want != got {
				t.Errorf("%s: the default of %s is %d, not %d", what, option, want, got)
			}
		}
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(r[4], -1)
		if len(named) == 0 {
			t.Errorf("%s: no test", what)
		}
		for _, n := range named {
			if !tests[n[1]] {
				t.Errorf("%s: there is no %s", what, n[1])
			}
		}
	}
}

// limit returns the default of a field of Config, HostConfig or tcb.Config, or
// the value of a constant.
func limit(option string) (int, error) {
	switch where, name, _ := strings.Cut(option, "."); where {
	case "Config":
		if _, ok := reflect.TypeFor[Config]().FieldByName(name); !ok {
			return 0, errors.New("there is no " + option)
		}
		if name == "Backlog" {
			return (*Config)(nil).backlog(), nil
		}
		for from, to := range map[string]string{
			"MaxRetransmits": "AssocMaxRetrans", "MaxPathRetransmits": "PathMaxRetrans", "CookieLife": "ValidCookieLife",
		} {
			if name == from {
				name = to
			}
		}
		return field((*Config)(nil).tcb(), name)
	case "tcb":
		cfg := tcb.DefaultConfig()
		return field(&cfg, strings.TrimPrefix(name, "Config."))
	case "HostConfig":
		if _, ok := reflect.TypeFor[HostConfig]().FieldByName(name); !ok {
			return 0, errors.New("there is no " + option)
		}
		switch name {
		case "RecvMemory":
			return stack.DefaultRecvMemory, nil
		case "MaxAssociations":
			return stack.DefaultMaxAssociations, nil
		case "OutOfBlueRate":
			return stack.DefaultOutOfBlueRate, nil
		}
		return 0, errors.New("no default is known of " + option)
	default:
		return constantOf(where, name)
	}
}

func field(cfg *tcb.Config, name string) (int, error) {
	v := reflect.ValueOf(cfg).Elem().FieldByName(name)
	switch {
	case !v.IsValid():
		return 0, errors.New("there is no tcb.Config." + name)
	case v.CanUint():
		return int(v.Uint()), nil
	case v.Type() == reflect.TypeFor[mono.Duration]():
		return int(v.Interface().(mono.Duration).Std()), nil
	}
	return int(v.Int()), nil
}

// constantOf evaluates a constant of the package in the folder of that name.
func constantOf(pkg, name string) (int, error) {
	for _, dir := range []string{"../" + pkg, "../stack/" + pkg, "../stack/pipes/" + pkg} {
		names, _ := filepath.Glob(dir + "/*.go")
		if len(names) == 0 {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, n := range names {
			if strings.HasSuffix(n, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, n, nil, parser.SkipObjectResolution)
			if err != nil {
				return 0, err
			}
			files = append(files, f)
		}
		// What needs other packages is not understood, and not needed.
		conf := types.Config{Error: func(error) {}, IgnoreFuncBodies: true, Importer: nothing{}}
		p, _ := conf.Check(pkg, fset, files, nil)
		if c, ok := p.Scope().Lookup(name).(*types.Const); ok {
			if n, exact := constant.Int64Val(constant.ToInt(c.Val())); exact {
				return int(n), nil
			}
		}
	}
	return 0, errors.New("there is no constant " + pkg + "." + name)
}

type nothing struct{}

func (nothing) Import(string) (*types.Package, error) { return nil, errors.New("not here") }

// tableRows returns the cells of all rows of a document's tables, which have n
// columns.
func tableRows(t *testing.T, file string, n int) (rows [][]string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	others := 0 // rows of tables of another width
	for _, line := range strings.Split(string(b), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != n {
			others++
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if others > 0 && n == 5 {
		t.Errorf("%d rows have not %d cells", others, n)
	}
	return slices.DeleteFunc(rows, func(r []string) bool {
		return r[n-1] == "tests" || r[n-1] == "test, or why not"
	})
}

// testNames returns the names of all tests and fuzz targets below dir.
func testNames(t *testing.T, dir string) map[string]bool {
	t.Helper()
	re := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range re.FindAllStringSubmatch(string(b), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// docs/BUGCLASSES.md names tests that exist, and leaves no known bug without a
// word.
func TestBugClassesDocument(t *testing.T) {
	tests := testNames(t, "..")
	classes := map[string]bool{}
	bugs := 0
	for _, r := range append(tableRows(t, "../docs/BUGCLASSES.md", 3), tableRows(t, "../docs/BUGCLASSES.md", 4)...) {
		last := r[len(r)-1]
		if last == "" {
			t.Errorf("%s: nothing is said", r[0])
		}
		if len(r) == 3 {
			classes[r[0]] = true
			if !strings.Contains(last, "`TestBugClass"+r[0]) {
				t.Errorf("class %s has no test of its own", r[0])
			}
		} else {
			bugs++
			if !classes[r[1]] {
				t.Errorf("%s: there is no class %s", r[0], r[1])
			}
		}
	}
	b, err := os.ReadFile("../docs/BUGCLASSES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(b), -1) {
		if !tests[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	if len(classes) != 11 || bugs < 67 {
		t.Errorf("%d classes, %d bugs", len(classes), bugs)
	}
}
