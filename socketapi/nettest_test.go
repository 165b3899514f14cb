package socketapi_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

// A Conn is a net.Conn by the tests of golang.org/x/net. They take a stream of
// bytes; that an association keeps the boundaries of messages, so that one
// Read returns no more than the rest of one message, is within what they, and
// io.Reader, allow. What differs from TCP and no test there asks: a Write
// larger than the send buffer fails with EMSGSIZE instead of being divided,
// and an association has no half-closed state in which its end still sends
// (RFC 9260 section 1.5.1).
func TestNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, z, _ := pair(t, nil)
		return a, z, func() {
			a.Abort("")
			z.Abort("")
		}, nil
	})
}
