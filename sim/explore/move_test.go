package explore

import (
	"slices"
	"strings"
	"testing"
)

func TestMovesAsText(t *testing.T) {
	var list []Move
	for k := Kind(0); k < numKinds; k++ {
		if k <= Inject {
			list = append(list, Move{Kind: k, N: 3})
		}
		if k >= Inject {
			list = append(list, Move{Kind: k, X: 1})
		}
	}
	for i := range alphabet {
		list = append(list, Move{Kind: Inject, N: uint8(i)})
	}
	got, err := ParseMoves(Format(list))
	if err != nil || !slices.Equal(got, list) {
		t.Errorf("%q is read as %v, %v", Format(list), got, err)
	}
	for _, bad := range []string{"deliver", "deliver A", "fire 0", "jump A", "deliver 300", "inject A", "inject A ABORT", "fire AZ"} {
		if m, err := ParseMoves(bad); err == nil {
			t.Errorf("%q is read as %v", bad, m)
		}
	}
}

// A conversation as RFC 9260 draws it, by its packets: figures 3 and section 9.2.
// The data path that counts and the real one say the same.
func TestOrdinaryLife(t *testing.T) {
	for _, setting := range []string{"life", "narrow life"} {
		t.Run(setting, func(t *testing.T) { ordinaryLife(t, setting) })
	}
}

func ordinaryLife(t *testing.T, setting string) {
	list, err := ParseMoves(`associate A, deliver 0, deliver 0, deliver 0, deliver 0,
		send A, deliver 0, deliver 0, shutdown A, deliver 0, deliver 0, deliver 0`)
	if err != nil {
		t.Fatal(err)
	}
	s := Script{Setting: setting, Moves: list, Rest: true}
	lines, err := s.Play("")
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, l := range lines {
		if _, p, ok := strings.Cut(l, "sends: "); ok {
			f := strings.Split(p, " | ")
			sent = append(sent, strings.TrimSpace(l[:4])+" "+strings.Join(strings.Fields(f[1])[:min(2, len(strings.Fields(f[1])))], " "))
		}
	}
	want := []string{"A INIT tag", "Z INIT ACK", "A COOKIE ECHO", "Z COOKIE ACK"}
	if len(sent) < 9 || !slices.Equal(sent[:4], want) {
		t.Fatalf("sent: %q", sent)
	}
	for i, kind := range []string{"A DATA", "Z SACK", "A SHUTDOWN", "Z SHUTDOWN ACK", "A SHUTDOWN COMPLETE"} {
		if !strings.HasPrefix(sent[4+i], kind) {
			t.Errorf("packet %d is %q, want %q", 4+i, sent[4+i], kind)
		}
	}
}

// A state reached in two ways is one state, and other states are others.
func TestKey(t *testing.T) {
	for _, wide := range []bool{true, false} {
		testKey(t, &Setting{Name: "x", Wide: wide, Associate: both, Send: onlyA, InFlight: 2, Duplicates: 1, Timeouts: 2})
	}
}

func testKey(t *testing.T, set *Setting) {
	at := func(list string) Key {
		m, err := ParseMoves(list)
		if err != nil {
			t.Fatal(err)
		}
		w := (&search{set: set}).replay(m, newLab())
		if w.err != nil {
			t.Fatal(w.err)
		}
		return w.key()
	}
	// The tags differ, since more of them were drawn; nothing else does.
	a := at("associate A, deliver 0, drop 0, fire A, deliver 0, deliver 0")
	b := at("associate A, drop 0, fire A, deliver 0, deliver 0")
	if a != b {
		t.Error("a lost INIT and a lost INIT ACK, made good in the same way, end in two states")
	}
	for _, other := range []string{
		"associate A, deliver 0, deliver 0", "associate A", "associate A, drop 0", "associate A, associate Z",
		"associate A, deliver 0", "associate A, duplicate 0", "associate A, send A",
	} {
		if at(other) == a {
			t.Errorf("%q gives the state of another way", other)
		}
	}
}
