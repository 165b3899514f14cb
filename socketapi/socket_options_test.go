package socketapi_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport/mem"
)

// The defaults in docs/OPTIONS.md are those of the code.
func TestOptionsTable(t *testing.T) {
	text, err := os.ReadFile("../docs/OPTIONS.md")
	noErr(t, err)
	have := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) > 4 && strings.Contains(cells[1], "`") {
			have[strings.Trim(cells[1], " `")] = strings.Trim(cells[2], " ")
		}
	}
	var walk func(prefix string, v reflect.Value)
	n := 0
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), prefix+v.Type().Field(i).Name
			if f.Kind() == reflect.Struct {
				walk(name+".", f)
				continue
			}
			switch name { // only to be read
			case "Assoc.PeerAddrs", "Assoc.PeerRwnd", "Assoc.LocalRwnd", "DefaultSend.Assoc":
				continue
			}
			want := fmt.Sprint(f.Interface())
			if f.Kind() == reflect.Func {
				want = "NewReno"
			}
			if have[name] != want {
				t.Errorf("%s is %s, and in the table %q", name, want, have[name])
			}
			n++
		}
	}
	walk("", reflect.ValueOf(socketapi.DefaultOptions()))
	if n != len(have) {
		t.Errorf("%d options, and %d in the table", n, len(have))
	}
}

func TestOptionsValidate(t *testing.T) {
	for i, f := range []func(*socketapi.Options){
		func(o *socketapi.Options) { o.RTO.Min = o.RTO.Max + 1 },
		func(o *socketapi.Options) { o.Assoc.CookieLife = 0 },
		func(o *socketapi.Options) { o.Init.OutStreams = 0 },
		func(o *socketapi.Options) { o.Path.SackDelayTime = 501 * time.Millisecond },
		func(o *socketapi.Options) { o.Path.PathMTU = 511 },
		func(o *socketapi.Options) { o.MaxSegment = 463 },
		func(o *socketapi.Options) { o.MaxSegment = 65517 },
		func(o *socketapi.Options) { o.SendBuffer = 1 },
		func(o *socketapi.Options) { o.PartialDeliveryPoint = o.RecvBuffer/2 + 1 },
		func(o *socketapi.Options) { o.FragmentInterleave = 2 },
		func(o *socketapi.Options) { o.Scheduler = 1 },
		func(o *socketapi.Options) { o.DefaultSend.Flags = socketapi.SendAll },
		func(o *socketapi.Options) { o.Events = 1 << 14 },
	} {
		o := socketapi.DefaultOptions()
		noErr(t, o.Validate())
		f(&o)
		if err := o.Validate(); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Which ids an option takes: those marked F in one way, FCA in another.
func TestSocketOptionIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, cid, _ := crowd(t)
		rto := socketapi.RTOInfo{Initial: 2 * time.Second, Max: 9 * time.Second, Min: time.Second}
		for _, id := range []socketapi.AssocID{socketapi.CurrentAssoc, socketapi.AllAssocs, 99, -1} {
			wantErr(t, c.SetRTOInfo(id, rto), syscall.EINVAL)
			_, err := c.RTOInfo(id)
			wantErr(t, err, syscall.EINVAL)
			_, err = c.MaxBurst(id)
			wantErr(t, err, syscall.EINVAL)
			_, err = c.Status(id)
			wantErr(t, err, syscall.EINVAL)
		}
		get := func(id socketapi.AssocID) socketapi.RTOInfo {
			v, err := c.RTOInfo(id)
			noErr(t, err)
			return v
		}
		old := get(0)
		noErr(t, c.SetRTOInfo(cid, rto))
		if get(cid) != rto || get(0) != old {
			t.Errorf("%+v, %+v", get(cid), get(0))
		}
		noErr(t, c.SetRTOInfo(0, socketapi.RTOInfo{Max: 30 * time.Second}))
		if v := get(0); v.Max != 30*time.Second || v.Min != old.Min || get(cid) != rto {
			t.Errorf("%+v", v)
		}
		wantErr(t, c.SetRTOInfo(cid, socketapi.RTOInfo{Min: 10 * time.Second}), syscall.EINVAL)

		burst := func(id socketapi.AssocID) int {
			n, err := c.MaxBurst(id)
			noErr(t, err)
			return n
		}
		for i, id := range []socketapi.AssocID{0, 1, 2, cid} {
			noErr(t, c.SetMaxBurst(id, 10+i))
			want := [][2]int{{10, 4}, {10, 11}, {12, 12}, {12, 13}}[i]
			if got := [2]int{burst(0), burst(cid)}; got != want {
				t.Errorf("id %d: %v, want %v", id, got, want)
			}
		}
		wantErr(t, c.SetMaxBurst(99, 1), syscall.EINVAL)

		_, err := s.AssocIDs()
		noErr(t, err)
		one, _ := sockets(t)
		_, err = one.AssocIDs()
		wantErr(t, err, syscall.EOPNOTSUPP)
		_, err = one.AutoClose()
		wantErr(t, err, syscall.EOPNOTSUPP)
		wantErr(t, one.SetAutoClose(time.Second), syscall.EOPNOTSUPP)
		for _, id := range []socketapi.AssocID{0, 1, 2, 99} { // ignored
			noErr(t, one.SetRTOInfo(id, rto))
			st, err := one.Status(id)
			if err != nil || st.State != socketapi.Established {
				t.Errorf("%v, %v", st.State, err)
			}
		}
	})
}

func TestSocketOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, id, _ := crowd(t)
		noErr(t, c.SetNoDelay(true))
		noErr(t, c.SetMappedV4(false))
		noErr(t, c.SetFragmentInterleave(7))
		noErr(t, c.SetRecvRcvInfo(true))
		noErr(t, c.SetAutoClose(time.Minute))
		noErr(t, c.SetRemoteUDPEncapsPort(99))
		d, err := c.AutoClose()
		if !c.NoDelay() || c.MappedV4() || c.FragmentInterleave() != 1 || !c.RecvRcvInfo() || d != time.Minute || err != nil || c.RemoteUDPEncapsPort() != 99 {
			t.Error("not what was set")
		}
		noErr(t, c.SetDelayedSack(id, socketapi.DelayedSack{Delay: 100 * time.Millisecond, Freq: 4}))
		if v, err := c.DelayedSack(id); v != (socketapi.DelayedSack{Delay: 100 * time.Millisecond, Freq: 4}) || err != nil {
			t.Errorf("%+v, %v", v, err)
		}
		noErr(t, c.SetDelayedSack(id, socketapi.DelayedSack{Freq: 1}))
		if v, err := c.DelayedSack(id); v != (socketapi.DelayedSack{Freq: 1}) || err != nil {
			t.Errorf("%+v, %v", v, err)
		}
		wantErr(t, c.SetDelayedSack(id, socketapi.DelayedSack{Delay: time.Second}), syscall.EINVAL)
		wantErr(t, c.SetMaxSeg(id, 100), syscall.EINVAL)
		noErr(t, c.SetMaxSeg(id, 1000))
		if n, err := c.MaxSeg(id); n != 1000 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		wantErr(t, c.SetStreamScheduler(id, 1), syscall.EINVAL)
		noErr(t, c.SetStreamScheduler(id, socketapi.SchedRR))
		if v, err := c.StreamScheduler(id); v != socketapi.SchedRR || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		wantErr(t, c.SetPartialDeliveryPoint(1<<30), syscall.EINVAL)
		noErr(t, c.SetBuffers(1, 1<<20))
		if snd, rcv := c.Buffers(); snd != 4096 || rcv != 1<<20 {
			t.Errorf("%d, %d", snd, rcv)
		}
		wantErr(t, c.SetDefaultSend(id, socketapi.SendParams{Flags: socketapi.SendSackImmediately}), syscall.EINVAL)
		p, err := c.AssocParams(id)
		if err != nil || p.PeerAddrs != 1 || p.PeerRwnd != 1<<19 || p.LocalRwnd != 1<<19 || p.MaxRetransmits != 10 {
			t.Errorf("%+v, %v", p, err)
		}
		wantErr(t, c.SetPrimaryAddr(id, ap("10.0.0.9:5000")), syscall.EINVAL)
		noErr(t, c.SetPrimaryAddr(id, ap("10.0.0.2:5000")))
		if a, err := c.PrimaryAddr(id); a != ap("10.0.0.2:5000") || err != nil {
			t.Errorf("%v, %v", a, err)
		}
		if v, err := c.PeerAddrInfo(0, ap("10.0.0.2:5000")); v.State != "active" || err != nil {
			t.Errorf("%v, %v", v.State, err)
		}
		_, err = c.PeerAddrInfo(0, ap("10.0.0.2:5001"))
		wantErr(t, err, syscall.EINVAL)
		if n, err := c.FragmentPoint(id); n != 1000 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// Without a cmsg the defaults apply.
func TestSocketDefaultSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := sockets(t)
		noErr(t, c.SetDefaultSend(0, socketapi.SendParams{Stream: 5, PPID: 6, Flags: socketapi.SendUnordered}))
		put(t, c, "x", nil)
		put(t, c, "y", &socketapi.SendParams{})
		if r := read(t, s, "x"); r.Info.Stream != 5 || r.Info.PPID != 6 || !r.Info.Unordered {
			t.Errorf("%+v", r)
		}
		if r := read(t, s, "y"); r.Info.Stream != 0 || r.Info.PPID != 0 || r.Info.Unordered {
			t.Errorf("%+v", r)
		}
	})
}

// R-6.9-05: what does not fit a packet is refused.
func TestSocketDisableFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := sockets(t)
		most, err := c.FragmentPoint(0)
		noErr(t, err)
		put(t, c, strings.Repeat("a", most+1), nil)
		read(t, s, strings.Repeat("a", most+1))
		noErr(t, c.SetDisableFragments(true))
		_, err = c.TrySend(make([]byte, most+1), nil, nil, false)
		wantErr(t, err, syscall.EMSGSIZE)
		put(t, c, strings.Repeat("b", most), nil)
		read(t, s, strings.Repeat("b", most))
	})
}

func TestSocketAutoClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		s, c := server(t, hz, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
		noErr(t, c.SetAutoClose(10*time.Second))
		noErr(t, c.Subscribe(0, socketapi.Events(socketapi.EventAssocChange), true))
		id, err := c.Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		event(t, c, socketapi.EventAssocChange)
		for range 3 { // data keeps it open
			<-time.After(6 * time.Second)
			put(t, c, "x", &socketapi.SendParams{Assoc: id})
			r := read(t, s, "x")
			<-time.After(6 * time.Second)
			put(t, s, "y", &socketapi.SendParams{Assoc: r.Info.Assoc})
			read(t, c, "y")
		}
		start := time.Now()
		if e := event(t, c, socketapi.EventAssocChange); e.Change != socketapi.ShutdownComplete {
			t.Errorf("%+v", e)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestSocketSendAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		s := server(t, hz, socketapi.OneToMany)
		var c [3]*socketapi.Socket
		for i := range c {
			c[i] = socket(t, ha, socketapi.OneToMany)
			put(t, c[i], "hello", nil, ap("10.0.0.2:5000"))
			read(t, s, "hello")
		}
		put(t, s, "all", &socketapi.SendParams{Flags: socketapi.SendAll})
		for _, x := range c {
			read(t, x, "all")
		}
		_, err := s.TrySend(nil, nil, &socketapi.SendParams{Flags: socketapi.SendAll | socketapi.SendEOF}, false)
		noErr(t, err)
		synctest.Wait()
		if ids, _ := s.AssocIDs(); len(ids) != 0 {
			t.Errorf("%v are left", ids)
		}
	})
}

