#!/usr/bin/env bash
# `make plans`: how PostgreSQL carries out each statement of a campaign under load, into docs/query-plans.md. A campaign of
# the `send` bench with auto_explain; slower than without, so its figures are not the bench's.
. "$(dirname "$0")/lib.sh"
. .ci/services.sh

say "1/3 Looking for what is missing"
.ci/install.sh bench

say "2/3 Building the program"
.ci/site.sh release
use_site release
cargo bench -p server --bench all --no-run

say "3/3 A campaign, with a look at every statement"
trap stop_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start_services durable
for setting in "session_preload_libraries = 'auto_explain'" "auto_explain.log_min_duration = 0" \
  "auto_explain.log_analyze = on" "auto_explain.log_timing = off" "auto_explain.log_format = json" \
  "auto_explain.sample_rate = 0.25"; do
  as_postgres "$(dirname "$pg_ctl")/psql" --quiet "$TEST_DATABASE_URL" --command "LOAD 'auto_explain'" --command "ALTER SYSTEM SET $setting"
done
as_postgres "$(dirname "$pg_ctl")/psql" --quiet "$TEST_DATABASE_URL" --command "SELECT pg_reload_conf()" >/dev/null
export ESE_BENCH_RESULTS=$CARGO_TARGET_DIR/bench/plans.json
rm -f "$ESE_BENCH_RESULTS"
# A limit that it misses is no matter here, as long as it came to its end.
BENCH_ROWS=send BENCH_BACKEND=postgres cargo bench -p server --bench all || [ -f "$ESE_BENCH_RESULTS" ]
node .ci/plans.mjs "$services_dir/postgresql.log" >docs/query-plans.md
say "docs/query-plans.md is written"
