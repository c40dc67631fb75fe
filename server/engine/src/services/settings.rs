//! Settings of the workspace, and holding all sending.

mod auto_replies;
mod forgetting;
mod law;
mod quiet;
mod words;

use std::{sync::Arc, time::Duration};

use domain::{
    auto_reply::AutoReplies,
    keywords::Keywords,
    opt_in,
    problem::FieldError,
    quiet::{FrequencyCap, Holiday, OwnLawLine, WorkspaceQuiet},
    role::Permission,
    settings::{Retention, Sending, SendingState, Settings, SettingsPatch, UNREACHABLE_DAYS},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::settings::Stored;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    Actor, Engine, Error, Result,
    config::Config,
    quiet::shipped_holidays,
    require,
    services::{simulator, stale::stale},
    zones,
};

/// The key of the document in the settings table.
const KEY: &str = "workspace";

/// How old the settings that senders go by may be: "hold" is in effect everywhere within this time.
const FRESH_FOR: Duration = Duration::from_millis(400);

/// Twilio takes no more from one account with all its subaccounts (error 63017).
const REAL_ACCOUNT_RATE: i32 = 2_000;

const RATE_MAX: i32 = 100_000;

/// Characters of the reason why sending is held.
const REASON_MAX: usize = 500;

/// Percent of the day's people that campaigns leave to replies.
const REPLY_SHARE: i32 = 10;
/// Meta's largest limit but "no limit" is 100,000; room for what it may become.
const PEOPLE_MAX: i32 = 10_000_000;

/// Raw webhooks are what lost callbacks are looked for in, and what `events replay` reads: a day at least.
const RAW_DAYS: std::ops::RangeInclusive<i32> = 1..=3_650;
/// A text is needed while it is not known what became of its message, and while people may answer it.
const TEXT_DAYS: std::ops::RangeInclusive<i32> = 7..=36_500;
/// Callbacks still come, and come again, while they are younger.
const CALLBACK_DAYS: std::ops::RangeInclusive<i32> = 30..=36_500;

/// What was set; the rest follows the defaults, which depend on whether there is a real account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    sending: Sending,
    default_country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforce_whatsapp_window: Option<bool>,
    /// Absent: the default; null: no limit.
    #[serde(with = "domain::contact::double_option", skip_serializing_if = "Option::is_none")]
    account_rate_per_second: Option<Option<i32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whatsapp_daily_people: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    whatsapp_reply_share: Option<i32>,
    #[serde(skip_serializing_if = "Keywords::is_empty")]
    keywords: Keywords,
    #[serde(skip_serializing_if = "Option::is_none")]
    double_opt_in_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_replies: Option<AutoReplies>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_hours: Option<WorkspaceQuiet>,
    /// Absent: the list that the program brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    holidays: Option<Vec<Holiday>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    law_lines: Vec<OwnLawLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frequency_caps: Vec<FrequencyCap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
}

/// The settings as this process last read them.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Option<(Instant, Arc<Settings>)>>);

/// The settings, at most half a second old: what senders and workers go by.
///
/// # Errors
/// When they cannot be read. Whoever would send must then not send.
pub(crate) async fn current(engine: &Engine) -> Result<Arc<Settings>> {
    // The lock is held while reading: many askers cause one query.
    let mut cached = engine.inner().settings.0.lock().await;
    if let Some((read_at, settings)) = &*cached
        && read_at.elapsed() < FRESH_FOR
    {
        return Ok(settings.clone());
    }
    let read_at = Instant::now();
    let settings = Arc::new(load(engine.db().lookout(), engine.config(), engine.now()).await?);
    *cached = Some((read_at, settings.clone()));
    Ok(settings)
}

async fn load(db: &impl store::ConnectionTrait, config: &Config, now: Timestamp) -> Result<Settings> {
    Ok(with_defaults(store::settings::load(db, KEY).await?, config, now))
}

