package explore

// Attacker says what a third party can do.
type Attacker uint8

// Attackers, those of "A Formal Analysis of SCTP" (USENIX Security 2024).
const (
	Nobody     Attacker = iota
	OffPath             // knows addresses and ports, neither tags nor TSNs
	Replayer            // keeps packets, also of an earlier incarnation, and sends copies of them
	EvilServer          // Z itself: it says to A what it likes
	OnPath              // knows everything, and writes to either side
)

var attackerNames = [...]string{"nobody", "off-path", "replaying", "evil server", "on-path"}

// String returns the attacker's name.
func (a Attacker) String() string { return attackerNames[a] }

// knows reports whether the attacker can write packets that pass for a peer's.
func (a Attacker) knows() bool { return a == EvilServer || a == OnPath }

// Setting says what may happen in an exploration.
type Setting struct {
	Name string

	// Wide explores the state machine and the executor on a data path that
	// counts, and clones states; else whole stacks with their pipes are
	// explored, and states are rebuilt by making their moves again.
	Wide bool

	// How often each user, A and Z, may call, and each host crash.
	Associate, Send, Shutdown, Abort [2]int
	Heartbeat, Primary               [2]int
	Restart, Reboot                  [2]int // keeping, and losing, the key of cookies
	Wait                             [2]int // for cookies to expire

	InFlight   int // packets; more are lost
	Duplicates int // in the whole run
	Timeouts   int // of each kind of timer, on each side
	Heartbeats bool
	NoLoss     bool

	Attacker   Attacker
	Injections int

	// Depth is how many moves deep CI explores, 0 for all there is.
	Depth int
}

// Deep is how many states the deep run looks at, unless these are all.
func (s *Setting) Deep() int {
	if s.Wide {
		return 200_000
	}
	return 10_000
}

// symmetric reports whether both sides may do the same.
func (s *Setting) symmetric() bool {
	for _, may := range [][2]int{s.Associate, s.Send, s.Shutdown, s.Abort, s.Heartbeat, s.Primary, s.Restart, s.Reboot, s.Wait} {
		if may[0] != may[1] {
			return false
		}
	}
	return s.Attacker != EvilServer
}

var both, onlyA, onlyZ = [2]int{1, 1}, [2]int{1, 0}, [2]int{0, 1}

// Settings are the explorations that CI runs.
var Settings = []Setting{
	{
		// One side opens, or both do.
		Name: "setup", Wide: true,
		Associate: both,
		InFlight:  3, Duplicates: 1, Timeouts: 2,
		Depth: 11,
	},
	{
		// The ordinary life, in full, with every call that there is.
		Name: "life", Wide: true,
		Associate: onlyA, Send: both, Shutdown: both, Heartbeat: onlyZ, Primary: onlyA,
		InFlight: 3, Duplicates: 1, Timeouts: 1,
		Depth: 10,
	},
	{
		// Both open, both close.
		Name: "teardown", Wide: true,
		Associate: both, Shutdown: both, Send: onlyA,
		InFlight: 2, Duplicates: 1, Timeouts: 1,
		Depth: 10,
	},
	{
		// Either gives up at any moment, and may open again.
		Name: "abort", Wide: true,
		Associate: [2]int{2, 1}, Abort: both, Shutdown: onlyZ,
		InFlight: 2, Duplicates: 1, Timeouts: 1,
		Depth: 10,
	},
	{
		// Idle paths are probed.
		Name: "heartbeats", Wide: true,
		Associate: onlyA, Shutdown: onlyZ, Send: onlyZ,
		InFlight: 2, Duplicates: 1, Timeouts: 2, Heartbeats: true,
		Depth: 11,
	},
	{
		// The client's host crashes and comes back, with data under way.
		Name: "restart", Wide: true,
		Associate: [2]int{2, 0}, Send: both, Shutdown: both, Restart: onlyA,
		InFlight: 2, Timeouts: 1,
		Depth: 12,
	},
	{
		// Either host crashes, keeping its cookie key or losing it.
		Name: "reboot", Wide: true,
		Associate: [2]int{2, 2}, Restart: onlyA, Reboot: onlyZ, Shutdown: onlyA,
		InFlight: 2, Duplicates: 1, Timeouts: 1,
		Depth: 9,
	},
	{
		// Cookies expire.
		Name: "stale", Wide: true,
		Associate: both, Send: onlyA, Shutdown: onlyZ, Wait: [2]int{1, 2},
		InFlight: 2, Timeouts: 1,
		Depth: 10,
	},
	{
		// Nothing is lost, nobody attacks: what the protocol does by itself.
		Name: "calm", Wide: true,
		Associate: both, Send: both, Shutdown: both,
		InFlight: 8, NoLoss: true,
	},
	{
		Name: "off-path", Wide: true,
		Associate: both, Send: onlyA, Shutdown: onlyZ,
		InFlight: 2, Timeouts: 1,
		Attacker: OffPath, Injections: 2,
		Depth: 8,
	},
	{
		// Without losses, so that a second incarnation is not far.
		Name: "replay", Wide: true,
		Associate: [2]int{2, 0}, Send: onlyZ, Shutdown: onlyA, Restart: onlyA,
		InFlight: 3, NoLoss: true,
		Attacker: Replayer, Injections: 2,
		Depth: 11,
	},
	{
		Name: "evil server", Wide: true,
		Associate: onlyA, Send: onlyA, Shutdown: onlyA,
		InFlight: 2, Timeouts: 1,
		Attacker: EvilServer, Injections: 2,
		Depth: 8,
	},
	{
		Name: "on-path", Wide: true,
		Associate: onlyA, Send: both, Shutdown: onlyA,
		InFlight: 2, Timeouts: 1,
		Attacker: OnPath, Injections: 2,
		Depth: 7,
	},

	// With the real pipes.
	{
		Name:      "narrow setup",
		Associate: both,
		InFlight:  2, Duplicates: 1, Timeouts: 1,
		Depth: 9,
	},
	{
		Name:      "narrow life",
		Associate: onlyA, Send: [2]int{2, 1}, Shutdown: both,
		InFlight: 2, Duplicates: 1, Timeouts: 1,
		Depth: 8,
	},
	{
		Name:      "narrow restart",
		Associate: [2]int{2, 0}, Send: both, Shutdown: onlyA, Reboot: onlyA, Restart: onlyZ,
		InFlight: 2, Timeouts: 1,
		Depth: 8,
	},
	{
		Name:      "narrow on-path",
		Associate: onlyA, Send: both,
		InFlight: 2, Timeouts: 1,
		Attacker: OnPath, Injections: 1,
		Depth: 7,
	},
}
