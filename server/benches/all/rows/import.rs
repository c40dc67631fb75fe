//! A million people: importing, counting and planning them, and the pages over them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use testkit::{
    api::{Api, Browser, text},
    program::{Backend, Site, simulator},
};

use super::contacts_csv;
use crate::{
    BINARY,
    report::{Figure, Limit, Report},
};

pub async fn run(report: &mut Report, backend: &Backend, scale: f64) -> Result<()> {
    let people = (1_000_000.0 * scale) as u32;
    let provider = simulator(BINARY).await?;
    let site = Site::new(BINARY, backend).await?;
    let key = site.api_key(&provider.url)?;
    let program = site.serve(&provider.url).await?;
    let api = Api::new(&program.url, key)?;
    api.lift_limits().await?;
    let mut add = |row, what: String, value, unit, baseline, limit| {
        report.add(Figure { row, backend: backend.name.to_owned(), what, value, unit, baseline, limit });
    };

    let file = site.path("contacts.csv");
    contacts_csv(&file, people)?;
    let started = Instant::now();
    api.import(&file).await?;
    let seconds = started.elapsed().as_secs_f64();
    let baseline = bulk_load(&site, people).await?;
    add(
        "import",
        format!("{people} rows"),
        f64::from(people) / seconds,
        "rows/s",
        Some(baseline),
        Some(Limit::AtLeast(1_000_000.0 / 60.0)),
    );
    add("memory", "highest during import".to_owned(), program.memory_mib("VmHWM"), "MiB", None, None);

    let definition =
        json!({"combinator": "and", "rules": [{"field": "attributes.city", "operator": "=", "value": "Colombo"}]});
    let preview = json!({"definition": definition});
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        api.post("/segments/preview", &preview).await?;
        best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
    }
    let limit = backend.is_postgres().then_some(Limit::AtMost(200.0));
    add("segment", "count and ten of an equality".to_owned(), best, "ms", Some(hand_written(&site).await?), limit);

    let browser = Browser::log_in(&program.url).await?;
    for page in ["/contacts", "/contacts?q=ann"] {
        let mut best = f64::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            if !browser.page(page).await?.contains("<table") {
                bail!("{page} shows nobody");
            }
            best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
        }
        add("page", format!("{page} with {people} people"), best, "ms", None, Some(Limit::AtMost(50.0)));
    }

    // Held: the plan is measured, nothing is sent.
    api.patch("/settings", &json!({"sending": {"state": "held", "reason": "bench"}})).await?;
    let campaign = api.campaign("Plan").await?;
    let started = Instant::now();
    let run = api.post(&format!("/campaigns/{campaign}/launch"), &Value::Null).await?;
    let path = format!("/runs/{}", text(&run, "id")?);
    while api.get(&path).await?["status"] == "planning" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let limit = Limit::AtMost(25.0);
    add("segment", format!("plan {people} recipients"), started.elapsed().as_secs_f64(), "s", None, Some(limit));
    add(
        "memory",
        "highest during plan".to_owned(),
        program.memory_mib("VmHWM"),
        "MiB",
        None,
        Some(Limit::AtMost(150.0)),
    );
    Ok(())
}

/// The baseline: the same rows, already parsed, into a bare table, in batches of the same size.
async fn bulk_load(site: &Site, people: u32) -> Result<f64> {
    let db = store::Db::connect(site.database_url(), 2).await?;
    let create = "CREATE TABLE bench_contacts (phone text PRIMARY KEY, attributes text NOT NULL)";
    store::exec(db.writer(), create, Vec::new()).await?;
    let columns = [("phone", store::batch::Type::Text), ("attributes", store::batch::Type::Text)];
    let table = store::batch::table(db.kind(), "b", "$1", &columns);
    let insert = format!("INSERT INTO bench_contacts SELECT phone, attributes FROM {table}");
    let started = Instant::now();
    for chunk in 0..people.div_ceil(2_000) {
        let rows: Vec<Value> = (chunk * 2_000..people.min((chunk + 1) * 2_000))
            .map(|row| json!({"phone": format!("+49151{:08}", 10_000_000 + row), "attributes": "{\"city\":\"Colombo\",\"name\":\"Ann Lee\",\"spend\":12.5}"}))
            .collect();
        let tx = db.begin().await?;
        store::exec(&tx, insert.clone(), vec![Value::Array(rows).to_string().into()]).await?;
        tx.commit().await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    store::exec(db.writer(), "DROP TABLE bench_contacts", Vec::new()).await?;
    Ok(f64::from(people) / seconds)
}

/// The baseline: the same count as somebody would write it by hand, in milliseconds.
async fn hand_written(site: &Site) -> Result<f64> {
    let db = store::Db::connect(site.database_url(), 2).await?;
    let query = match db.kind() {
        store::Kind::Postgres => "SELECT count(*) AS n FROM contacts WHERE attributes @> '{\"city\": \"Colombo\"}'",
        store::Kind::Sqlite => "SELECT count(*) AS n FROM contacts WHERE attributes ->> 'city' = 'Colombo'",
    };
    let mut best = f64::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        store::one(db.reader(), query, Vec::new()).await?;
        best = best.min(started.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(best)
}
