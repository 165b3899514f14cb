// Package inqueue is the receive side's front: it walks a packet's chunks,
// remembers which TSNs of the peer have arrived, and decides when a SACK goes
// out and what it says (RFC 9260 sections 3.3.4, 6.2 and 6.7).
//
// A Cursor turns a packet into items. For each DATA chunk of a run the caller
// asks Queue.Classify, and then calls Accept, Duplicate or nothing; at the end
// of a packet that carried DATA it calls DataPacket, and then, if Due, puts
// AppendSack's chunk into a packet for To.
package inqueue
