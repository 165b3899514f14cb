package sim

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/cli/pcapng"
)

const defaultSeeds = 250

var (
	seeds    = flag.Int("sim.seeds", defaultSeeds, "how many seeds TestSeeds runs")
	from     = flag.Uint64("sim.from", 1, "the first of them")
	oneSeed  = flag.Int64("sim.seed", -1, "run only this seed")
	verbose  = flag.Bool("sim.trace", false, "with -sim.seed: print every step and packet")
	withPcap = flag.String("sim.pcap", "", "with -sim.seed: write the packets to this pcapng file")
)

func TestSeeds(t *testing.T) {
	if *oneSeed >= 0 {
		seed := uint64(*oneSeed)
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
		s := Random(seed)
		t.Logf("scenario: %+v", s)
		report(t, seed, Run(seed, s, o))
		return
	}
	start := time.Now()
	var total Result
	if raceEnabled && *seeds == defaultSeeds {
		*seeds /= 5
	}
	for i := range uint64(*seeds) {
		r := Run(*from+i, Random(*from+i), Options{})
		if !report(t, *from+i, r) {
			t.Fatal("stopped at the first seed that fails")
		}
		total.Packets += r.Packets
		total.Messages += r.Messages
		total.Bytes += r.Bytes
		total.Graceful += r.Graceful
		total.Ended += r.Ended
		total.Time += r.Time
	}
	t.Logf("%d seeds in %v: %d associations closed gracefully, %d ended otherwise, %d messages of %d MB verified, %d packets, %.0f hours of their time",
		*seeds, time.Since(start).Round(time.Millisecond), total.Graceful, total.Ended, total.Messages, total.Bytes>>20, total.Packets, total.Time.Seconds()/3600)
}

func report(t *testing.T, seed uint64, r Result) bool {
	t.Helper()
	if r.Err == nil {
		return true
	}
	t.Errorf("seed %d:\n%v\n\nThe last steps:\n%s\nAgain: go test ./sim -run TestSeeds -sim.seed=%d -sim.trace", seed, r.Err, r.Tail, seed)
	return false
}
