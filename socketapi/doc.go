// Package socketapi is the programmer's way to SCTP: associations that are
// dialled and accepted like TCP connections, and messages on streams beside.
//
// A Conn is a net.Conn, and a Listener a net.Listener, of network "sctp". Read
// and Write move one message each, on stream 0; SendMsg and RecvMsg say more
// about it: stream, payload protocol identifier, order, and where a message
// ends. A message that is larger than the reader's buffer is continued by the
// next Read or RecvMsg, and never cut.
//
// Associations live in a Host, an SCTP stack in this process with its links to
// the world: raw IP where the process may, else UDP encapsulation (RFC 6951),
// or links of the program's own. Without a Host in the Config, Dial and Listen
// use one that they share, and make it on first use.
//
// A Socket is the sockets API of RFC 6458, one-to-one and one-to-many, with
// Linux's rules and errnos, for programs and layers that need more than that:
// several associations at one socket, events, options, readiness without waiting.
//
// All methods of all types may be called by several goroutines at once.
package socketapi
