# `make` alone lists the targets. All but `help` and `clean` first bring .venv up to date (scripts/environment.sh).
.DEFAULT_GOAL := help
.PHONY: help run test check format bench simulate chaos hostile soak fuzz accept screenshots constraints release install-systemd clean

ENVIRONMENT := PYTHON="$(PYTHON)" scripts/environment.sh
BIN := .venv/bin
# Every wheel of every platform, no address of an index: the same files install from wherever pip looks.
PIN := $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-annotate --no-header --system-certs $(if $(UPGRADE),--upgrade) --quiet
COMPILE := $(PIN) pyproject.toml --group environment

# Most tests wait for processes, so a few run at once. Those of a module, or of a folder whose conftest.py shares a stack, stay together.
# In the order of the folders: the long modules of few tests first, so that no process ends with one of them alone.
PARALLEL := --numprocesses $(or $(JOBS),3) --dist loadscope --no-loadscope-reorder --durations 15
# Rooms whose every branch a test has to take, `source` of [tool.coverage.run]; measuring slows only their tests.
PURE := $(addprefix tests/unit/,kpis routing/rules control/rules dialogue speech_text)
PURE_TESTS := $(PARALLEL) $(PURE) --cov --cov-report term
# Trials fill the machine by themselves, and a restart under load is judged by it: these have it alone.
TRIALS := $(addprefix tests/,chaos hostile integration/upgrade)
OTHER_TESTS := $(PARALLEL) $(addprefix --ignore ,$(PURE) $(TRIALS))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run everything on this machine: make run [CONFIG=file.yaml] [MODELS=none, only yours] [VERIFY=1, `dispatcher verify` may inject faults]
	@$(ENVIRONMENT) run
	@$(if $(VERIFY),ALLOW_VERIFY=true) $(BIN)/dispatcher up $(if $(CONFIG),--config "$(CONFIG)")

test: ## all checks and all tests, pure packages covered in full: make test [JOBS=3] [ARGS="tests/unit -k name"]
	@$(ENVIRONMENT) dev
	@failed=0; $(MAKE) --no-print-directory check || failed=1; \
	tests() { $(BIN)/python -m pytest "$$@" || failed=1; }; \
	$(if $(ARGS),tests $(ARGS),tests $(PURE_TESTS); tests $(OTHER_TESTS); tests $(TRIALS)); exit $$failed

check: ## ruff, formatting, mypy --strict, layers, dependencies, browser code, Lua
	@$(ENVIRONMENT) dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry dispatcher workers
	$(BIN)/oxlint --quiet -D correctness dispatcher/front/http/pages/static dispatcher/console/static
	$(BIN)/python scripts/lint_lua.py

format: ## format the code and mend what ruff can
	@$(ENVIRONMENT) dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## how many devices this machine serves
	@$(ENVIRONMENT) run
	$(BIN)/dispatcher bench devices

simulate: ## how calls fare under each balancing rule, faults included: a table after two minutes
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.simulation.simulate

chaos: ## every kind of fault at random moments, for ten minutes: make chaos [ARGS="--minutes 2 --seed 7"]
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.chaos.chaos_trial $(ARGS)

hostile: ## attacks from another host, and what good devices notice: make hostile [ARGS="--only garbage"]
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.hostile.hostile_trial $(ARGS)

soak: ## ten minutes at 75 to 85 % CPU, curves in soak.html: make soak [ARGS="--minutes 60"]
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.chaos.soak_trial $(ARGS)

fuzz: ## every reader of bytes from outside against odd inputs: make fuzz [ARGS="--cases 100000"]
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.fuzz.fuzz_trial $(ARGS)

accept: ## all benches and trials (an hour or more, on a quiet machine), their figures in README and docs: make accept [ARGS="--only overload"]
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.acceptance.accept $(ARGS)

screenshots: ## the pictures of the READMEs, taken of the running system in Chromium
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.acceptance.screenshots

constraints: ## pin anew after a change of dependencies: make constraints [UPGRADE=1]
	@$(ENVIRONMENT) dev
	$(COMPILE) --all-extras --output-file constraints.txt
	$(COMPILE) --extra builtin --extra edge --extra formats --extra otel --extra records --extra sensevoice --extra tools --extra vad --constraint constraints.txt --output-file requirements.txt
	$(PIN) --group flower --constraint constraints.txt --output-file requirements-flower.txt

release: check ## sdist and wheel in dist/, the wheel tried in an empty environment
	@scripts/release.sh

UNITS := $(DESTDIR)/usr/lib/systemd/system
install-systemd: ## units for one machine or a further host (docs/systemd.md): make install-systemd [DESTDIR=folder]
	install -d "$(UNITS)" "$(DESTDIR)/usr/lib/sysusers.d" "$(DESTDIR)/etc/xiaozhi/instances"
	cd config/systemd && find . -name 'xiaozhi*.target' -o -name 'xiaozhi*.service' -o -name '*.conf' -path './*.d/*' \
		| while read -r unit; do install -D -m 644 "$$unit" "$(UNITS)/$$unit"; done
	install -m 644 config/systemd/xiaozhi.sysusers.conf "$(DESTDIR)/usr/lib/sysusers.d/xiaozhi.conf"
	cd config/systemd && for file in dispatcher.env instances/*.env; do \
		test -e "$(DESTDIR)/etc/xiaozhi/$$file" || install -m 640 "$$file" "$(DESTDIR)/etc/xiaozhi/$$file"; done

clean: ## remove the environments and caches; DATA_DIR (var) stays
	rm -rf .venv .venv-flower .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find dispatcher workers tests -name __pycache__ -type d -prune -exec rm -rf {} +
