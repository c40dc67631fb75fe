//! Conversations: what is said with one person, who takes care of it, and whether anybody has to.

use domain::{
    conversation::{
        Assignee, Conversation, ConversationDetail, ConversationFilter, ConversationPatch, Received, ReplySender, Said,
    },
    ids::{AccountId, ContactId},
    message::Channel,
    page::{Page, PageRequest},
    phone::Phone,
    role::Permission,
    time::Timestamp,
};
use serde_json::json;
use store::{contacts::Stored, conversations::Change};

use super::settings;
use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
    retry::retrying,
    services::stale::stale,
};

/// See [`Engine::conversations`].
pub struct Conversations<'a>(&'a Engine);

impl Engine {
    /// Conversations: what is said with one person, and who takes care of it.
    #[must_use]
    pub const fn conversations(&self) -> Conversations<'_> {
        Conversations(self)
    }
}

const NO_CONTACT: Error = Error::NotFound { what: "contact" };

/// Stands for nobody where an account's e-mail is expected.
const NOBODY: &str = "none";

/// So many campaigns of a person are listed.
const CAMPAIGNS: u32 = 10;

impl Conversations<'_> {
    /// Conversations, the one with the newest message first.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used, and for an `assignee` that is nobody's e-mail.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ConversationFilter,
        page: &PageRequest,
    ) -> Result<Page<Conversation>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, id] => Some((at.parse().ok()?, id.parse().ok()?)),
            _ => None,
        })?;
        let db = self.0.db().reader();
        let assignee = match filter.assignee.as_deref() {
            None => None,
            Some(NOBODY) => Some(None),
            Some(email) => Some(Some(account(db, email).await?.id)),
        };
        let q = filter.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
        let query = store::conversations::Query { q, status: filter.status, unread: filter.unread, assignee };
        let rows = store::conversations::list(db, &query, before, limit).await?;
        let page = page_of(rows, page, |((at, id), _)| Cursor::new([*at, *id]));
        Ok(page.map(|(_, conversation)| conversation))
    }

    /// What was said with one person, newest first, and where an answer may go out from. A person with whom nobody has
    /// spoken yet has an empty one.
    ///
    /// # Errors
    /// `NotFound` when there is no such contact, `Invalid` for a cursor or limit that cannot be used.
    pub async fn get(&self, actor: &Actor, phone: &Phone, page: &PageRequest) -> Result<ConversationDetail> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, Before::of)?.unwrap_or(Before { inbound: None, outbound: None });
        let db = self.0.db().reader();
        let Stored { id, contact } = store::contacts::find(db, phone).await?.ok_or(NO_CONTACT)?;
        let conversation = match store::conversations::find(db, id).await? {
            Some(found) => found,
            None => empty(contact.phone, contact.name),
        };
        let inbound = store::inbound::list(db, Some(phone), None, before.inbound, limit).await?;
        let outbound = store::messages::said_to(db, id, before.outbound, limit).await?;
        let (items, next_cursor) = merged(inbound, outbound, before, page.limit as usize);
        Ok(ConversationDetail { conversation, senders: senders(self.0, id).await?, items, next_cursor })
    }

    /// Assigns, archives, marks as read.
    ///
    /// # Errors
    /// `NotFound` when there is no such contact, `Invalid` for an assignee who cannot answer, `Stale`.
    pub async fn update(&self, actor: &Actor, phone: &Phone, patch: ConversationPatch) -> Result<Conversation> {
        require(actor, Permission::Write)?;
        retrying!(update(self.0, actor, phone, &patch).await)
    }

    /// Where an answer to a person may go out from: the sender to answer from first.
    ///
    /// # Errors
    /// `NotFound` when there is no such contact.
    pub async fn senders(&self, actor: &Actor, phone: &Phone) -> Result<Vec<ReplySender>> {
        require(actor, Permission::Read)?;
        let person = store::contacts::find(self.0.db().reader(), phone).await?.ok_or(NO_CONTACT)?;
        senders(self.0, person.id).await
    }

    /// The latest campaigns that were to write to a person, newest first.
    ///
    /// # Errors
    /// `NotFound` when there is no such contact.
    pub async fn campaigns(&self, actor: &Actor, phone: &Phone) -> Result<Vec<Received>> {
        require(actor, Permission::Read)?;
        let db = self.0.db().reader();
        let person = store::contacts::find(db, phone).await?.ok_or(NO_CONTACT)?;
        Ok(store::conversations::received(db, person.id, CAMPAIGNS).await?)
    }

    /// Who may be made to take care of a conversation: those who can answer, by their e-mail.
    ///
    /// # Errors
    /// What the database says.
    pub async fn assignees(&self, actor: &Actor) -> Result<Vec<Assignee>> {
        require(actor, Permission::Write)?;
        let accounts = store::accounts::list(self.0.db().reader()).await?;
        let able = accounts.into_iter().filter(|account| !account.disabled && account.role.may(Permission::Send));
        let mut able: Vec<Assignee> = able.map(|account| Assignee { id: account.id, email: account.email }).collect();
        able.sort_by(|one, other| one.email.cmp(&other.email));
        Ok(able)
    }
}

const fn empty(phone: Phone, name: Option<String>) -> Conversation {
    Conversation {
        phone,
        name,
        last_at: None,
        last_direction: None,
        last_text: None,
        last_inbound_at: None,
        unread: 0,
        assignee: None,
        archived: false,
        version: 0,
    }
}

