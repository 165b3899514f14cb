// Package trace turns the steps of the state machine into text: one line per
// step, with the event, the facts that matter, the state function, what it
// decided and what followed. The same steps give the same text, so that tests
// can compare it.
package trace
