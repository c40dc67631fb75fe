//! Charts as SVG, drawn on the server: the browser gets them as they are, so they cost its code nothing. Nothing in them was
//! written by people.

use std::fmt::Write as _;

use domain::{
    run::{CurvePoint, Forecast, Rehearsal, Run},
    time::Timestamp,
};
use engine::zones;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 14.0;

/// Bars of hours at most; what comes later is put together in the last.
const BARS: usize = 72;

/// How many have it by when: expected at the launch and now dashed, what happened filled. None where there is nothing to draw.
pub fn curve(run: &Run, now: Timestamp, zone: &str) -> Option<String> {
    let Forecast { curve, at_launch, actual, .. } = &run.forecast;
    let whole = (run.ledger.planned - run.ledger.skipped - run.ledger.cancelled).max(1);
    let before = at_launch.as_ref().map_or(&[][..], |expected| &expected.curve);
    let mut happened: Vec<CurvePoint> = Vec::new();
    if let Some(from) = run.started_at.filter(|_| !actual.is_empty()) {
        happened.push(CurvePoint { at: from, sent: 0 });
        happened.extend(actual.iter().map(|point| CurvePoint { at: point.at.min(now).max(from), ..*point }));
    }
    let all = || curve.iter().chain(before).chain(&happened);
    let (from, to) = (all().map(|point| point.at).min()?, all().map(|point| point.at).max()?);
    if to <= from {
        return None;
    }
    let frame = Frame { from, to, whole };
    let mut svg = frame.open("How many have it by when");
    if !happened.is_empty() {
        let end = happened.last().map_or(LEFT, |last| frame.x(last.at));
        let _ = write!(
            svg,
            r#"<path class="chart__area" d="{} L{end:.1},{HEIGHT} L{LEFT},{HEIGHT} Z"/>"#,
            frame.path(&happened)
        );
        let _ = write!(svg, r#"<path class="chart__line" d="{}"/>"#, frame.path(&happened));
    }
    for (points, class) in [(before, "chart__before"), (curve, "chart__ahead")] {
        if points.len() > 1 {
            let _ = write!(svg, r#"<path class="{class}" d="{}"/>"#, frame.path(points));
        }
    }
    frame.times(&mut svg, (from < now && now < to).then_some(now), zone);
    svg.push_str("</svg>");
    Some(svg)
}

struct Frame {
    from: Timestamp,
    to: Timestamp,
    whole: i64,
}

impl Frame {
    fn x(&self, at: Timestamp) -> f64 {
        LEFT + at.since(self.from) as f64 / self.to.since(self.from) as f64 * (WIDTH - LEFT - 12.0)
    }

    fn y(&self, sent: i64) -> f64 {
        HEIGHT - (sent.clamp(0, self.whole) as f64 / self.whole as f64) * (HEIGHT - TOP)
    }

    fn path(&self, points: &[CurvePoint]) -> String {
        let steps = points.iter().map(|point| format!("{:.1},{:.1}", self.x(point.at), self.y(point.sent)));
        format!("M{}", steps.collect::<Vec<_>>().join(" L"))
    }

    fn open(&self, label: &str) -> String {
        let mut svg = open(label);
        for (share, text) in [(0, "0 %"), (50, "50 %"), (100, "100 %")] {
            let y = HEIGHT - (HEIGHT - TOP) * f64::from(share) / 100.0;
            let _ = write!(
                svg,
                r#"<line class="chart__grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1}" y2="{y:.1}"/><text x="{}" y="{:.1}" text-anchor="end">{text}</text>"#,
                LEFT - 8.0,
                y + 4.0
            );
        }
        svg
    }

    /// The first and the last instant, and now where there is room for the word.
    fn times(&self, svg: &mut String, now: Option<Timestamp>, zone: &str) {
        let y = HEIGHT + 18.0;
        let mut label = |x: f64, anchor: &str, text: &str| {
            let _ = write!(svg, r#"<text x="{x:.1}" y="{y}" text-anchor="{anchor}">{text}</text>"#);
        };
        label(LEFT, "start", &zones::short(zone, self.from));
        label(WIDTH, "end", &zones::short(zone, self.to));
        if let Some(x) = now.map(|now| self.x(now)).filter(|x| (LEFT + 110.0..WIDTH - 110.0).contains(x)) {
            label(x, "middle", "now");
        }
    }
}

fn open(label: &str) -> String {
    format!(r#"<svg class="chart" viewBox="0 0 {WIDTH} {}" role="img" aria-label="{label}">"#, HEIGHT + 24.0)
}

/// How many get it in which hour of their own clock.
pub fn hours(rehearsal: &Rehearsal) -> Option<String> {
    let all: Vec<(&str, i64)> = rehearsal.local_hours.iter().map(|(hour, count)| (hour.as_str(), *count)).collect();
    let most = all.iter().map(|(_, count)| *count).max().filter(|most| *most > 0)?;
    let shown = &all[..all.len().min(BARS)];
    let step = ((WIDTH - LEFT) / shown.len().max(6) as f64).min(64.0);
    let mut svg = open("How many get it in which hour of their own clock");
    let _ = write!(svg, r#"<line class="chart__grid" x1="{LEFT}" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>"#);
    let every = (shown.len() / 8).max(1);
    for (place, (hour, count)) in shown.iter().enumerate() {
        let x = LEFT + step * place as f64;
        let height = (*count as f64 / most as f64 * (HEIGHT - TOP - 16.0)).max(2.0);
        let (day, clock) = hour.split_once('T').unwrap_or((hour, ""));
        let _ = write!(
            svg,
            r#"<rect class="chart__bar" x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}" rx="2"><title>{day} {clock}:00: {count}</title></rect>"#,
            x + 1.0,
            HEIGHT - height,
            (step - 3.0).max(1.0)
        );
        if place % every == 0 {
            let middle = x + step / 2.0;
            let _ =
                write!(svg, r#"<text x="{middle:.1}" y="{}" text-anchor="middle">{clock}:00</text>"#, HEIGHT + 18.0);
        }
        if *count == most {
            let _ = write!(
                svg,
                r#"<text class="chart__value" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                x + step / 2.0,
                HEIGHT - height - 5.0,
                crate::components::format::num(*count)
            );
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn hours_are_bars_with_their_counts() {
        let local_hours = BTreeMap::from([("2026-12-01T09".to_owned(), 40), ("2026-12-02T08".to_owned(), 1_200)]);
        let svg = hours(&Rehearsal { local_hours, ..Rehearsal::default() }).expect("a chart");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("2026-12-02 08:00: 1200") && svg.contains(">1,200<"), "{svg}");
        assert_eq!(hours(&Rehearsal::default()), None);
    }

    #[test]
    fn a_curve_stays_in_its_frame() {
        let (from, to) = (Timestamp::from_seconds(0), Timestamp::from_seconds(3_600));
        let frame = Frame { from, to, whole: 100 };
        assert_eq!(
            frame.path(&[CurvePoint { at: from, sent: 0 }, CurvePoint { at: to, sent: 400 }]),
            "M44.0,200.0 L628.0,14.0"
        );
    }
}
