# Every command of the project. `make up` and `make test` set up what they need by themselves.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

ORACLES := .cache/oracles

.PHONY: help setup doctor tools up test check mutants faults bench bench-planner store contracts rules lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## the virtual environment, exactly as locked

$(READY): requirements.lock pyproject.toml
	$(PY) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

doctor: setup ## what this machine lacks, and how to get it
	$(BIN)/pelangi doctor

tools: ## Chromium, Prometheus and Node.js from Debian, where they are missing
	@sh deploy/local/tools.sh

up: setup ## run everything on this machine; Ctrl-C ends it
	$(BIN)/pelangi up --play

test: setup tools ## all tests, on real Kafka and a real store; names the slowest
	$(BIN)/python -m tests.suites

check: setup ## style, types, boundaries, contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pelangi contracts check --against contracts/released/v1
	$(BIN)/pelangi rules check

mutants: setup ## edits that break a rule: each must fail its named test
	$(BIN)/python tests/mutants/run.py

faults: setup tools store ## every fault, at length (about an hour); rewrites docs/faults.md
	PELANGI_STORE=rust $(BIN)/python -m tests.faults

bench: setup tools store ## ratios in one run; rewrites bench/report.md
	PELANGI_STORE=rust $(BIN)/python -m tests.bench

bench-planner: setup $(ORACLES)/.ready ## the planner against its demands, beside simple rules and PyVRP; rewrites bench/planner
	PYTHONPATH=$(ORACLES) $(BIN)/python -m tests.bench_planner

$(ORACLES)/.ready: tests/bench_planner/requirements.lock | setup
	rm -rf $(ORACLES)
	$(BIN)/python -m pip install --quiet --require-hashes --target $(ORACLES) --requirement $<
	@touch $@

store: setup ## the fast build of the store, for benchmarks and faults (cargo, about five minutes, once)
	$(BIN)/python -m pelangi.local.database

contracts: setup ## write contracts/ from the models
	$(BIN)/pelangi contracts export

rules: setup ## write docs/rules.md from the tables
	$(BIN)/pelangi rules export

lock: ## pin the dependencies again
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --upgrade --quiet --output-file requirements.lock
	$(BIN)/uv pip compile --group oracles --constraint requirements.lock --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --quiet --output-file tests/bench_planner/requirements.lock
	sh deploy/docker/lock.sh

clean: ## forget this machine's data and caches
	rm -rf .data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
