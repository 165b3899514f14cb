// Package units reads and writes amounts the way people do: 64MiB, 1%, 9.4 Gbit/s.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is a number of bytes. It is a flag value: "64MiB", "1e6", "10k".
type Bytes int64

var suffixes = map[string]float64{
	"": 1, "B": 1,
	"K": 1 << 10, "KI": 1 << 10, "KIB": 1 << 10, "KB": 1e3,
	"M": 1 << 20, "MI": 1 << 20, "MIB": 1 << 20, "MB": 1e6,
	"G": 1 << 30, "GI": 1 << 30, "GIB": 1 << 30, "GB": 1e9,
	"T": 1 << 40, "TI": 1 << 40, "TIB": 1 << 40, "TB": 1e12,
}

// ParseBytes reads an amount of bytes. K, M, G, T are powers of 1024, as are
// KiB … TiB; KB … TB are powers of 1000.
func ParseBytes(s string) (Bytes, error) {
	t := strings.TrimSpace(s)
	end := len(t)
	for end > 0 && (t[end-1] < '0' || t[end-1] > '9') && t[end-1] != '.' {
		end--
	}
	scale, ok := suffixes[strings.ToUpper(strings.TrimSpace(t[end:]))]
	n, err := strconv.ParseFloat(t[:end], 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a number of bytes: write 1500, 64KiB, 10MB or 1GiB", s)
	}
	n *= scale
	if n < 0 || n >= math.MaxInt64 || n != math.Trunc(n) {
		return 0, fmt.Errorf("%q is not a whole number of bytes, or too many", s)
	}
	return Bytes(n), nil
}

// String writes b with the largest binary unit that leaves no more than one
// decimal.
func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.size {
			s := strconv.FormatFloat(float64(b)/float64(u.size), 'f', 1, 64)
			return strings.TrimSuffix(s, ".0") + " " + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + " B"
}

// Set implements pflag.Value.
func (b *Bytes) Set(s string) (err error) {
	*b, err = ParseBytes(s)
	return err
}

// Type implements pflag.Value.
func (*Bytes) Type() string { return "bytes" }

// Fraction is a share of a whole. It is a flag value: "5%" or "0.05".
type Fraction float64

// ParseFraction reads "5%" or "0.05".
func ParseFraction(s string) (Fraction, error) {
	t, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if percent {
		f /= 100
	}
	if err != nil || math.IsNaN(f) || f < 0 || f > 1 {
		return 0, fmt.Errorf("%q is not a share: write 5%% or 0.05", s)
	}
	return Fraction(f), nil
}

// String writes f in percent.
func (f Fraction) String() string {
	return strconv.FormatFloat(math.Round(float64(f)*1e6)/1e4, 'f', -1, 64) + "%"
}

// Set implements pflag.Value.
func (f *Fraction) Set(s string) (err error) {
	*f, err = ParseFraction(s)
	return err
}

// Type implements pflag.Value.
func (*Fraction) Type() string { return "share" }

// Rate writes bits per second with a decimal unit.
func Rate(bitsPerSecond float64) string {
	return decimal(bitsPerSecond) + "bit/s"
}

// PerSecond writes a plain rate with a decimal unit.
func PerSecond(n float64) string { return decimal(n) + "/s" }

func decimal(v float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}} {
		if v >= u.size {
			return three(v/u.size) + " " + u.name
		}
	}
	return three(v) + " "
}

func three(v float64) string {
	digits := 2
	switch {
	case v >= 100:
		digits = 0
	case v >= 10:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// Duration writes d with three significant digits or so.
func Duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return three(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return three(float64(d)/1e6) + " ms"
	}
	return three(float64(d)/1e3) + " µs"
}

// Count writes n with separators: 1,234,567.
func Count[T int | int64 | uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
