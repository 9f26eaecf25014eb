# Every chore of the project. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
LOCK_FLAGS := --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 --custom-compile-command "make lock"
PREFECT := sed -n 's/^prefect==\([^ ;]*\).*/\1/p'
TESTS_AT_ONCE ?= 2
AT_ONCE := -n $(TESTS_AT_ONCE) --no-loadscope-reorder --dist loadfile
TRY = $(BIN)/uv pip install --quiet --compile-bytecode --python .make/prefect-$(TO)
export PREFECT_HOME ?= $(CURDIR)/.make/prefect
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-flows test-integration test-e2e lint format reference lock upgrade-prefect try-prefect up down engine engine-stop bench bench-repository clean

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.dev ## make .venv with everything a developer needs

demo: .venv/.run ## publish an example plugin into an OCI layout folder and show what gateways say
	@mkdir -p $(PREFECT_HOME)
	@$(BIN)/python -m examples.demo

test: lint test-unit test-flows test-integration test-e2e ## all tiers, in the order of cost

test-unit: .venv/.dev ## decisions only: no Prefect, no engine, seconds
	$(BIN)/python -m pytest tests/unit

test-flows: .venv/.dev ## flows on Prefect's test server
	$(BIN)/python -m pytest $(AT_ONCE) tests/flows

test-integration: .venv/.dev ## real engine, registries, git, Envoy; brings what is missing
	$(BIN)/python -m pytest $(AT_ONCE) tests/integration

test-e2e: .venv/.dev ## the Prefect UI in a real browser; PLUGINYARD_SCREENSHOTS=1 renews docs/images
	$(BIN)/python -m pytest tests/e2e

lint: .venv/.dev ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: .venv/.dev ## render docs/reference.md from the code
	COLUMNS=100 $(BIN)/python -c 'from flows.__main__ import command_help; from pluginyard.reports.reference import render_reference; print(render_reference(command_help()), end="")' > docs/reference.md

up: .venv/.run ## run server, workers and receiver on this machine, with all deployments
	@$(BIN)/python -m deployments.local

down: ## end them; runs, blocks and results stay for the next `make up`
	@$(BIN)/python -m deployments.local down

engine: .venv/.dev ## start a private container engine (Debian or Ubuntu, as root)
	$(BIN)/python -m tests.machine.engine start

engine-stop: .venv/.dev ## stop it and remove its data
	$(BIN)/python -m tests.machine.engine stop --remove

bench: .venv/.dev ## what the README claims about speed, beside the shell pipeline
	$(BIN)/python benchmarks/publish.py

bench-repository: .venv/.dev ## a whole repository: unchanged plugins up to 1,000 of them, and twelve that changed
	$(BIN)/python benchmarks/repository.py

lock: $(BIN)/uv ## fit requirements/*.lock to pyproject.toml; RENEW=-U takes the newest of everything
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(RENEW) pyproject.toml --extra host --extra envoy --group build -o requirements/run.lock
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(RENEW) pyproject.toml --extra host --extra envoy --group dev -c requirements/run.lock -o requirements/dev.lock
	$(BIN)/uv pip compile $(LOCK_FLAGS) $(RENEW) --group installer -o requirements/installer.lock

upgrade-prefect: $(BIN)/uv ## lock the newest Prefect of the range, or TO=VERSION, and run every test on it
	@old=$$($(PREFECT) requirements/run.lock); \
	$(MAKE) --no-print-directory lock RENEW="-P prefect$(if $(TO),==$(TO)) -P whenever" || exit; \
	new=$$($(PREFECT) requirements/run.lock); \
	if [ "$$new" != "$$old" ]; then echo "prefect $$old -> $$new"; exec $(MAKE) test; fi; \
	last=$$($(BIN)/uv pip compile --quiet --no-deps --no-header pyproject.toml | $(PREFECT)); \
	echo "prefect $$new stays; the newest of the range is $$last"; \
	if [ "$$new" != "$$last" ]; then \
	echo "  make upgrade-prefect TO=$$last    says why it cannot be locked"; \
	echo "  make try-prefect TO=$$last        tests it on the other packages of the lock all the same"; fi

try-prefect: $(BIN)/uv ## run every test (or TESTS=…) on Prefect TO=VERSION; the lock and .venv stay as they are
	@test -n "$(TO)" || { echo "say which: make try-prefect TO=VERSION" >&2; exit 2; }
	$(BIN)/uv venv --quiet --seed --clear --python $(PYTHON) .make/prefect-$(TO)
	$(TRY) --require-hashes -r requirements/dev.lock
	$(BIN)/uv pip freeze --quiet --python .make/prefect-$(TO) | grep -v '^prefect==' > .make/prefect-$(TO)/others.txt
	$(TRY) --override .make/prefect-$(TO)/others.txt prefect==$(TO)
	$(TRY) --no-deps --no-build-isolation -e .
	.make/prefect-$(TO)/bin/python -m pytest $(or $(TESTS),tests/unit tests/flows tests/integration tests/e2e)

clean: ## remove the virtual environment and everything made
	rm -rf .venv .make .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pluginyard needs Python 3.11 or newer; set PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ] && apt-get -qq update && apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install python3-venv >/dev/null; } || { echo "install python3-venv first" >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(BIN)/uv: .venv/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.lock
	@touch $@

.venv/.run: requirements/run.lock pyproject.toml | .venv/bin/python
	requirements/install.sh $(BIN)/python run.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.lock pyproject.toml | .venv/bin/python
	requirements/install.sh $(BIN)/python dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ .venv/.run
