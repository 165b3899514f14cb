package inqueue

import (
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sackOf takes and parses the SACK that q owes.
func sackOf(t *testing.T, q *Queue, room int, arwnd uint32) (s chunk.Sack, gaps []chunk.GapBlock, dups []chunk.TSN) {
	t.Helper()
	b := q.AppendSack(nil, room, arwnd)
	if len(b) > room {
		t.Fatalf("%d bytes, room was %d", len(b), room)
	}
	c, e := chunk.ParseChunk(b)
	if e != chunk.ErrNone || len(c) != len(b) {
		t.Fatalf("not a chunk: %v", e)
	}
	s, e = chunk.ParseSack(c)
	if e != chunk.ErrNone || s.ARwnd != arwnd {
		t.Fatalf("not the SACK: %v, a_rwnd %d", e, s.ARwnd)
	}
	for i := range s.NumGaps() {
		start, end := s.Gap(i)
		gaps = append(gaps, chunk.GapBlock{Start: start, End: end})
	}
	for i := range s.NumDups() {
		dups = append(dups, s.Dup(i))
	}
	return s, gaps, dups
}

// R-3.3.4-01, R-3.3.4-03: the example of RFC 9260 section 3.3.4.
func TestSackOfRFCExample(t *testing.T) {
	q := newQueue(10)
	for _, tsn := range []chunk.TSN{10, 11, 12, 14, 15, 17} {
		q.Accept(tsn)
	}
	s, gaps, dups := sackOf(t, q, 1000, 4660)
	if s.CumTSN != 12 || !slices.Equal(gaps, []chunk.GapBlock{{Start: 2, End: 3}, {Start: 5, End: 5}}) || len(dups) != 0 {
		t.Errorf("cumulative %d, gaps %v, duplicates %v", s.CumTSN, gaps, dups)
	}
}

// Before any DATA the cumulative TSN is the initial TSN less one.
func TestSackBeforeData(t *testing.T) {
	q := newQueue(0)
	if q.To() != tcb.NoPath || q.Pending() || q.Due() || !q.Deadline().IsZero() {
		t.Error("something is owed before DATA")
	}
	if s, _, _ := sackOf(t, q, 16, 1); s.CumTSN != 1<<32-1 {
		t.Errorf("cumulative TSN %d", s.CumTSN)
	}
}

const ms = mono.Millisecond

// step is a packet with DATA and what should come of it.
type step struct {
	tsns      []chunk.TSN
	drop      bool // the chunk is dropped: the caller asks for a SACK at once
	iBit      bool
	due, now  bool
	keep      bool // do not send the SACK although it is due
	wantDelay mono.Duration
}

func run(t *testing.T, cfg tcb.Config, steps []step) *Queue {
	t.Helper()
	q := new(Queue)
	q.Init(&cfg, 1)
	clock := mono.Time(1000)
	for i, s := range steps {
		clock += mono.Time(ms)
		for _, tsn := range s.tsns {
			switch q.Classify(tsn) {
			case New:
				if !s.drop {
					q.Accept(tsn)
				}
			case Duplicate:
				q.Duplicate(tsn)
			}
		}
		q.DataPacket(clock, 3, s.drop || s.iBit)
		if q.Due() != s.due || q.DueNow() != s.now {
			t.Fatalf("step %d: due %t, at once %t; want %t, %t", i, q.Due(), q.DueNow(), s.due, s.now)
		}
		if !q.Pending() || q.To() != 3 {
			t.Fatalf("step %d: pending %t, to %d", i, q.Pending(), q.To())
		}
		if s.wantDelay != 0 && q.Deadline() != clock.Add(s.wantDelay) {
			t.Fatalf("step %d: deadline in %v", i, q.Deadline().Sub(clock))
		}
		if q.Due() && !s.keep {
			q.AppendSack(nil, 1000, 1)
			if q.Due() || q.Pending() || !q.Deadline().IsZero() {
				t.Fatalf("step %d: still something owed", i)
			}
		}
	}
	return q
}

func one(tsn chunk.TSN) []chunk.TSN { return []chunk.TSN{tsn} }

func TestSackPolicy(t *testing.T) {
	for _, c := range []struct {
		name  string
		tune  func(*tcb.Config)
		steps []step
	}{
		// R-5.1-18, R-5.1-19, R-5.1.5-09, R-6.2-07, R-6.2-08, R-6.2-09
		{"first at once, then every second packet", nil, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: []chunk.TSN{2, 3, 4, 5}, wantDelay: 200 * ms},
			{tsns: one(6), due: true},
			{tsns: one(7), wantDelay: 200 * ms},
			{tsns: one(8), due: true},
		}},
		// R-6.7-01, R-7.2.4-01: and again for each packet that does not fill the gap.
		{"gap", nil, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(3), due: true, now: true},
			{tsns: one(4), due: true, now: true},
			{tsns: one(6), due: true, now: true},
			{tsns: one(2), due: true, now: true},
			{tsns: one(5), due: true, now: true}, // the last gap fills
			{tsns: one(7), wantDelay: 200 * ms},
		}},
		// R-6.2-21
		{"duplicates", nil, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), wantDelay: 200 * ms},
			{tsns: []chunk.TSN{2, 3}, due: true, now: true},
			{tsns: one(4), wantDelay: 200 * ms},
		}},
		// R-6.2-19, R-6.2-20
		{"I bit", nil, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), iBit: true, due: true, now: true},
			{tsns: one(3), wantDelay: 200 * ms},
		}},
		// R-6.2-04
		{"dropped chunk", nil, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), drop: true, due: true, now: true},
			{tsns: one(1 << 20), drop: true, due: true, now: true},
		}},
		// R-6.2-14
		{"no delay above 500 ms", func(c *tcb.Config) { c.SackDelay = 3 * mono.Second; c.SackFreq = 9 }, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), wantDelay: 500 * ms},
			{tsns: one(3), wantDelay: 499 * ms}, // the first packet's deadline stays
		}},
		{"no delay", func(c *tcb.Config) { c.SackDelay = 0 }, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), due: true},
		}},
		{"each packet", func(c *tcb.Config) { c.SackFreq = 1 }, []step{
			{tsns: one(1), due: true, now: true},
			{tsns: one(2), due: true},
			{tsns: one(3), due: true},
		}},
		{"not sent", nil, []step{
			{tsns: one(1), due: true, now: true, keep: true, wantDelay: 200 * ms},
			{tsns: one(2), due: true, now: true, keep: true, wantDelay: 199 * ms},
		}},
	} {
		cfg := tcb.DefaultConfig()
		if c.tune != nil {
			c.tune(&cfg)
		}
		t.Run(c.name, func(t *testing.T) { run(t, cfg, c.steps) })
	}
}

