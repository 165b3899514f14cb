// Package explore tries all that can happen between two endpoints, up to a
// bound: every order in which packets arrive, every loss, duplicates, every
// timer that may expire, the users' calls, hosts that crash, and attackers. It
// runs the shipping state machine and executor, not a model of them:
//
//   - wide, on a data path that counts instead of carrying (counts.go), so that
//     states are cloned, and there is time for many;
//   - narrow, as whole stacks with their pipes and one or two messages, where a
//     state is rebuilt by making its moves again.
//
// At most a few packets are in flight; more are lost. Each host has a clock of
// its own that stands still until a timer of the host is made to expire, so
// that a timer may expire at any moment, but a host's timers expire in their
// order. The path MTU, the windows and the like are large enough not to
// matter: this is about set-up, teardown and the machine.
//
// A state is known by a digest of both control states, the queues, the timers
// that run and the packets in flight; random values (tags, TSNs, nonces) count
// by the order in which they appear, times by their order. After every move the
// invariants in check.go and the properties in property.go are looked at, and
// from every new state the hosts are left alone with a network that loses
// nothing: they have to come to rest.
//
//	make explore
//	go test ./sim/explore -run TestExplore -v -explore.setting=life -explore.depth=12
//	go test ./sim/explore -run TestReplay -v -explore.setting=setup -explore.moves='associate A, deliver 0, …'
//
// docs/EXPLORATION.md has the settings, the properties and what came of it.
package explore
