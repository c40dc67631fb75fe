//! How far the messages of a run came, country by country.

use domain::run::Rollup;
use leptos::prelude::*;

use super::*;

/// The countries that are shown; the others are one line.
const SHOWN: usize = 8;

/// Nothing for a run that stayed in one country: the ledger says it all.
pub(super) fn card(countries: &[Rollup]) -> Option<AnyView> {
    if countries.len() < 2 {
        return None;
    }
    let (shown, others) = countries.split_at(countries.len().min(SHOWN));
    let mut rows: Vec<AnyView> = shown.iter().map(|country| row(name(&country.key), country)).collect();
    if !others.is_empty() {
        let words = format::counted(i64::try_from(others.len()).unwrap_or(0), "other country", "other countries");
        rows.push(row(words, &sum(others)));
    }
    Some(
        view! {
            <Card title="By country" flush=true>
                <Table
                    caption="How far the messages came, by country"
                    columns=vec![
                        Col::text("Country"),
                        Col::number("Handed over"),
                        Col::number("Delivered"),
                        Col::number("Read"),
                        Col::number("Failed"),
                    ]
                >
                    {rows}
                </Table>
            </Card>
        }
        .into_any(),
    )
}

fn row(name: String, country: &Rollup) -> AnyView {
    view! {
        <tr>
            <td class="main" data-label="Country">{name}</td>
            <td class="num" data-label="Handed over">{format::num(country.accepted)}</td>
            <td class="num" data-label="Delivered">{of(country.delivered, country.accepted)}</td>
            <td class="num" data-label="Read">{of(country.read, country.accepted)}</td>
            <td class="num" data-label="Failed">{format::num(country.failed + country.undelivered)}</td>
        </tr>
    }
    .into_any()
}

fn name(country: &str) -> String {
    if country.is_empty() { "Not known".to_owned() } else { country.to_owned() }
}

/// `1,204 · 96 %`.
fn of(part: i64, whole: i64) -> String {
    let number = format::num(part);
    if whole > 0 { format!("{number} · {} %", part * 100 / whole) } else { number }
}

fn sum(countries: &[Rollup]) -> Rollup {
    countries.iter().fold(Rollup::default(), |sum, country| Rollup {
        key: String::new(),
        accepted: sum.accepted + country.accepted,
        sent: sum.sent + country.sent,
        delivered: sum.delivered + country.delivered,
        read: sum.read + country.read,
        undelivered: sum.undelivered + country.undelivered,
        failed: sum.failed + country.failed,
    })
}
