package interop

import "testing"

// The stacks that are not ours among themselves: what fails here is the lab,
// or one of them, and not ours.
func TestForeignStacks(t *testing.T) {
	runAll(t, []run{
		{client: usrsctp, server: linux, transport: "raw", end: "shutdown", ender: "client"},
		{client: linux, server: usrsctp, transport: "raw", impaired: true, end: "abort", ender: "server"},
		{client: usrsctp, server: linux, transport: "udp", end: "abort", ender: "server"},
		{client: pion, server: usrsctp, transport: "udp", impaired: true, end: "shutdown", ender: "server"},
	})
}

// Ours as client and as server against each of the others, over raw IP and
// UDP, on a clean and on a bad link, ended gracefully by either side and by
// both at once, and aborted by either side.
func TestInterop(t *testing.T) {
	var all []run
	for _, peer := range []*stack{linux, usrsctp, pion, ours} {
		for _, weDial := range []bool{true, false} {
			if peer == ours && !weDial {
				continue // the same again
			}
			for _, transport := range []string{"raw", "udp"} {
				if transport == "raw" && !peer.raw {
					continue
				}
				for _, impaired := range []bool{false, true} {
					r := run{client: ours, server: peer, transport: transport, impaired: impaired}
					if !weDial {
						r.client, r.server = peer, ours
					}
					all = append(all, r.ends()...)
				}
			}
		}
	}
	runAll(t, all)
}

// On the way from ours to the peer packets of more than 1300 bytes vanish: the
// peer answers the probes of HEARTBEAT and PAD that find this out, and takes
// what was too large in fragments, or in smaller chunks.
func TestBlackHole(t *testing.T) {
	runAll(t, []run{
		{client: ours, server: linux, transport: "raw", hole: 1300, end: "shutdown", ender: "client"},
		{client: ours, server: linux, transport: "udp", hole: 1300, end: "shutdown", ender: "client"},
		{client: ours, server: usrsctp, transport: "raw", hole: 1300, end: "shutdown", ender: "client"},
		{client: ours, server: usrsctp, transport: "udp", hole: 1300, end: "shutdown", ender: "client"},
	})
}

// Packets with a bad checksum for the ports of a live association: tshark sees
// each of them, and ours lets none of them disturb it.
func TestPlantedPackets(t *testing.T) {
	r := run{client: ours, server: usrsctp, transport: "raw", end: "shutdown", ender: "client", plant: 20}
	t.Parallel()
	r.do(t)
}

// ends returns the run with each way to end it.
func (r run) ends() (out []run) {
	for _, r.end = range []string{"shutdown", "abort"} {
		for _, r.ender = range []string{"client", "server"} {
			out = append(out, r)
		}
	}
	if !r.impaired {
		r.end, r.ender = "shutdown", "both"
		out = append(out, r)
	}
	return out
}

func runAll(t *testing.T, all []run) {
	for _, r := range all {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			r.do(t)
		})
	}
}
