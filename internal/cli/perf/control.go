package perf

import (
	"encoding/json"
	"fmt"

	"github.com/gosctp/gosctp/socketapi"
)

// ppidControl marks the messages by which client and server agree: JSON, on
// stream 0. All others are load.
const ppidControl uint32 = 0x70657266 // "perf"

const version = 1

// Modes.
const (
	modeSend = "send" // the client sends, the server counts
	modeEcho = "echo" // the server echoes
)

// A hello is the first message of a client.
type hello struct {
	Version int    `json:"version"`
	Mode    string `json:"mode"`
}

// A welcome answers it. Server tells it from an echo. Error says why the
// server will not.
type welcome struct {
	Server  bool   `json:"server"`
	Version int    `json:"version"`
	Error   string `json:"error,omitempty"`
}

// A finish says how much the client has sent; other messages may still
// arrive after it, on other streams.
type finish struct {
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
}

// A report is what one side saw of the load.
type report struct {
	Messages          int64   `json:"messages"`
	Bytes             int64   `json:"bytes"`
	Seconds           float64 `json:"seconds"`
	BitsPerSecond     float64 `json:"bits_per_second"`
	MessagesPerSecond float64 `json:"messages_per_second"`
}

func (s *span) report() report {
	return report{
		Messages: s.total.messages, Bytes: s.total.bytes, Seconds: s.seconds(),
		BitsPerSecond: s.bitsPerSecond(), MessagesPerSecond: s.messagesPerSecond(),
	}
}

func tell(c *socketapi.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.SendMsg(socketapi.SendInfo{PPID: ppidControl}, b)
	return err
}

// hear reads a control message.
func hear(c *socketapi.Conn, v any) error {
	buf := make([]byte, 4096)
	n, info, err := c.RecvMsg(buf)
	if err != nil {
		return err
	}
	return decode(info, buf[:n], v)
}

func decode(info socketapi.RecvInfo, p []byte, v any) error {
	if info.PPID != ppidControl || !info.EOR {
		return fmt.Errorf("the peer does not speak as `sctp perf` does: %d bytes with payload protocol identifier %d", len(p), info.PPID)
	}
	if err := json.Unmarshal(p, v); err != nil {
		return fmt.Errorf("the peer does not speak as `sctp perf` does: %w", err)
	}
	return nil
}
