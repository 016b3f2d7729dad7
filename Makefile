# The front door. `make` alone lists every command.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that everything is built from: 3.11, 3.12 or 3.13.
PYTHON ?= python3

# The launcher runs as it lies there: it must work before anything is installed.
FROM_HERE := PYTHONPATH="$(CURDIR)/packages/local-airflow/src:$(CURDIR)/packages/dbt-cloud-api/src"
LAUNCHER := $(FROM_HERE) $(PYTHON) -m local_airflow
# A program, such as those of .local/dev, with what of the shell the tests get.
IN_DEV := $(LAUNCHER) in-dev

# What can be said to a command, as in `make run DAG=mine`. Only so: a NAME or a DEBUG that a shell
# happens to have means nothing here. PYTHON above is the exception, and so are the tests' own.
SAID := AIRFLOW CHECK DAG DB DEBUG ENVIRONMENT EXECUTOR F FORMAT FULL JOB MONTH NAME OWNER PORT PROJECT \
	S SAMPLE SCHEDULE SECONDS TESTS WHAT WORKERS
define only_if_said
ifneq ($$(origin $(1)),command line)
$(1) :=
endif
endef
$(foreach each,$(SAID),$(eval $(call only_if_said,$(each))))

# The examples may be deleted.
EXAMPLES_THERE := $(wildcard examples)
DBT_CLOUD_TESTS := packages/local-dbt-cloud/tests
CLIENT_TESTS := $(DBT_CLOUD_TESTS)/clients
SECURITY_TESTS := $(wildcard packages/*/tests/security)
FAULT_TESTS := packages/local-airflow/tests/faults
# Of the data that comes with the examples; they run with the packages'.
LOADER_TESTS := examples/tests/loader
YOURS := tests $(if $(EXAMPLES_THERE),examples/tests)
TYPED := dags include $(EXAMPLES_THERE) $(wildcard packages/*/src) benchmarks container

# A test that hangs ends with its stack. Not in pyproject.toml, which Astro's pytest reads too.
export PYTEST_TIMEOUT ?= 600

# The theme's makers advertise on every build what is of no concern here.
export NO_MKDOCS_2_WARNING := 1

# What a shell says to Python is said to its own: without compiled files every start takes three
# times as long, and PYTHONWARNINGS=error ends it.
unexport PYTHONDONTWRITEBYTECODE $(filter-out PYTHON,$(filter PYTHON%,$(.VARIABLES)))

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z-]*:.*## / { \
			line = sprintf("  make %-12s", $$1); count = split($$2, words, " "); \
			for (i = 1; i <= count; i++) { \
				if (length(line " " words[i]) > 80) { print line; line = sprintf("%19s", "") } \
				line = line " " words[i] } \
			print line }' \
		$(MAKEFILE_LIST)

##@ Start and stop

.PHONY: up
up: ## Start everything, or bring it up to date with .env; EXECUTOR=celery WORKERS=3
	@$(LAUNCHER) up $(if $(EXECUTOR),--executor "$(EXECUTOR)") $(if $(WORKERS),--workers "$(WORKERS)")

.PHONY: down
down: ## Stop everything; data stays
	@$(LAUNCHER) down

.PHONY: reset
reset: ## Stop everything and delete the data: databases, runs, logs (asks first)
	@$(LAUNCHER) reset

##@ Use it

.PHONY: run
run: ## Run a DAG and prove what happened; DAG=dbt_cloud_job
	@$(LAUNCHER) run "$(DAG)"

.PHONY: setup
setup: ## Use a job of your own account: asks, writes .env, checks, runs on yes
	@$(LAUNCHER) setup

.PHONY: load-flights
load-flights: ## Load a month of flights into the warehouse, for the examples; MONTH=2013-02
	@$(LAUNCHER) load-flights "$(MONTH)"

.PHONY: open
open: ## Open Airflow in the browser; WHAT=dbt-cloud for the job's page, or WHAT=<its address> for another
	@$(LAUNCHER) open $(WHAT)

