//! What the browser downloads.

use std::path::PathBuf;

use anyhow::Result;

use crate::report::{Figure, Limit, Report};

/// wasm, script and style sheet, brotli-compressed as they are served.
pub fn run(report: &mut Report) -> Result<()> {
    let Ok(site) = std::env::var("ESE_SITE_DIR") else {
        println!("ESE_SITE_DIR is not set: the row `size` is left out");
        return Ok(());
    };
    for (ending, limit) in [("wasm.br", Some(Limit::AtMost(350.0))), ("js.br", None), ("css.br", None)] {
        let bytes: u64 = files(PathBuf::from(&site).join("pkg"))?
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .filter_map(|path| path.metadata().ok())
            .map(|file| file.len())
            .sum();
        report.add(Figure {
            row: "size",
            backend: String::new(),
            what: ending.to_owned(),
            value: bytes as f64 / 1_000.0,
            unit: "kB",
            baseline: None,
            limit,
        });
    }
    Ok(())
}

fn files(folder: PathBuf) -> Result<impl Iterator<Item = PathBuf>> {
    Ok(std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()))
}
