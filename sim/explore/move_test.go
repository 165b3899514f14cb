package explore

import (
	"slices"
	"strings"
	"testing"
)

func TestMovesAsText(t *testing.T) {
	list := []Move{{Associate, 0}, {Deliver, 0}, {Drop, 1}, {Duplicate, 2}, {Fire, 1}, {Send, 0}, {Shutdown, 1}, {Abort, 0}}
	got, err := ParseMoves(Format(list))
	if err != nil || !slices.Equal(got, list) {
		t.Errorf("%q is read as %v, %v", Format(list), got, err)
	}
	for _, bad := range []string{"deliver", "deliver A", "fire 0", "jump A", "deliver 10"} {
		if m, err := ParseMoves(bad); err == nil {
			t.Errorf("%q is read as %v", bad, m)
		}
	}
}

// A conversation as RFC 9260 draws it, by its packets: figures 3 and section 9.2.
func TestOrdinaryLife(t *testing.T) {
	list, err := ParseMoves(`associate A, deliver 0, deliver 0, deliver 0, deliver 0,
		send A, deliver 0, deliver 0, shutdown A, deliver 0, deliver 0, deliver 0`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Replay(SettingNamed("life"), list, true)
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
	set := &Setting{Name: "x", Associate: [2]bool{true, true}, Send: [2]bool{true, false}, InFlight: 2, Duplicates: 1, Timeouts: 2}
	at := func(list string) Key {
		m, err := ParseMoves(list)
		if err != nil {
			t.Fatal(err)
		}
		w := replay(set, m)
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