fn with_defaults(stored: Option<Stored<Document>>, config: &Config, now: Timestamp) -> Settings {
    let real = !config.is_simulated();
    let (version, updated_at) = stored.as_ref().map_or((0, None), |stored| (stored.version, Some(stored.updated_at)));
    let document = stored.map(|stored| stored.value).unwrap_or_default();
    let settings = Settings {
        sending: document.sending,
        default_country: document.default_country,
        default_timezone: document.default_timezone.unwrap_or_else(|| "UTC".to_owned()),
        enforce_whatsapp_window: document.enforce_whatsapp_window.unwrap_or(real),
        account_rate_per_second: document.account_rate_per_second.unwrap_or(real.then_some(REAL_ACCOUNT_RATE)),
        whatsapp_daily_people: document.whatsapp_daily_people,
        whatsapp_reply_share: document.whatsapp_reply_share.unwrap_or(REPLY_SHARE),
        keywords: document.keywords,
        double_opt_in_days: document.double_opt_in_days.unwrap_or(opt_in::DAYS),
        auto_replies: document.auto_replies.unwrap_or_default(),
        quiet_hours: rule(document.quiet_hours, real),
        holidays: document.holidays.unwrap_or_else(shipped_holidays),
        law_lines: document.law_lines,
        closed_places: Vec::new(),
        frequency_caps: document.frequency_caps,
        unreachable_days: document.unreachable_days.unwrap_or(UNREACHABLE_DAYS),
        retention: document.retention.unwrap_or_default(),
        updated_at,
        version,
    };
    Settings { closed_places: quiet::closed_places(&settings, now), ..settings }
}

/// The stored rule; with a real account the law binds whatever was set while there was none.
fn rule(stored: Option<WorkspaceQuiet>, real: bool) -> WorkspaceQuiet {
    let rule = stored.unwrap_or_else(|| quiet::default_rule(real));
    WorkspaceQuiet { law: rule.law || real, ..rule }
}

/// See [`Engine::settings`].
pub struct SettingsService<'a>(&'a Engine);

impl Engine {
    /// Settings of the workspace, and holding all sending.
    #[must_use]
    pub const fn settings(&self) -> SettingsService<'_> {
        SettingsService(self)
    }
}

impl SettingsService<'_> {
    /// The settings as they are stored now.
    ///
    /// # Errors
    /// `Forbidden` for all but admins.
    pub async fn get(&self, actor: &Actor) -> Result<Settings> {
        require(actor, Permission::Administer)?;
        load(self.0.db().reader(), self.0.config(), self.0.now()).await
    }

    /// The part that everybody who plans something needs: the zone of pages and new schedules.
    ///
    /// # Errors
    /// What the database says.
    pub async fn default_timezone(&self, actor: &Actor) -> Result<String> {
        require(actor, Permission::Read)?;
        Ok(current(self.0).await?.default_timezone.clone())
    }

    /// Changes settings. Holding or releasing all sending is in effect in every process within a second.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `Stale`.
    pub async fn update(&self, actor: &Actor, patch: SettingsPatch) -> Result<Settings> {
        require(actor, Permission::Administer)?;
        Error::unless_valid(problems(&patch))?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let stored: Option<Stored<Document>> = store::settings::load(&tx, KEY).await?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        if patch.version.is_some_and(|read| read != version) {
            return Err(stale(&patch, &with_defaults(stored, self.0.config(), now)));
        }
        let former = stored.map(|stored| stored.value).unwrap_or_default();
        let of_words = patch.keywords.as_ref().map(|change| words::problems(change, &former.keywords));
        Error::unless_valid(of_words.unwrap_or_default())?;
        let real = !self.0.config().is_simulated();
        let former_rule = rule(former.quiet_hours, real);
        Error::unless_valid(quiet::problems(&tx, former_rule, &patch, real).await?)?;
        Error::unless_valid(law::problems(&patch, &former.law_lines, former_rule, now))?;
        Error::unless_valid(auto_replies::problems(&tx, patch.auto_replies.as_ref()).await?)?;
        let (document, changed) = apply(former.clone(), &patch, former_rule);
        if document == former {
            drop(tx);
            return self.get(actor).await;
        }
        save(&tx, &document, version, now).await?;
        audit(&tx, actor, now, &former, &document, &changed).await?;
        if let Some(rule) = document.quiet_hours.filter(|_| document.quiet_hours != former.quiet_hours) {
            let reason = patch.quiet_hours.and_then(|change| change.reason);
            let detail = json!({ "former": former_rule, "rule": rule, "reason": reason });
            store::audit::append(&tx, actor, now, "change_quiet_hours", ("settings", KEY), &detail).await?;
        }
        if document.law_lines != former.law_lines {
            let detail = json!({ "former": former.law_lines, "lines": document.law_lines });
            store::audit::append(&tx, actor, now, "change_law_lines", ("settings", KEY), &detail).await?;
        }
        let counts_from_now = former.whatsapp_daily_people.is_none() && document.whatsapp_daily_people.is_some();
        if counts_from_now {
            // Nobody was counted while there was no limit.
            let account = &self.0.config().provider.account_sid;
            store::daily_recipients::recall(&tx, account, now.plus(-Timestamp::DAY)).await?;
        }
        tx.commit().await.map_err(store::Error::from)?;
        if counts_from_now {
            self.0.inner().throttle.forget_day().await;
        }
        *self.0.inner().settings.0.lock().await = None;
        let settings = load(self.0.db().reader(), self.0.config(), now).await?;
        simulator::follow(self.0, &settings).await;
        Ok(settings)
    }
}