// A message may be sent in parts, and several held back to go together.
func TestSocketExplicitEOR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := hosts(t)
		l := server(t, hz, socketapi.OneToOne)
		c := socket(t, ha, socketapi.OneToOne)
		_, err := c.Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		s, _, err := l.Accept(bg)
		noErr(t, err)
		defer s.Close()
		noErr(t, c.SetExplicitEOR(true))
		put(t, c, "one ", nil)
		put(t, c, "message", nil)
		synctest.Wait()
		again(t, s)
		put(t, c, ".", &socketapi.SendParams{Flags: socketapi.SendEOR})
		read(t, s, "one message.")
		noErr(t, c.SetExplicitEOR(false))

		<-time.After(time.Second)
		packets := 0
		n.SetHook(func(src, _ netip.Addr, p []byte) bool {
			if chunk.Type(p[chunk.HeaderLen]) == chunk.TypeData {
				packets++
			}
			return true
		})
		for i, p := range []string{"a", "b", "c"} {
			_, err := c.TrySend([]byte(p), nil, nil, i < 2)
			noErr(t, err)
			synctest.Wait()
		}
		for _, p := range []string{"a", "b", "c"} {
			read(t, s, p)
		}
		if packets != 1 {
			t.Errorf("%d packets", packets)
		}
	})
}

func TestSocketAdaptation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		s, c := server(t, hz, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
		for i, x := range []*socketapi.Socket{s, c} {
			noErr(t, x.SetAdaptationLayer(uint32(0x01020304+i)))
			noErr(t, x.Subscribe(0, socketapi.Events(socketapi.EventAssocChange, socketapi.EventAdaptation), true))
		}
		_, err := c.Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		for i, x := range []*socketapi.Socket{c, s} {
			event(t, x, socketapi.EventAssocChange)
			if e := event(t, x, socketapi.EventAdaptation); e.Adaptation != uint32(0x01020304+i) {
				t.Errorf("%x", e.Adaptation)
			}
		}
	})
}

// mesh returns hosts with two addresses each.
func mesh(t testing.TB) (a, z *socketapi.Host, n *mem.Network) {
	t.Helper()
	la, lz := mem.NewPair(0)
	noErr(t, la.SetAddrs(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.1.1")))
	noErr(t, lz.SetAddrs(netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.1.2")))
	return newHost(t, la), newHost(t, lz), la.Network()
}

// Paths have parameters of their own, and data goes where it is wanted.
func TestSocketPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := mesh(t)
		s, c := socket(t, hz, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
		noErr(t, s.BindAdd(ap("10.0.0.2:5000"), ap("10.0.1.2:5000")))
		noErr(t, s.Listen(1))
		noErr(t, c.BindAdd(ap("10.0.0.1:6000"), ap("10.0.1.1:6000")))
		id, err := c.Connect(bg, ap("10.0.0.2:5000"), ap("10.0.1.2:5000"))
		noErr(t, err)
		second := ap("10.0.1.2:5000")
		if p, err := c.PeerAddrs(id); len(p) != 2 || p[1] != second || err != nil {
			t.Fatalf("%v, %v", p, err)
		}
		if l, err := c.LocalAddrs(id); len(l) != 2 || err != nil {
			t.Errorf("%v, %v", l, err)
		}
		<-time.After(time.Second)

		var mu sync.Mutex
		beats, data := map[netip.Addr]int{}, map[netip.Addr]int{}
		n.SetHook(func(_, dst netip.Addr, p []byte) bool {
			mu.Lock()
			defer mu.Unlock()
			switch chunk.Type(p[chunk.HeaderLen]) {
			case chunk.TypeHeartbeat:
				beats[dst]++
			case chunk.TypeData:
				data[dst]++
			}
			return true
		})
		v, err := c.PeerAddrParams(id, second)
		noErr(t, err)
		if v.HeartbeatInterval != 30*time.Second || !v.Heartbeat || v.MaxRetransmits != 5 {
			t.Errorf("%+v", v)
		}
		v.HeartbeatInterval, v.MaxRetransmits, v.PathMTUDiscovery = 2*time.Second, 3, false
		noErr(t, c.SetPeerAddrParams(id, second, v))
		if got, err := c.PeerAddrParams(id, second); got != v || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, v)
		}
		if got, _ := c.PeerAddrParams(id, ap("10.0.0.2:5000")); got.HeartbeatInterval != 30*time.Second || got.MaxRetransmits != 5 {
			t.Errorf("the other path has it too: %+v", got)
		}
		_, err = c.PeerAddrParams(id, ap("10.0.7.7:5000"))
		wantErr(t, err, syscall.EINVAL)
		<-time.After(20 * time.Second)
		count := func(m map[netip.Addr]int, a string) int {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			n := m[netip.MustParseAddr(a)]
			delete(m, netip.MustParseAddr(a))
			return n
		}
		if a, b := count(beats, "10.0.0.2"), count(beats, "10.0.1.2"); a > 1 || b < 4 {
			t.Errorf("%d and %d heartbeats", a, b)
		}
		v.Heartbeat = false
		noErr(t, c.SetPeerAddrParams(id, netip.AddrPort{}, v))
		<-time.After(20 * time.Second)
		if b := count(beats, "10.0.1.2"); b != 0 {
			t.Errorf("%d heartbeats after they were switched off", b)
		}
		noErr(t, c.Heartbeat(id, second))
		if b := count(beats, "10.0.1.2"); b != 1 {
			t.Errorf("%d heartbeats on demand", b)
		}

		put(t, c, "usual", &socketapi.SendParams{Assoc: id})
		r := read(t, s, "usual")
		if r.From != ap("10.0.0.1:6000") {
			t.Errorf("from %v", r.From)
		}
		put(t, c, "over", &socketapi.SendParams{Flags: socketapi.SendAddrOver}, second)
		read(t, s, "over")
		put(t, c, "no flag", nil, second)
		if r := read(t, s, "no flag"); r.From != ap("10.0.0.1:6000") {
			t.Errorf("from %v", r.From)
		}
		if a, b := count(data, "10.0.0.2"), count(data, "10.0.1.2"); a != 2 || b != 1 {
			t.Errorf("%d and %d packets", a, b)
		}
		if err := c.SetAssocParams(id, socketapi.AssocParams{MaxRetransmits: 50}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("more retransmissions than the paths have: %v", err)
		}
	})
}

func TestSocketExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, id, _ := crowd(t)
		for x := socketapi.ExtPartialReliability; x <= socketapi.ExtInterleaving; x++ {
			if on, err := c.Supported(id, x); on || err != nil {
				t.Errorf("%d: %v, %v", x, on, err)
			}
			wantErr(t, c.SetSupported(0, x, true), syscall.EPERM)
			wantErr(t, c.SetSupported(99, x, true), syscall.EINVAL)
		}
		noErr(t, c.SetSupported(0, socketapi.ExtAuthentication, false))
		wantErr(t, c.SetSupported(0, socketapi.ExtInterleaving, false), syscall.EPERM)
		wantErr(t, c.SetAuthChunk(0), syscall.EACCES)
		wantErr(t, c.SetAuthKey(socketapi.AllAssocs, 1, []byte("k")), syscall.EACCES)
		wantErr(t, c.SetAuthKey(99, 1, []byte("k")), syscall.EINVAL)
		_, err := c.HMACIdents()
		wantErr(t, err, syscall.EACCES)
		_, err = c.PeerAuthChunks(id)
		wantErr(t, err, syscall.EACCES)
		_, err = c.PeerAuthChunks(0)
		wantErr(t, err, syscall.EINVAL)
		wantErr(t, c.SetPeerPrimaryAddr(id, ap("10.0.0.1:0")), syscall.EPERM)
		wantErr(t, c.SetPeerPrimaryAddr(0, ap("10.0.0.1:0")), syscall.EINVAL)
		wantErr(t, c.SetAutoASCONF(true), syscall.EPERM) // bound to all
		wantErr(t, c.ResetAssoc(id), syscall.ENOPROTOOPT)
		wantErr(t, c.ResetStreams(id, true, false, nil), syscall.ENOPROTOOPT)
		wantErr(t, c.ResetStreams(id, false, false, nil), syscall.EINVAL)
		wantErr(t, c.AddStreams(id, 1, 0), syscall.ENOPROTOOPT)
		wantErr(t, c.AddStreams(0, 1, 0), syscall.EINVAL)
		_, _, err = c.PRStatus(id, socketapi.PRTTL)
		noErr(t, err)
		_, _, err = c.PRStatus(id, socketapi.PRNone)
		wantErr(t, err, syscall.EINVAL)
		_, _, err = c.PRStreamStatus(id, 10, socketapi.PRTTL)
		wantErr(t, err, syscall.EINVAL)
	})
}
