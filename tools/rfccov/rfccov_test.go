package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	testList = "# A. One\nR-1-01\tMUST\tfirst\nR-1-02\tMUST NOT\tsecond\nR-1-03\tMUST\tthird\nR-1-04\tSHOULD\tmore\n# B. Two\nR-2.1-01\tMUST\tfourth\nR-2.1-02\trule\tfifth\n"
	goTest   = "package x\n\n// TestA is about\n// R-1-01 to R-1-02\nfunc TestA() {}\n\nfunc TestB() {\n\tname := \"R-1-03 in a subtest's name\"\n\t// R-2.1-01\n}\n"
	goCode   = "package x\n\n// F does. R-1-04 is only mentioned here.\n//\n// Deviation R-2.1-02: because\n// of that.\nfunc F() {}\n"
)

func tree(t *testing.T, files map[string]string) *matrix {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := parseRequirements(testList, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scanTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return join(all, s)
}

func TestMatrix(t *testing.T) {
	m := tree(t, map[string]string{"a/x_test.go": goTest, "a/x.go": goCode, "b/one.script": "expect # R-1-02\n", "tools/y_test.go": "package y\n// R-1-04\n"})
	bad := m.problems()
	if len(bad) != 1 || !strings.HasPrefix(bad[0], "R-1-04 (SHOULD) is open") {
		t.Fatalf("a citation in code or in this tool counted, or a real one did not: %q", bad)
	}
	if got := m.all[1].heldBy(); got != "a/ TestA; b/one.script" {
		t.Errorf("R-1-02: %q", got)
	}
	if d := m.all[5].deviation; d == nil || d.reason != "because of that." {
		t.Errorf("the deviation was read as %+v", d)
	}
	if s := m.summary(); s != "6 requirements: 4 tested, 1 deviations, 0 not about this code, 1 open" {
		t.Error(s)
	}
	for _, want := range []string{"| R-1-04 | SHOULD | more | **open** |", "| B. Two | 2 | 1 | 1 | 0 | 0 |"} {
		if !strings.Contains(string(m.coverage()), want) {
			t.Errorf("the table has no %q", want)
		}
	}
	if doc := string(m.deviationsDoc()); !strings.Contains(doc, "## R-2.1-02 (rule)\n\n> fifth\n\nbecause of that.\n\nIn `a/x.go`.") {
		t.Errorf("deviations.md:\n%s", doc)
	}
}

func TestWhatFails(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"R-9-01, which is no id":  {"a_test.go": "package a\n// R-9-01\n"},
		"deviates from R-9-01":    {"a.go": "package a\n// Deviation R-9-01: why\n"},
		"without an id or a reas": {"a.go": "package a\n// Deviation from R-1-01\n"},
		"not a range of ids":      {"a_test.go": "package a\n// R-1-02 to R-2.1-01\n"},
	} {
		if bad := strings.Join(tree(t, files).problems(), "\n"); !strings.Contains(bad, name) {
			t.Errorf("want %q in\n%s", name, bad)
		}
	}
	m := tree(t, nil)
	for range maxMustDeviations {
		m.all = append(m.all, &requirement{id: "R-3-01", level: "MUST", deviation: &deviation{"f", "w"}})
	}
	most := "is the most"
	if bad := strings.Join(m.problems(), "\n"); strings.Contains(bad, most) {
		t.Error("as many deviations as may be failed")
	}
	m.all = append(m.all, &requirement{id: "R-3-02", level: "MUST NOT", deviation: &deviation{"f", "w"}})
	if bad := strings.Join(m.problems(), "\n"); !strings.Contains(bad, most) {
		t.Error("one deviation too many passed")
	}
}

// TestList holds the list itself to what it says of itself.
func TestList(t *testing.T) {
	all, err := parseRequirements(requirementsTSV, elsewhereTSV)
	if err != nil || len(all) != 599 {
		t.Fatalf("%d requirements, %v", len(all), err)
	}
	if _, err := parseRequirements("R-1-01\tMUST\tx\nR-1-01\tMUST\ty", "R-1-01\tz"); err == nil {
		t.Error("an id twice is no error")
	}
}
