# `make book` and `make test` are all that a reader needs; each sets up what it uses, in .venv and _vendor.

PYTHON   ?= python3
PORT     ?= 8000
JOBS     ?= 2
# The least share of the model's lines and branches that the tests must run, in per cent.
COVERAGE ?= 99

VENV  := .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SITE  := $(BIN)/jupyter-book build . --quiet -W -n --keep-going

NODE  := PATH="$(CURDIR)/$(BIN):$$PATH" # where the machine has no Node.js, tools/npm.py puts one into the environment

export PIP_NO_INPUT = 1
export JUPYTER_PREFER_ENV_PATH = 1
export PYTHONHASHSEED = 0

# What is built and tested is nobody's: a reader's own record of exercises is neither shown nor touched.
site dist test notebooks: export NETPATH_PROGRESS = $(CURDIR)/_build/nobody.json

.DEFAULT_GOAL := help
.PHONY: help book site lite live dist test lint format types bench lab lab-test lab-soak notebooks picture lock clean distclean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

book: site ## build the book and serve it on this machine
	-@$(BIN)/python tools/lite.py # the book is whole without it
	@$(BIN)/python tools/serve.py $(PORT)

site: $(VENV)/book ## build the book into _build/html; a warning is an error
	@$(BIN)/python tools/vendor.py
	@rm -rf _build/html _build/.doctrees $(NETPATH_PROGRESS) # an unchanged page would keep its warnings to itself
	@$(SITE)
	@echo "The pages are in _build/html"

lite: $(VENV)/book ## add the notebooks in the browser to the site that is built
	@$(BIN)/python tools/lite.py

live: $(VENV)/live ## open the notebooks in a JupyterLab of your own
	$(BIN)/jupyter lab notebooks

dist: $(VENV)/dev site lite ## the whole site as one zip that works offline, the notebooks as another, PDF, EPUB: in dist/
	@$(BIN)/python tools/dist.py
	@$(BIN)/python tools/paper.py

test: $(VENV)/dev site node_modules ## run every test: units, doctests, notebooks, the built pages in a browser
	-@$(BIN)/python tools/lite.py # without it, its own tests are skipped, but not in CI
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder \
	  --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  --cov --cov-report term-missing --cov-fail-under $(COVERAGE) \
	  tests netpath lab notebooks

lint: $(VENV)/dev node_modules ## ruff, eslint and prettier: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(NODE) node_modules/.bin/eslint .
	$(NODE) node_modules/.bin/prettier --check . --log-level warn

types: $(VENV)/dev node_modules ## mypy and tsc, strictly
	$(BIN)/mypy --strict
	$(NODE) node_modules/.bin/tsc --project .

format: $(VENV)/dev node_modules ## let ruff, eslint and prettier mend what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NODE) node_modules/.bin/eslint --fix .
	$(NODE) node_modules/.bin/prettier --write . --log-level warn

bench: $(VENV)/book ## measure how fast journeys are, and print a table
	$(BIN)/python -m benchmarks

lab: $(VENV)/book ## build the book's world of real parts (Linux, nginx, name servers), and say what to do in it
	@$(BIN)/python -m lab up
	@$(BIN)/python -m lab --help

lab-test: $(VENV)/dev ## hold the model against the real thing: 50,000 cases and every road, in a minute
	@$(BIN)/python tools/lab_test.py $(if $(SEED),--seed $(SEED))

lab-soak: $(VENV)/dev ## a hundred times that; stopped, it goes on where it was
	@$(BIN)/python -m lab.oracles --soak $(if $(SEED),--seed $(SEED))

notebooks: $(VENV)/book ## run the notebooks and store their text outputs, for the tests to compare with
	$(BIN)/python tools/notebooks.py --run notebooks/*.ipynb

picture: $(VENV)/book ## draw the picture of the road that the README shows
	$(BIN)/python tools/picture.py

lock: ## pin anew, from the ranges in pyproject.toml
	$(PYTHON) tools/lock.py

clean: ## remove what was built
	rm -rf _build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove the environment and the fetched scripts too
	rm -rf $(VENV) _vendor node_modules

# Debian's Python has no venv module unless python3-venv is there; then pip brings virtualenv.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "netpath needs Python 3.11 or later; set PYTHON=…")'
	@echo "Setting up $(VENV), once; this takes a minute or two."
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV) && \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(VENV)-tools virtualenv && \
	  PYTHONPATH=$(VENV)-tools $(PYTHON) -m virtualenv --quiet $(VENV); rm -rf $(VENV)-tools; test -x $@; }

$(VENV)/book: requirements.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/live: requirements-live.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) -r requirements-live.txt
	@touch $@ $(VENV)/book

# What checks the JavaScript, and the pages' accessibility.
node_modules: package.json package-lock.json | $(VENV)/bin/python
	@$(BIN)/python tools/npm.py ci
	@touch $@

$(VENV)/dev: requirements-dev.txt requirements-live.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/live $(VENV)/book
