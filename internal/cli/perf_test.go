package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func perfServer(t *testing.T, args ...string) (*proc, string) {
	t.Helper()
	encap := udpFlag(freeUDP(t))
	p := startWith(t, strings.NewReader(""), append([]string{"perf", "server", "127.0.0.1:5201", encap}, args...)...)
	sees(t, p.errs, "listening at 127.0.0.1:5201")
	return p, encap
}

type perfResult struct {
	Start struct {
		Transport, Mode         string
		Size, Streams, Parallel int
	}
	Intervals []struct {
		Start, End float64
		Bytes      int64
		Rate       float64 `json:"bits_per_second"`
	}
	End struct {
		Sent     struct{ Messages, Bytes int64 }
		Received *struct {
			Messages, Bytes int64
			Rate            float64 `json:"bits_per_second"`
		}
		Latency *struct {
			Count int
			P50   float64 `json:"p50_us"`
			P99   float64 `json:"p99_us"`
		}
	}
}

func TestPerf(t *testing.T) {
	_, encap := perfServer(t)
	for _, tc := range []struct {
		flags    string
		mode     string
		size     int
		parallel int
	}{
		{"-t 0.3 -i 0.1", "bulk", 65536, 1},
		{"-t 0.3 -i 0.1 --size 100 --nodelay --streams 4 --unordered -P 3", "bulk", 100, 3},
		{"-t 300ms -i 100ms --rr", "rr", 100, 1},
	} {
		args := append([]string{"perf", "client", "127.0.0.1", encap, "--json"}, strings.Fields(tc.flags)...)
		code, out, errs := run(t, args...)
		var r perfResult
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || strings.Count(out, "\n") != 1 {
			t.Fatalf("%s: exit status %d, %v: %s%s", tc.flags, code, err, out, errs)
		}
		if r.Start.Mode != tc.mode || r.Start.Transport != "udp" || r.Start.Size != tc.size || r.Start.Parallel != tc.parallel {
			t.Errorf("%s: start %+v", tc.flags, r.Start)
		}
		if len(r.Intervals) == 0 || r.Intervals[0].Bytes == 0 || r.Intervals[0].Rate == 0 {
			t.Errorf("%s: intervals %+v", tc.flags, r.Intervals)
		}
		sent := r.End.Sent
		if sent.Messages == 0 || sent.Bytes != sent.Messages*int64(tc.size) {
			t.Errorf("%s: sent %+v", tc.flags, sent)
		}
		if tc.mode == "rr" {
			if l := r.End.Latency; l == nil || int64(l.Count) != sent.Messages || l.P50 <= 0 || l.P99 < l.P50 {
				t.Errorf("%s: latency %+v", tc.flags, l)
			}
		} else if got := r.End.Received; got == nil || got.Messages != sent.Messages || got.Bytes != sent.Bytes || got.Rate <= 0 {
			t.Errorf("%s: sent %+v, received %+v", tc.flags, sent, got)
		}
	}
}

func TestPerfText(t *testing.T) {
	s, encap := perfServer(t, "--one-off")
	code, out, errs := run(t, "perf", "client", "127.0.0.1:5201", encap, "-t", "0.3", "-i", "0.1")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, errs)
	}
	for _, want := range []string{"interval", "[  1]   0.00-", "bit/s", "sent ", "received ", "handshake"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if code := s.wait(); code != 0 || !strings.Contains(s.out.String(), "received") {
		t.Errorf("server: exit status %d: %s%s", code, s.out, s.errs)
	}
}

