//! What the checks of decisions saw that said yes, or for now not yet. Few differ: each is stored once, whoever it was
//! decided about.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use domain::time::Timestamp;
use sea_orm::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Error, Kind, Result,
    batch::{Columns, Type, column},
    sql::Ready,
};

/// What the checks of a decision saw, and the number that it is known by. Cheap to clone: thousands may share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    id: i64,
    text: Arc<str>,
}

/// What is stored of them, as JSON. No personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What each check saw, by its word; of those that have something to tell.
    pub checks: BTreeMap<String, String>,
    /// The time zones (IANA names) that the person may be in, where a clock binds the message.
    pub zones: Vec<String>,
    /// Until when the message is to wait: then `checks` has what the check saw that says so, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Grounds {
    /// None where there is nothing to tell.
    #[must_use]
    pub fn of(seen: &Seen) -> Option<Self> {
        if *seen == Seen::default() {
            return None;
        }
        let text = serde_json::to_string(seen).ok()?;
        let hash = Sha256::digest(&text);
        // Enough of it: among a hundred million of them, two share a number with a chance of 1 in 3,000.
        let id = hash.first_chunk().map_or(0, |first: &[u8; 8]| i64::from_be_bytes(*first));
        Some(Self { id, text: text.into() })
    }

    pub(super) const fn id(&self) -> i64 {
        self.id
    }
}

/// Grounds that are surely stored, so that they are not written again and again.
#[derive(Debug, Default)]
pub struct KnownGrounds(HashSet<i64>);

impl KnownGrounds {
    /// Those that are remembered at most. A day has some hundreds.
    const MOST: usize = 20_000;

    /// What was written with these decisions, after its transaction was committed.
    pub fn note<'a>(&mut self, stored: impl Iterator<Item = &'a Grounds>) {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.extend(stored.map(Grounds::id));
    }

    fn has(&self, grounds: &Grounds) -> bool {
        self.0.contains(&grounds.id)
    }
}

/// The statement that stores what is not known yet, if there is any.
pub(super) fn statement<'a>(
    kind: Kind,
    known: &KnownGrounds,
    grounds: impl Iterator<Item = &'a Grounds>,
) -> Result<Option<Ready>> {
    // In one order, so that two who store the same ones never wait for each other.
    let new: BTreeMap<i64, &str> =
        grounds.filter(|grounds| !known.has(grounds)).map(|grounds| (grounds.id, &*grounds.text)).collect();
    if new.is_empty() {
        return Ok(None);
    }
    let mut batch = Columns::new(kind, [column("id", Type::BigInt), column("seen", Type::Text)]);
    new.into_iter().for_each(|(id, seen)| batch.push([id.into(), seen.into()]));
    let mut values: Vec<Value> = Vec::new();
    let table = batch.table("g", &mut values)?;
    // `WHERE TRUE`: SQLite would read ON as the condition of a join.
    let text = format!(
        "INSERT INTO decision_grounds (id, seen) SELECT g.id, g.seen FROM {table} WHERE TRUE \
         ORDER BY g.id ON CONFLICT (id) DO NOTHING"
    );
    Ok(Some(Ready { text, values }))
}

/// As it is stored; nothing of a decision that had nothing to tell.
pub(super) fn read(text: Option<String>) -> Result<Seen> {
    let corrupt =
        |problem: serde_json::Error| Error::Corrupt { column: "decision_grounds.seen", problem: problem.to_string() };
    text.map_or_else(|| Ok(Seen::default()), |text| serde_json::from_str(&text).map_err(corrupt))
}

#[cfg(test)]
mod tests {
    use domain::reason::Check;

    use super::*;

    fn grounds(consent: &str) -> Grounds {
        let checks = BTreeMap::from([(Check::Consent.to_string(), consent.to_owned())]);
        Grounds::of(&Seen { checks, zones: vec!["Europe/Paris".to_owned()], until: None }).expect("something was seen")
    }

    #[test]
    fn the_same_is_known_by_the_same_number_for_ever() {
        assert_eq!(grounds("opted_in"), grounds("opted_in"));
        assert_ne!(grounds("opted_in").id, grounds("unknown").id);
        // Also by later versions of the program: it is stored.
        assert_eq!(grounds("opted_in").id, 1_747_122_968_597_049_363);
        assert_eq!(Grounds::of(&Seen::default()), None);
    }

    #[test]
    fn what_is_stored_is_not_written_again() {
        let (one, mut known) = (grounds("opted_in"), KnownGrounds::default());
        let written = |known: &KnownGrounds| statement(Kind::Sqlite, known, [&one, &one].into_iter()).expect("written");
        assert!(written(&known).is_some());
        known.note([&one].into_iter());
        assert!(written(&known).is_none());
    }
}
