//! Creating a message: the checks in Twilio's order, the faults, the first status, and the start of its life.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{form, json_answer, view};
use crate::api::{Call, set_request_id, too_many};
use crate::callbacks::{self, Script};
use crate::clock::{instant, now_ms};
use crate::content::Rendered;
use crate::errors::ApiError;
use crate::faults::{Dice, Failure, Fate, magic_refusal};
use crate::queue::Job;
use crate::segments;
use crate::settings::{Fault, OptOut, is_sid};
use crate::sid::Kind;
use crate::state::{Active, Core, Shared, lock};
use crate::status::Status;
use crate::store::{Direction, Message, bare, is_whatsapp};
use crate::webhook::Target;

/// Longest body, in characters (21617).
const MAX_BODY: usize = 1600;
/// Longest WhatsApp template text after filling (63021).
const MAX_TEMPLATE: usize = 1024;
/// 35 days: the latest `SendAt`.
const MAX_SCHEDULE_SECONDS: i64 = 3_024_000;

/// The parameters of a create. Unknown ones are ignored, as Twilio does.
#[derive(Debug, Default)]
pub(crate) struct Form<'a> {
    pub to: Option<Cow<'a, str>>,
    pub from: Option<Cow<'a, str>>,
    pub service: Option<Cow<'a, str>>,
    pub body: Option<Cow<'a, str>>,
    pub media: Vec<Cow<'a, str>>,
    pub content_sid: Option<Cow<'a, str>>,
    pub content_variables: Option<Cow<'a, str>>,
    pub status_callback: Option<Cow<'a, str>>,
    pub validity_period: Option<Cow<'a, str>>,
    pub schedule_type: Option<Cow<'a, str>>,
    pub send_at: Option<Cow<'a, str>>,
    pub tags: Option<Cow<'a, str>>,
}

impl<'a> Form<'a> {
    fn parse(pairs: url::form_urlencoded::Parse<'a>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            let field = match &*name {
                "To" => &mut form.to,
                "From" => &mut form.from,
                "MessagingServiceSid" => &mut form.service,
                "Body" => {
                    form.body = Some(value);
                    continue;
                }
                "MediaUrl" => {
                    form.media.push(value);
                    continue;
                }
                "ContentSid" => &mut form.content_sid,
                "ContentVariables" => &mut form.content_variables,
                "StatusCallback" => &mut form.status_callback,
                "ValidityPeriod" => &mut form.validity_period,
                "ScheduleType" => &mut form.schedule_type,
                "SendAt" => &mut form.send_at,
                "Tags" => &mut form.tags,
                _ => continue,
            };
            if !value.is_empty() {
                *field = Some(value);
            }
        }
        form
    }
}

/// A create that is right.
struct Checked<'a> {
    form: Form<'a>,
    to: Cow<'a, str>,
    content: Option<Rendered>,
    target: Option<Target>,
    send_at: Option<i64>,
    kind: Kind,
}

/// `POST …/Messages.json`.
pub(crate) async fn create(
    Extension(call): Extension<Call>,
    State(shared): State<Arc<Shared>>,
    Path(account): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let core = &shared.core;
    let active = &*call.active;
    let settings = &active.settings;
    if account != settings.account_sid {
        return refuse(core, ApiError::not_found(uri.path()));
    }
    if settings.max_per_second.is_some_and(|limit| !core.gate.pass(limit, Instant::now())) {
        return too_many(core, settings);
    }
    let form = Form::parse(form(&headers, &body));
    let mut dice = Dice::new(settings.seed, core.next_ordinal());
    let fate = Fate::draw(settings, &mut dice, bare(form.to.as_deref().unwrap_or_default()));
    if let Some(fault) = fate.fault.filter(|fault| !fault.is_accepted()) {
        return faulty(core, &shared, active, fault, None).await;
    }
    let checked = match check(core, active, form, &fate) {
        Ok(checked) => checked,
        // A rule may ask for it, and then with the same headers as the real limits.
        Err(error) if error.code == 20429 => return too_many(core, settings),
        Err(error) => return refuse(core, error),
    };
    if fate.fault == Some(Fault::AcceptedLate) {
        drop(checked);
        accept_late(&shared, call.active.clone(), (headers.clone(), body.clone()), fate, dice);
        return faulty(core, &shared, active, Fault::AcceptedLate, None).await;
    }
    let early = dice.percent(settings.callbacks.callback_before_answer_percent);
    let (answer, script) = accept(core, active, checked, fate.failure, &mut dice);
    if let Some(script) = script {
        if early {
            first_callback(core, script).await;
        } else {
            let delay = Duration::from_millis(settings.callbacks.delay_ms);
            core.queue.begin(Job::Step(script), delay + call.latency);
        }
    }
    match fate.fault {
        None => answer,
        Some(fault) => faulty(core, &shared, active, fault, Some(answer)).await,
    }
}

