package seg

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// TestBudget: what owners take of a Total and give back adds up, never exceeds
// it by more than what was forced on it, and is all there in the end.
func TestBudget(t *testing.T) {
	const limit = 10 << 20
	total := NewTotal(limit, 4)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			b := NewBudget(total)
			var held []int
			sum := 0
			for range 20000 {
				if n := 1 + rnd.IntN(100<<10); rnd.IntN(2) == 0 && b.Room(n) {
					if b.Avail() < int64(n) {
						t.Error("room that is not available")
					}
					b.Use(n)
					held = append(held, n)
					sum += n
				} else if len(held) > 0 {
					k := rnd.IntN(len(held))
					b.Put(held[k])
					sum -= held[k]
					held[k] = held[len(held)-1]
					held = held[:len(held)-1]
				}
				if b.Used() != sum || total.Free() < 0 {
					t.Errorf("%d used, %d counted, %d free", sum, b.Used(), total.Free())
					return
				}
			}
			for _, n := range held {
				b.Put(n)
			}
			// What an owner keeps for the next use is little.
			if b.have > 2*b.total.quantum || b.used != 0 {
				t.Errorf("%d kept, %d used", b.have, b.used)
			}
			total.free.Add(b.have)
		}()
	}
	wg.Wait()
	if total.Free() != limit {
		t.Errorf("%d of %d came back", total.Free(), limit)
	}
}

// TestBudgetForced: what there was no room for is owed, and paid first.
func TestBudgetForced(t *testing.T) {
	total := NewTotal(1000, 1)
	a, b := NewBudget(total), NewBudget(total)
	if !a.Room(900) {
		t.Fatal("no room")
	}
	a.Use(900)
	if b.Room(500) {
		t.Fatal("room for more than there is")
	}
	b.Use(500)
	if total.Free() > -390 || b.Used() != 500 || b.Room(1) {
		t.Errorf("%d free", total.Free())
	}
	a.Put(900)
	b.Put(500)
	if f := total.Free(); f < 1000-4*int(total.quantum) || f > 1000 {
		t.Errorf("%d of 1000 came back", f)
	}
	b.SetShort()
	if !b.Short() || b.Short() {
		t.Error("short is reported once")
	}
}
