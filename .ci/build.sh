#!/usr/bin/env bash
# Builds the program with its web assets inside.
#   .ci/build.sh dev      $CARGO_TARGET_DIR/debug/event-stream-engine, quick to build
#   .ci/build.sh release  $CARGO_TARGET_DIR/release/event-stream-engine
. "$(dirname "$0")/lib.sh"

case ${1:-} in
dev | release) ;;
*) die "usage: .ci/build.sh dev|release" ;;
esac

say "1/3 Looking for what is missing"
.ci/install.sh run

say "2/3 Building the web assets (the first time this takes some minutes)"
.ci/site.sh "$1"

say "3/3 Building the program (the first time this takes some minutes)"
use_site "$1"
if [ "$1" = release ]; then
  cargo build --release -p server
  say "Built $CARGO_TARGET_DIR/release/event-stream-engine"
else
  # Without -p: the crates of all default members are chosen together, as the tests do, and nothing is compiled twice.
  cargo build --bin event-stream-engine
fi
