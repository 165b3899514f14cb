// Package fsm is the association's state machine (RFC 9260 sections 4, 5, 8,
// 9): a table of pure state functions. Each looks at an event, at the control
// state through a read-only View and at facts about the pipes, and returns a
// disposition and a list of commands. It changes nothing itself: the executor
// (stack/sideeffects) carries the commands out.
//
// The package has no state but its tables, and imports nothing that could
// tell the time, draw a random number or touch a socket; tests hold it to
// that.
package fsm
