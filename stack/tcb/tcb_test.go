package tcb_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

func sample() *tcb.TCB {
	cfg := tcb.DefaultConfig()
	return &tcb.TCB{Cfg: &cfg, Paths: []tcb.PathCtl{{State: tcb.PathActive}, {}}}
}

// TestKeyCoversAll: every field of the control state changes the key, except
// the points in time, the handle and the Config, which say nothing about what
// comes next. A field that is new has to be put in one of the two lists.
func TestKeyCoversAll(t *testing.T) {
	outside := map[string]bool{"Cfg": true, "ID": true, "CtlSent": true, "Paths": true}
	base := sample().AppendKey(nil)
	change := func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Int64:
			v.SetInt(v.Int() + 1)
		default:
			v.SetUint(v.Uint() + 1)
		}
	}
	typ := reflect.TypeFor[tcb.TCB]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		if name == "Cfg" || name == "Paths" {
			continue
		}
		c := sample()
		change(reflect.ValueOf(c).Elem().Field(i))
		if same := bytes.Equal(c.AppendKey(nil), base); same != outside[name] {
			t.Errorf("%s: key unchanged %v", name, same)
		}
	}
	typ = reflect.TypeFor[tcb.PathCtl]()
	for i := range typ.NumField() {
		c := sample()
		change(reflect.ValueOf(&c.Paths[1]).Elem().Field(i))
		if bytes.Equal(c.AppendKey(nil), base) {
			t.Errorf("path's %s is not in the key", typ.Field(i).Name)
		}
	}
	c := sample()
	c.Paths = append(c.Paths, tcb.PathCtl{})
	if bytes.Equal(c.AppendKey(nil), base) {
		t.Error("a path more is not in the key")
	}
	if got := sample().AppendKey([]byte("x")); !bytes.Equal(got[1:], base) || got[0] != 'x' {
		t.Error("the key depends on what is in front of it")
	}
}

// TestClone: a copy is equal, and shares nothing that can change.
func TestClone(t *testing.T) {
	a := sample()
	a.State, a.LocalTag, a.CtlSent = tcb.Established, 7, mono.Time(9)
	b := a.Clone()
	if !reflect.DeepEqual(*a, b) || a.Cfg != b.Cfg {
		t.Fatalf("%+v, want %+v", b, *a)
	}
	b.Paths[0].Errors++
	b.Paths = append(b.Paths, tcb.PathCtl{})
	b.State++
	if a.Paths[0].Errors != 0 || len(a.Paths) != 2 || a.State != tcb.Established {
		t.Fatalf("%+v", a)
	}
}

// TestSelectPaths: RFC 9260 section 6.4.
func TestSelectPaths(t *testing.T) {
	const (
		u = tcb.PathUnconfirmed
		a = tcb.PathActive
		i = tcb.PathInactive

		cut = 0x80 // with another
	)
	for _, tt := range []struct {
		name    string
		primary tcb.PathID
		states  []tcb.PathState
		errors  []uint16
		active  tcb.PathID
		retran  tcb.PathID
	}{
		{"one", 0, []tcb.PathState{a}, nil, 0, 0},
		{"primary, and another for retransmissions", 0, []tcb.PathState{a, a}, nil, 0, 1},
		{"R-6.4-05 the primary first", 1, []tcb.PathState{a, a}, nil, 1, 0},
		{"R-8.2-06 primary inactive", 0, []tcb.PathState{i, a, a}, nil, 1, 2},
		{"R-5.4-05 never an unconfirmed one", 0, []tcb.PathState{a, u}, nil, 0, 0},
		{"primary unconfirmed", 1, []tcb.PathState{a, u}, nil, 0, 0},
		{"all inactive: the fewest errors", 0, []tcb.PathState{i, i, i}, []uint16{9, 6, 7}, 1, 1},
		{"all inactive, the primary not worse", 0, []tcb.PathState{i, i}, []uint16{6, 6}, 0, 0},
		{"inactive rather than unconfirmed", 0, []tcb.PathState{u, i}, []uint16{0, 9}, 1, 1},
		{"cut: not even the primary", 0, []tcb.PathState{a | cut, a}, nil, 1, 1},
		{"cut: none for retransmissions", 0, []tcb.PathState{a, a | cut}, nil, 0, 0},
		{"an inactive one rather than one that is cut", 0, []tcb.PathState{a | cut, i}, []uint16{0, 9}, 1, 1},
		{"all cut: the primary still", 0, []tcb.PathState{a | cut, a | cut}, nil, 0, 0},
		{"cut rather than unconfirmed", 1, []tcb.PathState{a | cut, u}, nil, 0, 0},
	} {
		c := sample()
		c.Primary = tt.primary
		c.Paths = c.Paths[:0]
		for k, s := range tt.states {
			p := tcb.PathCtl{State: s &^ cut, Cut: s&cut != 0}
			if tt.errors != nil {
				p.Errors = tt.errors[k]
			}
			c.Paths = append(c.Paths, p)
		}
		if active, retran := c.SelectPaths(); active != tt.active || retran != tt.retran {
			t.Errorf("%s: %d and %d, want %d and %d", tt.name, active, retran, tt.active, tt.retran)
		}
	}
}

