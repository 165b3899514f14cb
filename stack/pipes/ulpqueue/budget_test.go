package ulpqueue

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/tcb"
)

const quantum = 64 << 10 // what a Budget takes at most at a time

// budgeted returns n rigs whose Queues share what their owner, of two, may
// hold.
func budgeted(t *testing.T, limit, n int) ([]*rig, *seg.Total) {
	total := seg.NewTotal(limit, 2)
	b := seg.NewBudget(total)
	var rs []*rig
	for range n {
		r := newRig(t, nil)
		r.q.UseBudget(b)
		rs = append(rs, r)
	}
	return rs, total
}

// full sends r's peer's data, TSNs from tsn on, until the window is shut.
func (r *rig) fill(tsn chunk.TSN) chunk.TSN {
	for r.q.Window() > 0 && r.q.Room(1000) {
		r.put(Accepted|Delivered, sized(tsn, 0, 0, "BEU", 1000))
		r.q.CumTSNAdvanced(tsn)
		tsn++
	}
	return tsn
}

// TestBudgetCounts: what the Queues hold is what the Budget counts, also after
// reneging, partial delivery and the end, and all of it comes back.
func TestBudgetCounts(t *testing.T) {
	rs, total := budgeted(t, 1<<20, 4)
	sum := func() (n int) {
		for _, r := range rs {
			n += r.q.Held()
		}
		return n
	}
	check := func() {
		t.Helper()
		b := rs[0].q.budget
		if b.Used() != sum() || total.Free()+b.Used() > total.Limit() {
			t.Fatalf("%d held, %d counted, %d free of %d", sum(), b.Used(), total.Free(), total.Limit())
		}
	}
	for i, r := range rs {
		r.put(Accepted, sized(3, 0, 0, "B", 5000))
		r.put(Accepted, sized(4, 0, 0, "", 5000))
		r.put(Accepted, sized(6, 0, 1, "BE", 3000))
		r.put(Accepted|Delivered, sized(1, 1, 0, "BE", 100*(i+1)))
		r.q.CumTSNAdvanced(1)
		check()
	}
	rs[0].read()
	rs[1].q.Reclaim(0, func(chunk.TSN) {})
	rs[2].q.Restart(5)
	rs[3].q.Purge()
	check()
	for _, r := range rs {
		r.read()
		r.q.Purge()
		r.empty()
		check()
	}
	rs[0].put(Accepted|Delivered, sized(20, 0, 0, "BEU", 1000))
	b := rs[0].q.budget
	rs[0].q.LeaveBudget()
	rs[0].q.LeaveBudget()
	if b.Used() != 0 {
		t.Errorf("%d counted of a Queue that has left", b.Used())
	}
}

// TestWindowsShrinkTogether: with half of the memory taken the windows of all
// begin to shrink, to nothing for those who hold much, and to two packets for
// those who hold nothing (R-6.2-26).
func TestWindowsShrinkTogether(t *testing.T) {
	const limit = 2 << 20
	rs, total := budgeted(t, limit, 8)
	fresh := rs[7]
	whole := fresh.q.Window()
	last := whole
	for i, r := range rs[:7] {
		r.fill(1)
		w := fresh.q.Window()
		used := fresh.q.budget.Used()
		if w > last || used < limit/2-quantum && w != whole || used > limit*3/4 && w > whole/2+quantum {
			t.Errorf("%d Queues hold %d: window %d of %d", i+1, used, w, whole)
		}
		last = w
	}
	if used := fresh.q.budget.Used(); used > limit+len(rs)*assured {
		t.Errorf("%d of %d held, %d free", used, limit, total.Free())
	}
	if w := fresh.q.Window(); w < assuredWindow {
		t.Errorf("window %d for one that holds nothing", w)
	}
	// What was read by others opens it again.
	for _, r := range rs[:7] {
		r.read()
	}
	if w := fresh.q.Window(); w != whole {
		t.Errorf("window %d of %d although nothing is held", w, whole)
	}
}

