//! How often law lets marketing reach a person: shown below the law table, because it binds beside the workspace's limits.

use domain::quiet::LawCapLine;
use leptos::prelude::*;

use super::{place, read_on};
use crate::components::*;

/// The table, with its sources.
pub fn card(caps: Vec<LawCapLine>) -> AnyView {
    let rows = caps.into_iter().map(row).collect::<Vec<_>>();
    view! {
        <Card title="How often at most, by law" flush=true>
            <Table
                caption="How often law lets marketing reach a person, by place"
                columns=vec![Col::text("Place"), Col::text("At most"), Col::text("How sure"), Col::text("Source")]
            >
                {rows}
            </Table>
            <p class="card__note muted">
                "These bind marketing, of campaigns and single messages, while the law table does, beside the limits above, and nobody can raise them. The area code says where somebody lives. With a topic only what is about it counts."
            </p>
        </Card>
    }
    .into_any()
}

fn row(line: LawCapLine) -> AnyView {
    let LawCapLine { country, subdivision, messages, days, basis, confidence, source, read_on: day } = line;
    view! {
        <tr>
            <td class="main" data-label="Place">{place(&country, &subdivision)}</td>
            <td data-label="At most">{at_most(messages, days)}</td>
            <td data-label="How sure">{format!("{basis}, {confidence} confidence")}</td>
            <td data-label="Source">
                <div><span class="muted">{source}</span> <div class="muted small">{read_on(&day)}</div></div>
            </td>
        </tr>
    }
    .into_any()
}

/// `3 messages on one subject in 24 hours`.
fn at_most(messages: u16, days: u16) -> String {
    let noun = if messages == 1 { "message" } else { "messages" };
    let within = match days {
        1 => "24 hours".to_owned(),
        days => format!("{days} days"),
    };
    format!("{messages} {noun} on one subject in {within}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_are_told_in_words() {
        assert_eq!(at_most(3, 1), "3 messages on one subject in 24 hours");
        assert_eq!(at_most(1, 7), "1 message on one subject in 7 days");
    }
}
