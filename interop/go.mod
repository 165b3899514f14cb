module github.com/gosctp/gosctp/interop

go 1.26.0

replace github.com/gosctp/gosctp => ../

require (
	github.com/pion/logging v0.2.4 // indirect
	github.com/pion/randutil v0.1.0 // indirect
	github.com/pion/sctp v1.12.1 // indirect
	github.com/pion/transport/v5 v5.1.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
