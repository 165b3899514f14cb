package interop

import "testing"

// The stacks that are not ours among themselves: what fails here is the lab,
// or one of them, and not ours.
func TestForeignStacks(t *testing.T) {
	for _, r := range []run{
		{client: usrsctp, server: linux, transport: "raw", end: "shutdown", ender: "client"},
		{client: linux, server: usrsctp, transport: "raw", impaired: true, end: "abort", ender: "server"},
		{client: usrsctp, server: linux, transport: "udp", end: "abort", ender: "server"},
		{client: pion, server: usrsctp, transport: "udp", impaired: true, end: "shutdown", ender: "server"},
	} {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			r.do(t)
		})
	}
}
