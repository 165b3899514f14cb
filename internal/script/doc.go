// Package script is a small language for conversations with SCTP packet by
// packet: a script is the peer of one shipping stack, in virtual time. It sends
// packets of its own making, expects packets with certain fields at certain
// times, calls the user's primitives, and breaks the network. docs/SCRIPTS.md
// describes the language; who knows packetdrill will feel at home.
//
// Parse reads a script, and Script.Run plays it. Equal scripts play equally.
package script
