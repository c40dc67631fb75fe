//! What somebody has to read, and how people's wishes move.

use std::collections::BTreeMap;

use domain::{
    consent::{Consent, ConsentSource},
    review::{ConsentDay, Decided, Review, ReviewDecision},
    role::Permission,
};
use leptos::prelude::*;

use super::{
    api::{DAYS, DecideReview, Overview, ProofOf, load_overview},
    chart::chart,
};
use crate::{components::*, paths, text};

pub fn page() -> AnyView {
    OverviewPage().into_any()
}

#[component]
fn OverviewPage() -> impl IntoView {
    let here = use_here();
    // After a decision its question is left, and the list is another one.
    let asked = move || (here.get("decide"), here.get("as"));
    let source = move || (here.get("cursor"), here.get("proof"), asked());
    let overview = fetch(source, |(cursor, number, _)| load_overview(cursor, number));
    view! { <Loaded from=overview let:overview>{content(&overview, here)}</Loaded> }.into_any()
}

/// The lists, or the question before one of them is decided (`?decide=id&as=decision`).
fn content(overview: &Overview, here: Here) -> AnyView {
    let asked = here.once("decide");
    if !asked.is_empty() && may(Permission::Write) {
        let decision = here.once("as").parse().unwrap_or(ReviewDecision::Kept);
        let review = overview.reviews.items.iter().find(|review| review.id.to_string() == asked);
        return review.map_or_else(settled, |review| question(review, decision));
    }
    view! {
        <PageHeader
            title="Compliance"
            lead=|| "Nobody is opted out by a guess, and nobody gets marketing over a doubt."
        />
        {super::tabs(paths::COMPLIANCE)}
        <div class="stack">
            {overdue(overview)} {reviews(overview, here)} {decided(&overview.decided)} {wishes(overview)} {proof(overview.proof.as_ref(), here)}
        </div>
    }
    .into_any()
}

/// The question before what nobody here can take back.
fn question(review: &Review, decision: ReviewDecision) -> AnyView {
    // Made anew with every question: why another one could not be decided is no matter of this one.
    let decide = FormAction::<DecideReview>::new();
    let (number, since) = (format::phone(review.phone.as_str()), review.since);
    let (id, words) = (review.id.to_string(), wrote(review.words.as_deref()));
    let who = match review.name.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => format!("{name}, {number}"),
        None => number,
    };
    let (title, lead, label, class) = if decision == ReviewDecision::OptedOut {
        (
            "Was it an opt-out?",
            "Nothing goes to this person any more, and nobody here can take that back: only their own START does.",
            "Opt out",
            "btn btn--danger-solid",
        )
    } else {
        (
            "Was it no opt-out?",
            "Marketing to this person goes on at once. What has gone out by then cannot be called back.",
            "Not an opt-out",
            "btn btn--primary",
        )
    };
    view! {
        <ConfirmPage
            title=title
            crumbs=vec![crumb("Compliance", paths::COMPLIANCE)]
            lead=lead
            back=("Leave it to decide".to_owned(), paths::COMPLIANCE.to_owned())
        >
            <Facts>
                <Fact name="Person"><span dir="auto">{who}</span></Fact>
                <Fact name="Wrote"><q dir="auto">{words}</q></Fact>
                <Fact name="Waits"><Time at=since/></Fact>
            </Facts>
            <FormFor action=decide>
                <Hidden name="id" value=id/>
                <Hidden name="decision" value=decision.as_str()/>
                <FormActions><SubmitButton label=label busy="Deciding…" class=class/></FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}

/// Somebody else was quicker.
fn settled() -> AnyView {
    view! {
        <PageHeader title="Nothing to decide" crumbs=vec![crumb("Compliance", paths::COMPLIANCE)]/>
        <Card>
            <Empty glyph=Glyph::Check title="This is decided already" text="What was decided lately stands under Compliance, with who decided it.">
                <a class="btn" href=paths::COMPLIANCE>"Back to Compliance"</a>
            </Empty>
        </Card>
    }
    .into_any()
}

fn wrote(words: Option<&str>) -> String {
    words.unwrap_or("The text is gone, as old ones are.").to_owned()
}

/// What was decided, by whom.
fn decided(list: &[Decided]) -> Option<AnyView> {
    if list.is_empty() {
        return None;
    }
    let rows = list.iter().map(decided_row).collect::<Vec<_>>();
    Some(
        view! {
            <Card title="Decided lately" flush=true>
                <Table
                    caption="What was decided lately"
                    columns=vec![Col::text("Person"), Col::text("Wrote"), Col::text("Decided"), Col::number("When")]
                >
                    {rows}
                </Table>
            </Card>
        }
        .into_any(),
    )
}

fn decided_row(one: &Decided) -> AnyView {
    let (name, phone) = (one.name.clone(), one.phone.as_ref().map(ToString::to_string));
    let (words, by, at) = (wrote(one.words.as_deref()), text::step_actor(&one.by), one.at);
    view! {
        <tr>
            <td class="main" data-label="Person"><Who name=name phone=phone/></td>
            <td class="wrap" data-label="Wrote"><q dir="auto">{words}</q></td>
            <td data-label="Decided"><div>{pill(text::review_decision(one.decision))} <span class="sub">"by " {by}</span></div></td>
            <td class="num" data-label="When"><Time at/></td>
        </tr>
    }
    .into_any()
}

