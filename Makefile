# Two commands on a fresh machine with Python 3.11+, git and make:
#   make demo    the whole system with simulated devices; PORT= chooses the console's port
#   make test    every test
# Each makes .venv and installs pinned dependencies by itself.

PYTHON ?= python3
PORT ?= 8470
INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check clean

demo: .venv/demo
	@exec .venv/bin/vitalgate demo --port $(PORT)

test: .venv/test
	@exec scripts/test

check: .venv/test
	@exec scripts/check

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "vitalgate needs Python 3.11 or newer; name one with: make demo PYTHON=python3.11"; exit 1; }
	@echo "Making .venv ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

.venv/demo: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing vitalgate (about a minute the first time) ..."
	@$(INSTALL) --editable '.[simulate]'
	@touch $@

.venv/test: .venv/demo
	@echo "Installing the test tools ..."
	@$(INSTALL) --group dev
	@touch $@

clean:
	rm -rf .venv
