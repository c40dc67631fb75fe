//! The provider's error codes: what follows from each, what admins changed of that, and which of them came.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use domain::{
    error_codes::{Change, Codes, Entry, EntryPatch, Explained, Filter, Heard, class_is_fixed, find},
    problem::FieldError,
    role::Permission,
    text::fold,
    time::Timestamp,
};
use serde_json::json;
use store::error_codes::StoredChange;
use tokio_util::sync::CancellationToken;

use crate::{Actor, Engine, Error, Result, require, services::stale::stale};

/// How often what was heard is written down, and what other processes' admins changed is read.
const EVERY: Duration = Duration::from_secs(1);

const WORDS_MAX: usize = 500;

/// So many characters of the provider's words are kept.
const SAID_MAX: usize = 300;

/// From so many digits on they may be a person's number.
const DIGITS: usize = 6;

/// The codes as this process last read them, and what it heard since it last said so.
#[derive(Default)]
pub(crate) struct Shared {
    codes: RwLock<Arc<Codes>>,
    heard: Mutex<BTreeMap<i32, Heard>>,
}

/// See [`Engine::error_codes`].
pub struct ErrorCodes<'a>(&'a Engine);

impl Engine {
    /// The provider's error codes.
    #[must_use]
    pub const fn error_codes(&self) -> ErrorCodes<'_> {
        ErrorCodes(self)
    }
}

/// Reads and writes until told to stop. What a crash takes with it is counted too low, and nothing hangs on it.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    let mut exchanged = true;
    loop {
        let last = stop.is_cancelled();
        match exchange(&engine).await {
            Ok(()) => exchanged = true,
            // Once, not each second while the database is away.
            Err(error) if exchanged => {
                tracing::warn!(%error, "error codes cannot be exchanged with the other processes");
                exchanged = false;
            }
            Err(_) => {}
        }
        if last {
            return;
        }
        let _ = tokio::time::timeout(EVERY, stop.cancelled()).await;
    }
}

async fn exchange(engine: &Engine) -> Result<()> {
    load(engine).await?;
    let heard = std::mem::take(&mut *lock(engine));
    if heard.is_empty() {
        return Ok(());
    }
    if let Err(error) = store::error_codes::add_heard(engine.db().writer(), engine.db().kind(), &heard).await {
        let mut newer = lock(engine);
        for (code, older) in heard {
            add(&mut newer, code, older);
        }
        return Err(error.into());
    }
    Ok(())
}

/// Reads what admins changed.
///
/// # Errors
/// What the database says.
pub(crate) async fn load(engine: &Engine) -> Result<()> {
    let changes = store::error_codes::changes(engine.db().reader()).await?;
    set(engine, changes);
    Ok(())
}

fn set(engine: &Engine, changes: BTreeMap<i32, StoredChange>) {
    let codes = Codes::new(changes.into_iter().map(|(code, stored)| (code, stored.change)));
    *engine.inner().error_codes.codes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(codes);
}

fn lock(engine: &Engine) -> std::sync::MutexGuard<'_, BTreeMap<i32, Heard>> {
    engine.inner().error_codes.heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(all: &mut BTreeMap<i32, Heard>, code: i32, new: Heard) {
    all.entry(code)
        .and_modify(|heard| {
            heard.times += new.times;
            heard.first_at = heard.first_at.min(new.first_at);
            heard.last_at = heard.last_at.max(new.last_at);
            if heard.said.is_none() {
                heard.said.clone_from(&new.said);
            }
        })
        .or_insert(new);
}

/// The provider's words without what may be a person's number.
fn without_numbers(said: &str) -> String {
    let mut words = String::with_capacity(said.len());
    let mut digits = String::new();
    for character in said.chars().take(SAID_MAX).chain([' ']) {
        if character.is_numeric() {
            digits.push(character);
            continue;
        }
        words.push_str(if digits.chars().count() < DIGITS { &digits } else { "…" });
        digits.clear();
        words.push(character);
    }
    words.truncate(words.trim_end().len());
    words
}