func TestSackTimer(t *testing.T) {
	q := run(t, tcb.DefaultConfig(), []step{{tsns: one(1), due: true, now: true}, {tsns: one(2)}})
	q.TimerFired()
	if !q.Due() || !q.Deadline().IsZero() {
		t.Error("the timer changed nothing")
	}
	if s, _, _ := sackOf(t, q, 100, 1); s.CumTSN != 2 || q.Due() {
		t.Error("not acknowledged")
	}
	q.Force()
	if !q.Due() || !q.DueNow() || !q.Pending() {
		t.Error("Force changed nothing")
	}
	q.Acknowledged()
	if q.Due() || q.Pending() {
		t.Error("Acknowledged changed nothing")
	}
}

// R-6.2-22: duplicates are listed once per arrival, then forgotten.
func TestDuplicatesReported(t *testing.T) {
	q := newQueue(19)
	q.Accept(19)
	q.Duplicate(19)
	q.Duplicate(19)
	if _, _, d := sackOf(t, q, 100, 1); !slices.Equal(d, []chunk.TSN{19, 19}) {
		t.Errorf("duplicates %v", d)
	}
	q.Duplicate(19)
	if _, _, d := sackOf(t, q, 100, 1); !slices.Equal(d, []chunk.TSN{19}) {
		t.Errorf("duplicates %v", d)
	}
	for range 1000 {
		q.Duplicate(5)
	}
	if _, _, d := sackOf(t, q, 10000, 1); len(d) != maxDups {
		t.Errorf("%d duplicates", len(d))
	}
}

