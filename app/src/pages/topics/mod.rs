//! Topics: what people subscribe to.

mod api;

use domain::{role::Permission, topic::Topic};
use leptos::prelude::*;

use self::api::{CreateTopic, DeleteTopic, TopicsView, UpdateTopic, load_topics};
use crate::{components::*, paths};

/// Shows the page.
pub fn open() -> AnyView {
    TopicsPage().into_any()
}

/// Everything on one page: the list, a new one, the one that is being edited (`?edit=key`), and the question before one
/// is deleted (`?delete=key`).
#[component]
fn TopicsPage() -> impl IntoView {
    let here = use_here();
    let create = FormAction::<CreateTopic>::new();
    let update = FormAction::<UpdateTopic>::new();
    // After a topic was deleted its question is left, and the list is another one.
    let source = move || (create.version().get(), update.version().get(), here.get("delete"));
    let topics = fetch(source, |_| load_topics());
    view! { <Loaded from=topics let:view>{page(&view, here, create, update)}</Loaded> }.into_any()
}

fn page(view: &TopicsView, here: Here, create: FormAction<CreateTopic>, update: FormAction<UpdateTopic>) -> AnyView {
    let topics = &view.topics[..];
    let writes = may(Permission::Write);
    if let Some(topic) = named(topics, &here.get("delete")).filter(|_| writes) {
        return removal(topic);
    }
    let list = list(topics, writes);
    let content = if writes {
        let form = match named(topics, &here.get("edit")) {
            Some(topic) => edit_form(topic.clone(), &view.templates, update),
            None => new_form(create),
        };
        view! { <div class="grid grid--2-1">{list} {form}</div> }.into_any()
    } else {
        list
    };
    view! {
        <PageHeader
            title="Topics"
            lead=|| "What people subscribe to and unsubscribe from: by campaign, by import, or by answering SUBSCRIBE and its key."
        />
        {content}
    }
    .into_any()
}

fn named<'a>(topics: &'a [Topic], key: &str) -> Option<&'a Topic> {
    topics.iter().find(|topic| topic.key == key)
}

fn list(topics: &[Topic], writes: bool) -> AnyView {
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
    let mut columns = vec![Col::text("Topic"), Col::text("Key"), Col::number("Subscribed")];
    if writes {
        columns.push(Col::action("Actions"));
    }
    let rows = topics.iter().map(|topic| row(topic, writes)).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table caption="Topics" columns=columns>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn row(topic: &Topic, writes: bool) -> AnyView {
    let people = paths::with_query(paths::CONTACTS, &[("topic", &topic.key)]);
    let actions = writes.then(|| actions(&topic.key));
    view! {
        <tr>
            <td class="main" data-label="Topic">
                <b dir="auto">{topic.name.clone()}</b>
                {topic.double_opt_in.then(|| pill((Tone::Info, "Double opt-in")))}
                <div class="muted" dir="auto">{topic.description.clone()}</div>
            </td>
            <td data-label="Key"><code>{topic.key.clone()}</code></td>
            <td class="num" data-label="Subscribed"><a class="link" href=people>{format::num(topic.subscribers)}</a></td>
            {actions}
        </tr>
    }
    .into_any()
}

fn actions(key: &str) -> AnyView {
    let edit = paths::with_query(paths::TOPICS, &[("edit", key)]);
    let delete = paths::with_query(paths::TOPICS, &[("delete", key)]);
    view! {
        <td class="num" data-label="">
            <div class="actions actions--end">
                <a class="btn btn--small" href=edit>"Edit"</a>
                <a class="btn btn--small btn--danger" href=delete>"Delete"</a>
            </div>
        </td>
    }
    .into_any()
}

/// The question before a topic is deleted.
fn removal(topic: &Topic) -> AnyView {
    // Made anew with every question: why one topic could not be deleted is no matter of the next one.
    let delete = FormAction::<DeleteTopic>::new();
    let (key, subscribers) = (topic.key.clone(), topic.subscribers);
    let shown = key.clone();
    view! {
        <ConfirmPage
            title=format!("Delete {}?", topic.name)
            crumbs=vec![crumb("Topics", paths::TOPICS)]
            lead="All its subscriptions go with it. This cannot be undone."
            back=("Keep the topic".to_owned(), paths::TOPICS.to_owned())
        >
            <Facts>
                <Fact name="Key"><code>{shown}</code></Fact>
                <Fact name="People subscribed to it">{format::num(subscribers)}</Fact>
            </Facts>
            <p class="muted">"The people stay, with their consent. A topic that a campaign or an audience uses cannot be deleted."</p>
            <FormFor action=delete>
                <Hidden name="key" value=key/>
                <FormActions>
                    <SubmitButton label="Delete the topic" busy="Deleting…" class="btn btn--danger-solid"/>
                </FormActions>
            </FormFor>
        </ConfirmPage>
    }
    .into_any()
}

fn new_form(create: FormAction<CreateTopic>) -> AnyView {
    view! {
        <Card title="New topic">
            <FormFor action=create fresh=true>
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
                {asks_back(false)}
                <FormActions><SubmitButton label="Create topic" busy="Creating…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

fn asks_back(checked: bool) -> AnyView {
    view! {
        <CheckboxField
            name="double_opt_in"
            label="Double opt-in"
            checked=checked
            hint="Whoever is to be subscribed is asked first, and is subscribed by their YES alone."
        />
    }
    .into_any()
}

fn edit_form(topic: Topic, templates: &[(String, String)], update: FormAction<UpdateTopic>) -> AnyView {
    let choices = templates.iter().map(|(id, name)| Choice::new(id.clone(), name.clone())).collect();
    let question = topic.question_template_id.map(|id| id.to_string()).unwrap_or_default();
    view! {
        <Card title=format!("Edit {}", topic.name)>
            <FormFor action=update>
                <Hidden name="key" value=topic.key/>
                <VersionField version=topic.version/>
                <TextField name="name" label="Name" value=topic.name required=true maxlength=100/>
                <TextAreaField name="description" label="Description" value=topic.description rows=3 optional=true/>
                {asks_back(topic.double_opt_in)}
                <SelectField
                    name="question"
                    label="Question"
                    choices=choices
                    blank="The built-in question".to_owned()
                    value=question
                    hint="Who has not written to you within 24 hours can be asked on WhatsApp by an approved template only. It may say {{ topic }}."
                />
                <FormActions>
                    <SubmitButton label="Save" busy="Saving…"/>
                    <a class="btn" href=paths::TOPICS>"Cancel"</a>
                </FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}
