# Everything a user or a developer does. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo up test lint wasm preview bench differential fuzz tools

ROOT := $(CURDIR)
MODULE := dist/turquoise.wasm
export ENVOY_BIN ?= $(ROOT)/.tools/venv/bin/envoy
export TURQUOISE_WASM ?= $(ROOT)/$(MODULE)
# Node.js is installed there where the system has none that does.
export PATH := $(ROOT)/.tools/venv/bin:$(PATH)
export TURQUOISE_BIN ?= $(ROOT)/target/release/turquoise

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: tools wasm ## Watch a real Envoy move live traffic from blue to green and back (a minute after the build)
	@echo "==> building the demo's applications and the command line"
	@cargo build --release --quiet -p turquoise-cli -p blue-green
	@target/release/demo

up: tools wasm ## Start the same Envoy and applications, and leave them running until Ctrl-C
	@cargo build --release --quiet -p turquoise-cli -p blue-green
	@target/release/demo up

test: wasm ## Run every test, in a real Envoy, in Node, Python and Chromium too
	@.ci/install-tools test
	@cargo build --release -p turquoise-cli
	@cargo test --workspace
	@$(MAKE) --no-print-directory preview
	@npm --prefix preview test
	@npm --prefix envoy/ofrep ci --silent
	@npm --prefix envoy/ofrep test

preview: ## Build the npm package: preview/pkg
	@.ci/install-tools
	@.ci/install-tools test
	@echo "==> building the npm package"
	@npm --prefix preview ci --silent
	@preview/build

differential: preview ## Compare with flagd's reference evaluator over PAIRS random documents
	@PAIRS=$${PAIRS:-200000} npm --prefix preview run differential

fuzz: ## Run each fuzz target for FUZZ_SECONDS (60), or FUZZ_TARGETS alone (see fuzz/README.md)
	@fuzz/run $${FUZZ_SECONDS:-60} $${FUZZ_TARGETS:-}

lint: tools ## Check format, lints, documentation, licences and the dependency rule
	@.ci/install-tools lint
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo clippy -p turquoise-filter --all-features --target wasm32-wasip1 -- -D warnings
	@cargo clippy -p turquoise-core --target wasm32-unknown-unknown -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	@.ci/dependency-rule
	@.tools/bin/cargo-deny --log-level error check bans licenses sources

wasm: tools ## Build the module: dist/turquoise.wasm
	@echo "==> building the module"
	@cargo build --profile wasm --target wasm32-wasip1 --quiet -p turquoise-filter
	@mkdir -p dist
	@cp target/wasm32-wasip1/wasm/turquoise_filter.wasm $(MODULE)

bench: tools ## Measure (see benches/BENCHMARKS.md)
	@cargo bench -p turquoise-benches

tools: ## Install what the other targets need into .tools
	@.ci/install-tools
