# bloop: `make run` starts it, `make test` checks it. Both set up what they need, in .venv, by the pinned versions.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
export PIP_ROOT_USER_ACTION := ignore
.DEFAULT_GOAL := help
.PHONY: help run test slow-test lint kill-test chaos bench bench-pages screenshots lock tools chromium clean

# The distribution's interpreter first: it is built with profile-guided optimisation, most version managers' builds are
# not, and bloop runs 1.6 times as fast on it (measured, 3.11).
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
SLOW := tests/systemd tests/hostile
KILLS ?= 60
MINUTES ?= 5
ARGS ?=

# A stamp's name holds the hash of what was installed: an unchanged checkout installs nothing, whatever its file times.
hash = $(shell cat $(1) | sha256sum | cut -c1-16)
RUNTIME := $(VENV)/.runtime-$(call hash,requirements/runtime.txt pyproject.toml)
DEV := $(VENV)/.dev-$(call hash,requirements/dev.txt pyproject.toml)
TOOLS := $(VENV)/tools/.done-2
AXE := tests/browser/node_modules/.done-$(call hash,tests/browser/package-lock.json)
RUNNABLE := $(firstword $(wildcard $(DEV)) $(RUNTIME))  # the test set holds the runtime set

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
INSTALL = $(PIP) install --require-hashes --no-deps -r $(1) && $(PIP) install --no-deps --no-build-isolation -e .

# The Debian package $(1): installed when we are root, asked for when we are not.
define apt
if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "Installing $(1)"; export DEBIAN_FRONTEND=noninteractive; \
	apt-get install -y -qq --no-install-recommends $(1) >/dev/null 2>&1 || { \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }; \
else \
	echo "bloop needs the package $(1). On Debian: sudo apt-get install $(1)" >&2; exit 1; \
fi
endef

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: export BLOOP__SERVER__HOST ?= 127.0.0.1
run: $(RUNNABLE) ## Start bloop on http://localhost:5332, for this machine; data and a generated secret live in ./data
	@exec $(BIN)/bloop up --data data $(ARGS)

test: $(DEV) $(AXE) tools chromium lint ## Lint, type check and every test but the slow ones
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(addprefix --ignore ,$(SLOW)) $(ARGS)

slow-test: $(DEV) tools ## What boots a machine, or attacks one: four minutes
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(SLOW) $(ARGS)

lint: $(DEV)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary

kill-test: $(DEV) ## Kill random processes under load: make kill-test KILLS=1000
	@BLOOP_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s tests/acceptance/test_kills.py $(ARGS)

chaos: $(DEV) ## Inject every kind of fault under load: make chaos MINUTES=30
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(TRIAL),--trial $(TRIAL)) $(ARGS)

bench: $(DEV) ## Measure throughput, latency and memory
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: $(DEV) chromium ## Take the pictures of the manual again
	@$(BIN)/python -m tests.browser.screenshots docs/images

bench-pages: $(DEV) ## Measure the pages over 100,000 issues
	@$(BIN)/python -m benchmarks.pages $(ARGS)

lock: ## Pin the newest versions that fit pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	@uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--extra build pyproject.toml -o requirements/runtime.txt
	@uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--extra build --extra dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt

clean: ## Remove what make made; ./data stays
	@rm -rf $(VENV) tests/browser/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The last thing a finished venv gets is pip, so an interrupted one is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { $(call apt,python3); }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "bloop needs Python 3.11 or later, $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call apt,python3-venv); }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): | $(BIN)/pip
	@echo "Installing what bloop runs on"
	@$(call INSTALL,requirements/runtime.txt)
	@rm -f $(VENV)/.runtime-* && touch $@

$(DEV): | $(BIN)/pip
	@echo "Installing what bloop is tested with"
	@$(call INSTALL,requirements/dev.txt)
	@rm -f $(VENV)/.runtime-* $(VENV)/.dev-* && touch $@

$(AXE):
	@command -v npm >/dev/null || { $(call apt,npm); }
	@echo "Installing what pages are checked with"
	@cd tests/browser && npm ci --silent
	@touch $@

# Unpacked, never installed: installing nginx would start it. Where there is no apt-get they are not tested with
# (tests/tools.py). What could not be fetched fails its tests, and leaves no stamp: the next make tries again.
$(TOOLS): | $(DEV)
	@rm -rf $(@D) && mkdir -p $(@D)
	@if ! command -v apt-get >/dev/null; then \
		echo "No apt-get here: nginx, Caddy and promtool are left out of the tests" >&2; exit 0; \
	fi; \
	echo "Fetching the programs bloop is tested with"; \
	cd $(@D); fetch() { apt-get download -qq nginx caddy prometheus; }; \
	fetch 2>/dev/null || { apt-get update -qq && fetch; } || { \
		echo "Could not fetch nginx, Caddy and promtool: their tests will fail, all others run" >&2; exit 0; \
	}; \
	for package in *.deb; do dpkg -x $$package .; rm $$package; done; \
	touch $(@F)

tools: $(TOOLS)

chromium:
	@[ -x /usr/bin/chromium ] || { $(call apt,chromium); }
