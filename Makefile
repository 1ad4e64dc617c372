# Two commands to start with: `make run` shows the product, `make test` tests it. Each installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run serve check test matrix coverage e2e lint docs reference bench bench-full chaos simulate fuzz mutation audit \
  wheels build deploy pictures browser dynamodb kinesis lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Run the events of apps/user_limits/data through the handler and show the limits
	@$(BIN)/kinesis-handler run apps/user_limits/data/events.json

serve: $(VENV)/.serve ## Run the events of apps/user_limits/data, then serve the API and its page, with demo events, until Ctrl-C
	@LOG_LEVEL=$${LOG_LEVEL:-error} STORAGE_TTL=$${STORAGE_TTL:-0} $(BIN)/kinesis-handler serve apps/user_limits/data/events.json --live

check: $(VENV)/.check ## Lint, and run every test that needs no other program (half a minute)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy src apps/user_limits/src
	@$(BIN)/vulture
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(ALONE)

test: $(VENV)/.dev browser ## Run all tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest $(ALL)

matrix: $(VENV)/.check ## Run the tests of `make check` on each Python of 3.11 to 3.14, against the built wheels
	@.ci/matrix $(BIN)/python $(ALONE)

e2e: $(VENV)/.dev ## Run the template's resources and several workers on this machine, and compare with a failure-free run
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest apps/user_limits/tests/end_to_end tests/project/test_end_to_end.py endurance

coverage: $(VENV)/.dev browser ## Run all tests, and list the branches that no test executes
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest $(ALL) --cov --cov-report term-missing

lint: $(VENV)/.dev ## Check style, format and types, and find dead code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/vulture

docs: $(VENV)/.dev ## Build the documentation into site/
	@$(BIN)/zensical build --clean --strict

reference: $(VENV)/.dev ## Write the reference pages, from the code
	@$(BIN)/python -m reference

bench: $(VENV)/.dev ## Measure the handler and its peers, and write the figures into README and docs (five minutes)
	@$(BIN)/python -m benchmarks

bench-full: $(VENV)/.dev ## Measure at full length, up to a million limits and ten minutes of load (half an hour)
	@$(BIN)/python -m benchmarks --full

chaos: $(VENV)/.dev ## Inject failures around the handler, and compare with a failure-free run (a few minutes)
	@$(BIN)/python -m chaos
	@$(BIN)/pytest -p fuzz.profile --hypothesis-profile=fuzz --quiet --override-ini faulthandler_timeout=0 tests/test_guarantees.py tests/redrive/test_interrupted.py

simulate: $(VENV)/.dev ## Simulate SEEDS seeds of 10,000 events (1,000), and a quarter as many of user limits (a quarter of an hour)
	@$(BIN)/python -m simulation --seeds $(or $(SEEDS),1000)
	@$(BIN)/python -m simulation --application limits --seeds $$(( ($(or $(SEEDS),1000) + 3) / 4 ))

fuzz: $(VENV)/.dev ## Search for input that breaks a part which takes input from outside: INPUTS inputs (200,000), then FUZZ_SECONDS (300)
	@$(BIN)/python -m fuzz.counted --inputs $(or $(INPUTS),200000)
	@$(PIP) --only-binary :all: --requirement requirements/fuzz.txt || true
	@$(BIN)/python -m fuzz

mutation: $(VENV)/.dev ## Change the code that decides in small ways, and see whether a test notices (MODULES="fold parking")
	@$(PIP) --requirement requirements/mutation.txt
	@$(BIN)/python -m mutation $(MODULES) $(if $(REPORT),--report)

audit: $(VENV)/.dev ## Check versions, licences and known vulnerabilities of all that is pinned. OFFLINE=1 leaves out the last
	@$(BIN)/python -m audit $(if $(OFFLINE),--offline)

wheels: $(VENV)/.dev ## Build the wheels of library and application, each with its bill of materials, in build/wheels
	@$(BIN)/python -m audit.wheels

dynamodb: $(VENV)/.dev ## Run DynamoDB Local on this machine until Ctrl-C
	@$(BIN)/python -m testkit.emulators.dynamodb_local

kinesis: $(VENV)/.dev ## Run kinesis-local on this machine until Ctrl-C
	@$(BIN)/python -m testkit.emulators.kinesis_local

