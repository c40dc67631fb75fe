//! The table and the file.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// One measured figure.
pub struct Figure {
    pub row: &'static str,
    pub backend: String,
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// The bare baseline of the same run, in the same unit.
    pub baseline: Option<f64>,
    /// What must be reached: at least or at most.
    pub limit: Option<Limit>,
}

impl Figure {
    fn misses(&self) -> bool {
        self.limit.is_some_and(|limit| !limit.holds(self.value))
    }

    fn misses_clearly(&self) -> bool {
        self.limit.is_some_and(|limit| limit.is_clearly_missed(self.value))
    }
}

/// A counted limit is missed clearly by more than a fifth: what happens by the second and not by the message weighs more on a
/// slow machine.
const CLEARLY: f64 = 1.2;

#[derive(Clone, Copy)]
pub enum Limit {
    AtLeast(f64),
    AtMost(f64),
    /// At most, of something that is counted and not timed: whatever else the machine does, it is the same. To miss it clearly
    /// is an error.
    Counted(f64),
}

impl Limit {
    const fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) | Self::Counted(limit) => value <= limit,
        }
    }

    const fn is_clearly_missed(self, value: f64) -> bool {
        match self {
            Self::AtLeast(_) | Self::AtMost(_) => false,
            Self::Counted(limit) => value > limit * CLEARLY,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(limit) => format!("≥ {limit}"),
            Self::AtMost(limit) | Self::Counted(limit) => format!("≤ {limit}"),
        }
    }
}

pub struct Report {
    scale: f64,
    figures: Vec<Figure>,
}

impl Report {
    pub const fn new(scale: f64) -> Self {
        Self { scale, figures: Vec::new() }
    }

    pub fn add(&mut self, figure: Figure) {
        println!("{}", line(&figure));
        self.figures.push(figure);
    }

    /// Prints the whole table and writes the file.
    ///
    /// # Errors
    /// When the file cannot be written, and what [`Self::verdict`] says.
    pub fn write(&self) -> Result<()> {
        println!("\nscale {}, load average {}", self.scale, load_average());
        for figure in &self.figures {
            println!("{}", line(figure));
        }
        let path = results();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let figures: Vec<Value> = self.figures.iter().map(to_json).collect();
        let document = json!({"scale": self.scale, "load_average": load_average(), "figures": figures});
        std::fs::write(&path, serde_json::to_vec_pretty(&document)?).context("writing latest.json")?;
        println!("written to {}", path.display());
        match self.figures.iter().filter(|figure| figure.misses()).count() {
            0 => println!("every limit holds"),
            missed => println!("{missed} limits are MISSED: see above"),
        }
        self.verdict()
    }

    /// # Errors
    /// When a counted limit is clearly missed. On a smaller scale there are too few messages for what the idle program does
    /// beside them: then nothing is said.
    pub fn verdict(&self) -> Result<()> {
        let missed: Vec<String> = self.figures.iter().filter(|figure| figure.misses_clearly()).map(line).collect();
        if self.scale < 1.0 || missed.is_empty() {
            return Ok(());
        }
        bail!("missed by more than a fifth, and not for the machine's speed:\n{}", missed.join("\n"))
    }
}

fn line(figure: &Figure) -> String {
    let ratio = figure.baseline.map_or(String::new(), |baseline| {
        format!("baseline {} {}, ratio {:.2}", number(baseline), figure.unit, figure.value / baseline)
    });
    let verdict = figure.limit.map_or(String::new(), |limit| {
        format!("{} {}", limit.text(), if limit.holds(figure.value) { "ok" } else { "MISSED" })
    });
    format!(
        "{:<8} {:<10} {:<46} {:>12} {:<12} {:<20} {ratio}",
        figure.row,
        figure.backend,
        figure.what,
        number(figure.value),
        figure.unit,
        verdict
    )
}

fn to_json(figure: &Figure) -> Value {
    json!({
        "row": figure.row,
        "backend": figure.backend,
        "what": figure.what,
        "value": figure.value,
        "unit": figure.unit,
        "baseline": figure.baseline,
        "ratio": figure.baseline.map(|baseline| figure.value / baseline),
        "limit": figure.limit.map(Limit::text),
        "holds": figure.limit.map(|limit| limit.holds(figure.value)),
    })
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Where `make bench` wants the results.
fn results() -> PathBuf {
    std::env::var("ESE_BENCH_RESULTS").map_or_else(|_| PathBuf::from("target/bench/latest.json"), PathBuf::from)
}
