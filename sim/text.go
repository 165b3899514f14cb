package sim

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A scenario as text: one value per line, and only those that are not the
// default. How many elements a list has comes before them.
//
//	Seed 17
//	AtoZ.Delay 10ms
//	Assocs 1
//	Assocs[0].A.Messages 12

// plain is the scenario that a text changes: one clean link without delay.
func plain() Scenario {
	return Scenario{MTU: 1500, A: tcb.DefaultConfig(), Z: tcb.DefaultConfig()}
}

// plainOf returns a new element of a list.
func plainOf(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	if a, ok := v.Addr().Interface().(*AssocPlan); ok {
		quiet := UserPlan{MaxSize: 1, Streams: 1}
		a.A, a.Z = quiet, quiet
	}
	return v
}

// node is a place in a scenario: a value that can be named, and its default.
type node struct {
	name    string
	v, base reflect.Value
}

func (n node) isList() bool { return n.v.Kind() == reflect.Slice }

// visit calls f for all lists and values below n, lists before their elements.
func (n node) visit(f func(node)) {
	_, text := n.v.Addr().Interface().(encoding.TextMarshaler)
	switch {
	case n.v.Kind() == reflect.Struct && !text:
		prefix := n.name
		if prefix != "" {
			prefix += "."
		}
		for i := range n.v.NumField() {
			node{prefix + n.v.Type().Field(i).Name, n.v.Field(i), n.base.Field(i)}.visit(f)
		}
	case n.isList():
		f(n)
		for i := range n.v.Len() {
			node{fmt.Sprintf("%s[%d]", n.name, i), n.v.Index(i), plainOf(n.v.Type().Elem())}.visit(f)
		}
	default:
		f(n)
	}
}

func nodeOf(s *Scenario) node {
	base := plain()
	return node{"", reflect.ValueOf(s).Elem(), reflect.ValueOf(&base).Elem()}
}

// Text returns a run's seed and scenario as text, for ParseScenario.
func (s Scenario) Text(seed uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Seed %d\n", seed)
	nodeOf(&s).visit(func(n node) {
		switch {
		case n.isList():
			if n.v.Len() > 0 {
				fmt.Fprintf(&b, "%s %d\n", n.name, n.v.Len())
			}
		case !n.v.Equal(n.base):
			fmt.Fprintf(&b, "%s %s\n", n.name, valueText(n.v))
		}
	})
	return b.String()
}

func valueText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case mono.Duration:
		return x.String()
	case encoding.TextMarshaler:
		t, err := x.MarshalText()
		if err != nil {
			panic(err) // names are ours
		}
		return string(t)
	}
	return fmt.Sprint(v.Interface())
}

func setText(v reflect.Value, s string) error {
	switch x := v.Addr().Interface().(type) {
	case *mono.Duration:
		d, err := time.ParseDuration(s)
		*x = mono.FromStd(d)
		return err
	case encoding.TextUnmarshaler:
		return x.UnmarshalText([]byte(s))
	}
	bits := 64
	if v.CanInt() || v.CanUint() {
		bits = v.Type().Bits()
	}
	var err error
	switch {
	case v.Kind() == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(s)
		v.SetBool(b)
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(s, 10, bits)
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(s, 10, bits)
		v.SetUint(n)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(s, 64)
		v.SetFloat(f)
	case v.Kind() == reflect.String:
		v.SetString(s)
	default:
		err = errors.New("no value goes here")
	}
	return err
}

// maxList bounds the lists in a text.
const maxList = 1000

// ParseScenario is the reverse of Text. Empty lines, and those that begin with
// a #, are comments.
func ParseScenario(text string) (seed uint64, s Scenario, err error) {
	s = plain()
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		if name == "Seed" {
			seed, err = strconv.ParseUint(value, 10, 64)
		} else {
			err = set(&s, name, value)
		}
		if err != nil {
			return 0, s, fmt.Errorf("sim: scenario, line %d: %q: %w", i+1, line, err)
		}
	}
	return seed, s, s.validate()
}

func set(s *Scenario, name, value string) error {
	v := find(s, name)
	switch {
	case !v.IsValid():
		return errors.New("there is no such thing in a scenario")
	case v.Kind() == reflect.Slice:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > maxList {
			return fmt.Errorf("want a number of elements up to %d", maxList)
		}
		for v.Len() < n {
			v.Set(reflect.Append(v, plainOf(v.Type().Elem())))
		}
		v.SetLen(n)
		return nil
	}
	return setText(v, value)
}

// find returns the value with a name; the zero Value if there is none.
func find(s *Scenario, name string) (found reflect.Value) {
	nodeOf(s).visit(func(n node) {
		if n.name == name {
			found = n.v
		}
	})
	return found
}

// validate reports what would make a run impossible.
func (s *Scenario) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("sim: scenario: "+format, args...)) }
	least := 576
	if s.V6 {
		least = 1280
	}
	for i, p := range s.paths() {
		errs = append(errs, p.AtoZ.Validate(), p.ZtoA.Validate())
		mtus := []int{p.AtoZ.MTU, p.ZtoA.MTU}
		for _, c := range p.Shifts {
			mtus = append(mtus, c.MTU)
		}
		for _, mtu := range mtus {
			if mtu != 0 && mtu < least {
				bad("path %d: MTU %d: want %d or more", i, mtu, least)
			}
		}
	}
	if s.MTU < 576 || s.MTU > 65535 {
		bad("MTU %d: want 576 to 65535", s.MTU)
	}
	if s.Known < 0 || s.Known > len(s.More)+1 {
		bad("%d of %d addresses are known", s.Known, len(s.More)+1)
	}
	if s.CC != "" && Controllers[s.CC] == nil {
		bad("no congestion controller %q", s.CC)
	}
	for i, a := range s.Assocs {
		if a.Open != OpenNobody && a.A.Closing == CloseNever && a.Z.Closing == CloseNever {
			bad("association %d: nobody ends it", i)
		}
		for _, u := range []*UserPlan{&a.A, &a.Z} {
			if u.Streams < 1 || u.MaxSize < 1 {
				bad("association %d: %d streams, messages up to %d bytes: want 1 or more", i, u.Streams, u.MaxSize)
			}
		}
	}
	for _, a := range s.Attacks {
		if a.Every < mono.Microsecond {
			bad("%v every %v: want a microsecond or more", a.Kind, a.Every)
		}
	}
	return errors.Join(errs...)
}

// clone returns a copy that shares no list with s.
func (s Scenario) clone() Scenario {
	var deep func(v reflect.Value)
	deep = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				deep(v.Field(i))
			}
		case reflect.Slice:
			if v.IsNil() {
				return
			}
			c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(c, v)
			v.Set(c)
			for i := range c.Len() {
				deep(c.Index(i))
			}
		}
	}
	deep(reflect.ValueOf(&s).Elem())
	return s
}

// names are the values of an enumeration as text.
type names []string

func (n names) text(i uint8) ([]byte, error) {
	if int(i) >= len(n) {
		return nil, fmt.Errorf("sim: %d is none of %v", i, []string(n))
	}
	return []byte(n[i]), nil
}

func (n names) value(b []byte) (uint8, error) {
	if i := slices.Index(n, string(b)); i >= 0 {
		return uint8(i), nil
	}
	return 0, fmt.Errorf("want one of %v", []string(n))
}