lock: $(VENV)/.dev ## Pin the current versions of the dependencies
	$(PIP) --requirement requirements/lock.txt
	$(BIN)/uv pip compile $(LOCK) --group lock --output-file requirements/lock.txt
	$(BIN)/uv pip compile $(LOCK) --group pip --output-file requirements/pip.txt
	$(BIN)/uv pip compile $(LOCK) --extra cli --extra aws --extra serve --extra cdk --extra metrics --group dev --output-file requirements/dev.txt pyproject.toml apps/user_limits/pyproject.toml --extra api
	$(BIN)/uv pip compile $(AS_TESTED) --extra cli --extra aws --extra serve --extra metrics --group check --output-file requirements/check.txt pyproject.toml apps/user_limits/pyproject.toml --extra api
	$(BIN)/uv pip compile $(AS_TESTED) --extra cli --extra aws --group build --group tutorial --output-file requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile $(AS_TESTED) --extra cli --extra aws  --extra serve --group build --group tutorial --output-file requirements/serve.txt pyproject.toml apps/user_limits/pyproject.toml --extra api
	$(BIN)/uv pip compile $(AS_TESTED) --extra cli --extra aws --extra kcl --extra metrics --group build --output-file requirements/worker.txt pyproject.toml
	$(BIN)/uv pip compile $(AS_TESTED) --output-file requirements/consumer.txt pyproject.toml
	$(BIN)/uv pip compile $(AS_TESTED)  $(NOT_ON_LAMBDA) --output-file requirements/api.txt pyproject.toml apps/user_limits/pyproject.toml --extra api
	$(BIN)/uv pip compile $(LOCK) --group fuzz --output-file requirements/fuzz.txt
	$(BIN)/uv pip compile $(AS_TESTED) --group mutation --output-file requirements/mutation.txt

build: $(VENV)/bin/python ## Build the artifacts: a folder and a zip for each function, in build/
	@PYTHONPATH=apps/user_limits $(BIN)/python -m deploy.build $(if $(RUNTIME_PYTHON),--python $(RUNTIME_PYTHON))

deploy: build $(VENV)/.run ## Deploy to AWS. Options: STACK, REGION, BUCKET, YES=1, PARAMETERS='Auth=… …'
	@PYTHONPATH=apps/user_limits $(BIN)/python -m deploy.stack $(PARAMETERS) $(if $(STACK),--stack $(STACK)) $(if $(REGION),--region $(REGION)) \
	  $(if $(BUCKET),--bucket $(BUCKET)) $(if $(YES),--yes)

pictures: $(VENV)/.dev browser ## Draw the pictures of the pages and of a terminal, for README and docs
	@PYTHONPATH=apps/user_limits/tests:tests $(BIN)/python -m page.pictures

clean: ## Remove everything that the other commands have created
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage* .cache build dist site

# Three processes for two cores: some tests wait. All tests go file by file, in the order of their folders; xdist would
# begin with the files that have most tests, and the few slow ones would come last, beside nothing.
ALL := --numprocesses 3 --dist loadfile --no-loadscope-reorder

# The tests that need Python and the packages of requirements/check.txt only: testkit/check.py selects them.
ALONE := -p testkit.check --quiet --numprocesses 3 --dist load

# One file serves every platform and Python from 3.11 on; hashes replace the address of an index.
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
  --no-emit-package kinesis-handler

# Runs and deployments use the versions that are tested.
AS_TESTED := $(LOCK) --constraint requirements/dev.txt

# Packages that Litestar and cffi declare, and the API does not import.
NOT_ON_LAMBDA := $(addprefix --no-emit-package ,certifi click colorama faker h11 httpcore httpx idna litestar-htmx \
  markdown-it-py mdurl polyfactory pycparser pygments rich rich-click tzdata)

# A pinned file is complete, and is installed without resolving it again, which would find newer releases.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt requirements/pip.txt pyproject.toml apps/user_limits/pyproject.toml | $(VENV)/bin/python
	$(install)

$(VENV)/.serve: requirements/serve.txt requirements/pip.txt pyproject.toml apps/user_limits/pyproject.toml | $(VENV)/bin/python
	$(install)
	@touch $(VENV)/.run

# The dependencies of checks include those of a run and of the API; those of tests include those of checks.
$(VENV)/.check: requirements/check.txt requirements/pip.txt pyproject.toml apps/user_limits/pyproject.toml | $(VENV)/bin/python
	$(install)
	@touch $(VENV)/.run $(VENV)/.serve

$(VENV)/.dev: requirements/dev.txt requirements/pip.txt pyproject.toml apps/user_limits/pyproject.toml | $(VENV)/bin/python
	$(install)
	@touch $(VENV)/.run $(VENV)/.serve $(VENV)/.check

# The page's tests need Chromium. If it cannot be installed, they report that it is missing.
browser:
	@for name in chromium chromium-browser google-chrome; do \
	  if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium (once)"; \
	  { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } >/dev/null || true; \
	fi

# setuptools would warn of how it finds the application's package: that is as it should be.
INSTALL_OURS = PYTHONWARNINGS='ignore:Editable installation' $(BIN)/python -m pip install --quiet --disable-pip-version-check

define install
	@echo "Installing $< into $(VENV) (once)"
	@$(PIP) --requirement requirements/pip.txt
	@$(PIP) --requirement $<
	@$(INSTALL_OURS) --no-deps --no-build-isolation --editable . --editable apps/user_limits
	@$(BIN)/python -m pip check --disable-pip-version-check >$(VENV)/.conflicts || { cat $(VENV)/.conflicts; false; }
	@touch $@
endef