// R-6.2-17, R-6.7-06, R-6.7-07: gap blocks from the lowest, then duplicates,
// as many as fit.
func TestSackTruncated(t *testing.T) {
	for room := 0; room <= 16+4*(30+maxDups)+9; room++ {
		q := newQueue(1)
		for tsn := chunk.TSN(2); tsn <= 60; tsn += 2 {
			q.Accept(tsn)
		}
		for range maxDups {
			q.Duplicate(4)
		}
		q.DataPacket(1, 0, false)
		if room < 16 {
			if b := q.AppendSack([]byte{1}, room, 1); len(b) != 1 || !q.Due() {
				t.Fatalf("room %d: a SACK appeared", room)
			}
			continue
		}
		_, gaps, dups := sackOf(t, q, room, 1)
		n := (room - 16) / 4
		if len(gaps) != min(n, 30) || len(dups) != min(n-len(gaps), maxDups) {
			t.Fatalf("room %d: %d gaps, %d duplicates", room, len(gaps), len(dups))
		}
		for i, g := range gaps {
			if g.Start != g.End || int(g.Start) != 2*i+2 {
				t.Fatalf("room %d: block %d is %v", room, i, g)
			}
		}
	}
}

// A SACK cannot be larger than its 16-bit length, whatever the path takes.
func TestSackLargest(t *testing.T) {
	q := newQueue(1)
	for tsn := chunk.TSN(2); tsn <= 65534; tsn += 2 {
		q.Accept(tsn)
	}
	b := q.AppendSack(nil, 1<<20, 1)
	if len(b) > chunk.MaxChunkLen {
		t.Fatalf("%d bytes", len(b))
	}
	s, gaps, _ := sackOf(t, q, 1<<17, 1)
	if s.NumGaps() != chunk.MaxSackEntries || gaps[0].Start != 2 {
		t.Errorf("%d blocks", s.NumGaps())
	}
}

func TestNoAllocs(t *testing.T) {
	q := newQueue(1)
	b := make([]byte, 0, 1500)
	p := packetOf(chunk.AppendSack(nil, 1, 1, nil, nil), data(1, 8), data(2, 8))
	var c Cursor
	tsn, now := chunk.TSN(1), mono.Time(1)
	step := func() {
		c.Reset(p)
		for it, ok := c.Next(); ok; it, ok = c.Next() {
			_ = it
		}
		// A loss, 600 chunks later repaired.
		for n := range chunk.TSN(600) {
			if n != 1 {
				q.Classify(tsn + n)
				q.Accept(tsn + n)
			}
			q.Duplicate(tsn)
			q.DataPacket(now, 0, false)
			if q.Due() {
				b = q.AppendSack(b[:0], 1400, 1)
			}
		}
		q.Accept(tsn + 1)
		tsn += 600
		now += 1000
	}
	step()
	if n := testing.AllocsPerRun(50, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if q.HasGap() || q.CumTSN() != tsn-1 {
		t.Error("TSNs are missing")
	}
}

func BenchmarkInOrder(b *testing.B) {
	q := newQueue(1)
	out := make([]byte, 0, 1500)
	for i := 0; i < b.N; i++ {
		t := chunk.TSN(i + 1)
		if q.Classify(t) == New {
			q.Accept(t)
		}
		q.DataPacket(mono.Time(i+1), 0, false)
		if q.Due() {
			out = q.AppendSack(out[:0], 1400, 1)
		}
	}
}

// One TSN in 64 comes 300 late; a SACK for each packet, as gaps demand.
func BenchmarkGaps(b *testing.B) {
	q := newQueue(0)
	out := make([]byte, 0, 1500)
	one := func(t chunk.TSN) {
		if q.Classify(t) == New {
			q.Accept(t)
		}
		q.DataPacket(mono.Time(1), 0, false)
		if q.Due() {
			out = q.AppendSack(out[:0], 1400, 1)
		}
	}
	for i := 0; i < b.N; i++ {
		t := chunk.TSN(i)
		if t%64 != 1 {
			one(t)
		}
		if t >= 301 && (t-300)%64 == 1 {
			one(t - 300)
		}
	}
}

func BenchmarkCursor(b *testing.B) {
	p := packetOf(data(1, 1400))
	var c Cursor
	for i := 0; i < b.N; i++ {
		c.Reset(p)
		for it, ok := c.Next(); ok; it, ok = c.Next() {
			_ = it
		}
	}
}
