//! The step "When": now, once, again and again, or on an event; and how a trigger reads.

use domain::{
    campaign::{Repeat, Trigger},
    schedule::CatchUp,
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    super::{actions::SaveWhen, api::WizardView},
    Step,
    forms::buttons,
    words,
};
use crate::components::*;
#[cfg(feature = "ssr")]
use {crate::error::AppError, domain::time::Timestamp};

/// The fields of the step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhenFields {
    pub when: String,
    /// As `<input type="datetime-local">` writes it.
    pub at: String,
    pub timezone: String,
    pub local: bool,
    pub rhythm: String,
    pub time: String,
    pub weekday: String,
    pub month_day: String,
    pub expression: String,
    pub count: String,
    /// The last day, as `<input type="date">` writes it.
    pub until: String,
    pub event: String,
    pub delay: String,
    pub debounce: String,
}

const DAILY: &str = "daily";
const WEEKLY: &str = "weekly";
const MONTHLY: &str = "monthly";
const CUSTOM: &str = "custom";

const WEEKDAYS: [(&str, &str); 7] = [
    ("MON", "Monday"),
    ("TUE", "Tuesday"),
    ("WED", "Wednesday"),
    ("THU", "Thursday"),
    ("FRI", "Friday"),
    ("SAT", "Saturday"),
    ("SUN", "Sunday"),
];

impl WhenFields {
    /// The fields that show a cron expression; what the builder cannot say is shown as it is.
    #[cfg(any(feature = "ssr", test))]
    fn of_cron(expression: &str) -> Self {
        let parts: Vec<&str> = expression.split_whitespace().collect();
        let mut fields = Self { when: "cron".to_owned(), expression: expression.to_owned(), ..Self::default() };
        CUSTOM.clone_into(&mut fields.rhythm);
        let [minute, hour, day, "*", weekday] = parts[..] else { return fields };
        let (Ok(minute), Ok(hour)) = (minute.parse::<u8>(), hour.parse::<u8>()) else { return fields };
        let rhythm = match (day, weekday) {
            ("*", "*") => DAILY,
            ("*", weekday) if WEEKDAYS.iter().any(|(word, _)| *word == weekday) => WEEKLY,
            (day, "*") if day == "L" || day.parse::<u8>().is_ok() => MONTHLY,
            _ => return fields,
        };
        rhythm.clone_into(&mut fields.rhythm);
        fields.time = format!("{hour:02}:{minute:02}");
        if rhythm == WEEKLY {
            weekday.clone_into(&mut fields.weekday);
        }
        if rhythm == MONTHLY {
            day.clone_into(&mut fields.month_day);
        }
        fields
    }

