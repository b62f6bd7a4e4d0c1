# Two commands: `make demo` to try Foyer, `make test` to test it. They need Python 3.11 or 3.12 with venv, make and git.

PYTHON ?= $(firstword $(foreach name,python3 python3.12 python3.11,$(shell command -v $(name))))
FOYER = $(if $(PYTHON),$(PYTHON),$(error Foyer needs Python 3.11 or 3.12 and found none: install python3 and python3-venv)) \
	site/embedded/bootstrap.py
BIN = .venv/bin
CODE = site apps tests bench manage.py

# The full sizes by default; SIZE=small for a quick look, SEED=... to repeat a run, ONLY=name for one proof or bench row.
export FOYER_PROOF_SIZE = $(SIZE)
export FOYER_PROOF_SEED = $(SEED)
export FOYER_PROOF_ONLY = $(ONLY)

.PHONY: demo manage test proofs bench lint format lock clean screenshots

demo:  ## Set everything up and run the site, until Ctrl-C
	@$(FOYER) demo

manage:  ## A command beside the running demo: ARGS='sale pause lucia --say "..."'
	@$(FOYER) manage $(ARGS)

test:  ## All tests, proofs at a small size among them; TESTS="tests/events -k page" for some
	@$(FOYER) test $(TESTS)

proofs: SIZE ?= full
proofs:  ## The claims at the sizes we promise, written down in docs/proofs/
	@$(FOYER) proofs $(TESTS)

bench:  ## How fast it is, with the ratio to the bare machine; kept in bench/results/latest.json
	@$(FOYER) install
	@$(BIN)/python -m bench $(ONLY)

screenshots:  ## Every page type anew in docs/screenshots
	@FOYER_SCREENSHOTS=docs/screenshots $(FOYER) test tests/browser/test_every_page.py

lint:  ## Style, types, and models without a migration
	@$(FOYER) install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@FOYER_ENV=test $(BIN)/python -m embedded run --for lint -- $(BIN)/mypy $(CODE)
	@FOYER_ENV=test $(BIN)/python -m embedded run --for lint -- $(BIN)/python manage.py makemigrations --check --dry-run

format:  ## Bring the code into shape
	@$(FOYER) install
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 pyproject.toml
lock:  ## Pin anew what pyproject.toml asks for; the pins that still fit stay
	@$(FOYER) install
	@$(COMPILE) --no-emit-index-url --no-emit-find-links -o requirements/base.txt
	@$(COMPILE) --no-emit-index-url --no-emit-find-links --extra embedded -c requirements/base.txt -o requirements/embedded.txt
	@$(COMPILE) --no-emit-index-url --no-emit-find-links --extra dev -c requirements/base.txt -o requirements/dev.txt

clean:  ## Remove all that the other targets made, the demo's data too
	@$(FOYER) clean
