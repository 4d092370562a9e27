# make demo    install into .venv, then show a whole session: venue, strategies, faults, tape, re-run
# make test    install, then lint, types, tests
# make coverage  install, then see how much of orders, journal and connections the tests reach
# make bench   install, then the speed measurements, beside other engines; ONLY=… for some; on a newer Python:
#              make bench STRATEGYKIT_PYTHONS=/envs/313/bin
# make faults  install, then 20 live runs under random faults; N=… for more, SEED=… for others
# make chaos   install, then 200 whole programs under random faults in virtual time; SCHEDULES=… SEED=…
# make kills   install, then kill a trading program with SIGKILL, over and over: make kills N=1000 SEED=1 VENUE=t4
# make defects install, then plant one defect after the other and see which test notices; ONLY=… for some
# make soak    install, then a live run under load for a while: make soak SECONDS=60 RATE=10000
# make interop install, then let clients that others wrote, fetched from their registries, talk to the simulated venues
# make agreement install, then compare fills with those of other engines, in whole; STRATEGYKIT_DATA=… for recordings
#              that are elsewhere than in ../shared/data
# make digests install, then compare runs' digests with those of Python 3.11, 3.12 and 3.13, which need the libraries:
#              make digests STRATEGYKIT_PYTHONS=/envs/311/bin:/envs/312/bin:/envs/313/bin
# make pages   install, then look at pages in a browser and at a notebook's cell; STRATEGYKIT_BROWSER=… for a Chromium
#              of another name
# make proto   install, then generate the code of T4's schema again
# make clean   remove what these made
#
# The first run takes a minute or two to install; afterwards only a changed pyproject.toml does that again.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The tests start the program hundreds of times, and without compiled files each start takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The first Python that is young enough, old enough and able to make an environment; say PYTHON=… for another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)

.PHONY: demo test coverage bench soak faults chaos kills defects interop agreement digests pages proto setup clean

demo: setup
	@$(BIN)/strategykit demo

# Twice as many processes as cores: many tests wait for wires. What they need is compiled while types are checked: in a
# new tree each of them would compile all of it.
test: setup
	@echo "ruff check"
	@$(BIN)/ruff check .
	@echo "ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "mypy --strict"
	@$(BIN)/pytest --collect-only -q -p no:cacheprovider > /dev/null 2>&1 & $(BIN)/mypy; wait
	@echo "pytest"
	@$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

# By itself, as tracing more than doubles what a computation takes.
MEASURED := $(addprefix tests/,runtime risk scopes journal net model)

coverage: setup
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/scopes/test_worlds.py $(MEASURED) \
		$(addprefix --cov=strategykit.,runtime journal net model) --cov-report=term

bench: setup
	@$(BIN)/python -m benchmarks $(ONLY)

SECONDS ?= 60
RATE ?= 10000

soak: setup
	@$(BIN)/python -m benchmarks.soak_live --seconds $(SECONDS) --rate $(RATE)

N ?= 20
SEED ?= 1

faults: setup
	@$(BIN)/python -m benchmarks.faults_live -n $(N) --seed $(SEED)

SCHEDULES ?= 200

chaos: setup
	@$(BIN)/python -m benchmarks.chaos --schedules $(SCHEDULES) --seed $(SEED)

kills: N = 200
kills: VENUE = both
kills: setup
	@$(BIN)/python -m benchmarks.kills -n $(N) --seed $(SEED) --venue $(VENUE)

defects: setup
	@$(BIN)/python -m benchmarks.defects --only "$(ONLY)"

# Where the clients are installed, once each; `make clean` removes them.
CLIENTS ?= build/clients

interop: setup
	@STRATEGYKIT_CLIENTS="$${STRATEGYKIT_CLIENTS:-$(CLIENTS)}" $(BIN)/pytest -m interop tests/interop

# What these are asked for is all of it: where something is missing, they fail and say what.
agreement: setup
	@STRATEGYKIT_NO_SKIPS=1 $(BIN)/pytest -m "agreement or not agreement" tests/agreement

digests: export STRATEGYKIT_PYTHONS ?=
digests: setup
	@STRATEGYKIT_NO_SKIPS=1 $(BIN)/pytest tests/runtime/test_replay_determinism.py

pages: setup
	@STRATEGYKIT_NO_SKIPS=1 $(BIN)/pytest tests/report/test_report_browser.py \
		tests/report/test_report_page.py::test_a_result_shows_itself_in_a_notebook

PROTOS := strategykit/venues/t4/proto

proto: setup
	@$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. $(PROTOS)/*.proto

setup: $(STAMP)

$(STAMP): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11, 3.12 or 3.13 with venv found; install one (Debian: python3-venv) or say make PYTHON=…" >&2; \
		exit 1; \
	fi
	@echo "Setting up $(VENV) with $$("$(PYTHON)" --version)"
	@[ -x $(BIN)/pip ] || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[dev]' \
		| awk '/^Collecting/ { print "  fetching " $$2; fflush() } /^Installing/ { print "  installing"; fflush() }'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov
	find strategykit strategies tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
