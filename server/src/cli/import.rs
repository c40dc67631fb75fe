//! `import`.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Args;
use domain::{
    actor::Actor,
    import::{Import, ImportFormat, ImportOptions, ImportStatus},
};
use engine::Engine;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{config::Config, startup};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

#[derive(Args, Debug)]
pub struct Arguments {
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// csv, json or jsonl [default: by the file's name]
    #[arg(long)]
    format: Option<ImportFormat>,
    /// The key of a topic that everybody in the files is subscribed to; several times for several
    #[arg(long = "topic", value_name = "KEY")]
    topics: Vec<String>,
    /// The region of numbers written without a country code, such as LK
    #[arg(long)]
    country: Option<String>,
    /// Which column is what, such as phone:Mobile; several times for several
    #[arg(long, value_name = "TARGET:COLUMN", value_parser = mapping)]
    map: Vec<(String, String)>,
}

fn mapping(text: &str) -> Result<(String, String), String> {
    let (target, column) = text.split_once(':').ok_or("write TARGET:COLUMN, such as phone:Mobile")?;
    Ok((target.trim().to_owned(), column.trim().to_owned()))
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let engine = startup::engine(config).await?;
    let mut failed = 0;
    for file in &arguments.files {
        let options = ImportOptions {
            file_name: file.file_name().map(|name| name.to_string_lossy().into_owned()),
            format: arguments.format,
            topics: arguments.topics.clone(),
            country: arguments.country.clone(),
            map: arguments.map.clone(),
        };
        let import = engine.imports().upload_file(&Actor::command_line(), options, file).await;
        let import = import.with_context(|| format!("{} was not imported", file.display()))?;
        let import = watch(&engine, import).await?;
        report(&file.display().to_string(), &import);
        failed += usize::from(import.status == ImportStatus::Failed);
    }
    anyhow::ensure!(failed == 0, "{failed} of {} files failed", arguments.files.len());
    Ok(())
}

/// Imports with a bar of bytes; where a server runs on the same database it may be the one that does the work.
async fn watch(engine: &Engine, import: Import) -> anyhow::Result<Import> {
    let bar = ProgressBar::new(u64::try_from(import.bytes_total).unwrap_or_default());
    let style = "{bar:40} {bytes} of {total_bytes}, {elapsed} so far, {eta} to go";
    bar.set_style(ProgressStyle::with_template(style)?);
    let imports = engine.imports();
    let mut work = std::pin::pin!(imports.work(import.id));
    let done = loop {
        tokio::select! {
            done = &mut work => break done?,
            () = tokio::time::sleep(TICK) => {
                let now = imports.get(&Actor::command_line(), import.id).await?;
                bar.set_position(u64::try_from(now.bytes_done).unwrap_or_default());
            }
        }
    };
    bar.finish_and_clear();
    Ok(done)
}

/// The data-quality report.
fn report(file: &str, import: &Import) {
    println!("{file}: {}", import.status);
    if let Some(error) = &import.error {
        println!("  {error}");
    }
    for (name, count) in [
        ("rows", import.rows),
        ("created", import.created),
        ("updated", import.updated),
        ("unchanged", import.unchanged),
        ("duplicates in the file", import.duplicates),
        ("rejected", import.rejected),
        ("suppressed (stored, never sent to)", import.suppressed),
    ] {
        println!("  {count:>12}  {name}");
    }
    for (reason, count) in &import.by_reason {
        println!("  {count:>12}  rejected: {reason}");
    }
    for (warning, count) in &import.warnings {
        println!("  {count:>12}  warning: {warning}");
    }
}
