//! The words by which people opt out, opt in and ask for help.

use leptos::prelude::*;

use super::api::{UpdateWords, Words, load_words};
use crate::{components::*, paths};

pub fn page() -> AnyView {
    KeywordsPage().into_any()
}

#[component]
fn KeywordsPage() -> impl IntoView {
    let update = FormAction::<UpdateWords>::new();
    let words = fetch(move || update.version().get(), |_| load_words());
    view! {
        <PageHeader
            title="Compliance"
            lead=|| "What counts as an opt-out, an opt-in and a call for help: in any of these languages, whatever language you write in."
        />
        {super::tabs(paths::KEYWORDS)}
        <Loaded from=words let:words>
            <div class="grid grid--2-1 keywords">{built_in(&words)} {own(&words, update)}</div>
        </Loaded>
    }
    .into_any()
}

fn built_in(words: &Words) -> AnyView {
    let rows = words.built_in.iter().map(|(code, name, [stop, start, help, yes])| {
        let (code, name) = (code.clone(), name.clone());
        let (stop, start, help, yes) = (stop.clone(), start.clone(), help.clone(), yes.clone());
        view! {
            <tr>
                <td class="main" data-label="Language">{name}</td>
                <td class="wrap" data-label="No more messages" lang=code.clone() dir="auto">{stop}</td>
                <td class="wrap" data-label="Messages again" lang=code.clone() dir="auto">{start}</td>
                <td class="wrap" data-label="Help" lang=code.clone() dir="auto">{help}</td>
                <td class="wrap" data-label="Yes" lang=code dir="auto">{yes}</td>
            </tr>
        }
        .into_any()
    });
    let rows = rows.collect::<Vec<_>>();
    view! {
        <Card title="Built in" flush=true>
            <p class="card__note muted">
                "As a whole message, however it is written: case, accents, punctuation and emoji do not count. Short clear messages such as \u{201c}please stop texting me\u{201d} count as well. These words cannot be taken away."
            </p>
            <Table
                caption="Built-in words"
                columns=vec![
                    Col::text("Language"),
                    Col::text("No more messages"),
                    Col::text("Messages again"),
                    Col::text("Help"),
                    Col::text("Yes"),
                ]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn own(words: &Words, update: FormAction<UpdateWords>) -> AnyView {
    let version = words.version;
    let lines = |words: &[String]| words.join("\n");
    let (stop, start, help) = (lines(&words.own.stop), lines(&words.own.start), lines(&words.own.help));
    let yes = lines(&words.own.yes);
    let days = i64::from(words.double_opt_in_days);
    view! {
        <Card title="Your own words">
            <FormFor action=update>
                <VersionField version/>
                <TextAreaField name="stop" label="No more messages" value=stop rows=4 optional=true hint="One word or short phrase on each line. It counts as a whole message."/>
                <TextAreaField name="start" label="Messages again" value=start rows=3 optional=true/>
                <TextAreaField name="help" label="Help" value=help rows=3 optional=true/>
                <TextAreaField name="yes" label="Yes" value=yes rows=3 optional=true hint="Counts only as the answer to a double opt-in's question, while that waits."/>
                <NumberField name="double_opt_in_days" label="A yes counts for" value=days required=true min=1 max=90 unit="days" hint="After the question of a topic with double opt-in."/>
                <FormActions><SubmitButton label="Save" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
