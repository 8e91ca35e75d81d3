# Two commands do everything from a fresh clone: `make demo` and `make test`.
VENV ?= .venv
PYTHON ?=
DEMO ?= runs/demo
BIN := $(VENV)/bin
PYTEST_ARGS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
INPUTS := pyproject.toml constraints.txt requirements.txt scripts/install.sh scripts/preflight.sh

# Parallelism is outside: one thread in each process, several processes.
test: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test reports install dev preflight lint format types contracts check wheel lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## install, simulate a cohort, run the full fusion study on it, print where the report is
	$(BIN)/radfusion demo --out $(DEMO)

test: $(VENV)/.installed ## install, run the whole test suite
	$(BIN)/python -m pytest $(PYTEST_ARGS)

reports: $(VENV)/.installed ## run the demo anew and compare its numbers with the committed ones
	$(BIN)/python -m pytest tests/test_reports.py -m rebuild

install: $(VENV)/.installed ## make the environment only

dev: $(VENV)/.installed-dev ## add the developers' tools to the environment

preflight: ## say whether this machine has what the installation needs
	@PYTHON='$(PYTHON)' sh scripts/preflight.sh

$(VENV)/.installed: $(INPUTS)
	@PYTHON='$(PYTHON)' sh scripts/install.sh $(VENV)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

lint: $(VENV)/.installed-dev ## ruff (check and format) and numpydoc
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/numpydoc lint $$(git ls-files 'radfusion/*.py')

format: $(VENV)/.installed-dev ## rewrite the files as ruff formats them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev ## mypy, strict
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev ## who may import whom
	$(BIN)/lint-imports

check: lint types contracts test ## everything that must pass before a change lands

wheel: $(VENV)/.installed-dev ## build the wheel into dist/
	$(BIN)/python -m build --wheel

lock: $(VENV)/.installed-dev ## rewrite constraints.txt from the environment
	sh scripts/lock.sh $(VENV)

clean: ## remove the environment, builds and caches, not the runs
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find radfusion tests examples -name __pycache__ -type d -prune -exec rm -rf {} +
