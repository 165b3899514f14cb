package explore

// Setting says what may happen in an exploration.
type Setting struct {
	Name string

	// What each user, A and Z, may do once.
	Associate, Send, Shutdown, Abort [2]bool

	// Depth is how many moves deep CI explores, 0 for all there is.
	Depth int

	InFlight   int // packets
	Duplicates int // in the whole run
	Timeouts   int // of each kind of timer, on each side
	Heartbeats bool
}

// symmetric reports whether both sides may do the same.
func (s *Setting) symmetric() bool {
	for _, may := range [][2]bool{s.Associate, s.Send, s.Shutdown, s.Abort} {
		if may[0] != may[1] {
			return false
		}
	}
	return true
}

// Settings are the explorations that CI runs.
var Settings = []Setting{
	{
		// One side opens, or both do.
		Name:      "setup",
		Associate: [2]bool{true, true},
		InFlight:  2, Duplicates: 1, Timeouts: 1,
	},
	{
		// The ordinary life, in full.
		Name:      "life",
		Associate: [2]bool{true, false}, Send: [2]bool{true, true}, Shutdown: [2]bool{true, true},
		Depth:    11,
		InFlight: 2, Duplicates: 1, Timeouts: 1,
	},
	{
		// Both open, both close, without data.
		Name:      "teardown",
		Associate: [2]bool{true, true}, Shutdown: [2]bool{true, true},
		Depth:    12,
		InFlight: 2, Timeouts: 1,
	},
	{
		// Either gives up at any moment.
		Name:      "abort",
		Associate: [2]bool{true, true}, Abort: [2]bool{true, true}, Shutdown: [2]bool{true, false},
		Depth:    10,
		InFlight: 2, Timeouts: 1,
	},
	{
		// Idle paths are probed.
		Name:      "heartbeats",
		Associate: [2]bool{true, false}, Shutdown: [2]bool{false, true},
		Depth:    11,
		InFlight: 2, Duplicates: 1, Timeouts: 2, Heartbeats: true,
	},
}
