//! What the page says about processes, in words.

use std::collections::BTreeSet;

use domain::process::{Process, ProcessState, Wait, Waiting};

use super::api::{ProcessRow, ProcessesView, WaitingRow};
use crate::{components::format, paths, text};

/// So many that vanished are listed: one that is started again and again would else fill the page.
const VANISHED: usize = 20;

/// The page of these processes and of what waits.
pub fn of(processes: &[Process], waiting: &[Waiting]) -> ProcessesView {
    let in_state = |state| processes.iter().filter(move |process| process.state == state);
    let alive: Vec<&Process> = in_state(ProcessState::Alive).collect();
    let vanished: Vec<&Process> = in_state(ProcessState::Vanished).collect();
    let listed = alive.iter().chain(vanished.iter().take(VANISHED));
    ProcessesView {
        warnings: [nobody_sends(&alive), gone(&vanished), versions(&alive), clocks(&alive)]
            .into_iter()
            .flatten()
            .collect(),
        processes: listed.map(|process| process_row(process)).collect(),
        others: others(vanished.len().saturating_sub(VANISHED), in_state(ProcessState::Stopped).count()),
        waiting: waiting.iter().map(waiting_row).collect(),
    }
}

type Warning = (String, String);

fn warning(title: impl Into<String>, text: impl Into<String>) -> Option<Warning> {
    Some((title.into(), text.into()))
}

fn nobody_sends(alive: &[&Process]) -> Option<Warning> {
    if !alive.iter().any(|process| process.role.sends()) {
        return warning(
            "No process sends.",
            "Messages stay in the queue until a process is started with the role all or worker.",
        );
    }
    if !alive.iter().any(|process| process.figures.may_send) {
        return warning(
            "No process may send at the moment.",
            "One of them takes the right to send within seconds. If this stays, look into their logs.",
        );
    }
    None
}

fn gone(vanished: &[&Process]) -> Option<Warning> {
    let title = match vanished {
        [] => return None,
        [one] => format!("The process {} vanished without stopping.", host(one)),
        more => format!("{} processes vanished without stopping.", more.len()),
    };
    warning(
        title,
        "It crashed, was killed, or cannot reach the database. What it had in hand becomes unknown when the leases end, \
         and is looked for at the provider; nothing is sent twice. It is listed for a day.",
    )
}

fn versions(alive: &[&Process]) -> Option<Warning> {
    let versions: BTreeSet<&str> = alive.iter().map(|process| process.version.as_str()).collect();
    if versions.len() < 2 {
        return None;
    }
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    warning(
        format!("Different versions are at work: {versions}."),
        "That is right while a new version is being brought in. Afterwards, stop the old ones.",
    )
}

fn clocks(alive: &[&Process]) -> Option<Warning> {
    let off = alive.iter().filter(|process| process.figures.is_clock_off()).map(|process| {
        let ahead = process.figures.clock_ahead_ms.unwrap_or_default() / 1_000;
        let way = if ahead < 0 { "behind" } else { "ahead of" };
        format!("that of {} is {} seconds {way} the database's", host(process), format::num(ahead.abs()))
    });
    let off: Vec<String> = off.collect();
    if off.is_empty() {
        return None;
    }
    warning(
        format!("Clocks differ: {}.", off.join(", ")),
        "What one process is sending may be taken for given up by another: it becomes unknown until the provider was asked. \
         Let the machines of all processes and of the database follow a time server (NTP).",
    )
}

fn others(vanished: usize, stopped: usize) -> String {
    let vanished = (vanished > 0).then(|| format!("{} more vanished", format::num(vanished)));
    let stopped = (stopped > 0).then(|| format!("{} stopped when told to", format::num(stopped)));
    let all: Vec<String> = [vanished, stopped].into_iter().flatten().collect();
    if all.is_empty() { String::new() } else { format!("In the last day: {}.", all.join(", ")) }
}

fn host(process: &Process) -> String {
    format!("{} · {}", process.host, process.pid)
}

fn process_row(process: &Process) -> ProcessRow {
    let figures = &process.figures;
    let alive = process.state == ProcessState::Alive;
    let may_send = match (alive && process.role.sends(), figures.may_send) {
        (false, _) => "–",
        (true, true) => "Yes",
        (true, false) => "Stands by",
    };
    ProcessRow {
        alive,
        role: text::process_role(process.role).to_owned(),
        host: host(process),
        version: process.version.clone(),
        started_at: process.started_at,
        seen_at: process.seen_at,
        claimed: format::num(figures.claimed),
        in_flight: format::num(figures.in_flight),
        granted: per_second(figures.pace.granted),
        per_second: per_second(figures.pace.all),
        may_send: may_send.to_owned(),
    }
}

