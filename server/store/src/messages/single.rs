//! Messages outside runs: single sends, replies, tests, confirmations.

use domain::{
    contact::Attributes,
    ids::{CampaignId, ContactId, MessageId, SenderId, TemplateId},
    message::{Kind as MessageKind, State},
    time::Timestamp,
};

use crate::{Error, Result, Tx, batch::to_json, exec, one};

/// One message to one person.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSingle {
    pub contact_id: ContactId,
    pub sender_id: SenderId,
    pub kind: MessageKind,
    /// `queued` to be sent; a confirmation that went out as a webhook's answer is `accepted` from the start.
    pub state: State,
    /// A test's campaign.
    pub campaign_id: Option<CampaignId>,
    /// What to render, or none when `body` is the text.
    pub template: Option<(TemplateId, i64)>,
    pub body: Option<String>,
    /// Stand in front of the contact's attributes.
    pub variables: Attributes,
}

/// Inserts the message and its text.
///
/// # Errors
/// What the database says.
pub async fn insert_single(tx: &Tx, at: Timestamp, new: &NewSingle) -> Result<MessageId> {
    let insert = "INSERT INTO messages (contact_id, campaign_id, sender_id, template_id, template_version, kind, priority, \
                  state, month, not_before, created_at, updated_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10) RETURNING id";
    let values = vec![
        new.contact_id.0.into(),
        new.campaign_id.map(|id| id.0).into(),
        new.sender_id.0.into(),
        new.template.map(|(id, _)| id.0).into(),
        new.template.map(|(_, version)| version).into(),
        new.kind.number().into(),
        new.kind.priority().into(),
        new.state.rank().into(),
        at.month().into(),
        at.as_micros().into(),
    ];
    let id: i64 = one(tx, insert, values).await?.ok_or(Error::NotFound)?.get("id")?;
    if new.body.is_some() || !new.variables.is_empty() {
        let variables = if new.variables.is_empty() { None } else { Some(to_json(&new.variables)?) };
        let insert = "INSERT INTO message_texts (message_id, body, variables) VALUES ($1, $2, $3)";
        exec(tx, insert, vec![id.into(), new.body.clone().into(), variables.into()]).await?;
    }
    Ok(MessageId(id))
}
