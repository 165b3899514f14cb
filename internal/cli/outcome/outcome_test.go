package outcome

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/gosctp/gosctp/transport"
)

func TestCode(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("x"), 1}, {ErrReported, 1}, {Usage("bad %d", 1), 2},
		{fmt.Errorf("flag: %w", Usage("x")), 2}, {ErrInterrupted, 130}, {fmt.Errorf("x: %w", context.Canceled), 130},
	} {
		if got := Code(tc.err); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestAdviceNamesTheCause(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{syscall.ECONNREFUSED, "nobody listens"}, {syscall.ETIMEDOUT, "firewalls"},
		{transport.ErrPrivilege, "--transport udp"}, {transport.ErrKernelSCTP, "sctp check"},
		{transport.ErrPortInUse, "port"}, {syscall.ENETUNREACH, "route"}, {syscall.EADDRNOTAVAIL, "local address"},
	} {
		if got := Advice(fmt.Errorf("dial: %w", tc.err)); !strings.Contains(got, tc.want) {
			t.Errorf("%v: %q does not say %q", tc.err, got, tc.want)
		}
	}
	if got := Brief(fmt.Errorf("open: %w: long story", transport.ErrPrivilege)); got != "this process lacks CAP_NET_RAW" {
		t.Errorf("in brief: %q", got)
	}
	if got := Advice(errors.New("x")); got != "" {
		t.Errorf("advice about nothing: %q", got)
	}
}
