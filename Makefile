# Two commands do all the set-up: `make demo` runs the main job, `make test` all checks and tests.
SHELL := /bin/bash
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := .venv/bin
OUT ?= runs/demo

# Installs $(1) in .venv, with uv where it is at hand or can be had from the package index, else with pip.
# NO_UV=1 asks for pip. The stamp that a rule leaves keeps a second call from installing again.
define install
set -eu; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "Python 3.11 or later is needed, but $(PYTHON) is not; set PYTHON=/path/to/python3.11" >&2; exit 1; }; \
$(PYTHON) -m venv .venv; \
uv=""; \
if [ -z "$(NO_UV)" ]; then uv=$$(command -v uv || { $(BIN)/python -m pip install -q uv >&2 && echo $(BIN)/uv; } || true); fi; \
if [ -z "$$uv" ] || ! "$$uv" pip install --python $(BIN)/python --compile-bytecode \
    $${PIP_FIND_LINKS:+--find-links "$$PIP_FIND_LINKS"} -c constraints.txt -e $(1); then \
  echo "Installing with pip, which takes some minutes" >&2; \
  $(BIN)/python -m pip install -q -c constraints.txt -e $(1); \
fi; \
touch $@
endef

.PHONY: help demo test test-vllm lint docs format clean

help:
	@echo "make demo   train routers on the log that comes with the package, compare them, write a report"
	@echo "make test   format check, lint, types, import contracts and tests"
	@echo "make test-vllm  run vLLM for real on the CPU, in a virtual environment of its own (3 GB, Linux)"
	@echo "make lint   the same without the tests"
	@echo "make docs   build the manual, build/docs/index.html"
	@echo "make format mend what the format check and lint can mend"
	@echo "make clean  remove .venv, runs/ and caches"

.venv/installed: setup.py constraints.txt
	@$(call install,.)

.venv/installed-dev: setup.py constraints.txt
	@$(call install,'.[dev]')
	@touch .venv/installed

demo: .venv/installed
	$(BIN)/graphrouter compare micropool --config configs/compare/demo.yaml --out $(OUT)

lint: .venv/installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: .venv/installed-dev
	$(BIN)/sphinx-build -W --keep-going -q -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

test: lint
	$(BIN)/pytest

test-vllm:
	bash tests/vllm/run.sh

clean:
	rm -rf .venv .venv-vllm runs build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
