// Package replay says what a recording means (package record): the steps of
// the state machines, what each changed, which packets it sent and why, and the
// exchange as a ladder.
package replay
