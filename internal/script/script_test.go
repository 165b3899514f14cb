package script

import (
	"errors"
	"os"
	"strings"
	"testing"
)

const handshake = `listen
< INIT
> INIT_ACK
< COOKIE_ECHO
> COOKIE_ACK
`

func play(t *testing.T, text string) error {
	t.Helper()
	s, err := Parse("a.script", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(Options{MaxSteps: 20_000})
	return err
}

// Examples of what a script can say, which hold.
func TestHolds(t *testing.T) {
	tests := map[string]string{
		"passive": handshake + `
			associations 1
			< DATA["hello", ppid=9]
			> SACK[cum=$ptsn]
			receive "hello" ppid=9 stream=0
			send "answer" stream=1 ppid=7
			> DATA[tsn=$stsn, stream=1, ssn=0, ppid=7, flags=BE, "answer"]
			+1s > DATA[tsn=$stsn]
			+1500ms..2.5s > DATA[tsn=?again]
			let $next = $again+1
			< SACK[cum=$next-1]
			silence 10s
			shutdown
			> SHUTDOWN[cum=$ptsn] tag=$ptag size=20
			< SHUTDOWN_ACK
			> SHUTDOWN_COMPLETE
			ended SHUTDOWN_COMP
			associations 0`,
		"active": `
			set RTO.Initial 2s
			associate
			> INIT[tag=?a, mis=!0]
			+2s > INIT[tag=$a]
			+1s < INIT_ACK[cookie=hex:00ff]
			> COOKIE_ECHO[cookie=hex:00ff]
			< COOKIE_ACK
			state ESTABLISHED
			notify COMM_UP
			notify nothing`,
		"bundled, and over two lines": `
			listen
			< INIT
			> INIT_ACK
			< COOKIE_ECHO; DATA[tsn=$ptsn,
				"early"]
			> COOKIE_ACK; SACK[cum=$ptsn]
			receive "early"
			receive nothing`,
		"gaps, duplicates, blocks": handshake + `
			< DATA[tsn=$ptsn+2, ssn=1]
			> SACK[cum=$ptsn-1, gap=3-3]
			repeat 2 {
			  < DATA[tsn=$ptsn+2, ssn=1]
			  > SACK[cum=$ptsn-1, gap=3-3, dup=$ptsn+2]
			}`,
		"delayed SACK, network": handshake + `
			< DATA["1"]
			> SACK[cum=$ptsn]
			< DATA["2", tsn=$ptsn+1, ssn=1]
			+1ms..500ms > SACK[cum=$ptsn+1]
			receive "1"
			receive "2"
			link down
			send 10
			silence 900ms
			link up
			+..2s > DATA[size=10]
			< SACK[cum=$stsn]
			path 10.0.9.1 state=active
			status in_flight=0 primary=10.0.9.1`,
		"ICMP": handshake + `
			icmp protocol_unreachable tag=1
			state ESTABLISHED
			icmp protocol_unreachable quote=8
			ended COMM_LOST by=peer`,
		"heartbeats": "set HB.Interval 1s\n" + handshake + `
			+1s..4s > HEARTBEAT
			< HEARTBEAT_ACK
			answer HEARTBEAT
			silence 60s
			path 10.0.9.1 errors=0`,
		"a restart that adds an address": "peer 10.0.9.1 10.0.9.2\n" + handshake + `
			let $ptag = 77
			< INIT[address=10.0.9.2, address=10.0.9.1]
			> ABORT[restart_new_addresses={10.0.9.2}]
			< CHUNK[type=0xfe, body="four"]
			> ERROR[unrecognized_chunk=hex:fe000008666f7572] tag=0x7E57AB1E`,
		"calls that fail": handshake + `
			send "x" stream=11 fails=no_stream
			primary 10.0.9.9 fails=no_path
			shutdown
			> SHUTDOWN
			send "x" fails=closing`,
		"a closed port": `
			< INIT dport=4999
			> ABORT sport=4999
			< SHUTDOWN_ACK tag=5
			> SHUTDOWN_COMPLETE[T]
			< INIT crc=bad
			< INIT cut=8
			silence 1s
			state CLOSED`,
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if err := play(t, text); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Each thing that a script can say fails when it is not so, at its line, and
// says what came.
func TestFails(t *testing.T) {
	tests := []struct {
		script, want string
	}{
		{"associate", "a.script:1: after 0s: expected no packet, came INIT["},
		{"listen\nsilence 1s\n< INIT\nsilence 1s", "a.script:4: after 2s: expected no packet, came INIT_ACK"},
		{"associate\n> INIT\n> INIT", "expected INIT, came nothing for 0s"},
		{"associate\n> INIT\n+..500ms > INIT", "came nothing for 500ms"},
		{"associate\n> INIT\n+1500ms..2s > INIT", "expected INIT 1.5s after the statement before, came it 1s after"},
		{"associate\n> INIT_ACK", "expected INIT_ACK, came INIT["},
		{"associate\n> INIT tag=1", "tag: expected 1, came 0"},
		{"associate\n> INIT[os=!10]", "os: expected !10, came 10"},
		{"associate\n> INIT to=10.0.9.2", "to: expected 10.0.9.2, came 10.0.9.1"},
		{"associate\n> INIT size=1-19", "size: expected 1-19, came"},
		{"associate\n> INIT sport=1", "sport: expected 1, came 5000"},
		{"associate\n> INIT[!tag]", "expected no tag, came"},
		{"associate\n> INIT[hostname]", "expected hostname, which is not in INIT["},
		{"associate\n> INIT[address=1.2.3.4]", "expected address=1.2.3.4"},
		{"listen\n< INIT[param={0xfff0, \"a\"}]\n> INIT_ACK[unrecognized={0xfff0, \"b\"}]", `expected {65520, "b"}, came {65520, "a"}`},
		{handshake + "< DATA\n> SACK[cum=$ptsn+1]", "cum: expected $ptsn+1 (1001), came 1000"},
		{handshake + "< DATA[tsn=$ptsn+1]\n> SACK", "SACK: unexpected gap=2-2"},
		{handshake + "< DATA[tsn=$ptsn+1]\n> SACK[gap=2-3]", "gap: expected 2-3, came 2-2"},
		{handshake + "< DATA\n> SACK; DATA", "expected DATA as chunk 2, came 1 chunks only"},
		{"listen\n< INIT\n> INIT_ACK\n< COOKIE_ECHO; DATA\n> COOKIE_ACK", "expected 1 chunks, came SACK[cum=$ptsn"},
		{"< SHUTDOWN_ACK tag=5\n> SHUTDOWN_COMPLETE", "SHUTDOWN_COMPLETE: unexpected T"},
		{"< SHUTDOWN_ACK tag=5\n> SHUTDOWN_COMPLETE[T] tag=6", "tag: expected 6, came 5"},
		{"listen\n< INIT[a_rwnd=0]\n> ABORT[out_of_resource]", "expected out_of_resource, which is not in ABORT[invalid_mandatory]"},
		{handshake + "send \"x\"\n> DATA[\"y\"]", `data: expected "y", came "x"`},
		{handshake + "send \"x\"\n> DATA[flags=B]", "flags: expected 2, came 3"},
		{handshake + "< DATA\n> SACK", "expected nothing more to receive, came \"data\""},
		{handshake + "< DATA\n> SACK\nreceive \"other\"", `expected "other", came "data"`},
		{handshake + "< DATA\n> SACK\nreceive \"data\" stream=1", "expected 1, came 0"},
		{handshake + "< DATA\n> SACK\nreceive \"data\" unordered", "expected another order"},
		{handshake + "receive \"data\"", `expected the message "data", came nothing`},
		{handshake + "notify RESTART", "expected a notification RESTART, came COMM_UP"},
		{handshake + "notify nothing", "expected no notification, came COMM_UP"},
		{handshake + "ended COMM_LOST", "the association is in ESTABLISHED"},
		{handshake + "< ABORT[user_abort]\nended COMM_LOST cause=protocol_violation", "cause: expected 13, came 12"},
		{handshake + "< ABORT\nended COMM_LOST by=us", "came by peer"},
		{handshake + "< ABORT\nended SHUTDOWN_COMP", "expected an end by SHUTDOWN_COMP, came COMM_LOST"},
		{handshake + "state SHUTDOWN-SENT", "expected state SHUTDOWN-SENT, came ESTABLISHED"},
		{handshake + "status out_streams=1", "out_streams: expected 1, came 10"},
		{handshake + "path 10.0.9.1 state=inactive", "expected inactive, came active"},
		{handshake + "path 10.0.9.2 errors=0", "no path to 10.0.9.2"},
		{handshake + "associations 2", "expected 2 associations, came 1"},
		{handshake + "send \"x\" fails=closing", "expected the call to fail by closing, and it did not"},
		{handshake + "send \"x\" stream=99 fails=closing", "came no_stream"},
		{"send \"x\"", "there is no association yet"},
		{"< DATA[tsn=$other]", "nothing has set $other yet"},
		{"< COOKIE_ACK", "nothing has set $stag yet"},
		{"< DATA tag=5 from=10.1.2.3\nsilence 1s", "came ABORT[T] tag=0x5 from 10.0.0.1 to 10.1.2.3"},
		{"icmp too_big", "has sent no packet yet"},
		{"link 10.0.0.1 10.0.0.1 down", "there is no link from"},
		{"repeat 30000 {\nassociations 0\n}", errTooMuch.Error()},
	}
	for _, tt := range tests {
		err := play(t, tt.script)
		var f *Failure
		if !errors.As(err, &f) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.script, err, tt.want)
		}
	}
}

// A failure shows the statement, and the last packets and steps.
func TestFailureText(t *testing.T) {
	err := play(t, handshake+"< DATA[\"x\"]\n> SACK[cum=5]")
	text := err.Error()
	for _, want := range []string{
		"a.script:7: after 0s: SACK: cum: expected 5, came 1000; it was SACK[cum=$ptsn, a_rwnd=",
		"\n    > SACK[cum=5]\n",
		"\n  what happened last:\n",
		"0.000 < 10.0.9.1 to 10.0.0.1: COOKIE_ECHO[cookie=hex:",
		"#3 ESTABLISHED: DATA (path 0, own tag) sfData consume",
		"0.000 > 10.0.0.1 to 10.0.9.1: SACK[cum=$ptsn, a_rwnd=",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// What is not understood is told with its line, and what was expected.
func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ script, want string }{
		{"\n\nfoo", "a.script:3: expected a statement, found 'foo'"},
		{"< FOO", "expected a chunk's name (DATA, INIT,"},
		{"< INIT[foo=1]", "INIT: expected one of tag, a_rwnd"},
		{"< INIT[tag=]", "INIT: expected a value, found ']'"},
		{"< INIT[tag=1", "expected ']', found the end of the line"},
		{"< INIT tag=1 foo", "expected one of tag, from"},
		{"< INIT[tag=$]", "expected a variable's name, found ']'"},
		{"< INIT[tag=1x]", "expected a value, found '1x'"},
		{"< DATA[flags=XY]", "expected flags out of B, E, U and I, found 'XY'"},
		{"< DATA[\"x]", "expected a closing quote"},
		{"< DATA[\"\\q\"]", "expected a string as in Go"},
		{"+x > INIT", "expected a time such as 200ms or 1.5s, found 'x'"},
		{"+2s..1s > INIT", "does not end before it begins"},
		{"+1s..2s < INIT", "expected one time for what is sent"},
		{"+1s listen", "expected '<' or '>' behind a time, found 'listen'"},
		{"listen now", "expected the end of the line, found 'now'"},
		{"listen\nmtu 1500", "a.script:2: expected 'mtu' before everything that happens"},
		{"local 10.0.0.300", "expected an address, found '10.0.0.300'"},
		{"local 10.0.0.1 10.0.0.1", "expected each address once"},
		{"bind 1.2.3.4", "expected to bind to local addresses"},
		{"ports 0 1", "expected two ports from 1 to 65535"},
		{"set Foo 1", "expected a protocol parameter such as RTO.Initial, found 'Foo'"},
		{"set RTO.Min -1s", "expected a time such as 200ms or 1.5s, found '-'"},
		{"set RTO.Max 1ms", "expected 0 < RTO.Min <= RTO.Initial <= RTO.Max"},
		{"set Streams.Out 70000", "expected a number up to 65535"},
		{"repeat 2 {", "expected '}' before the end of the file"},
		{"}", "'}' that closes nothing"},
		{"repeat x {", "expected how often, found 'x'"},
		{"silence long", "expected a time such as 200ms or 1.5s, found 'long'"},
		{"state OPEN", "expected one of CLOSED, COOKIE-WAIT"},
		{"notify ME", "expected one of nothing, REMOTE_ERROR"},
		{"link 10.0.0.1 10.0.9.1 sideways", "expected up, down, loss, mtu or delay, found 'sideways'"},
		{"link loss 2", "expected a probability from 0 to 1, found '2'"},
		{"icmp x", "expected a kind of ICMP error, found 'x'"},
		{"answer DATA", "expected HEARTBEAT, found 'DATA'"},
		{"send", "expected a message: a string, or how many bytes, found the end"},
		{"send 99999999", "expected at most 1048576 bytes"},
		{"let x = 1", "expected '$', found 'x'"},
		{"purpose A it's free text\npurpose B", "a.script:2: expected one purpose, found another"},
		{"< ABORT[cause=foo]", "expected a cause's name or number, found 'foo'"},
		{"%", "unexpected character '%'"},
	}
	for _, tt := range tests {
		_, err := Parse("a.script", []byte(tt.script))
		var s *SyntaxError
		if !errors.As(err, &s) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.script, err, tt.want)
		}
	}
}

