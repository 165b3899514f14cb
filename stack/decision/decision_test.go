package decision

import (
	"errors"
	"reflect"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

func sample() *tcb.TCB {
	cfg := tcb.DefaultConfig()
	return &tcb.TCB{Cfg: &cfg, State: tcb.Established, Paths: []tcb.PathCtl{{State: tcb.PathActive}, {}}}
}

// record runs ev against t and keeps the step.
func record(p *Pool, f *Ref, t *tcb.TCB, ev *fsm.Event) {
	var out fsm.Commands
	d := fsm.Step(tcb.ViewOf(t), ev, &out)
	p.Record(f, t, ev, d, &out)
}

func data(now mono.Time) *fsm.Event {
	return &fsm.Event{
		ID: fsm.EvData, Tag: fsm.TagOwn, VTag: 7, Len: 1416, First: true, Alone: true,
		Span: fsm.Span{Off: 12, Len: 1416}, Env: fsm.Env{Now: now},
	}
}

// fill gives every field below v a value of its own.
func fill(v reflect.Value, n *uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int:
		*n++
		v.SetInt(int64(*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		*n++
		v.SetUint(*n)
	}
}

// TestEverythingIsKept: each field of an event, of the TCB and of a command
// comes back. A field that is new has to be recorded.
func TestEverythingIsKept(t *testing.T) {
	for _, id := range []fsm.EventID{fsm.EvData, fsm.EvInit, fsm.EvCookieEcho, fsm.EvHeartbeatAck, fsm.EvPathsAcked} {
		n := uint64(2)
		var ev fsm.Event
		fill(reflect.ValueOf(&ev).Elem(), &n)
		ev.ID = id
		if id == fsm.EvInit {
			// The lists of an INIT stay in the packet.
			ev.Init = &chunk.InitFacts{
				Type: 1, Verdict: 2, NAddrs: 3, NUnknown: 4, Tag: 5, ARwnd: 6, OS: 7, MIS: 8, TSN: 9,
				CookiePreservative: 10, MissingCookie: true, HasHostName: true, SupportsV4: true, SupportsV6: true,
			}
		}
		if id != fsm.EvCookieEcho {
			ev.Cookie = fsm.CookieFacts{}
		}
		if id != fsm.EvHeartbeatAck {
			ev.HB = fsm.HeartbeatFacts{}
		}
		c := sample()
		fill(reflect.ValueOf(c).Elem(), &n)
		fill(reflect.ValueOf(&c.Paths[1]).Elem(), &n)
		c.State, c.Primary, c.Cfg = tcb.ShutdownSent, 1, nil
		var cmd fsm.Command
		fill(reflect.ValueOf(&cmd).Elem(), &n)
		var out fsm.Commands
		out.Append(fsm.Command{Verb: fsm.CmdSack})
		out.Append(cmd)

		var p Pool
		var f Ref
		p.Record(&f, c, &ev, fsm.Violation, &out)
		steps, err := Decode(f.Dump(nil))
		if err != nil || len(steps) != 1 {
			t.Fatalf("%v: %d steps, %v", id, len(steps), err)
		}
		s := &steps[0]
		if !reflect.DeepEqual(s.Event, ev) || s.Disposition != fsm.Violation || s.Number != 1 {
			t.Errorf("%v:\n got %+v\nwant %+v", id, s.Event, ev)
		}
		if !reflect.DeepEqual(s.TCB, c) {
			t.Errorf("%v:\n got %+v\nwant %+v", id, s.TCB, c)
		}
		if s.Commands != out {
			t.Errorf("%v: commands\n got %+v\nwant %+v", id, s.Commands, out)
		}
	}
}

// TestLastSteps: what is kept are the last steps, numbered, each with the TCB
// that it met, and run again they decide the same.
func TestLastSteps(t *testing.T) {
	var p Pool
	var f Ref
	c := sample()
	const n = 1000
	for i := range uint64(n) {
		ev := data(mono.Time(i))
		switch {
		case i%10 == 3:
			ev = &fsm.Event{ID: fsm.EvTimeoutT3, Path: 1, Alone: true, Len: 0xFFFF, Env: fsm.Env{Now: mono.Time(i)}}
		case i%10 == 7:
			ev = &fsm.Event{ID: fsm.EvPrimSend, Alone: true, Len: 0xFFFF, Env: fsm.Env{Now: mono.Time(i)}}
		}
		record(&p, &f, c, ev)
		if ev.ID == fsm.EvTimeoutT3 {
			c.Paths[1].Errors++ // as CmdStrike has it
		}
	}
	steps, err := Decode(f.Dump(nil))
	if err != nil || len(steps) < 20 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	for i := range steps {
		s := &steps[i]
		want := uint64(n - len(steps) + i)
		if uint64(s.Event.Env.Now) != want || s.Number != want+1 {
			t.Fatalf("step %d of %d: %v, number %d, want %d", i, len(steps), s.Event.Env.Now, s.Number, want)
		}
		if errs := (want + 6) / 10; uint64(s.TCB.Paths[1].Errors) != errs {
			t.Errorf("step %d: %d errors, want %d", want, s.TCB.Paths[1].Errors, errs)
		}
		var out fsm.Commands
		if d := s.Again(c.Cfg, &out); d != s.Disposition || !out.Equal(&s.Commands) {
			t.Errorf("step %d is not the same again", want)
		}
	}
}

// TestPool: rings are bounded in number, and go from those who have done
// nothing for long to those who do something.
func TestPool(t *testing.T) {
	var p Pool
	refs := make([]Ref, 3*poolSize)
	c := sample()
	for i := range refs {
		record(&p, &refs[0], c, data(1)) // always active
		record(&p, &refs[i], c, data(1))
	}
	if len(p.rings) != poolSize {
		t.Fatalf("%d rings", len(p.rings))
	}
	held := 0
	for i := range refs {
		if steps, err := Decode(refs[i].Dump(nil)); err != nil {
			t.Fatal(err)
		} else if len(steps) > 0 {
			held++
		}
	}
	if held != poolSize {
		t.Errorf("%d hold a ring", held)
	}
	for _, i := range []int{0, len(refs) - 1} {
		if len(refs[i].Dump(nil)) == 0 {
			t.Errorf("%d lost its ring", i)
		}
	}
	if (&Ref{}).Dump(nil) != nil {
		t.Error("a ring where there is none")
	}
}

// TestLargest: the largest step with the largest TCB fits.
func TestLargest(t *testing.T) {
	var p Pool
	var f Ref
	c := sample()
	c.Paths = make([]tcb.PathCtl, tcb.MaxPaths)
	ev := fsm.Event{ID: fsm.EvInit, Init: new(chunk.InitFacts), Env: fsm.Env{Nonce: 1}}
	var out fsm.Commands
	for range fsm.MaxCommands {
		out.Append(fsm.Command{Verb: fsm.CmdStrike})
	}
	for range 9 {
		p.Record(&f, c, &ev, fsm.Consume, &out)
	}
	if steps, err := Decode(f.Dump(nil)); err != nil || len(steps) < 2 || steps[len(steps)-1].Number != 9 {
		t.Errorf("%d steps, %v", len(steps), err)
	}
}

func TestVerbsFitTheMask(t *testing.T) {
	if fsm.CmdCount >= 64 || fsm.NumEvents > 64 {
		t.Error("quietVerbs and quietEvents have 64 bits")
	}
}

// TestBadDumps: no bytes make Decode panic, and a step run again from them
// neither.
func TestBadDumps(t *testing.T) {
	good := dump()
	for i := range good {
		if _, err := Decode(good[:i]); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
		for _, x := range []byte{1, 0x80, 0xFF} {
			bad := append([]byte(nil), good...)
			bad[i] ^= x
			again(bad)
		}
	}
}

func dump() []byte {
	var p Pool
	var f Ref
	c := sample()
	for i := range 5 {
		record(&p, &f, c, data(mono.Time(i)))
	}
	record(&p, &f, c, &fsm.Event{ID: fsm.EvInit, Tag: fsm.TagZero, Init: &chunk.InitFacts{Tag: 1}, Len: 20, Alone: true})
	record(&p, &f, c, &fsm.Event{ID: fsm.EvHeartbeatAck, Tag: fsm.TagOwn, Len: 20, HB: fsm.HeartbeatFacts{Valid: true}})
	record(&p, &f, c, &fsm.Event{ID: fsm.EvCookieEcho, Tag: fsm.TagOwn, Len: 20, Cookie: fsm.CookieFacts{Valid: true}})
	record(&p, &f, c, &fsm.Event{ID: fsm.EvTimeoutHeartbeat, Len: 20})
	return f.Dump(nil)
}

// again runs all steps of a dump.
func again(b []byte) {
	cfg := tcb.DefaultConfig()
	steps, _ := Decode(b)
	for i := range steps {
		var out fsm.Commands
		steps[i].Again(&cfg, &out)
	}
}

// FuzzDump: no bytes do harm.
func FuzzDump(f *testing.F) {
	f.Add(dump())
	f.Fuzz(func(_ *testing.T, b []byte) { again(b) })
}

func TestNoAllocs(t *testing.T) {
	var p Pool
	var f Ref
	c, ev := sample(), data(1)
	var out fsm.Commands
	d := fsm.Step(tcb.ViewOf(c), ev, &out)
	p.Record(&f, c, ev, d, &out)
	if n := testing.AllocsPerRun(1000, func() { p.Record(&f, c, ev, d, &out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	var p Pool
	var f Ref
	c, ev := sample(), data(1)
	var out fsm.Commands
	d := fsm.Step(tcb.ViewOf(c), ev, &out)
	for b.Loop() {
		p.Record(&f, c, ev, d, &out)
	}
	b.SetBytes(stepFixed + commandSize)
}
