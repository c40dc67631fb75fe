# Sourced by the scripts beside it: where things are, and how they speak.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
case $CARGO_TARGET_DIR in
/*) ;;
*) CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR ;;
esac
ESE_TOOLS_DIR=${ESE_TOOLS_DIR:-$CARGO_TARGET_DIR/tools}
export CARGO_TARGET_DIR ESE_TOOLS_DIR
export PATH="$ESE_TOOLS_DIR/bin:$PATH"

say() { printf '\n==> %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# The folder of web assets that server/build.rs hands to rust-embed. One for each mode, so that switching between
# `make run` and `make build` does not rebuild the server.
use_site() {
  export ESE_SITE_DIR=$CARGO_TARGET_DIR/site/$1
  mkdir -p "$ESE_SITE_DIR"
}

# The wasm-bindgen program must be of exactly the version of the library.
wasm_bindgen_version() {
  awk '$0 == "name = \"wasm-bindgen\"" { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}
