// Package conformance holds the stack to RFC 9260 by conversations, one file
// each: etsi has one for every test purpose of ETSI TS 102 369, states each chunk
// and each call of the user's in every state, cases the situations of famous bugs
// in other implementations. docs/SCRIPTS.md describes
// their language, and `sctp script FILE...` plays them one by one.
package conformance
