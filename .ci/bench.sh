#!/usr/bin/env bash
# `make bench`: the release build against databases that are as durable as in production.
. "$(dirname "$0")/lib.sh"
. .ci/services.sh

say "1/3 Looking for what is missing"
.ci/install.sh bench

say "2/3 Building the web assets and the program"
.ci/site.sh release
use_site release
# The program too: with the features that the benches ask for, so that it is built once.
cargo bench -p server --bench all --no-run

say "3/3 Benchmarks"
trap stop_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start_services durable
mkdir -p "$CARGO_TARGET_DIR/bench"
export ESE_BENCH_RESULTS=$CARGO_TARGET_DIR/bench/latest.json
cargo bench -p server --bench all
