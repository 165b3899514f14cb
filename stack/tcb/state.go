package tcb

// State is an association's state (RFC 9260 section 4).
type State uint8

// The states of RFC 9260, in lksctp's order. Closed also stands for "there is
// no TCB".
const (
	Closed State = iota
	CookieWait
	CookieEchoed
	Established
	ShutdownPending
	ShutdownSent
	ShutdownReceived
	ShutdownAckSent

	NumStates
)

var stateNames = [NumStates]string{
	"CLOSED", "COOKIE-WAIT", "COOKIE-ECHOED", "ESTABLISHED",
	"SHUTDOWN-PENDING", "SHUTDOWN-SENT", "SHUTDOWN-RECEIVED", "SHUTDOWN-ACK-SENT",
}

// String returns the RFC's name.
func (s State) String() string {
	if s < NumStates {
		return stateNames[s]
	}
	return "INVALID-STATE"
}

// MaySendData reports whether DATA chunks may leave in state s. Between
// COOKIE ECHO and COOKIE ACK none do.
func (s State) MaySendData() bool {
	return s == Established || s == ShutdownPending || s == ShutdownReceived
}

// TakesMessages reports whether the user may hand over messages in state s
// (RFC 9260 section 9.2 forbids it from SHUTDOWN-PENDING on).
func (s State) TakesMessages() bool { return s >= CookieWait && s <= Established }

// TimerID names a control timer of an association. The timers of the data
// path (T3-rtx, delayed SACK) are the pipes' own deadlines.
type TimerID uint8

// Control timers, in the order in which those due at one time fire.
const (
	T1Init TimerID = iota
	T1Cookie
	T2Shutdown
	T5Guard

	NumTimers

	// THeartbeat exists once per path.
	THeartbeat TimerID = 0x80
)

// String returns the RFC's name.
func (t TimerID) String() string {
	switch t {
	case T1Init:
		return "T1-init"
	case T1Cookie:
		return "T1-cookie"
	case T2Shutdown:
		return "T2-shutdown"
	case T5Guard:
		return "T5-shutdown-guard"
	case THeartbeat:
		return "heartbeat"
	}
	return "invalid-timer"
}

// PathState is what is known of a path (RFC 9260 sections 5.4 and 8.2).
type PathState uint8

// States of a path.
const (
	PathUnconfirmed PathState = iota
	PathActive
	PathInactive
)

// String returns the RFC's word.
func (s PathState) String() string {
	switch s {
	case PathUnconfirmed:
		return "unconfirmed"
	case PathActive:
		return "active"
	case PathInactive:
		return "inactive"
	}
	return "invalid-path-state"
}
