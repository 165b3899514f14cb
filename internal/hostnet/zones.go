package hostnet

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Zones translates between the numbers of interfaces and their names, which
// are the zones of link-local addresses. Asking costs a list of all
// interfaces, and they may be renamed: an answer is good for some seconds.
type Zones struct {
	ns    *Namespace
	mu    sync.Mutex
	names map[uint32]zone
	nums  map[string]zone
}

const (
	zoneTTL  = 5 * time.Second
	maxZones = 1024
)

type zone struct {
	// addr has the name as its zone, and keeps netip's interned copy of it
	// alive, so that WithZone does not allocate.
	addr  netip.Addr
	index uint32
	until time.Time
}

// Zones returns the names of the interfaces in the host's namespace.
func (h *Host) Zones() *Zones { return &Zones{ns: h.NS} }

// Name returns the name of an interface, its number in digits if it has none.
func (c *Zones) Name(index uint32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	z, ok := c.names[index]
	if ok && time.Now().Before(z.until) {
		return z.addr.Zone()
	}
	name := strconv.Itoa(int(index))
	c.ns.Do(func() { name = interfaceName(index) })
	if c.names == nil || len(c.names) >= maxZones {
		c.names = map[uint32]zone{}
	}
	c.names[index] = zone{addr: netip.IPv6LinkLocalAllNodes().WithZone(name), until: time.Now().Add(zoneTTL)}
	return name
}

// noInterface is a number that no interface has, so that the kernel refuses it.
const noInterface = 1<<31 - 1

// Index returns the number of an interface, which may be given in digits; one
// that no interface has if there is none of that name.
func (c *Zones) Index(name string) uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	z, ok := c.nums[name]
	if ok && time.Now().Before(z.until) {
		return z.index
	}
	z = zone{index: noInterface, until: time.Now().Add(zoneTTL)}
	c.ns.Do(func() { z.index = interfaceIndex(name) })
	if c.nums == nil || len(c.nums) >= maxZones {
		c.nums = map[string]zone{}
	}
	c.nums[name] = z
	return z.index
}

func interfaceIndex(name string) uint32 {
	if ifi, err := net.InterfaceByName(name); err == nil {
		return uint32(ifi.Index)
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil && n > 0 {
		return uint32(n)
	}
	return noInterface
}

func interfaceName(index uint32) string {
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.Itoa(int(index))
}
