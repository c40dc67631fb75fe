#!/usr/bin/env bash
# `make test`. The last line is always the totals; the exit code is 0 only if nothing failed.
. "$(dirname "$0")/lib.sh"
. .ci/services.sh

passed=0
failed=0

finish() {
  local status=$?
  trap - EXIT
  stop_services
  # What broke before or beside the tests (a compile error, say) is a failure too.
  [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
  printf '\n%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
  exit
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# count STATUS PASSED FAILED: adds one suite to the totals
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  [ "$1" = 0 ] || [ "$3" != 0 ] || failed=$((failed + 1))
}

results=$CARGO_TARGET_DIR/test-results
rm -rf "$results"
mkdir -p "$results"

say "1/5 Looking for what is missing"
.ci/install.sh test

say "2/5 Building the web assets"
.ci/site.sh dev
use_site dev

say "3/5 Building the program and its tests"
cargo build --bins --tests

say "4/5 Unit and integration tests"
start_services quick
status=0
cargo test --no-fail-fast 2>&1 | tee "$results/cargo.log" || status=$?
# shellcheck disable=SC2046
count $status $(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$results/cargo.log")

say "5/5 Browser tests"
status=0
(cd end2end && ESE_RESULTS="$results/end2end" npx playwright test) || status=$?
# shellcheck disable=SC2046
count $status $(node -p 'const s = require(process.argv[1]).stats; `${s.expected + s.flaky} ${s.unexpected}`' \
  "$results/end2end/results.json" || echo 0 1)
