# One target per habit; `make` alone lists them. All of them work in one virtual environment.
#   PYTHON     the interpreter that makes the environment (3.11 or newer)
#   VENV       where the environment is; it is made if there is none
#   TORCH=cpu  take the CPU-only torch, where PyPI's comes with CUDA
#   ARGS       more arguments for the command that the target runs

PYTHON ?= python3
VENV ?= .venv
TORCH ?=
ARGS ?=

torch_cpu_index := https://download.pytorch.org/whl/cpu
index := $(if $(filter cpu,$(TORCH)),--extra-index-url $(torch_cpu_index))
# One thread a process: the tests' arrays are small, and the workers share the cores.
pytest := OMP_NUM_THREADS=1 "$(VENV)/bin/python" -m pytest -n auto --maxprocesses 8 --dist loadfile

extras_core :=
extras_test := [test]
extras_all := [all,test,test-encoders,test-frames,test-trackers]
extras_lint := [lint]
extras_docs := [docs]
extras_audit := [all,audit]

.DEFAULT_GOAL := help
.PHONY: help demo test test-all format lint types docs bench torture audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed-core ## Install, then train and measure on the built-in data
	"$(VENV)/bin/zslearn" run $(ARGS)

test: $(VENV)/.installed-test ## Install with the test extra and run the quick tests
	$(pytest) $(ARGS)

test-all: $(VENV)/.installed-all ## Install every extra and run every test
	$(pytest) -m "" $(ARGS)

format: $(VENV)/.installed-lint ## Put the code in its standard form
	"$(VENV)/bin/python" -m ruff format
	"$(VENV)/bin/python" -m ruff check --fix $(ARGS)

lint: $(VENV)/.installed-lint ## Check form and style
	"$(VENV)/bin/python" -m ruff format --check
	"$(VENV)/bin/python" -m ruff check $(ARGS)

types: $(VENV)/.installed-lint ## Check the types
	"$(VENV)/bin/python" -m mypy $(ARGS)

docs: $(VENV)/.installed-docs ## Build the documentation, where a warning is an error
	rm -rf docs/api docs/gallery
	OMP_NUM_THREADS=1 "$(VENV)/bin/python" -m sphinx -E -W --keep-going -q -d docs/_build/doctrees $(ARGS) docs docs/_build/html
	@echo 'The documentation is in docs/_build/html: open index.html there'

bench: $(VENV)/.installed-core ## Measure on the class splits 0 to 4 of the built-in data
	for split in 0 1 2 3 4; do "$(VENV)/bin/zslearn" run --split $$split $(ARGS) || exit; done

torture: $(VENV)/.installed-all ## Kill, fuzz and starve it for an hour, and print the figures
	PYTHONPATH=tests "$(VENV)/bin/python" -m torture $(ARGS)

audit: $(VENV)/.installed-audit ## Check licences and known vulnerabilities of everything it depends on
	"$(VENV)/bin/python" scripts/audit.py $(ARGS)

clean: ## Remove what builds, tests and tools left (keeps the environment and the runs)
	rm -rf build dist docs/_build docs/api docs/gallery htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])') \
	|| { echo 'error: "$(PYTHON)" does not run. Name a Python >= 3.11: make PYTHON=python3.12' >&2; exit 1; }; \
	major=$${version%%.*}; minor=$${version#*.}; \
	if [ "$$major" -lt 3 ] || { [ "$$major" -eq 3 ] && [ "$$minor" -lt 11 ]; }; then \
		echo "error: zslearn needs Python >= 3.11, and $(PYTHON) is $$version." \
			"Name a newer one: make PYTHON=python3.12" >&2; exit 1; \
	fi; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "error: $(PYTHON) has no venv module. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv "$(VENV)"

$(VENV)/.installed-%: pyproject.toml | $(VENV)/bin/python
	@echo 'Installing zslearn$(extras_$*) into $(VENV). What is not there yet is downloaded: torch, about 200 MB'
	@echo '(CPU only) or, from PyPI on Linux x86-64, several gigabytes (CUDA); the rest, 100 to 150 MB, or with every'
	@echo 'extra several times as much.'
	@echo 'For the CPU-only torch on Linux x86-64: make TORCH=cpu $(MAKECMDGOALS)'
	@"$(VENV)/bin/python" -m pip --version >/dev/null 2>&1 || "$(VENV)/bin/python" -m ensurepip
	"$(VENV)/bin/python" -m pip install $(index) -e '.$(extras_$*)'
	@touch "$@"
