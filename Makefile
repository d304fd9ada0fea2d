# Each target works alone on a fresh clone with make and Python 3.11 or newer; bench needs data
# sets and checkpoints beside it.
#
#   make demo TORCH=cuda             torch with CUDA instead of the CPU build (kept for later calls)
#   make demo PYTHON=/path/python3   a certain interpreter
#   make demo LATEX=no               do not install LaTeX
#   make bench DATA=folder CHECKPOINTS=folder   where data sets and checkpoints are [../shared/..]

SHELL := bash
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test check bench format setup latex constraints bases-report clean

export PYTHON TORCH TORCH_INDEX LATEX
# Bytecode is written once and read at every start.
unexport PYTHONDONTWRITEBYTECODE

help:  ## this list
	@awk -F ':.*## *' '/^[a-z-]+:.*## / { printf "%-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@sed -n '/^# Each/,/^$$/s/^# *//p' $(MAKEFILE_LIST)

demo: setup  ## run studies/demo to its PDF and its ZIP
	@tools/latex.sh
	@tools/demo.sh studies/demo

test: setup  ## run all tests, as many files at once as there are cores, four at most
	@tools/latex.sh
	.venv/bin/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup  ## lint, format, layers and types, without changing a file
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports --no-logo
	.venv/bin/mypy

format: setup  ## format the code and mend what ruff can mend
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

setup:  ## make .venv; does nothing when it is up to date
	@tools/setup.sh

latex: setup  ## install LaTeX, or say how
	@tools/latex.sh --retry

constraints: setup  ## resolve constraints.txt and requirements.txt from pyproject.toml
	tools/constraints.sh

bench: setup  ## measure against the usual tools (QUICK=1 tries it, ONLY=name chooses, AGAIN=1)
	@tools/bench.sh $(if $(QUICK),--quick) $(addprefix --only=,$(ONLY)) $(if $(AGAIN),--again) \
	  $(if $(LOADED),--loaded) $(if $(DATA),--data $(DATA)) $(if $(CHECKPOINTS),--checkpoints $(CHECKPOINTS))

bases-report: setup  ## write bases/REPORT.md and its figures from what is kept of the trainings
	.venv/bin/python bases/keep.py
	.venv/bin/python bases/report.py

clean:  ## remove .venv and caches; keeps studies and the store
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist src/*.egg-info
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
