# Every target sets up what it needs by itself: into .venv and .cache here, nothing outside. `make` alone lists them.

PYTEST = .venv/bin/python -m pytest -q
# As tests/run has it.
SIDE_BY_SIDE = -n 4 --dist loadfile --no-loadscope-reorder
# What a machine without root, mounts or systemd cannot do: its tests are left out there, and that is said.
NOT_HERE = $(shell unshare --mount true 2>/dev/null && command -v systemd-sysusers >/dev/null || echo ' and not machine')

.DEFAULT_GOAL = help
.PHONY: help demo unit test fast test-soak test-browser pages test-odoo check lint types docs reference house lock benchmark figures sounds streams clean

help:      ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo:      ## real calls through a real Asterisk on demo data: where each landed, and why (fetches 70 MB once)
	@rig/get-all demo
	@.venv/bin/python -m demo

unit:      ## the tests that open no socket, process or thread: some seconds
	@rig/get-python dev
	@EXAMPLES=10 tests/run unit --ignore=tests/docs --ignore=tests/house

test:      ## all tests, with real calls and real databases: some 7 minutes (fetches 270 MB once)
	@tests/run all 'not containers and not odoo and not soak and not browser $(NOT_HERE)'
	@$(if $(NOT_HERE),echo "Left out: the service as its systemd unit runs it. It needs root and systemd.")

fast:      ## the tests that need no server that is fetched: a minute
	@rig/get-python dev
	@$(PYTEST) $(SIDE_BY_SIDE) -m 'not asterisk and not containers and not odoo and not soak and not browser and not servers and not databases and not machine'

test-soak: ## ten thousand calls on a system that fails at random: a minute
	@rig/get-python dev
	@$(PYTEST) -m soak

test-browser: ## the pages in a real Chromium, on real calls (fetches 250 MB once)
	@rig/get-python browser
	@rig/get-chromium >/dev/null
	@rig/get-nginx >/dev/null
	@rig/get-asterisk >/dev/null
	@pages/build --check
	@$(PYTEST) -n 2 --dist loadfile -m browser tests/browser

pages:     ## build the pages anew, into routing_engine/web/static (npm brings 20 MB once)
	@pages/build

test-odoo: ## calls and look-ups on a real Odoo 19 (210 MB once); passes without it only where Debian has no Odoo 19
	@rig/get-python dev
	@rig/get-asterisk >/dev/null
	@rig/get-odoo >/dev/null; case $$? in \
	  0) $(PYTEST) tests/odoo ;; \
	  3) echo '!!! NOT TESTED on a real Odoo: Debian offers no package odoo-19 any more. Find another one.' ;; \
	  *) exit 1 ;; esac

check: lint types docs  ## lint, types and docs

lint:      ## style, import contracts
	@rig/get-python dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

types:     ## mypy --strict
	@rig/get-python dev
	@.venv/bin/mypy

docs:      ## the reference and the code name the same things; what the README promises runs
	@rig/get-python dev
	@$(PYTEST) tests/docs

house:     ## figures of the whole tree, and which of them break their bar
	@rig/get-python dev
	@.venv/bin/python -m tests.house

reference: ## write the tables of docs/reference anew from the keys of the code
	@.venv/bin/python -m rig.reference

lock:      ## write the lock files anew from pyproject.toml
	@rig/get-python dev
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -o requirements.lock pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra dev -o requirements-dev.lock pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -c requirements-dev.lock --extra dev --extra browser -o requirements-browser.lock pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra postgresql --extra mysql --extra redis --extra spreadsheet -o docker/requirements.lock pyproject.toml
	@echo 'setuptools==80.9.0' | .venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate -o docker/build.lock -

figures: ## calls that are followed: how soon they are in the CRM, 10,000 streams, an hour without the CRM (10 minutes)
	@rig/get-python dev >/dev/null
	@.venv/bin/python -m benchmarks.followed 60
	@.venv/bin/python -m benchmarks.calls 10000
	@.venv/bin/python -m benchmarks.outage 3600

benchmark: ## speed beside others, what two workers carry, what grows with the configuration (DOCS=1 writes the page)
	@rig/get-python dev
	@.venv/bin/python -m benchmarks.speed
	@.venv/bin/python -m benchmarks.workers 2 3
	@.venv/bin/python -m benchmarks.growth

sounds:    ## make the prompts from sounds/prompts.csv (needs espeak-ng and sox)
	@sounds/make

streams:   ## record the manager events of every situation anew from a real Asterisk, for tests/calls: two minutes
	@rig/get-python dev
	@.venv/bin/python -m rig.record_streams

clean:     ## throw away .venv, .cache and everything that is made here
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
