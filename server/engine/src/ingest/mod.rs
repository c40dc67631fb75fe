//! Webhooks: signature, group commit, consent.

use bytes::Bytes;

use crate::{Engine, Result};

/// A webhook as it came in.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Path and query exactly as requested.
    pub target: String,
    pub content_type: Option<String>,
    pub signature: Option<String>,
    /// `I-Twilio-Idempotency-Token`.
    pub idempotency_token: Option<String>,
    pub body: Bytes,
}

/// The queue to the group-commit writer.
#[derive(Default)]
pub struct Ingest {}

impl Engine {
    /// A status callback: `Ok` once it is durable.
    ///
    /// # Errors
    /// `Forbidden` for a missing or wrong signature, `Invalid` for a body that is no form, `Unavailable` when the
    /// queue is full or the database is away.
    pub async fn ingest_status(&self, webhook: Webhook) -> Result<()> {
        let _ = webhook;
        todo!()
    }

    /// An inbound message: the TwiML to answer with, once it is durable.
    ///
    /// # Errors
    /// As [`Engine::ingest_status`].
    pub async fn ingest_inbound(&self, webhook: Webhook) -> Result<String> {
        let _ = webhook;
        todo!()
    }
}
