// Package netopts has the flags that say how packets travel, and makes Hosts
// of them.
package netopts

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strconv"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport/udpencap"
	"github.com/spf13/pflag"
)

// Options are the values of the flags.
type Options struct {
	Transport string // auto, rawip or udp
	Encap     encapPort
	UDPLocal  uint16
	MTU       int
	Kernel    bool // go on although the kernel's SCTP is loaded
	Verbose   bool
	Record    string
	Data      bool // user data goes into the recording
}

// encapPort is the value of --udp-encap[=PORT].
type encapPort struct {
	set  bool
	port uint16
}

// String implements pflag.Value.
func (e *encapPort) String() string {
	if !e.set {
		return ""
	}
	return strconv.Itoa(int(e.port))
}

// Set implements pflag.Value.
func (e *encapPort) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return outcome.Usage("%q is not a UDP port", s)
	}
	e.set, e.port = true, uint16(n)
	return nil
}

// Type implements pflag.Value.
func (*encapPort) Type() string { return "port" }

// Add adds the flags. A server waits at the UDP port, a client sends to it.
func (o *Options) Add(fs *pflag.FlagSet, server bool) {
	fs.StringVar(&o.Transport, "transport", "auto", "how packets travel: rawip, udp, or auto: raw IP where this process may, else UDP")
	role := "at that UDP port of the peer"
	if server {
		role = "at that UDP port of this host"
	}
	fs.Var(&o.Encap, "udp-encap", "encapsulate SCTP in UDP (RFC 6951), "+role)
	fs.Lookup("udp-encap").NoOptDefVal = strconv.Itoa(udpencap.DefaultPort)
	if !server {
		fs.Uint16Var(&o.UDPLocal, "udp-local", 0, "with UDP encapsulation, send from that UDP port (default: any free one)")
	}
	fs.IntVar(&o.MTU, "mtu", 0, "size of the largest IP packet to send (default: what the host says)")
	fs.BoolVar(&o.Kernel, "allow-kernel-sctp", false, "use raw IP although the kernel's SCTP is loaded; something must then drop the ABORTs that it sends")
	AddRecord(fs, &o.Record, &o.Data)
	fs.BoolVarP(&o.Verbose, "verbose", "v", false, "say on stderr what happens")
}

// AddRecord adds the flags that have a Host recorded.
func AddRecord(fs *pflag.FlagSet, file *string, data *bool) {
	fs.StringVar(file, "record", "", "record all input of the stack to this `file`, for sctp replay")
	fs.BoolVar(data, "record-data", false, "with --record: user data as well, not only its size")
}

// Host opens a Host as the flags say.
func (o *Options) Host(server bool, log io.Writer) (*socketapi.Host, error) {
	var cfg socketapi.HostConfig
	switch o.Transport {
	case "", "auto":
		if o.Encap.set {
			cfg.Transport = socketapi.UDP
		}
	case "rawip":
		if o.Encap.set {
			return nil, outcome.Usage("--udp-encap and --transport rawip exclude each other")
		}
		cfg.Transport = socketapi.RawIP
	case "udp":
		cfg.Transport = socketapi.UDP
	default:
		return nil, outcome.Usage("there is no transport %q: rawip, udp or auto", o.Transport)
	}
	if o.UDPLocal != 0 && cfg.Transport != socketapi.UDP {
		return nil, outcome.Usage("--udp-local needs --transport udp or --udp-encap")
	}
	if o.MTU != 0 && (o.MTU < 576 || o.MTU > 65535) {
		return nil, outcome.Usage("--mtu %d is not within 576 and 65535", o.MTU)
	}
	port := uint16(udpencap.DefaultPort)
	if o.Encap.set {
		port = o.Encap.port
	}
	switch {
	case server && port != udpencap.DefaultPort:
		cfg.UDP.Listen = netip.AddrPortFrom(netip.Addr{}, port)
	case !server:
		cfg.UDP.RemotePort = port
		if o.UDPLocal != 0 {
			cfg.UDP.Listen = netip.AddrPortFrom(netip.Addr{}, o.UDPLocal)
		}
	}
	cfg.AllowKernelSCTP = o.Kernel
	level := slog.LevelError
	if o.Verbose {
		level = slog.LevelInfo
	}
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))
	if o.Data && o.Record == "" {
		return nil, outcome.Usage("--record-data needs --record")
	}
	cfg.Record, cfg.RecordData = o.Record, o.Data
	cfg.DumpDir = os.TempDir()
	return socketapi.NewHost(cfg)
}
