//! What holds for the whole workspace: country and zone, and how much goes out at most.

mod api;

use domain::settings::{Retention, Settings};
use leptos::prelude::*;

use self::api::{Asked, General, UpdateRetention, UpdateSettings, load_settings};
use crate::{components::*, paths};

/// Shows the page.
pub fn page() -> AnyView {
    GeneralPage().into_any()
}

#[component]
fn GeneralPage() -> impl IntoView {
    let here = use_here();
    let update = FormAction::<UpdateSettings>::new();
    let retain = FormAction::<UpdateRetention>::new();
    // After an answer its question is left.
    let source = move || (here.get("keep"), update.version().get(), retain.version().get());
    let general = fetch(source, |(keep, ..)| load_settings(keep));
    view! { <Loaded from=general let:general>{content(general, update, retain)}</Loaded> }.into_any()
}

fn content(general: General, update: FormAction<UpdateSettings>, retain: FormAction<UpdateRetention>) -> AnyView {
    let General { settings, asked } = general;
    if let Some(asked) = asked {
        return question(settings.retention, asked, retain);
    }
    view! {
        <PageHeader title="General" lead=|| "What holds for everybody who works here, and for everything that is sent."/>
        {super::tabs(paths::GENERAL)}
        {form(settings, update, retain)}
    }
    .into_any()
}

/// The question before things are kept for less long.
fn question(kept: Retention, asked: Asked, retain: FormAction<UpdateRetention>) -> AnyView {
    let Asked { version, forgetting } = asked;
    let new = forgetting.retention;
    let change = |name: &'static str, from: Option<i32>, to: Option<i32>| {
        (from != to).then(|| {
            let words = format!("{} instead of {}", days(to), days(from));
            view! { <Fact name=name>{words}</Fact> }
        })
    };
    let texts = new.text_days.filter(|_| new.text_days != kept.text_days).map(|_| {
        let more = if forgetting.more { " or more" } else { "" };
        let words = format!("{}{more}", format::num(forgetting.texts));
        view! { <Fact name="Texts that go">{words}</Fact> }
    });
    let value = |days: Option<i32>| days.map(|days| days.to_string()).unwrap_or_default();
    view! {
        <ConfirmPage
            title="Keep things for less long?"
            crumbs=vec![crumb("General", paths::GENERAL)]
            lead="What is older goes within the hour, for good. A longer time set later does not bring it back."
            back=("Keep it as it is".to_owned(), paths::GENERAL.to_owned())
        >
            <Facts>
                {change("Webhooks as they came in", Some(kept.raw_webhook_days), Some(new.raw_webhook_days))}
                {change("Texts of messages", kept.text_days, new.text_days)}
                {change("Callbacks as they were read", kept.callback_days, new.callback_days)}
                {texts}
            </Facts>
            <FormFor action=retain>
                <VersionField version=version/>
                <Hidden name="raw_webhook_days" value=new.raw_webhook_days.to_string()/>
                <Hidden name="text_days" value=value(new.text_days)/>
                <Hidden name="callback_days" value=value(new.callback_days)/>
                <Hidden name="confirmed" value="true"/>
                <FormActions>
                    <SubmitButton label="Keep them for less long" busy="Saving…" class="btn btn--danger-solid"/>
                </FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}

fn days(count: Option<i32>) -> String {
    count.map_or_else(|| "for ever".to_owned(), |days| format::counted(i64::from(days), "day", "days"))
}

fn form(settings: Settings, update: FormAction<UpdateSettings>, retain: FormAction<UpdateRetention>) -> AnyView {
    let retention = retention(settings.retention, settings.version, retain);
    view! {
        <div class="stack">
            <FormFor action=update class="stack">
                <VersionField version=settings.version/>
                {place(settings.default_country.clone(), settings.default_timezone.clone())}
                {limits(&settings)}
                {window(settings.enforce_whatsapp_window)}
                <FormActions><SubmitButton label="Save" busy="Saving…"/></FormActions>
            </FormFor>
            {retention}
        </div>
    }
    .into_any()
}

fn place(country: Option<String>, zone: String) -> AnyView {
    view! {
        <Card title="Country and time zone">
            <div class="form form--narrow">
                <TextField
                    name="default_country"
                    label="Country"
                    optional=true
                    maxlength=2
                    placeholder="LK"
                    value=country.unwrap_or_default()
                    hint="Two letters. Numbers without a country code are read as numbers of this country where a file or a person has none of its own."
                />
                <TextField
                    name="default_timezone"
                    label="Time zone"
                    required=true
                    placeholder="Asia/Colombo"
                    value=zone
                    hint="Of these pages. It is never taken for a person's."
                />
            </div>
        </Card>
    }
    .into_any()
}

fn limits(settings: &Settings) -> AnyView {
    let (rate, people) = (settings.account_rate_per_second, settings.whatsapp_daily_people);
    let share = settings.whatsapp_reply_share;
    view! {
        <Card title="Limits">
            <div class="form form--narrow">
                <NumberField
                    name="account_rate_per_second"
                    label="All senders together"
                    value=rate.map(i64::from)
                    optional=true
                    min=1
                    unit="messages a second"
                    hint="Empty: no limit but the senders' own. Twilio takes 2,000 from one account."
                />
                <NumberField
                    name="whatsapp_daily_people"
                    label="New conversations on WhatsApp"
                    value=people.map(i64::from)
                    optional=true
                    min=1
                    unit="people in 24 hours"
                    hint="Meta's messaging limit: 250, 1,000, 10,000 or 100,000. Empty: no limit is kept here, and what is too much fails at Meta."
                />
                <NumberField
                    name="whatsapp_reply_share"
                    label="Kept for replies"
                    value=i64::from(share)
                    required=true
                    min=0
                    max=100
                    unit="% of them"
                    hint="Campaigns stop short of the limit by so much, so that people who write still get an answer."
                />
            </div>
        </Card>
    }
    .into_any()
}

fn window(enforced: bool) -> AnyView {
    view! {
        <Card title="WhatsApp's 24 hours">
            <CheckboxField
                name="enforce_whatsapp_window"
                label="Free text only to people who wrote within 24 hours"
                checked=enforced
                hint="WhatsApp's rule: everybody else gets approved templates only. Without this check such messages fail at Twilio (63016)."
            />
        </Card>
    }
    .into_any()
}

fn retention(kept: Retention, version: i64, retain: FormAction<UpdateRetention>) -> AnyView {
    let Retention { raw_webhook_days, text_days, callback_days } = kept;
    view! {
        <Card title="How long things are kept">
            <FormFor action=retain class="form form--narrow">
                <VersionField version=version/>
                <NumberField
                    name="raw_webhook_days"
                    label="Webhooks as they came in"
                    value=i64::from(raw_webhook_days)
                    required=true
                    min=1
                    unit="days"
                    hint="After that their content cannot be read any more, not even in a backup. What was made of them stays."
                />
                <NumberField
                    name="text_days"
                    label="Texts of messages, both ways"
                    value=text_days.map(i64::from)
                    optional=true
                    min=7
                    unit="days"
                    hint="Empty: for ever. Without their texts messages stay as what was sent, when, and what became of it. A shorter time takes texts away within the hour, for good."
                />
                <NumberField
                    name="callback_days"
                    label="Callbacks as they were read"
                    value=callback_days.map(i64::from)
                    optional=true
                    min=30
                    unit="days"
                    hint="Empty: for ever. They go by whole months, and no sooner than webhooks as they came in. What became of each message stays; the single callbacks that told it are then no longer listed."
                />
                <FormActions><SubmitButton label="Save these times" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
