#!/usr/bin/env bash
# Installs what is missing, and nothing else. What is there already is left alone, so that a second call takes no time.
#   .ci/install.sh run      to build: wasm target, wasm-bindgen, wasm-split-cli, binaryen
#   .ci/install.sh lint     rustfmt, clippy, wasm target, the browser tests' npm packages
#   .ci/install.sh test     as run, and PostgreSQL, Redis, Chromium, the browser tests' npm packages
#   .ci/install.sh bench    as run, and PostgreSQL and Redis
. "$(dirname "$0")/lib.sh"

toolchain() {
  has cargo || die "no Rust toolchain: install one from https://rustup.rs"
  has node && has npm || die "no Node.js with npm (version 20 or newer): install it from https://nodejs.org or your package manager"
  has cc || system_packages gcc libc6-dev
  if ! [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]; then
    has rustup || die "the toolchain lacks the target wasm32-unknown-unknown, and there is no rustup to add it"
    say "Adding the WebAssembly target to the Rust toolchain"
    rustup target add wasm32-unknown-unknown
  fi
}

wasm_bindgen() {
  local version
  version=$(wasm_bindgen_version)
  [ "$(wasm-bindgen --version 2>/dev/null || true)" = "wasm-bindgen $version" ] && return
  say "Installing wasm-bindgen $version into $ESE_TOOLS_DIR (once; from source it takes a few minutes)"
  if has cargo-binstall && cargo binstall --no-confirm --disable-strategies compile \
    --root "$ESE_TOOLS_DIR" "wasm-bindgen-cli@$version"; then
    return
  fi
  # Unoptimised: it compiles far quicker and is quick enough in use.
  cargo install wasm-bindgen-cli --version "$version" --debug --no-default-features \
    --root "$ESE_TOOLS_DIR" --target-dir "$ESE_TOOLS_DIR/build" --force
  rm -rf "$ESE_TOOLS_DIR/build"
}

# Takes the browser's code apart. It has no --version to ask, so a file beside it says which one is there.
wasm_split() {
  local version=0.2.4 mark=$ESE_TOOLS_DIR/wasm-split-cli.version
  has wasm-split-cli && [ "$(cat "$mark" 2>/dev/null || true)" = "$version" ] && return
  say "Installing wasm-split-cli $version into $ESE_TOOLS_DIR (once; from source it takes a minute)"
  cargo install wasm_split_cli_support --version "$version" --locked --features build-binary --debug \
    --root "$ESE_TOOLS_DIR" --target-dir "$ESE_TOOLS_DIR/build" --force
  rm -rf "$ESE_TOOLS_DIR/build"
  echo "$version" >"$mark"
}

# npm_packages FOLDER: what FOLDER/package-lock.json says, into FOLDER/node_modules
npm_packages() {
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
  say "Installing the npm packages of $1"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

# wasm-merge, wasm-opt and the minifier.
asset_tools() {
  mkdir -p "$ESE_TOOLS_DIR/web"
  for file in package.json package-lock.json; do
    cmp -s ".ci/web/$file" "$ESE_TOOLS_DIR/web/$file" || cp ".ci/web/$file" "$ESE_TOOLS_DIR/web/$file"
  done
  npm_packages "$ESE_TOOLS_DIR/web"
}

system_packages() {
  local sudo=
  has apt-get || die "missing: $*. Install it with your package manager (these are Debian's names)"
  if [ "$(id -u)" != 0 ]; then
    has sudo || die "missing: $*. Install it as root: apt-get install $*"
    sudo=sudo
  fi
  say "Installing $* (Debian packages)"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

databases() {
  local missing=()
  has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
  has redis-server || missing+=(redis-server)
  [ ${#missing[@]} = 0 ] || system_packages "${missing[@]}"
}

browser() {
  [ -n "${CHROMIUM:-}" ] || has chromium || system_packages chromium fonts-liberation fonts-noto-color-emoji
}

case ${1:-} in
run)
  toolchain
  wasm_bindgen
  wasm_split
  asset_tools
  ;;
lint)
  toolchain
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
  npm_packages end2end
  ;;
test)
  toolchain
  databases
  browser
  wasm_bindgen
  wasm_split
  asset_tools
  npm_packages end2end
  ;;
bench)
  toolchain
  databases
  wasm_bindgen
  wasm_split
  asset_tools
  ;;
*) die "usage: .ci/install.sh run|lint|test|bench" ;;
esac
