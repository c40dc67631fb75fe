#!/usr/bin/env bash
# Builds the web assets (wasm, script, style sheet, public files) that the server carries inside, into the folder
# $CARGO_TARGET_DIR/site/<mode>. What has not changed keeps its file and its time, so that cargo sees nothing to do.
#   .ci/site.sh dev      quick to build
#   .ci/site.sh release  small to load
. "$(dirname "$0")/lib.sh"

mode=${1:-}
case $mode in
dev | release) ;;
*) die "usage: .ci/site.sh dev|release" ;;
esac
use_site "$mode"
work=$CARGO_TARGET_DIR/site-work/$mode
wasm=$CARGO_TARGET_DIR/wasm32-unknown-unknown/wasm-$mode/frontend.wasm
mkdir -p "$work"

cargo build -p frontend --target wasm32-unknown-unknown --profile "wasm-$mode"

# Again too when the steps below have changed.
steps=$work/steps
if ! cmp -s "$wasm" "$work/frontend.wasm" || ! cat .ci/site.sh .ci/wasm.mjs .ci/groups.mjs | cmp -s - "$steps"; then
  rm -rf "$work/split" "$work/pkg" "$work/frontend.wasm" "$steps"
  # The main file, one for each group of pages, one for each set of groups that has code in common, the script that
  # loads them. wasm-bindgen makes the script for the main file, whose exports the others need.
  wasm-split-cli "$wasm" "$work/split" --target web --out-name event-stream-engine
  wasm-bindgen --target web --no-typescript --keep-lld-exports --no-demangle --out-name event-stream-engine \
    --out-dir "$work/pkg" "$work/split/event-stream-engine.wasm"
  rm "$work/split/event-stream-engine.wasm"
  mv "$work"/split/* "$work/pkg/"
  node .ci/wasm.mjs "$mode" "$work/pkg"
  cat .ci/site.sh .ci/wasm.mjs .ci/groups.mjs >"$steps"
  cp "$wasm" "$work/frontend.wasm"
fi

node .ci/site.mjs "$mode" "$work" "$ESE_SITE_DIR"
