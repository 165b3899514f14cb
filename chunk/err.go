package chunk

// Err says why bytes are not what they should be. It is a code, so that
// hostile input costs no allocation; the zero Err is success.
type Err uint8

// What a decoder can find wrong.
const (
	ErrNone        Err = iota
	ErrShort           // fewer bytes than the fixed fields need
	ErrLength          // a length field below the size of its own header
	ErrOverrun         // a length field that points behind the end
	ErrTrailing        // one to three bytes where a header should be
	ErrType            // not the chunk, parameter or cause that was asked for
	ErrCount           // a count field that promises more than there is
	ErrParamLength     // a parameter or cause whose length is impossible for its type
	ErrMissing         // a mandatory parameter is not there
	ErrZeroTag         // Initiate Tag 0
	ErrARwnd           // a_rwnd below MinARwnd in INIT or INIT ACK
	ErrZeroStreams     // OS or MIS 0
	ErrHostName        // Host Name Address parameter in INIT or INIT ACK
	ErrAddr            // an address no association can use
	numErr
)

var errText = [numErr]string{
	"no error", "too short", "length field below header size", "length field beyond the end",
	"trailing bytes", "wrong type", "count beyond the end", "impossible parameter length",
	"mandatory parameter missing", "initiate tag is zero", "a_rwnd below 1500",
	"zero streams", "host name address", "unusable address",
}

// Error returns a short text; note that ErrNone in an error is not nil.
func (e Err) Error() string {
	if e < numErr {
		return "sctp: " + errText[e]
	}
	return "sctp: unknown decoding error"
}

// OrNil converts e for callers that want an error: nil for ErrNone.
func (e Err) OrNil() error {
	if e == ErrNone {
		return nil
	}
	return e
}
