package workload

import (
	"strings"
	"testing"
)

var load = Load{Seed: 7, Messages: 200, Streams: 4, UnorderedEvery: 4, MaxSize: 20000}

// deliver hands messages to a Verifier in an order, as they were sent or
// changed by alter.
func deliver(order []int, alter func(m *Message, ppid *uint32, o *Ordering, p *[]byte)) error {
	v := NewVerifier(&load, Up)
	for _, i := range order {
		m := load.Message(Up, i)
		p, ppid, o := m.Append(nil), PPID(Data, 0, i), Ordered
		if m.Unordered {
			o = Unordered
		}
		if alter != nil {
			alter(&m, &ppid, &o, &p)
		}
		if err := v.Take(m.Stream, ppid, o, p); err != nil {
			return err
		}
	}
	return nil
}

func inOrder() (order []int) {
	for i := range load.Messages {
		order = append(order, i)
	}
	return order
}

func TestVerifierTakesWhatWasSent(t *testing.T) {
	if err := deliver(inOrder(), nil); err != nil {
		t.Error(err)
	}
	// Other streams, and unordered messages, may be overtaken.
	order := inOrder()
	i := 0
	for load.Message(Up, i).Stream == load.Message(Up, i+1).Stream {
		i++
	}
	order[i], order[i+1] = order[i+1], order[i]
	if err := deliver(order, nil); err != nil {
		t.Error(err)
	}
	last := append(inOrder()[:3], inOrder()[4:]...)
	if err := deliver(append(last, 3), nil); err != nil { // 3 is unordered
		t.Error(err)
	}
}

func TestVerifierNotices(t *testing.T) {
	swapped := inOrder()
	var first [4]int // by stream, an ordered message
	for i := load.Messages - 1; i >= 0; i-- {
		if m := load.Message(Up, i); !m.Unordered {
			first[m.Stream] = i
		}
	}
	swapped = append(swapped[:first[1]], append(swapped[first[1]+1:], first[1])...)
	for _, tc := range []struct {
		name, want string
		order      []int
		alter      func(m *Message, ppid *uint32, o *Ordering, p *[]byte)
	}{
		{"a message twice", "twice", append(inOrder(), 17), nil},
		{"one out of order", "out of order", swapped, nil},
		{"one bit", "content", inOrder(), func(m *Message, _ *uint32, _ *Ordering, p *[]byte) {
			if m.Index == 99 {
				(*p)[m.Size-1] ^= 1
			}
		}},
		{"a byte missing", "bytes", inOrder(), func(m *Message, _ *uint32, _ *Ordering, p *[]byte) {
			if m.Index == 99 {
				*p = (*p)[1:]
			}
		}},
		{"the wrong stream", "on stream", inOrder(), func(m *Message, _ *uint32, _ *Ordering, _ *[]byte) {
			if m.Index == 99 {
				m.Stream ^= 1
			}
		}},
		{"the wrong flag", "unordered=", inOrder(), func(m *Message, _ *uint32, o *Ordering, _ *[]byte) {
			if m.Index == 99 {
				*o ^= 1
			}
		}},
		{"an unknown identifier", "PPID", inOrder(), func(m *Message, ppid *uint32, _ *Ordering, _ *[]byte) {
			if m.Index == 99 {
				*ppid = 46
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := deliver(tc.order, tc.alter); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// A workload has the sizes that it is for: one byte, the largest, and messages
// in each class between.
func TestSizes(t *testing.T) {
	l := Load{Seed: 1, Messages: 2000, Streams: 16, UnorderedEvery: 4, MaxSize: 100 << 10}
	counts := make([]int, len(classes))
	for i := range l.Messages {
		m := l.Message(Down, i)
		for c := range classes {
			if m.Size <= classes[c].max {
				counts[c]++
				break
			}
		}
		if got := len(m.Append(nil)); got != m.Size {
			t.Fatalf("message %d has %d bytes, want %d", i, got, m.Size)
		}
	}
	if l.Message(Down, 0).Size != 1 || l.Message(Down, 1).Size != l.MaxSize {
		t.Errorf("sizes of the first two messages: %d, %d", l.Message(Down, 0).Size, l.Message(Down, 1).Size)
	}
	for c, n := range counts {
		if n < 50 {
			t.Errorf("%d messages in class %d", n, c)
		}
	}
	if a, b := l.Bytes(Up), l.Bytes(Down); a == b {
		t.Error("the two directions are the same")
	}
}
