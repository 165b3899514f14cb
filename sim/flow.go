package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gosctp/gosctp/chunk"
)

// flow is what one end of an association sends: the messages that the stack
// took, and those of them that arrived. An end that is begun anew after a
// restart has a flow of its own.
type flow struct {
	name    string
	seed    uint64
	serial  int // of the flows in the same direction of a pair
	streams map[chunk.StreamID]*streamFlow
	fates   []fate // by number
	taken   int
	arrived int // different messages
	bytes   int
	refused int // messages that the stack did not take because of the end
	last    int // number of the last one that was reported to have failed
}

// fate is what became of a message that the stack took.
type fate struct {
	message
	arrived, failed bool
}

type streamFlow struct {
	ordered   []message // in order
	arrived   int       // of them, without a gap, at any receiver
	unordered map[chunk.PPID]*unordered
}

type unordered struct {
	message
	arrived bool
}

// message is a message of a flow. Its number, and the flow's, travel as PPID,
// so that each can be told from the others however short it is.
type message struct {
	number    int
	stream    chunk.StreamID
	unordered bool
	size      int
}

const numberBits = 24

func (f *flow) ppid(m message) chunk.PPID {
	return chunk.PPID(f.serial<<numberBits | m.number)
}

func newFlow(name string, seed uint64, serial int) *flow {
	return &flow{name: name, seed: seed, serial: serial, last: -1, streams: make(map[chunk.StreamID]*streamFlow)}
}

// fill writes the contents of message m.
func (f *flow) fill(m message, b []byte) {
	rng := rand.NewPCG(f.seed, uint64(m.number))
	for i := 0; i < len(b); i += 8 {
		v := rng.Uint64()
		for j := i; j < min(i+8, len(b)); j++ {
			b[j] = byte(v)
			v >>= 8
		}
	}
}

func (f *flow) stream(id chunk.StreamID) *streamFlow {
	s := f.streams[id]
	if s == nil {
		s = &streamFlow{unordered: make(map[chunk.PPID]*unordered)}
		f.streams[id] = s
	}
	return s
}

// accepted notes that the stack took m.
func (f *flow) accepted(m message) {
	f.taken++
	f.fates = append(f.fates, fate{message: m})
	s := f.stream(m.stream)
	if m.unordered {
		s.unordered[f.ppid(m)] = &unordered{message: m}
	} else {
		s.ordered = append(s.ordered, m)
	}
}

// inbox is what one end of an association has read. Which of the peer's flows
// it hears is not known before the first message, and may change when the peer
// restarts; a flow may have been heard by an earlier incarnation of this end.
type inbox struct {
	flows    *[]*flow // the peer's, in this direction
	flow     *flow
	serial   int                    // no flow before this one
	next     map[chunk.StreamID]int // in flow.stream.ordered
	seen     map[chunk.PPID]bool
	fragment map[fragmentKey][]byte
}

type fragmentKey struct {
	stream    chunk.StreamID
	unordered bool
}

func newInbox(flows *[]*flow) inbox {
	return inbox{flows: flows, fragment: make(map[fragmentKey][]byte)}
}

// restarted: what comes now is from a later flow.
func (in *inbox) restarted() {
	if in.flow != nil {
		in.serial = in.flow.serial + 1
	}
	in.flow, in.next, in.seen = nil, nil, nil
}

func (in *inbox) forget(id chunk.StreamID, unordered bool) {
	delete(in.fragment, fragmentKey{id, unordered})
}

