// Package ulpqueue turns accepted DATA chunks into what the application
// reads: it reassembles messages, puts those of a stream into order, keeps
// the ready ones and the notifications in one list, and accounts for the
// receive window (RFC 9260 sections 3.3.1, 6.2, 6.5, 6.6 and 6.9).
//
// A Queue belongs to one association and to whoever holds that association.
// Detach moves ready messages into a List of the reader's, which may then be
// read and recycled (FreeMessage) without holding the association; the bytes
// count against the window until they are reported to Consumed.
package ulpqueue
