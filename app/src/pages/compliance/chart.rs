//! Days as bars: yes above the line, no below it, each to its own scale, for a bad day of opt-outs must be seen beside an
//! import of thousands.

use leptos::prelude::*;

use crate::components::format;

const WIDTH: i64 = 600;
const ABOVE: i64 = 56;
const BELOW: i64 = 40;
const GAP: i64 = 4;

/// The days, the oldest first, each with its yes and no.
pub fn chart(days: &[(String, i64, i64)]) -> AnyView {
    let count = i64::try_from(days.len()).unwrap_or(1).max(1);
    let step = WIDTH / count;
    let (most_yes, most_no) = days.iter().fold((1, 1), |most, day| (most.0.max(day.1), most.1.max(day.2)));
    let total = days.iter().fold((0, 0), |sum, day| (sum.0 + day.1, sum.1 + day.2));
    let label = format!("{} opted in and {} opted out", format::num(total.0), format::num(total.1));
    let bars = days.iter().enumerate().map(|(at, (day, yes, no))| {
        let x = i64::try_from(at).unwrap_or(0) * step;
        let (up, down) = (height(*yes, most_yes, ABOVE), height(*no, most_no, BELOW));
        let title = format!("{day}: {} opted in, {} opted out", format::num(*yes), format::num(*no));
        view! {
            <g>
                <title>{title}</title>
                <rect class="days__hit" x=x y="0" width=step height=ABOVE + BELOW + 2></rect>
                <rect class="days__yes" x=x y=ABOVE - up width=step - GAP height=up rx="1"></rect>
                <rect class="days__no" x=x y=ABOVE + 2 width=step - GAP height=down rx="1"></rect>
            </g>
        }
        .into_any()
    });
    let bars = bars.collect::<Vec<_>>();
    let (first, last) = (days.first().map(|day| day.0.clone()), days.last().map(|day| day.0.clone()));
    view! {
        <figure class="days">
            <svg class="days__chart" viewBox=format!("0 0 {WIDTH} {}", ABOVE + BELOW + 2) role="img" aria-label=label.clone() preserveAspectRatio="none">
                <line class="days__line" x1="0" x2=WIDTH y1=ABOVE + 1 y2=ABOVE + 1></line>
                {bars}
            </svg>
            <figcaption class="days__caption muted">
                <span>{first}</span>
                <span>{label} " (each to its own scale)"</span>
                <span>{last}</span>
            </figcaption>
        </figure>
    }
    .into_any()
}

/// At least a line where there is anything.
const fn height(count: i64, most: i64, room: i64) -> i64 {
    if count == 0 {
        return 0;
    }
    let height = count * room / most;
    if height < 2 { 2 } else { height }
}
