// Package impair models one direction of a link: delay, jitter, rate and
// queue, loss, duplication, reordering, corruption, and a path MTU. It knows
// neither clock nor goroutine: a packet and the time go in, deliveries with
// their times come out. Equal seeds and equal inputs give equal outputs.
//
// The simulator (package sim) runs it in virtual time, the relay (sim/relay)
// in real time between two devices.
package impair
