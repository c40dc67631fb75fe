//! What the browser downloads.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::report::{Figure, Limit, Report};

const MAIN: &str = "event-stream-engine";

/// wasm, scripts and style sheet, brotli-compressed as they are served. The wasm of a page is the main file and those of
/// the page's group: the heaviest group counts.
pub fn run(report: &mut Report) -> Result<()> {
    let Ok(site) = std::env::var("ESE_SITE_DIR") else {
        println!("ESE_SITE_DIR is not set: the row `size` is left out");
        return Ok(());
    };
    let site = Site::read(PathBuf::from(site))?;
    let main = site.size(&format!("pkg/{MAIN}.wasm"))?;
    let mut heaviest = 0;
    for files in site.groups.values() {
        let mut page = main;
        for file in files {
            page += site.size(&format!("pkg/{file}.wasm"))?;
        }
        heaviest = heaviest.max(page);
    }
    let mut add = |what: &str, bytes: u64, limit| {
        report.add(Figure {
            row: "size",
            backend: String::new(),
            what: what.to_owned(),
            value: bytes as f64 / 1_000.0,
            unit: "kB",
            baseline: None,
            limit,
        });
    };
    add("wasm.br, heaviest page", heaviest, Some(Limit::AtMost(350.0)));
    add("wasm.br, main file", main, None);
    add("js.br", site.all("js")?, None);
    add("css.br", site.all("css")?, None);
    Ok(())
}

struct Site {
    folder: PathBuf,
    /// From a file's plain name to the one it is served under.
    manifest: BTreeMap<String, String>,
    /// From a group of pages to its wasm files.
    groups: BTreeMap<String, Vec<String>>,
}

impl Site {
    fn read(folder: PathBuf) -> Result<Self> {
        let (manifest, groups) = (json(&folder.join("manifest.json"))?, json(&folder.join("groups.json"))?);
        Ok(Self { folder, manifest, groups })
    }

    /// Of one file as it is served: compressed, unless that did not make it smaller.
    fn size(&self, plain: &str) -> Result<u64> {
        let path = self.manifest.get(plain).with_context(|| format!("{plain} is not in the manifest"))?;
        let compressed = self.folder.join(format!("{path}.br"));
        let file = if compressed.exists() { compressed } else { self.folder.join(path) };
        Ok(file.metadata()?.len())
    }

    fn all(&self, ending: &str) -> Result<u64> {
        let ending = format!(".{ending}");
        self.manifest
            .keys()
            .filter(|path| path.starts_with("pkg/") && path.ends_with(&ending))
            .map(|path| self.size(path))
            .sum()
    }
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_slice(&text)?)
}