    /// The cron expression that was put together.
    #[cfg(any(feature = "ssr", test))]
    fn cron(&self) -> Result<String, (&'static str, &'static str)> {
        if self.rhythm == CUSTOM {
            return Ok(self.expression.clone());
        }
        let time = self.time.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.get(..2)?.parse().ok()?);
            (hour < 24 && minute < 60).then_some((hour, minute))
        });
        let (hour, minute) = time.ok_or(("time", "Give a time such as 09:00."))?;
        let day = match self.rhythm.as_str() {
            WEEKLY => {
                let known = WEEKDAYS.iter().find(|(word, _)| *word == self.weekday);
                format!("* * {}", known.ok_or(("weekday", "Choose a day of the week."))?.0)
            }
            MONTHLY if self.month_day == "L" => "L * *".to_owned(),
            MONTHLY => {
                let day = self.month_day.parse::<u8>().ok().filter(|day| (1..=31).contains(day));
                format!("{} * *", day.ok_or(("month_day", "Choose a day of the month."))?)
            }
            _ => "* * *".to_owned(),
        };
        Ok(format!("{minute} {hour} {day}"))
    }

    /// The fields that show a trigger.
    #[cfg(feature = "ssr")]
    pub fn of(trigger: &Trigger, zone: &str) -> Self {
        let mut fields = match trigger {
            Trigger::Now => Self { when: "now".to_owned(), ..Self::default() },
            Trigger::Once { at, local, timezone } => {
                let shown = if *local || timezone.is_some() {
                    at.get(..16).unwrap_or(at).to_owned()
                } else {
                    at.parse().map(|at| engine::scheduler::local_time(zone, at)).unwrap_or_default()
                };
                let timezone = timezone.clone().unwrap_or_default();
                Self { when: "once".to_owned(), at: shown, timezone, local: *local, ..Self::default() }
            }
            Trigger::Cron { expression, timezone, count, until } => Self {
                until: until.map(|until| day_of(timezone.as_deref().unwrap_or(zone), until)).unwrap_or_default(),
                timezone: timezone.clone().unwrap_or_default(),
                count: count.map(|count| count.to_string()).unwrap_or_default(),
                ..Self::of_cron(expression)
            },
            Trigger::Event { name, delay, debounce } => Self {
                when: "event".to_owned(),
                event: name.clone(),
                delay: words::spoken(delay.clone().unwrap_or_default()),
                debounce: words::spoken(debounce.clone().unwrap_or_default()),
                ..Self::default()
            },
        };
        if fields.timezone.is_empty() {
            zone.clone_into(&mut fields.timezone);
        }
        fields
    }

    /// Whether both go out once, at the same time of the same clock.
    #[cfg(feature = "ssr")]
    pub fn is_same_time(&self, other: &Self) -> bool {
        let told = |fields: &Self| (fields.at.clone(), fields.timezone.trim().to_owned(), fields.local);
        self.when == "once" && other.when == "once" && told(self) == told(other)
    }

    /// The trigger that the fields say.
    #[cfg(feature = "ssr")]
    pub fn trigger(&self) -> Result<Trigger, AppError> {
        let timezone = Some(self.timezone.trim().to_owned()).filter(|zone| !zone.is_empty());
        match self.when.as_str() {
            "once" if self.at.trim().is_empty() => Err(AppError::field("at", "Give a day and a time.")),
            "once" if self.local => Ok(Trigger::Once { at: self.at.clone(), local: true, timezone: None }),
            "once" => {
                let timezone = Some(timezone.unwrap_or_else(|| "UTC".to_owned()));
                Ok(Trigger::Once { at: self.at.clone(), local: false, timezone })
            }
            "cron" => {
                let count = self.count.trim();
                let count = (!count.is_empty()).then(|| count.parse::<i32>()).transpose();
                let count = count.map_err(|_| AppError::field("count", "Write a whole number, or nothing."))?;
                let expression = self.cron().map_err(|(field, remedy)| AppError::field(field, remedy))?;
                let until = self.last_moment(timezone.as_deref().unwrap_or("UTC"))?;
                Ok(Trigger::Cron { expression, timezone, until, count })
            }
            "event" => Ok(Trigger::Event {
                name: self.event.clone(),
                delay: words::read_duration("delay", &self.delay)?,
                debounce: words::read_duration("debounce", &self.debounce)?,
            }),
            _ => Ok(Trigger::Now),
        }
    }
}

#[cfg(feature = "ssr")]
impl WhenFields {
    /// The last minute of the last day, there.
    fn last_moment(&self, zone: &str) -> Result<Option<Timestamp>, AppError> {
        let day = self.until.trim();
        if day.is_empty() {
            return Ok(None);
        }
        if !engine::scheduler::is_zone(zone) {
            return Err(AppError::field("timezone", "Give a time zone such as Asia/Colombo."));
        }
        let last = engine::scheduler::instant_of(zone, &format!("{day}T23:59"));
        last.map(Some).ok_or_else(|| AppError::field("until", "Give a day, or nothing."))
    }
}

#[cfg(feature = "ssr")]
fn day_of(zone: &str, at: Timestamp) -> String {
    engine::scheduler::local_time(zone, at).get(..10).unwrap_or_default().to_owned()
}

/// `2026-12-01 09:00`
fn spoken_time(at: &str) -> String {
    at.get(..16).unwrap_or(at).replace('T', " ")
}

