#!/usr/bin/env bash
# `make torture`: many rounds of the torture test on both databases. ROUNDS for each database, SEED of the first.
. "$(dirname "$0")/lib.sh"
. .ci/services.sh

say "1/3 Looking for what is missing"
.ci/install.sh test

say "2/3 Building the program and the test"
.ci/site.sh dev
use_site dev
cargo build --bins --tests

say "3/3 ${ROUNDS:-100} rounds on each database"
trap stop_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start_services quick
TORTURE_ROUNDS=${ROUNDS:-100} TORTURE_SEED=${SEED:-1} cargo test --test torture -- --nocapture
