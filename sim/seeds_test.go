package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/cli/pcapng"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/stack"
)

const defaultSeeds = 300

var (
	seeds    = flag.Int("sim.seeds", defaultSeeds, "how many seeds TestSeeds runs")
	from     = flag.Uint64("sim.from", 1, "the first of them")
	oneSeed  = flag.Int64("sim.seed", -1, "run only this seed")
	oneFile  = flag.String("sim.scenario", "", "run only the scenario in this file, as a failing seed prints it")
	verbose  = flag.Bool("sim.trace", false, "with -sim.seed or -sim.scenario: print every step and packet")
	withPcap = flag.String("sim.pcap", "", "with -sim.seed or -sim.scenario: write the packets to this pcapng file")
	recordTo = flag.String("sim.record", "", "write recordings of a failing run, for sctp replay, to this `directory`; with -sim.seed or -sim.scenario of the run in any case")
	noShrink = flag.Bool("sim.noshrink", false, "do not look for a smaller scenario when a seed fails")
)

// A failing run is shrunk for no longer than this.
const (
	shrinkRuns = 3000
	shrinkTime = 2 * time.Minute
)

// TestSeeds runs random scenarios, by default few; make sim runs many. One
// that fails is made smaller and printed.
// R-6.4.1-01 R-8.2-02 R-8.2-04
func TestSeeds(t *testing.T) {
	if err := writable(*recordTo); err != nil {
		t.Fatalf("-sim.record: %v", err) // not only when a run has failed
	}
	if *oneSeed >= 0 || *oneFile != "" {
		one(t)
		return
	}
	start := time.Now()
	var total Result
	if raceEnabled && *seeds == defaultSeeds {
		*seeds /= 5
	}
	for i := range uint64(*seeds) {
		seed := *from + i
		s := Random(seed)
		r := Run(seed, s, Options{})
		if !report(t, seed, s, r) {
			t.Fatalf("stopped at seed %d, the first that fails", seed)
		}
		total.Packets += r.Packets
		total.Messages += r.Messages
		total.Bytes += r.Bytes
		total.Graceful += r.Graceful
		total.Ended += r.Ended
		total.Time += r.Time
		total.Counts.Add(r.Counts)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds in %v:\n%10d associations closed gracefully\n%10d ended otherwise\n%10d messages verified\n%10d MB in them\n%10d packets\n%10.0f hours of their time\n",
		*seeds, time.Since(start).Round(time.Millisecond), total.Graceful, total.Ended, total.Messages, total.Bytes>>20, total.Packets, total.Time.Seconds()/3600)
	for c, n := range total.Counts {
		fmt.Fprintf(&b, "%10d %v\n", n, Count(c))
		if n == 0 && *seeds >= defaultSeeds && *from == 1 {
			t.Errorf("no %v in %d seeds", Count(c), *seeds)
		}
	}
	t.Log(b.String())
}