/// Holds all sending, when the program itself has a reason to.
///
/// # Errors
/// What the database says.
pub(crate) async fn hold(tx: &store::Tx, actor: &Actor, reason: &str, now: Timestamp) -> Result<()> {
    let stored: Option<Stored<Document>> = store::settings::load(tx, KEY).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    let former = stored.map(|stored| stored.value).unwrap_or_default();
    let reason = held_because(&former.sending, reason);
    let sending = Sending { state: SendingState::Held, reason: Some(reason) };
    let document = Document { sending, ..former.clone() };
    save(tx, &document, version, now).await?;
    audit(tx, actor, now, &former, &document, &[]).await
}

/// The reason of a hold beside the one that stands: whoever held it before has not released it.
fn held_because(former: &Sending, reason: &str) -> String {
    match &former.reason {
        Some(before) if former.state == SendingState::Held && before.contains(reason) => before.clone(),
        Some(before) if former.state == SendingState::Held => {
            format!("{reason} It was held before: {before}").chars().take(REASON_MAX).collect()
        }
        _ => reason.to_owned(),
    }
}

impl Document {
    /// Those that the program brings along, until somebody changes them.
    fn holidays(&self) -> Vec<Holiday> {
        self.holidays.clone().unwrap_or_else(shipped_holidays)
    }
}

async fn save(tx: &store::Tx, document: &Document, version: i64, now: Timestamp) -> Result<()> {
    store::settings::save(tx, KEY, document, version, now).await?;
    Ok(())
}

