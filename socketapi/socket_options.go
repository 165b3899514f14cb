package socketapi

import (
	"slices"
	"time"

	"github.com/gosctp/gosctp/stack/tcb"
)

// Options of sockets and associations (RFC 6458 section 8). Where one takes an
// id, 0 is the socket's default for associations to come, and on a one-to-one
// socket any id is its association's, if there is one. An id that names no
// association gives EINVAL. Those that say so take CurrentAssoc and AllAssocs
// too, to set.

// get reads an option that associations have of their own.
func get[T any](s *Socket, id AssocID, def func(*Options) T, of func(*member) T) (T, error) {
	var zero T
	if err := s.enter(); err != nil {
		return zero, err
	}
	defer s.mu.Unlock()
	if m := s.find(id); m != nil {
		return of(m), nil
	}
	if s.style == OneToMany && id != FutureAssoc {
		return zero, errNoAssoc
	}
	return def(&s.opt), nil
}

// setDefault changes the socket's own options, with mu.
func (s *Socket) setDefault(f func(*Options)) error {
	o := s.opt
	f(&o)
	if err := o.Validate(); err != nil {
		return err
	}
	s.opt = o
	if s.ep != nil {
		s.ep.SetConfig(o.tcb())
	}
	return nil
}

// set is setDefault for those that have no id.
func (s *Socket) set(f func(*Options)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.setDefault(f)
}

// setF sets an option of one association, or the default; with mu.
func (s *Socket) setF(id AssocID, def func(*Options), of func(*member) error) error {
	if m := s.find(id); m != nil {
		return of(m)
	}
	if s.style == OneToMany && id != FutureAssoc {
		return errNoAssoc
	}
	return s.setDefault(def)
}

// setFCA is setF that takes CurrentAssoc and AllAssocs.
func (s *Socket) setFCA(id AssocID, def func(*Options), of func(*member) error) error {
	if s.tcp() && s.find(id) == nil {
		id = FutureAssoc
	}
	if s.find(id) != nil || id != CurrentAssoc && id != AllAssocs {
		return s.setF(id, def, of)
	}
	if id == AllAssocs {
		if err := s.setDefault(def); err != nil {
			return err
		}
	}
	for _, each := range s.ids() {
		if err := of(s.members[each]); err != nil {
			return err
		}
	}
	return nil
}

// change is setF or setFCA of a parameter that the stack has. o changes the
// options; those that an association has are made the same.
func (s *Socket) change(id AssocID, all bool, o func(*Options)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	set := s.setF
	if all {
		set = s.setFCA
	}
	return set(id, o, func(m *member) error { return s.reconfigure(m, o) })
}

// reconfigure changes the options of one association.
func (s *Socket) reconfigure(m *member, f func(*Options)) error {
	o := s.optionsOf(m)
	f(&o)
	if err := o.Validate(); err != nil {
		return err
	}
	if err := m.a.Reconfigure(o.fill); err != nil {
		return errNoAssoc
	}
	m.whole, m.ctx, m.send = o.DisableFragments, o.Context, o.DefaultSend
	return nil
}

// optionsOf returns the options that an association has.
func (s *Socket) optionsOf(m *member) Options {
	c := m.a.Config()
	o := s.opt
	o.RTO = RTOInfo{c.RTOInitial.Std(), c.RTOMax.Std(), c.RTOMin.Std()}
	o.Assoc = AssocParams{MaxRetransmits: c.AssocMaxRetrans, CookieLife: c.ValidCookieLife.Std()}
	o.Init.MaxAttempts, o.Init.MaxTimeout = uint16(c.MaxInitRetransmits), c.MaxInitTimeout.Std()
	if c.HBInterval == 0 {
		o.Path.Heartbeat = false
	} else {
		o.Path.Heartbeat, o.Path.HeartbeatInterval = true, c.HBInterval.Std()
	}
	o.Path.MaxRetransmits = c.PathMaxRetrans
	o.Path.PathMTUDiscovery, o.Path.PathMTU = c.PMTUDiscovery, c.PathMTU
	if c.SackDelay == 0 {
		o.Path.SackDelay = false
	} else {
		o.Path.SackDelay, o.Path.SackDelayTime = true, c.SackDelay.Std()
	}
	o.SackFreq, o.MaxBurst, o.NoDelay = max(c.SackFreq, 1), c.MaxBurst, c.NoDelay
	o.AutoClose, o.MaxSegment = c.AutoClose.Std(), c.MaxSegment
	o.PartialDeliveryPoint, o.ProbeTimeout = c.PartialPoint, c.ProbeTimeout.Std()
	o.Scheduler = SchedFCFS
	if c.RoundRobin {
		o.Scheduler = SchedRR
	}
	o.DisableFragments, o.Context, o.DefaultSend, o.Events = m.whole, m.ctx, m.send, m.events
	return o
}

