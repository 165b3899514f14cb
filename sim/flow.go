package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/gosctp/gosctp/chunk"
)

// flow is one direction of an association: the messages that the stack took,
// and those of them that arrived.
type flow struct {
	name     string
	seed     uint64
	streams  map[chunk.StreamID]*streamFlow
	taken    int
	arrived  int
	bytes    int
	refused  int // messages that the stack did not take because of the end
	fragment map[fragmentKey][]byte
}

type streamFlow struct {
	ordered   []message // not arrived yet, in order
	unordered map[chunk.PPID]message
}

type fragmentKey struct {
	stream    chunk.StreamID
	unordered bool
}

// message is a message of a flow. Its number travels as PPID, so that each can
// be told from the others however short it is.
type message struct {
	number    int
	stream    chunk.StreamID
	unordered bool
	size      int
}

func newFlow(name string, seed uint64) *flow {
	return &flow{name: name, seed: seed, streams: make(map[chunk.StreamID]*streamFlow), fragment: make(map[fragmentKey][]byte)}
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
		s = &streamFlow{unordered: make(map[chunk.PPID]message)}
		f.streams[id] = s
	}
	return s
}

// accepted notes that the stack took m.
func (f *flow) accepted(m message) {
	f.taken++
	s := f.stream(m.stream)
	if m.unordered {
		s.unordered[chunk.PPID(m.number)] = m
	} else {
		s.ordered = append(s.ordered, m)
	}
}

// piece takes a message that arrived, or a piece of one.
func (f *flow) piece(id chunk.StreamID, unordered bool, ppid chunk.PPID, data []byte, eor bool) error {
	k := fragmentKey{id, unordered}
	data = append(f.fragment[k], data...)
	if !eor {
		f.fragment[k] = data
		return nil
	}
	delete(f.fragment, k)
	s := f.stream(id)
	var m message
	if unordered {
		var ok bool
		if m, ok = s.unordered[ppid]; !ok {
			return fmt.Errorf("%s: unordered message %d (%d bytes) on stream %d arrived, but was not sent or arrived before", f.name, ppid, len(data), id)
		}
		delete(s.unordered, ppid)
	} else {
		if len(s.ordered) == 0 {
			return fmt.Errorf("%s: message %d (%d bytes) on stream %d arrived, but none is missing", f.name, ppid, len(data), id)
		}
		if m = s.ordered[0]; m.number != int(ppid) {
			return fmt.Errorf("%s: message %d on stream %d arrived in the place of %d", f.name, ppid, id, m.number)
		}
		s.ordered = s.ordered[1:]
	}
	want := make([]byte, m.size)
	f.fill(m, want)
	if !bytes.Equal(data, want) {
		return fmt.Errorf("%s: message %d on stream %d has %d bytes, sent were %d, or their contents differ", f.name, m.number, id, len(data), m.size)
	}
	f.arrived++
	f.bytes += m.size
	return nil
}
