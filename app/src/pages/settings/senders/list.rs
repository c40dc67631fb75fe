//! The list of senders: how each is doing, and what can be done with it.

use domain::role::Permission;
use leptos::prelude::*;

use super::{
    accounts,
    api::{BlockedRow, ChangeSender, CreateAccount, SenderRow, SendersView, SlowedRow, UpdateAccount, load_senders},
};
use crate::{components::*, paths};

/// The page's forms.
#[derive(Clone, Copy)]
struct Actions {
    change: FormAction<ChangeSender>,
    add: FormAction<CreateAccount>,
    save: FormAction<UpdateAccount>,
}

/// The list, the question before a sender is held (`?hold=id`), and the forms of accounts (`?account=new`, `?account=sid`,
/// `?remove=sid`).
#[component]
pub fn SendersPage() -> impl IntoView {
    let here = use_here();
    let actions = Actions { change: FormAction::new(), add: FormAction::new(), save: FormAction::new() };
    let asks = move || ["hold", "account", "remove"].iter().any(|key| !here.get(key).is_empty());
    // A form is not taken away from whoever fills it in.
    let tick = poll(3_000, move || !asks());
    let source = move || {
        let tries = actions.change.version().get() + actions.save.version().get();
        (tick.get(), here.url(), tries)
    };
    let senders = fetch(source, |_| load_senders());
    view! { <Loaded from=senders let:view>{page(view, here, actions)}</Loaded> }.into_any()
}

fn page(view: SendersView, here: Here, actions: Actions) -> AnyView {
    let admin = may(Permission::Administer);
    let (hold, account, remove) = (here.once("hold"), here.once("account"), here.once("remove"));
    let SendersView { senders, accounts, inbound_webhook } = view;
    let ours = |sid: &str| accounts.iter().find(|row| row.sid == sid && !row.from_environment);
    if let Some(row) = senders.iter().find(|row| admin && row.id == hold) {
        return question(row);
    }
    if let Some(row) = ours(&remove) {
        return accounts::removal(row);
    }
    if let Some(row) = ours(&account) {
        return accounts::edit_form(row, actions.save);
    }
    if admin && account == "new" {
        return accounts::new_form(actions.add);
    }
    let list = list(senders, admin, actions.change);
    let accounts = admin.then(|| accounts::card(accounts));
    view! {
        <PageHeader title="Senders" lead=|| "The numbers and Messaging Services that messages go out from.">
            <a class="btn static-only" href=paths::SENDERS rel="external">"Refresh"</a>
            {admin.then(|| view! {
                <a class="btn btn--primary" href=paths::NEW_SENDER>{icon(Glyph::Plus)} "Add a sender"</a>
            })}
        </PageHeader>
        {super::super::tabs(paths::SENDERS)}
        <div class="stack">
            <ActionError action=actions.change/>
            {list}
            {accounts}
            {admin.then(|| incoming(inbound_webhook))}
        </div>
    }
    .into_any()
}

/// What is to be done in Twilio's console, where nobody can do it from here.
fn incoming(webhook: String) -> AnyView {
    view! {
        <Card title="Incoming messages">
            <p>
                "In Twilio\u{2019}s console, set the webhook for incoming messages of every number and Messaging Service to this \
                 address. Replies and opt-outs reach nobody without it."
            </p>
            <code class="code">{webhook}</code>
            <p class="muted">"What follows the # tells Twilio to try again when the program does not answer."</p>
        </Card>
    }
    .into_any()
}

