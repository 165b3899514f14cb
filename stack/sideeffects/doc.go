// Package sideeffects is the executor: it turns packets, timeouts and the
// user's calls into events, has the state machine (stack/fsm) decide, and
// carries the commands out on control state, pipes and timers. It is the only
// package that writes a TCB.
//
// It has no goroutine and no lock: whoever owns an Executor calls it, hands in
// the time, and lends it the world through Host.
package sideeffects
