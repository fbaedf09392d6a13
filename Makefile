# Every target does its own set-up, and skips what is there already.
.DEFAULT_GOAL := help
# Hundreds of programs are started here, and each would be compiled anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup python engine base-image registry wrk browser shells demo test test-fast test-all test-live \
	lint format package docs media bench lock clean

PYTHON := .venv/bin/python
BIN := .venv/bin
# A test waits for containers, registries and processes of its own half of its time: two workers a core keep it busy.
WORKERS ?= $(shell python3 -c 'import os; print(2 * (os.cpu_count() or 1))')
PYTEST = $(PYTHON) -m pytest -n $(WORKERS) --dist worksteal --durations=20

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: python engine base-image ## make .venv, and see to a Docker engine and a base image

python:
	@scripts/venv.sh

engine: python
	@$(PYTHON) -m scripts.engine

base-image: engine
	@$(PYTHON) -m scripts.base_image

registry: python
	@$(PYTHON) -m scripts.registry

wrk: python
	@$(PYTHON) -m scripts.wrk

browser: python
	@$(PYTHON) -m scripts.browser

shells: python
	@$(PYTHON) -m scripts.shells

demo: setup example_app/model.joblib ## train the example, deploy it on this machine, ask it, print its URL
	@$(PYTHON) -m scripts.demo

MODEL_SOURCES := train.py generate.py model.py schema.py requirements.txt
example_app/model.joblib: $(addprefix example_app/,$(MODEL_SOURCES)) | python
	cd example_app && ../$(PYTHON) train.py

test-fast: python ## run the tests that need no Docker engine: while you work
	$(PYTEST) -m "not exhaustive and not engine"

test: setup registry browser shells ## run the tests (under 30 minutes)
	$(PYTEST) -m "not exhaustive"

test-all: setup registry browser shells ## run every test, the long ones too
	$(PYTEST)

test-live: setup ## hold the target kubernetes against a real cluster: CONTEXT=name REGISTRY=host/path
	LIVE_CONTEXT=$(CONTEXT) LIVE_REGISTRY=$(REGISTRY) $(PYTHON) -m pytest tests/live -m "not exhaustive"

lint: python ## check style, types, layers, the generated documents and the pins
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd example_app && MYPYPATH=tests ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir ../.mypy_cache/example_app .
	cd examples/provider && MYPYPATH=../.. ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache/examples .
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck scripts/*.sh .ci/run
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress --pedantic .github/workflows
	$(PYTHON) -m mldeploy.config.reference --check docs/configuration.md
	$(PYTHON) -m mldeploy.cli.manual --check docs
	$(PYTHON) -m scripts.targets --check docs/targets.md
	$(PYTHON) -m scripts.troubleshooting --check docs/troubleshooting.md
	$(PYTHON) -m scripts.tried_commands --check docs/tried-commands.md
	$(PYTHON) -m scripts.hygiene
	$(PYTHON) -m scripts.vocabulary
	$(PYTHON) -m scripts.lock --check

format: python ## bring all Python into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

package: python ## build the sdist, the wheel and its SBOM into dist/, and try them in a fresh environment
	@$(PYTHON) -m scripts.package

docs: python ## build the documentation's site in site/html; a broken link is an error
	@$(PYTHON) -m scripts.site

media: setup browser ## record the terminal and take the screenshots of the documentation anew
	@$(PYTHON) -m scripts.media

bench: setup registry wrk ## measure, and write docs/benchmarks.md (25 minutes; keep the machine quiet)
	$(PYTHON) -m bench

lock: python ## pin every package anew (UPGRADE=1: at the newest versions)
	$(PYTHON) -m scripts.lock $(if $(UPGRADE),--upgrade)

clean: ## remove .venv and what tests and tools left; engine and images stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
