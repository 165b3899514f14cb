package record

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/gosctp/gosctp/stack/tcb"
)

// configText is a Config as lines of name=value.
func configText(c *tcb.Config) string {
	var b strings.Builder
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		name := v.Type().Field(i).Name
		switch {
		case f.CanInt():
			fmt.Fprintf(&b, "%s=%d\n", name, f.Int())
		case f.CanUint():
			fmt.Fprintf(&b, "%s=%d\n", name, f.Uint())
		case f.Kind() == reflect.Bool:
			n := 0
			if f.Bool() {
				n = 1
			}
			fmt.Fprintf(&b, "%s=%d\n", name, n)
		case !f.IsZero():
			fmt.Fprintf(&b, "%s=?\n", name) // code cannot be recorded
		}
	}
	return b.String()
}

// parseConfig is the inverse. What the recording program did not have keeps
// its default; what this one does not have, or was code, is named in odd.
func parseConfig(text string) (c *tcb.Config, odd []string, err error) {
	d := tcb.DefaultConfig()
	v := reflect.ValueOf(&d).Elem()
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return nil, nil, fmt.Errorf("%w: a parameter without a value", ErrFormat)
		}
		f := v.FieldByName(name)
		n, numErr := strconv.ParseInt(value, 10, 64)
		switch {
		case !f.IsValid() || value == "?":
			odd = append(odd, name)
			continue
		case numErr != nil:
			return nil, nil, fmt.Errorf("%w: parameter %s is %q", ErrFormat, name, value)
		case f.CanInt() && !f.OverflowInt(n):
			f.SetInt(n)
		case f.CanUint() && n >= 0 && !f.OverflowUint(uint64(n)):
			f.SetUint(uint64(n))
		case f.Kind() == reflect.Bool:
			f.SetBool(n != 0)
		default:
			return nil, nil, fmt.Errorf("%w: parameter %s is %s", ErrFormat, name, value)
		}
	}
	if err := plausible(&d); err != nil {
		return nil, nil, err
	}
	return &d, odd, nil
}

// plausible refuses what no stack can run with: files may come from anywhere.
func plausible(c *tcb.Config) error {
	const (
		maxBuffer = 1 << 30
		maxTime   = 1 << 50 // 13 days
	)
	ok := c.RTOMin > 0 && c.RTOMin <= c.RTOMax && c.RTOInitial > 0 && c.RTOMax < maxTime &&
		c.HBInterval >= 0 && c.HBInterval < maxTime && c.SackDelay >= 0 && c.SackDelay < maxTime &&
		c.ValidCookieLife >= 0 && c.ValidCookieLife < maxTime && c.ShutdownGuard >= 0 && c.ShutdownGuard < maxTime &&
		c.SendBuffer >= 0 && c.SendBuffer <= maxBuffer && c.RecvBuffer >= 0 && c.RecvBuffer <= maxBuffer &&
		c.MinPathMTU >= 0 && c.MinPathMTU <= 1<<16 && c.PathMTU >= 0 && c.PathMTU < 1<<16 &&
		c.MaxSegment >= 0 && c.MaxSegment < 1<<16 && c.MaxBurst >= 0 && c.MaxMessage >= 0 &&
		c.OutStreams > 0 && c.MaxInStreams > 0
	if !ok {
		return fmt.Errorf("%w: parameters that no stack has", ErrFormat)
	}
	return nil
}
