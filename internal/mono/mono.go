// Package mono is the project's notion of time: nanoseconds on a monotonic
// clock, handed from the outside into everything below stack. It is the only
// package outside tests that reads the operating system's clock.
package mono

import "time"

// Time is a point on a monotonic clock, in nanoseconds since that clock's
// start. The zero Time means "unset"; no clock ever returns it.
type Time int64

// Duration is a span of time in nanoseconds.
type Duration int64

// Common durations.
const (
	Nanosecond  Duration = 1
	Microsecond          = 1000 * Nanosecond
	Millisecond          = 1000 * Microsecond
	Second               = 1000 * Millisecond
)

// Add returns t moved by d.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub returns the span from u to t.
func (t Time) Sub(u Time) Duration { return Duration(t - u) }

// IsZero reports whether t is unset.
func (t Time) IsZero() bool { return t == 0 }

// Seconds returns d as floating-point seconds.
func (d Duration) Seconds() float64 { return float64(d) / float64(Second) }

// Std converts d for use with package time.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String formats d as package time does.
func (d Duration) String() string { return time.Duration(d).String() }

// FromStd converts a time.Duration.
func FromStd(d time.Duration) Duration { return Duration(d) }

// A Timer fires once, at the Time it was last Set to.
type Timer interface {
	// Set arms the timer for t, in place of whatever it was armed for.
	Set(t Time)
	// Stop disarms the timer. A fire that is under way may still be seen.
	Stop()
	// C delivers a value when the timer fires.
	C() <-chan struct{}
}

// A Clock tells the time and hands out timers.
type Clock interface {
	Now() Time
	NewTimer() Timer
}

// System returns a Clock that reads the operating system's monotonic clock
// (the virtual one inside a testing/synctest bubble).
func System() Clock { return &system{start: time.Now()} }

type system struct{ start time.Time }

// One second of head start keeps Now from ever being zero.
func (s *system) Now() Time { return Time(time.Since(s.start)) + Time(Second) }

func (s *system) NewTimer() Timer {
	t := &systemTimer{clock: s, c: make(chan struct{}, 1)}
	t.t = time.AfterFunc(time.Hour, t.fire)
	t.t.Stop()
	return t
}

type systemTimer struct {
	clock *system
	t     *time.Timer
	c     chan struct{}
}

func (t *systemTimer) fire() {
	select {
	case t.c <- struct{}{}:
	default:
	}
}

func (t *systemTimer) Set(at Time) {
	d := at.Sub(t.clock.Now())
	if d < 0 {
		d = 0
	}
	t.t.Reset(time.Duration(d))
}

func (t *systemTimer) Stop()              { t.t.Stop() }
func (t *systemTimer) C() <-chan struct{} { return t.c }