/// The document with the patch applied, and the names of the changed fields.
fn apply(mut document: Document, patch: &SettingsPatch, former_rule: WorkspaceQuiet) -> (Document, Vec<&'static str>) {
    let former = document.clone();
    if let Some(sending) = &patch.sending {
        let reason = sending.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        document.sending = match sending.state {
            SendingState::On => Sending::default(),
            SendingState::Held => Sending { state: SendingState::Held, reason: reason.map(str::to_owned) },
        };
    }
    if let Some(country) = &patch.default_country {
        document.default_country = country.as_deref().map(str::to_ascii_uppercase);
    }
    if let Some(timezone) = &patch.default_timezone {
        document.default_timezone = Some(timezone.clone());
    }
    if let Some(enforce) = patch.enforce_whatsapp_window {
        document.enforce_whatsapp_window = Some(enforce);
    }
    if let Some(rate) = patch.account_rate_per_second {
        document.account_rate_per_second = Some(rate);
    }
    if let Some(people) = patch.whatsapp_daily_people {
        document.whatsapp_daily_people = people;
    }
    if let Some(share) = patch.whatsapp_reply_share {
        document.whatsapp_reply_share = Some(share);
    }
    if let Some(keywords) = &patch.keywords {
        document.keywords = words::tidy(&keywords.applied(&document.keywords));
    }
    if let Some(replies) = &patch.auto_replies {
        document.auto_replies = Some(auto_replies::tidy(replies));
    }
    if let Some(days) = patch.double_opt_in_days {
        document.double_opt_in_days = Some(days);
    }
    if let Some(change) = &patch.quiet_hours
        && change.applied(former_rule) != former_rule
    {
        document.quiet_hours = Some(change.applied(former_rule));
    }
    if let Some(holidays) = &patch.holidays {
        document.holidays = Some(holidays.clone());
    }
    if let Some(lines) = &patch.law_lines {
        document.law_lines = law::tidy(lines);
    }
    if let Some(caps) = &patch.frequency_caps {
        document.frequency_caps.clone_from(caps);
    }
    if let Some(days) = patch.unreachable_days {
        document.unreachable_days = Some(days);
    }
    if let Some(retention) = patch.retention {
        document.retention = Some(retention);
    }
    let changed = [
        ("holidays", former.holidays != document.holidays),
        ("frequency_caps", former.frequency_caps != document.frequency_caps),
        ("unreachable_days", former.unreachable_days != document.unreachable_days),
        ("default_country", former.default_country != document.default_country),
        ("default_timezone", former.default_timezone != document.default_timezone),
        ("enforce_whatsapp_window", former.enforce_whatsapp_window != document.enforce_whatsapp_window),
        ("account_rate_per_second", former.account_rate_per_second != document.account_rate_per_second),
        ("whatsapp_daily_people", former.whatsapp_daily_people != document.whatsapp_daily_people),
        ("whatsapp_reply_share", former.whatsapp_reply_share != document.whatsapp_reply_share),
        ("keywords", former.keywords != document.keywords),
        ("auto_replies", former.auto_replies != document.auto_replies),
        ("double_opt_in_days", former.double_opt_in_days != document.double_opt_in_days),
        ("retention", former.retention != document.retention),
    ];
    let changed = changed.into_iter().filter_map(|(field, changed)| changed.then_some(field)).collect();
    (document, changed)
}

/// Holding and releasing are lines of their own: they are what one looks for.
async fn audit(
    tx: &store::Tx,
    actor: &Actor,
    now: Timestamp,
    former: &Document,
    document: &Document,
    changed: &[&str],
) -> Result<()> {
    if former.sending != document.sending {
        let action = match document.sending.state {
            SendingState::On => "release_sending",
            SendingState::Held => "hold_sending",
        };
        let detail = json!({ "reason": document.sending.reason });
        store::audit::append(tx, actor, now, action, ("settings", KEY), &detail).await?;
    }
    if !changed.is_empty() {
        let holidays = (former.holidays != document.holidays)
            .then(|| quiet::holiday_changes(&former.holidays(), &document.holidays()));
        let detail = json!({
            "changed": changed,
            "holidays": holidays,
            "default_country": document.default_country,
            "default_timezone": document.default_timezone,
            "enforce_whatsapp_window": document.enforce_whatsapp_window,
            "account_rate_per_second": document.account_rate_per_second.flatten(),
            "whatsapp_daily_people": document.whatsapp_daily_people,
            "whatsapp_reply_share": document.whatsapp_reply_share,
            "keywords": document.keywords,
            "auto_replies": document.auto_replies,
            "double_opt_in_days": document.double_opt_in_days,
            "frequency_caps": document.frequency_caps,
            "unreachable_days": document.unreachable_days,
            "retention": document.retention,
        });
        store::audit::append(tx, actor, now, "update", ("settings", KEY), &detail).await?;
    }
    Ok(())
}

