// Package interop holds this module against other SCTP stacks: the Linux
// kernel's, usrsctp and pion. It has only tests; README.md says what they do
// and how to run one case by hand.
package interop