// TestNobodyStarves: with all memory taken by others, what a peer that obeys
// its window sends is taken and acknowledged for ever.
func TestNobodyStarves(t *testing.T) {
	rs, total := budgeted(t, 256<<10, 5)
	for _, r := range rs[:4] {
		// Held for good: nobody reads it, and it cannot be taken back.
		for tsn := chunk.TSN(1); r.q.Room(1400); tsn++ {
			r.put(Accepted|Delivered, sized(tsn, 0, 0, "BEU", 1400))
			r.q.CumTSNAdvanced(tsn)
		}
	}
	r := rs[4]
	for tsn := chunk.TSN(1); tsn < 200; tsn++ {
		size := 1400
		if tsn%50 == 0 {
			size = 60000 // one packet, however large
		}
		if !r.q.Room(size) {
			t.Fatalf("TSN %d has no room, window %d", tsn, r.q.Window())
		}
		r.put(Accepted|Delivered, sized(tsn, 0, 0, "BEU", size))
		r.q.CumTSNAdvanced(tsn)
		r.read()
		if r.q.Window() == 0 {
			t.Fatalf("the window is shut behind TSN %d", tsn)
		}
	}
	most := total.Limit() + len(rs)*(assured+need(1400)) + quantum
	if used := r.q.budget.Used(); used > most {
		t.Errorf("%d held, limit %d", used, most)
	}
	if !r.q.budget.Short() || r.q.budget.Short() {
		t.Error("that memory was short is reported once")
	}
}

// TestGapFillsWithoutMemory: a chunk that fills a gap gets room from what lies
// behind it in its own association (R-6.2-03).
func TestGapFillsWithoutMemory(t *testing.T) {
	rs, _ := budgeted(t, 128<<10, 2)
	r := rs[1]
	for tsn := chunk.TSN(2); tsn < 12; tsn++ {
		r.put(Accepted, sized(tsn, 0, chunk.SSN(tsn-1), "BE", 1400))
	}
	r.q.CumTSNAdvanced(0)
	rs[0].fill(1)
	for tsn := chunk.TSN(1000); rs[0].q.budget.Room(need(1400)); tsn++ {
		rs[0].put(Accepted|Delivered, sized(tsn, 0, 0, "BEU", 1400))
	}
	if r.q.Room(1400) {
		t.Fatal("there is room without memory")
	}
	var gone []chunk.TSN
	if !r.q.RenegeFor(1400, 1, func(tsn chunk.TSN) { gone = append(gone, tsn) }) {
		t.Fatal("the gap cannot be filled")
	}
	if len(gone) == 0 || gone[0] != 11 {
		t.Errorf("reneged on %v, the highest is 11", gone)
	}
	r.put(Accepted|Delivered, sized(1, 0, 0, "BE", 1400))
}

// TestReclaimFromTheTop: memory is taken back from the highest TSN down, never
// of what the cumulative TSN covers (R-6.2-27), or of a message whose delivery
// has begun.
func TestReclaimFromTheTop(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.PartialPoint = 1500 })
	r.put(Accepted, sized(1, 0, 0, "B", 1000))
	r.q.CumTSNAdvanced(1)
	r.put(Accepted, sized(2, 0, 0, "", 1000))
	if r.q.CumTSNAdvanced(2) != Delivered {
		t.Fatal("no partial delivery")
	}
	for tsn := chunk.TSN(4); tsn <= 9; tsn++ {
		r.put(Accepted, sized(tsn, 1, chunk.SSN(tsn), "BE", 1000))
	}
	each := r.q.Undelivered() / 6
	var gone []chunk.TSN
	freed := r.q.Reclaim(3*each, func(tsn chunk.TSN) { gone = append(gone, tsn) })
	r.check()
	if len(gone) != 3 || gone[0] != 9 || gone[2] != 7 || freed != 3*each || r.q.Undelivered() != 3*each {
		t.Errorf("took back %v, %d bytes; %d are left", gone, freed, r.q.Undelivered())
	}
	r.q.Reclaim(0, func(tsn chunk.TSN) { gone = append(gone, tsn) })
	r.check()
	if len(gone) != 6 || gone[5] != 4 {
		t.Errorf("took back %v", gone)
	}
	r.put(Accepted|Delivered, sized(3, 0, 0, "E", 10)) // the message in delivery still is
}

// TestVitalNotesAreBounded: a peer that restarts again and again fills no
// memory, and the end is reported all the same.
func TestVitalNotesAreBounded(t *testing.T) {
	r := newRig(t, nil)
	n := 0
	for range 100000 {
		if r.q.Notify(Notification{Kind: 1, Rank: Vital}) {
			n++
		}
	}
	if n != maxVital {
		t.Errorf("%d wait, want %d", n, maxVital)
	}
	if !r.q.Notify(Notification{Kind: 2}) || !r.q.Notify(Notification{Kind: 3, Rank: Final}) {
		t.Error("what is of another rank is refused")
	}
	r.read()
	if !r.q.Notify(Notification{Kind: 1, Rank: Vital}) || r.q.vital != 1 || r.q.notes != 0 {
		t.Error("what was read is still counted")
	}
	r.read()
	r.empty()
}
