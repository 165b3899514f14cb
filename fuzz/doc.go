// Package fuzz holds the fuzz targets that look at more than one package or
// at whole packets, with their seed corpora in testdata/fuzz. It exports
// nothing.
//
//   - FuzzPacket, FuzzParams: what is read, written and read again is the same.
//   - FuzzCookie: only a cookie of ours makes an association.
//   - FuzzEvents: event lists into the state machine.
//   - FuzzTwoStacks: two stacks and a hostile network between them.
//
// The seeds run in the ordinary test; to search on from them:
//
//	go test -fuzz FuzzTwoStacks ./fuzz
package fuzz
