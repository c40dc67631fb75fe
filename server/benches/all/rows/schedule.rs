//! What campaigns that wait for their time cost while nothing is due: ten thousand of them, beside none.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use domain::time::Timestamp;
use store::Db;
use testkit::{
    build,
    program::{Backend, Process, Site, cpu_seconds_of, simulator},
};

use crate::{
    BINARY,
    report::{Figure, Limit, Report},
};

const ARMED: u32 = 10_000;
const LOOKS: usize = 200;

/// So long the program is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// A year that no benchmark sees.
const LATER: &str = "2090-01-01T00:00:00Z";

pub async fn run(report: &mut Report, backend: &Backend) -> Result<()> {
    let provider = simulator(BINARY).await?;
    let site = Site::new(BINARY, backend).await?;
    let program = site.serve(&provider.url).await?;
    let without = idle(&program).await?;
    program.stop().await?;
    let db = Db::connect(site.database_url(), 1).await?;
    build::armed(&db, ARMED, LATER.parse()?).await;
    store::exec(db.writer(), "ANALYZE", Vec::new()).await?;
    let look = look(&db).await?;
    db.close().await?;
    let program = site.serve(&provider.url).await?;
    let with = idle(&program).await?;
    program.stop().await?;
    let mut add = |what: &str, value, unit, baseline, limit| {
        let (backend, what) = (backend.name.to_owned(), what.to_owned());
        report.add(Figure { row: "schedule", backend, what, value, unit, baseline, limit });
    };
    // As without them, but for what differs from one time to the next.
    let no_more = |than: f64, and: f64| Some(Limit::AtMost(than.mul_add(1.2, and)));
    add("a look for what is due, 10,000 armed", look, "ms", None, Some(Limit::AtMost(5.0)));
    add("CPU while idle, 10,000 armed", with.cpu_ms, "ms/s", Some(without.cpu_ms), no_more(without.cpu_ms, 5.0));
    add(
        "statements while idle, 10,000 armed",
        with.statements,
        "1/s",
        Some(without.statements),
        no_more(without.statements, 2.0),
    );
    Ok(())
}

/// The scheduler's query, in the middle of many.
async fn look(db: &Db) -> Result<f64> {
    let now: Timestamp = "2026-12-01T00:00:00Z".parse()?;
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        store::schedule::due(db.reader(), now, None, 100).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    times.get(LOOKS / 2).copied().context("a look")
}

/// What the program uses up in a second, with its database.
struct Idle {
    cpu_ms: f64,
    statements: f64,
}

async fn idle(program: &Process) -> Result<Idle> {
    // What a start has to do is over.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let cpu = || program.cpu_seconds() + cpu_seconds_of("postgres");
    let (cpu_before, before, began) = (cpu(), statements(program).await?, Instant::now());
    tokio::time::sleep(WATCHED).await;
    let (cpu, after, seconds) = (cpu(), statements(program).await?, began.elapsed().as_secs_f64());
    Ok(Idle { cpu_ms: (cpu - cpu_before) * 1_000.0 / seconds, statements: (after - before) / seconds })
}

async fn statements(program: &Process) -> Result<f64> {
    let text = reqwest::get(format!("{}/metrics", program.url)).await?.text().await?;
    let line = text.lines().find_map(|line| line.strip_prefix("db_statements_total "));
    Ok(line.context("db_statements_total")?.parse()?)
}
