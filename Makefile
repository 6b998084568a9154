# Go and make are all it needs, and a C compiler for fluentbit and test: ocb, mdatagen and staticcheck are built from their
# pinned modules in internal/tools.
TOOLS := $(CURDIR)/build/tools
OURS  := $(shell find receiver processor exporter internal rules fluentbit cmd -name '*.go' ! -name '*_test.go' ! -path 'internal/tools/*' -o -name schema.json -o -name mapping.yml -o -path "rules/*.yml")

.PHONY: build run test lint bench bench-micro fluentbit generate deps clean
build: bin/siempipe

build/ocb/go.mod: builder-config.yaml go.mod $(TOOLS)/builder
	$(TOOLS)/builder --config builder-config.yaml --skip-compilation

# -mod=mod: a package that the checkout has begun to use may need a line in ocb's go.mod.
bin/siempipe: build/ocb/go.mod go.sum $(OURS)
	cd build/ocb && CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags="-s -w" -o $(CURDIR)/$@ .
	@touch $@

$(TOOLS)/%: internal/tools/%/go.mod internal/tools/%/go.sum
	cd internal/tools/$* && go build -o $@ tool
	@touch $@

# make run ONCE=1 checks what arrived and ends.
run: build
	go build -o build/quickstart ./cmd/quickstart
	exec build/quickstart $(if $(ONCE),-once)

test: build fluentbit
	go test -timeout 60m ./...
	@command -v "$${FLUENT_BIT:-fluent-bit}" >/dev/null || echo "*** The tests with a real Fluent Bit DID NOT RUN: none on PATH, and FLUENT_BIT names none. ***"
	@command -v moto_server >/dev/null || echo "*** The tests of SQS DID NOT RUN: no moto_server on PATH (pip install 'moto[server]'). ***"

lint: $(TOOLS)/staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "not gofmt'ed"; exit 1; }
	go vet ./...
	$(TOOLS)/staticcheck ./... | grep -v '/generated_' | { ! grep .; }

# The table of bench/README.md; ours beside a collector of existing components.
bench: build $(TOOLS)/versitygw build/bench/anchor
	go build -o build/bench/bench ./bench
	build/bench/bench -write bench/README.md

build/bench/anchor: bench/anchor.yaml $(TOOLS)/builder
	$(TOOLS)/builder --config bench/anchor.yaml --skip-compilation
	cd build/anchor && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(CURDIR)/$@ .

# To compare: benchstat bench/micro.txt build/bench/micro.txt
bench-micro:
	@mkdir -p build/bench
	go test -run '^$$' -bench . -count 6 ./... | tee build/bench/micro.txt

fluentbit: bin/out_siempipe.so

bin/out_siempipe.so: go.mod go.sum $(OURS)
	CGO_ENABLED=1 go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o $@ ./fluentbit
	@rm -f bin/out_siempipe.h

generate: $(TOOLS)/mdatagen
	PATH="$(TOOLS):$$PATH" go generate ./...

deps:
	go run ./cmd/deps

clean:
	rm -rf bin build
