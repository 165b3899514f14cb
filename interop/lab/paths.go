package lab

import (
	"fmt"

	"github.com/gosctp/gosctp/sim/impair"
)

// Paths are two separate links between a near and a far host, by way of a
// router that has two devices toward either:
//
//	near sctp0 10.99.11.1 ── 10.99.11.2 router 10.99.2.1 ── 10.99.2.2 far
//	near sctp1 10.99.12.1 ── 10.99.12.2 router 10.99.3.1 ── 10.99.3.2 far
//
// Each side reaches either network of the other by its own link to it.
type Paths struct {
	Router *Namespace
	near   *Namespace
	far    Shell
	farDev [2]string
	links  []*Link
}

// Addresses of the two sides.
var (
	NearAddrs = [2]string{"10.99.11.1", "10.99.12.1"}
	FarAddrs  = [2]string{"10.99.2.2", "10.99.3.2"}

	nearNets    = [2]string{"10.99.11.0/24", "10.99.12.0/24"}
	farNets     = [2]string{"10.99.2.0/24", "10.99.3.0/24"}
	nearRouters = [2]string{"10.99.11.2", "10.99.12.2"}
	farRouters  = [2]string{"10.99.2.1", "10.99.3.1"}
)

// A Shell is where commands are run: a Namespace, or a lane of the VM.
type Shell interface{ Run(argv ...string) error }

// NewPaths joins near to the router, whose links to far, with its devices
// there, are there already. With an impairment, the links from near to the
// router have it.
func NewPaths(near, router *Namespace, far Shell, farDev [2]string, imp *impair.Config, seed uint64) (*Paths, error) {
	p := &Paths{Router: router, near: near, far: far, farDev: farDev}
	if err := p.join(imp, seed); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Paths) join(imp *impair.Config, seed uint64) error {
	for i := range NearAddrs {
		a := End{p.near, DeviceN(i), NearAddrs[i] + "/24"}
		b := End{p.Router, fmt.Sprint("near", i), nearRouters[i] + "/24"}
		var link *Link
		var err error
		if imp != nil {
			link, err = Relayed(a, b, *imp, *imp, seed+uint64(i))
		} else {
			link, err = Veth(a, b)
		}
		if err != nil {
			return err
		}
		p.links = append(p.links, link)
		if err := errorOf(p.nearRoute(i), p.farRoute(i)); err != nil {
			return err
		}
	}
	if err := p.Router.Forward(); err != nil {
		return err
	}
	return p.ReversePath(false)
}

func (p *Paths) nearRoute(link int) error {
	return p.near.Run("ip", "route", "replace", farNets[link], "via", nearRouters[link])
}

func (p *Paths) farRoute(link int) error {
	return p.far.Run("ip", "route", "replace", nearNets[link], "via", farRouters[link])
}

// FarRoutes gives the far side its routes again after a reboot.
func (p *Paths) FarRoutes() error { return errorOf(p.farRoute(0), p.farRoute(1)) }

// FarLinks joins a far namespace to the router.
func FarLinks(far, router *Namespace) (devs [2]string, err error) {
	for i := range FarAddrs {
		devs[i] = DeviceN(i)
		if _, err := Veth(End{far, devs[i], FarAddrs[i] + "/24"}, End{router, devs[i], farRouters[i] + "/24"}); err != nil {
			return devs, err
		}
	}
	return devs, nil
}

// Close takes the near links down, and leaves the far ones as they were: others
// may use them next.
func (p *Paths) Close() {
	for i, l := range p.links {
		p.Unmute(i)
		p.FarUp(i)
		l.Close()
	}
	p.ReversePath(false)
}

// Mute has the router lose all that comes for either end of a link, and say
// nothing. No device changes.
func (p *Paths) Mute(link int) error {
	return errorOf(p.MuteToNear(link), p.MuteToFar(link))
}

// MuteToNear is Mute in one direction.
func (p *Paths) MuteToNear(link int) error {
	return p.Router.Run("ip", "route", "replace", "blackhole", NearAddrs[link])
}

// MuteToFar is Mute in the other.
func (p *Paths) MuteToFar(link int) error {
	return p.Router.Run("ip", "route", "replace", "blackhole", FarAddrs[link])
}

// Unmute undoes them.
func (p *Paths) Unmute(link int) error {
	const flush = "ip route flush type blackhole exact "
	return p.Router.Run("sh", "-c", flush+NearAddrs[link]+" && "+flush+FarAddrs[link])
}

// NearDown sets the near end of a link down; its routes go with it.
func (p *Paths) NearDown(link int) error {
	return p.near.Run("ip", "link", "set", DeviceN(link), "down")
}

// NearUp undoes NearDown.
func (p *Paths) NearUp(link int) error {
	return errorOf(p.near.Run("ip", "link", "set", DeviceN(link), "up"), p.nearRoute(link))
}

// FarDown sets the far end of a link down.
func (p *Paths) FarDown(link int) error {
	return p.far.Run("ip", "link", "set", p.farDev[link], "down")
}

// FarUp undoes FarDown.
func (p *Paths) FarUp(link int) error {
	return errorOf(p.far.Run("ip", "link", "set", p.farDev[link], "up"), p.farRoute(link))
}

// Detour gives near a route to everywhere by its second link. When the first
// is down, what is for the far end of it leaves by the second one.
func (p *Paths) Detour() error {
	return p.near.Run("ip", "route", "add", "default", "via", nearRouters[1], "metric", "1000")
}

// ReversePath has the router and the far side take packets only by the device
// by which they would answer, or by any.
func (p *Paths) ReversePath(strict bool) error {
	v := 0
	if strict {
		v = 1
	}
	filter := fmt.Sprintf("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo %d >$f; done", v)
	return errorOf(p.Router.Run("sh", "-c", filter), p.far.Run("sh", "-c", filter))
}
