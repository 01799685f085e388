# Every target makes what it needs first. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
CONFIG ?= config.yaml
# Options of the drill; `make drill DRILL=--help` lists them.
DRILL ?=
# `make test MUTANTS=` leaves the mutants out; CI never does.
MUTANTS ?= yes
# `make bench BENCH=--quick` shows in a few minutes that it works; `BENCH=scale` runs one case.
BENCH ?=

bin := .venv/bin
runtime := .venv/.runtime-installed
dev := .venv/.dev-installed
node := tests/node/node_modules/.installed
wheels := build/wheels/.fetched
bench_node := benchmarks/programs/node/node_modules/.installed
reports := build/reports
pytest := $(bin)/python -m pytest --quiet

# Two at a time, unless the caller has said how many already.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,--jobs=2) --output-sync=target --keep-going

.PHONY: help
help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Use -------------------------------------------------------------------------------------

.PHONY: run
run: $(runtime) ## Start the service with config.yaml, or with CONFIG=my.yaml
	@exec $(bin)/ws-monitor run --config $(CONFIG)

.PHONY: schema
schema: $(runtime) ## Print the JSON Schema of the config
	@$(bin)/ws-monitor schema

# --- Check -----------------------------------------------------------------------------------

.PHONY: check
check: $(dev) ## Format, lint, types, layers, fast tests (under a minute)
	@$(MAKE) $(jobs) fast-tests types layers format-check lint
	@$(bin)/python scripts/tally.py $(reports)/fast.xml

.PHONY: test
test: $(dev) ## Everything: check, integration, mutants (15 minutes)
	@rm -rf $(reports)
	@$(MAKE) check
	@$(MAKE) integration
	@$(if $(strip $(MUTANTS)),$(MAKE) mutants,echo 'The mutants are left out.')
	@$(bin)/python scripts/tally.py $(reports)/*.xml

.PHONY: format
format: $(dev) ## Format the code, and mend what the linter can mend by itself
	@$(bin)/ruff check --fix-only --quiet .
	@$(bin)/ruff format .

.PHONY: format-check
format-check: $(dev)
	@$(bin)/ruff format --check .

.PHONY: lint
lint: $(dev) ## Run the linter
	@$(bin)/ruff check .

.PHONY: types
types: $(dev) ## Check the types
	@$(bin)/mypy --strict

.PHONY: layers
layers: $(dev) ## Check that dependencies point inwards
	@$(bin)/lint-imports --no-cache --no-logo

.PHONY: fast-tests
fast-tests: $(dev) ## The unit and component tests alone
	@scripts/install-test-packages promtool
	@$(pytest) --numprocesses 3 --dist worksteal tests/unit tests/component --junit-xml $(reports)/fast.xml

.PHONY: integration
integration: $(dev) $(node) $(wheels) ## The tests with real processes and sockets alone
	@scripts/install-test-packages
	@$(pytest) tests/integration --junit-xml $(reports)/integration.xml

.PHONY: mutants
mutants: $(dev) ## Plant faults in the core and see the unit tests find them
	@if [[ -x scripts/mutants ]]; then PATH="$(CURDIR)/$(bin):$$PATH" scripts/mutants; else echo 'No scripts/mutants: nothing planted.'; fi

.PHONY: bench
bench: $(dev) $(bench_node) ## Measure accuracy, cost, scale and more (half an hour)
	@scripts/install-test-packages tshark
	@$(bin)/python -m benchmarks $(BENCH)

.PHONY: bench-page
bench-page: $(dev) ## Put what `make bench` found into docs/performance.md
	@$(bin)/python -m benchmarks.report build/bench/results.json

.PHONY: drill
drill: $(dev) ## Break a target in every way, see who is told (16 minutes)
	@scripts/install-test-packages prometheus prometheus-alertmanager
	@$(bin)/python -m drill $(DRILL)

# --- Deploy ----------------------------------------------------------------------------------

include deploy/deploy.mk
lock sbom audit manifests: $(dev)

# --- Made by the way -------------------------------------------------------------------------

# Only what the locks name, and each file only if it has the hash that they give.
install := $(bin)/pip install -qq --disable-pip-version-check --no-deps
locked := $(install) --require-hashes --only-binary :all:

$(runtime): pyproject.toml requirements.lock requirements-build.lock scripts/create-venv
	@scripts/create-venv $(PYTHON) .venv
	@echo 'Installing ws-monitor into .venv'
	@$(locked) -r requirements.lock -r requirements-build.lock
	@$(install) --no-index --no-build-isolation --editable .
	@touch $@

$(dev): $(runtime) requirements-dev.lock
	@echo 'Installing the development tools into .venv'
	@$(locked) -r requirements-dev.lock
	@touch $@

$(node) $(bench_node): %/node_modules/.installed: %/package.json %/package-lock.json
	@scripts/install-test-packages node npm
	@echo 'Installing the Node.js packages of $*'
	@cd $* && npm ci --silent
	@touch $@

# For the image that a test builds without a network.
$(wheels): requirements.lock requirements-build.lock | $(dev)
	@echo 'Fetching the packages of the image'
	@rm -rf $(@D)
	@$(bin)/pip download -qq --require-hashes --no-deps --only-binary :all: --dest $(@D) $(^:%=--requirement=%)
	@touch $@

.PHONY: clean
clean: ## Remove everything that the other targets made, .venv too
	@rm -rf .venv build dist mutants tests/node/node_modules benchmarks/programs/node/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
