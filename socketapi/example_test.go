package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// inProcess makes two hosts in this process, at 10.0.0.1 and 10.0.0.2, so that
// the examples need no network. Programs have one, or use the default.
func inProcess() (a, b *socketapi.Host) {
	la, lb := mem.NewPair(0)
	var h [2]*socketapi.Host
	for i, l := range []transport.Link{la, lb} {
		var err error
		if h[i], err = socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{l}}); err != nil {
			log.Fatal(err)
		}
	}
	return h[0], h[1]
}

// An echo server, and a client that looks at what comes back.
func Example() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()

	l, err := server.Listen(":7", nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()

	conn, err := client.Dial(context.Background(), "10.0.0.1:7", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello, SCTP")); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.RemoteAddr().Network(), conn.RemoteAddr())
	fmt.Println(string(buf[:n]))
	// Output:
	// sctp 10.0.0.1:7
	// hello, SCTP
}

// Messages on different streams do not wait for one another when something is
// lost; within a stream they stay in order.
func ExampleConn_SendMsg() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen(":38412", nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.1:38412", &socketapi.Config{OutStreams: 3})
	if err != nil {
		log.Fatal(err)
	}
	for stream := range uint16(3) {
		for i := range 2 {
			text := fmt.Sprintf("message %d", i)
			info := socketapi.SendInfo{Stream: stream, PPID: socketapi.PPIDNGAP}
			if _, err := c.SendMsg(info, []byte(text)); err != nil {
				log.Fatal(err)
			}
		}
	}
	c.Close() // what was sent still arrives

	s, err := l.AcceptSCTP(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	for {
		n, info, err := s.RecvMsg(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("stream %d, number %d, PPID %d: %s\n", info.Stream, info.SSN, info.PPID, buf[:n])
	}
	// Output:
	// stream 0, number 0, PPID 60: message 0
	// stream 0, number 1, PPID 60: message 1
	// stream 1, number 0, PPID 60: message 0
	// stream 1, number 1, PPID 60: message 1
	// stream 2, number 0, PPID 60: message 0
	// stream 2, number 1, PPID 60: message 1
}

// A message larger than the buffer comes in parts; EOR tells the last one.
func ExampleConn_RecvMsg() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen(":5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.1:5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("twelve bytes")); err != nil {
		log.Fatal(err)
	}
	s, err := l.AcceptSCTP(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 5)
	for eor := false; !eor; {
		n, info, err := s.RecvMsg(buf)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q %t\n", buf[:n], info.EOR)
		eor = info.EOR
	}
	// Output:
	// "twelv" false
	// "e byt" false
	// "es" true
}

func ExampleParseAddr() {
	for _, s := range []string{
		"10.0.0.1/10.0.0.2:38412",
		"[fd00::1],10.0.0.1:5000",
		"[::ffff:10.0.0.1]:5000",
		"0.0.0.0:5000",
		"fd00::1:5000",
		"10.0.0.1",
	} {
		a, err := socketapi.ParseAddr(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(len(a.IPs), a.Port, a)
	}
	// Output:
	// 2 38412 10.0.0.1/10.0.0.2:38412
	// 2 5000 [fd00::1]/10.0.0.1:5000
	// 1 5000 10.0.0.1:5000
	// 0 5000 :5000
	// sctp: address "fd00::1:5000": an IPv6 address needs brackets: [fd00::1]
	// sctp: address "10.0.0.1": missing port
}

func ExampleConn_SetReadDeadline() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	if _, err := server.Listen(":5000", nil); err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.1:5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = c.Read(make([]byte, 100)) // nobody sends
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

// Abort ends an association without delivering what is on its way, and tells
// the peer why.
func ExampleConn_Abort() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen(":5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.1:5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := l.AcceptSCTP(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	c.Abort("out of coffee")
	_, err = s.Read(make([]byte, 100))
	fmt.Println(errors.Is(err, syscall.ECONNRESET))
	var end *socketapi.AssocError
	if errors.As(err, &end) {
		fmt.Println(end.ByPeer, end)
	}
	// Output:
	// true
	// true sctp: association aborted by the peer: User-Initiated Abort: out of coffee
}

// CloseWait returns when the peer has everything.
func ExampleConn_CloseWait() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen(":5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		s, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		data, err := io.ReadAll(s)
		fmt.Println(len(data), err)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, "10.0.0.1:5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Write(make([]byte, 100000)); err != nil {
		log.Fatal(err)
	}
	err = c.CloseWait(ctx)
	done.Wait()
	fmt.Println(err)
	// Output:
	// 100000 <nil>
	// <nil>
}

// Notifications come in line with the messages, while reading.
func ExampleConn_OnNotification() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen(":5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "10.0.0.1:5000", nil)
	if err != nil {
		log.Fatal(err)
	}
	s, err := l.AcceptSCTP(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	s.OnNotification(func(n socketapi.Notification) {
		switch {
		case n.Kind == socketapi.PeerShutDown:
			fmt.Println("the peer has shut down")
		case n.Kind == socketapi.AssocChanged && n.Change == socketapi.CommUp:
			fmt.Println("the association is up")
		}
	})
	c.Write([]byte("the only message"))
	c.Close()
	buf := make([]byte, 100)
	for {
		n, err := s.Read(buf)
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s\n", buf[:n])
	}
	// Output:
	// the association is up
	// the only message
	// the peer has shut down
	// EOF
}

// Validate tells all problems of a configuration at once.
func ExampleConfig_Validate() {
	c := &socketapi.Config{SackDelay: time.Second, RecvBuffer: 100}
	fmt.Println(c.Validate())
	// Output:
	// sctp: config: SackDelay 1s exceeds 500ms
	// sctp: config: RecvBuffer 100 is not within 4096 and 1073741824
}

// Several addresses at both ends; Listen takes an association at any of them.
func ExampleHost_Listen() {
	server, client := inProcess()
	defer server.Close()
	defer client.Close()
	l, err := server.Listen("10.0.0.1/[fd00::1]:38412", nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.Dial(context.Background(), "[fd00::1]:38412", &socketapi.Config{AllAddresses: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(l.Addr())
	fmt.Println(c.RemoteAddr()) // the peer told of its other address
	// Output:
	// 10.0.0.1/[fd00::1]:38412
	// [fd00::1]/10.0.0.1:38412
}
