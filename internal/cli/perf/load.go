package perf

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/gosctp/gosctp/socketapi"
)

// checkEvery is how many messages are sent or received between two looks at
// the clock.
const checkEvery = 16

// counter counts messages and bytes; another goroutine may read it.
type counter struct{ messages, bytes atomic.Int64 }

// sample is a counter at a time.
type sample struct {
	at              time.Time
	messages, bytes int64
}

func (c *counter) sample() sample {
	return sample{time.Now(), c.messages.Load(), c.bytes.Load()}
}

// load says what is sent.
type load struct {
	size      int
	streams   int
	unordered bool
	count     int64 // messages; 0 means until the end of time
}

// send sends messages of one size, round-robin over the streams, until end.
func (l *load) send(c *socketapi.Conn, end time.Time, n *counter) error {
	msg := make([]byte, l.size)
	info := socketapi.SendInfo{Unordered: l.unordered}
	for {
		for range checkEvery {
			if _, err := c.SendMsg(info, msg); err != nil {
				return err
			}
			if info.Stream++; int(info.Stream) == l.streams {
				info.Stream = 0
			}
			n.bytes.Add(int64(l.size))
			if n.messages.Add(1) == l.count {
				return nil
			}
		}
		if !time.Now().Before(end) {
			return nil
		}
	}
}

// span is what was received between the first message and the last one that
// the clock was looked at for: no more than checkEvery before the very last.
type span struct {
	first, last     time.Time
	messages, bytes int64 // in that time, the first message not included
	total           sample
}

func (s *span) seconds() float64 { return s.last.Sub(s.first).Seconds() }

func (s *span) bitsPerSecond() float64 { return rate(float64(s.bytes)*8, s.seconds()) }

func (s *span) messagesPerSecond() float64 { return rate(float64(s.messages), s.seconds()) }

func rate(n, secs float64) float64 {
	if secs <= 0 {
		return 0
	}
	return n / secs
}

// receive counts messages until the association ends gracefully, or control
// says that it is enough. It is asked after each message, and gets those with
// the payload protocol identifier of control messages; p is nil for others.
func receive(c *socketapi.Conn, n *counter, control func(info socketapi.RecvInfo, p []byte) (bool, error)) (span, error) {
	var s span
	var messages, bytes, firstBytes int64
	buf := make([]byte, 1<<20)
	for {
		k, info, err := c.RecvMsg(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, err
		}
		if info.PPID == ppidControl && control != nil {
			done, err := control(info, buf[:k])
			if err != nil {
				return s, err
			}
			if done {
				break
			}
			continue
		}
		bytes += int64(k)
		n.bytes.Add(int64(k))
		if !info.EOR {
			continue
		}
		messages++
		n.messages.Add(1)
		switch {
		case messages == 1:
			s.first, firstBytes = time.Now(), bytes
			s.last = s.first
		case messages%checkEvery == 0 || s.last == s.first:
			s.last = time.Now()
			s.messages, s.bytes = messages-1, bytes-firstBytes
		}
		if control != nil {
			if done, err := control(info, nil); err != nil || done {
				s.total = sample{s.last, messages, bytes}
				return s, err
			}
		}
	}
	s.total = sample{s.last, messages, bytes}
	return s, nil
}

// echo sends each message back until the association ends gracefully.
func echo(c *socketapi.Conn) (int64, error) {
	buf := make([]byte, 1<<20)
	var n int64
	have := 0
	for {
		k, info, err := c.RecvMsg(buf[have:])
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if have += k; !info.EOR {
			if have == len(buf) {
				return n, errors.New("a message is too large to echo")
			}
			continue
		}
		back := socketapi.SendInfo{Stream: info.Stream, PPID: info.PPID, Unordered: info.Unordered}
		if _, err := c.SendMsg(back, buf[:have]); err != nil {
			return n, err
		}
		have = 0
		n++
	}
}

// pingPong sends a message, waits for its echo, and again, until end. It
// appends how long each took to lat.
func (l *load) pingPong(c *socketapi.Conn, end time.Time, n *counter, lat []time.Duration) ([]time.Duration, error) {
	msg, buf := make([]byte, l.size), make([]byte, l.size)
	for {
		start := time.Now()
		if !start.Before(end) {
			return lat, nil
		}
		if _, err := c.SendMsg(socketapi.SendInfo{Unordered: l.unordered}, msg); err != nil {
			return lat, err
		}
		for have := 0; ; {
			k, info, err := c.RecvMsg(buf[have:])
			if err != nil {
				return lat, err
			}
			if have += k; info.EOR {
				if have != l.size {
					return lat, errors.New("the echo has another size than what was sent")
				}
				break
			}
			if have == len(buf) {
				return lat, errors.New("the echo is larger than what was sent")
			}
		}
		lat = append(lat, time.Since(start))
		n.bytes.Add(int64(l.size))
		if n.messages.Add(1) == l.count {
			return lat, nil
		}
	}
}

// latencies are the usual percentiles.
type latencies struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
	Mean  float64 `json:"mean_us"`
}

// percentiles sorts lat.
func percentiles(lat []time.Duration) latencies {
	n := len(lat)
	if n == 0 {
		return latencies{}
	}
	slices.Sort(lat)
	at := func(i int) float64 { return float64(lat[min(i, n-1)].Nanoseconds()) / 1e3 }
	var sum time.Duration
	for _, d := range lat {
		sum += d
	}
	return latencies{
		Count: n, P50: at(n / 2), P90: at(n * 9 / 10), P99: at(n * 99 / 100), P999: at(n * 999 / 1000),
		Max: at(n - 1), Mean: float64(sum.Nanoseconds()) / float64(n) / 1e3,
	}
}

func us(v float64) string { return units.Duration(time.Duration(v * 1e3)) }