func TestPerfAgainstSomethingElse(t *testing.T) {
	l, _, encap := listen(t, "--echo") // it says what it is told
	if code, _, errs := run(t, "perf", "client", "127.0.0.1:5000", encap, "-t", "1"); code != 1 || !strings.Contains(errs, "agree with the server") {
		t.Errorf("client: exit status %d: %s", code, errs)
	}
	if code := l.wait(); code != 1 {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
	s, encap := perfServer(t, "-1", "--json")
	c := startWith(t, strings.NewReader("hello"), "connect", encap, "127.0.0.1:5201")
	if code := s.wait(); code != 1 || !strings.Contains(s.out.String(), "does not speak") {
		t.Errorf("server: exit status %d: %s%s", code, s.out, s.errs)
	}
	c.wait()
}

func TestPerfInterrupted(t *testing.T) {
	s, encap := perfServer(t, "--one-off")
	c := startWith(t, strings.NewReader(""), "perf", "client", "127.0.0.1", encap, "-i", "0.1")
	sees(t, c.out, "[  1]")
	c.cancel()
	if code := c.wait(); code != 130 {
		t.Errorf("client: exit status %d: %s", code, c.errs)
	}
	if code := s.wait(); code != 1 || !strings.Contains(s.errs.String(), "aborted") {
		t.Errorf("server: exit status %d: %s", code, s.errs)
	}
}

// result is the object of a RESULT line.
func result(t *testing.T, p *proc) map[string]any {
	t.Helper()
	for _, l := range lines(p.out.String()) {
		if s, ok := strings.CutPrefix(l, "RESULT "); ok {
			m := map[string]any{}
			if err := json.Unmarshal([]byte(s), &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("no result in %q, %q", p.out, p.errs)
	return nil
}

// The flags, the lines and the keys are what runners of comparisons rely on.
func TestPerfPeer(t *testing.T) {
	for _, tc := range []struct {
		mode   string
		flags  string
		server []string // keys with numbers above 0
		client []string
	}{
		{"bulk", "--size 1400 --streams 16 --unordered --sndbuf 500000 --rcvbuf 500000 --mtu 1500", []string{"gbps", "msgs_per_s", "secs", "msgs"}, []string{"gbps"}},
		{"rate", "--size 100 --nodelay", []string{"gbps", "msgs_per_s", "secs"}, []string{"msgs_per_s"}},
		{"rr", "--nodelay", nil, []string{"ops_per_s", "p50_us", "p99_us"}},
		{"setup", "--conc 4", nil, []string{"ops_per_s", "p50_us", "p99_us"}},
		{"idle", "--count 200", []string{"assocs", "kib_per_assoc"}, []string{"assocs", "kib_per_assoc"}},
	} {
		t.Run(tc.mode, func(t *testing.T) {
			su, cu := strconv.Itoa(freeUDP(t)), strconv.Itoa(freeUDP(t))
			common := append(strings.Fields(tc.flags), "--mode", tc.mode, "--transport", "udp", "--duration", "0.3", "--port", "5001")
			s := startWith(t, strings.NewReader(""), append([]string{
				"perf", "peer", "server", "--local", "127.0.0.1", "--udp-port", su, "--udp-peer", cu,
			}, common...)...)
			sees(t, s.out, "READY\n")
			c := startWith(t, strings.NewReader(""), append([]string{
				"perf", "peer", "client", "--local", "127.0.0.1", "--remote", "127.0.0.1", "--udp-port", cu, "--udp-peer", su,
			}, common...)...)
			sees(t, c.out, "RESULT ")
			many := tc.mode == "setup" || tc.mode == "idle"
			if many {
				s.cancel() // as SIGTERM does
			}
			if code := s.wait(); code != 0 {
				t.Errorf("server: exit status %d: %s", code, s.errs)
			}
			c.cancel() // with idle it waits for that
			if code := c.wait(); code != 0 {
				t.Errorf("client: exit status %d: %s", code, c.errs)
			}
			for role, p := range map[string]*proc{"server": s, "client": c} {
				m := result(t, p)
				if m["role"] != role || m["mode"] != tc.mode || m["tool"] != "gosctp" || m["cpu_s"] == nil {
					t.Errorf("%s: %v", role, m)
				}
				keys := tc.server
				if role == "client" {
					keys = tc.client
				}
				for _, k := range keys {
					if v, ok := m[k].(float64); !ok || v <= 0 {
						t.Errorf("%s: %s is %v", role, k, m[k])
					}
				}
			}
			if tc.mode == "bulk" {
				if sent, got := result(t, c)["msgs"], result(t, s)["msgs"]; sent != got {
					t.Errorf("%v messages sent, %v received", sent, got)
				}
			}
		})
	}
}

func TestPeerByName(t *testing.T) {
	for _, name := range []string{"sctp-perf-peer", "/usr/bin/sctp-perf-peer", "sctp-perf-peer.exe"} {
		if got := fmt.Sprint(arguments([]string{name, "server", "--mode", "rr"})); got != "[perf peer server --mode rr]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := fmt.Sprint(arguments([]string{"./sctp", "demo"})); got != "[demo]" {
		t.Errorf("%s", got)
	}
}