/// Accepts a message some time after its connection was closed, in a task of its own.
fn accept_late(shared: &Shared, active: Arc<Active>, request: (HeaderMap, Bytes), fate: Fate, dice: Dice) {
    let (core, stop) = (shared.core.clone(), shared.stop.clone());
    let epoch = core.epoch();
    // Who waits until every message has come to its end waits for this one, too.
    core.queue.begin_elsewhere();
    tokio::spawn(async move {
        let late = Duration::from_millis(active.settings.accepted_late_ms);
        let stopped = tokio::time::timeout(late, stop.cancelled()).await.is_ok();
        if !stopped && core.epoch() == epoch {
            accept_now(&core, &active, &request, fate, dice);
        }
        core.queue.done();
    });
}

fn accept_now(core: &Core, active: &Active, (headers, body): &(HeaderMap, Bytes), fate: Fate, mut dice: Dice) {
    let Ok(checked) = check(core, active, Form::parse(form(headers, body)), &fate) else { return };
    let (_, script) = accept(core, active, checked, fate.failure, &mut dice);
    if let Some(script) = script {
        core.queue.begin(Job::Step(script), Duration::from_millis(active.settings.callbacks.delay_ms));
    }
}

fn refuse(core: &Core, error: ApiError) -> Response {
    core.count_refusal(error.code);
    error.into_response()
}

/// Sends the first callback before the answer. In a task of its own: a client that goes away must not stop it.
async fn first_callback(core: &Arc<Core>, script: Box<Script>) {
    let (told, wait) = tokio::sync::oneshot::channel();
    core.queue.begin_elsewhere();
    let core = core.clone();
    tokio::spawn(async move {
        callbacks::run(&core, script).await;
        let _ = told.send(());
    });
    let _ = wait.await;
}

fn check<'a>(core: &Core, active: &Active, form: Form<'a>, fate: &Fate) -> Result<Checked<'a>, ApiError> {
    let settings = &active.settings;
    let to = form.to.clone().ok_or_else(|| ApiError::of(21604))?;
    if form.from.is_none() && form.service.is_none() {
        return Err(ApiError::of(21603));
    }
    if form.service.as_deref().is_some_and(|sid| !is_sid(sid, "MG")) {
        return Err(ApiError::of(21705));
    }
    if !is_recipient(&to) {
        return Err(ApiError::new(21211, format!("Invalid 'To' Phone Number: {to}")));
    }
    if let Some(from) = form.from.as_deref() {
        check_sender(settings, from, &to)?;
    }
    if settings.magic_numbers
        && let Some(code) = magic_refusal(form.from.as_deref().map(bare), bare(&to))
    {
        return Err(ApiError::of(code));
    }
    let target = match form.status_callback.as_deref() {
        Some(url) => Some(
            Target::parse(url)
                .ok_or_else(|| ApiError::new(21609, format!("The 'StatusCallback' URL {url} is not a valid URL")))?,
        ),
        None => None,
    };
    if form.validity_period.as_deref().is_some_and(|text| !text.parse().is_ok_and(|n: u32| (1..=36_000).contains(&n))) {
        return Err(ApiError::of(21624));
    }
    let content = check_content(core, &form, &to)?;
    let send_at = check_schedule(settings.min_schedule_seconds, &form)?;
    if let Some(code) = fate.refusal {
        return Err(ApiError::of(code));
    }
    if settings.opt_out == OptOut::Default
        && !is_whatsapp(&to)
        && lock(&core.store).is_blocked(&to, form.from.as_deref())
    {
        return Err(ApiError::of(21610));
    }
    let kind = if form.media.is_empty() && content.is_none() { Kind::Text } else { Kind::Media };
    Ok(Checked { to, content, target, send_at, kind, form })
}

