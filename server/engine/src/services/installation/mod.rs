//! Which installation, account and key the database belongs to, and whether it is the one that was served last or one that
//! was restored or copied: that one would send again what went out since.

mod note;

use std::time::Duration;

use domain::time::Timestamp;
use note::Note;
use serde_json::json;
use store::{
    Db, Kind, Tx,
    installation::{Installation, RULES, Witness},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Actor, Engine, Error, Result, config::Config, services::settings, throttle::Throttle};

/// How often the witness rises while a server runs: a backup is told from what was served after it when it is older.
const EVERY: Duration = Duration::from_secs(60);

const RESTORED: &str = "The database is older than when it was last used: it was restored from a backup. Opt-outs and \
                        messages since then are not in it. Check open runs and opt-outs, then release sending.";
const COPIED: &str = "The database was last used elsewhere: it may be a copy of one that is still in use. Check, then \
                      release sending.";
const OTHERS: &str = "The database is another one than was last used here: it may be a copy, or an old one. Check open \
                      runs, then release sending.";

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A server: the database is its account's and its address's from now on.
    Serve,
    /// A command beside it, which need not know the account: it takes nothing over.
    Command,
}

/// Claims a new database for this installation; refuses one that was ever written with an `ENCRYPTION_KEY` that is not
/// here. One that last served another provider account or another public address, or that was restored or copied, is taken
/// over by a server, but sending is held until an admin releases it.
///
/// # Errors
/// `Conflict` when the database was written with another key.
pub(crate) async fn claim(
    db: &Db,
    config: &Config,
    throttle: &Throttle,
    purpose: Purpose,
    now: Timestamp,
) -> Result<()> {
    let of_server = |value: &str| if purpose == Purpose::Serve { value.to_owned() } else { String::new() };
    let wanted = Installation {
        instance_id: Uuid::new_v4(),
        account_sid: of_server(&config.provider.account_sid),
        public_url: of_server(&config.public_url),
        key_check: config.keys.check_value(),
    };
    // Nothing goes out from the built-in simulator: it needs no witness.
    let witnessed = purpose == Purpose::Serve && !config.is_simulated();
    let around = if witnessed { Some(Around::look(db, config, throttle).await?) } else { None };
    let tx = db.begin().await?;
    let found = store::installation::claim(&tx, &wanted, now).await?;
    let used = store::installation::note_key(&tx, &wanted.key_check, now).await?;
    let missing = used.iter().filter(|check_value| !config.keys.knows(check_value)).count();
    if missing > 0 {
        return Err(Error::Conflict(format!(
            "This database was written with {missing} other ENCRYPTION_KEY(s). Start with all keys it ever had (the \
             new one first, the others behind it, separated by commas): without them opt-outs are not recognised and \
             sealed data cannot be read."
        )));
    }
    let note = match purpose {
        Purpose::Serve => take_over(&tx, config, (&found, &wanted), around.as_ref(), now).await?,
        Purpose::Command => None,
    };
    tx.commit().await.map_err(store::Error::from)?;
    if let Some(note) = note {
        tell(config, throttle, note).await;
    }
    Ok(())
}

/// The database is this server's from now on. Returns what is to be noted when that is committed.
async fn take_over(
    tx: &Tx,
    config: &Config,
    (found, wanted): (&Installation, &Installation),
    around: Option<&Around>,
    now: Timestamp,
) -> Result<Option<Note>> {
    store::installation::ask_for_rules(tx, RULES).await?;
    let witness = store::installation::witness(tx).await?;
    let instance_id = found.instance_id;
    // Until now there were only commands: nothing was ever sent.
    let restored = around
        .filter(|_| !found.account_sid.is_empty())
        .and_then(|around| around.reason_to_hold(Kind::of(tx), instance_id, &witness));
    if let Some(reason) = restored.or_else(|| reason_to_hold(found, wanted, !config.is_simulated())) {
        let actor = Actor::worker("start");
        let detail = json!({ "from": found.account_sid, "to": wanted.account_sid, "reason": reason });
        store::audit::append(tx, &actor, now, "move", ("installation", &instance_id.to_string()), &detail).await?;
        hold(tx, &actor, reason, now).await?;
    }
    if found.account_sid != wanted.account_sid || found.public_url != wanted.public_url {
        store::installation::move_to(tx, &wanted.account_sid, &wanted.public_url).await?;
    }
    match around {
        Some(around) => bear_witness(tx, config, around, instance_id, &witness).await,
        None => Ok(None),
    }
}

/// Raises the witness, and remembers where the database is.
async fn bear_witness(
    tx: &Tx,
    config: &Config,
    around: &Around,
    instance_id: Uuid,
    witness: &Witness,
) -> Result<Option<Note>> {
    if let Some(server) = around.server.as_deref().filter(|server| witness.server.as_deref() != Some(server)) {
        store::installation::note_server(tx, server).await?;
    }
    // The first note is there before the database counts on it: a start that is cut off here leaves no copy.
    let is_first = witness.count == 0 && around.note.is_none_or(|note| note.instance_id != instance_id);
    if is_first && !take_note(config, Note { instance_id, count: 0 }).await {
        return Ok(None);
    }
    let count = store::installation::raise_witness(tx, around.highest(instance_id)).await?;
    Ok(Some(Note { instance_id, count }))
}