/// The way to what one person agreed to and took back, for those who may read it.
fn proof(found: Option<&ProofOf>, here: Here) -> Option<AnyView> {
    let found = found.map(|found| match found {
        ProofOf::Known(phone) => {
            let label = format!("Proof of consent of {}", format::phone(phone.as_str()));
            view! { <p><a class="btn" href=paths::consent_proof(phone) rel="external">{label}</a></p> }.into_any()
        }
        ProofOf::Unknown(phone) => {
            let words =
                format!("There is no contact with the number {}: nothing to prove.", format::phone(phone.as_str()));
            view! { <p class="muted">{words}</p> }.into_any()
        }
        ProofOf::Unreadable => {
            view! { <p class="muted">"That is no whole number: give it with its country code."</p> }.into_any()
        }
    });
    let number = here.once("proof");
    may(Permission::ManageConsent).then(|| {
        view! {
            <Card title="Proof of consent">
                <p class="muted">"What one person agreed to and took back, with what proves it, for print. Each look is in the audit log."</p>
                <FilterForm action=paths::COMPLIANCE label="Look for a number">
                    <input class="input" type="search" name="proof" value=number placeholder="A whole number: +94 77 123 4567" aria-label="A whole number"/>
                    <button class="btn" type="submit">{icon(Glyph::Search)} "Search"</button>
                </FilterForm>
                {found}
            </Card>
        }
        .into_any()
    })
}

/// Somebody should have read these by now.
fn overdue(overview: &Overview) -> Option<AnyView> {
    let at = overview.overdue?;
    Some(
        view! {
            <Alert tone=Tone::Warn title="A message that may be an opt-out waits for more than two days.">
                "The oldest came " <Time at/> ". Read it and decide: the law gives ten working days, and until then the person gets no marketing."
            </Alert>
        }
        .into_any(),
    )
}

fn reviews(overview: &Overview, here: Here) -> AnyView {
    if overview.reviews.items.is_empty() {
        return view! {
            <Card title="To decide">
                <Empty
                    glyph=Glyph::Check
                    title="Nothing to decide"
                    text="A message that may be an opt-out, such as \u{201c}cancel my order\u{201d}, appears here. Marketing to whoever wrote it waits until somebody has read it."
                />
            </Card>
        }
        .into_any();
    }
    let rows = overview.reviews.items.iter().map(|review| row(review, here)).collect::<Vec<_>>();
    view! {
        <Card title="To decide" flush=true>
            <p class="card__note muted">
                "These people wrote something that may be an opt-out. Marketing to them waits; replies and other messages go on. The law gives ten working days; two is a good answer."
            </p>
            <Table
                caption="Messages that may be an opt-out"
                columns=vec![Col::text("Person"), Col::text("Wrote"), Col::number("Waits"), Col::action("Decide")]
            >
                {rows}
            </Table>
        </Card>
        <Pagination
            next=overview.reviews.next_cursor.clone()
            shown=overview.reviews.items.len()
            total=overview.waiting
        />
    }
    .into_any()
}

fn row(review: &Review, here: Here) -> AnyView {
    let words = wrote(review.words.as_deref());
    let (id, since) = (review.id.to_string(), review.since);
    let name = review.name.clone().unwrap_or_default();
    let phone = format::phone(review.phone.as_str());
    let person = paths::contact(&review.phone);
    let ask = |decision: ReviewDecision| untrack(|| here.with(&[("decide", &id), ("as", decision.as_str())]));
    let actions = may(Permission::Write).then(|| {
        view! {
            <div class="actions actions--end">
                <a class="btn btn--small" href=ask(ReviewDecision::Kept)>"Not an opt-out"</a>
                <a class="btn btn--small btn--danger" href=ask(ReviewDecision::OptedOut)>"Opt out"</a>
            </div>
        }
        .into_any()
    });
    view! {
        <tr>
            <td class="main" data-label="Person">
                <a class="link" href=person dir="auto">{if name.is_empty() { phone.clone() } else { name.clone() }}</a>
                {(!name.is_empty()).then(|| view! { <span class="sub">{phone}</span> })}
            </td>
            <td class="wrap" data-label="Wrote"><q dir="auto">{words}</q></td>
            <td class="num" data-label="Waits"><Time at=since/></td>
            <td class="num" data-label="">{actions}</td>
        </tr>
    }
    .into_any()
}

fn wishes(overview: &Overview) -> AnyView {
    let title = format!("Yes and no, last {DAYS} days");
    if overview.days.is_empty() {
        return view! {
            <Card title=title>
                <Empty glyph=Glyph::People title="Nobody has said anything yet" text="Opt-ins and opt-outs are counted here day by day, by where they came from."/>
            </Card>
        }
        .into_any();
    }
    let rows = by_source(&overview.days).into_iter().map(|(source, (yes, no))| {
        view! {
            <tr>
                <td class="main" data-label="Came from">{text::consent_source(source)}</td>
                <td class="num" data-label="Opted in">{format::num(yes)}</td>
                <td class="num" data-label="Opted out">{format::num(no)}</td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    let days = chart(&overview.chart);
    view! {
        <Card title=title>
            {days}
            <Table
                caption="By where it came from"
                columns=vec![Col::text("Came from"), Col::number("Opted in"), Col::number("Opted out")]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn by_source(days: &[ConsentDay]) -> BTreeMap<ConsentSource, (i64, i64)> {
    let mut sources: BTreeMap<ConsentSource, (i64, i64)> = BTreeMap::new();
    for day in days {
        let count = sources.entry(day.source).or_default();
        match day.consent {
            Consent::OptedIn => count.0 += day.count,
            Consent::OptedOut => count.1 += day.count,
            _ => {}
        }
    }
    sources
}