// read is get of a parameter that the stack has.
func read[T any](s *Socket, id AssocID, f func(*Options) T) (T, error) {
	return get(s, id, f, func(m *member) T {
		o := s.optionsOf(m)
		return f(&o)
	})
}

// own reads an option that the socket alone has.
func own[T any](s *Socket, f func(*Options) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(&s.opt)
}

func pick[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}

// RTOInfo returns the bounds of the retransmission timeout.
func (s *Socket) RTOInfo(id AssocID) (RTOInfo, error) {
	return read(s, id, func(o *Options) RTOInfo { return o.RTO })
}

// SetRTOInfo sets them; 0 leaves one as it is. EINVAL: Min above Max.
func (s *Socket) SetRTOInfo(id AssocID, v RTOInfo) error {
	return s.change(id, false, func(o *Options) {
		pick(&o.RTO.Initial, v.Initial)
		pick(&o.RTO.Max, v.Max)
		pick(&o.RTO.Min, v.Min)
	})
}

// AssocParams returns what is known of an association as a whole.
func (s *Socket) AssocParams(id AssocID) (AssocParams, error) {
	return get(s, id, func(o *Options) AssocParams { return o.Assoc }, func(m *member) AssocParams {
		v := s.optionsOf(m).Assoc
		t := m.a.Status()
		v.PeerAddrs, v.PeerRwnd = len(t.Paths), uint32(t.PeerRwnd)
		v.LocalRwnd = m.a.Window()
		return v
	})
}

// SetAssocParams sets MaxRetransmits and CookieLife; 0 leaves one as it is.
// EINVAL: more retransmissions than all of several paths have together.
func (s *Socket) SetAssocParams(id AssocID, v AssocParams) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	f := func(o *Options) {
		pick(&o.Assoc.MaxRetransmits, v.MaxRetransmits)
		pick(&o.Assoc.CookieLife, v.CookieLife)
	}
	return s.setF(id, f, func(m *member) error {
		n := len(m.a.Status().Paths)
		if n > 1 && v.MaxRetransmits > n*s.optionsOf(m).Path.MaxRetransmits {
			return errArgument
		}
		return s.reconfigure(m, f)
	})
}

// InitMsg returns how associations to come are set up.
func (s *Socket) InitMsg() InitMsg { return own(s, func(o *Options) InitMsg { return o.Init }) }

// SetInitMsg sets it; 0 leaves a field as it is.
func (s *Socket) SetInitMsg(v InitMsg) error {
	return s.set(func(o *Options) {
		pick(&o.Init.OutStreams, v.OutStreams)
		pick(&o.Init.MaxInStreams, v.MaxInStreams)
		pick(&o.Init.MaxAttempts, v.MaxAttempts)
		pick(&o.Init.MaxTimeout, v.MaxTimeout)
	})
}

// all changes an option of the socket and of all its associations.
func (s *Socket) all(f func(*Options)) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.setDefault(f); err != nil {
		return err
	}
	for _, id := range s.ids() {
		if err := s.reconfigure(s.members[id], f); err != nil {
			return err
		}
	}
	return nil
}

// NoDelay says whether small messages are sent at once.
func (s *Socket) NoDelay() bool { return own(s, func(o *Options) bool { return o.NoDelay }) }

// SetNoDelay sets it, for all associations.
func (s *Socket) SetNoDelay(on bool) error { return s.all(func(o *Options) { o.NoDelay = on }) }

// AutoClose returns after which idle time associations to come are shut down, 0
// for never. EOPNOTSUPP: on a one-to-one socket.
func (s *Socket) AutoClose() (time.Duration, error) {
	if s.single() {
		return 0, errStyle
	}
	return own(s, func(o *Options) time.Duration { return o.AutoClose }), nil
}

// SetAutoClose sets it.
func (s *Socket) SetAutoClose(d time.Duration) error {
	if s.single() {
		return errStyle
	}
	return s.set(func(o *Options) { o.AutoClose = d })
}

// DisableFragments says whether messages that need several packets are refused.
func (s *Socket) DisableFragments() bool {
	return own(s, func(o *Options) bool { return o.DisableFragments })
}

// SetDisableFragments sets it, for all associations.
func (s *Socket) SetDisableFragments(on bool) error {
	return s.all(func(o *Options) { o.DisableFragments = on })
}

// MappedV4 says whether whoever shows addresses is to map IPv4 ones into IPv6.
func (s *Socket) MappedV4() bool { return own(s, func(o *Options) bool { return o.MappedV4 }) }

