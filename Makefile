# Two commands do everything, set-up included: make demo, make test. Everything goes into .venv and .cache here.

.PHONY: demo test test-odoo fast check lint types docs reference lock benchmark sounds clean

demo:      ## real calls through a real Asterisk on demo data: where each landed, and why
	@rig/get-python
	@.venv/bin/python -m demo

test:      ## all tests: the fast ones, then real calls through a real Asterisk
	@rig/get-python dev
	@rig/get-asterisk >/dev/null
	@.venv/bin/python -m pytest -q --ignore=tests/containers --ignore=tests/odoo

test-odoo: ## calls and look-ups on a real Odoo 19 (210 MB once); passes without it only where Debian has no Odoo 19
	@rig/get-python dev
	@rig/get-asterisk >/dev/null
	@rig/get-odoo >/dev/null; case $$? in \
	  0) .venv/bin/python -m pytest -q tests/odoo ;; \
	  3) echo '!!! NOT TESTED on a real Odoo: Debian offers no package odoo-19 any more. Find another one.' ;; \
	  *) exit 1 ;; esac

fast:      ## only the tests without network: seconds
	@rig/get-python dev
	@.venv/bin/python -m pytest -q -m 'not asterisk and not containers and not soak and not servers and not databases'

check: lint types docs

lint:
	@rig/get-python dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

types:
	@rig/get-python dev
	@.venv/bin/mypy

docs:      ## the reference and the code name the same things; what the README promises runs
	@rig/get-python dev
	@.venv/bin/python -m pytest -q tests/docs

reference: ## write the tables of docs/reference anew from the keys of the code
	@.venv/bin/python -m rig.reference

lock:      ## write the lock files anew from pyproject.toml
	@.venv/bin/python -m pip install -q uv
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -o requirements.lock pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra dev -o requirements-dev.lock pyproject.toml
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --extra postgresql --extra mysql --extra redis --extra spreadsheet -o docker/requirements.lock pyproject.toml

benchmark: ## calls a second on one core beside a server that does nothing, in one run
	@rig/get-python dev
	@.venv/bin/python -m benchmarks.speed

sounds:    ## make the prompts from sounds/prompts.csv (needs espeak-ng and sox)
	@sounds/make

clean:
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
