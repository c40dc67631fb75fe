//! Webhooks: signature, group commit, consent.
//!
//! A request is checked, read and put into a bounded queue; [`writer::run`] stores everything that arrived within a few
//! milliseconds in one transaction and only then lets the requests be answered. So an answer says that the webhook is
//! durable, and a commit is shared by hundreds of them.

mod addressees;
mod answers;
mod auto_reply;
mod event;
mod inbound;
mod keywords;
mod meaning;
mod missed;
pub mod orphans;
mod repeats;
mod replay;
mod sealing;
mod signature;
mod status;
mod wishes;
pub mod writer;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{event::WebhookKind, ids::ContactId};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{Engine, Error, Result, provider::Account, services::provider_accounts};
use event::{BodyType, Event, Form};
pub(crate) use event::{NO_NUMBER, numbers_in};
pub(crate) use keywords::{built_in, is_no_word, is_taken, opt_out_in, same_word};
pub(crate) use missed::{Missed, store_missed, written_at};
use repeats::{Mark, Try};
pub(crate) use replay::{hear, webhooks};
pub(crate) use sealing::{open_bodies, open_body, period};
use signature::Key;
pub use writer::Ingest;
use writer::Job;

/// How long the answer to a STOP waits for what is already on its way out.
pub(crate) const STOP_WAIT: Duration = Duration::from_secs(2);

/// How long a webhook waits to be stored. Twilio gives up after 15 seconds, and tries again sooner what is refused before: with
/// [`STOP_WAIT`] there are ten at most. The webhook stays in its queue and is stored all the same, and its next try is told so.
const PATIENCE: Duration = Duration::from_secs(8);

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Path and query exactly as requested.
    pub target: String,
    pub content_type: Option<String>,
    pub signature: Option<String>,
    /// `X-Twilio-Webhooks-Signature-Settings`: which SharedKey signed, and how.
    pub signature_settings: Option<String>,
    /// `I-Twilio-Idempotency-Token`.
    pub idempotency_token: Option<String>,
    pub body: Bytes,
}

/// What became of a webhook that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// The answer to an inbound message.
    twiml: String,
    /// Who opted out by it, of everything or of a topic: the person, and whoever is stored by another writing of the number.
    opted_out: Vec<ContactId>,
}

impl Default for Done {
    /// Stored, and nothing to say.
    fn default() -> Self {
        Self { twiml: answers::twiml(None), opted_out: Vec::new() }
    }
}

impl Done {
    /// The answer, if it says anything.
    fn words(&self) -> repeats::Words {
        self.twiml.contains("<Message>").then(|| self.twiml.as_str().into())
    }
}

fn refused(kind: WebhookKind, reason: &'static str) {
    metrics::counter!("webhooks_refused_total", "kind" => kind.as_str(), "reason" => reason).increment(1);
}

impl Engine {
    /// A status callback: `Ok` once it is durable, also when it makes no sense (it is kept raw then). A repeat of one that
    /// is stored is not stored again.
    ///
    /// # Errors
    /// `Forbidden` for a missing or wrong signature, `Invalid` for what is neither a form nor JSON, `Unavailable` when the queue is full, or the
    /// database is away or busy for eight seconds.
    pub async fn ingest_status(&self, webhook: Webhook) -> Result<()> {
        self.take_in(WebhookKind::Status, &webhook).await?;
        Ok(())
    }

    /// An inbound message: the TwiML to answer with, once it is durable. After an opt-out it also waits, two seconds
    /// at most, for a message to this person that is already on its way out.
    ///
    /// # Errors
    /// As [`Engine::ingest_status`].
    pub async fn ingest_inbound(&self, webhook: Webhook) -> Result<String> {
        let done = self.take_in(WebhookKind::Inbound, &webhook).await?;
        let until = Instant::now() + STOP_WAIT;
        for contact in done.opted_out {
            let left = until.saturating_duration_since(Instant::now());
            if !self.inner().in_hand.settled(contact, left).await {
                tracing::warn!(%contact, "a STOP is answered while a message to the person is still on its way out");
            }
        }
        Ok(done.twiml)
    }