impl ErrorCodes<'_> {
    /// The codes by which things are decided now; at most a second old.
    pub(crate) fn current(&self) -> Arc<Codes> {
        self.0.inner().error_codes.codes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a code that the provider gave.
    pub(crate) fn heard(&self, code: i32, said: Option<&str>, now: Timestamp) {
        let said = said.map(without_numbers).filter(|said| !said.is_empty());
        add(&mut lock(self.0), code, Heard { times: 1, first_at: now, last_at: now, said });
    }

    /// A code in words, as admins want them.
    #[must_use]
    pub fn explain(&self, code: i32) -> Explained {
        self.current().explain(code)
    }

    /// The codes, by number: those that are built in, that admins described, that the provider gave.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, actor: &Actor, filter: &Filter) -> Result<Vec<Entry>> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let changes = store::error_codes::changes(db).await?;
        let heard = store::error_codes::heard(db).await?;
        let codes = Codes::new(changes.iter().map(|(code, stored)| (*code, stored.change.clone())));
        let mut all = codes.all();
        all.extend(heard.keys());
        all.sort_unstable();
        all.dedup();
        let entries = all.into_iter().map(|code| entry(&codes, code, changes.get(&code), heard.get(&code).cloned()));
        Ok(entries.filter(|entry| is_wanted(entry, filter)).collect())
    }

    /// One code, also one that is not known: what would follow from it.
    ///
    /// # Errors
    /// `NotFound` for what is no code of the provider's.
    pub async fn get(&self, actor: &Actor, code: i32) -> Result<Entry> {
        require(actor, Permission::Read)?;
        unless_code(code)?;
        let db = self.0.db().reader();
        let changes = store::error_codes::changes(db).await?;
        let heard = store::error_codes::heard(db).await?.remove(&code);
        let stored = changes.get(&code).cloned();
        let codes = Codes::new(changes.into_iter().map(|(code, stored)| (code, stored.change)));
        Ok(entry(&codes, code, stored.as_ref(), heard))
    }

    /// Changes what a code means and what follows from it. It holds within a second, in every process, for what the
    /// provider answers from then on.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, `NotFound` for what is no code of the provider's, `Stale`.
    pub async fn update(&self, actor: &Actor, code: i32, patch: EntryPatch) -> Result<Entry> {
        require(actor, Permission::Administer)?;
        unless_code(code)?;
        let patch = checked(code, patch)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let former = store::error_codes::changes(&tx).await?.remove(&code).unwrap_or_default();
        if patch.version.is_some_and(|read| read != former.version) {
            let codes = Codes::new([(code, former.change.clone())]);
            return Err(stale(&patch, &entry(&codes, code, Some(&former), None)));
        }
        let change = patched(code, &former.change, patch);
        if change != former.change {
            store::error_codes::save(&tx, code, &change, former.version, now).await?;
            let detail = json!({ "before": former.change, "after": change });
            store::audit::append(&tx, actor, now, "update", ("error_code", &code.to_string()), &detail).await?;
            let changes = store::error_codes::changes(&tx).await?;
            tx.commit().await.map_err(store::Error::from)?;
            set(self.0, changes);
        }
        self.get(actor, code).await
    }
}

fn entry(codes: &Codes, code: i32, stored: Option<&StoredChange>, heard: Option<Heard>) -> Entry {
    let Explained { class, meaning, remedy, .. } = codes.explain(code);
    Entry {
        code,
        class,
        meaning,
        remedy,
        built_in: find(code).is_some(),
        changed: stored.is_some_and(|stored| !stored.change.is_none()),
        class_is_fixed: class_is_fixed(code),
        heard,
        version: stored.map_or(0, |stored| stored.version),
    }
}

fn is_wanted(entry: &Entry, filter: &Filter) -> bool {
    let contains = |q: &str| {
        let q = fold(q);
        entry.code.to_string().contains(&*q) || fold(&entry.meaning).contains(&*q) || fold(&entry.remedy).contains(&*q)
    };
    filter.q.as_deref().is_none_or(|q| contains(q.trim()))
        && filter.heard.is_none_or(|heard| heard == entry.heard.is_some())
        && filter.built_in.is_none_or(|built_in| built_in == entry.built_in)
}

fn unless_code(code: i32) -> Result<()> {
    // Also HTTP's, which stood for answers without a code: they may be stored.
    if (100..=999_999).contains(&code) { Ok(()) } else { Err(Error::NotFound { what: "error code" }) }
}

fn checked(code: i32, patch: EntryPatch) -> Result<EntryPatch> {
    let mut problems = Vec::new();
    if class_is_fixed(code)
        && let Some(Some(class)) = patch.class
        && find(code).is_some_and(|known| known.class != class)
    {
        let text = format!(
            "What follows from {code} cannot be changed: people who opted out, or who may have got the \
                            message already, would be written to again."
        );
        problems.push(FieldError::new("class", text));
    }
    let trimmed = |words: Option<Option<String>>| words.map(|words| words.map(|words| words.trim().to_owned()));
    let patch = EntryPatch { meaning: trimmed(patch.meaning), remedy: trimmed(patch.remedy), ..patch };
    for (field, words) in [("meaning", &patch.meaning), ("remedy", &patch.remedy)] {
        let Some(Some(words)) = words else { continue };
        if words.is_empty() {
            problems.push(FieldError::new(field, "Say it in a sentence, or give null for what is built in."));
        } else if words.chars().count() > WORDS_MAX {
            problems.push(FieldError::new(field, format!("Use at most {WORDS_MAX} characters.")));
        }
    }
    Error::unless_valid(problems)?;
    Ok(patch)
}

/// What is as built in is no change: it follows what is built in when that changes.
fn patched(code: i32, former: &Change, patch: EntryPatch) -> Change {
    let known = find(code);
    let words = |new: Option<Option<String>>, former: &Option<String>, built_in: Option<&str>| {
        new.unwrap_or_else(|| former.clone()).filter(|words| Some(words.as_str()) != built_in)
    };
    Change {
        class: patch.class.unwrap_or(former.class).filter(|class| known.map(|known| known.class) != Some(*class)),
        meaning: words(patch.meaning, &former.meaning, known.map(|known| known.meaning)),
        remedy: words(patch.remedy, &former.remedy, known.map(|known| known.remedy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_not_kept() {
        let said = "The 'To' number whatsapp:+15005550009 is not valid (21211).";
        assert_eq!(without_numbers(said), "The 'To' number whatsapp:+… is not valid (21211).");
        assert_eq!(without_numbers("to 15005550009"), "to …");
        assert_eq!(without_numbers(&"ü".repeat(400)).chars().count(), SAID_MAX);
    }
}
