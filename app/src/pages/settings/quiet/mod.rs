//! When nobody is messaged, and how often at most: the workspace's hours, limits, holidays, and the law
//! table with the workspace's own lines.

mod api;
mod law_caps;
#[cfg(any(feature = "ssr", test))]
mod lines;
mod own_lines;

use domain::quiet::{LawLine, LawTable, WorkspaceQuiet};
use leptos::prelude::*;

use self::api::{QuietView, SaveCaps, SaveHolidays, SaveRule, load_quiet};
use crate::{components::*, paths, text::Tone};

/// Shows the page.
pub fn page() -> AnyView {
    QuietPage().into_any()
}

#[derive(Clone, Copy)]
struct Actions {
    rule: FormAction<SaveRule>,
    caps: FormAction<SaveCaps>,
    holidays: FormAction<SaveHolidays>,
    lines: own_lines::Actions,
}

#[component]
fn QuietPage() -> impl IntoView {
    let here = use_here();
    let actions = Actions {
        rule: FormAction::new(),
        caps: FormAction::new(),
        holidays: FormAction::new(),
        lines: own_lines::Actions { save: FormAction::new(), remove: FormAction::new() },
    };
    let changes = move || {
        let Actions { rule, caps, holidays, lines } = actions;
        let lines = lines.save.version().get() + lines.remove.version().get();
        (rule.version().get(), caps.version().get(), holidays.version().get(), lines)
    };
    let quiet = fetch(changes, |_| load_quiet());
    view! {
        <PageHeader
            title="Quiet hours"
            lead=|| "When nobody is messaged, by everyone's own clock, and how often at most."
        />
        {super::tabs(paths::QUIET_HOURS)}
        <Loaded from=quiet let:view>{body(view, actions, here)}</Loaded>
    }
    .into_any()
}

fn body(view: QuietView, actions: Actions, here: Here) -> AnyView {
    let QuietView { version, rule, real, closed_places, caps, unreachable_days, holidays, law } = view;
    let (own, by_law) = (law.own.clone(), law.caps.clone());
    view! {
        <div class="stack">
            <div class="grid grid--3-2">
                {workspace(rule, (real, &closed_places), version, actions.rule)}
                {whose_clock()}
            </div>
            {frequency(caps, unreachable_days, version, actions.caps)}
            {days(holidays, &law.idle_holidays, version, actions.holidays)}
            {law_table(law)}
            {law_caps::card(by_law)}
            {own_lines::cards(&own, version, actions.lines, here)}
        </div>
    }
    .into_any()
}

