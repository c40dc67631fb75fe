//! What ends a benchmark with an error.

#[path = "../../benches/all/choice.rs"]
mod choice;
#[allow(dead_code, clippy::disallowed_methods, reason = "only a part of it is tested")]
#[path = "../../benches/all/report.rs"]
mod report;

use report::{Figure, Limit, Report};

fn of_one(scale: f64, limit: Limit, value: f64) -> Report {
    let mut report = Report::new(scale);
    report.add(Figure {
        row: "send",
        backend: "sqlite".to_owned(),
        what: "statements per message".to_owned(),
        value,
        unit: "",
        baseline: None,
        limit: Some(limit),
    });
    report
}

#[test]
fn only_a_counted_limit_that_is_clearly_missed_is_an_error() {
    for (limit, value, passes) in [
        (Limit::Counted(0.1), 0.1, true),
        (Limit::Counted(0.1), 0.119, true),
        (Limit::Counted(0.1), 0.121, false),
        (Limit::AtMost(250.0), 900.0, true),
        (Limit::AtLeast(8_000.0), 10.0, true),
    ] {
        assert_eq!(of_one(1.0, limit, value).verdict().is_ok(), passes, "{value}");
    }
    assert!(of_one(0.1, Limit::Counted(0.1), 5.0).verdict().is_ok(), "so few messages say nothing");
}

#[test]
fn a_row_that_does_not_exist_is_an_error_that_names_those_that_do() {
    assert_eq!(choice::rows("").expect("all rows"), Vec::<&str>::new());
    assert_eq!(choice::rows("send, recover,bytes").expect("three rows"), ["send", "recover", "bytes"]);
    let error = choice::rows("send,recvoer").expect_err("misspelt").to_string();
    assert!(error.contains("\"recvoer\"") && error.contains("memory, recover, bytes"), "{error}");
}
