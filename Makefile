# Two commands on a fresh machine: `make demo` shows it, `make test` proves it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo demo-openstack test test-quick test-hosts estate lint bench docs clean

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PROJECTS := roles/event_listener/files/event_listener tests/simulator
export PATH := $(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .build/setup.stamp  ## Make .venv with everything that the playbooks, the listener and the simulator need

setup-test: .build/setup-test.stamp  ## The same, and what the tests need

demo: setup  ## Subscribe a simulated fleet, prove that every event arrives (KEEP=1 leaves it running)
	@tests/demo/run

demo-openstack: setup-test  ## From a security group rule to its syslog line and a scan, on a simulated OpenStack (root; KEEP=1)
	@$(BIN)/python -m tests.demo.openstack_demo

test: setup-test  ## Everything: lint, unit and integration tests
	@tests/tools/run-tests all

test-quick: setup-test  ## Unit tests and ruff: under two minutes
	@tests/tools/run-tests quick

test-hosts: setup-test  ## The tests on booted Debian hosts alone (root; docs/contributing-hosts.md)
	@$(BIN)/pytest -q tests/integration/hosts

estate: setup-test  ## Two listeners, database, broker, syslog, 200 BMCs: deployed, broken, upgraded, every event accounted for (root)
	@$(BIN)/python -m tests.integration.hosts.scenario

lint: setup-test  ## ruff, mypy, import-linter, yamllint, ansible-lint, ansible-test sanity, galaxy-importer
	@tests/tools/lint

bench: setup-test  ## Benchmarks: ratios against a peer or a floor in the same run
	@for b in tests/benchmarks/[!_]*.py; do echo "== $$b"; PYTHONPATH=. $(BIN)/python "$$b"; done

docs: setup  ## Write the generated pages of docs/ again
	@$(BIN)/event-listener settings > docs/settings.md

clean:  ## Remove what the other targets made
	rm -rf .build .venv

.build/setup.stamp: requirements.txt $(PROJECTS:%=%/pyproject.toml)
	@mkdir -p .build
	@tests/tools/make-venv $(VENV)
	@$(BIN)/pip install --quiet -r requirements.txt $(PROJECTS:%=-e %)
	@mkdir -p .build/dev/ansible_collections/redfleet
	@ln -sfn ../../../.. .build/dev/ansible_collections/redfleet/events
	@touch $@

.build/setup-test.stamp: .build/setup.stamp tests/requirements.txt tests/tools/debian-packages
	@tests/tools/install-debian-packages
	@$(BIN)/pip install --quiet -r tests/requirements.txt
	@touch $@