/// What is known of the database outside of it. Looked at before the database is: whoever serves it raises the database's
/// own count first, so that what is read from it later cannot be behind, unless it is not the same any more.
#[derive(Debug, Default)]
struct Around {
    note: Option<Note>,
    /// The highest count that was told to Redis.
    told: Option<i64>,
    /// Where PostgreSQL says that it is.
    server: Option<String>,
}

impl Around {
    async fn look(db: &Db, config: &Config, throttle: &Throttle) -> Result<Self> {
        let note = note::read(&config.witness);
        // A database that nobody claimed yet is nobody's copy.
        let told = match store::installation::instance_id(db.reader()).await? {
            Some(instance_id) => throttle.witness(instance_id).await,
            None => None,
        };
        Ok(Self { note, told, server: store::installation::server(db).await })
    }

    /// The highest count that was ever seen of this installation.
    fn highest(&self, instance_id: Uuid) -> i64 {
        let noted = self.note.filter(|note| note.instance_id == instance_id).map_or(0, |note| note.count);
        noted.max(self.told.unwrap_or(0))
    }

    /// Why the database does not seem to be the one that was served last. One that never had a witness is of the version
    /// before, unless somebody saw a later one.
    fn reason_to_hold(&self, kind: Kind, instance_id: Uuid, witness: &Witness) -> Option<&'static str> {
        if witness.count < self.highest(instance_id) {
            return Some(RESTORED);
        }
        if self.note.is_some_and(|note| note.instance_id != instance_id) {
            return Some(OTHERS);
        }
        match kind {
            // The note lies beside the file, and no backup has it.
            Kind::Sqlite if self.note.is_none() && witness.count > 0 => Some(COPIED),
            // Containers begin with an empty disk, so there a note that is missing says nothing.
            Kind::Postgres if is_elsewhere(witness.server.as_deref(), self.server.as_deref()) => Some(COPIED),
            _ => None,
        }
    }
}

/// Whether PostgreSQL says now that it is another one than before; what it does not say is no reason.
fn is_elsewhere(before: Option<&str>, now: Option<&str>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if before != now)
}

/// Raises the witness until told to stop. A database that was set back while processes serve it holds all sending, too.
pub(crate) async fn keep_witness(engine: Engine, stop: CancellationToken) {
    if engine.config().is_simulated() {
        return;
    }
    let mut last = 0;
    while tokio::time::timeout(EVERY, stop.cancelled()).await.is_err() {
        match raise(&engine, last).await {
            Ok(count) => last = count,
            Err(error) => tracing::warn!(%error, "the database's witness cannot be raised"),
        }
    }
}

/// Raises the witness once; `last` is where this process left it. A Redis that did not answer at the start is heard now.
async fn raise(engine: &Engine, last: i64) -> Result<i64> {
    let (now, db) = (engine.now(), engine.db());
    let instance_id = store::installation::instance_id(db.reader()).await?.ok_or(store::Error::NotFound)?;
    // Heard before the database is looked at: others raise its count first, and tell then.
    let told = engine.inner().throttle.witness(instance_id).await.unwrap_or(0);
    let known = last.max(told);
    let tx = db.begin().await?;
    let found = store::installation::witness(&tx).await?.count;
    if found < known {
        hold(&tx, &Actor::worker("witness"), RESTORED, now).await?;
    }
    // As at the start: the first note is there before the database counts on it.
    if found == 0 && !take_note(engine.config(), Note { instance_id, count: 0 }).await {
        tx.commit().await.map_err(store::Error::from)?;
        return Ok(0);
    }
    let count = store::installation::raise_witness(&tx, known).await?;
    tx.commit().await.map_err(store::Error::from)?;
    tell(engine.config(), &engine.inner().throttle, Note { instance_id, count }).await;
    Ok(count)
}

async fn hold(tx: &Tx, actor: &Actor, reason: &'static str, now: Timestamp) -> Result<()> {
    settings::hold(tx, actor, reason, now).await?;
    tracing::warn!(reason, "all sending is held until an admin releases it in Settings");
    Ok(())
}

/// Tells those outside of the database how far its witness has come.
async fn tell(config: &Config, throttle: &Throttle, note: Note) {
    take_note(config, note).await;
    throttle.tell_witness(note.instance_id, note.count).await;
}

/// Whether the note is written: a disk that takes none is no reason not to serve.
async fn take_note(config: &Config, note: Note) -> bool {
    let written = note::write(config.witness.clone(), note).await;
    if let Err(error) = &written {
        let path = config.witness.display();
        tracing::warn!(%error, %path, "which database is served here cannot be noted");
    }
    written.is_ok()
}

