package units

import (
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Bytes
		ok   bool
	}{
		{"0", 0, true}, {"1500", 1500, true}, {"64MiB", 64 << 20, true}, {"64mib", 64 << 20, true},
		{"64M", 64 << 20, true}, {"1.5k", 1536, true}, {"10MB", 10e6, true}, {"1 GiB", 1 << 30, true},
		{"2T", 2 << 40, true}, {" 7 B ", 7, true},
		{"", 0, false}, {"MiB", 0, false}, {"-1", 0, false}, {"1.5", 0, false}, {"12 parsecs", 0, false},
		{"1e30", 0, false}, {"0x10", 0, false}, {"NaN", 0, false}, {"9999999999T", 0, false},
	} {
		var b Bytes
		if err := b.Set(tc.in); (err == nil) != tc.ok || b != tc.want {
			t.Errorf("%q: %d, %v; want %d, ok %v", tc.in, b, err, tc.want, tc.ok)
		}
	}
}

func TestParseFraction(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Fraction
		ok   bool
	}{
		{"5%", 0.05, true}, {"0.05", 0.05, true}, {"0", 0, true}, {"100%", 1, true}, {"0.5 %", 0.005, true},
		{"5", 0, false}, {"-1%", 0, false}, {"101%", 0, false}, {"", 0, false}, {"%", 0, false}, {"NaN", 0, false},
	} {
		var f Fraction
		err := f.Set(tc.in)
		if (err == nil) != tc.ok || f-tc.want > 1e-12 || tc.want-f > 1e-12 {
			t.Errorf("%q: %v, %v; want %v, ok %v", tc.in, f, err, tc.want, tc.ok)
		}
	}
}

func TestWrite(t *testing.T) {
	for _, tc := range [][2]string{
		{Bytes(64 << 20).String(), "64 MiB"}, {Bytes(1536).String(), "1.5 KiB"}, {Bytes(12).String(), "12 B"},
		{Fraction(0.05).String(), "5%"}, {Fraction(0.0125).String(), "1.25%"}, {Fraction(0).String(), "0%"},
		{Rate(9.41e9), "9.41 Gbit/s"}, {Rate(123e6), "123 Mbit/s"}, {Rate(999), "999 bit/s"},
		{PerSecond(12345), "12.3 k/s"},
		{Duration(1234 * time.Microsecond), "1.23 ms"}, {Duration(45 * time.Microsecond), "45.0 µs"}, {Duration(2 * time.Second), "2.00 s"},
		{Count(1234567), "1,234,567"}, {Count(-1234), "-1,234"}, {Count(-123), "-123"}, {Count(uint64(999)), "999"},
	} {
		if tc[0] != tc[1] {
			t.Errorf("got %q, want %q", tc[0], tc[1])
		}
	}
}
