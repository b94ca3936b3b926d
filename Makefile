# Everything runs in .venv; whatever is missing is made first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test lint simulate worlds stress chaos bench soak beside docs clean

# Tests mostly wait for processes and venues, so more of them than cores run side by side.
WORKERS ?= 4
SEEDS ?= 2000
MINUTES ?= 10
EVENTS ?= 7

setup: .venv/ready

.venv/ready: setup.cfg setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	touch $@

run: .venv/ready
	$(BIN)/python supervisor.py demo

test: .venv/ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: .venv/ready
	$(BIN)/python -m tests.simulation.run --seeds $(SEEDS)

# Every world of at most so many events, and what the rule of absence makes of it: an hour or two.
worlds: .venv/ready
	$(BIN)/python -m tests.rules.worlds --events $(EVENTS)

stress: .venv/ready
	$(BIN)/python -m tests.runtime.stress.run --seeds $(SEEDS)

chaos: .venv/ready
	$(BIN)/python -m tests.chaos.long --minutes $(MINUTES)

bench: .venv/ready
	for each in runtime close ledger reconcile views; do $(BIN)/python bench/$$each.py || exit 1; done

soak: .venv/ready
	$(BIN)/python bench/soak.py --minutes $(MINUTES)

# freqtrade in an environment of its own: its pins are not ours. One of its needs, sdnotify, has no
# wheel; it is plain Python.
.beside/ready: tests/beside/freqtrade.txt
	$(PYTHON) -m venv .beside
	.beside/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: \
		--no-binary sdnotify -r tests/beside/freqtrade.txt
	touch $@

# The guard beside freqtrade, live, on both simulated venues. MINUTES=60 goes on for an hour,
# SHORT=1 plays a few steps, EXCHANGES and MODES choose.
beside: .venv/ready .beside/ready
	$(BIN)/python -m tests.beside.run --freqtrade .beside/bin/freqtrade \
		$(if $(SHORT),--short) $(if $(EXCHANGES),--exchanges $(EXCHANGES)) $(if $(MODES),--modes $(MODES)) \
		$(if $(filter command line environment,$(origin MINUTES)),--minutes $(MINUTES))

# The samples of output in README.md and docs/, written anew from a real guard.
docs: .venv/ready
	$(BIN)/python -m tests.documents.rewrite
	$(BIN)/python -m console.config.reference

clean:
	rm -rf .venv .beside var build *.egg-info
