# `make run` opens the console, `make test` runs every test; both make .venv by themselves.
# uv is used when it is on the PATH, else python3 -m venv and pip. Packages are pinned, with hashes.
VENV := .venv
PY := $(VENV)/bin/python
# Most tests wait for processes: three at once on two cores. WORKERS= runs them one after the other.
WORKERS ?= -n 3 --dist loadfile
HAVE_UV := $(shell command -v uv 2>/dev/null)
# The first interpreter here that the product runs on.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))' 2>/dev/null && { echo $$p; break; }; done)

ifneq ($(HAVE_UV),)
INSTALL = uv pip install --quiet --python $(PY)
else
INSTALL = $(PY) -m pip install --quiet --disable-pip-version-check
endif

.PHONY: run web test check bench soak clients lock clean

run: $(VENV)/.ready
	@$(VENV)/bin/qd $(ARGS)

test: $(VENV)/.ready-dev
	$(PY) -m pytest $(WORKERS) $(ARGS)

check: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports

bench: $(VENV)/.ready-dev
	$(PY) -m pytest tests/bench -s -o addopts=--import-mode=importlib -o python_files='bench_*.py' -o timeout=600 $(ARGS)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Quarterdeck needs Python 3.11, 3.12 or 3.13 as python3; install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
ifneq ($(HAVE_UV),)
	uv venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

$(VENV)/.ready: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

# The console in a browser: `qd web`.
web: $(VENV)/.ready
	$(INSTALL) --require-hashes -r requirements-web.txt

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

# Long: the ledger against its model, a thousand races for one file, and fifty engines killed with ten live runs.
soak: $(VENV)/.ready-dev
	QD_SOAK=1 QD_TRIALS=1000 QD_KILLS=50 QD_STALL_S=120 $(PY) -m pytest -o timeout=3600 tests/state/test_ledger_machine.py tests/state/test_claims.py tests/e2e/test_races.py tests/e2e/test_killed_engine.py tests/e2e/test_reality.py $(ARGS)

# The agent clients of the end-to-end tests, pinned (1.2 GB): needs npm. Without them, those tests are skipped.
clients: tests/clients/node_modules/.ready

tests/clients/node_modules/.ready: tests/clients/package.json tests/clients/package-lock.json
	cd tests/clients && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts=false
	@touch $@

# Needs uv. No index address is written.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements-web.in -o requirements-web.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) tests/clients/node_modules .mypy_cache .ruff_cache .pytest_cache
