package fsm

// Disposition says what became of an event, for accounting, traces and the
// rest of the packet. All effects are commands.
type Disposition uint8

// Dispositions.
const (
	Consume       Disposition = iota // handled
	Discard                          // ignored, the rest of the packet counts
	DiscardPacket                    // handled or ignored, and the rest of the packet is not looked at
	Violation                        // the peer broke the protocol
	Bug                              // the table says that this cannot happen
)

var dispositionNames = [...]string{"consume", "discard", "discard-packet", "violation", "BUG"}

// String names the disposition.
func (d Disposition) String() string {
	if int(d) < len(dispositionNames) {
		return dispositionNames[d]
	}
	return "invalid-disposition"
}

// Note is a kind of notification to the user (RFC 9260 section 11.2).
type Note uint16

// Notifications.
const (
	NoteAssocChange Note = iota + 1 // A: AssocChange, B: cause code
	NotePathChange                  // A: path, B: PathEvent
	NoteRemoteError                 // B: cause code, Span: the cause
	NoteShutdown                    // the peer closes: no more messages are taken
	NoteSendFailed                  // a message was not delivered; the executor's own
	NoteSenderDry                   // nothing is queued or in flight any more; the same
	NoteAdaptation                  // A: the peer's adaptation layer indication; the same
)

// AssocChange says how an association changed (RFC 6458 section 6.1.1, with
// its numbers).
type AssocChange uint16

// Association changes.
const (
	CommUp AssocChange = iota
	CommLost
	Restarted
	ShutdownComplete
	CantStart
	// Gone ends an association that the user never saw or has left; it is
	// not reported.
	Gone
)

var assocChangeNames = [...]string{"COMM_UP", "COMM_LOST", "RESTART", "SHUTDOWN_COMP", "CANT_STR_ASSOC", "GONE"}

// String returns RFC 6458's name, less its prefix.
func (a AssocChange) String() string {
	if int(a) < len(assocChangeNames) {
		return assocChangeNames[a]
	}
	return "INVALID"
}

// PathEvent says how a path changed (RFC 6458 section 6.1.2).
type PathEvent uint16

// Path events.
const (
	PathAvailable PathEvent = iota
	PathUnreachable
	PathConfirmed
)

// Result is the outcome of a primitive.
type Result uint16

// Results.
const (
	ResultFailed   Result = iota // none was given: the executor failed, and the association is gone
	ResultOK                     // it was done
	ResultNoAssoc                // there is no such association
	ResultShutdown               // the association is closing: no more messages
	ResultState                  // not possible in this state
	ResultNoPath                 // there is no such path
	ResultNoSource               // that is not an address of the association's
)

// Stat is an event counter. The names are those of /proc/net/sctp/snmp where
// Linux counts the same.
type Stat uint16

// Counters.
const (
	StatActiveEstabs Stat = iota
	StatPassiveEstabs
	StatAborteds
	StatShutdowns
	StatOutOfBlues
	StatT1InitExpireds
	StatT1CookieExpireds
	StatT2ShutdownExpireds
	StatT3RtxExpireds
	StatT5ShutdownGuardExpireds
	StatDelaySackExpireds
	StatInvalidCookies
	StatStaleCookies
	StatDiscards
	StatViolations
	StatRestarts

	NumStats
)

var statNames = [NumStats]string{
	"SctpActiveEstabs", "SctpPassiveEstabs", "SctpAborteds", "SctpShutdowns",
	"SctpOutOfBlues", "SctpT1InitExpireds", "SctpT1CookieExpireds",
	"SctpT2ShutdownExpireds", "SctpT3RtxExpireds", "SctpT5ShutdownGuardExpireds",
	"SctpDelaySackExpireds", "SctpInvalidCookies", "SctpStaleCookies",
	"SctpInPktDiscards", "SctpViolations", "SctpRestarts",
}

// String names the counter.
func (s Stat) String() string {
	if s < NumStats {
		return statNames[s]
	}
	return "invalid-stat"
}
