package replay

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// changes lists what differs between two control states, field by field.
func changes(was, is *tcb.TCB) (list []string) {
	v, w := reflect.ValueOf(was).Elem(), reflect.ValueOf(is).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch name {
		case "Cfg", "ID", "State":
			continue // told elsewhere, or never changed
		case "Armed":
			list = append(list, timers(was.Armed, is.Armed)...)
			continue
		case "Paths":
			for p := range is.Paths {
				if p >= len(was.Paths) {
					list = append(list, fmt.Sprintf("path %d: new, %v", p, is.Paths[p].State))
					continue
				}
				list = append(list, fields(fmt.Sprintf("path %d: ", p), reflect.ValueOf(was.Paths[p]), reflect.ValueOf(is.Paths[p]))...)
			}
			continue
		}
		list = appendChange(list, name, v.Field(i), w.Field(i))
	}
	return list
}

func fields(prefix string, v, w reflect.Value) (list []string) {
	for i := range v.NumField() {
		list = appendChange(list, prefix+v.Type().Field(i).Name, v.Field(i), w.Field(i))
	}
	return list
}

func appendChange(list []string, name string, v, w reflect.Value) []string {
	a, b := v.Interface(), w.Interface()
	if a == b {
		return list
	}
	return append(list, fmt.Sprintf("%s %s -> %s", name, text(name, a), text(name, b)))
}

// text shows tags and nonces in hexadecimal, all else as it shows itself.
func text(name string, v any) string {
	switch x := v.(type) {
	case chunk.VTag:
		return fmt.Sprintf("%08x", uint32(x))
	case mono.Time:
		return fmt.Sprintf("%d.%09d", int64(x)/1e9, int64(x)%1e9)
	case uint64:
		return fmt.Sprintf("%016x", x)
	case uint32:
		if strings.HasPrefix(name, "Tie") {
			return fmt.Sprintf("%08x", x)
		}
	}
	return fmt.Sprint(v)
}

func timers(was, is uint8) (list []string) {
	for id := range tcb.NumTimers {
		switch a, b := was>>id&1, is>>id&1; {
		case a < b:
			list = append(list, id.String()+" runs")
		case a > b:
			list = append(list, id.String()+" stopped")
		}
	}
	return list
}

// flow lists what differs between two snapshots in what the pipes own.
func flow(was, is *sideeffects.Status) (list []string) {
	n := func(name string, a, b any) {
		if a != b {
			list = append(list, fmt.Sprintf("%s %v -> %v", name, a, b))
		}
	}
	n("in flight", was.InFlight, is.InFlight)
	n("queued", was.Queued, is.Queued)
	n("peer's rwnd", was.PeerRwnd, is.PeerRwnd)
	n("held", was.Held, is.Held)
	for i := range is.Paths {
		if i >= len(was.Paths) {
			break
		}
		a, b := &was.Paths[i], &is.Paths[i]
		p := fmt.Sprintf("path %d: ", i)
		n(p+"cwnd", a.Cwnd, b.Cwnd)
		n(p+"ssthresh", a.Ssthresh, b.Ssthresh)
		n(p+"RTO", a.RTO, b.RTO)
		n(p+"path MTU", a.PMTU, b.PMTU)
		n(p+"source", a.Src, b.Src)
		if len(is.Paths) > 1 {
			n(p+"in flight", a.InFlight, b.InFlight)
		}
	}
	return list
}