// TestNextPath: where a set-up or teardown chunk is tried next.
func TestNextPath(t *testing.T) { // R-5.1-14 R-5.4-10
	const (
		u = tcb.PathUnconfirmed
		a = tcb.PathActive
		i = tcb.PathInactive

		cut = 0x80 // with another
	)
	for _, tt := range []struct {
		states []tcb.PathState
		from   tcb.PathID
		want   tcb.PathID
	}{
		{[]tcb.PathState{a}, 0, 0},
		{[]tcb.PathState{a, a, a}, 0, 1},
		{[]tcb.PathState{a, a, a}, 2, 0},
		{[]tcb.PathState{a, i, a}, 0, 2},
		{[]tcb.PathState{a, u}, 0, 0},
		{[]tcb.PathState{i, u, i}, 0, 2},
		{[]tcb.PathState{u, u}, 1, 1},
		{[]tcb.PathState{a, a | cut, a}, 0, 2},
		{[]tcb.PathState{a | cut, a | cut, i}, 0, 2},
		{[]tcb.PathState{a | cut, a | cut, u}, 0, 1},
		{[]tcb.PathState{a | cut, i | cut, u}, 1, 0},
	} {
		c := sample()
		c.Paths = c.Paths[:0]
		for _, s := range tt.states {
			c.Paths = append(c.Paths, tcb.PathCtl{State: s &^ cut, Cut: s&cut != 0})
		}
		if got := tcb.ViewOf(c).NextPath(tt.from); got != tt.want {
			t.Errorf("%v from %d: %d, want %d", tt.states, tt.from, got, tt.want)
		}
	}
}

func TestPathSet(t *testing.T) {
	s := tcb.PathSet(0).With(0).With(31).With(32).With(tcb.NoPath)
	if !s.Has(0) || !s.Has(31) || s.Has(1) || s.Has(32) || s.Has(tcb.NoPath) {
		t.Errorf("%b", s)
	}
	if s = s.Without(31).Without(40); s.Has(31) || !s.Has(0) {
		t.Errorf("%b", s)
	}
}

// TestNoTCB: the zero View stands for no association.
func TestNoTCB(t *testing.T) {
	var v tcb.View
	if v.Exists() || v.State() != tcb.Closed || tcb.ViewOf(nil) != v {
		t.Error("there is something")
	}
	if !tcb.ViewOf(sample()).Exists() || tcb.ViewOf(sample()).Path(9) != (tcb.PathCtl{}) {
		t.Error("not what was given")
	}
}

// R-16-01, R-16-02: the values of RFC 9260 section 16. RTO.Alpha and RTO.Beta
// are the path's (TestRTO).
func TestDefaults(t *testing.T) {
	c := tcb.DefaultConfig()
	for name, ok := range map[string]bool{
		"RTO.Initial":             c.RTOInitial == mono.Second,
		"RTO.Min":                 c.RTOMin == mono.Second,
		"RTO.Max":                 c.RTOMax == 60*mono.Second,
		"Max.Burst":               c.MaxBurst == 4,
		"Valid.Cookie.Life":       c.ValidCookieLife == 60*mono.Second,
		"Association.Max.Retrans": c.AssocMaxRetrans == 10,
		"Path.Max.Retrans":        c.PathMaxRetrans == 5,
		"Max.Init.Retransmits":    c.MaxInitRetransmits == 8,
		"HB.interval":             c.HBInterval == 30*mono.Second,
		"HB.Max.Burst":            c.HBMaxBurst == 1,
		"SACK.Delay":              c.SackDelay == 200*mono.Millisecond,
	} {
		if !ok {
			t.Errorf("%s is not as in RFC 9260 section 16", name)
		}
	}
}
