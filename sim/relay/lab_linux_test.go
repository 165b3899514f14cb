package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"golang.org/x/sys/unix"
)

// rawSocket opens a raw socket for protocol 253 (RFC 3692: for experiments)
// in a namespace.
func rawSocket(t *testing.T, n *Namespace, network string) net.PacketConn {
	t.Helper()
	var c net.PacketConn
	if err := n.Do(func() (err error) { c, err = net.ListenPacket(network, ""); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newLab(t *testing.T, cfg LabConfig) *Lab {
	t.Helper()
	lab, err := NewLab(cfg)
	if errors.Is(err, unix.EPERM) || errors.Is(err, os.ErrNotExist) {
		t.Skipf("SKIP: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return lab
}

func TestLab(t *testing.T) {
	lab := newLab(t, LabConfig{
		AtoB: impair.Config{Delay: 15 * mono.Millisecond}, BtoA: impair.Config{Delay: 10 * mono.Millisecond}, Seed: 1,
	})
	for _, tc := range []struct{ network, a, b string }{
		{"ip4:253", "10.79.0.1", "10.79.0.2"}, {"ip6:253", "fd79::1", "fd79::2"},
	} {
		t.Run(tc.network, func(t *testing.T) {
			a, b := rawSocket(t, lab.A, tc.network), rawSocket(t, lab.B, tc.network)
			deadline := time.Now().Add(10 * time.Second)
			a.SetReadDeadline(deadline)
			b.SetReadDeadline(deadline)
			toA, toB := &net.IPAddr{IP: net.ParseIP(tc.a)}, &net.IPAddr{IP: net.ParseIP(tc.b)}
			ping, buf := make([]byte, 1000), make([]byte, 2000)
			best := time.Hour
			for i := range 20 {
				binary.BigEndian.PutUint32(ping, uint32(i))
				start := time.Now()
				if _, err := a.WriteTo(ping, toB); err != nil {
					t.Fatal(err)
				}
				n, from, err := b.ReadFrom(buf)
				if err != nil || !bytes.Equal(buf[:n], ping) || from.String() != tc.a {
					t.Fatalf("B has %d bytes from %v, %v", n, from, err)
				}
				if _, err := b.WriteTo(buf[:n], toA); err != nil {
					t.Fatal(err)
				}
				if n, _, err = a.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], ping) {
					t.Fatalf("A has %d bytes, %v", n, err)
				}
				rtt := time.Since(start)
				if rtt < 25*time.Millisecond {
					t.Fatalf("round trip in %v, faster than the link's 25ms", rtt)
				}
				best = min(best, rtt)
			}
			if best > 200*time.Millisecond {
				t.Errorf("the best of 20 round trips took %v, want 25ms and little more", best)
			}
		})
	}
	if err := lab.Relay.Set(impair.Config{Loss: 1}, impair.Config{}); err != nil {
		t.Fatal(err)
	}
	a, b := rawSocket(t, lab.A, "ip4:253"), rawSocket(t, lab.B, "ip4:253")
	before, _ := lab.Relay.Stats()
	if _, err := a.WriteTo([]byte("lost"), &net.IPAddr{IP: net.ParseIP("10.79.0.2")}); err != nil {
		t.Fatal(err)
	}
	b.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if _, _, err := b.ReadFrom(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a packet passed a dead link (%v)", err)
	}
	if after, _ := lab.Relay.Stats(); after.Lost != before.Lost+1 {
		t.Errorf("%d lost, want 1", after.Lost-before.Lost)
	}
}

// The kernel learns the path MTU from the relay's ICMP error.
func TestLabPathMTU(t *testing.T) {
	lab := newLab(t, LabConfig{AtoB: impair.Config{MTU: 1300}})
	for _, tc := range []struct{ network, b string }{{"udp4", "10.79.0.2:9"}, {"udp6", "[fd79::2]:9"}} {
		var c net.Conn
		if err := lab.A.Do(func() (err error) { c, err = net.Dial(tc.network, tc.b); return err }); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if tc.network == "udp4" {
			raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		mtu := 0
		for range 100 {
			_, _ = c.Write(make([]byte, 1400)) // refused once the MTU is known
			raw.Control(func(fd uintptr) {
				if tc.network == "udp4" {
					mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU)
				} else {
					mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU)
				}
			})
			if mtu == 1300 {
				break
			}
			<-time.After(20 * time.Millisecond)
		}
		if mtu != 1300 || err != nil {
			t.Errorf("%s: the kernel's path MTU is %d, want 1300 (%v)", tc.network, mtu, err)
		}
	}
}

func TestProcessesInside(t *testing.T) {
	lab := newLab(t, LabConfig{})
	for name, argv := range map[string][]string{"Do": {"ip", "-o", "addr"}, "Command": lab.A.Command("ip", "-o", "addr")} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			t.Skipf("SKIP: %v", err)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		run := cmd.Start
		if name == "Do" {
			run = func() error { return lab.A.Do(cmd.Start) }
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || !bytes.Contains(out.Bytes(), []byte("10.79.0.1/24")) {
			t.Errorf("%s: %v, addresses seen:\n%s", name, err, out.Bytes())
		}
	}
}
