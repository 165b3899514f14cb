// Package relay carries IP packets between two TUN devices in real time and
// impairs them on the way with the simulator's link engine (sim/impair): loss,
// delay, reordering and more where the kernel has no netem.
//
// The usual way is a Lab: two network namespaces of this process's own, a TUN
// device in each, and a Relay between them.
//
//	lab, err := relay.NewLab(relay.LabConfig{
//		AtoB: impair.Config{Loss: 0.02, Delay: 20 * mono.Millisecond},
//		BtoA: impair.Config{Loss: 0.02, Delay: 20 * mono.Millisecond},
//		Seed: 1,
//	})
//	defer lab.Close()
//	lab.A.Do(cmd.Start) // a process in namespace A, address 10.79.0.1, fd79::1
//
// Namespaces are nameless and held by a file descriptor, so that nothing is
// left behind however the process ends; Namespace.Path is for tools that want
// a path (nsenter --net=, ip netns attach). Who has namespaces already opens a
// device in each with OpenTUN or OpenTUNAt, and joins them with New:
//
//	a, err := relay.OpenTUNAt("/run/netns/left", relay.Device{Addrs: …})
//	b, err := relay.OpenTUNAt("/run/netns/right", relay.Device{Addrs: …})
//	r, err := relay.New(relay.Config{A: a, B: b, AtoB: …, BtoA: …, Seed: 1})
//
// Loss and the other choices follow the seed and the order of packets; times
// follow the machine. A packet larger than an impairment's MTU is answered
// with ICMP, as by a router; IPv4 packets without DF pass whole.
package relay
