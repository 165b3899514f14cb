// Package decision keeps the last steps of an association's state machine: the
// event with all that the state function knew, and what it decided. Recording
// costs a few stores and no allocation, so that it is always on. A step can be
// run again from the control state that was kept with it, and compared.
//
// It owns the ring and its encoding; files are the business of others.
package decision
