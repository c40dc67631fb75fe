# The commands of this project. Each is a short script in .ci/, which can be run and read on its own.
# CARGO_TARGET_DIR (default: target) is where everything built goes, helper tools included.

.PHONY: help run build test lint bench plans torture fuzz
.DEFAULT_GOAL := help

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## install what is missing, build, and serve on http://127.0.0.1:3000 with demo data
	@.ci/serve.sh

build: ## the release program, web assets inside: target/release/event-stream-engine
	@.ci/build.sh release

test: ## unit, integration (SQLite, PostgreSQL, Redis) and browser tests; ends with the totals
	@.ci/test.sh

lint: ## formatting, clippy for server and browser, layer rules, documentation links, type check of the browser tests
	@.ci/lint.sh

bench: ## the benchmarks: prints a table, writes target/bench/latest.json
	@.ci/bench.sh

plans: ## how PostgreSQL and SQLite carry out the hot statements, into docs/query-plans.md
	@.ci/plans.sh

torture: ## kills and faults in the middle of campaigns, many rounds: make torture ROUNDS=200 SEED=1
	@.ci/torture.sh

fuzz: ## random input to what reads webhooks, people's words and files' headings: make fuzz FUZZ_CASES=200000
	@.ci/fuzz.sh
