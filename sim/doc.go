// Package sim is a deterministic network: hosts that run the real stack, on
// links with delay, rate, queue, loss, duplication, reordering and corruption,
// in virtual time and with seeded randomness. There are no goroutines: a loop
// takes the earliest of what is under way (a packet that arrives, a timer of
// a host, a step of the script) and hands it to the stack.
//
// A run is a seed and a Scenario: Run(seed, Random(seed)) gives the same
// packets, byte for byte, whenever it is repeated. Run checks what must hold
// however bad the network is: messages arrive exactly once, whole, and in
// order within an ordered stream, or the association's end says that they may
// not have; both ends agree on the end; nothing is left behind.
//
//	go test ./sim -run TestSeeds -sim.seeds=300          # many seeds
//	go test ./sim -run TestSeeds -sim.seed=17 -sim.trace # one again, step by step
package sim