fn problems(patch: &SettingsPatch) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let reason = patch.sending.as_ref().and_then(|sending| sending.reason.as_deref()).unwrap_or_default().trim();
    if patch.sending.as_ref().is_some_and(|sending| sending.state == SendingState::Held) && reason.is_empty() {
        errors.push(FieldError::new("sending.reason", "Say why sending is held: others will want to know."));
    }
    if reason.chars().count() > REASON_MAX {
        errors.push(FieldError::new("sending.reason", format!("Use at most {REASON_MAX} characters.")));
    }
    if let Some(Some(country)) = &patch.default_country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()))
    {
        errors.push(FieldError::new("default_country", "Give a country as two letters, such as LK."));
    }
    if let Some(timezone) = &patch.default_timezone
        && zones::zone(timezone).is_none()
    {
        errors.push(FieldError::new("default_timezone", "Give a time zone such as Asia/Colombo."));
    }
    if let Some(Some(rate)) = patch.account_rate_per_second
        && !(1..=RATE_MAX).contains(&rate)
    {
        let message = format!("Give a number from 1 to {RATE_MAX}, or null for no limit.");
        errors.push(FieldError::new("account_rate_per_second", message));
    }
    if let Some(Some(people)) = patch.whatsapp_daily_people
        && !(1..=PEOPLE_MAX).contains(&people)
    {
        let message = format!("Give a number from 1 to {PEOPLE_MAX}, or null for no limit.");
        errors.push(FieldError::new("whatsapp_daily_people", message));
    }
    if patch.whatsapp_reply_share.is_some_and(|share| !(0..=100).contains(&share)) {
        errors.push(FieldError::new("whatsapp_reply_share", "Give a percentage from 0 to 100."));
    }
    if patch.double_opt_in_days.is_some_and(|days| !(1..=opt_in::DAYS_MAX).contains(&days)) {
        let message = format!("Give a number of days from 1 to {}.", opt_in::DAYS_MAX);
        errors.push(FieldError::new("double_opt_in_days", message));
    }
    errors.extend(patch.retention.into_iter().flat_map(retention_problems));
    errors
}

fn retention_problems(retention: Retention) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (raw, text) = (RAW_DAYS, TEXT_DAYS);
    if !raw.contains(&retention.raw_webhook_days) {
        let message = format!("Give a number of days from {} to {}.", raw.start(), raw.end());
        errors.push(FieldError::new("retention.raw_webhook_days", message));
    }
    if retention.text_days.is_some_and(|days| !text.contains(&days)) {
        let message = format!("Give a number of days from {} to {}, or null to keep them.", text.start(), text.end());
        errors.push(FieldError::new("retention.text_days", message));
    }
    // What was read of a webhook is compared with its raw form as long as that is kept.
    let callbacks = retention.raw_webhook_days.max(*CALLBACK_DAYS.start())..=*CALLBACK_DAYS.end();
    if retention.callback_days.is_some_and(|days| !callbacks.contains(&days)) {
        let (least, most) = (callbacks.start(), callbacks.end());
        let message = format!(
            "Give a number of days from {least} to {most}, or null to keep them. {least} is the least: 30, and no fewer than \
             webhooks are kept as they came in."
        );
        errors.push(FieldError::new("retention.callback_days", message));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named() {
        let patch = SettingsPatch {
            sending: Some(Sending { state: SendingState::Held, reason: Some(" ".to_owned()) }),
            default_country: Some(Some("Lanka".to_owned())),
            default_timezone: Some("Mars/Olympus".to_owned()),
            account_rate_per_second: Some(Some(0)),
            ..SettingsPatch::default()
        };
        let fields: Vec<_> = problems(&patch).into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["sending.reason", "default_country", "default_timezone", "account_rate_per_second"]);
        assert!(problems(&SettingsPatch { default_country: Some(None), ..SettingsPatch::default() }).is_empty());
    }

    #[test]
    fn a_second_hold_keeps_the_reason_of_the_first() {
        let held = |reason: String| Sending { state: SendingState::Held, reason: Some(reason) };
        let once = held_because(&held("wrong price".to_owned()), "The database was restored.");
        assert_eq!(once, "The database was restored. It was held before: wrong price");
        assert_eq!(held_because(&held(once.clone()), "The database was restored."), once);
        let long = held_because(&held("é".repeat(REASON_MAX)), "The database was restored.");
        assert_eq!(long.chars().count(), REASON_MAX);
        assert_eq!(held_because(&Sending::default(), "The database was restored."), "The database was restored.");
    }

    #[test]
    fn a_limit_that_was_lifted_stays_lifted() {
        let patch = SettingsPatch { account_rate_per_second: Some(None), ..SettingsPatch::default() };
        let (document, changed) = apply(Document::default(), &patch, quiet::default_rule(true));
        assert_eq!(changed, ["account_rate_per_second"]);
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Document>(&text).unwrap().account_rate_per_second, Some(None), "{text}");
    }
}
