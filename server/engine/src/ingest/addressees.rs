//! Whom an opt-out holds for besides the number that it came from.

use std::collections::{BTreeMap, BTreeSet};

use domain::phone::Phone;
use store::Tx;

use super::{
    event::{Event, InboundIn},
    keywords::{Meaning, Wish},
};
use crate::phone::other_writing;

/// Whom the messages of ours went to that opt-outs answer, by their SIDs; and who is stored by another writing of the number
/// that an opt-out came from, by its own SID. `meanings` is what each message says, by its SID.
pub(super) async fn find(
    tx: &Tx,
    inbound: &[(&Event, &InboundIn)],
    meanings: &BTreeMap<&str, Meaning>,
) -> store::Result<BTreeMap<String, Phone>> {
    let messages = inbound.iter().map(|(_, message)| *message);
    let leaving: Vec<&InboundIn> = messages.filter(|message| leaves(meanings.get(message.sid.as_str()))).collect();
    let mut found = store::messages::recipients(tx, &answered(&leaving)).await?;
    found.extend(leaving.into_iter().filter_map(twin));
    Ok(found)
}

const fn leaves(meaning: Option<&Meaning>) -> bool {
    matches!(meaning, Some(Meaning::Wish(Wish::Stop | Wish::Unsubscribe(_))))
}

/// The messages of ours that opt-outs answer. Only whom they went to can answer them, but WhatsApp does not name everybody by
/// the number that they are stored by (Brazil's ninth digit, Argentina's 9).
fn answered<'a>(leaving: &[&'a InboundIn]) -> BTreeSet<&'a str> {
    leaving.iter().filter_map(|message| message.replied_sid.as_deref()).collect()
}

/// By an opt-out's SID, the other writing of the number that it came from: an earlier version stored people by it who wrote
/// first, or were given by it.
fn twin(message: &InboundIn) -> Option<(String, Phone)> {
    let phone = other_writing(message.phone.as_str())?.parse().ok()?;
    Some((message.sid.clone(), phone))
}