async fn update(engine: &Engine, actor: &Actor, phone: &Phone, patch: &ConversationPatch) -> Result<Conversation> {
    let now = engine.now();
    let tx = engine.begin(actor).await?;
    // Locked: whoever writes to or from this person waits.
    let Stored { id, contact } = store::contacts::lock(&tx, phone).await?.ok_or(NO_CONTACT)?;
    let present = store::conversations::find(&tx, id).await?;
    let present = present.unwrap_or_else(|| empty(contact.phone, contact.name));
    if patch.version.is_some_and(|read| read != present.version) {
        return Err(stale(patch, &stored(&present)));
    }
    let assignee = match &patch.assignee {
        None => present.assignee.clone(),
        Some(None) => None,
        Some(Some(email)) => Some(able(&tx, email).await?),
    };
    let archived = patch.archived.unwrap_or(present.archived);
    let assigns = assignee != present.assignee;
    let archives = archived != present.archived;
    let seen = patch.read_until.is_some_and(|until| present.last_inbound_at.is_none_or(|last| last <= until));
    let read = present.unread > 0 && (seen || patch.archived == Some(true));
    if !(assigns || archives || read) {
        return Ok(present);
    }
    let change = Change { assignee: assignee.as_ref().map(|one| one.id), archived, read, rises: assigns || archives };
    store::conversations::update(&tx, id, now, change).await?;
    if assigns {
        let detail = json!({ "assignee": assignee.map(|one| one.id) });
        store::audit::append(&tx, actor, now, "assign", ("conversation", &id.to_string()), &detail).await?;
    }
    if archives {
        let action = if archived { "archive" } else { "reopen" };
        store::audit::append(&tx, actor, now, action, ("conversation", &id.to_string()), &json!({})).await?;
    }
    let changed = store::conversations::find(&tx, id).await?.ok_or(NO_CONTACT)?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(changed)
}

/// A conversation as an edit names its parts.
fn stored(present: &Conversation) -> ConversationPatch {
    ConversationPatch {
        assignee: Some(present.assignee.as_ref().map(|one| one.email.clone())),
        archived: Some(present.archived),
        read_until: None,
        version: Some(present.version),
    }
}

async fn account(db: &impl store::ConnectionTrait, email: &str) -> Result<domain::account::Account> {
    let found = store::accounts::by_email(db, &email.trim().to_lowercase()).await?;
    found
        .map(|stored| stored.account)
        .ok_or_else(|| Error::invalid("assignee", format!("Nobody with the e-mail “{email}” has an account here.")))
}

/// An account that can answer.
async fn able(db: &impl store::ConnectionTrait, email: &str) -> Result<Assignee> {
    let account = account(db, email).await?;
    if account.disabled || !account.role.may(Permission::Send) {
        let text = format!("{} may not answer. Choose a marketer or an admin who can log in.", account.email);
        return Err(Error::invalid("assignee", text));
    }
    Ok(Assignee { id: AccountId(account.id.0), email: account.email })
}

/// How far both directions were shown: time and id of the last one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before {
    inbound: Option<(i64, i64)>,
    outbound: Option<(i64, i64)>,
}

impl Before {
    fn of(parts: &[&str]) -> Option<Self> {
        let [in_at, in_id, out_at, out_id] = parts else { return None };
        let key = |at: &str, id: &str| Some((at.parse().ok()?, id.parse().ok()?));
        Some(Self { inbound: Some(key(in_at, in_id)?), outbound: Some(key(out_at, out_id)?) })
    }

    fn cursor(self) -> Cursor {
        let (in_at, in_id) = self.inbound.unwrap_or((i64::MAX, i64::MAX));
        let (out_at, out_id) = self.outbound.unwrap_or((i64::MAX, i64::MAX));
        Cursor::new([in_at, in_id, out_at, out_id])
    }
}

/// Both directions as one list, newest first; each was asked for one more than is shown.
fn merged(
    inbound: Vec<domain::inbound::Inbound>,
    outbound: Vec<domain::message::Message>,
    mut before: Before,
    limit: usize,
) -> (Vec<Said>, Option<String>) {
    let mut items = Vec::with_capacity(limit);
    let (mut inbound, mut outbound) = (inbound.into_iter().peekable(), outbound.into_iter().peekable());
    while items.len() < limit {
        let person_was_later = match (inbound.peek(), outbound.peek()) {
            (Some(heard), Some(sent)) => heard.received_at >= sent.not_before,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return (items, None),
        };
        if person_was_later {
            if let Some(heard) = inbound.next() {
                before.inbound = Some((heard.received_at.as_micros(), heard.id.0));
                items.push(Said::In(heard));
            }
        } else if let Some(sent) = outbound.next() {
            before.outbound = Some((sent.not_before.as_micros(), sent.id.0));
            items.push(Said::Out(sent));
        }
    }
    let more = inbound.peek().is_some() || outbound.peek().is_some();
    (items, more.then(|| before.cursor().encode()))
}

/// Where an answer may go out from, and whether free text may.
async fn senders(engine: &Engine, contact: ContactId) -> Result<Vec<ReplySender>> {
    let enforced = settings::current(engine).await?.enforce_whatsapp_window;
    let now = engine.now();
    let senders = store::conversations::senders(engine.db().reader(), contact).await?;
    let shown = senders.into_iter().map(|sender| {
        let window_until = sender.last_inbound_at.map(|last| last.plus(Timestamp::DAY));
        let open = window_until.is_some_and(|until| now < until);
        ReplySender {
            id: sender.id,
            name: sender.name,
            channel: sender.channel,
            address: sender.address,
            window_until,
            free_text: open || !enforced || sender.channel == Channel::Sms,
        }
    });
    Ok(shown.collect())
}
