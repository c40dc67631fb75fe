//! What happens to a message after its create, and the status callbacks that tell of it (pages "Outbound Message
//! Status in Status Callbacks" and "Track the Message Status of Outbound Messages").

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::clock::{now_ms, receipt_date};
use crate::errors;
use crate::faults::{Dice, Failure, number_rule};
use crate::queue::Job;
use crate::sid::Kind;
use crate::state::{Active, Core, lock};
use crate::status::{Status, Word};
use crate::store::{bare, is_whatsapp};
use crate::webhook::{Target, encode};

/// The channel installation every WhatsApp callback names.
const CHANNEL_INSTALL_SID: &str = "XE5117000000000000000000000000517a";

/// The rest of a message's life.
#[derive(Debug)]
pub(crate) struct Script {
    /// Which life of the store it belongs to: a reset ends all scripts.
    pub epoch: u64,
    pub seq: u64,
    pub kind: Kind,
    pub to: Arc<str>,
    pub from: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub structured: bool,
    pub target: Option<Target>,
    pub steps: Vec<Step>,
    pub next: usize,
}

/// One status change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub status: Word,
    pub error_code: Option<u32>,
    pub callback: bool,
    pub twice: bool,
}

impl Step {
    pub fn new(status: Word) -> Self {
        Self { status, error_code: None, callback: true, twice: false }
    }
}

/// Decides what a message will go through.
pub(crate) fn plan(active: &Active, dice: &mut Dice, to: &str, service: bool, failure: Option<&Failure>) -> Vec<Step> {
    let settings = &active.settings.callbacks;
    let custom: Option<Vec<Word>> = number_rule(&active.settings, bare(to))
        .and_then(|rule| rule.statuses.as_ref())
        .map(|words| words.iter().map(|word| Word::new(word)).collect());
    let words = custom.as_deref().unwrap_or(&active.statuses);
    let mut steps: Vec<Step> = Vec::with_capacity(words.len() + 2);
    if service && settings.service_queued && custom.is_none() && !words.iter().any(|word| word.is(Status::Queued)) {
        steps.push(Step::new(Word::Known(Status::Queued)));
    }
    steps.extend(words.iter().cloned().map(Step::new));

    let read = dice.percent(settings.read_percent);
    let stuck = dice.percent(settings.stuck_at_sent_percent);
    let silent = dice.percent(settings.no_callbacks_percent);
    let reorder = dice.percent(settings.reorder_percent);
    let place = dice.below(u64::MAX);

    if read && is_whatsapp(to) && steps.last().is_some_and(|last| last.status.is(Status::Delivered)) {
        steps.push(Step::new(Word::Known(Status::Read)));
    }
    if let Some(failure) = failure {
        let keep = Status::Sent.rank();
        let until = if failure.after_sent { keep } else { keep - 1 };
        steps.retain(|step| (1..=until).contains(&step.status.rank()));
        if failure.after_sent && !steps.iter().any(|step| step.status.is(Status::Sent)) {
            steps.push(Step::new(Word::Known(Status::Sent)));
        }
        let usual = if failure.after_sent { Status::Undelivered } else { Status::Failed };
        let status = failure.status.as_deref().map_or(Word::Known(usual), Word::new);
        steps.push(Step { error_code: Some(failure.code), ..Step::new(status) });
    } else if stuck {
        steps.retain(|step| step.status.rank() <= Status::Sent.rank());
    }
    if reorder && steps.len() > 1 {
        let first = (place % (steps.len() as u64 - 1)) as usize;
        steps.swap(first, first + 1);
    }
    for step in &mut steps {
        step.twice = dice.percent(settings.duplicate_percent);
        step.callback = settings.enabled && !silent;
    }
    steps
}

/// Takes the script one step on, and queues the next.
pub(crate) async fn run(core: &Arc<Core>, mut script: Box<Script>) {
    if script.epoch != core.epoch() {
        core.queue.done();
        return;
    }
    let active = core.active();
    step(core, &active, &mut script).await;
    script.next += 1;
    if script.next < script.steps.len() {
        core.queue.put(Job::Step(script), Duration::from_millis(active.settings.callbacks.delay_ms));
    } else {
        core.queue.done();
    }
}

/// Does the present step: status, then callback.
pub(crate) async fn step(core: &Core, active: &Active, script: &mut Script) {
    let Some(step) = script.steps.get(script.next) else { return };
    let now = now_ms();
    if let Word::Known(status) = step.status {
        let mut store = lock(&core.store);
        store.advance(script.seq, status, step.error_code, now);
        if script.from.is_none()
            && let Some(picked) = active.service_sender(&script.to)
        {
            // The Messaging Service has chosen its sender by now.
            let picked = store.intern(picked);
            if let Some(message) = store.get_mut(script.seq) {
                message.from = Some(picked.clone());
                if message.segments == 0 {
                    message.segments = if is_whatsapp(&message.to) { 1 } else { crate::segments::count(&message.body) };
                }
            }
            script.from = Some(picked);
        }
    }
    let Some(target) = script.target.as_ref().filter(|_| step.callback) else { return };
    let sid = core.minter.sid(script.kind, script.seq);
    let params = params(active, script, step, &sid, now);
    let signature = active.signer.sign(target.signed(), &params);
    let form = encode(&params);
    let token = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    if step.twice {
        core.count_callback(&core.webhooks.post(target, form.clone(), &signature, token).await);
        core.counters.callbacks_duplicated.fetch_add(1, Relaxed);
    }
    core.count_callback(&core.webhooks.post(target, form, &signature, token).await);
}