fn list(senders: Vec<SenderRow>, admin: bool, change: FormAction<ChangeSender>) -> AnyView {
    if senders.is_empty() {
        return view! {
            <Card>
                <Empty
                    glyph=Glyph::Phone
                    title="No senders yet"
                    text="A campaign needs a number or a Messaging Service of your Twilio account to go out from."
                >
                    {admin.then(|| view! { <a class="btn btn--primary" href=paths::NEW_SENDER>"Add a sender"</a> })}
                </Empty>
            </Card>
        }
        .into_any();
    }
    let mut columns = vec![
        Col::text("Sender"),
        Col::text("State"),
        Col::number("At most"),
        Col::number("Now"),
        Col::number("Waiting"),
    ];
    if admin {
        columns.push(Col::action("Actions"));
    }
    let rows = senders.into_iter().map(|row| line(row, admin, change)).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table caption="Senders" columns=columns>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn line(row: SenderRow, admin: bool, change: FormAction<ChangeSender>) -> AnyView {
    let actions = admin.then(|| buttons(&row, change));
    let state = state(&row);
    let name = view! { <b dir="auto">{row.name}</b> };
    let name = if admin {
        view! { <a class="link" href=paths::sender(&row.id)>{name}</a> }.into_any()
    } else {
        name.into_any()
    };
    let mark = row.default.then(|| view! { " " <span class="tag">"Default"</span> });
    let why = why(row.lost, row.held, row.blocked, row.slowed);
    view! {
        <tr>
            <td class="main" data-label="Sender">
                {name} {mark}
                <div class="muted">{row.what}</div>
                {why}
            </td>
            <td data-label="State">{state}</td>
            <td class="num" data-label="At most">{row.rate}</td>
            <td class="num" data-label="Now">{row.pace}</td>
            <td class="num" data-label="Waiting">{row.waiting}</td>
            {actions}
        </tr>
    }
    .into_any()
}

/// One word for how it is; what stops it first comes first.
fn state(row: &SenderRow) -> AnyView {
    pill(if row.lost {
        (Tone::Bad, "No account")
    } else if !row.enabled {
        (Tone::Idle, "Disabled")
    } else if row.held.is_some() {
        (Tone::Warn, "Held")
    } else if row.blocked.is_some() {
        (Tone::Bad, "Blocked")
    } else if row.slowed.is_some() {
        (Tone::Warn, "Slowed down")
    } else {
        (Tone::Ok, "On")
    })
}

/// Why nothing goes out from it, or less: every reason, since each has to be put right.
fn why(lost: bool, held: Option<String>, blocked: Option<BlockedRow>, slowed: Option<SlowedRow>) -> AnyView {
    let lost = lost.then(|| {
        view! {
            <div class="muted">"Nothing goes out: the credentials of its account are not set up here."</div>
        }
    });
    let held = held.map(|reason| view! { <div class="muted" dir="auto">"Held: " {reason}</div> });
    let blocked = blocked.map(|blocked| {
        view! {
            <div class="muted">
                {blocked.because} " Blocked since " <Time at=blocked.since moment=true/> ", next try "
                <Time at=blocked.next_try_at moment=true/> "."
            </div>
        }
    });
    let slowed = slowed.map(|slowed| {
        let rests = slowed.rests_until.map(|until| view! { " Nothing goes out before " <Time at=until moment=true/> "." });
        view! {
            <div class="muted">
                "Twilio asked to slow down: it sends at " {slowed.share} " of its rate, which grows back by itself." {rests}
            </div>
        }
    });
    view! { {lost} {held} {blocked} {slowed} }.into_any()
}

fn buttons(row: &SenderRow, change: FormAction<ChangeSender>) -> AnyView {
    let id = row.id.as_str();
    let hold = if row.held.is_some() {
        button(id, "release", "Release", change)
    } else {
        let ask = paths::with_query(paths::SENDERS, &[("hold", id)]);
        view! { <a class="btn btn--small" href=ask>"Hold"</a> }.into_any()
    };
    let switch = if row.enabled { ("disable", "Disable") } else { ("enable", "Enable") };
    let switch = button(id, switch.0, switch.1, change);
    let default = (row.enabled && !row.default).then(|| button(id, "default", "Make default", change));
    view! { <td class="num" data-label=""><div class="actions actions--end">{default} {switch} {hold}</div></td> }
        .into_any()
}

fn button(id: &str, verb: &'static str, label: &'static str, change: FormAction<ChangeSender>) -> AnyView {
    let id = id.to_owned();
    view! {
        <FormFor action=change class="form--inline" quiet=true>
            <Hidden name="sender" value=id/>
            <Hidden name="verb" value=verb/>
            <SubmitButton label=label class="btn btn--small"/>
        </FormFor>
    }
    .into_any()
}

/// The question before a sender is held.
fn question(row: &SenderRow) -> AnyView {
    // Made anew with every question: why another one could not be changed is no matter of this one.
    let change = FormAction::<ChangeSender>::new();
    let (id, what, waiting) = (row.id.clone(), row.what.clone(), row.waiting.clone());
    view! {
        <ConfirmPage
            title=format!("Hold {}?", row.name)
            crumbs=vec![crumb("Senders", paths::SENDERS)]
            lead="Within a second nothing goes out from it any more. What waits goes out once it is released."
            back=("Let it go on".to_owned(), paths::SENDERS.to_owned())
        >
            <Facts>
                <Fact name="Sender">{what}</Fact>
                <Fact name="Messages waiting">{waiting}</Fact>
            </Facts>
            <FormFor action=change>
                <Hidden name="sender" value=id/>
                <Hidden name="verb" value="hold"/>
                <TextField
                    name="held"
                    label="Reason"
                    required=true
                    autofocus=true
                    maxlength=500
                    hint="Others see it beside the sender."
                />
                <FormActions>
                    <SubmitButton label="Hold the sender" busy="Holding…" class="btn btn--danger-solid"/>
                </FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}
