package socketapi_test

import (
	"testing"

	"github.com/gosctp/gosctp/socketapi"
)

// Messages cost no allocation in steady state, in either direction, with the
// blocking and waking that it takes.
func TestNoAllocsPerMessage(t *testing.T) {
	for _, size := range []int{100, 1400, 5000} {
		a, z, _ := pair(t, &socketapi.Config{NoDelay: true})
		p := make([]byte, size)
		go func() {
			q := make([]byte, size)
			for {
				n, info, err := z.RecvMsg(q)
				if err != nil {
					return
				}
				if _, err := z.SendMsg(socketapi.SendInfo{Stream: info.Stream, PPID: info.PPID}, q[:n]); err != nil {
					return
				}
			}
		}()
		// A round trip in lockstep: each side waits for the other.
		trip := func() {
			if _, err := a.SendMsg(socketapi.SendInfo{Stream: 1}, p); err != nil {
				t.Fatal(err)
			}
			if n, _, err := a.RecvMsg(p); n != size || err != nil {
				t.Fatal(n, err)
			}
		}
		// Several in flight, so that buffers fill and lists grow.
		burst := func() {
			const n = 200
			done := make(chan struct{})
			go func() {
				for range n {
					if _, _, err := a.RecvMsg(p); err != nil {
						t.Error(err)
					}
				}
				close(done)
			}()
			out := make([]byte, size)
			for range n {
				if _, err := a.SendMsg(socketapi.SendInfo{Stream: 1}, out); err != nil {
					t.Error(err)
				}
			}
			<-done
		}
		for range 15 {
			burst()
		}
		for range 500 {
			trip()
		}
		if n := testing.AllocsPerRun(500, trip); n != 0 {
			t.Errorf("%d bytes: %v allocations for two messages in lockstep", size, n)
		}
		// The goroutine, the channel and the buffer are the test's own; pools
		// may still grow with a burst that is deeper than those before.
		if n := testing.AllocsPerRun(20, burst); n > 40 {
			t.Errorf("%d bytes: %v allocations for 400 messages", size, n)
		}
		a.Abort("")
	}
}
