package socketapi_test

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/gosctp/gosctp/socketapi"
)

// TestSendFailed: what the peer did not acknowledge comes back when the
// association ends, in the order of sending, as it was sent, before the end is
// told (RFC 6458 section 6.1.11; R-8.1-05).
func TestSendFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := hosts(t)
		l := listen(t, hz, ":5000", nil)
		a := dial(t, ha, "10.0.0.2:5000", &socketapi.Config{MaxRetransmits: 1})
		z := accept(t, l)
		send(t, a, 0, "arrives")
		want(t, z, "arrives")
		synctest.Wait()
		var got []string
		a.OnNotification(func(x socketapi.Notification) {
			switch x.Kind {
			case socketapi.SendFailed:
				got = append(got, fmt.Sprintf("%+v sent %t, %d bytes %.9q, cause %d", x.Send, x.Sent, len(x.Data), x.Data, x.Cause))
			case socketapi.AssocChanged:
				got = append(got, fmt.Sprint(x.Change))
			}
		})
		n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
		infos := []socketapi.SendInfo{
			{Stream: 1, PPID: 7, Context: 11},
			{Stream: 2, PPID: 8, Context: 0xffffffff, Unordered: true},
			{Stream: 3, PPID: 9, Context: 13, Immediate: true},
		}
		for i, info := range infos {
			p := []byte(fmt.Sprintf("message %d", i))
			if i == 1 {
				p = append(p, make([]byte, 20000)...) // more than the window takes
			}
			if _, err := a.SendMsg(info, p); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		for err == nil {
			_, err = a.Read(make([]byte, 10))
		}
		wantErr(t, err, syscall.ETIMEDOUT)
		want := []string{
			"COMM_UP",
			`{Stream:1 PPID:7 Unordered:false Immediate:false Context:11} sent true, 9 bytes "message 0", cause 0`,
			`{Stream:2 PPID:8 Unordered:true Immediate:false Context:4294967295} sent true, 20009 bytes "message 1", cause 0`,
			`{Stream:3 PPID:9 Unordered:false Immediate:true Context:13} sent false, 9 bytes "message 2", cause 0`,
			"COMM_LOST",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got\n%q, want\n%q", got, want)
		}
		if b := ha.Stats().Buffers; b != 0 {
			t.Errorf("%d buffers left", b)
		}
	})
}

// TestSendFailedUnasked: without OnNotification, and after Close, what fails is
// dropped, and nothing is kept of it.
func TestSendFailedUnasked(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprint(closed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ha, hz, n := hosts(t)
				l := listen(t, hz, ":5000", nil)
				a := dial(t, ha, "10.0.0.2:5000", nil)
				z := accept(t, l)
				if closed {
					a.OnNotification(func(x socketapi.Notification) { t.Error(x) })
				}
				n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
				for range 50 {
					send(t, a, 0, string(make([]byte, 1000)))
				}
				if closed {
					a.Close()
				}
				a.Abort("")
				synctest.Wait()
				if b := ha.Stats().Buffers; b != 0 {
					t.Errorf("%d buffers left", b)
				}
				z.Abort("")
			})
		})
	}
}
