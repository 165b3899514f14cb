//go:build !linux

package udpencap

// openFast is what Linux has; other platforms use the portable engine.
func openFast(l *Link, cfg Config) error { return openPortable(l, cfg) }

func offloads() (gso, gro bool) { return false, false }
