# Each target sets itself up: a virtual environment in .venv, made with $(PYTHON), and the packages that it needs.
# Set-up runs again only when a pyproject.toml changes. Root is not needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PROJECTS := pyproject.toml compat/thespian/pyproject.toml apps/provision/pyproject.toml
# A distribution whose import package is not there yet is not installed.
EDITABLE := -e '.[all]'
ifneq ($(wildcard compat/thespian/src/thespian),)
EDITABLE += -e compat/thespian
endif
ifneq ($(wildcard apps/provision/src/provision),)
EDITABLE += -e apps/provision
endif
# Two runs, because folders of tests that are no packages may have modules of the same name.
TYPED = $(wildcard src tests apps/*/src apps/*/tests)
TYPED_COMPAT = $(wildcard compat/*/src/*/ compat/*/tests)
# Dependency groups (PEP 735) need pip 25.1; Debian 12 puts 23.0 into a new environment.
INSTALL = $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && $(BIN)/python -m pip install --quiet $(EDITABLE)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format typecheck bench bench-short docs soak lock clean

help:  ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.ready-run  ## the reference application: hosts, customers' servers, one crash (a minute)
	$(BIN)/garrick demo

# Two tests at a time: most of them wait for processes. More would be too many for those that need a core to themselves.
test: $(VENV)/.ready-test  ## the fast suite; ARGS='-k name' for a part of it
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not soak' $(ARGS)

REPEAT ?= 1000
ORDERS ?= 20
soak: $(VENV)/.ready-test  ## the long campaigns, the tests of concurrency REPEAT=1000 times, simulated ones in ORDERS=20 orders each (hours)
	$(BIN)/python -m pytest -m soak --timeout 1800 $(ARGS)
	$(BIN)/python -m pytest -q -x -m 'concurrency and not soak' -k 'not sim' --count $(REPEAT) $(ARGS)
	$(BIN)/python -m pytest -q -k 'sim-random or sim-convention-random or sim-processes-random' --count $(ORDERS) tests/conformance $(ARGS)

lint: $(VENV)/.ready-lint  ## ruff, the contracts of imports, the fragments of the change log
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/towncrier build --draft --version next >/dev/null

format: $(VENV)/.ready-lint  ## let ruff put things right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(VENV)/.ready-typecheck  ## mypy and basedpyright, on source and tests
	$(BIN)/mypy $(TYPED)
	$(BIN)/mypy $(TYPED_COMPAT)
	$(BIN)/basedpyright

bench: $(VENV)/.ready-run  ## all benchmarks against their peers, median of five; writes a table
	$(BIN)/python -m benchmarks $(ARGS)

bench-short: $(VENV)/.ready-run  ## the same in short; fails only below half of the recorded ratios
	$(BIN)/python -m benchmarks --short $(ARGS)

docs: $(VENV)/.ready-docs  ## the documentation, as HTML in build/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/docs

lock:  ## write uv.lock again (needs uv)
	uv lock

clean:  ## remove the virtual environment and everything that was generated
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------------------- set-up

# ensurepip is what Debian leaves out of python3 and puts into python3-venv.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Garrick needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "python3-venv is missing. As root: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready-run: $(PROJECTS) | $(BIN)/python
	$(INSTALL)
	@touch $@

$(VENV)/.ready-test $(VENV)/.ready-lint $(VENV)/.ready-typecheck $(VENV)/.ready-docs: $(VENV)/.ready-%: $(PROJECTS) | $(BIN)/python
	$(INSTALL) --group $*
	@touch $@ $(VENV)/.ready-run
