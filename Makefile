# Two commands do all the set-up on a fresh machine: `make lab` and `make test`.

SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/pytest
# The lab's own inventory, whatever YIWANG_INVENTORY says.
LAB := inventories/lab
# What .ci/setup makes ready: `full`, or `python` for what needs no lab.
MACHINE ?= full

.PHONY: lab test check soak bench lock wheel clean setup

# The main job: servers on this machine, configured by the programs in stacks/.
lab: setup
	@$(BIN)/yiwang lab up -i $(LAB)
	@$(BIN)/yiwang up -i $(LAB) --yes
	@$(BIN)/yiwang lab status -i $(LAB)

# Everything but soak and bench: one worker has the lab of the run, the other the rest.
test: setup lint
	@$(PYTEST) -m "not soak and not bench" -n 2 --dist loadgroup

# The fast part: lint, types, unit tests.
check: MACHINE = python
check: setup lint
	@$(PYTEST) -q -m "not system and not lab and not cluster and not browser and not soak and not bench" -n 2

.PHONY: lint
lint: MACHINE = python
lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/yamllint --strict -c .config/yamllint.yml .
	@ANSIBLE_HOME=.ansible ANSIBLE_LIBRARY=roles/base/library $(BIN)/ansible-lint --offline --strict -q -c .config/ansible-lint.yml

# Tests of more than a minute each.
soak: setup
	@$(PYTEST) -m soak

# Measurements, with a peer in the same run; never a verdict.
bench: setup
	@$(PYTEST) -m bench -s

setup:
	@.ci/setup $(MACHINE)

# Pins with hashes, for every extra, from the exact versions in pyproject.toml.
lock: MACHINE = python
lock: setup
	@for extra in dev kit storage portal exchange; do \
	  $(BIN)/uv pip compile -q pyproject.toml --extra $$extra --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	    $$([ $$extra = dev ] || echo -c requirements/dev.txt) -o requirements/$$extra.txt; \
	done

wheel: MACHINE = python
wheel: setup
	@$(BIN)/pip wheel -q --no-deps --no-build-isolation -w dist .

# Ends the lab and removes what the project made in this checkout; the caches in ~/.cache/yiwang stay.
clean:
	@if [ -x $(BIN)/yiwang ]; then $(BIN)/yiwang lab down -i $(LAB); fi
	@rm -rf .venv .setup.log dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
