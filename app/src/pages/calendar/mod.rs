//! The calendar: which campaign goes out on which day.

mod api;

use leptos::prelude::*;

use self::api::{CalendarQuery, CalendarView, DayView, EntryView, load_calendar};
use crate::{components::*, paths};

/// Shows the page.
pub fn open() -> AnyView {
    CalendarPage().into_any()
}

#[component]
fn CalendarPage() -> impl IntoView {
    let here = use_here();
    let month = fetch(move || CalendarQuery { month: here.get("month"), zone: here.get("zone") }, load_calendar);
    view! {
        <PageHeader
            title="Calendar"
            crumbs=vec![crumb("Campaigns", paths::CAMPAIGNS)]
            lead=|| "What went out on which day, and what is due."
        />
        <Loaded from=month let:view>{page(view, here)}</Loaded>
    }
    .into_any()
}

fn page(view: CalendarView, here: Here) -> AnyView {
    let CalendarView { title, zone, month_problem, zone_problem, former, next, lead, days, truncated, unreadable } =
        view;
    // A month that cannot be read does not travel along; a zone stays as it was typed.
    let month = if month_problem.is_some() { String::new() } else { here.once("month") };
    let month_problem = month_problem.map(|problem| {
        view! { <Alert tone=Tone::Warn title=problem>"Until then this is the present month."</Alert> }
    });
    let typed = if zone_problem.is_some() { here.once("zone") } else { zone.clone() };
    let (is_wrong, told) = (zone_problem.is_some().then_some("true"), zone_problem.is_some().then_some("zone-error"));
    let zone_problem = zone_problem.map(|problem| {
        let words = format!("{problem} Until then times are those of {zone}.");
        view! { <p class="field__error" id="zone-error" role="alert">{icon(Glyph::Warning)} <span>{words}</span></p> }
    });
    let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let heads = weekdays.map(|day| view! { <li class="month__head" aria-hidden="true">{day}</li> });
    let gap = || view! { <li class="month__gap" aria-hidden="true"></li> }.into_any();
    let gaps = (0..lead).map(|_| gap()).collect::<Vec<_>>();
    let rest = (usize::from(lead) + days.len()).next_multiple_of(7) - usize::from(lead) - days.len();
    let rest = (0..rest).map(|_| gap()).collect::<Vec<_>>();
    let empty = unreadable.is_empty() && days.iter().all(|day| day.entries.is_empty());
    let days = days.into_iter().map(day).collect::<Vec<_>>();
    view! {
        {month_problem}
        <div class="toolbar">
            <nav class="month__nav" aria-label="Month">
                <a class="btn btn--small" href=here.with(&[("month", &former)])>{icon(Glyph::Left)} <span class="visually-hidden">"Month before"</span></a>
                <h2 aria-live="polite">{title}</h2>
                <a class="btn btn--small" href=here.with(&[("month", &next)])>{icon(Glyph::Right)} <span class="visually-hidden">"Next month"</span></a>
                <a class="btn btn--small" href=here.with(&[("month", "")])>"Today"</a>
            </nav>
            <FilterForm action=paths::CALENDAR label="Time zone">
                <input type="hidden" name="month" value=month/>
                <input
                    class="input"
                    name="zone"
                    value=typed
                    aria-label="Time zone"
                    aria-invalid=is_wrong
                    aria-describedby=told
                    placeholder="Asia/Colombo"
                    autocomplete="off"
                />
                <button class="btn" type="submit">"Show in this zone"</button>
                {zone_problem}
            </FilterForm>
        </div>
        {truncated.then(|| view! {
            <Alert tone=Tone::Info title="There is more than is shown.">"This month has more campaigns than fit here. The list of campaigns has them all."</Alert>
        })}
        {unreadable_campaigns(&unreadable)}
        <ol class="month">{heads.collect_view()} {gaps} {days} {rest}</ol>
        {empty.then(|| view! { <p class="muted">"Nothing went out in this month, and nothing is due."</p> })}
    }
    .into_any()
}

fn day(day: DayView) -> AnyView {
    let DayView { number, name, is_today, entries, more, left } = day;
    let class = match (is_today, entries.is_empty()) {
        (true, _) => "month__day month__day--today",
        (false, true) => "month__day month__day--empty",
        (false, false) => "month__day",
    };
    let entries = entries.into_iter().map(entry).collect::<Vec<_>>();
    view! {
        <li class=class aria-current=is_today.then_some("date")>
            <p class="month__date"><span aria-hidden="true">{number}</span><span class="month__name">{name}</span></p>
            <ul class="month__entries">{entries}</ul>
            {(!more.is_empty()).then(|| hidden(more, left))}
        </li>
    }
    .into_any()
}

/// What is shown once somebody asks for it, with scripts and without.
fn hidden(more: Vec<EntryView>, left: usize) -> AnyView {
    let words = format!("and {} more", format::num(more.len() + left));
    let entries = more.into_iter().map(entry).collect::<Vec<_>>();
    let left = (left > 0).then(|| {
        let words = format!("{} more in the list of campaigns", format::num(left));
        view! { <a class="link" href=paths::CAMPAIGNS>{words}</a> }
    });
    view! {
        <details class="month__more">
            <summary>{words}</summary>
            <ul class="month__entries">{entries}</ul>
            {left}
        </details>
    }
    .into_any()
}

fn entry(entry: EntryView) -> AnyView {
    let EntryView { id, name, time, kind, words } = entry;
    let title = words.clone();
    view! {
        <li>
            <a class=format!("month__entry month__entry--{kind}") href=paths::campaign(id) title=title>
                <b>{time}</b> " " <span dir="auto">{name}</span> " " <span class="visually-hidden">{words}</span>
            </a>
        </li>
    }
    .into_any()
}
