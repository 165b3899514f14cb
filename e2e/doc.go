// Package e2e has tests of whole processes: the sctp binary, several of it at
// once, in network namespaces of the tests' own.
package e2e
