# Everything is done in the virtual environment .venv; a stamp in it says which requirements it has.
PYTHON ?= python3.11
JOBS ?= 2
ARGS ?=
BIN := .venv/bin
BASE := .venv/.has-base
FULL := .venv/.has-full

.PHONY: help setup setup-fast demo test test-fast evals check lint soak faults mutants bench studio studio-setup
.DEFAULT_GOAL := help

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(FULL) ## Install everything, the ticket store (torch) included

setup-fast: $(BASE) ## Install what all but the ticket store needs

demo: $(BASE) ## Thirty simulated days in a minute, such as: make demo ARGS="--once --json"
	@$(BIN)/recoup demo $(ARGS)

test: $(FULL) ## Run all tests but the long ones
	$(BIN)/pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-fast: $(BASE) ## Run the unit tests
	$(BIN)/pytest -n $(JOBS) tests/unit $(ARGS)

lint: $(BASE) ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

evals: $(FULL) ## Run the evals offline and compare them with the baseline; the page is build/evals.html
	LANGSMITH_TEST_TRACKING=false $(BIN)/recoup evals run $(ARGS)
	$(BIN)/recoup evals compare baseline --html build/evals.html

check: lint test ## lint, then test

soak: $(FULL) ## Run the long randomised suites; their seeds are printed
	$(BIN)/pytest -m soak -s tests/soak $(ARGS)

faults: $(BASE) ## Plant faults by hand in a copy and show that its tests catch each
	$(BIN)/pytest -m soak -s tests/soak/test_planted_faults.py $(ARGS)

mutants: $(BASE) ## Plant generated faults in gate, lifecycle, outbox and intake; see docs/mutation.md
	$(BIN)/mutmut run $(ARGS)
	@$(BIN)/mutmut results | sed '/not checked/d'

bench: $(BASE) ## Measure; one JSON line a figure
	@$(BIN)/python -m evals.bench $(ARGS)

studio: studio-setup ## Open the graph in LangGraph Studio, on the example case of docs/examples
	.venv-studio/bin/langgraph dev --no-reload $(ARGS)

# The server of Studio pins an older jsonschema-rs than the tests do, so that it has an environment of its own.
studio-setup: .venv-studio/.has-all ## Install what make studio needs

.venv-studio/.has-all: requirements/base.txt
	$(PYTHON) -m venv .venv-studio
	grep -v '^jsonschema-rs' requirements/base.txt > .venv-studio/base.txt
	.venv-studio/bin/python -m pip install --quiet --requirement .venv-studio/base.txt 'langgraph-cli[inmem]==0.4.40'
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(BASE): requirements/base.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --requirement requirements/base.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(FULL): requirements/full.txt $(BASE)
	$(BIN)/python -m pip install --quiet --requirement requirements/full.txt
	@touch $@
