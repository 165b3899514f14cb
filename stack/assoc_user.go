package stack

import "github.com/gosctp/gosctp/stack/pipes/ulpqueue"

// EndErr returns how the association ended, an *EndError; nil while it lives.
func (a *Assoc) EndErr() error {
	e := a.End()
	if !e.Ended {
		return nil
	}
	return &EndError{e}
}

// FreeList takes messages back that were read, with less locking than Free one
// by one. It leaves l empty.
func (a *Assoc) FreeList(l *ulpqueue.List) {
	p := a.shard.stack.pools
	ulpqueue.FreeList(p.Seg, p.Nodes, l)
}
