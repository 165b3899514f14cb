package record

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// TestManyAddresses: what is remembered of addresses is bounded on both sides,
// and each call still has its own.
func TestManyAddresses(t *testing.T) {
	var e encoder
	var d decoder
	cfg := tcb.DefaultConfig()
	a := new(sideeffects.Association)
	for i := range uint32(3 * maxDefs / 2) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i%(maxDefs+100)+1)
		addr := netip.AddrFrom4(b)
		e.b = e.b[:0]
		e.call(&sideeffects.Call{Op: sideeffects.OpSetPrimary, Assoc: a, Addr: addr, Now: mono.Time(i + 1)})
		if i%1000 == 0 {
			e.call(&sideeffects.Call{Op: sideeffects.OpPrepare, Assoc: a, Settings: sideeffects.Settings{Config: &cfg, Local: []netip.Addr{addr}}})
		}
		d.b = e.b
		if kind := d.peek(); !isCall(kind) {
			t.Fatalf("call %d: a record of kind %d, %v", i, kind, d.err)
		}
		c, _, _ := d.call()
		if d.err != nil || c.Addr != addr || c.Now != mono.Time(i+1) {
			t.Fatalf("call %d: %v at %v, %v", i, c.Addr, c.Now, d.err)
		}
		if i%1000 == 0 {
			d.peek()
			c, _, _ := d.call()
			if d.err != nil || *c.Settings.Config != cfg || c.Settings.Local[0] != addr {
				t.Fatalf("call %d: %+v, %v", i, c.Settings, d.err)
			}
		}
	}
	if len(e.addrs) > maxDefs || len(d.addrs) > maxDefs {
		t.Errorf("%d and %d addresses are remembered", len(e.addrs), len(d.addrs))
	}
}

// TestConfigs: what is in a Config comes back; what this program does not know
// is told.
func TestConfigs(t *testing.T) {
	c := tcb.DefaultConfig()
	c.RTOMin, c.OutStreams, c.NoDelay = 17*mono.Millisecond, 4711, true
	got, odd, err := parseConfig(configText(&c))
	if err != nil || odd != nil || *got != c {
		t.Errorf("%+v, %v, %v", got, odd, err)
	}
	got, odd, err = parseConfig("RTOMin=5\nFlux=3\nSackFreq=?\n")
	want := tcb.DefaultConfig()
	want.RTOMin = 5
	if err != nil || *got != want || len(odd) != 2 || odd[0] != "Flux" || odd[1] != "SackFreq" {
		t.Errorf("%+v, %v, %v", got, odd, err)
	}
	for _, bad := range []string{"RTOMin", "RTOMin=x\n", "RTOMin=0\n", "OutStreams=70000\n", "RTOMin=99999999999999999\n"} {
		if _, _, err := parseConfig(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