/// A trigger in words.
pub(in super::super) fn told(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Now => "When somebody launches it".to_owned(),
        Trigger::Once { at, local: true, .. } => format!("{}, by each person's own clock", spoken_time(at)),
        Trigger::Once { at, timezone: Some(zone), .. } => format!("Once, {} ({zone})", spoken_time(at)),
        Trigger::Once { at, .. } => match at.parse() {
            Ok(at) => format!("Once, {}", format::utc(at)),
            Err(_) => at.clone(),
        },
        Trigger::Cron { expression, timezone, count, until } => {
            let zone = timezone.as_deref().unwrap_or("UTC");
            let end = count.map(|count| format!(", {}", format::counted(i64::from(count), "time", "times")));
            let last = until.map(|until| format!(", until {}", format::utc(until)));
            format!("Again and again: {expression} ({zone}){}{}", end.unwrap_or_default(), last.unwrap_or_default())
        }
        Trigger::Event { name, delay, debounce } => {
            let after = delay.clone().map(|delay| format!(", {} later", words::spoken(delay)));
            let calm = debounce.clone().map(|calm| format!(", once nothing new came for {}", words::spoken(calm)));
            format!("On every {name}{}{}", after.unwrap_or_default(), calm.unwrap_or_default())
        }
    }
}

pub(super) fn form(view: WizardView, save: FormAction<SaveWhen>) -> AnyView {
    let campaign = view.campaign;
    let Some(when) = view.when else { return ().into_any() };
    let fields = when.fields;
    let on_event = fields.when == "event";
    let kinds = vec![
        Choice::new("now", "When I launch it").hint("Nothing happens before somebody presses the button."),
        Choice::new("once", "Once, at a time").hint("It goes out by itself at that time."),
        Choice::new("cron", "Again and again")
            .hint("Every time is a run of its own, to whoever is in the audience then."),
        Choice::new("event", "When something happens")
            .hint("A program of yours tells of it by POST /events, and whom it is about gets the message."),
    ];
    let rhythms = vec![
        Choice::new(DAILY, "Every day"),
        Choice::new(WEEKLY, "Every week"),
        Choice::new(MONTHLY, "Every month"),
        Choice::new(CUSTOM, "By a cron expression"),
    ];
    let weekdays = WEEKDAYS.into_iter().map(|(word, name)| Choice::new(word, name)).collect::<Vec<_>>();
    let days = (1..=31).map(|day| Choice::new(day.to_string(), day.to_string()));
    let days = days.chain([Choice::new("L", "The last day")]).collect::<Vec<_>>();
    let missed = vec![
        Choice::new(CatchUp::Run.as_str(), "Run it late")
            .hint("As soon as the program is there again; of several missed times only the latest."),
        Choice::new(CatchUp::Skip.as_str(), "Leave it out").hint("What is more than a minute late does not go out."),
    ];
    let repeat = vec![
        Choice::new(Repeat::EachRun.as_str(), "Every time").hint("Whoever is meant again gets it again."),
        Choice::new(Repeat::OncePerPerson.as_str(), "Only once")
            .hint("For a welcome, say: whoever has had it from this campaign is left out from then on."),
    ];
    let or = |value: String, default: &str| if value.is_empty() { default.to_owned() } else { value };
    view! {
        <div class="grid grid--3-2">
            <Card>
                <FormFor action=save>
                    <Hidden name="campaign" value=campaign.id.to_string()/>
                    <VersionField version=campaign.version/>
                    <div class="when">
                        <RadioCards name="when" legend="When it goes out" choices=kinds value=fields.when/>
                        <div class="when__part when__part--once">
                            <TextField name="at" label="Day and time" kind="datetime-local" value=fields.at/>
                            <CheckboxField
                                name="local"
                                label="By each person's own clock"
                                checked=fields.local
                                hint="Everybody gets it at this time where they are. Whoever may be in several time zones gets it when the time has come in all of them."
                            />
                        </div>
                        <div class="when__part when__part--cron">
                            <SelectField name="rhythm" label="How often" choices=rhythms value=or(fields.rhythm, DAILY)/>
                            <TextField name="time" label="Time" kind="time" value=or(fields.time, "09:00")/>
                            <SelectField name="weekday" label="Day, for every week" choices=weekdays value=or(fields.weekday, "MON")/>
                            <SelectField name="month_day" label="Day, for every month" choices=days value=or(fields.month_day, "1") hint="Months that do not have it are left out."/>
                            <TextField
                                name="expression"
                                label="Cron expression"
                                value=fields.expression
                                optional=true
                                placeholder="0 9 * * MON-FRI"
                                hint="Only for “By a cron expression”. Minute, hour, day of the month, month, day of the week."
                            />
                            <TextField name="count" label="How many times" value=fields.count optional=true hint="Empty: until somebody cancels it."/>
                            <TextField name="until" label="Last day" kind="date" value=fields.until optional=true/>
                        </div>
                        <div class="when__part when__part--event">
                            <TextField
                                name="event"
                                label="Name of the event"
                                value=fields.event
                                placeholder="price_drop"
                                suggestions=when.events
                                hint="As your program calls it. contact.created, contact.imported, contact.subscribed and contact.opted_in happen here by themselves."
                            />
                            <TextField name="delay" label="How long after it" value=fields.delay optional=true placeholder="30 minutes" hint="Empty: at once."/>
                            <TextField
                                name="debounce"
                                label="Wait until nothing new came for"
                                value=fields.debounce
                                optional=true
                                placeholder="10 minutes"
                                hint="What happens to a person within this time becomes one message, with the data of the last."
                            />
                        </div>
                        <div class="when__part when__part--repeat">
                            <RadioCards name="repeat" legend="How often a person gets it" choices=repeat value=campaign.repeat.as_str()/>
                        </div>
                        <div class="when__part when__part--zone">
                            <TextField name="timezone" label="Time zone" value=fields.timezone hint="Such as Asia/Colombo. A time that the clock skips in spring goes out right after the gap; one that comes twice in autumn goes out the first time."/>
                            <RadioCards name="catch_up" legend="When its time was missed" hint="The program was down, or the campaign paused." choices=missed value=campaign.catch_up.as_str()/>
                        </div>
                    </div>
                    {buttons(&campaign, Step::When, Some("Save and show the times"))}
                </FormFor>
            </Card>
            {if on_event { about_events() } else { upcoming(when.upcoming) }}
        </div>
    }
    .into_any()
}

