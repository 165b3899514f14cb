// Command sctp speaks SCTP from the command line: a demo that verifies itself,
// netcat-like listen and connect, performance measurements, and a check of
// what this host can do. See `sctp --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/gosctp/gosctp/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