// SetMappedV4 sets it.
func (s *Socket) SetMappedV4(on bool) error { return s.set(func(o *Options) { o.MappedV4 = on }) }

// MaxSeg returns the most user data that a DATA chunk is to carry, 0 for no
// limit but the packet's; of an association, what it carries now.
func (s *Socket) MaxSeg(id AssocID) (int, error) {
	return get(s, id, func(o *Options) int { return o.MaxSegment }, func(m *member) int { return m.a.FragmentSize() })
}

// SetMaxSeg sets it. EINVAL: not 0, and not within 464 and 65516.
func (s *Socket) SetMaxSeg(id AssocID, n int) error {
	return s.change(id, false, func(o *Options) { o.MaxSegment = n })
}

// DelayedSack returns how acknowledgements wait; Freq 1 and no Delay: not at all.
func (s *Socket) DelayedSack(id AssocID) (DelayedSack, error) {
	return read(s, id, func(o *Options) DelayedSack {
		if !o.Path.SackDelay || o.SackFreq == 1 {
			return DelayedSack{0, 1}
		}
		return DelayedSack{o.Path.SackDelayTime, o.SackFreq}
	})
}

// SetDelayedSack sets it; 0 leaves a field as it is, and Freq 1 switches waiting
// off. It takes CurrentAssoc and AllAssocs. EINVAL: Delay above 500 ms.
func (s *Socket) SetDelayedSack(id AssocID, v DelayedSack) error {
	if v.Delay < 0 || v.Delay > maxSackDelay || v.Freq < 0 {
		return errArgument
	}
	return s.change(id, true, func(o *Options) {
		if v.Delay > 0 {
			o.Path.SackDelay, o.Path.SackDelayTime = true, v.Delay
		}
		switch {
		case v.Freq == 1:
			o.Path.SackDelay, o.SackFreq = false, 2
		case v.Freq > 1:
			o.Path.SackDelay, o.SackFreq = true, v.Freq
		}
	})
}

// Context returns what messages are to be received with in RecvInfo.Context.
func (s *Socket) Context(id AssocID) (uint32, error) {
	return read(s, id, func(o *Options) uint32 { return o.Context })
}

// SetContext sets it. It takes CurrentAssoc and AllAssocs.
func (s *Socket) SetContext(id AssocID, v uint32) error {
	return s.change(id, true, func(o *Options) { o.Context = v })
}

// DefaultSend returns how messages are sent that say nothing of it.
func (s *Socket) DefaultSend(id AssocID) (SendParams, error) {
	return read(s, id, func(o *Options) SendParams { return o.DefaultSend })
}

// SetDefaultSend sets it. It takes CurrentAssoc and AllAssocs. EINVAL: flags
// other than SendUnordered, SendAddrOver, SendAbort and SendEOF.
func (s *Socket) SetDefaultSend(id AssocID, v SendParams) error {
	return s.change(id, true, func(o *Options) { o.DefaultSend = v })
}

// FragmentInterleave returns 0 if a message is read to its end before another
// one, 1 if messages of other associations may come between its parts.
func (s *Socket) FragmentInterleave() int {
	return own(s, func(o *Options) int { return o.FragmentInterleave })
}

// SetFragmentInterleave sets it; other values than 0 are as 1.
func (s *Socket) SetFragmentInterleave(level int) error {
	return s.set(func(o *Options) { o.FragmentInterleave = min(max(level, -level), 1) })
}

// PartialDeliveryPoint returns how many bytes of an incomplete message make its
// first part readable; 0 means only a full receive buffer does.
func (s *Socket) PartialDeliveryPoint() int {
	return own(s, func(o *Options) int { return o.PartialDeliveryPoint })
}

// SetPartialDeliveryPoint sets it, for all associations. EINVAL: more than half
// of the receive buffer.
func (s *Socket) SetPartialDeliveryPoint(n int) error {
	return s.all(func(o *Options) { o.PartialDeliveryPoint = n })
}

// MaxBurst returns how many packets of new data go out at once; 0 for no limit.
func (s *Socket) MaxBurst(id AssocID) (int, error) {
	return read(s, id, func(o *Options) int { return o.MaxBurst })
}

// SetMaxBurst sets it. It takes CurrentAssoc and AllAssocs.
func (s *Socket) SetMaxBurst(id AssocID, n int) error {
	return s.change(id, true, func(o *Options) { o.MaxBurst = n })
}

// StreamScheduler returns how streams take turns.
func (s *Socket) StreamScheduler(id AssocID) (Scheduler, error) {
	return read(s, id, func(o *Options) Scheduler { return o.Scheduler })
}

