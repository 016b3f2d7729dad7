# The front door. `make` alone lists every command.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The Python that everything is built from: 3.11, 3.12 or 3.13.
PYTHON ?= python3

DAG ?= dbt_cloud_job
DB ?= warehouse
TESTS ?= tests

# A test that hangs ends with its stack. Not in pyproject.toml, which Astro's pytest reads too.
export PYTEST_TIMEOUT ?= 600

# The theme's makers advertise on every build what is of no concern here.
export NO_MKDOCS_2_WARNING := 1

# Compiled files next to the sources make every start three times as fast.
unexport PYTHONDONTWRITEBYTECODE

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
	@$(PYTHON) -m local_airflow up $(if $(EXECUTOR),--executor "$(EXECUTOR)") $(if $(WORKERS),--workers "$(WORKERS)")

.PHONY: down
down: ## Stop everything; data stays
	@$(PYTHON) -m local_airflow down

.PHONY: reset
reset: ## Stop everything and delete the data: databases, runs, logs (asks first)
	@$(PYTHON) -m local_airflow reset

##@ Use it

.PHONY: run
run: ## Run a DAG and prove what happened; DAG=dbt_cloud_job
	@$(PYTHON) -m local_airflow run "$(DAG)"

.PHONY: setup
setup: ## Use a job of your own account: asks, writes .env, checks, runs on yes
	@$(PYTHON) -m local_airflow setup

.PHONY: load
load: ## Load a month of flights into the warehouse; MONTH=2013-02
	@$(PYTHON) -m local_airflow load "$(MONTH)"

.PHONY: open
open: ## Open Airflow in the browser; WHAT=dbt-cloud for the job's page
	@$(PYTHON) -m local_airflow open $(WHAT)

.PHONY: wait
wait: ## Wait until everything is ready, for scripts; SECONDS=180
	@$(PYTHON) -m local_airflow wait $(if $(SECONDS),--seconds "$(SECONDS)")

.PHONY: snapshot
snapshot: ## Keep both databases and the dbt Cloud runs; NAME=before
	@$(PYTHON) -m local_airflow snapshot "$(NAME)"

.PHONY: restore
restore: ## Bring a snapshot back (asks first); NAME=before
	@$(PYTHON) -m local_airflow restore "$(NAME)"

##@ Jobs as code

.PHONY: jobs-plan
jobs-plan: ## Show how dbt_cloud_jobs.yml and the account differ; CHECK=1
	@$(PYTHON) -m local_airflow jobs-plan $(if $(CHECK),--check)

.PHONY: jobs-sync
jobs-sync: ## Make the account like dbt_cloud_jobs.yml (asks first)
	@$(PYTHON) -m local_airflow jobs-sync

.PHONY: jobs-import
jobs-import: ## Bring a job of the account into dbt_cloud_jobs.yml; JOB="Build flights"
	@$(PYTHON) -m local_airflow jobs-import

##@ Work on a DAG

.PHONY: dag-test
dag-test: ## Run a DAG in one process; DAG=dbt_cloud_job, DEBUG=1 waits for a debugger
	@$(PYTHON) -m local_airflow dag-test "$(DAG)" --debug "$(DEBUG)"

.PHONY: shell
shell: ## Open a shell in which airflow and your imports work
	@$(PYTHON) -m local_airflow shell

.PHONY: psql
psql: ## Open a database; DB=airflow, else the warehouse
	@$(PYTHON) -m local_airflow psql "$(DB)"

.PHONY: restart
restart: ## Restart one part; S=scheduler
	@$(PYTHON) -m local_airflow restart "$(S)"

.PHONY: upgrade-test
upgrade-test: dev ## Try the DAGs on another Airflow; AIRFLOW=3.3.2
	@$(PYTHON) -m local_airflow upgrade-test "$(AIRFLOW)"

##@ Find out what is wrong

.PHONY: status
status: ## Show every part, address, login, job and last run; FORMAT=env or json
	@$(PYTHON) -m local_airflow status $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: doctor
doctor: ## Say what is wrong and what to do; changes nothing; FORMAT=json
	@$(PYTHON) -m local_airflow doctor $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: logs
logs: ## Show the newest lines of the logs; S=scheduler for one part, F=1 to follow
	@$(PYTHON) -m local_airflow logs $(if $(S),--service "$(S)") $(if $(F),--follow)

.PHONY: bundle
bundle: ## Pack what a bug report needs into a zip, every secret masked
	@$(PYTHON) -m local_airflow bundle

##@ Change it

.PHONY: new-dag
new-dag: dev ## Write a DAG, its test, its docs; NAME=… JOB="…" SCHEDULE="0 6 * * *"
	@.local/dev/bin/python -m local_airflow new-dag

.PHONY: test
test: dev ## Run the tests; TESTS=tests/include for some of them
	@.local/dev/bin/python -m pytest $(TESTS)

.PHONY: test-docker
test-docker: dev ## Run the tests that need a Docker engine: images, the stack, Celery, Astro
	@RUN_DOCKER_TESTS=1 PYTEST_TIMEOUT=1200 .local/dev/bin/python -m pytest tests/docker --durations=8

.PHONY: check
check: dev ## Check format, lint and types
	@.local/dev/bin/ruff format --check .
	@.local/dev/bin/ruff check .
	@.local/dev/bin/mypy
	@.local/dev/bin/yamllint --strict .
	@git ls-files -z '*.sh' .ci/run | xargs -0 .local/dev/bin/shellcheck

.PHONY: format
format: dev ## Put the code into its format
	@.local/dev/bin/ruff format .
	@.local/dev/bin/ruff check --fix .

.PHONY: docs-write
docs-write: dev ## Write docs/supported_endpoints.md and docs/clients.md anew, by the tests that prove them
	@.local/dev/bin/python -m pytest -q tests/local_dbt_cloud --deselect tests/local_dbt_cloud/test_supported_endpoints.py
	@.local/dev/bin/python -m tests.local_dbt_cloud.supported_endpoints
	@.local/dev/bin/python -m pytest -q tests/clients --deselect tests/clients/test_page.py
	@.local/dev/bin/python -m tests.clients page

.PHONY: graph
graph: dev ## Draw the graph of dbt_project/ anew, after adding or connecting models
	@WAREHOUSE_HOST=- WAREHOUSE_PORT=0 WAREHOUSE_USER=- WAREHOUSE_PASSWORD=- WAREHOUSE_DATABASE=- \
		.local/dbt/bin/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project \
		--target-path "$(CURDIR)/.local/graph" --log-path "$(CURDIR)/.local/graph"
	@.local/dev/bin/python -m include.dbt_core.graph .local/graph/manifest.json

.PHONY: docs
docs: dev ## Build the documentation into .local/site; every link is checked
	@.local/docs/bin/python -m mkdocs build --strict
	@echo "the pages:   .local/site/index.html"

.PHONY: docs-serve
docs-serve: dev ## Show the documentation while it is written; PORT=8000
	@.local/docs/bin/python -m mkdocs serve --strict --dev-addr "127.0.0.1:$(or $(PORT),8000)"

.PHONY: bench
bench: dev ## Measure what the README promises
	@.local/dev/bin/python -m benchmarks

.PHONY: lock
lock: ## Choose the newest versions that fit, and write requirements/*.lock and those of the clients
	@$(PYTHON) -m local_airflow lock
	@$(PYTHON) -m tests.clients lock

.PHONY: dev
dev: ## Install what the tests and the linters need
	@$(PYTHON) -m local_airflow install
