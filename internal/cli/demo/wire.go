package demo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/gosctp/gosctp/internal/cli/impair"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/pcapng"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
	"github.com/gosctp/gosctp/transport/rawip"
	"github.com/gosctp/gosctp/transport/udpencap"
)

// Transports are the values of --transport.
var Transports = []string{"rawip", "rawip6", "udp", "mem"}

// wire is what the two endpoints are joined by.
type wire struct {
	name, why      string
	links          [2]transport.Link // client, server
	addrs          [2]netip.Addr
	udpPorts       [2]uint16
	lossy          [2]*impair.Link
	client, server *socketapi.Host
	port           atomic.Uint32 // the server's
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// openWire opens the links of the transport that is asked for, or of the best
// that can be had.
func openWire(o *Options) (*wire, error) {
	switch o.Transport {
	case "":
		w, err := openRaw(false)
		if err == nil {
			w.why = "this process may use raw sockets"
			return w, nil
		}
		u, uerr := openUDP()
		if uerr != nil {
			return nil, fmt.Errorf("neither raw IP nor UDP can be used: %w; %w", err, uerr)
		}
		u.why = "no raw IP: " + outcome.Brief(err)
		return u, nil
	case "rawip", "rawip6":
		w, err := openRaw(o.Transport == "rawip6")
		if err != nil {
			return nil, err
		}
		w.why = "asked for"
		return w, nil
	case "udp":
		w, err := openUDP()
		if err != nil {
			return nil, err
		}
		w.why = "asked for"
		return w, nil
	case "mem":
		a, b := mem.NewPair(o.MTU)
		return &wire{
			name: "mem", why: "asked for", links: [2]transport.Link{a, b},
			addrs: [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
		}, nil
	}
	return nil, outcome.Usage("there is no transport %q: rawip, rawip6, udp or mem", o.Transport)
}

func openRaw(v6 bool) (*wire, error) {
	w := &wire{name: "rawip", addrs: [2]netip.Addr{loopback4, loopback4}}
	if v6 {
		w.name, w.addrs = "rawip6", [2]netip.Addr{loopback6, loopback6}
	}
	for i := range w.links {
		l, err := rawip.Open(rawip.Config{V4: !v6, V6: v6})
		if err != nil {
			w.close()
			return nil, err
		}
		w.links[i] = l
	}
	return w, nil
}

func openUDP() (*wire, error) {
	w := &wire{name: "udp", addrs: [2]netip.Addr{loopback4, loopback4}}
	listen := netip.AddrPortFrom(loopback4, udpencap.DefaultPort)
	server, err := udpencap.Open(udpencap.Config{Listen: listen})
	if errors.Is(err, transport.ErrPortInUse) {
		server, err = udpencap.Open(udpencap.Config{Listen: netip.AddrPortFrom(loopback4, 0)})
	}
	if err != nil {
		return nil, err
	}
	w.links[1] = server
	client, err := udpencap.Open(udpencap.Config{Listen: netip.AddrPortFrom(loopback4, 0), RemotePort: server.Port()})
	if err != nil {
		w.close()
		return nil, err
	}
	w.links[0] = client
	w.udpPorts = [2]uint16{client.Port(), server.Port()}
	return w, nil
}

// start puts a Host on each link; packets are lost, and captured, at the
// client's.
func (w *wire) start(o *Options, capture *pcapng.Writer) error {
	for i := range w.links {
		if o.Loss > 0 {
			w.links[i], w.lossy[i] = impair.Loss(w.links[i], float64(o.Loss), o.Seed+uint64(i))
		}
		cfg := socketapi.HostConfig{Links: []transport.Link{w.links[i]}}
		if i == 0 {
			cfg.Record, cfg.RecordData = o.Record, o.Data
			if capture != nil {
				cfg.PacketTap = func(p socketapi.Packet) { w.capture(capture, &p) }
			}
		}
		h, err := socketapi.NewHost(cfg)
		if err != nil {
			return err
		}
		if i == 0 {
			w.client = h
		} else {
			w.server = h
		}
	}
	return nil
}

// capture writes a packet that the client's link saw.
func (w *wire) capture(to *pcapng.Writer, p *socketapi.Packet) {
	local, remote := 0, 1
	if !p.Out && len(p.Data) >= 4 && uint32(binary.BigEndian.Uint16(p.Data[2:])) == w.port.Load() {
		return // a raw socket's second copy of a packet on loopback: it is the server's
	}
	out := pcapng.Packet{Time: p.Time, Src: p.Src, Dst: p.Dst, Outbound: p.Out, Data: p.Data}
	if !p.Out {
		local, remote = remote, local
	}
	if !out.Src.IsValid() {
		out.Src = w.addrs[local] // the host chooses it
	}
	out.SrcUDP, out.DstUDP = w.udpPorts[local], w.udpPorts[remote]
	to.Write(out)
}

// lost counts the packets that were lost on purpose.
func (w *wire) lost() (n uint64) {
	for _, l := range w.lossy {
		if l != nil {
			n += l.Lost()
		}
	}
	return n
}

// close frees what is open, and tells whether the recording is whole.
func (w *wire) close() (err error) {
	hosts := []*socketapi.Host{w.client, w.server}
	for i, l := range w.links {
		if hosts[i] != nil {
			err = errors.Join(err, hosts[i].Close())
		} else if l != nil {
			l.Close()
		}
	}
	return err
}

func validTransport(s string) bool { return s == "" || slices.Contains(Transports, s) }
