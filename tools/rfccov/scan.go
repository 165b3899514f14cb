package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	idPattern        = regexp.MustCompile(`^R-[0-9]+(\.[0-9]+)*-[0-9]+$`)
	citePattern      = regexp.MustCompile(`\b(R-[0-9]+(?:\.[0-9]+)*)-([0-9]+)(?:\s+to\s+(R-[0-9]+(?:\.[0-9]+)*)-([0-9]+))?`)
	deviationPattern = regexp.MustCompile(`^Deviation (R-[0-9]+(?:\.[0-9]+)*-[0-9]+): (.+)$`)
)

// A scan is what the files of the repository say about requirements.
type scan struct {
	tests      map[string][]citation
	deviations map[string]deviation
	errs       []string
}

// scanTree reads the tests and the code under root.
func scanTree(root string) (*scan, error) {
	s := &scan{tests: make(map[string][]citation), deviations: make(map[string]deviation)}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && strings.HasPrefix(d.Name(), ".") || rel == "tools" {
				return filepath.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(rel, ".go"):
			return s.goFile(rel, text)
		case strings.HasSuffix(rel, ".script"):
			s.script(rel, text)
		}
		return nil
	})
	return s, err
}

// goFile takes the comments of a file, in a test its strings too: there they
// cite, elsewhere they deviate.
func (s *scan) goFile(name string, text []byte) error {
	if !bytes.Contains(text, []byte("R-")) {
		return nil
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	isTest := strings.HasSuffix(name, "_test.go")
	for _, group := range f.Comments {
		if isTest {
			s.cite(name, enclosing(f, group), group.Text())
		} else {
			s.deviate(name, group.Text())
		}
	}
	if isTest { // the names of subtests
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s.cite(name, enclosing(f, lit), lit.Value)
			}
			return true
		})
	}
	return nil
}

// enclosing names the declaration that something stands in, or documents.
func enclosing(f *ast.File, c ast.Node) string {
	for _, d := range f.Decls {
		from, to, name := d.Pos(), d.End(), ""
		switch d := d.(type) {
		case *ast.FuncDecl:
			name = d.Name.Name
			if d.Doc != nil {
				from = d.Doc.Pos()
			}
		case *ast.GenDecl:
			if d.Doc != nil {
				from = d.Doc.Pos()
			}
			for _, sp := range d.Specs {
				if v, ok := sp.(*ast.ValueSpec); ok && name == "" {
					name = v.Names[0].Name
				}
			}
		}
		if from <= c.Pos() && c.Pos() <= to {
			return name
		}
	}
	return ""
}

// script takes the comments of a conversation script, which is one test.
func (s *scan) script(name string, text []byte) {
	var comments strings.Builder
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if _, c, ok := strings.Cut(lines.Text(), "#"); ok {
			comments.WriteString(c + "\n")
		}
	}
	s.cite(name, "", comments.String())
}

// cite files every id in text, and all between two with "to" between them.
func (s *scan) cite(file, test, text string) {
	for _, m := range citePattern.FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last := first
		if m[3] != "" {
			if last, _ = strconv.Atoi(m[4]); m[3] != m[1] || last <= first {
				s.errs = append(s.errs, fmt.Sprintf("%s: %s: not a range of ids", file, m[0]))
				continue
			}
		}
		for n := first; n <= last; n++ {
			id := fmt.Sprintf("%s-%0*d", m[1], len(m[2]), n)
			if c := (citation{file, test}); !slices.Contains(s.tests[id], c) {
				s.tests[id] = append(s.tests[id], c)
			}
		}
	}
}

// deviate files the paragraphs that start with "Deviation R-…:".
func (s *scan) deviate(file, text string) {
	for _, par := range strings.Split(text, "\n\n") {
		par = strings.Join(strings.Fields(par), " ")
		if !strings.HasPrefix(par, "Deviation ") {
			continue
		}
		m := deviationPattern.FindStringSubmatch(par)
		if m == nil {
			s.errs = append(s.errs, fmt.Sprintf("%s: a deviation without an id or a reason: %.60s", file, par))
		} else if _, twice := s.deviations[m[1]]; twice {
			s.errs = append(s.errs, fmt.Sprintf("%s: %s deviates twice", file, m[1]))
		} else {
			s.deviations[m[1]] = deviation{file, m[2]}
		}
	}
}
