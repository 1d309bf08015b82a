# Targets, one line each:
#   make verify     install all that is needed, bring up the twin, drill it, end with a report
#   make test       install, lint, unit tests, the twin's tests, the drills and the quick defects
#   make nightly    everything: the whole defect matrix, ten clean runs, benchmarks; one that was ended goes on
#   make soak       kill every part of a run at every boundary of its undo journal
#   make unit       unit tests only, without the few that take long (seconds)
#   make lint       ruff, basedpyright, import-linter
#   make setup      install system packages, Python environment and Go when needed
#   make bench      measure and print figures; takes the twin down and up; kept under reports/bench/
#   make bench-peers  the same releases and loads given to other tools, on the twin that is up
#   make down       take the twin down
#   make lock       resolve requirements.lock again
#   make clean      remove the environment and what the tests left

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup verify test nightly soak unit lint bench bench-peers down lock clean
help:
	@sed -n 's/^#   //p' Makefile

setup: $(STAMP)
	@$(BIN)/python -m drillbook.twin.packages

$(STAMP): requirements.lock pyproject.toml
	@scripts/make-venv "$(PYTHON)" $(VENV)
	@touch $@

verify: setup
	@$(BIN)/drillbook twin up
	@$(BIN)/drillbook verify --environment twin

unit: $(STAMP)
	$(BIN)/python -m pytest tests/unit -m "not slow" -n auto --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports

test: setup
	@scripts/test

nightly: setup
	@scripts/nightly

soak: setup
	@$(BIN)/drillbook twin up
	$(BIN)/python -m pytest tests/crashes -s

bench: setup
	$(BIN)/python -m benchmarks

bench-peers: setup
	@$(BIN)/drillbook twin up
	$(BIN)/python -m benchmarks.peers

down: $(STAMP)
	$(BIN)/drillbook twin down

lock:
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --no-emit-find-links --no-annotate --all-extras pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build *.egg-info
