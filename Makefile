# One virtual environment, .venv, made when a target needs it. `make help` lists the targets.
# pip takes its index settings from your own environment and configuration.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip
ARGS   ?=
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal
MINUTES ?= 10
PYTHONS ?= 3.12 3.13 3.14
# They bound pgvector from above.
NEIGHBOURS := langchain-postgres vecs

.DEFAULT_GOAL := help
.PHONY: help install demo check test test-lowest test-pythons neighbours nightly docs soak bench bench-quick lint format cron-server cron-server-stop clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS='…' goes to pgvec demo or to pytest; PYTHON=python3.12 picks another Python."

install: $(VENV)/.installed-dev ## everything a developer needs, into .venv

demo: $(VENV)/.installed-demo ## an upgrade of the embedding model, start to end, on an embedded server
	$(BIN)/pgvec demo $(ARGS)

check: lint ## lint, and the tests that finish within two minutes
	$(PYTEST) -k "not pg16" tests/unit tests/sql $(ARGS)

test: $(VENV)/.installed-dev ## all tests; tests that need pg_cron are skipped without its server
	$(PYTEST) $(ARGS)

test-lowest: $(VENV)/.installed-dev ## a part of the tests with the oldest versions that the package allows; Python 3.11
	@tools/test_pythons.sh lowest

test-pythons: $(VENV)/.installed-dev ## the same part with other Pythons, those that are here: PYTHONS="3.12 3.13 3.14"
	@tools/test_pythons.sh $(PYTHONS)

neighbours: $(VENV)/.installed-dev ## can the package be installed beside others with narrow bounds? Asks PyPI
	@for other in $(NEIGHBOURS); do \
	  printf '.\n%s\n' "$$other" | $(BIN)/uv pip compile --quiet --no-header - >/dev/null || exit 1; \
	  echo "$$other: can be installed beside it"; \
	done

nightly: $(VENV)/.installed-dev ## all tests on PostgreSQL 18 and 16, other libraries, random ones with many examples, other Pythons
	PGVEC_TEST_LIBRARIES=$${PGVEC_TEST_LIBRARIES:-.bench/libraries} \
	$(PYTEST) --hypothesis-profile=nightly --timeout=1800 $(ARGS)
	tools/test_pythons.sh --all lowest $(PYTHONS)

docs: $(VENV)/.installed-dev ## the site, into site/; strict, and without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

soak: $(VENV)/.installed-dev ## writers, killed workers, lost backends, flips, readers: MINUTES=10
	$(BIN)/python -m bench.soak $(MINUTES)

bench: $(VENV)/.installed-dev ## every figure of docs/benchmarks.md; half an hour of an idle machine
	$(BIN)/python -m bench.run $(ARGS)

bench-quick: $(VENV)/.installed-dev ## the same, small, in minutes; its figures are not for quoting
	$(BIN)/python -m bench.run --quick $(ARGS)

lint: $(VENV)/.installed-dev ## ruff, pyright, import-linter, squawk, pre-commit; no network
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/squawk sql/catalog/*.up.sql
	@if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then \
	  PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files; \
	else \
	  echo "not a git checkout: pre-commit left out"; \
	fi

format: $(VENV)/.installed-dev ## let ruff repair and format what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

cron-server: ## start PostgreSQL 17 with pg_cron in .cron-server (root; Debian or a relative of it)
	@tools/cron_server.sh start

cron-server-stop: ## stop it
	@tools/cron_server.sh stop

clean: ## remove .venv and what tools left behind
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-3.* build dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# --- The environment ---

# uv takes its index from UV_DEFAULT_INDEX, not from pip's settings.
lowest.txt: pyproject.toml | $(VENV)/.installed-dev
	@sed -n '/^#/p' $@ >$@.new
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --only-binary :all: --no-binary pgvec-versions \
	  --python-version 3.11 --resolution lowest-direct --extra test pyproject.toml >>$@.new
	@mv $@.new $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.installed-demo
