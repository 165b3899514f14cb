package netopts

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/transport/rawip"
	"github.com/spf13/pflag"
)

func open(t *testing.T, server bool, args ...string) (transport string, err error) {
	t.Helper()
	var o Options
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.Add(fs, server)
	if err := fs.Parse(args); err != nil {
		return "", &outcome.UsageError{Err: err}
	}
	h, err := o.Host(server, io.Discard)
	if err != nil {
		return "", err
	}
	defer h.Close()
	return h.Transport(), nil
}

func TestTransport(t *testing.T) {
	auto := "udp"
	if rawip.Check().OK() {
		auto = "rawip"
	}
	for _, tc := range []struct {
		args   []string
		server bool
		want   string
	}{
		{nil, true, auto}, {nil, false, auto}, {[]string{"--transport", "auto"}, false, auto},
		{[]string{"--transport", "udp"}, false, "udp"}, {[]string{"--udp-encap"}, false, "udp"},
		{[]string{"--udp-encap=4000", "--udp-local", "0"}, false, "udp"},
	} {
		if got, err := open(t, tc.server, tc.args...); err != nil || got != tc.want {
			t.Errorf("%q: %s, %v; want %s", tc.args, got, err, tc.want)
		}
	}
	for _, args := range [][]string{
		{"--transport", "tcp"}, {"--udp-encap=x"}, {"--udp-encap=0"}, {"--udp-encap=70000"}, {"--mtu", "100", "--udp-encap"},
		{"--transport", "rawip", "--udp-encap"}, {"--udp-local", "5"},
	} {
		if _, err := open(t, false, args...); outcome.Code(err) != outcome.Misused {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// A server waits at the UDP port, a client sends from the one it is told.
func TestUDPPorts(t *testing.T) {
	taken, err := net.ListenUDP("udp", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	if _, err := open(t, true, fmt.Sprintf("--udp-encap=%d", port)); err == nil {
		t.Error("a server did not want the port it was told")
	}
	if _, err := open(t, false, fmt.Sprintf("--udp-encap=%d", port)); err != nil {
		t.Errorf("a client wanted the server's port: %v", err)
	}
	if _, err := open(t, false, "--udp-encap", fmt.Sprintf("--udp-local=%d", port)); err == nil {
		t.Error("a client did not want the port it was told")
	}
}
