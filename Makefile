# Needs Python 3.11 or newer, Git and make. Everything else goes into ./.venv.
#
#   make demo     build a scratch repository in ./demo, train a few models, look at the runs
#   make test     every test
#   make test-oldest-mlflow   those of the MLflow plugin, with MLflow 3.0
#   make check    lint, format and types
#   make bench    the benchmarks, beside MLflow in a virtual environment of its own
#   make bench-large   those with 100,000 runs: a quarter of an hour, 5 GB of disk
#   make docs     renew the generated pages of docs/reference
#   make site     the documentation as a site, in build/site
#   make dist     sdist and wheel, in build/dist, tried in a virtual environment of their own
#   make plots    the tables of docs/benchmarks.md as drawings
#   make clean    remove what the above made

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
PYTEST_ARGS ?=

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet -c constraints.txt
# Asked for by its exact version in the same call: a range may bring a CUDA build of several GB.
TORCH := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help env s3rver husky demo test test-oldest-mlflow check lint types bench bench-large docs site dist plots constraints clean

help:
	@sed -n 's/^#   //p' Makefile

# A stamp is touched last, so an interrupted installation is repeated.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module does not work here (Debian: apt install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing Ledgit and scikit-learn into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing Ledgit and everything its tests use into $(VENV)"
	@$(BIN)/python $(PIP_INSTALL) '$(TORCH)' -e '.[all,demo,docs,test,lint,frameworks]'
	@touch $(VENV)/.demo $@

# A second S3 server for the tests, by another hand than moto; the tests say so where it can't be had.
$(VENV)/s3rver/.made: $(VENV)/.made
	@if npm install --silent --no-audit --no-fund --prefix $(VENV)/s3rver s3rver@3.7.1 >/dev/null; then touch $@; \
	else echo "s3rver could not be installed with npm: the tests on it will be skipped"; fi

s3rver: $(VENV)/s3rver/.made

# A manager of Git's hooks that only npm has: Ledgit's hooks are tested beside it.
$(VENV)/husky/.made: $(VENV)/.made
	@if npm install --silent --no-audit --no-fund --prefix $(VENV)/husky husky@9.1.7 >/dev/null; then touch $@; \
	else echo "husky could not be installed with npm: the test beside it will be skipped"; fi

husky: $(VENV)/husky/.made

env: $(VENV)/.test

demo: $(VENV)/.demo
	@$(BIN)/ledgit demo demo

test: env s3rver husky
	@$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

# The oldest MLflow that the plugin promises to work with; the newest is in .venv. All else is what .venv has.
.venv-mlflow/.made: $(VENV)/.test
	@$(PYTHON) -m venv .venv-mlflow
	@.venv-mlflow/bin/python -m pip --disable-pip-version-check install --quiet --quiet mlflow-skinny==3.0.1
	@$(BIN)/python -c "import site; print(site.getsitepackages()[0]); print('$(CURDIR)/src')" \
		> $$(.venv-mlflow/bin/python -c "import site; print(site.getsitepackages()[0])")/zz-ledgit.pth
	@touch $@

test-oldest-mlflow: .venv-mlflow/.made
	@.venv-mlflow/bin/python -m pytest -p no:xdist -q tests/mlflow_plugin --ignore tests/mlflow_plugin/test_differential.py

lint: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: env
	@$(BIN)/mypy

check: lint types

.venv-bench/.made: constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --disable-pip-version-check install --quiet -r benchmarks/requirements.txt
	@touch $@

bench: env .venv-bench/.made
	@$(BIN)/python -m benchmarks --mlflow-python .venv-bench/bin/python --write docs/benchmarks.md
	@$(MAKE) --no-print-directory plots

bench-large: env .venv-bench/.made
	@$(BIN)/python -m benchmarks --large --mlflow-python .venv-bench/bin/python --write docs/benchmarks.md
	@$(MAKE) --no-print-directory plots

docs: env
	@$(BIN)/python docs/generate.py

# Material's note on MkDocs 2, which it does not use, would be the loudest line.
site: env
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict --clean --config-file .mkdocs.yml
	@echo "build/site/index.html"

# As a stranger gets it: nothing of this folder but the wheel.
dist: env
	@rm -rf build/dist build/dist-venv && mkdir -p build/dist
	@$(BIN)/uv build --quiet --out-dir build/dist .
	@$(PYTHON) -m venv build/dist-venv
	@build/dist-venv/bin/python $(PIP_INSTALL) build/dist/*.whl
	@build/dist-venv/bin/python -m pip check
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && bin=$$PWD/build/dist-venv/bin && cd "$$scratch" && git init -q && \
	$$bin/ledgit --version && $$bin/ledgit record -m accuracy=0.9 -p lr=0.1 && \
	$$bin/python -c 'import ledgit; ledgit.log_metric("loss", 0.5)' && $$bin/ledgit ls && $$bin/python -m ledgit doctor && PATH=$$bin:$$PATH git ledgit ls --json >/dev/null
	@ls -l build/dist/*.whl build/dist/*.gz

plots:
	@$(PYTHON) -m benchmarks.plots docs/benchmarks.md docs/images

# From what is installed now: run it after an upgrade that passed the tests.
constraints: env
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed 's/+.*//'; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) .venv-bench .venv-mlflow build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
