package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"golang.org/x/sys/unix"
)

// inNamespace runs f in a network namespace of its own, whose loopback
// interface is up. The links that f opens belong to it. An error of f's is why
// the test cannot be made here.
func inNamespace(t *testing.T, f func() (skip error)) {
	t.Helper()
	var skip error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			skip = fmt.Errorf("needs a network namespace, which takes root: unshare: %w", err)
			return
		}
		if err := loopbackUp(); err != nil {
			t.Error(err)
			return
		}
		skip = f()
	}()
	<-done
	if skip != nil {
		t.Skip(skip)
	}
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// Of a host that was not told its UDP port, a server is at 9899, and dials from
// there; a client is anywhere.
func TestUDPPorts(t *testing.T) {
	inNamespace(t, func() error {
		mk := func() *socketapi.Host {
			h, err := socketapi.NewHost(socketapi.HostConfig{Transport: socketapi.UDP})
			if err != nil {
				t.Error(err)
				runtime.Goexit()
			}
			return h
		}
		server, client := mk(), mk()
		defer server.Close()
		defer client.Close()
		check(t, server, client, "127.0.0.1")
		check(t, server, client, "[::1]")
		if server.UDPPort() != 9899 || client.UDPPort() == 9899 || client.UDPPort() == 0 {
			t.Error(server.UDPPort(), client.UDPPort())
		}
		_, err := client.Listen(":5001", nil)
		wantErr(t, err, transport.ErrPortInUse, syscall.EADDRINUSE)
		server.Close()
		// A host that has dialled can listen.
		check(t, client, client, "127.0.0.1")
		if client.UDPPort() != 9899 {
			t.Error(client.UDPPort())
		}
		return nil
	})
}

// check is talk for goroutines that are not the test's own.
func check(t *testing.T, server, client *socketapi.Host, ip string) {
	t.Helper()
	ctx := context.Background()
	l, err := server.Listen(ip+":5000", nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Close()
	c, err := client.Dial(ctx, ip+":5000", nil)
	if err != nil {
		t.Error(err)
		return
	}
	z, err := l.AcceptSCTP(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	text := strings.Repeat("some text ", 20000)
	go c.Write([]byte(text))
	p := make([]byte, len(text)+1)
	n, info, err := z.RecvMsg(p)
	if err != nil || !info.EOR || string(p[:n]) != text {
		t.Errorf("%d bytes, %+v, %v", n, info, err)
	}
	if err := c.CloseWait(ctx); err != nil {
		t.Error(err)
	}
	if err := z.CloseWait(ctx); err != nil {
		t.Error(err)
	}
}

func TestRawIPHost(t *testing.T) {
	inNamespace(t, func() error {
		for _, kind := range []socketapi.Transport{socketapi.RawIP, socketapi.Auto} {
			one, err := socketapi.NewHost(socketapi.HostConfig{Transport: kind})
			if errors.Is(err, transport.ErrKernelSCTP) {
				return err
			}
			if err != nil {
				t.Error(err)
				return nil
			}
			// Being watched makes no difference to the ports.
			two, err := socketapi.NewHost(socketapi.HostConfig{Transport: kind, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return nil
			}
			if one.Transport() != "rawip" || one.UDPPort() != 0 || (one.Why() == "asked for") != (kind == socketapi.RawIP) {
				t.Error(one.Transport(), one.Why())
			}
			check(t, one, two, "127.0.0.1")
			check(t, two, one, "[::1]")
			check(t, one, one, "127.0.0.1")
			l, err := one.Listen(":5000", nil)
			if err != nil {
				t.Error(err)
				return nil
			}
			_, err = two.Listen(":5000", nil)
			wantErr(t, err, syscall.EADDRINUSE)
			l.Close()
			_, err = two.Dial(context.Background(), "127.0.0.1:5000", nil)
			wantErr(t, err, syscall.ECONNREFUSED)
			one.Close()
			two.Close()
		}
		return nil
	})
}

// The shared host is made when it is wanted, and again after it was closed.
func TestDefaultHost(t *testing.T) {
	inNamespace(t, func() error {
		for range 2 {
			l, err := socketapi.Listen("127.0.0.1:5000", nil)
			if err != nil {
				t.Error(err)
				return nil
			}
			c, err := socketapi.Dial(context.Background(), "127.0.0.1:5000", nil)
			if err != nil {
				t.Error(err)
				return nil
			}
			if _, err := l.Accept(); err != nil {
				t.Error(err)
			}
			h, err := socketapi.DefaultHost()
			if err != nil {
				t.Error(err)
				return nil
			}
			if n := h.Stats().Associations; n != 2 {
				t.Errorf("%d associations", n)
			}
			h.Close()
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("reading goes on")
			}
		}
		return nil
	})
}

// Without the privilege for raw sockets Auto takes UDP and says why; RawIP
// fails and says what to do.
func TestAutoWithoutPrivilege(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread has no privilege any more
		if err := dropRaw(); err != nil {
			t.Error(err)
			return
		}
		_, err := socketapi.NewHost(socketapi.HostConfig{Transport: socketapi.RawIP})
		if errors.Is(err, transport.ErrKernelSCTP) {
			t.Log(err)
			return
		}
		wantErr(t, err, transport.ErrPrivilege, os.ErrPermission)

		var log strings.Builder
		h, err := socketapi.NewHost(socketapi.HostConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Error(err)
			return
		}
		defer h.Close()
		if h.Transport() != "udp" || !strings.Contains(h.Why(), "CAP_NET_RAW") || !strings.Contains(log.String(), "CAP_NET_RAW") {
			t.Errorf("%s, %s, log %q", h.Transport(), h.Why(), log.String())
		}
	}()
	<-done
}

// dropRaw takes CAP_NET_RAW from this thread.
func dropRaw() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_NET_RAW
	data[0].Permitted &^= 1 << unix.CAP_NET_RAW
	return unix.Capset(&hdr, &data[0])
}
