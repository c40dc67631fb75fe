#!/usr/bin/env bash
# `make lint`: stops at the first thing that is wrong.
. "$(dirname "$0")/lib.sh"
use_site dev

say "1/7 Looking for what is missing"
.ci/install.sh lint

say "2/7 Formatting"
cargo fmt --all --check

say "3/7 Layers"
.ci/guard-rails.sh

say "4/7 Clippy, server side"
cargo clippy --workspace --exclude frontend --all-targets -- -D warnings

say "5/7 Clippy, browser side"
cargo clippy -p frontend --target wasm32-unknown-unknown --profile wasm-dev -- -D warnings

say "6/7 Documentation links"
# The pages are for those who work here: private items are shown, so links to them are right.
RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' cargo doc --workspace --exclude frontend --no-deps --document-private-items --quiet

say "7/7 Browser tests' types, dependencies"
(cd end2end && npx tsc --noEmit)
if has cargo-deny; then
  cargo deny --log-level error check bans licenses sources
  if cargo deny --log-level error fetch db 2>/dev/null; then
    cargo deny --log-level error check advisories
  else
    echo "advisories: skipped (the advisory database is not reachable)"
  fi
elif has cargo-audit; then
  cargo audit --quiet || die "cargo audit (see above)"
else
  echo "known vulnerabilities and licences: skipped (neither cargo-deny nor cargo-audit is installed)"
fi
