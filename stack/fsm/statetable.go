package fsm

import "github.com/gosctp/gosctp/stack/tcb"

// Row describes a row of the state table, for documents and tests.
type Row struct {
	Event  EventID
	Name   string
	Tag    TagRule
	MinLen int
	Alone  bool // only as the single chunk of a packet
	Cells  [tcb.NumStates]string
	AnyTag [tcb.NumStates]bool // the cell is exempt from the tag rule
}

// Rows returns the state table.
func Rows() []Row {
	rows := make([]Row, 0, NumEvents)
	for id := EventID(0); id < NumEvents; id++ {
		r := &table[id]
		d := Row{Event: id, Name: r.name, Tag: r.tag, MinLen: int(r.minLen), Alone: r.alone}
		for s := range r.cells {
			d.Cells[s], d.AnyTag[s] = r.cells[s].name, r.cells[s].anyTag
		}
		rows = append(rows, d)
	}
	return rows
}
