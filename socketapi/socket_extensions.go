package socketapi

import (
	"net/netip"
	"syscall"
)

// Extensions that this stack does not have: PR-SCTP (RFC 3758), AUTH (RFC 4895),
// ASCONF (RFC 5061), RE-CONFIG (RFC 6525), I-DATA (RFC 8260) and ECN. Their
// options answer what Linux answers where its administrator has switched them
// off, and switching one on is not permitted. What is built later takes the
// place of these.

var (
	errOff     = fail("the extension is switched off", syscall.EPERM)
	errNoAuth  = fail("AUTH is switched off", syscall.EACCES)
	errNoReset = fail("RE-CONFIG is switched off", syscall.ENOPROTOOPT)
)

// Extension is one that can be asked for.
type Extension uint8

// Extensions, by the options of Linux's that switch them.
const (
	ExtPartialReliability Extension = iota // SCTP_PR_SUPPORTED
	ExtReconfig                            // SCTP_RECONFIG_SUPPORTED
	ExtAddressChange                       // SCTP_ASCONF_SUPPORTED
	ExtAuthentication                      // SCTP_AUTH_SUPPORTED
	ExtECN                                 // SCTP_ECN_SUPPORTED
	ExtInterleaving                        // SCTP_INTERLEAVING_SUPPORTED

	numExtensions
)

// Supported says whether an extension is in use: never so far. EINVAL: no such
// association.
func (s *Socket) Supported(id AssocID, x Extension) (bool, error) {
	if x >= numExtensions {
		return false, errArgument
	}
	no := func() bool { return false }
	return get(s, id, func(*Options) bool { return no() }, func(*member) bool { return no() })
}

// SetSupported switches an extension. EPERM: on, or ExtInterleaving, as on Linux
// without its sysctl; EINVAL: no such association.
func (s *Socket) SetSupported(id AssocID, x Extension, on bool) error {
	if _, err := s.Supported(id, x); err != nil {
		return err
	}
	if on || x == ExtInterleaving {
		return errOff
	}
	return nil
}

// may checks the id of an option of the kind FCA.
func (s *Socket) may(id AssocID) error {
	if id == CurrentAssoc || id == AllAssocs {
		id = FutureAssoc
	}
	_, err := s.Supported(id, ExtAuthentication)
	return err
}

// refuse answers err for an option of an association that must exist.
func (s *Socket) refuse(id AssocID, err error) error {
	return s.with(id, func(*member) error { return err })
}

// SetAuthChunk asks for a chunk type to be authenticated: EACCES.
func (s *Socket) SetAuthChunk(uint8) error { return errNoAuth }

// HMACIdents returns the hash functions of AUTH: EACCES.
func (s *Socket) HMACIdents() ([]uint16, error) { return nil, errNoAuth }

// SetHMACIdents sets them: EACCES.
func (s *Socket) SetHMACIdents([]uint16) error { return errNoAuth }

// SetAuthKey sets a shared key: EACCES, or EINVAL if there is no such
// association.
func (s *Socket) SetAuthKey(id AssocID, number uint16, key []byte) error { return s.noAuth(id) }

// AuthActiveKey returns the number of the key in use: EACCES, or EINVAL.
func (s *Socket) AuthActiveKey(id AssocID) (uint16, error) { return 0, s.noAuth(id) }

// SetAuthActiveKey chooses the key to use: EACCES, or EINVAL.
func (s *Socket) SetAuthActiveKey(id AssocID, number uint16) error { return s.noAuth(id) }

// DeactivateAuthKey stops the use of a key: EACCES, or EINVAL.
func (s *Socket) DeactivateAuthKey(id AssocID, number uint16) error { return s.noAuth(id) }

// DeleteAuthKey forgets a key: EACCES, or EINVAL.
func (s *Socket) DeleteAuthKey(id AssocID, number uint16) error { return s.noAuth(id) }

func (s *Socket) noAuth(id AssocID) error {
	if err := s.may(id); err != nil {
		return err
	}
	return errNoAuth
}

// LocalAuthChunks lists the chunk types that must be authenticated to us:
// EACCES, or EINVAL.
func (s *Socket) LocalAuthChunks(id AssocID) ([]uint8, error) { return nil, s.noAuth(id) }

// PeerAuthChunks lists those that must be to the peer: EACCES, or EINVAL if
// there is no such association.
func (s *Socket) PeerAuthChunks(id AssocID) ([]uint8, error) { return nil, s.refuse(id, errNoAuth) }

// SetPeerPrimaryAddr asks the peer to send to an own address: EPERM, or EINVAL
// if there is no such association.
func (s *Socket) SetPeerPrimaryAddr(id AssocID, own netip.AddrPort) error {
	return s.refuse(id, errOff)
}

// AutoASCONF says whether peers are told of changed addresses: no.
func (s *Socket) AutoASCONF() bool { return false }

// SetAutoASCONF switches it. EINVAL: on, and not bound to all addresses; EPERM:
// on.
func (s *Socket) SetAutoASCONF(on bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case !on:
		return nil
	case s.ep == nil || len(s.ep.Local()) > 0:
		return errArgument
	}
	return errOff
}

// ResetStreams asks for SSNs to begin anew: ENOPROTOOPT, or EINVAL if there is
// no such association.
func (s *Socket) ResetStreams(id AssocID, in, out bool, streams []uint16) error {
	if !in && !out {
		return errArgument
	}
	return s.refuse(id, errNoReset)
}

// ResetAssoc asks for TSNs and SSNs to begin anew: ENOPROTOOPT, or EINVAL.
func (s *Socket) ResetAssoc(id AssocID) error { return s.refuse(id, errNoReset) }

// AddStreams asks for further streams: ENOPROTOOPT, or EINVAL.
func (s *Socket) AddStreams(id AssocID, in, out uint16) error {
	if in == 0 && out == 0 {
		return errArgument
	}
	return s.refuse(id, errNoReset)
}

// Policies of PR-SCTP, with Linux's numbers.
const (
	PRNone uint16 = 0x00
	PRTTL  uint16 = 0x10
	PRRtx  uint16 = 0x20
	PRPrio uint16 = 0x30
	PRAll  uint16 = 0x80
)

// PRStatus counts the messages that a policy of PR-SCTP has given up: none.
// EINVAL: no such association or policy.
func (s *Socket) PRStatus(id AssocID, policy uint16) (unsent, sent uint64, err error) {
	err = s.with(id, func(*member) error { return prPolicy(policy) })
	return 0, 0, err
}

// PRStreamStatus is PRStatus for one stream. EINVAL: there is no such stream
// either.
func (s *Socket) PRStreamStatus(id AssocID, stream, policy uint16) (unsent, sent uint64, err error) {
	err = s.with(id, func(m *member) error {
		if stream >= m.a.Status().OutStreams {
			return errArgument
		}
		return prPolicy(policy)
	})
	return 0, 0, err
}

func prPolicy(policy uint16) error {
	switch policy {
	case PRTTL, PRRtx, PRPrio, PRAll:
		return nil
	}
	return errArgument
}
