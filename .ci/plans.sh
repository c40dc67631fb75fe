#!/usr/bin/env bash
# `make plans`: how the databases carry out each statement of a campaign, into docs/query-plans.md. PostgreSQL's part is of the
# benches `send` and `webhooks` with auto_explain; slower than without, so their figures are not the benches'. SQLite's part
# is of the test `query_plans`.
. "$(dirname "$0")/lib.sh"
. .ci/services.sh

say "1/4 Looking for what is missing"
.ci/install.sh bench

say "2/4 Building the program"
.ci/site.sh release
use_site release
cargo bench -p server --bench all --no-run

say "3/4 PostgreSQL: campaigns and floods of webhooks, with a look at every statement"
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
mkdir -p "$CARGO_TARGET_DIR/bench"
rm -f "$ESE_BENCH_RESULTS"
# A limit that it misses is no matter here, as long as it came to its end.
BENCH_ROWS=send,webhooks BENCH_BACKEND=postgres cargo bench -p server --bench all || [ -f "$ESE_BENCH_RESULTS" ]
postgres=$CARGO_TARGET_DIR/bench/plans-postgres.md
node .ci/plans.mjs "$services_dir/postgresql.log" >"$postgres"
stop_services

say "4/4 SQLite: a campaign in a test"
sqlite=$CARGO_TARGET_DIR/bench/plans-sqlite.md
rm -f "$sqlite"
env -u TEST_DATABASE_URL -u TEST_REDIS_URL QUERY_PLANS="$sqlite" cargo test --test query_plans
cat "$postgres" "$sqlite" >docs/query-plans.md
say "docs/query-plans.md is written"
