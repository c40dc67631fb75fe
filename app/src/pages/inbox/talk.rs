//! One conversation: what was said, a box to answer in, and beside it what is known of the person.

use domain::role::Permission;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    api::{Archive, Assign, ConversationView, MarkRead, Reply, ReplyWithTemplate, load_conversation, mark_read},
    aside, reply, thread,
};
use crate::{components::*, error::AppError, paths};

/// The page's forms.
#[derive(Clone, Copy)]
pub(super) struct Actions {
    pub reply: FormAction<Reply>,
    pub template: FormAction<ReplyWithTemplate>,
    pub assign: FormAction<Assign>,
    pub archive: FormAction<Archive>,
    pub read: FormAction<MarkRead>,
}

#[component]
pub fn ConversationPage() -> impl IntoView {
    let params = use_params_map();
    let here = use_here();
    let actions = Actions {
        reply: FormAction::new(),
        template: FormAction::new(),
        assign: FormAction::new(),
        archive: FormAction::new(),
        read: FormAction::new(),
    };
    let number = move || params.with(|params| params.get("phone").unwrap_or_default());
    let source = move || {
        let changes =
            (actions.template.version().get(), actions.assign.version().get(), actions.archive.version().get());
        (number(), here.get("cursor"), here.get("template"), changes)
    };
    let conversation = fetch(source, |(number, cursor, template, _)| load_conversation(number, cursor, template));
    let latest = follow(number, here, actions);
    view! { <Loaded from=conversation let:view>{page(view, actions, latest, here)}</Loaded> }.into_any()
}

/// What came in since the page was made: it is filled anew, not made anew, so that what is being typed stays.
fn follow(
    number: impl Fn() -> String + Copy + Send + Sync + 'static,
    here: Here,
    actions: Actions,
) -> Signal<Option<ConversationView>> {
    let outdated = use_outdated();
    let refresh = Action::new(move |number: &String| {
        let number = number.clone();
        async move {
            let view = load_conversation(number.clone(), String::new(), String::new()).await;
            if matches!(view, Err(AppError::Outdated)) {
                outdated.mark();
            }
            (number, view)
        }
    });
    let ask = move || {
        if !refresh.pending().get_untracked() && untrack(move || here.get("cursor")).is_empty() {
            refresh.dispatch(untrack(number));
        }
    };
    every(2_500, || true, ask);
    Effect::new(move |before: Option<usize>| {
        let now = actions.reply.version().get() + actions.read.version().get();
        if before.is_some_and(|before| before != now) {
            ask();
        }
        now
    });
    let news = refresh.value();
    Signal::derive(move || {
        let number = number();
        news.with(|news| news.as_ref().filter(|(of, _)| *of == number).and_then(|(_, view)| view.clone().ok()))
    })
}

fn page(first: ConversationView, actions: Actions, latest: Signal<Option<ConversationView>>, here: Here) -> AnyView {
    let newest = here.once("cursor").is_empty();
    let first = StoredValue::new(first);
    // An answer to an earlier question must not stand for what was fetched after it.
    let stale = StoredValue::new(latest.get_untracked());
    let view = Memo::new(move |_| {
        let fresh = latest.get().filter(|fresh| newest && stale.with_value(|old| old.as_ref() != Some(fresh)));
        fresh.unwrap_or_else(|| first.get_value())
    });
    let conversation = Memo::new(move |_| view.with(|view| view.detail.conversation.clone()));
    let known = conversation.get_untracked();
    let phone = known.phone.to_string();
    let number = format::phone(&phone);
    let title = known.name.clone().unwrap_or_else(|| number.clone());
    let contact = paths::contact(&phone);
    let answers = may(Permission::Send);
    if answers && newest {
        mark_what_is_seen(conversation);
    }
    let unread = live_view(move || {
        conversation.with(|now| {
            (answers && now.unread > 0).then(|| read_form(now.phone.to_string(), now.last_inbound_at, actions))
        })
    });
    let foot = (answers && newest).then(|| reply::box_for(view, actions));
    view! {
        <PageHeader title=title crumbs=vec![crumb("Inbox", paths::INBOX)] lead=move || number.clone()>
            {unread}
            <a class="btn" href=contact>{icon(Glyph::Person)} "Open the contact"</a>
        </PageHeader>
        <div class="grid grid--2-1">
            <section class="card thread" aria-label="Conversation">
                {thread::messages(view, newest)}
                {foot}
            </section>
            {aside::cards(view, actions)}
        </div>
    }
    .into_any()
}

/// With scripts, what is in sight of somebody who could answer is read.
fn mark_what_is_seen(conversation: Memo<domain::conversation::Conversation>) {
    Effect::new(move |_| {
        let (phone, unread, last) = conversation.with(|now| (now.phone.to_string(), now.unread, now.last_inbound_at));
        if unread > 0
            && let Some(last) = last
            && !document().hidden()
        {
            leptos::task::spawn_local(async move {
                // The next look tells whether it worked.
                let _ = mark_read(phone, last.to_string()).await;
            });
        }
    });
}

fn read_form(number: String, last: Option<domain::time::Timestamp>, actions: Actions) -> AnyView {
    let until = last.map(|at| at.to_string()).unwrap_or_default();
    view! {
        <FormFor action=actions.read class="form--inline">
            <Hidden name="number" value=number/>
            <Hidden name="until" value=until/>
            <SubmitButton label="Mark as read" busy="Marking…" class="btn"/>
        </FormFor>
    }
    .into_any()
}
