package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestListFits: each mistake of the list can still be made, so that the list
// is not found stale only when it is run.
func TestListFits(t *testing.T) {
	all, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Errorf("%d mistakes", len(all))
	}
	for _, m := range all {
		text, err := os.ReadFile(filepath.Join("..", "..", m.file))
		if err == nil {
			_, err = m.apply(text)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func TestParse(t *testing.T) {
	all, err := parse("R-1-01 ./p TestX\na/b.go\n-\told\n+\tnew\n+\tlines\n\nR-1-02 ./q TestY\nc.go\n-gone\n+\n")
	if err != nil || len(all) != 2 || all[0] != (mutant{"R-1-01", "./p", "TestX", "a/b.go", "\told\n", "\tnew\n\tlines\n"}) || all[1].old != "gone\n" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, bad := range []string{"R-1-01", "R-1-01 ./p TestX\na.go", "R-1-01 ./p TestX\na.go\nold"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for text, ok := range map[string]bool{"\told\n": true, "": false, "\told\n\told\n": false} {
		if _, err := all[0].apply([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