fn workspace(
    rule: WorkspaceQuiet,
    (real, closed): (bool, &[String]),
    version: i64,
    save: FormAction<SaveRule>,
) -> AnyView {
    let closed = (!closed.is_empty()).then(|| {
        view! {
            <Alert tone=Tone::Warn title=nobody_in(closed)>
                "These hours and the law table leave no time there. Where that is not meant, shorten the hours."
            </Alert>
        }
        .into_any()
    });
    let law = if real {
        view! { <p class="muted">"With a Twilio account the law table below always binds marketing, too."</p> }
            .into_any()
    } else {
        view! {
            <CheckboxField
                name="law"
                label="The law table binds marketing"
                checked=rule.law
                hint="Off while messages go to the simulator; with a Twilio account it is always on."
            />
        }
        .into_any()
    };
    view! {
        <Card title="Every night">
            {closed}
            <FormFor action=save>
                <VersionField version/>
                <Hidden name="real" value=real.to_string()/>
                <CheckboxField
                    name="enabled"
                    label="Nobody is messaged at night"
                    checked=rule.enabled
                    hint="For all campaigns and for single marketing messages. What would be sent waits for the person's morning. Replies, and codes or notices sent to one person, go at any time."
                />
                <div class="pair">
                    <TextField name="start" kind="time" label="Quiet from" value=rule.start.to_string() required=true/>
                    <TextField name="end" kind="time" label="Until" value=rule.end.to_string() required=true/>
                </div>
                {law}
                <TextField
                    name="reason"
                    label="Why you change it"
                    maxlength=500
                    required=true
                    hint="Kept in the audit log with your name."
                />
                <FormActions><SubmitButton label="Save the hours" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

/// Said while the hours hold: they were stored.
fn nobody_in(closed: &[String]) -> String {
    let named = |written: &String| match written.split_once('-') {
        Some((country, state)) => place(country, state),
        None => place(written, "*"),
    };
    format!("Nobody in {} can get marketing at any time.", closed.iter().map(named).collect::<Vec<_>>().join(", "))
}

fn whose_clock() -> AnyView {
    view! {
        <Card title="Whose clock">
            <ul class="bullets">
                <li>"The contact's own time zone, where there is one."</li>
                <li>"Else the zones of the phone number. Where these are several, only hours that suit all of them are used."</li>
                <li>"Who has neither, as with toll-free numbers, is left out of what quiet hours bind, and counted as such."</li>
            </ul>
            <p class="muted">"A campaign may have quiet hours of its own on top. They bind whatever it is for."</p>
        </Card>
    }
    .into_any()
}

fn frequency(caps: String, unreachable_days: i32, version: i64, save: FormAction<SaveCaps>) -> AnyView {
    view! {
        <Card title="How often at most">
            <FormFor action=save>
                <VersionField version/>
                <TextAreaField
                    name="frequency_caps"
                    label="Limits for one person"
                    value=caps
                    optional=true
                    rows=3
                    code=true
                    placeholder="3 per 7 days"
                    hint="One a line: “3 per 7 days” counts all marketing, of campaigns and single messages; “1 per 2 days: offers” what campaigns send about the topic with the key offers. Who has had enough is left out, with that reason. What law sets stands below the law table."
                />
                <NumberField
                    name="unreachable_days"
                    label="Leave unreachable numbers alone for"
                    value=i64::from(unreachable_days)
                    required=true
                    min=0
                    max=365
                    unit="days"
                    hint="A number that the last two messages did not come to, because it is not on WhatsApp or not in use. It is back as soon as the person writes or something reaches it; 0 leaves nobody alone."
                />
                <FormActions><SubmitButton label="Save the limits" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

fn days(holidays: String, idle: &[String], version: i64, save: FormAction<SaveHolidays>) -> AnyView {
    let idle = (!idle.is_empty()).then(|| no_effect(idle));
    view! {
        <Card title="Holidays">
            <FormFor action=save>
                <VersionField version/>
                <TextAreaField
                    name="holidays"
                    label="Days without marketing"
                    value=holidays
                    optional=true
                    rows=8
                    code=true
                    placeholder="FR 2026-12-25 Noël"
                    hint="One a line: country, day, name. They count where a line of the law table, or one of your own, says so."
                />
                {idle.map(|text| view! { <p class="muted">{text}</p> })}
                <FormActions><SubmitButton label="Save the holidays" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

/// Told under the list: these days were stored, and nobody keeps them.
fn no_effect(countries: &[String]) -> String {
    let countries = countries.join(", ");
    format!(
        "No effect for {countries}: no law line there keeps holidays. Add one below, with “Not on the holidays above”."
    )
}

fn law_table(law: LawTable) -> AnyView {
    let note = format!("As of {} · time zones {}", law.pack_version, law.tzdb_version);
    let rows = places(law.lines).into_iter().map(law_row).collect::<Vec<_>>();
    view! {
        <Card title="Law table" flush=true aside=move || note.clone()>
            <Table
                caption="When marketing may be sent, by place"
                columns=vec![Col::text("Place"), Col::text("Allowed"), Col::text("How sure"), Col::text("Source")]
            >
                {rows}
            </Table>
            <p class="card__note muted">
                "What was found, and how sure it is: no legal advice. Where a message falls under several places, all of them have to allow it."
            </p>
        </Card>
    }
    .into_any()
}

/// What a row tells once for all of its lines.
fn told_once(line: &LawLine) -> [Option<&str>; 6] {
    let (from, to) = (line.valid_from.as_deref(), line.valid_to.as_deref());
    [Some(&line.country), Some(&line.subdivision), line.zone.as_deref(), from, to, Some(&line.source)]
}

/// Lines that add up, together: those of one place and one clock, with the same dates and source.
fn places(lines: Vec<LawLine>) -> Vec<Vec<LawLine>> {
    let mut places: Vec<Vec<LawLine>> = Vec::new();
    for line in lines {
        let same = |place: &&mut Vec<LawLine>| place.first().is_some_and(|first| told_once(first) == told_once(&line));
        match places.iter_mut().find(same) {
            Some(place) => place.push(line),
            None => places.push(vec![line]),
        }
    }
    places
}

fn law_row(lines: Vec<LawLine>) -> AnyView {
    let Some(first) = lines.first() else { return ().into_any() };
    let place = place(&first.country, &first.subdivision);
    let clock = first.zone.as_deref().map(|zone| format!("by the clock of {zone}, too"));
    let sure = format!("{}, {} confidence", first.basis, first.confidence);
    let dates = dates(first.valid_from.as_deref(), first.valid_to.as_deref());
    let dates = clock.into_iter().chain((!dates.is_empty()).then_some(dates)).collect::<Vec<_>>().join(", ");
    let (source, read_on) = (first.source.clone(), read_on(&first.read_on));
    let allowed = lines.iter().map(|line| {
        let hours = hours(&line.days, (&line.from, &line.to), line.holidays);
        view! { <div>{hours}</div> }.into_any()
    });
    let allowed = allowed.collect::<Vec<_>>();
    view! {
        <tr>
            <td class="main" data-label="Place">{place}</td>
            <td data-label="Allowed">
                <div>{allowed} {(!dates.is_empty()).then(|| view! { <div class="muted small">{dates}</div> })}</div>
            </td>
            <td data-label="How sure">{sure}</td>
            <td data-label="Source">
                <div><span class="muted">{source}</span> <div class="muted small">{read_on}</div></div>
            </td>
        </tr>
    }
    .into_any()
}

/// `from 2027-01-01, until 2027-12-31`; nothing without a day.
fn dates(from: Option<&str>, to: Option<&str>) -> String {
    let (from, to) = (from.map(|day| format!("from {day}")), to.map(|day| format!("until {day}")));
    [from, to].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn read_on(day: &str) -> String {
    format!("read on {day}")
}

fn place(country: &str, subdivision: &str) -> String {
    let country = match country {
        "**" => return "Everywhere else".to_owned(),
        "AU" => "Australia",
        "BE" => "Belgium",
        "BR" => "Brazil",
        "CA" => "Canada",
        "FR" => "France",
        "GB" => "United Kingdom",
        "IN" => "India",
        "KZ" => "Kazakhstan",
        "US" => "United States",
        code => code,
    };
    match subdivision {
        "*" => country.to_owned(),
        "?" => format!("{country}, state not known"),
        states => format!("{country}: {}", states.replace(',', ", ")),
    }
}

/// `Mon–Sat 08:00–22:00, not on holidays`.
fn hours(days: &str, (from, to): (&str, &str), holidays: bool) -> String {
    let days = match days {
        "Mon-Sun" => "Every day".to_owned(),
        days => days.replace('-', "–"),
    };
    let hours = match (from, to) {
        ("00:00", "24:00") => "all day".to_owned(),
        (from, to) => format!("{from}–{to}"),
    };
    let holidays = if holidays { ", not on holidays" } else { "" };
    format!("{days} {hours}{holidays}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_places_are_named() {
        let closed = ["countries without a line", "AU", "US where the state is not known", "US-FL"].map(str::to_owned);
        assert_eq!(
            nobody_in(&closed),
            "Nobody in countries without a line, Australia, US where the state is not known, United States: FL can get \
             marketing at any time."
        );
    }

    #[test]
    fn lines_of_a_place_are_one_row() {
        let line = |subdivision: &str, days: &str, zone: Option<&str>| LawLine {
            country: "US".to_owned(),
            subdivision: subdivision.to_owned(),
            days: days.to_owned(),
            from: "09:00".to_owned(),
            to: "21:00".to_owned(),
            zone: zone.map(str::to_owned),
            holidays: false,
            valid_from: None,
            valid_to: None,
            basis: "law".to_owned(),
            confidence: "high".to_owned(),
            source: "x".to_owned(),
            read_on: "2026-11-23".to_owned(),
        };
        let lines = vec![
            line("TX", "Mon-Sat", None),
            line("TX", "Mon-Sat", Some("America/Chicago")),
            line("TX", "Sun", None),
            line("MD,WY", "Mon-Sun", None),
        ];
        let places = places(lines);
        assert_eq!(places.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
        let of =
            |line: &LawLine| (place(&line.country, &line.subdivision), hours(&line.days, (&line.from, &line.to), true));
        let row = |place: &str, hours: &str| (place.to_owned(), hours.to_owned());
        assert_eq!(of(&places[2][0]), row("United States: MD, WY", "Every day 09:00–21:00, not on holidays"));
        assert_eq!(of(&places[0][0]), row("United States: TX", "Mon–Sat 09:00–21:00, not on holidays"));
    }
}