// piece takes a message that arrived, or a piece of one.
func (in *inbox) piece(id chunk.StreamID, unordered bool, ppid chunk.PPID, data []byte, eor bool) error {
	k := fragmentKey{id, unordered}
	data = append(in.fragment[k], data...)
	if !eor {
		in.fragment[k] = data
		return nil
	}
	delete(in.fragment, k)
	serial, number := int(ppid)>>numberBits, int(ppid)&(1<<numberBits-1)
	if in.flow == nil && serial >= in.serial && serial < len(*in.flows) {
		in.flow = (*in.flows)[serial]
		in.next, in.seen = make(map[chunk.StreamID]int), make(map[chunk.PPID]bool)
	}
	f := in.flow
	if f == nil || f.serial != serial {
		return fmt.Errorf("message %d of incarnation %d on stream %d arrived, and that is not who speaks", number, serial, id)
	}
	if unordered {
		return in.unordered(f, id, ppid, data)
	}
	return in.ordered(f, id, number, data)
}

func (in *inbox) unordered(f *flow, id chunk.StreamID, ppid chunk.PPID, data []byte) error {
	m := f.stream(id).unordered[ppid]
	if m == nil || in.seen[ppid] {
		return fmt.Errorf("%s: unordered message %#x (%d bytes) on stream %d arrived, but was not sent or arrived before", f.name, ppid, len(data), id)
	}
	in.seen[ppid] = true
	if err := f.compare(m.message, data); err != nil {
		return err
	}
	if !m.arrived {
		m.arrived = true
		f.came(m.message)
	}
	return nil
}

func (in *inbox) ordered(f *flow, id chunk.StreamID, number int, data []byte) error {
	s := f.stream(id)
	i, ok := slices.BinarySearchFunc(s.ordered, number, func(m message, n int) int { return m.number - n })
	if !ok {
		return fmt.Errorf("%s: message %d (%d bytes) on stream %d arrived, but was not sent there", f.name, number, len(data), id)
	}
	next, known := in.next[id]
	switch {
	case known && i != next:
		return fmt.Errorf("%s: message %d on stream %d arrived out of order: it is number %d there, and number %d is due", f.name, number, id, i, next)
	case i > s.arrived:
		return fmt.Errorf("%s: message %d on stream %d arrived, but the %d before it are missing", f.name, number, id, i-s.arrived)
	}
	if err := f.compare(s.ordered[i], data); err != nil {
		return err
	}
	in.next[id] = i + 1
	if i == s.arrived {
		s.arrived++
		f.came(s.ordered[i])
	}
	return nil
}

func (f *flow) came(m message) {
	f.fates[m.number].arrived = true
	f.arrived++
	f.bytes += m.size
}

// failed takes a report that a message did not arrive; untouched says that
// nothing of it was sent. Reports come in the order of sending, one for each.
func (f *flow) failed(ppid chunk.PPID, id chunk.StreamID, unordered bool, data []byte, untouched bool) error {
	number := int(ppid) & (1<<numberBits - 1)
	if int(ppid)>>numberBits != f.serial || number >= f.taken {
		return fmt.Errorf("%s: message %#x is reported to have failed, and was not sent", f.name, ppid)
	}
	if number <= f.last {
		return fmt.Errorf("%s: message %d is reported to have failed after %d", f.name, number, f.last)
	}
	f.last = number
	fate := &f.fates[number]
	if fate.failed = true; fate.arrived && untouched {
		return fmt.Errorf("%s: message %d is reported to have failed unsent, and arrived", f.name, number)
	}
	if fate.stream != id || fate.message.unordered != unordered {
		return fmt.Errorf("%s: message %d is reported to have failed on stream %d, unordered: %v", f.name, number, id, unordered)
	}
	return f.compare(fate.message, data)
}

// lost returns the first message that neither arrived nor was reported to have
// failed; -1 if there is none.
func (f *flow) lost() int {
	return slices.IndexFunc(f.fates, func(x fate) bool { return !x.arrived && !x.failed })
}

func (f *flow) compare(m message, data []byte) error {
	want := make([]byte, m.size)
	f.fill(m, want)
	if !bytes.Equal(data, want) {
		return fmt.Errorf("%s: message %d on stream %d has %d bytes, sent were %d, or their contents differ", f.name, m.number, m.stream, len(data), m.size)
	}
	return nil
}