fn about_events() -> AnyView {
    view! {
        <Card title="On an event">
            <p class="muted">
                "From when you schedule it until somebody cancels it, every event of this name becomes a message to whom it is about, as long as they are in the audience."
            </p>
            <p class="muted">"What the event tells stands in the text as " <code>"{{ event.price }}"</code> "."</p>
        </Card>
    }
    .into_any()
}

fn upcoming(times: Vec<String>) -> AnyView {
    if times.is_empty() {
        return view! {
            <Card title="The next times">
                <p class="muted">"Once a time is saved, this shows when it is due."</p>
            </Card>
        }
        .into_any();
    }
    let items = times.into_iter().map(|time| view! { <li>{time}</li> }).collect::<Vec<_>>();
    view! {
        <Card title="The next times">
            <ol class="bullets">{items}</ol>
            <p class="muted small">"It starts by itself only after you have scheduled it at the end."</p>
        </Card>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_says_what_it_was_told() {
        for expression in ["30 9 * * *", "0 9 * * MON", "5 18 31 * *", "0 0 L * *"] {
            let fields = WhenFields::of_cron(expression);
            assert_ne!(fields.rhythm, CUSTOM, "{expression}");
            assert_eq!(fields.cron().as_deref(), Ok(expression));
        }
        for expression in ["*/5 * * * *", "0 9 * * MON-FRI", "0 9 1 1 *", "nonsense"] {
            let fields = WhenFields::of_cron(expression);
            assert_eq!((fields.rhythm.as_str(), fields.cron().as_deref()), (CUSTOM, Ok(expression)));
        }
        let wrong = WhenFields { rhythm: WEEKLY.to_owned(), time: "09:00".to_owned(), ..WhenFields::default() };
        assert_eq!(wrong.cron().map_err(|(field, _)| field), Err("weekday"));
        let wrong = WhenFields { rhythm: DAILY.to_owned(), time: "25:00".to_owned(), ..WhenFields::default() };
        assert_eq!(wrong.cron().map_err(|(field, _)| field), Err("time"));
    }
}