    /// Whether a webhook's body is worth reading, by its headers alone: a flood of requests that nobody signed costs
    /// neither reading nor queries.
    ///
    /// # Errors
    /// `Forbidden` when there is no signature or nothing that can be one, `Invalid` when the body is neither a form nor
    /// JSON: nothing of it is kept but the count.
    pub fn admit_webhook(&self, kind: WebhookKind, content_type: Option<&str>, signature: Option<&str>) -> Result<()> {
        if !signature::is_one(signature) {
            let is_missing = signature.is_none_or(str::is_empty);
            refused(kind, if is_missing { "no_signature" } else { "wrong_signature" });
            return Err(Error::Forbidden);
        }
        if BodyType::of(content_type).is_none() {
            refused(kind, "not_a_form");
            return Err(Error::invalid("Content-Type", "A webhook is a form (application/x-www-form-urlencoded)."));
        }
        Ok(())
    }

    async fn take_in(&self, kind: WebhookKind, webhook: &Webhook) -> Result<Done> {
        timeout(PATIENCE, self.stored(kind, webhook)).await.unwrap_or_else(|_| {
            metrics::counter!("webhooks_turned_away_total").increment(1);
            Err(writer::unavailable())
        })
    }

    /// What became of a webhook, once it is stored.
    async fn stored(&self, kind: WebhookKind, webhook: &Webhook) -> Result<Done> {
        self.admit_webhook(kind, webhook.content_type.as_deref(), webhook.signature.as_deref())?;
        let form = match self.believed(webhook).await? {
            Ok(form) => form,
            Err(reason) => {
                refused(kind, reason);
                return Err(Error::Forbidden);
            }
        };
        let first = match Mark::of(kind, webhook) {
            None => None,
            Some(mark) => match self.inner().ingest.repeats().try_of(mark).await {
                Try::First(first) => Some(first),
                Try::Again(words) => {
                    metrics::counter!("webhooks_repeated_total", "kind" => kind.as_str()).increment(1);
                    return Ok(
                        words.map_or_else(Done::default, |words| Done { twiml: words.into(), ..Done::default() })
                    );
                }
            },
        };
        let event = Event::read(kind, webhook, &form, self.now());
        let (answer, answered) = oneshot::channel();
        self.inner().ingest.queue(Job { event, first, answer })?;
        // The writer went away without an answer: whether the webhook is stored is not known, so it has to come again.
        answered.await.unwrap_or_else(|_| Err(writer::unavailable()))
    }

    /// A webhook's form, or why it is not believed.
    async fn believed<'a>(&self, webhook: &'a Webhook) -> Result<std::result::Result<Form<'a>, &'static str>> {
        let form = Form::parse(&webhook.body);
        let Some(account) = self.signer(webhook, &form).await? else { return Ok(Err("unknown_account")) };
        let url = format!("{}{}", self.config().public_url, webhook.target);
        let request = signature::Request {
            url: &url,
            content_type: webhook.content_type.as_deref(),
            body: &webhook.body,
            form: &form,
        };
        let is_signed = request.is_signed(&self.signing_keys(webhook, &account), webhook.signature.as_deref());
        Ok(if is_signed { Ok(form) } else { Err("wrong_signature") })
    }

    /// What may have signed this webhook. SharedKeys are the environment's account's own, and count only where they are
    /// configured: the header alone, which anybody can send, switches neither key nor algorithm.
    fn signing_keys<'a>(&'a self, webhook: &Webhook, account: &'a Account) -> Vec<Key<'a>> {
        let is_own = account.sid() == self.inner().provider.own_account().sid();
        let shared = if is_own { &self.config().provider.webhook_keys.shared[..] } else { &[] };
        signature::keys(webhook.signature_settings.as_deref(), account.auth_tokens(), shared)
    }

    /// The account that a webhook says it comes from: each signs with a token of its own. One that names none is the
    /// environment's, which is known without asking the database.
    async fn signer(&self, webhook: &Webhook, form: &Form<'_>) -> Result<Option<Arc<Account>>> {
        let own = self.inner().provider.own_account();
        let Some(sid) = event::account_of(webhook, form).filter(|sid| *sid != own.sid()) else {
            return Ok(Some(own.clone()));
        };
        let accounts = provider_accounts::current(self).await.map_err(|error| {
            tracing::error!(%error, "the account of a webhook cannot be looked up; it has to come again");
            writer::unavailable()
        })?;
        Ok(accounts.get(&sid).cloned())
    }
}
