package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestPurity holds stack/fsm to what makes its functions pure: no package
// variable but the tables, no goroutine, channel, defer or map, no TCB but
// through a View, and nothing assigned but locals and the command list.
func TestPurity(t *testing.T) {
	n := 0
	walk(t, func(dir, file string) {
		if dir != "stack/fsm" {
			return
		}
		n++
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range impurities(f, filepath.Base(file)) {
			t.Errorf("%s: %s", fset.Position(v.pos), v.what)
		}
	})
	if n < 8 {
		t.Fatalf("only %d files of stack/fsm were looked at", n)
	}
}

// TestPurityFinds checks the checker.
func TestPurityFinds(t *testing.T) {
	for _, src := range []string{
		"var x int",
		"func f() { go f() }",
		"func f() { defer f() }",
		"func f(c chan int) {}",
		"func f(m map[int]int) {}",
		"func f(t *tcb.TCB) {}",
		"func sfX(v tcb.View, ev *Event, out *Commands) Disposition { ev.Code = 1; return 0 }",
		"func sfX(v tcb.View, ev *Event, out *Commands) Disposition { ev.Init.OS++; return 0 }",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package fsm\n"+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(impurities(f, "sf_x.go")) == 0 {
			t.Errorf("nothing found in %q", src)
		}
	}
}

type impurity struct {
	pos  token.Pos
	what string
}

func impurities(f *ast.File, name string) (found []impurity) {
	bad := func(n ast.Node, what string) { found = append(found, impurity{n.Pos(), what}) }
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			vs := s.(*ast.ValueSpec)
			for _, id := range vs.Names {
				if name != "table.go" && !strings.HasSuffix(id.Name, "Names") {
					bad(id, "package variable "+id.Name)
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			bad(n, "goroutine")
		case *ast.DeferStmt:
			bad(n, "defer")
		case *ast.SelectStmt:
			bad(n, "select")
		case *ast.ChanType:
			bad(n, "channel")
		case *ast.MapType:
			bad(n, "map")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "tcb" && n.Sel.Name == "TCB" {
				bad(n, "names tcb.TCB")
			}
		case *ast.FuncDecl:
			if strings.HasPrefix(name, "sf_") {
				found = append(found, writes(n)...)
			}
		}
		return true
	})
	return found
}

// writes finds assignments in a state function to anything but locals.
func writes(fn *ast.FuncDecl) (found []impurity) {
	if fn.Body == nil {
		return nil
	}
	check := func(e ast.Expr) {
		switch e.(type) {
		case *ast.SelectorExpr, *ast.IndexExpr, *ast.StarExpr:
			found = append(found, impurity{e.Pos(), "a state function writes to more than its locals"})
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				check(l)
			}
		case *ast.IncDecStmt:
			check(n.X)
		}
		return true
	})
	return found
}
