//! Topics: what people subscribe to.

mod api;

use domain::topic::Topic;
use leptos::prelude::*;

use self::api::{CreateTopic, DeleteTopic, UpdateTopic, load_topics};
use crate::{components::*, paths};

/// Shows the page.
pub fn open() -> AnyView {
    TopicsPage().into_any()
}

/// Everything on one page: the list, a new one, and the one that is being edited (`?edit=key`).
#[component]
fn TopicsPage() -> impl IntoView {
    let here = use_here();
    let create = FormAction::<CreateTopic>::new();
    let update = FormAction::<UpdateTopic>::new();
    let delete = FormAction::<DeleteTopic>::new();
    let changes = move || (create.version().get(), update.version().get(), delete.version().get());
    let topics = fetch(changes, |_| load_topics());
    view! {
        <PageHeader
            title="Topics"
            lead=|| "What people subscribe to and unsubscribe from: by campaign, by import, or by answering SUBSCRIBE and its key."
        />
        <ActionError action=delete/>
        <Loaded from=topics let:topics>
            {
                let edited = here.get("edit");
                let edited = topics.iter().find(|topic| topic.key == edited).cloned();
                view! {
                    <div class="grid grid--2-1">
                        {list(&topics, delete)}
                        {match edited {
                            Some(topic) => edit_form(topic, update),
                            None => new_form(create),
                        }}
                    </div>
                }
                .into_any()
            }
        </Loaded>
    }
    .into_any()
}

fn list(topics: &[Topic], delete: FormAction<DeleteTopic>) -> AnyView {
    if topics.is_empty() {
        return view! {
            <Card>
                <Empty
                    glyph=Glyph::Topic
                    title="No topics yet"
                    text="A topic such as Offers lets people leave one kind of message without leaving all of them."
                />
            </Card>
        }
        .into_any();
    }
    let rows = topics.iter().map(|topic| row(topic, delete)).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table
                caption="Topics"
                columns=vec![Col::text("Topic"), Col::text("Key"), Col::number("Subscribed"), Col::action("Actions")]
            >
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn row(topic: &Topic, delete: FormAction<DeleteTopic>) -> AnyView {
    let key = topic.key.clone();
    let people = paths::with_query(paths::CONTACTS, &[("topic", &key)]);
    view! {
        <tr>
            <td class="main" data-label="Topic">
                <b dir="auto">{topic.name.clone()}</b>
                <div class="muted" dir="auto">{topic.description.clone()}</div>
            </td>
            <td data-label="Key"><code>{key.clone()}</code></td>
            <td class="num" data-label="Subscribed"><a class="link" href=people>{format::num(topic.subscribers)}</a></td>
            <td class="num" data-label="">
                <div class="actions">
                    <a class="btn btn--small" href=paths::with_query(paths::TOPICS, &[("edit", &key)])>"Edit"</a>
                    <FormFor action=delete class="form--inline">
                        <Hidden name="key" value=key.clone()/>
                        <SubmitButton label="Delete" busy="Deleting…" class="btn btn--small btn--danger"/>
                    </FormFor>
                </div>
            </td>
        </tr>
    }
    .into_any()
}

fn new_form(create: FormAction<CreateTopic>) -> AnyView {
    view! {
        <Card title="New topic">
            <FormFor action=create>
                <TextField name="name" label="Name" required=true maxlength=100 placeholder="Offers"/>
                <TextField
                    name="key"
                    label="Key"
                    required=true
                    maxlength=50
                    placeholder="offers"
                    hint="What people write after SUBSCRIBE: small letters, digits, - and _. It cannot be changed later."
                />
                <TextAreaField name="description" label="Description" rows=3 optional=true/>
                <FormActions><SubmitButton label="Create topic" busy="Creating…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

fn edit_form(topic: Topic, update: FormAction<UpdateTopic>) -> AnyView {
    view! {
        <Card title=format!("Edit {}", topic.name)>
            <FormFor action=update>
                <Hidden name="key" value=topic.key/>
                <VersionField version=topic.version/>
                <TextField name="name" label="Name" value=topic.name required=true maxlength=100/>
                <TextAreaField name="description" label="Description" value=topic.description rows=3 optional=true/>
                <FormActions>
                    <SubmitButton label="Save" busy="Saving…"/>
                    <a class="btn" href=paths::TOPICS>"Cancel"</a>
                </FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