/// `is_real`: what is sent reaches people.
fn reason_to_hold(found: &Installation, wanted: &Installation, is_real: bool) -> Option<&'static str> {
    // Until now there were only commands.
    if found.account_sid.is_empty() {
        return None;
    }
    if found.account_sid != wanted.account_sid {
        return Some("The database was last used with another Twilio account. Check open runs, then release sending.");
    }
    // A development machine changes its port often, and Twilio cannot reach it anyway. But what was public and is not any
    // more is the copy on such a machine.
    let moved = host(&found.public_url) != host(&wanted.public_url) && !is_loopback(&found.public_url);
    if moved && (is_real || !is_loopback(&wanted.public_url)) {
        return Some(
            "The database was last used at another PUBLIC_URL: it may be a copy. Check, then release sending.",
        );
    }
    None
}

fn host(public_url: &str) -> Option<String> {
    url::Url::parse(public_url).ok()?.host_str().map(str::to_owned)
}

fn is_loopback(public_url: &str) -> bool {
    host(public_url).is_none_or(|host| host == "localhost" || host == "[::1]" || host.starts_with("127."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(account_sid: &str, public_url: &str) -> Installation {
        Installation {
            instance_id: Uuid::nil(),
            account_sid: account_sid.to_owned(),
            public_url: public_url.to_owned(),
            key_check: vec![],
        }
    }

    #[test]
    fn another_account_or_address_holds_but_another_port_does_not() {
        let (live, local) = (at("AC1", "https://send.example.com"), at("AC1", "http://127.0.0.1:3000"));
        let holds = |found: &Installation, wanted: &Installation| reason_to_hold(found, wanted, true).is_some();
        assert!(holds(&live, &at("AC2", "https://send.example.com")));
        assert!(holds(&live, &at("AC1", "https://staging.example.com")));
        assert!(!holds(&live, &at("AC1", "https://send.example.com:8443")));
        assert!(!holds(&local, &at("AC1", "http://127.0.0.1:3001")));
        assert!(!holds(&local, &live));
        assert!(holds(&live, &local), "a copy on somebody's own machine");
        assert!(reason_to_hold(&live, &local, false).is_none(), "which sends nothing from the simulator");
    }

    const MINE: Uuid = Uuid::from_u128(1);

    fn witness(count: i64, server: Option<&str>) -> Witness {
        Witness { count, server: server.map(str::to_owned) }
    }

    fn around(note: Option<(Uuid, i64)>, told: Option<i64>, server: Option<&str>) -> Around {
        let note = note.map(|(instance_id, count)| Note { instance_id, count });
        Around { note, told, server: server.map(str::to_owned) }
    }

    #[test]
    fn an_ordinary_start_never_holds() {
        let here = Some("7/5");
        for (kind, witness, around) in [
            // The first start of this version, on a database of the one before.
            (Kind::Sqlite, witness(0, None), around(None, None, None)),
            (Kind::Postgres, witness(0, None), around(None, None, here)),
            // It was cut off before it was committed, and after it.
            (Kind::Sqlite, witness(0, None), around(Some((MINE, 0)), None, None)),
            (Kind::Sqlite, witness(1, None), around(Some((MINE, 0)), None, None)),
            // Again; and beside others that have come further meanwhile.
            (Kind::Sqlite, witness(7, None), around(Some((MINE, 7)), None, None)),
            (Kind::Postgres, witness(9, here), around(Some((MINE, 4)), Some(8), here)),
            // A fresh container, a Redis without memory, a PostgreSQL that does not say or says it for the first time.
            (Kind::Postgres, witness(9, here), around(None, None, here)),
            (Kind::Postgres, witness(9, here), around(None, Some(9), None)),
            (Kind::Postgres, witness(9, None), around(None, Some(9), here)),
        ] {
            assert_eq!(around.reason_to_hold(kind, MINE, &witness), None, "{witness:?} {around:?}");
        }
    }

    #[test]
    fn a_restored_or_copied_database_holds() {
        let (here, there) = (Some("7/5"), Some("8/5"));
        for (kind, witness, around, reason) in [
            (Kind::Sqlite, witness(6, None), around(Some((MINE, 7)), None, None), RESTORED),
            // From before there was a witness.
            (Kind::Sqlite, witness(0, None), around(Some((MINE, 7)), None, None), RESTORED),
            (Kind::Postgres, witness(6, here), around(Some((MINE, 7)), None, here), RESTORED),
            (Kind::Postgres, witness(6, here), around(None, Some(7), here), RESTORED),
            (Kind::Sqlite, witness(7, None), around(None, None, None), COPIED),
            (Kind::Postgres, witness(7, here), around(None, None, there), COPIED),
            (Kind::Sqlite, witness(7, None), around(Some((Uuid::from_u128(2), 3)), None, None), OTHERS),
        ] {
            assert_eq!(around.reason_to_hold(kind, MINE, &witness), Some(reason), "{witness:?} {around:?}");
        }
    }
}
