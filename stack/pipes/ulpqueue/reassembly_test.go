package ulpqueue

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
)

const ok, done = Accepted, Accepted | Delivered

func TestOrdered(t *testing.T) {
	r := newRig(t, nil)
	// R-6.6-01, R-6.6-02, R-6.5-03: in order of SSN, from 0.
	r.put(ok, data(2, 1, 1, "BE", "b"))
	r.put(ok, data(4, 1, 3, "BE", "d"))
	r.want("")
	r.put(done, data(1, 1, 0, "BE", "a"))
	r.want("a b")
	// Another stream does not wait.
	r.put(done, data(5, 2, 0, "BE", "other"))
	r.want("other")
	r.put(done, data(3, 1, 2, "BE", "c"))
	r.want("c d")
	r.empty()
}

func TestUnordered(t *testing.T) {
	r := newRig(t, nil)
	// R-6.6-03, R-6.6-04, R-3.3.1-02, R-3.3.1-03, R-6.5-06: at once, whatever
	// the SSN says, and without touching it.
	r.put(ok, data(5, 1, 1, "BE", "ordered"))
	r.put(done, data(9, 1, 77, "BEU", "u1"))
	r.put(done, data(8, 1, 0, "BEU", "u2"))
	r.put(ok, data(11, 1, 3, "BU", "u3-"))
	r.put(done, data(12, 1, 4, "EU", "end")) // an SSN that differs means nothing
	r.want("u1 u2 u3-end")
	r.put(done, data(4, 1, 0, "BE", "zero"))
	r.want("zero ordered")
	r.empty()
}

// R-6-11, R-6.9-01, R-6.9-15, R-3.3.1-12: fragments in any order.
func TestFragments(t *testing.T) {
	const first = 1<<32 - 2 // the TSN wraps in the middle
	flags := []string{"B", "", "", "", "E"}
	text := []string{"one-", "two-", "three-", "four-", "five"}
	var permute func(p []int, k int)
	n := 0
	permute = func(p []int, k int) {
		if k == len(p) {
			r := newRig(t, nil)
			for i, f := range p {
				want := ok
				if i == len(p)-1 {
					want = done
				}
				r.put(want, data(first+chunk.TSN(f), 3, 0, flags[f], text[f]))
			}
			r.want("one-two-three-four-five")
			r.empty()
			n++
			return
		}
		for i := k; i < len(p); i++ {
			p[k], p[i] = p[i], p[k]
			permute(p, k+1)
			p[k], p[i] = p[i], p[k]
		}
	}
	permute([]int{0, 1, 2, 3, 4}, 0)
	if n != 120 {
		t.Fatalf("%d permutations", n)
	}
}

func TestMessageFields(t *testing.T) {
	r := newRig(t, nil)
	r.q.CumTSNAdvanced(41)
	d := data(43, 9, 0, "B", "xx")
	d.PPID = 0x01020304
	r.put(ok, d)
	d = data(44, 9, 0, "E", "y")
	d.PPID = 0x01020304
	r.put(done, d)
	r.q.Detach(&r.list, 0)
	m := r.list.Pop()
	if m.Stream != 9 || m.SSN != 0 || m.PPID != 0x01020304 || m.TSN != 43 || m.CumTSN != 41 ||
		m.Unordered || !m.EOR || m.Len != 3 || m.Kind != KindData {
		t.Errorf("%+v", m)
	}
}

// Chunks that cannot belong together.
func TestViolations(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []chunk.Data
		bad    chunk.Data
	}{
		{"a second B", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 1, 0, "B", "y")},
		{"a whole message inside another", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 1, 1, "BE", "y")},
		{"a whole unordered one inside another", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 1, 1, "BEU", "y")},
		{"a middle after an end", []chunk.Data{data(5, 1, 0, "E", "x")}, data(6, 1, 0, "", "y")},
		{"an end after an end", []chunk.Data{data(5, 1, 0, "E", "x")}, data(6, 1, 0, "E", "y")},
		{"no end before a B", []chunk.Data{data(6, 1, 0, "B", "x")}, data(5, 1, 0, "", "y")},
		{"an end before a middle", []chunk.Data{data(6, 1, 0, "", "x")}, data(5, 1, 0, "E", "y")},
		{"a middle after a whole message that waits", []chunk.Data{data(5, 1, 1, "BE", "x")}, data(6, 1, 1, "", "y")},
		// R-3.3.1-06, R-3.3.1-04, R-3.3.1-07
		{"another SSN", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 1, 1, "E", "y")},
		{"another stream", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 2, 0, "E", "y")},
		{"another U bit", []chunk.Data{data(5, 1, 0, "B", "x")}, data(6, 1, 0, "EU", "y")},
		{"another PPID", []chunk.Data{data(5, 1, 0, "B", "x")},
			chunk.Data{TSN: 6, Stream: 1, PPID: 8, Flags: chunk.FlagE, Payload: []byte("y")}},
		{"another stream behind", []chunk.Data{data(6, 1, 0, "E", "x")}, data(5, 2, 0, "B", "y")},
		{"joins two messages", []chunk.Data{data(5, 1, 0, "B", "x"), data(7, 1, 1, "E", "z")}, data(6, 1, 0, "", "y")},
		{"an SSN used before", []chunk.Data{data(5, 1, 0, "BE", "x")}, data(6, 1, 0, "BE", "y")},
		{"an SSN that waits already", []chunk.Data{data(5, 1, 3, "BE", "x")}, data(7, 1, 3, "BE", "y")},
		{"the same, in fragments", []chunk.Data{data(5, 1, 3, "BE", "x"), data(7, 1, 3, "B", "y")}, data(8, 1, 3, "E", "y")},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			for _, d := range c.before {
				if r.q.Insert(d)&Accepted == 0 {
					t.Fatal("the chunk before was not accepted")
				}
			}
			if got := r.q.Insert(c.bad); got&Violation == 0 {
				t.Errorf("result %04b", got)
			}
			r.q.Purge()
			r.empty()
		})
	}
}