/// E.164, or on WhatsApp also a business-scoped user id (country code, dot, alphanumerics).
fn is_recipient(to: &str) -> bool {
    let number = bare(to);
    if let Some(digits) = number.strip_prefix('+') {
        return (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit());
    }
    is_whatsapp(to)
        && number.split_once('.').is_some_and(|(country, id)| {
            country.len() == 2
                && country.bytes().all(|b| b.is_ascii_uppercase())
                && (1..=128).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

fn check_sender(settings: &crate::settings::Settings, from: &str, to: &str) -> Result<(), ApiError> {
    if is_whatsapp(from) != is_whatsapp(to) {
        return Err(ApiError::of(21910));
    }
    let name = bare(from);
    let digits = name.strip_prefix('+').unwrap_or(name);
    let is_number = (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let is_name = !is_whatsapp(from)
        && (1..=11).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
        && name.bytes().any(|b| b.is_ascii_alphabetic());
    if !is_number && !is_name {
        return Err(ApiError::new(
            21212,
            format!("The 'From' number {from} is not a valid phone number, shortcode, or alphanumeric sender ID"),
        ));
    }
    if !settings.senders.is_empty() && !settings.senders.iter().any(|sender| sender == from) {
        return Err(if is_whatsapp(from) {
            ApiError::of(63007)
        } else {
            ApiError::new(
                21606,
                format!("The 'From' phone number provided ({from}) is not a valid, SMS-capable number of this account"),
            )
        });
    }
    if from == to {
        return Err(ApiError::of(if is_whatsapp(to) { 63031 } else { 21266 }));
    }
    Ok(())
}

fn check_content(core: &Core, form: &Form<'_>, to: &str) -> Result<Option<Rendered>, ApiError> {
    if form.media.len() > 10 {
        return Err(ApiError::of(21623));
    }
    if let Some(url) = form.media.iter().find(|url| Target::parse(url).is_none()) {
        return Err(ApiError::new(21620, format!("Invalid media URL: {url}")));
    }
    let Some(sid) = form.content_sid.as_deref() else {
        if form.content_variables.is_some() {
            return Err(ApiError::of(21654));
        }
        return match form.body.as_deref() {
            Some(body) if body.chars().count() > MAX_BODY => Err(ApiError::of(21617)),
            Some(body) if !body.is_empty() => Ok(None),
            _ if !form.media.is_empty() => Ok(None),
            Some(_) => Err(ApiError::of(21602)),
            None => Err(ApiError::of(21619)),
        };
    };
    if !form.media.is_empty() {
        return Err(ApiError::of(63030));
    }
    if form.content_variables.is_some() && form.body.as_deref().is_some_and(|body| !body.is_empty()) {
        return Err(ApiError::of(35127));
    }
    let variables = form.content_variables.as_deref().map(parse_variables).transpose()?;
    let contents = lock(&core.contents);
    let content = contents.get(sid).ok_or_else(|| ApiError::of(21655))?;
    Ok(Some(content.render(variables.as_ref(), is_whatsapp(to), now_ms())))
}

/// A JSON object of strings; a null (or anything else) as a value is refused.
fn parse_variables(text: &str) -> Result<serde_json::Map<String, Value>, ApiError> {
    let parsed: Result<serde_json::Map<String, Value>, _> = serde_json::from_str(text);
    parsed.ok().filter(|map| map.values().all(Value::is_string)).ok_or_else(|| ApiError::of(21656))
}

fn check_schedule(earliest: u32, form: &Form<'_>) -> Result<Option<i64>, ApiError> {
    let Some(kind) = form.schedule_type.as_deref() else {
        // Without a type the time is not looked at.
        return Ok(None);
    };
    if kind != "fixed" {
        return Err(ApiError::of(35117));
    }
    if form.service.is_none() {
        return Err(ApiError::of(35118));
    }
    let text = form.send_at.as_deref().ok_or_else(|| ApiError::of(35111))?;
    let at = instant(text).ok_or_else(|| ApiError::of(35115))?;
    // A second of grace either way: the limits are inclusive and the request took its time.
    let ahead = (at - now_ms() + 999).div_euclid(1000);
    if !(i64::from(earliest)..=MAX_SCHEDULE_SECONDS).contains(&ahead) {
        return Err(ApiError::of(35114));
    }
    Ok(Some(at))
}

/// Stores the message and plans its life. The script comes back unless there is nothing to do now: the message waits
/// for its time, or too many others wait already.
fn accept(
    core: &Core,
    active: &Active,
    checked: Checked<'_>,
    failure: Option<Failure>,
    dice: &mut Dice,
) -> (Response, Option<Box<Script>>) {
    let Checked { form, to, content, target, send_at, kind } = checked;
    let settings = &active.settings;
    let now = now_ms();
    let whatsapp = is_whatsapp(&to);
    let (body, structured, num_media) = match &content {
        Some(rendered) => (Cow::Borrowed(rendered.body.as_str()), true, rendered.num_media),
        None => (form.body.unwrap_or_default(), false, form.media.len() as u8),
    };
    let variables_policy = form.content_variables.as_deref().is_some_and(|text| whatsapp && text.contains("     "));
    let status = match (&form.service, send_at) {
        (_, Some(_)) => Status::Scheduled,
        (Some(_), None) => Status::Accepted,
        (None, None) => Status::Queued,
    };
    let segments = match (form.from.is_none(), whatsapp) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => segments::count(&body),
    };
    let to: Arc<str> = to.as_ref().into();

    let mut store = lock(&core.store);
    let from = form.from.as_deref().map(|from| store.intern(from));
    let service = form.service.as_deref().map(|sid| store.intern(sid));
    let sender = from.as_deref().or_else(|| active.service_sender(&to));
    let failure = failure
        .or_else(|| {
            (settings.opt_out == OptOut::Advanced && store.is_blocked(&to, sender)).then(|| Failure::before_sent(21610))
        })
        .or_else(
            || if whatsapp { whatsapp_failure(&mut store, active, &to, sender, content.as_ref(), now) } else { None },
        )
        .or_else(|| variables_policy.then(|| Failure::after_sent(63013)))
        .or_else(|| {
            (whatsapp && structured && body.chars().count() > MAX_TEMPLATE).then(|| Failure::after_sent(63021))
        });
    let message = Message {
        seq: 0,
        kind,
        direction: Direction::OutboundApi,
        status,
        deleted: false,
        num_media,
        segments,
        error_code: None,
        to: to.clone(),
        from: from.clone(),
        service: service.clone(),
        body: body.as_ref().into(),
        content_sid: form.content_sid.as_deref().map(|sid| store.intern(sid)),
        content_variables: form.content_variables.as_deref().map(Into::into),
        validity_period: form.validity_period.as_deref().and_then(|seconds| seconds.parse().ok()),
        tags: form
            .tags
            .as_deref()
            .filter(|tags| serde_json::from_str::<serde_json::Map<String, Value>>(tags).is_ok())
            .map(Into::into),
        created: now,
        updated: now,
        sent: None,
    };
    let message = store.insert(message, settings.max_messages);
    let seq = message.seq;
    let text = view::json(core, &settings.account_sid, message, false);
    core.counters.accepted.fetch_add(1, Relaxed);
    let epoch = core.epoch();
    let steps = callbacks::plan(active, dice, &to, service.is_some(), failure.as_ref());
    if target.as_ref().is_some_and(|target| target.bad_overrides) {
        core.debug(11243);
    }
    let script = Box::new(Script { epoch, seq, kind, to, from, service, structured, target, steps, next: 0 });
    let life = match send_at {
        Some(at) => {
            store.schedule(seq, script);
            drop(store);
            core.queue.release_later(seq, epoch, Duration::from_millis(u64::try_from(at - now).unwrap_or(0)));
            None
        }
        None if core.queue.pending() >= settings.callbacks.max_pending as u64 => {
            core.counters.callbacks_dropped.fetch_add(1, Relaxed);
            None
        }
        None => (!script.steps.is_empty()).then_some(script),
    };

    let mut response = json_answer(StatusCode::CREATED, text);
    // In captured traffic the request's id carried the digits of the message's.
    set_request_id(response.headers_mut(), &core.minter.sid(kind, seq)[2..]);
    (response, life)
}

/// The rules of WhatsApp outside the customer service window (error pages 63016, 63018, 63040 to 63042).
fn whatsapp_failure(
    store: &mut crate::store::Store,
    active: &Active,
    to: &str,
    sender: Option<&str>,
    content: Option<&Rendered>,
    now: i64,
) -> Option<Failure> {
    let settings = &active.settings;
    if !settings.enforce_whatsapp_window && settings.portfolio_limit.is_none() {
        return None;
    }
    if store.window_open(to, sender, now) {
        return None;
    }
    if settings.enforce_whatsapp_window {
        let code = match content.map(|rendered| rendered.approval.as_str()) {
            Some("approved") => None,
            Some("paused") => Some(63041),
            Some("disabled") => Some(63042),
            Some("rejected") => Some(63040),
            _ => Some(63016),
        };
        if let Some(code) = code {
            return Some(Failure::after_sent(code));
        }
    }
    let limit = settings.portfolio_limit?;
    (!store.within_portfolio(to, limit, now)).then(|| Failure::after_sent(63018))
}

async fn faulty(core: &Core, shared: &Shared, active: &Active, fault: Fault, answer: Option<Response>) -> Response {
    core.count_fault(match fault {
        Fault::LostAnswer => "lost_answer",
        Fault::AcceptedLate => "accepted_late",
        Fault::Timeout => "timeout",
        Fault::Error400 => "error_400",
        Fault::Error500 => "error_500",
        Fault::Error500Accepted => "error_500_accepted",
        Fault::Error502 => "error_502",
        Fault::Error502Accepted => "error_502_accepted",
    });
    match fault {
        Fault::LostAnswer | Fault::AcceptedLate => {
            // A body that fails before its first byte: the connection is closed with nothing written.
            let lost = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "answer lost on purpose");
            Response::new(Body::from_stream(futures::stream::iter([Err::<Bytes, _>(lost)])))
        }
        Fault::Timeout => {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(active.settings.timeout_ms)) => {}
                () = shared.stop.cancelled() => {}
            }
            answer.unwrap_or_else(|| ApiError::of(20504).into_response())
        }
        Fault::Error400 => page(StatusCode::BAD_REQUEST),
        Fault::Error500 | Fault::Error500Accepted => ApiError::of(20500).into_response(),
        Fault::Error502 | Fault::Error502Accepted => page(StatusCode::BAD_GATEWAY),
    }
}

