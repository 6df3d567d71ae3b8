# One entry for everything. `make` says what there is.

# The first of these that runs, is 3.11 to 3.13 and can make virtual environments (a version manager's shim may be there and not run).
CANDIDATES := python3.13 python3.12 python3.11 python3
USABLE     := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON     ?= $(shell for p in $(CANDIDATES); do $$p -c '$(USABLE)' 2>/dev/null && echo $$p && break; done)

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
LOCK  := requirements.lock
HASHED := --require-hashes --no-deps
COMPILE := $(BIN)/uv pip compile -q --universal -p 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

# What tests start and wait for overlaps: three workers keep two cores busy (tests/workers.py). A few tests are quicker without.
WORKERS := -n 3

TYPESCRIPT := 5.9.3

DEMO_FLAGS ?=
TEST_FLAGS ?= $(WORKERS)
CHAOS_FLAGS ?=
BENCH_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help venv demo images chaos bench fuzz test lint types scripts vendor generated jars kafka lock clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

venv: $(READY)  ## make .venv from requirements.lock, every hash checked

# uv installs in a tenth of pip's time. Its own hash stands in the lock, so pip fetches it first; where uv has no build, pip does it all.
$(READY): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "no usable Python 3.11, 3.12 or 3.13 with venv: install one (Debian: apt-get install python3 python3-venv), or say PYTHON=path" >&2; exit 1; }
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' $(LOCK) > $(VENV)/uv.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check $(HASHED) --only-binary :all: -r $(VENV)/uv.lock \
	  && $(BIN)/uv pip install -q --python $(BIN)/python $(HASHED) -r $(LOCK) \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check $(HASHED) -r $(LOCK)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## the whole system on real flights; DEMO_FLAGS="--json PATH --flights N"
	$(BIN)/weir demo $(DEMO_FLAGS)

test: $(READY) jars  ## every test that can run here; TEST_FLAGS="tests/unit -k name"
	$(BIN)/pytest $(TEST_FLAGS)

images: $(READY) jars  ## what the container images hold, run as processes: minutes
	WEIR_TEST_IMAGES=1 $(BIN)/pytest tests/guide/test_3_in_an_image.py

chaos: $(READY) jars  ## faults, again and again, and the proof that nothing was lost; CHAOS_FLAGS="--quick --only 1 --json PATH"
	$(BIN)/python -m tests.chaos $(CHAOS_FLAGS)
	$(if $(CHAOS_FLAGS),,$(BIN)/python -m tests.chaos.monitor)
	$(if $(CHAOS_FLAGS),,$(BIN)/python -m tests.chaos.learner)
	$(if $(CHAOS_FLAGS),,WEIR_TEST_CHAOS=1 $(BIN)/pytest tests/chaos/test_verdict.py tests/kafka/test_cluster.py tests/kafka/test_membership.py \
	  tests/kafka/test_secured.py)

bench: $(READY) jars  ## throughput, latency, memory, beside the limit and the peers; BENCH_FLAGS="--quick --json PATH"
	$(BIN)/python -m tests.bench $(BENCH_FLAGS)

fuzz: $(READY)  ## every decoder of outside bytes, with a million cases or FUZZ_CASES; report in .weir/fuzz/report.json
	FUZZ_CASES=$${FUZZ_CASES:-1000000} $(BIN)/pytest tests/fuzz

lint: $(READY)  ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy --strict
	$(BIN)/mypy

scripts: $(READY)  ## the console's scripts by TypeScript's checker, and its libraries beside npm's (npm)
	npx --yes -p typescript@$(TYPESCRIPT) tsc -p infra/scripts.json
	$(BIN)/python infra/vendor.py --check

vendor: $(READY)  ## fetch what the console's pages carry, as vendor.lock names it (npm)
	$(BIN)/python infra/vendor.py

generated: $(READY)  ## write what is generated: metrics page, settings table, dashboard (tests say when stale)
	$(BIN)/python infra/generate.py

jars: $(READY)
	@$(MAKE) --no-print-directory kafka || echo "no Apache Kafka: what needs it is skipped and says so"

kafka: $(READY)  ## fetch Apache Kafka's jars now, some 44 MB; `weir up` and the tests do it when they need them
	@$(BIN)/python -m weir.edges.embedded.kafka_jars

lock: $(READY)  ## resolve pyproject.toml again; keeps the pins that still fit
	$(COMPILE) pyproject.toml --all-extras -o $(LOCK)
	$(COMPILE) pyproject.toml --extra learn -c $(LOCK) -o infra/worker.lock
	$(COMPILE) pyproject.toml infra/gpu.in --extra learn -c $(LOCK) -o infra/gpu.lock
	$(COMPILE) tests/toolchains/requirements.in -o tests/toolchains/requirements.lock
	$(BIN)/uv run -q --script infra/kafka/lock.py

clean:  ## remove caches and what processes wrote; .venv and .weir/kafka stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	find .weir -mindepth 1 -maxdepth 1 -not -name kafka -exec rm -rf {} + 2>/dev/null || true