// SetStreamScheduler sets it. It takes CurrentAssoc and AllAssocs. EINVAL: no
// such scheduler.
func (s *Socket) SetStreamScheduler(id AssocID, v Scheduler) error {
	return s.change(id, true, func(o *Options) { o.Scheduler = v })
}

// RecvRcvInfo and RecvNxtInfo say what is wanted beside messages. A Socket gives
// RecvInfo with each, so that the first is only kept for those who ask.
func (s *Socket) RecvRcvInfo() bool { return own(s, func(o *Options) bool { return o.RecvRcvInfo }) }

// SetRecvRcvInfo sets it.
func (s *Socket) SetRecvRcvInfo(on bool) error { return s.set(func(o *Options) { o.RecvRcvInfo = on }) }

// RecvNxtInfo says whether Received.Next is filled in.
func (s *Socket) RecvNxtInfo() bool { return own(s, func(o *Options) bool { return o.RecvNxtInfo }) }

// SetRecvNxtInfo sets it.
func (s *Socket) SetRecvNxtInfo(on bool) error { return s.set(func(o *Options) { o.RecvNxtInfo = on }) }

// ExplicitEOR says whether a message ends only where SendEOR says so.
func (s *Socket) ExplicitEOR() bool { return own(s, func(o *Options) bool { return o.ExplicitEOR }) }

// SetExplicitEOR sets it.
func (s *Socket) SetExplicitEOR(on bool) error { return s.set(func(o *Options) { o.ExplicitEOR = on }) }

// Linger says what Close does.
func (s *Socket) Linger() Linger { return own(s, func(o *Options) Linger { return o.Linger }) }

// SetLinger sets it.
func (s *Socket) SetLinger(v Linger) error { return s.set(func(o *Options) { o.Linger = v }) }

// Buffers returns the sizes of the buffers, in bytes, per association.
func (s *Socket) Buffers() (send, recv int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opt.SendBuffer, s.opt.RecvBuffer
}

// SetBuffers sets them, within 4 KiB and 1 GiB; 0 leaves one as it is. The
// receive buffer is that of associations to come.
func (s *Socket) SetBuffers(send, recv int) error {
	bound := func(n int) int { return min(max(n, minBuffer), maxBuffer) }
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	err := s.setDefault(func(o *Options) {
		if send > 0 {
			o.SendBuffer = bound(send)
		}
		if recv > 0 {
			o.RecvBuffer = bound(recv)
			o.PartialDeliveryPoint = min(o.PartialDeliveryPoint, o.RecvBuffer/2)
		}
	})
	if err != nil || send == 0 {
		return err
	}
	for _, id := range s.ids() {
		_ = s.members[id].a.Reconfigure(func(c *tcb.Config) { c.SendBuffer = s.opt.SendBuffer })
	}
	return nil
}

// AdaptationLayer returns the indication that peers are told of, 0 for none.
func (s *Socket) AdaptationLayer() uint32 {
	return own(s, func(o *Options) uint32 { return o.Adaptation })
}

// SetAdaptationLayer sets it, for associations to come.
func (s *Socket) SetAdaptationLayer(v uint32) error {
	return s.set(func(o *Options) { o.Adaptation = v })
}

// RemoteUDPEncapsPort returns the UDP port of peers to come where packets are
// encapsulated (RFC 6951), 0 for the Host's choice.
func (s *Socket) RemoteUDPEncapsPort() uint16 {
	return own(s, func(o *Options) uint16 { return o.RemoteUDPPort })
}

// SetRemoteUDPEncapsPort sets it.
func (s *Socket) SetRemoteUDPEncapsPort(port uint16) error {
	return s.set(func(o *Options) { o.RemoteUDPPort = port })
}

// ProbeTimeout returns how long the answer to a path MTU probe may take at
// least.
func (s *Socket) ProbeTimeout(id AssocID) (time.Duration, error) {
	return read(s, id, func(o *Options) time.Duration { return o.ProbeTimeout })
}

// SetProbeTimeout sets it. EINVAL: less than a second.
func (s *Socket) SetProbeTimeout(id AssocID, d time.Duration) error {
	return s.change(id, false, func(o *Options) { o.ProbeTimeout = d })
}

// AssocIDs lists the associations that live. EOPNOTSUPP: on a one-to-one socket.
func (s *Socket) AssocIDs() ([]AssocID, error) {
	if s.tcp() {
		return nil, errStyle
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.ids(), nil
}

// ids lists the associations that live, with mu.
func (s *Socket) ids() []AssocID {
	ids := make([]AssocID, 0, len(s.members))
	for id := range s.members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
