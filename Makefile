# Everything runs in .venv; whatever is missing is made first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test lint clean

setup: .venv/ready

.venv/ready: setup.cfg setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	touch $@

run: .venv/ready
	$(BIN)/python supervisor.py demo

test: .venv/ready
	$(BIN)/python -m pytest

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv var build *.egg-info
