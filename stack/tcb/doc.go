// Package tcb holds the control state of an association (RFC 9260 section
// 14): what the state machine may read and only the executor writes. It has no
// pipes and no pointers into them, so that it can be cloned, compared and
// hashed.
package tcb
