package replay

import (
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Step is a step of a state machine, or a call that needed none.
type Step struct {
	N     int // from 1
	At    mono.Time
	Shard int
	Assoc uint32 // 0: none
	Call  string // what the executor was called for
	// Follows tells that the same call had a step before.
	Follows bool
	In      *Seen  // the packet that came in, with the first step that it caused
	Line    string // the step as package trace has it; "" where there was none
	Event   string
	Path    tcb.PathID // of the event
	Facts   []string
	Func    string // the state function
	Result  string // its disposition
	Orders  []string

	Before, After tcb.State
	Changed       []string // in the control state, and in the paths
	Sent          []Sent
	Differs       string // how today's code decides otherwise
}

// Seen is a packet that came in.
type Seen struct {
	Src, Dst netip.Addr
	Text     string
	Chunks   []string
	Ports    [2]uint16 // local, peer's
	Path     tcb.PathID
}

// Sent is a packet that was sent.
type Sent struct {
	Src, Dst netip.Addr
	Text     string
	Chunks   []Reason
	Ports    [2]uint16 // local, peer's
	Path     tcb.PathID
}

// Reason is a chunk that was sent, and why.
type Reason struct{ Chunk, Why string }
