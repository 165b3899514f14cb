package workload

// Endings of an association, in the words of RFC 6458 section 6.1.1.
const (
	ShutdownComp = "SHUTDOWN_COMP"
	CommLost     = "COMM_LOST"
)

// UserInitiatedAbort is the cause code of an abort that the user asked for.
const UserInitiatedAbort = 12

// A Result is what a peer prints at the end of a run, after "RESULT ".
type Result struct {
	Stack         string `json:"stack"`
	Role          string `json:"role"`
	Transport     string `json:"transport"`
	Up            bool   `json:"up"` // COMM_UP was seen
	StreamsOut    int    `json:"streams_out"`
	StreamsIn     int    `json:"streams_in"`
	Sent          int    `json:"sent"`
	SentBytes     int64  `json:"sent_bytes"`
	Received      int    `json:"received"`
	ReceivedBytes int64  `json:"received_bytes"`
	Unordered     int    `json:"unordered"` // of those received
	Digest        string `json:"digest"`    // of the order of delivery
	Verified      bool   `json:"verified"`  // everything expected was received, and right
	Ending        string `json:"ending"`    // ShutdownComp or CommLost
	Cause         int    `json:"cause"`     // of the ABORT received, 0 if there was none
	Restarts      int    `json:"restarts"`  // of the peer, within an association
	Losses        int    `json:"losses"`    // associations that were lost, and followed by another
	Stale         int    `json:"stale"`     // messages received that were meant for who was there before
	Error         string `json:"error"`
	Millis        int64  `json:"ms"`
}
