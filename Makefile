# Everything that is done to opentalk. `make run` and `make test` need Go and make, nothing else.

GO       ?= go
FUZZTIME ?= 100000x
BINARY   := opentalk$(shell $(GO) env GOEXE)

# Nothing needs a C compiler but the race detector, and one way to build is compiled once.
export CGO_ENABLED := 0

# The binary is small and says nothing of the machine it was built on.
BUILD := $(GO) build -trimpath -ldflags '-s -w'

.PHONY: run build test check demo bench bench-compare long fuzz cross clean lint

run: build
	./$(BINARY)

build:
	$(BUILD) -o $(BINARY) .

# Fast, and without a C compiler.
test:
	$(GO) test ./...

# What CI runs: the tests, the race detector, vet, staticcheck, every platform, a little of what takes long, and every benchmark once.
check: test lint race crowd faults cross demo
	$(MAKE) soak SOAK=20s
	$(MAKE) fuzz FUZZTIME=10000x
	$(MAKE) bench-once

# Each benchmark once, which measures nothing and shows that it could.
.PHONY: bench-once
bench-once: build
	$(GO) test -run '^$$' -bench . -benchtime 1x ./...
	$(GO) run ./examples/bench -program ./$(BINARY) -once

# A process that a test has started ends at a race, so that the test fails, and does not wait a second for one at its end.
.PHONY: race
race:
	GORACE='halt_on_error=1 atexit_sleep_ms=0' CGO_ENABLED=1 $(GO) test -race ./...

# Twenty real processes that talk while ten of them are killed and started again; a thousand who join within a minute.
.PHONY: crowd
crowd:
	$(GO) test -count=1 -run '^TestCrowd$$' -v . -crowd 20 -crowd.lives 8
	$(GO) test -count=1 -run '^TestT18ManyJoins$$' -v ./engine -joins 1000

# Strangers at the door: ten thousand junk handshakes a second, or as many as the machine gives; ten thousand slow sockets; a
# thousand joins a minute. Four minutes. An honest dial takes less than two seconds, or this fails.
.PHONY: hostile
hostile:
	$(GO) test -count=1 -v -run '^Test(T8Junk|T9Slow|T18Flood)' . -hostile.junk 10000 -hostile.sockets 10000 \
		-hostile.time 30s -hostile.joins 950 -hostile.late 2s

# Eight members on a network that loses, delays, splits and resets, with processes that stand still now and then. Needs root and
# nftables.
.PHONY: soak
SOAK ?= 2m
soak:
	$(GO) test -count=1 -v -run '^TestSoak$$' -timeout 0 . -soak $(SOAK)

# Breaks the code on purpose, one promise at a time, in a copy: tests must notice each. A quarter of an hour.
.PHONY: damage
damage:
	testdata/damage/run

# Everything that is too long for every change, tried so often as before a release. It goes on where the last run stopped.
#
#	make torture TORTURE_TIME=8h
#	make torture TORTURE_TIME=0         # only tells what has been done
#	make torture ROWS='kills simulation'
.PHONY: torture
torture:
	@GO='$(GO)' testdata/torture/run $(ROWS)

# The figures of crashes, damage and models that CI wants, which are more than `make test` has time for.
.PHONY: faults
faults:
	$(GO) test -count=1 -run '^Test(Damage|PowerCut|Kill)$$' ./engine/store -store.damage 1000 -store.cuts 1000 -store.kills 30
	$(GO) test -count=1 -run '^TestModel$$' ./engine/store/storetest -rapid.checks 1000 -rapid.steps 15
	$(GO) test -count=1 -run '^Test(Any|Admission|Held)' ./engine/chain -rapid.checks 1000

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'gofmt would change these'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# One screen of plain output: four people, one of whom leaves and comes back.
demo: build
	$(GO) run ./examples/demo -program ./$(BINARY)

# The program beside the limits of this machine, measured in turns: BENCHMARKS.md. Ratios are what to compare.
bench: build
	$(GO) run ./examples/bench -program ./$(BINARY)

# The same work by other systems, which need their own modules, and one of them Node. What is not there is skipped with a word.
bench-compare: build
	-cd examples/bench/gossipsub && $(GO) build -o ../cache/gossipsub .
	-cd examples/bench/hypercore && npm ci --no-audit --no-fund
	$(GO) run ./examples/bench -program ./$(BINARY) -compare

# How one message spreads in rounds of so many members, as a table, and as a picture in scale.svg. Five minutes.
MEMBERS ?= 10,100,500
.PHONY: scale
scale:
	$(GO) test -count=1 -v -run '^TestScale$$' -timeout 0 ./engine -engine.members $(MEMBERS) -engine.picture $(CURDIR)/scale.svg

# A round of a million messages between real processes, floods of a million blocks, and many damaged homes: half an hour.
long:
	$(GO) test -v -run '^TestLong$$' -timeout 60m -long.blocks 1000000 .
	$(GO) test -v -run '^TestT16|^TestSalvage$$' -timeout 60m ./engine -engine.flood 1000000 -engine.heads 100000 -engine.damage 2000
	$(GO) test -v -run '^TestDamage$$' -timeout 60m ./engine/store -store.damage 20000

# Each fuzz target for FUZZTIME, a number of inputs: with a duration, Go's fuzzer now and then takes the end of its own time
# for a failure. What is found lands in the package's testdata/fuzz and stays there. FuzzForeignText types at a whole shell on a
# pseudo-terminal, 250 inputs a second on two cores: it gets a fifth of FUZZTIME, and still takes the longest. Each package is
# built once.
fuzz:
	@work=$$(mktemp -d) && trap 'rm -rf $$work' EXIT && for dir in $$($(GO) list -f '{{.Dir}}' ./...); do \
		grep -qs '^func Fuzz' $$dir/*_test.go || continue; \
		pkg=.$${dir#$(CURDIR)}; \
		$(GO) test -c -fuzz . -o $$work/fuzz $$pkg || exit 1; \
		for target in $$($$work/fuzz -test.list '^Fuzz' | grep '^Fuzz'); do \
			echo "fuzz $$pkg $$target"; \
			times=$(FUZZTIME); [ $$target != FuzzForeignText ] || times=$$(($${times%x} / 5))x; \
			(cd $$dir && $$work/fuzz -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $$times -test.fuzzminimizetime 10x \
				-test.fuzzcachedir $$($(GO) env GOCACHE)/fuzz/opentalk/$$pkg) || exit 1; \
		done; \
	done

# Makes the code of the plugin contract again, with the generators that made it and no others.
.PHONY: proto
proto:
	plugins/wire/generate

cross:
	@for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64; do \
		echo "build $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null . || exit 1; \
	done

clean:
	rm -rf $(BINARY) opentalk.exe scale.svg
