package sideeffects

import (
	"reflect"
	"testing"

	"github.com/gosctp/gosctp/stack/tcb"
)

// A clone of an association shares nothing that either of the two may write.
func TestCloneSharesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.accept()
	c := a.Clone(a.data)
	shared := map[string]bool{"Cfg": true, "Owner": true, "data": true}
	var compare func(name string, x, y reflect.Value)
	compare = func(name string, x, y reflect.Value) {
		switch x.Kind() {
		case reflect.Struct:
			for i := range x.NumField() {
				if n := x.Type().Field(i).Name; !shared[n] && x.Type().PkgPath() != "net/netip" {
					compare(name+"."+n, x.Field(i), y.Field(i))
				}
			}
		case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Chan, reflect.Func:
			if !x.IsNil() && !y.IsNil() && x.Pointer() == y.Pointer() && (x.Kind() != reflect.Slice || x.Cap() > 0) {
				t.Errorf("%s is shared", name)
			}
		case reflect.Interface:
			t.Errorf("%s is an interface: say how it is cloned", name)
		}
	}
	compare("Association", reflect.ValueOf(a).Elem(), reflect.ValueOf(c).Elem())
	if v := c.TCB(); v.State() != tcb.Established || len(c.dests) != 1 {
		t.Error("the clone is another association")
	}
}
