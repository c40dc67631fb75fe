#!/usr/bin/env bash
# Runs a command with a PostgreSQL and a Redis of its own: .ci/with-services.sh cargo test ledger
. "$(dirname "$0")/lib.sh"
. .ci/services.sh
[ $# -gt 0 ] || die "usage: .ci/with-services.sh COMMAND…"
trap stop_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start_services quick
"$@"
