// Package record writes down what goes into a stack, and what its state
// machines decided, and plays it back.
//
// A log holds the input of a stack's shards from their birth: each call of
// their executors, with packets byte for byte, and what the executor was
// answered: randomness, routes, room to send. A Player has another executor do
// the same again, and compares each packet that it sends with the one that was
// sent. What is in front of a shard's lock, finding the association that a
// packet belongs to, is not done again: its outcome is part of the call.
//
// A dump holds the last steps of one association (package decision).
//
// Both are the same kind of file: a magic number, and blocks that carry a
// CRC32c each, so that a file which was cut off is good up to there.
package record