fn params<'a>(
    active: &'a Active,
    script: &'a Script,
    step: &'a Step,
    sid: &'a str,
    now: i64,
) -> Vec<(&'static str, Cow<'a, str>)> {
    let status = step.status.as_str();
    let whatsapp = is_whatsapp(&script.to);
    let mut params: Vec<(&'static str, Cow<'a, str>)> = Vec::with_capacity(16);
    let final_event = match &step.status {
        Word::Known(Status::Delivered) => Some("DELIVERED"),
        Word::Known(Status::Undelivered) => Some("UNDELIVERED"),
        Word::Known(Status::Read) => Some("READ"),
        _ => None,
    };
    if whatsapp && let Some(event) = final_event {
        params.push(("EventType", event.into()));
    }
    params.push(("SmsSid", sid.into()));
    params.push(("SmsStatus", status.into()));
    params.push(("MessageStatus", status.into()));
    if whatsapp {
        params.push(("ChannelToAddress", masked(bare(&script.to)).into()));
    }
    params.push(("To", (&*script.to).into()));
    if whatsapp {
        params.push(("ChannelPrefix", "whatsapp".into()));
    }
    params.push(("MessageSid", sid.into()));
    params.push(("AccountSid", active.settings.account_sid.as_str().into()));
    if whatsapp && step.status.is(Status::Sent) {
        params.push(("StructuredMessage", if script.structured { "true" } else { "false" }.into()));
    }
    if let Some(from) = &script.from {
        params.push(("From", (&**from).into()));
    }
    params.push(("ApiVersion", "2010-04-01".into()));
    if let Some(service) = &script.service {
        params.push(("MessagingServiceSid", (&**service).into()));
    }
    if whatsapp {
        params.push(("ChannelInstallSid", CHANNEL_INSTALL_SID.into()));
    } else if matches!(step.status, Word::Known(Status::Delivered | Status::Undelivered)) {
        params.push(("RawDlrDoneDate", receipt_date(now).into()));
    }
    if let Some(code) = step.error_code {
        params.push(("ErrorCode", code.to_string().into()));
        params.push(("ErrorMessage", errors::text(code).into()));
        if whatsapp {
            params.push(("ChannelStatusMessage", errors::channel_text(code)));
        }
    }
    if active.settings.callbacks.unknown_param {
        params.push(("NewParameterWithoutNotice", "ünknown & 1+1=2".into()));
    }
    params
}

/// The number with its last four digits replaced.
fn masked(number: &str) -> String {
    let kept = number.len().saturating_sub(4);
    let kept = (0..=kept).rev().find(|at| number.is_char_boundary(*at)).unwrap_or(0);
    format!("{}XXXX", &number[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Callbacks, NumberRule, Settings};

    fn planned(callbacks: Callbacks, to: &str, service: bool, failure: Option<&Failure>) -> Vec<String> {
        let active = Active::new(Settings { callbacks, ..Settings::default() });
        let steps = plan(&active, &mut Dice::new(1, 1), to, service, failure);
        steps.iter().map(|step| step.status.as_str().to_owned()).collect()
    }

    #[test]
    fn the_usual_lives() {
        let default = Callbacks::default();
        assert_eq!(planned(default.clone(), "+1", false, None), ["sent", "delivered"]);
        assert_eq!(planned(default.clone(), "+1", true, None), ["queued", "sent", "delivered"]);
        let read = Callbacks { read_percent: 100.0, ..default.clone() };
        assert_eq!(planned(read.clone(), "whatsapp:+1", false, None), ["sent", "delivered", "read"]);
        assert_eq!(planned(read, "+1", false, None), ["sent", "delivered"]);
        let stuck = Callbacks { stuck_at_sent_percent: 100.0, ..default.clone() };
        assert_eq!(planned(stuck, "+1", false, None), ["sent"]);
        let reordered = Callbacks { reorder_percent: 100.0, ..default };
        assert_eq!(planned(reordered, "+1", false, None), ["delivered", "sent"]);
    }

    #[test]
    fn failures_end_them() {
        let long = Callbacks {
            statuses: ["queued", "sending", "sent", "delivered", "odd"].map(str::to_owned).to_vec(),
            ..Callbacks::default()
        };
        assert_eq!(
            planned(long.clone(), "+1", false, Some(&Failure::before_sent(30007))),
            ["queued", "sending", "failed"]
        );
        assert_eq!(
            planned(long.clone(), "+1", false, Some(&Failure::after_sent(30003))),
            ["queued", "sending", "sent", "undelivered"]
        );
        let odd = Failure { status: Some("failed".into()), ..Failure::after_sent(63024) };
        assert_eq!(planned(Callbacks::default(), "+1", false, Some(&odd)), ["sent", "failed"]);
        assert_eq!(planned(long, "+1", false, None), ["queued", "sending", "sent", "delivered", "odd"]);
    }

    #[test]
    fn numbers_have_lives_of_their_own() {
        let rule =
            NumberRule { number: "*7".into(), fault: None, statuses: Some(vec!["read".into(), "teleported".into()]) };
        let active = Active::new(Settings { numbers: vec![rule], ..Settings::default() });
        let steps = plan(&active, &mut Dice::new(1, 1), "whatsapp:+17", true, None);
        assert_eq!(steps.iter().map(|step| step.status.as_str()).collect::<Vec<_>>(), ["read", "teleported"]);
    }

    #[test]
    fn the_channels_address_is_masked() {
        assert_eq!(masked("+15005550123"), "+1500555XXXX");
        assert_eq!(masked("12"), "XXXX");
        assert_eq!(masked("ab€de"), "abXXXX");
    }
}
