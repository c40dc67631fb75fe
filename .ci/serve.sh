#!/usr/bin/env bash
# `make run`: the program with its embedded defaults and demo data. Stop it with Ctrl-C.
. "$(dirname "$0")/lib.sh"

.ci/build.sh dev
say "Starting; the database is data/engine.db (delete the folder data to start afresh)"
exec "$CARGO_TARGET_DIR/debug/event-stream-engine" serve --demo
