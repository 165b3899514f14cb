package sim

import "github.com/gosctp/gosctp/internal/mono"

// clock is the virtual time. A stack that is not started never waits for its
// timers, so they do nothing.
type clock struct{ now mono.Time }

// Now implements mono.Clock.
func (c *clock) Now() mono.Time { return c.now }

// NewTimer implements mono.Clock.
func (c *clock) NewTimer() mono.Timer { return idleTimer{} }

type idleTimer struct{}

func (idleTimer) Set(mono.Time)      {}
func (idleTimer) Stop()              {}
func (idleTimer) C() <-chan struct{} { return nil }
