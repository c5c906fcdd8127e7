# make help lists the targets. Each installs first what it needs, into .venv and the user's cache.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIST := dist
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests wait for brokers and processes half of their time: three at once keep two cores busy (815 s
# here, two took 1,050 s). Each worker has a cluster of its own.
SIDE_BY_SIDE := --numprocesses 3 --dist worksteal
LOCKED := --quiet --require-hashes --no-build-isolation
export FINK_TEST_DATA ?= $(CURDIR)/../shared/data

.DEFAULT_GOAL := help
.PHONY: help install native wheel demo test test-long check docs reference lint format coverage bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/build.stamp: requirements/build.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"fink needs Python 3.11 to 3.13, and {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.11 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/run.stamp: requirements/run.txt pyproject.toml $(VENV)/build.stamp
	@echo "Installing fink into $(VENV) (PySpark is 400 MB: the first time takes a minute or two) …"
	@$(PIP) install $(LOCKED) --progress-bar on -r requirements/run.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "Installing the developers' tools into $(VENV) …"
	@$(PIP) install $(LOCKED) -r requirements/dev.txt
	@touch $@

$(VENV)/java-classes.stamp: tests/support/java_classes.py fink_cli/distribution/spark/make_class_archive.py $(VENV)/dev.stamp
	@echo "Keeping Java's classes for the tests, which start some 150 JVMs …"
	@$(BIN)/python -m tests.support.java_classes
	@touch $@

# What is built stays. Without cargo nothing is, and a line says so; a build that fails stops the
# tests, which would skip what it is for, and not the installation.
$(VENV)/native.stamp: tools/native.py native/crates.lock $(wildcard native/*.toml native/src/*.rs) $(VENV)/build.stamp
	@$(BIN)/python tools/native.py
	@! cargo --version > /dev/null 2>&1 || touch $@

install: $(VENV)/run.stamp ## Make .venv with the fink script in it
	@$(MAKE) --no-print-directory native || true

native: $(VENV)/native.stamp ## Build the native part, where there is cargo

wheel: $(VENV)/build.stamp ## Build the wheels into dist/, for pipx
	@rm -f $(DIST)/*.whl
	@$(PIP) wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir $(DIST) .
	@$(BIN)/python tools/native.py --wheel $(DIST)
	@ls $(DIST)/*.whl

demo: $(VENV)/run.stamp ## See it all work: Kafka, Spark, decoded alerts
	@$(BIN)/fink demo

test: $(VENV)/java-classes.stamp $(VENV)/native.stamp ## Run the tests against a real broker and real Spark
	@$(BIN)/python -m pytest -m "not long" $(SIDE_BY_SIDE) --durations 10 $(ARGS)

test-long: $(VENV)/java-classes.stamp $(VENV)/native.stamp ## Also the full counts of chaos, fuzz and soak runs
	@$(BIN)/python -m pytest --timeout 3600 $(ARGS)

check: $(VENV)/dev.stamp lint docs ## Lint, types, import rules, documentation
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: $(VENV)/dev.stamp ## Build the site into build/site; fails on a dead link or a stale page
	@$(BIN)/python tools/reference.py --check
	@$(BIN)/python tools/messages.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(VENV)/dev.stamp ## Write docs/reference from the program
	@$(BIN)/python tools/reference.py

lint: $(VENV)/dev.stamp ## Lint and formatting alone
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python tools/words.py

format: $(VENV)/dev.stamp ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

coverage: $(VENV)/java-classes.stamp $(VENV)/native.stamp ## Run the tests, and list the lines that none of them reached
	@$(BIN)/python -m pytest -m "not long" $(SIDE_BY_SIDE) --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: $(VENV)/dev.stamp $(VENV)/native.stamp ## Measure, as ratios within one run
	@$(BIN)/python benchmarks/help.py
	@$(BIN)/python benchmarks/topic_list.py
	@$(BIN)/python benchmarks/access.py
	@$(BIN)/python benchmarks/watched.py
	@$(BIN)/python benchmarks/quota.py
	@$(BIN)/python benchmarks/check.py
	@$(BIN)/python benchmarks/consume.py
	@$(BIN)/python benchmarks/distribute.py --alerts 4000 --streams 1 20
	@$(BIN)/python benchmarks/latency.py --seconds 30

lock: ## Pin the newest versions, by hash, and the jars
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@for set in build run dev; do \
	  source=requirements/$$set.in; group=; \
	  test $$set = build || source=pyproject.toml; \
	  test $$set = dev && group="--group dev"; \
	  test $$set = build && group=--no-config; \
	  $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate --upgrade --allow-unsafe $$group $$source \
	    --output-file requirements/$$set.txt; \
	done
	@rm -rf $(VENV)-lock
	@$(BIN)/python tools/native.py --pin
	@$(BIN)/python tools/lock_jars.py

clean: ## Remove what was built and installed here; the cache of jars stays
	@rm -rf $(VENV) $(VENV)-lock $(DIST) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