// What belongs to nothing shows when the cumulative TSN passes it.
func TestOrphans(t *testing.T) {
	type op struct {
		d   chunk.Data
		cum chunk.TSN
		bad bool
	}
	for _, c := range []struct {
		name string
		ops  []op
	}{
		{"no beginning", []op{
			{data(1, 1, 0, "BE", "x"), 1, false}, {data(2, 1, 1, "", "y"), 2, true}}},
		{"no beginning, late", []op{
			{data(2, 1, 1, "", "y"), 0, false}, {data(1, 1, 0, "BE", "x"), 2, true}}},
		{"no end, before an unordered message", []op{
			{data(3, 1, 9, "BEU", "z"), 0, false}, {data(1, 1, 0, "B", "x"), 1, false}, {data(2, 1, 0, "", "x"), 3, true}}},
		{"the first TSN of all is no beginning", []op{{data(1, 1, 0, "E", "x"), 1, true}}},
		{"all well", []op{
			{data(1, 1, 0, "B", "x"), 1, false}, {data(4, 1, 1, "B", "y"), 1, false},
			{data(3, 1, 0, "E", "x"), 1, false}, {data(2, 1, 0, "", "x"), 4, false},
			{data(7, 1, 2, "BE", "z"), 4, false}, {data(8, 1, 3, "BE", "z"), 4, false},
			{data(5, 1, 1, "", "x"), 5, false}, {data(6, 1, 1, "E", "x"), 8, false}}},
		{"an SSN left out", []op{
			{data(1, 1, 0, "BE", "x"), 1, false}, {data(2, 1, 2, "BE", "y"), 2, true}}},
		{"an SSN left out, behind a gap", []op{
			{data(3, 1, 2, "BE", "z"), 0, false}, {data(1, 1, 0, "BE", "x"), 1, false},
			{data(2, 2, 0, "BE", "y"), 3, true}}},
		{"a stream that was not for us swallowed the end", []op{
			{data(1, 1, 0, "B", "x"), 1, false}, {data(2, 100, 0, "E", "y"), 2, true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			for i, o := range c.ops {
				r.q.Insert(o.d)
				if got := r.q.CumTSNAdvanced(o.cum); (got == Violation) != o.bad {
					t.Fatalf("step %d: result %04b", i, got)
				}
				r.check()
			}
		})
	}
}

// What cannot be is dropped without a word, and harms nothing.
func TestInsertIsSafe(t *testing.T) {
	r := newRig(t, nil)
	r.put(0, data(1, 100, 0, "BE", "no such stream"))
	r.put(0, data(1, 65535, 0, "BE", "no such stream"))
	r.put(0, data(1, 1, 0, "BE", ""))
	r.put(ok, data(10, 1, 0, "B", "x"))
	r.put(0, data(10, 1, 0, "B", "again"))
	r.put(ok, data(11, 1, 0, "", "y"))
	r.put(0, data(10, 1, 0, "B", "again"))
	r.put(0, data(11, 1, 0, "", "again"))
	r.put(0, data(10+1<<31, 1, 0, "B", "the other side of the circle"))
	r.put(0, data(10+1<<30+1, 1, 0, "B", "too far"))
	r.put(done, data(12, 1, 0, "E", "z"))
	r.want("xyz")
	r.empty()
}

// R-6.5-05: SSN 0 follows 65535; waiting messages sort right around it.
func TestSSNWrap(t *testing.T) {
	r := newRig(t, nil)
	tsn := chunk.TSN(1)
	for ; tsn <= 65534; tsn++ {
		r.q.Insert(data(tsn, 0, chunk.SSN(tsn-1), "BE", "x"))
		if tsn%1000 == 0 {
			r.read()
		}
	}
	r.read()
	r.put(ok, data(tsn+3, 0, 1, "BE", "1"))
	r.put(ok, data(tsn+1, 0, 65535, "BE", "65535"))
	r.put(ok, data(tsn+4, 0, 2, "BE", "2"))
	r.put(ok, data(tsn+2, 0, 0, "BE", "0"))
	r.put(done, data(tsn, 0, 65534, "BE", "65534"))
	r.want("65534 65535 0 1 2")
	r.empty()
}

// More than 2^15 ordered messages of a stream ahead are not taken.
func TestSSNFarAhead(t *testing.T) {
	r := newRig(t, nil)
	r.put(ok, data(20001, 0, 20000, "BE", "x"))
	r.put(ok, data(32768, 0, 32767, "BE", "y"))
	r.put(NoRoom, data(32769, 0, 32768, "BE", "z"))
	r.put(NoRoom, data(40001, 0, 40000, "B", "z"))
	// In a stream with nothing of the kind under way it cannot be honest.
	r.put(Violation, data(50000, 1, 40000, "BE", "z"))
}

func TestStreamsCostNothingUntilUsed(t *testing.T) {
	r := newRig(t, nil)
	r.q.Init(&r.cfg, r.pool, r.nodes, 65535)
	r.put(done, data(1, 65000, 0, "BEU", "u"))
	r.put(ok, data(2, 65000, 5, "BE", "o"))
	if r.q.streams.pages != nil {
		t.Error("unordered and waiting messages made stream state")
	}
	r.put(done, data(3, 65534, 0, "BE", "o"))
	pages := 0
	for _, p := range r.q.streams.pages {
		if p != nil {
			pages++
		}
	}
	if pages != 1 {
		t.Errorf("%d pages for one stream", pages)
	}
}

func TestDetach(t *testing.T) {
	r := newRig(t, nil)
	for i := range chunk.TSN(6) {
		r.put(done, sized(i, 0, chunk.SSN(i), "BE", 100))
	}
	r.q.Notify(Notification{Kind: 3})
	var l List
	for _, c := range []struct{ max, n, bytes int }{{0, 1, 100}, {250, 2, 200}, {199, 1, 100}, {1 << 30, 3, 200}, {1, 0, 0}} {
		if n := r.q.Detach(&l, c.max); n != c.n || l.Bytes() != c.bytes || l.Len() != c.n {
			t.Fatalf("within %d: %d messages, %d bytes", c.max, n, l.Bytes())
		}
		r.q.Consumed(l.Bytes())
		FreeList(r.pool, r.nodes, &l)
		r.check()
	}
	r.empty()
}

func TestList(t *testing.T) {
	var a, b List
	m := make([]Message, 5)
	for i := range m {
		m[i].Len = i
	}
	a.Append(&b)
	if !a.Empty() || a.Pop() != nil {
		t.Error("not empty")
	}
	b.Push(&m[1])
	b.Push(&m[2])
	a.Append(&b)
	a.Push(&m[3])
	b.Push(&m[4])
	a.Append(&b)
	if a.Len() != 4 || a.Bytes() != 10 || !b.Empty() || a.Front() != &m[1] || m[1].Next() != &m[2] {
		t.Error("the lists were not joined")
	}
	for i := 1; i < 5; i++ {
		if a.Pop() != &m[i] {
			t.Errorf("message %d is out of order", i)
		}
	}
	if !a.Empty() || a.Bytes() != 0 || a.Len() != 0 {
		t.Error("not empty at the end")
	}
}

// Notifications and messages are read in the order in which they happened.
func TestNotifications(t *testing.T) {
	r := newRig(t, nil)
	r.q.Notify(Notification{Kind: 1})
	r.put(done, data(1, 0, 0, "BE", "a"))
	b := r.pool.Get(10)
	r.q.Notify(Notification{Kind: 2, Bytes: b})
	r.put(done, data(2, 0, 1, "BE", "b"))
	r.want("note1 a note2 b")
	r.empty()

	// They are bounded, the vital ones apart.
	kept := 0
	for range 1000 {
		if r.q.Notify(Notification{Kind: 1, Bytes: r.pool.Get(100)}) {
			kept++
		}
	}
	if kept != maxNotes || !r.q.Notify(Notification{Kind: 9, Rank: Vital}) {
		t.Errorf("%d kept", kept)
	}
	if r.q.CurrentWindow() != uint32(r.q.grant()) || r.q.mem != 0 {
		t.Error("notifications shut the window")
	}
	r.q.Purge()
	r.empty()
	if !r.q.Notify(Notification{Kind: 1}) {
		t.Error("no notification after a purge")
	}
}
