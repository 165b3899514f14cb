package trace

import (
	"errors"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

func TestEveryVerbHasAName(t *testing.T) {
	seen := make(map[string]fsm.Verb)
	for v := fsm.CmdNop; v <= fsm.CmdCount; v++ {
		n := VerbName(v)
		if strings.HasPrefix(n, "verb ") {
			t.Errorf("command verb %d has no name", v)
		}
		if w, ok := seen[n]; ok {
			t.Errorf("verbs %d and %d are both %q", v, w, n)
		}
		seen[n] = v
	}
}

func step() *sideeffects.Step {
	ev := &fsm.Event{
		ID: fsm.EvTimeoutT1Init, Path: 0,
		Env: fsm.Env{Now: mono.Time(3*mono.Second + 20*mono.Millisecond)},
	}
	cfg := tcb.DefaultConfig()
	t := tcb.TCB{Cfg: &cfg, State: tcb.CookieWait, Paths: []tcb.PathCtl{{State: tcb.PathActive}}}
	var out fsm.Commands
	d := fsm.Step(tcb.ViewOf(&t), ev, &out)
	return &sideeffects.Step{Before: tcb.CookieWait, After: tcb.CookieWait, Event: ev, Disposition: d, Commands: &out}
}

func TestLine(t *testing.T) {
	const want = "3.020000000 A COOKIE-WAIT: timeout T1-init (path 0) sfT1Init consume: count SctpT1InitExpireds; init try; " +
		"back off path 0; control path path 0; send INIT path 0; start T1-init path 0\n"
	if got := string(AppendLine(nil, "A", step())); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestPacket(t *testing.T) {
	p := chunk.AppendHeader(nil, 5000, 6000, 0x01020304)
	p = chunk.AppendSack(p, 7, 1500, []chunk.GapBlock{{Start: 2, End: 4}}, []chunk.TSN{6})
	p = chunk.AppendData(p, chunk.Data{Flags: chunk.FlagB | chunk.FlagE, TSN: 9, Stream: 1, SSN: 2, Payload: []byte("abcd")})
	p = chunk.AppendShutdownComplete(p, true)
	chunk.SetChecksum(p)
	const want = "5000 > 6000 tag 01020304 | SACK 7 a_rwnd 1500 +2-4 dup 6 | DATA 9 1:2 BE 4 bytes | SHUTDOWN COMPLETE T"
	if got := Packet(p); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	p[len(p)-1] ^= 1
	if got := Packet(p); !strings.Contains(got, "bad checksum") {
		t.Errorf("a bad checksum is not told: %s", got)
	}
	// No packet is too broken to be printed.
	for i := range p {
		if Packet(p[:i]) == "" {
			t.Errorf("nothing is said of the first %d bytes", i)
		}
	}
}

type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errors.ErrUnsupported
	}
	return len(p), nil
}

func TestWriterKeepsItsError(t *testing.T) {
	w := &Writer{Who: "A", W: &full{n: 2}}
	for i := range 4 {
		w.Step(step())
		if got := w.Err() != nil; got != (i >= 2) {
			t.Errorf("after %d steps the error is %v", i+1, w.Err())
		}
	}
}

func TestTail(t *testing.T) {
	tail := NewTail(3)
	for _, l := range []string{"a\n", "b\n", "c\n", "d\n"} {
		if _, err := tail.Write([]byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	if got := tail.String(); got != "b\nc\nd\n" {
		t.Errorf("the tail is %q", got)
	}
}
