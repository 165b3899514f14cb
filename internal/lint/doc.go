// Package lint holds the project's own architecture rules, as tests: who may
// import whom, and that the core reads no clock, no randomness and no socket.
package lint
