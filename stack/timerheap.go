package stack

import "github.com/gosctp/gosctp/internal/mono"

// timerHeap orders associations by when they want to be looked at: a 4-ary
// heap. A deadline that moved later is noticed only when the old one comes up.
type timerHeap struct{ e []heapEntry }

type heapEntry struct {
	at mono.Time
	a  *Assoc
}

// next returns the earliest time, zero if there is none.
func (h *timerHeap) next() mono.Time {
	if len(h.e) == 0 {
		return 0
	}
	return h.e[0].at
}

// due returns an association whose time has come, nil if there is none.
func (h *timerHeap) due(now mono.Time) *Assoc {
	if len(h.e) == 0 || h.e[0].at > now {
		return nil
	}
	return h.e[0].a
}

// set makes sure that a is looked at no later than at.
func (h *timerHeap) set(a *Assoc, at mono.Time) {
	if at == 0 {
		return
	}
	if a.heapAt < 0 {
		h.e = append(h.e, heapEntry{at, a})
		a.heapAt = len(h.e) - 1
		h.up(a.heapAt)
		return
	}
	e := &h.e[a.heapAt]
	switch {
	case at < e.at:
		e.at = at
		h.up(a.heapAt)
	case a.heapAt == 0 && at > e.at:
		e.at = at
		h.down(0)
	}
}

// remove takes a out.
func (h *timerHeap) remove(a *Assoc) {
	i := a.heapAt
	if i < 0 {
		return
	}
	a.heapAt = -1
	last := len(h.e) - 1
	if i != last {
		h.e[i] = h.e[last]
		h.e[i].a.heapAt = i
	}
	h.e[last] = heapEntry{}
	h.e = h.e[:last]
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h *timerHeap) up(i int) {
	e := h.e[i]
	for i > 0 {
		p := (i - 1) / 4
		if h.e[p].at <= e.at {
			break
		}
		h.e[i] = h.e[p]
		h.e[i].a.heapAt = i
		i = p
	}
	h.e[i] = e
	e.a.heapAt = i
}

func (h *timerHeap) down(i int) {
	e := h.e[i]
	for {
		first := 4*i + 1
		if first >= len(h.e) {
			break
		}
		min := first
		for c := first + 1; c < first+4 && c < len(h.e); c++ {
			if h.e[c].at < h.e[min].at {
				min = c
			}
		}
		if h.e[min].at >= e.at {
			break
		}
		h.e[i] = h.e[min]
		h.e[i].a.heapAt = i
		i = min
	}
	h.e[i] = e
	e.a.heapAt = i
}
