# What a person or a machine does with this checkout. Each target sets up by itself what it needs: the tools
# in .venv are those of uv.lock, the linter of the contract is that of protos/package-lock.json. Nothing is
# installed outside the checkout; services and smoke clients that had to be built are kept in
# $XDG_CACHE_HOME/longshore (~/.cache/longshore) and found there by the next run.

UV_VERSION := 0.13.8
# The first of these that is 3.11 or later makes .venv. PYTHON=… chooses another one.
PYTHON ?= $(firstword $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate; done))

VENV := .venv/bin
SYNCED := .venv/.synced
LINTER := protos/node_modules/.package-lock.json
FRESH := .cache/stubs

# $(call protoc,FOLDER): the stubs of every proto, into FOLDER.
protoc = PATH="$(CURDIR)/$(VENV):$$PATH" $(VENV)/python -m grpc_tools.protoc -I protos \
  --python_out=$(1) --grpc_python_out=$(1) --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) \
  $(sort $(wildcard protos/longshore/*/*.proto))

.DEFAULT_GOAL := help
.PHONY: help setup test lint protos stubs-fresh services bench chaos demo cluster clean

help: ## Show what there is to make
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

setup: $(SYNCED) ## Create .venv with the locked versions of everything

$(SYNCED): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Longshore needs Python 3.11 or later: install it, or name it with PYTHON=…" >&2; exit 1; }
	@test -x $(VENV)/python || { echo "creating .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@$(VENV)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	$(VENV)/uv sync --frozen --all-extras --quiet
	@touch $@

# Every test at once takes two processes, each with services of its own; many tests mostly wait.
test: $(SYNCED) ## Run every test on real services (ARGS="tests/contract -x" narrows it)
	$(VENV)/python -m pytest $(or $(ARGS),-n 2 --dist loadfile)

lint: $(SYNCED) $(LINTER) ## Check style, types, import directions and the contract
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports
	cd protos && node_modules/.bin/buf lint
	@$(MAKE) --no-print-directory stubs-fresh

$(LINTER): protos/package.json protos/package-lock.json
	@command -v npm >/dev/null || { echo "buf, which checks the contract, comes by npm: install Node.js 18 or later" >&2; exit 1; }
	cd protos && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

protos: $(SYNCED) ## Make the Python stubs beside the .proto files, and docs/api, anew
	find protos/longshore -name '*_pb2*.py*' -delete
	$(call protoc,protos)
	$(VENV)/python -m tools.api_reference

stubs-fresh: $(SYNCED) # Fail when the committed stubs are not what the .proto files make
	@rm -rf $(FRESH) && mkdir -p $(FRESH)
	@$(call protoc,$(FRESH))
	@diff -rq -x '*.proto' -x py.typed -x __pycache__ $(FRESH)/longshore protos/longshore \
	  || { echo "the stubs are not those of the .proto files: run make protos" >&2; exit 1; }
	@echo "the stubs are fresh"

services: $(SYNCED) ## Find or build MinIO, etcd, PostgreSQL and the tests' other programs
	$(VENV)/python -m tests.services.build

bench: $(SYNCED) ## Measure what docs/performance.md shows (ROWS=upload,tree some rows, QUICK=1 small, ANEW=1 from the start)
	$(VENV)/python -m benchmarks $(if $(ROWS),--rows $(ROWS)) $(if $(QUICK),--quick) $(if $(ANEW),--anew)

cluster: $(SYNCED) ## Run a cluster of three nodes on this machine, until Ctrl-C (ARGS="--folder DIR" keeps it)
	$(VENV)/python -m examples.cluster $(ARGS)

chaos: $(SYNCED) ## Break a cluster at random and check what it promised (MINUTES=60, SEED=N the same faults again)
	$(VENV)/python -m tests.cluster.chaos --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

demo: $(SYNCED) ## See a deployment, its progress and its rollback, from start to end
	$(VENV)/python -m examples.demo

clean: ## Remove what was made inside the checkout, .venv included
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist protos/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
