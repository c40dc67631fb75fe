//! A test send: the real text, the real way, to a few people, outside the run and its counts.

use std::collections::BTreeSet;

use domain::{
    campaign::TestRequest,
    contact::Attributes,
    ids::CampaignId,
    message::{Kind, Message, State},
    phone::Phone,
    problem::FieldError,
};
use serde_json::json;
use store::messages::NewSingle;

use super::{audit, campaign_or, commit, launch};
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    phone,
    retry::retrying,
    services::{messages, settings},
};

/// A test is for a few.
const PHONES_MAX: usize = 10;

pub(super) async fn send(
    engine: &Engine,
    actor: &Actor,
    id: CampaignId,
    request: &TestRequest,
) -> Result<Vec<Message>> {
    let region = settings::current(engine).await?.default_country.clone();
    let phones = phones(&request.phones, region.as_deref())?;
    let sent = retrying!(queue(engine, actor, id, &phones).await)?;
    engine.inner().bell.ring(Who::Senders);
    Ok(sent)
}

fn phones(given: &[String], region: Option<&str>) -> Result<BTreeSet<Phone>> {
    if given.is_empty() || given.len() > PHONES_MAX {
        return Err(Error::invalid("phones", format!("Give 1 to {PHONES_MAX} numbers.")));
    }
    let mut errors = Vec::new();
    let mut phones = BTreeSet::new();
    for (index, text) in given.iter().enumerate() {
        match phone::parse(text, region) {
            Ok(phone) => {
                phones.insert(phone);
            }
            Err(error) => errors.push(FieldError::new(format!("phones[{index}]"), error.to_string())),
        }
    }
    Error::unless_valid(errors)?;
    Ok(phones)
}

async fn queue(engine: &Engine, actor: &Actor, id: CampaignId, phones: &BTreeSet<Phone>) -> Result<Vec<Message>> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    let campaign = campaign_or(store::campaigns::get(&tx, id).await)?;
    let parts = launch::parts(engine, &tx, &campaign).await?;
    let (Some(template), Some(sender), false) = (parts.template, parts.sender, parts.no_sender) else {
        let needed = parts.problems.into_iter().filter(|error| ["template_id", "sender_id"].contains(&&*error.field));
        return Err(Error::Invalid(needed.collect()));
    };
    let mut sent = Vec::with_capacity(phones.len());
    for phone in phones {
        let contact_id = messages::contact(engine, &tx, actor, phone).await?;
        let new = NewSingle {
            contact_id,
            sender_id: sender.sender.id,
            kind: Kind::Test,
            state: State::Queued,
            campaign_id: Some(id),
            template: Some((template.id, template.version)),
            body: None,
            variables: Attributes::new(),
        };
        let message = store::messages::insert_single(&tx, now, &new).await?;
        sent.push(store::messages::get(&tx, message).await?);
    }
    audit(&tx, actor, now, "test", id, json!({ "messages": sent.len() })).await?;
    commit(tx).await?;
    Ok(sent)
}
