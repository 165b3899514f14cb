// Package sim is a deterministic network: hosts that run the real stack, on
// links with delay, rate, queue, loss, duplication, reordering and corruption,
// in virtual time and with seeded randomness. There are no goroutines: a loop
// takes the earliest of what is under way (a packet that arrives, a timer of
// a host, a step of the script) and hands it to the stack.
//
// A run is a seed and a Scenario: Run(seed, Random(seed)) gives the same
// packets, byte for byte, whenever it is repeated. Beside its links a scenario
// has several paths that die, return and change their MTU, NATs that forget
// ports, processes that are killed and start again, attackers off and on the
// path, and users who send, read, close and make mistakes. Run checks what must
// hold however bad all that is: messages arrive exactly once, whole, and in
// order within an ordered stream, or the association's end says that they may
// not have; both ends agree on the end; nothing is left behind.
//
// A failing run is made smaller by Shrink until nothing more can be left out,
// and printed as text that runs again:
//
//	go test ./sim -run TestSeeds$ -sim.seeds=300               # many seeds
//	go test ./sim -run TestSeeds$ -sim.seed=17 -sim.trace      # one again, step by step
//	go test ./sim -run TestSeeds$ -sim.scenario=f.txt -sim.trace
package sim