// The same script plays the same way.
func TestDeterministic(t *testing.T) {
	s, err := Parse("a.script", []byte(handshake+"link loss 0.5\nrepeat 20 {\nsend 100\n}\nsilence 20s"))
	if err != nil {
		t.Fatal(err)
	}
	var first string
	for i := range 3 {
		var b strings.Builder
		s.Run(Options{Trace: &b})
		if i > 0 && b.String() != first {
			t.Fatal("another run, another trace")
		}
		first = b.String()
	}
	if !strings.Contains(first, "DATA") {
		t.Fatal(first)
	}
}

// The examples of docs/SCRIPTS.md hold, and all that its tables name is known.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/SCRIPTS.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "```")
	n := 0
	for i := 1; i < len(parts); i += 2 {
		if s, ok := strings.CutPrefix(parts[i], "sctp\n"); ok {
			n++
			if err := play(t, s); err != nil {
				t.Error(err)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d examples", n)
	}
	words := strings.ToLower(string(text))
	for _, c := range chunkFields {
		for _, w := range append(strings.Fields(c.fields), c.name) {
			if w != "data" && !strings.Contains(words, strings.ToLower(w)) {
				t.Errorf("docs/SCRIPTS.md does not know %s of %s", w, c.name)
			}
		}
	}
	for name := range parameters {
		if !strings.Contains(words, name) {
			t.Errorf("docs/SCRIPTS.md does not know %s", name)
		}
	}
	for kind := range icmpKinds {
		if !strings.Contains(words, kind) {
			t.Errorf("docs/SCRIPTS.md does not know icmp %s", kind)
		}
	}
}
