# trailship: everything a developer runs. `make help` lists it.
# Tools are pinned here and stay out of go.mod.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PROTOC_GEN_GO := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GO_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s
CHAOS_ROUNDS ?= 200

.DEFAULT_GOAL := help
.PHONY: help build test race lint bench bench-build bench-peers bench-program fuzz chaos demo gen gen-check clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/trailship
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/trailship ./cmd/trailship

test: ## run every test (what CI runs)
	go test ./...

race: ## run every test under the race detector
	go test -race ./...

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt-ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

bench: ## run the benchmarks (records/s, MB/s)
	go test -run '^$$' -bench . -benchmem ./...

# Trails and results of the comparison stay in BENCH_DIR (about 4 GB for 1GB).
BENCH_DIR ?= $(or $(TMPDIR),/tmp)/trailship-bench
BENCH_SIZE ?= 1GB
BENCH_FLAGS = -dir $(BENCH_DIR) -size $(BENCH_SIZE) $(BENCH_ARGS)

bench-peers: bench-build ## CPU time beside zcat, jq, DuckDB, rsyslog … (about 25 minutes); says what to install
	@go build -C cmd/trailbench/engines -o $(CURDIR)/bin/engines . || rm -f bin/engines
	bin/trailbench peers $(BENCH_FLAGS)

bench-program: bench-build ## CPU time, memory and cores of the whole program (about 15 minutes)
	bin/trailbench program $(BENCH_FLAGS)

bench-build: build
	go build -o bin/trailgen ./cmd/trailgen
	go build -o bin/trailbench ./cmd/trailbench

fuzz: ## run each fuzz target for FUZZTIME (20s)
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$target"; \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg || exit 1; \
	  done; \
	done

chaos: build ## kill the daemon CHAOS_ROUNDS (200) times at random moments and count what is lost
	go test -run '^(TestKilledAtAnyMoment|TestABucketIsReadThoughTheDaemonIsKilled|TestLateObjectsAreReadByADayThatPassesInSeconds)$$' \
	  -timeout 60m -v ./cmd/trailship -args -rounds $(CHAOS_ROUNDS)

demo: build ## watch sample trails, see alerts, break and mend a rule
	@./examples/demo.sh

gen: ## regenerate what is generated and committed
	@command -v protoc >/dev/null || { echo "gen needs protoc (Debian: protobuf-compiler)"; exit 1; }
	@mkdir -p bin/tools
	GOBIN=$(CURDIR)/bin/tools go install $(PROTOC_GEN_GO)
	GOBIN=$(CURDIR)/bin/tools go install $(PROTOC_GEN_GO_GRPC)
	PATH=$(CURDIR)/bin/tools:$$PATH protoc --go_out=. --go_opt=paths=source_relative \
	  --go-grpc_out=. --go-grpc_opt=paths=source_relative plugins/sdk/outputpb/output.proto
	protoc -Iplugins/sdk/outputpb --python_out=cmd/trailship/scaffold/python output.proto
	cp cmd/trailship/scaffold/python/output_pb2.py examples/output-python
	go test ./cmd/trailship -run '^TestGeneratedPagesAreCurrent$$' -args -update

gen-check: gen ## fail when the committed generated files are not what gen makes
	git diff --exit-code -- docs plugins/sdk/outputpb cmd/trailship/scaffold examples/output-python

clean: ## remove what was built
	rm -rf bin
