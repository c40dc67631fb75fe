#!/usr/bin/env bash
# `make fuzz`: what comes from outside is read, whatever it says. FUZZ_CASES inputs for each test; one that fails is named
# in its smallest form.
. "$(dirname "$0")/lib.sh"
use_site dev

export FUZZ_CASES=${FUZZ_CASES:-200000}
say "$FUZZ_CASES inputs each: webhooks, what people write, headings of files"
# Among all packages as `make test` builds them, so that nothing is built twice.
cargo test --lib -- ingest::event::tests::any_ ingest::keywords::tests::any_ import::header::tests::any_
