//! One file per row of the table.

pub mod decide;
pub mod import;
pub mod million;
pub mod rehearse;
pub mod render;
pub mod schedule;
pub mod send;
pub mod size;
pub mod webhooks;

use std::{io::Write as _, path::Path};

use anyhow::Result;

/// A file of `rows` made-up people: valid numbers, names, cities, everybody opted in.
pub fn contacts_csv(path: &Path, rows: u32) -> Result<()> {
    const CITIES: [&str; 8] = ["Colombo", "Zürich", "Lagos", "Oslo", "Kraków", "Mumbai", "New York", "Berlin"];
    const NAMES: [&str; 6] =
        ["Ann Lee", "Søren Ødegård", "José Álvarez", "Nimal Perera", "Zoë Müller", "Ifeoma Okafor"];
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(file, "phone,name,city,spend,joined,consent")?;
    for row in 0..rows {
        let (city, name) = (CITIES[row as usize % CITIES.len()], NAMES[row as usize % NAMES.len()]);
        // German mobile numbers: +49 151 and eight digits are all valid.
        writeln!(
            file,
            "+49151{:08},{name},{city},{}.50,2024-0{}-11,opted_in",
            10_000_000 + row,
            row % 5_000,
            row % 9 + 1
        )?;
    }
    file.flush()?;
    Ok(())
}