.PHONY: wait-ready
wait-ready: ## Wait until everything is ready, for scripts; SECONDS=180
	@$(LAUNCHER) wait-ready $(if $(SECONDS),--seconds "$(SECONDS)")

.PHONY: snapshot
snapshot: ## Keep both databases and the dbt Cloud runs; NAME=before
	@$(LAUNCHER) snapshot "$(NAME)"

.PHONY: restore
restore: ## Bring a snapshot back (asks first); NAME=before
	@$(LAUNCHER) restore "$(NAME)"

##@ Jobs as code

.PHONY: jobs-plan
jobs-plan: ## Show how dbt_cloud_jobs.yml and the account differ; CHECK=1
	@$(LAUNCHER) jobs-plan $(if $(CHECK),--check)

.PHONY: jobs-sync
jobs-sync: ## Make the account like dbt_cloud_jobs.yml (asks first)
	@$(LAUNCHER) jobs-sync

.PHONY: jobs-import
jobs-import: ## Bring a job of the account into dbt_cloud_jobs.yml; JOB="Build flights"
	@$(LAUNCHER) jobs-import

##@ Work on a DAG

.PHONY: dag-test
dag-test: ## Run a DAG in one process; DAG=dbt_cloud_job, DEBUG=1 connects to your debugger
	@$(LAUNCHER) dag-test "$(or $(DAG),dbt_cloud_job)" --debug "$(DEBUG)"

.PHONY: shell
shell: ## Open a shell in which airflow and your imports work
	@$(LAUNCHER) shell

.PHONY: psql
psql: ## Open a database; DB=airflow, else the warehouse
	@$(LAUNCHER) psql "$(or $(DB),warehouse)"

.PHONY: restart
restart: ## Restart one part; S=scheduler
	@$(LAUNCHER) restart "$(S)"

.PHONY: upgrade-test
upgrade-test: dev ## Try the DAGs on another Airflow; AIRFLOW=3.3.2
	@$(LAUNCHER) upgrade-test "$(AIRFLOW)"

##@ Find out what is wrong

.PHONY: status
status: ## Show every part, address, login, job and last run; FORMAT=env or json
	@$(LAUNCHER) status $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: doctor
doctor: ## Say what is wrong and what to do; changes nothing; FORMAT=json
	@$(LAUNCHER) doctor $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: logs
logs: ## Show the newest lines of the logs; S=scheduler for one part, F=1 to follow
	@$(LAUNCHER) logs $(if $(S),--service "$(S)") $(if $(F),--follow)

.PHONY: bundle
bundle: ## Pack what a bug report needs into a zip, every secret masked
	@$(LAUNCHER) bundle

##@ Change it

.PHONY: new-dag
new-dag: dev ## Write a DAG, its test, its docs; NAME=… JOB="…" SCHEDULE="0 6 * * *"
	@$(FROM_HERE) .local/dev/bin/python -m local_airflow new-dag

.PHONY: test
test: ## Run your tests: dags/ and examples/; TESTS=tests for some of them
	@$(IN_DEV) .local/dev/bin/python -m pytest -n 2 --dist worksteal $(or $(TESTS),$(YOURS) --ignore $(LOADER_TESTS))

.PHONY: test-all
test-all: dev ## Run every test: yours, and those of packages/
	@$(IN_DEV) env PYTHONPATH=packages/local-airflow/tests .local/dev/bin/python -m pytest -p one_running_stack -n 3 \
		$(or $(TESTS),$(YOURS) packages --ignore $(CLIENT_TESTS) $(addprefix --ignore ,$(SECURITY_TESTS) $(FAULT_TESTS)))

.PHONY: test-clients
test-clients: dev ## Run other people's clients of dbt Cloud, each in an environment of its own
	@$(IN_DEV) .local/dev/bin/python -m pytest $(CLIENT_TESTS)

