// Package stack joins associations, endpoints and links: it finds the
// association of an inbound packet, runs timers, and gives users handles.
//
// Associations live in shards; a shard is a lock, an executor and a ring of
// packets to send. Whoever holds a shard's lock runs it: the goroutine that
// reads packets, the one that waits for timers, or the user's own. System
// calls are never made under the lock. Without Start nothing runs by itself,
// and a simulator drives the same code by Input and Step.
package stack
