module github.com/gosctp/gosctp/interop

go 1.25.0

replace github.com/gosctp/gosctp => ../

require (
	github.com/gosctp/gosctp v0.0.0-00010101000000-000000000000
	github.com/pion/logging v0.2.4
	github.com/pion/sctp v1.12.1
	golang.org/x/sys v0.47.0
)

require (
	github.com/pion/randutil v0.1.0 // indirect
	github.com/pion/transport/v5 v5.1.4 // indirect
	github.com/vishvananda/netlink v1.3.1 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/net v0.58.0 // indirect
)
