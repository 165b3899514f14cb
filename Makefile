# `make test` is the one test command. As root on Debian it installs what it
# needs; as an ordinary user it runs what is possible and says what it skipped.

FUZZTIME ?= 30s
SEEDS    ?= 10000
DEPTH    ?= -1
EXPLORE  ?=
BENCH    ?= .
CITEST   := go -C tools run ./citest

.PHONY: all build test lint race cross interop interop-full fuzz explore sim mutants bench docs

all: test

build:
	go build -o bin/ ./cmd/...

test:
	$(CITEST)

lint:
	$(CITEST) -only gofmt,vet,staticcheck,tidy

race:
	go test -race -shuffle=on ./...

cross:
	$(CITEST) -only cross

interop:
	$(CITEST) -only setup,interop

# Hours, not minutes: 10,000 messages in each direction of each run, and every
# way in which a path can die.
interop-full:
	$(CITEST) -only setup
	cd interop && go test -count=1 -timeout 6h -parallel 8 . -messages 10000 -full

fuzz:
	@go list -f '{{.Dir}}' ./... | while read dir; do \
		for f in $$(grep -ohE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
			echo "== $$f in $$dir"; \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; \
	done

# As deep as CI has time for; EXPLORE=deep as docs/EXPLORATION.md tells of;
# DEPTH moves deep, 0 for all there is.
explore:
	go test -count=1 -timeout 12h -run TestExplore -v ./sim/explore -explore.depth=$(DEPTH) $(if $(filter deep,$(EXPLORE)),-explore.deep)

# SEEDS random scenarios; a summary, or the smallest scenario that fails.
sim:
	go test -count=1 -timeout 6h -run 'TestSeeds$$' -v ./sim -sim.seeds=$(SEEDS)

bench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Breaks rules of RFC 9260 on purpose: each mistake has to be caught.
mutants:
	go -C tools run ./mutants

# What is generated from the code; the tests fail when it is out of date.
docs:
	go test -count=1 -run StateTable ./stack/fsm -update
	go test -count=1 -run Golden ./internal/cli/replay -update
	go -C tools run ./rfccov -write
