//! What is answered by itself to what people write.

mod api;

use domain::auto_reply::{AutoReply, AutoReplyWhen, Weekday};
use leptos::prelude::*;

use self::api::{AddReply, ChangeReply, RepliesView, UpdateOffice, load_replies};
use crate::{components::*, paths, text::Tone};

/// Shows the page.
pub fn page() -> AnyView {
    RepliesPage().into_any()
}

#[component]
fn RepliesPage() -> impl IntoView {
    let add = FormAction::<AddReply>::new();
    let change = FormAction::<ChangeReply>::new();
    let office = FormAction::<UpdateOffice>::new();
    let source = move || add.version().get() + change.version().get() + office.version().get();
    let view = fetch(source, |_| load_replies());
    view! {
        <PageHeader
            title="Automatic replies"
            lead=|| "What goes out by itself to people who have just written. Nobody is answered who stopped, and nobody without end."
        />
        {super::tabs(paths::AUTO_REPLIES)}
        <ActionError action=change/>
        <Loaded from=view let:view>{content(&view, add, change, office)}</Loaded>
    }
    .into_any()
}

fn content(
    view: &RepliesView,
    add: FormAction<AddReply>,
    change: FormAction<ChangeReply>,
    office: FormAction<UpdateOffice>,
) -> AnyView {
    view! {
        <div class="grid grid--2-1">
            <div class="stack">{list(view, change)} {office_form(view, office)}</div>
            {add_form(view, add)}
        </div>
    }
    .into_any()
}

fn list(view: &RepliesView, change: FormAction<ChangeReply>) -> AnyView {
    if view.replies.rules.is_empty() {
        return view! {
            <Card>
                <Empty
                    glyph=Glyph::Reply
                    title="Nothing is answered by itself"
                    text="A first rule may greet who writes for the first time, or say when you are there again."
                />
            </Card>
        }
        .into_any();
    }
    let rows = view.replies.rules.iter().map(|rule| row(rule, view, change)).collect::<Vec<_>>();
    view! {
        <Card flush=true>
            <Table caption="Automatic replies" columns=vec![Col::text("Rule"), Col::text("Answer"), Col::action("Actions")]>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn row(rule: &AutoReply, view: &RepliesView, change: FormAction<ChangeReply>) -> AnyView {
    let id = rule.template_id.map(|id| id.to_string()).unwrap_or_default();
    let template = view.templates.iter().find(|(known, _)| *known == id).map(|(_, name)| format!("Template {name}"));
    let answer = rule.text.clone().or(template).unwrap_or_else(|| "A template that is gone".to_owned());
    let (mark, to, verb) =
        if rule.enabled { ((Tone::Ok, "On"), "off", "Turn off") } else { ((Tone::Idle, "Off"), "on", "Turn on") };
    let button = |to: &'static str, label: &'static str, class: &'static str| {
        let name = rule.name.clone();
        view! {
            <FormFor action=change class="inline">
                <Hidden name="name" value=name/>
                <Hidden name="to" value=to.to_owned()/>
                <SubmitButton label=label busy="Saving…" class=class/>
            </FormFor>
        }
        .into_any()
    };
    view! {
        <tr>
            <td class="main" data-label="Rule">
                <b dir="auto">{rule.name.clone()}</b> {pill(mark)} <div class="muted">{when(rule)}</div>
            </td>
            <td class="wrap" data-label="Answer" dir="auto">{answer}</td>
            <td class="num" data-label="">
                <div class="actions actions--end">
                    {button(to, verb, "btn btn--small")} {button("delete", "Delete", "btn btn--small btn--danger")}
                </div>
            </td>
        </tr>
    }
    .into_any()
}

fn when(rule: &AutoReply) -> String {
    match rule.when {
        AutoReplyWhen::Keyword => format!("To {}", rule.words.join(", ")),
        AutoReplyWhen::FirstContact => "To the first message of a person".to_owned(),
        AutoReplyWhen::OutOfHours => "Outside of the office hours".to_owned(),
    }
}

fn add_form(view: &RepliesView, add: FormAction<AddReply>) -> AnyView {
    let templates = view.templates.iter().map(|(id, name)| Choice::new(id.clone(), name.clone())).collect();
    let whens = vec![
        Choice::new("first_contact", "Somebody writes for the first time"),
        Choice::new("out_of_hours", "Somebody writes outside of the office hours"),
        Choice::new("keyword", "The whole message is one of these words"),
    ];
    view! {
        <Card title="New rule">
            <FormFor action=add fresh=true>
                <TextField name="name" label="Name" required=true maxlength=60 placeholder="Out of hours"/>
                <SelectField name="when" label="When" choices=whens value="first_contact"/>
                <TextAreaField name="words" label="Words" rows=3 optional=true hint="For the last choice: one on each line. Case and accents do not count."/>
                <TextAreaField name="text" label="Answer" rows=4 optional=true hint="A text, or a template below."/>
                <SelectField name="template_id" label="Template" choices=templates blank="None" optional=true/>
                <FormActions><SubmitButton label="Add the rule" busy="Adding…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

fn office_form(view: &RepliesView, office: FormAction<UpdateOffice>) -> AnyView {
    let replies = &view.replies;
    let hours = &replies.office_hours;
    let days = Weekday::ALL.iter().map(|day| {
        let (label, name) = weekday(*day);
        let checked = hours.days.contains(day);
        view! { <CheckboxField name="days[]" label=label value=name checked=checked/> }.into_any()
    });
    let days = days.collect::<Vec<_>>();
    let timezone = hours.timezone.clone().unwrap_or_default();
    let default = view.default_timezone.clone();
    let (start, end) = (hours.start.to_string(), hours.end.to_string());
    let (pause, per_day) = (i64::from(replies.pause_hours), i64::from(replies.per_day));
    view! {
        <Card title="Office hours and limits">
            <FormFor action=office>
                <FieldGroup legend="Days"><div class="checks--row">{days}</div></FieldGroup>
                <div class="pair">
                    <TextField name="start" label="From" kind="time" required=true value=start/>
                    <TextField name="end" label="Until" kind="time" required=true value=end/>
                </div>
                <TextField name="timezone" label="Time zone" optional=true placeholder=default value=timezone/>
                <NumberField
                    name="pause_hours"
                    label="A rule answers one person once in"
                    value=pause
                    required=true
                    min=1
                    max=720
                    unit="hours"
                />
                <NumberField
                    name="per_day"
                    label="All rules together answer one person"
                    value=per_day
                    required=true
                    min=1
                    max=10
                    unit="times in 24 hours"
                    hint="Whoever writes faster than people do is taken for a program, and is not answered."
                />
                <FormActions><SubmitButton label="Save" busy="Saving…"/></FormActions>
            </FormFor>
        </Card>
    }
    .into_any()
}

const fn weekday(day: Weekday) -> (&'static str, &'static str) {
    match day {
        Weekday::Monday => ("Monday", "mon"),
        Weekday::Tuesday => ("Tuesday", "tue"),
        Weekday::Wednesday => ("Wednesday", "wed"),
        Weekday::Thursday => ("Thursday", "thu"),
        Weekday::Friday => ("Friday", "fri"),
        Weekday::Saturday => ("Saturday", "sat"),
        Weekday::Sunday => ("Sunday", "sun"),
    }
}