/// `1,412`, `3.5`, `0`.
fn per_second(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        return format!("{rate:.1}");
    }
    #[allow(clippy::cast_possible_truncation, reason = "rates are far below 2^53")]
    let whole = rate.round() as i64;
    format::num(whole)
}

fn waiting_row(waiting: &Waiting) -> WaitingRow {
    let what = text::waiting(waiting.what);
    let more = if waiting.at_least { " or more" } else { "" };
    WaitingRow {
        what: waiting.reason.map_or_else(|| what.to_owned(), |reason| format!("{what}: {}", text::reason(reason))),
        href: href(waiting.what),
        count: format!("{}{more}", format::num(waiting.count)),
        oldest_at: waiting.oldest_at,
        moves_on: text::moves_on(waiting.what).to_owned(),
        next_at: waiting.next_at,
    }
}

fn href(what: Wait) -> String {
    let campaigns = |status| paths::with_query(paths::CAMPAIGNS, &[("status", status)]);
    match what {
        Wait::Due | Wait::Later | Wait::Planning | Wait::Plans | Wait::Unreadable | Wait::Sending => {
            campaigns("running")
        }
        Wait::Paused => campaigns("paused"),
        Wait::Cancelling => campaigns("cancelled"),
        Wait::Held => paths::DASHBOARD.to_owned(),
        Wait::ImportsQueued | Wait::ImportsRunning => paths::IMPORTS.to_owned(),
        Wait::SenderHeld | Wait::SenderDisabled | Wait::SenderBlocked | Wait::NoAccount | Wait::Lists => {
            paths::SENDERS.to_owned()
        }
        Wait::Unknown | Wait::Accepted | Wait::NoNews | Wait::Webhooks => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        process::{Figures, ProcessRole},
        time::Timestamp,
    };

    use super::*;

    fn process(role: ProcessRole, state: ProcessState, version: &str) -> Process {
        Process {
            id: "01936f4e-0000-7000-8000-000000000000".parse().expect("an id"),
            role,
            state,
            host: "one".to_owned(),
            pid: 7,
            version: version.to_owned(),
            started_at: Timestamp::from_seconds(1),
            seen_at: Timestamp::from_seconds(2),
            stopped_at: None,
            figures: Figures { may_send: role.sends(), ..Figures::default() },
        }
    }

    fn titles(processes: &[Process]) -> Vec<String> {
        of(processes, &[]).warnings.into_iter().map(|(title, _)| title).collect()
    }

    #[test]
    fn what_is_wrong_is_said() {
        use ProcessRole::{All, Web, Worker};
        use ProcessState::{Alive, Stopped, Vanished};
        assert!(titles(&[process(All, Alive, "1")]).is_empty());
        assert_eq!(titles(&[process(Web, Alive, "1"), process(Worker, Stopped, "1")]), ["No process sends."]);
        let stands_by = Process { figures: Figures::default(), ..process(All, Alive, "1") };
        assert_eq!(titles(&[stands_by]), ["No process may send at the moment."]);
        assert_eq!(
            titles(&[process(All, Alive, "1"), process(Worker, Vanished, "2")]),
            ["The process one · 7 vanished without stopping."]
        );
        assert_eq!(
            titles(&[process(All, Alive, "2"), process(Web, Alive, "1")]),
            ["Different versions are at work: 1, 2."]
        );
        let by_clock = |ahead_ms| {
            let figures = Figures { may_send: true, clock_ahead_ms: Some(ahead_ms), ..Figures::default() };
            titles(&[Process { figures, ..process(All, Alive, "1") }])
        };
        assert!(by_clock(29_000).is_empty());
        assert_eq!(by_clock(95_000), ["Clocks differ: that of one · 7 is 95 seconds ahead of the database's."]);
        assert_eq!(by_clock(-40_500), ["Clocks differ: that of one · 7 is 40 seconds behind the database's."]);
    }

    #[test]
    fn those_that_stopped_are_counted_and_not_listed() {
        let stopped = process(ProcessRole::Web, ProcessState::Stopped, "1");
        let view = of(&[process(ProcessRole::All, ProcessState::Alive, "1"), stopped], &[]);
        assert_eq!((view.processes.len(), view.others.as_str()), (1, "In the last day: 1 stopped when told to."));
        assert_eq!((view.processes[0].host.as_str(), view.processes[0].may_send.as_str()), ("one · 7", "Yes"));
    }

    #[test]
    fn rates_are_short() {
        assert_eq!([0.0, 3.54, 9.96, 1_411.6].map(per_second), ["0", "3.5", "10", "1,412"]);
    }
}