// one runs a single scenario, to be looked at.
func one(t *testing.T) {
	seed := uint64(*oneSeed)
	var s Scenario
	if *oneFile != "" {
		var err error
		if seed, s, err = readScenario(*oneFile); err != nil {
			t.Fatal(err)
		}
	} else {
		s = Random(seed)
	}
	o := Options{}
	if *verbose {
		o.Trace = os.Stdout
		o.Tap = func(p Packet) { fmt.Println(p) }
	}
	if *withPcap != "" {
		f, err := os.Create(*withPcap)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := pcapng.New(f, "gosctp sim")
		if err != nil {
			t.Fatal(err)
		}
		print := o.Tap
		o.Tap = func(p Packet) {
			if print != nil {
				print(p)
			}
			// Lost packets are of interest too, so what counts is the sender.
			if !p.Arrived {
				w.Write(pcapng.Packet{Time: time.Unix(0, int64(p.At)), Src: p.Src, Dst: p.Dst, Data: p.Data})
			}
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	t.Logf("scenario:\n%s", s.Text(seed))
	r := recorded(t, seed, s, o, *recordTo)
	*recordTo = "" // this run is there
	report(t, seed, s, r)
}

// writable reports why no file can be made in dir; "" is no directory.
func writable(dir string) error {
	if dir == "" {
		return nil
	}
	f, err := os.CreateTemp(dir, "sim-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// recorded runs a scenario, and writes what each host did, between two boots,
// to a file in dir; "" for none.
func recorded(t *testing.T, seed uint64, s Scenario, o Options, dir string) Result {
	t.Helper()
	if dir == "" {
		return Run(seed, s, o)
	}
	var files []*record.Writer
	o.Record = func(host string, boot int) stack.Recorder {
		name := filepath.Join(dir, fmt.Sprintf("sim-%d-%s%d.sctplog", seed, host, boot))
		w, err := record.Create(name, record.Header{Program: fmt.Sprintf("sim, seed %d", seed), Host: host, Data: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("go run ./cmd/sctp replay %s", name)
		files = append(files, w)
		return w.Shard
	}
	r := Run(seed, s, o)
	for _, w := range files {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	return r
}

func readScenario(file string) (uint64, Scenario, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, Scenario{}, err
	}
	return ParseScenario(string(text))
}

// report fails the test if the run did, with the smallest scenario that does.
func report(t *testing.T, seed uint64, s Scenario, r Result) bool {
	t.Helper()
	if r.Err == nil {
		return true
	}
	t.Errorf("seed %d:\n%v\n\nThe last steps:\n%s\nAgain: go test ./sim -run 'TestSeeds$' -sim.seed=%d -sim.trace", seed, r.Err, r.Tail, seed)
	if *recordTo != "" {
		recorded(t, seed, s, Options{}, *recordTo)
	}
	if *noShrink {
		return false
	}
	end := time.Now().Add(shrinkTime)
	small, ok := Shrink(seed, s, Options{}, shrinkRuns, func() bool { return time.Now().After(end) })
	if !ok {
		t.Error("the same seed did not fail again: a run depends on something that is not in its scenario")
		return false
	}
	where := ""
	if f, err := os.CreateTemp("", fmt.Sprintf("sim-%d-*.txt", seed)); err == nil {
		fmt.Fprint(f, small)
		f.Close()
		where = f.Name()
	}
	t.Errorf("the smallest scenario that fails so:\n%s\n%v\n\nIts last steps:\n%s\nAgain: go test ./sim -run 'TestSeeds$' -sim.scenario=%s -sim.trace",
		small, small.Result.Err, small.Result.Tail, where)
	return false
}

// TestRecorded: a run that fails leaves recordings that play as it went, and
// recording changes nothing in it.
func TestRecorded(t *testing.T) {
	s, dir := Random(5), t.TempDir()
	o := Options{spoil: func(u *user, data []byte) []byte {
		if len(u.in.seen) > 2 {
			return append([]byte{1}, data...)
		}
		return data
	}}
	r, plain := recorded(t, 5, s, o, dir), Run(5, s, o)
	if r.Err == nil || r.Err.Error() != plain.Err.Error() || r.Sum != plain.Sum {
		t.Fatalf("%v, unlike %v", r.Err, plain.Err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "sim-5-*.sctplog"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		f, err := record.Open(name)
		if err != nil || f.Damage != "" {
			t.Fatalf("%v, %+v", err, f)
		}
		p := f.Player(nil)
		p.Congestion = Controllers[s.CC]
		for more := true; more; {
			if more, err = p.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if p.Calls < 3 {
			t.Errorf("%s: %d calls", name, p.Calls)
		}
	}
}

// Scenarios that found something once. Keep what a failing seed printed by
// putting it there.
func TestScenariosThatFailed(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			seed, s, err := readScenario(f)
			if err != nil {
				t.Fatal(err)
			}
			report(t, seed, s, Run(seed, s, Options{}))
		})
	}
}
