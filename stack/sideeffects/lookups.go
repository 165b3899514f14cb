package sideeffects

import "github.com/gosctp/gosctp/internal/mono"

// maxLookups is how many addresses in a second INITs may have looked up, for
// each Executor: each costs system calls, is the sender's to invent, and up to
// 32 of them come in one packet.
const maxLookups = 4000

// lookups counts down what INITs may still have looked up.
type lookups struct {
	left  int
	since mono.Time
}

// take reports whether n more addresses may be looked up.
func (l *lookups) take(n int, now mono.Time) bool {
	if l.since == 0 || now.Sub(l.since) >= mono.Second {
		l.left, l.since = maxLookups, now
	}
	if l.left < n {
		return false
	}
	l.left -= n
	return true
}
