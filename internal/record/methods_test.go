package record_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/stack/sideeffects"
)

// TestEveryCallIsLogged: what can be done to an association is an Op, so that
// it reaches the log. A method of Executor's that is new needs one.
func TestEveryCallIsLogged(t *testing.T) {
	ops := make(map[string]bool)
	for op := range sideeffects.NumOps {
		ops[strings.ToLower(strings.ReplaceAll(op.String(), " ", ""))] = true
	}
	others := map[string]bool{
		"do":         true, // carries out what was logged
		"flushcache": true, // only about memory
	}
	name := map[string]string{"setreporting": "reporting"}
	typ := reflect.TypeFor[*sideeffects.Executor]()
	for i := range typ.NumMethod() {
		m := strings.ToLower(typ.Method(i).Name)
		if n := name[m]; n != "" {
			m = n
		}
		if !ops[m] && !others[m] {
			t.Errorf("Executor.%s is not logged", typ.Method(i).Name)
		}
		delete(ops, m)
	}
	for op := range ops {
		t.Errorf("no method does %q", op)
	}
}
