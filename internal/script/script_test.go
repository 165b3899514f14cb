package script

import "testing"

func TestTry(t *testing.T) {
	s, err := Parse("x", []byte(`
listen
< INIT
> INIT_ACK[!ecn]
associations 0
< COOKIE_ECHO
> COOKIE_ACK
state ESTABLISHED
notify COMM_UP
< DATA["hello"]
> SACK[cum=$ptsn]
receive "hello"
send "answer" stream=1 ppid=7
> DATA[tsn=$stsn, stream=1, ssn=0, ppid=7, flags=BE, "answer"]
+1s > DATA[tsn=$stsn]
< SACK[cum=$stsn]
silence 10s
shutdown
> SHUTDOWN[cum=$ptsn]
< SHUTDOWN_ACK
> SHUTDOWN_COMPLETE
ended SHUTDOWN_COMP
associations 0
`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Run(Options{})
	t.Log(res)
	if err != nil {
		t.Fatal(err)
	}
}
