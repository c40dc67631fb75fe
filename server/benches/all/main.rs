//! What `make bench` runs: the product from outside, over its own HTTP surface, against the simulator in a process of its
//! own, with a bare baseline measured in the same run. Prints one table and writes `target/bench/latest.json`.
//!
//! `BENCH_ROWS=send,import` chooses rows (`choice.rs` lists them), `BENCH_BACKEND=sqlite` the database, `BENCH_SCALE=0.1` makes them smaller; `million` takes ten minutes and runs only
//! when it is named. The PostgreSQL rows need `TEST_DATABASE_URL`, which `make bench` sets.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark talks to its terminal and its clock")]

mod choice;
mod report;
mod rows;

use anyhow::Result;
use report::Report;

const BINARY: &str = env!("CARGO_BIN_EXE_event-stream-engine");

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    // `cargo bench` passes --bench; `cargo test` builds and runs benches too, and is not what this is for.
    if std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|argument| argument == "--bench")
    {
        println!("run with `make bench`");
        return Ok(());
    }
    let named = std::env::var("BENCH_ROWS").unwrap_or_default();
    let chosen = choice::rows(&named)?;
    let wants = |row: &str| chosen.is_empty() || chosen.contains(&row);
    let scale: f64 = std::env::var("BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let mut report = Report::new(scale);
    let only = std::env::var("BENCH_BACKEND").unwrap_or_default();
    let mut backends = testkit::program::backends();
    backends.retain(|backend| only.is_empty() || backend.name == only);
    if only.is_empty() && backends.len() == 1 {
        println!("TEST_DATABASE_URL is not set: the PostgreSQL rows are left out");
    }
    if wants("size") {
        rows::size::run(&mut report)?;
    }
    if wants("decide") {
        rows::decide::run(&mut report)?;
    }
    if wants("render") {
        rows::render::run(&mut report)?;
    }
    for backend in &backends {
        if ["send", "memory", "recover", "bytes"].into_iter().any(wants) {
            rows::send::run(&mut report, backend, scale).await?;
        }
    }
    for backend in &backends {
        if wants("webhooks") {
            rows::webhooks::run(&mut report, backend, scale).await?;
        }
    }
    for backend in &backends {
        if wants("import") || wants("segment") || wants("page") {
            rows::import::run(&mut report, backend, scale).await?;
        }
    }
    for backend in &backends {
        if wants("rehearse") {
            rows::rehearse::run(&mut report, backend, scale).await?;
        }
    }
    for backend in &backends {
        if wants("schedule") {
            rows::schedule::run(&mut report, backend).await?;
        }
    }
    if chosen.contains(&"million") {
        for backend in &backends {
            rows::million::run(&mut report, backend, scale).await?;
        }
    }
    report.write()
}