.PHONY: test-security
test-security: dev ## Plant secrets and search for them, attack what runs, try every role; make audit
	@$(IN_DEV) .local/dev/bin/python -m pytest $(SECURITY_TESTS)
	@$(LAUNCHER) audit

.PHONY: test-faults
test-faults: dev ## Break everything with forty dag runs in the air; FULL=1 for as long as it may last
	@FULL=$(FULL) PYTEST_TIMEOUT=1800 $(IN_DEV) .local/dev/bin/python -m pytest $(FAULT_TESTS) $(if $(SAMPLE),-m sample)

.PHONY: test-docker
test-docker: dev ## Run the tests that need a Docker engine: images, the stack, Celery, Astro
	@RUN_DOCKER_TESTS=1 PYTEST_TIMEOUT=1200 $(IN_DEV) .local/dev/bin/python -m pytest \
		packages/local-airflow/tests/containers --durations=8

.PHONY: audit
audit: ## Ask PyPI for published weaknesses of what the locks install
	@$(LAUNCHER) audit

.PHONY: sbom
sbom: ## Write what every environment and image holds (CycloneDX) into .local/sbom/
	@$(LAUNCHER) sbom

.PHONY: check
check: dev ## Check format, lint and types
	@.local/dev/bin/ruff format --check .
	@.local/dev/bin/ruff check .
	@.local/dev/bin/mypy $(TYPED)
	@.local/dev/bin/lint-imports --no-cache
	@.local/dev/bin/yamllint --strict .
	@git ls-files -z '*.sh' .ci/run | xargs -0 .local/dev/bin/shellcheck

.PHONY: format
format: dev ## Put the code into its format
	@.local/dev/bin/ruff format .
	@.local/dev/bin/ruff check --fix .

.PHONY: docs-write
docs-write: dev ## Write docs/supported_endpoints.md and docs/clients.md, by the tests that prove them
	@$(IN_DEV) .local/dev/bin/python -m pytest -q $(DBT_CLOUD_TESTS) \
		--ignore $(DBT_CLOUD_TESTS)/test_supported_endpoints.py --ignore $(CLIENT_TESTS)
	@.local/dev/bin/python $(DBT_CLOUD_TESTS)/supported_endpoints.py
	@$(IN_DEV) .local/dev/bin/python -m pytest -q $(CLIENT_TESTS) --deselect $(CLIENT_TESTS)/test_page.py
	@PYTHONPATH=$(DBT_CLOUD_TESTS) .local/dev/bin/python -m clients page

.PHONY: graph
graph: dev ## Draw the graph of dbt_project/ anew, after adding or connecting models
	@WAREHOUSE_HOST=- WAREHOUSE_PORT=0 WAREHOUSE_USER=- WAREHOUSE_PASSWORD=- WAREHOUSE_DATABASE=- \
		.local/dbt/bin/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project \
		--target-path "$(CURDIR)/.local/graph" --log-path "$(CURDIR)/.local/graph"
	@.local/dev/bin/python -m examples.include.dbt_core.graph .local/graph/manifest.json

.PHONY: docs
docs: dev ## Build the documentation into .local/site; every link is checked
	@.local/docs/bin/python -m mkdocs build --strict
	@echo "the pages:   .local/site/index.html"

.PHONY: docs-serve
docs-serve: dev ## Show the documentation while it is written; PORT=8000
	@.local/docs/bin/python -m mkdocs serve --strict --dev-addr "127.0.0.1:$(or $(PORT),8000)"

.PHONY: bench
bench: dev ## Measure what the README promises
	@$(IN_DEV) .local/dev/bin/python -m benchmarks

.PHONY: lock
lock: ## Choose the newest versions that fit, and write requirements/*.lock and those of the clients
	@$(LAUNCHER) lock
	@PYTHONPATH=$(DBT_CLOUD_TESTS):packages/dbt-cloud-api/src:packages/local-airflow/src $(PYTHON) -m clients lock

.PHONY: dev
dev: ## Install what the tests and the linters need
	@$(LAUNCHER) install
