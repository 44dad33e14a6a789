# One command per chore, the same on a laptop and in CI. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make

.DEFAULT_GOAL := help
.PHONY: help compare test check fix bench screenshots notebook docs lock clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip refuses any file whose hash is not in the lock, so what runs here is what ran in CI.
$(STAMPS)/run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pollbench needs Python 3.11 or newer; \
	this is " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python scripts/link-checkout
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/notebook: requirements-notebook.lock $(STAMPS)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-notebook.lock
	@mkdir -p $(STAMPS) && touch $@

compare: $(STAMPS)/run  ## measure all patterns side by side and write a report (under 3 minutes)
	$(BIN)/pollbench compare $(ARGS)

test: $(STAMPS)/dev  ## everything CI runs: lint, types, tests, a small real comparison
	scripts/install-test-tools
	scripts/check
	@$(BIN)/python scripts/test $(ARGS)

check: $(STAMPS)/dev  ## lint and types only
	scripts/check

fix: $(STAMPS)/dev  ## format and repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMPS)/dev  ## how fast the suite itself is, side by side with plain peers
	@for each in servers http2 load instrument targets report; do echo "== $$each" >&2; $(BIN)/python -m tests.bench.$$each $(ARGS) || exit; done

screenshots: $(STAMPS)/dev  ## take the pictures of the documentation anew (NAME=report, race, webui or decision-map for some)
	scripts/install-test-tools
	$(BIN)/python -m tests.screenshots $(NAME)

notebook: $(STAMPS)/notebook  ## open the notebooks
	$(BIN)/jupyter lab notebooks

docs: $(STAMPS)/dev  ## build the documentation site into build/site, every link checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the documentation is in $(CURDIR)/build/site/index.html"

lock: $(STAMPS)/dev  ## rewrite the lock files from pyproject.toml (UPGRADE=1 for newer releases)
	scripts/lock

clean:  ## remove what make set up; runs/ stays
	rm -rf $(VENV) $(STAMPS) .mypy_cache .pytest_cache .ruff_cache .hypothesis
