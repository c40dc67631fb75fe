//! A rehearsal of a hundred thousand people (`BENCH_SCALE=10` for a million): from the request to the finished plan, and its
//! launch.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;
use testkit::{
    api::text,
    program::{Backend, simulator},
};

use super::send::Scene;
use crate::{
    BINARY,
    report::{Limit, Report},
};

/// A million in this many seconds, on PostgreSQL.
const A_MILLION: f64 = 40.0;

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let people = (100_000.0 * scale) as u32;
    let scene = Scene::open(backend, simulator(BINARY).await?, people).await?;
    let campaign = scene.api.campaign("Rehearsed").await?;
    let before = scene.program.memory_mib("VmRSS");
    let started = Instant::now();
    let run = scene.api.post(&format!("/campaigns/{campaign}/rehearse"), &Value::Null).await?;
    let run = text(&run, "id")?.to_owned();
    loop {
        let state = scene.api.get(&format!("/runs/{run}")).await?;
        if state["status"] == "rehearsed" {
            if state["rehearsal"]["outcomes"]["send"].as_u64() != Some(u64::from(people)) {
                bail!("not everybody was decided about: {state}");
            }
            break;
        }
        if started.elapsed() > Duration::from_secs(1_200) {
            bail!("not rehearsed after twenty minutes: {state}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let limit = backend.is_postgres().then(|| Limit::AtMost(A_MILLION * f64::from(people) / 1e6));
    let more = scene.program.memory_mib("VmHWM") - before;
    let mut add = |what, value, unit, limit| scene.add(report, "rehearse", what, value, unit, limit);
    add("from the request to the plan", seconds, "s", limit);
    add("people decided about", f64::from(people) / seconds, "people/s", None);
    add("memory above what it had before", more, "MiB", Some(Limit::AtMost(150.0)));
    let launched = Instant::now();
    scene.api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    add("the launch itself", launched.elapsed().as_secs_f64() * 1_000.0, "ms", Some(Limit::AtMost(500.0)));
    Ok(())
}