/// What a proxy shows.
fn page(status: StatusCode) -> Response {
    let page =
        format!("<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>");
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients() {
        for (to, expected) in [
            ("+15551234567", true),
            ("whatsapp:+94771234567", true),
            ("whatsapp:US.13491208655302741918", true),
            ("US.13491208655302741918", false),
            ("15551234567", false),
            ("+0555123456", false),
            ("+1555", false),
            ("+1555123456789012", false),
            ("whatsapp:", false),
            (" 15551234567", false),
        ] {
            assert_eq!(is_recipient(to), expected, "{to}");
        }
    }

    #[test]
    fn senders() {
        let settings = crate::settings::Settings::default();
        let code = |from: &str, to: &str| check_sender(&settings, from, to).err().map(|error| error.code);
        assert_eq!(code("+15005550006", "+15551234567"), None);
        assert_eq!(code("12345", "+15551234567"), None);
        assert_eq!(code("MyBrand", "+15551234567"), None);
        assert_eq!(code("whatsapp:MyBrand", "whatsapp:+15551234567"), Some(21212));
        assert_eq!(code("+1 500", "+15551234567"), Some(21212));
        assert_eq!(code("whatsapp:+15005550006", "+15551234567"), Some(21910));
        assert_eq!(code("+15551234567", "+15551234567"), Some(21266));
        assert_eq!(code("whatsapp:+15551234567", "whatsapp:+15551234567"), Some(63031));
    }

    #[test]
    fn variables_are_strings() {
        assert!(parse_variables(r#"{"1":"Ana","2":"12:30"}"#).is_ok());
        for bad in ["", "[]", r#"{"1":null}"#, r#"{"1":2}"#, "{", "Ana"] {
            assert_eq!(parse_variables(bad).expect_err("refused").code, 21656, "{bad}");
        }
    }
}
