//! Content templates: a copy of what Twilio lists, looked at every quarter of an hour and on request, and what it means for a
//! campaign.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    campaign::Trigger,
    consent::Category,
    content_template::{Approval, ContentSync, ContentTemplate, keys},
    message::Channel,
    problem::FieldError,
    role::Permission,
    template::{Template, Variant},
    time::Timestamp,
};
use serde_json::json;
use store::ConnectionTrait;
pub use store::content_templates::Sync;
use tokio_util::sync::CancellationToken;

use super::provider_accounts;
use crate::{Actor, Engine, Error, Result, provider::Account, require};

/// A review takes minutes to two days.
const LOOK_EVERY: i64 = 15 * Timestamp::MINUTE;

/// How often a process asks whether it is somebody's turn.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// See [`Engine::content_templates`].
pub struct ContentTemplates<'a>(&'a Engine);

impl Engine {
    /// What WhatsApp has approved, as Twilio lists it.
    #[must_use]
    pub const fn content_templates(&self) -> ContentTemplates<'_> {
        ContentTemplates(self)
    }
}

impl ContentTemplates<'_> {
    /// All of them as Twilio last listed them, by name and language.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<ContentTemplate>> {
        require(actor, Permission::Read)?;
        Ok(store::content_templates::list(self.0.db().reader()).await?)
    }

    /// Those with these SIDs, as far as Twilio lists them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn named(&self, actor: &Actor, sids: impl Iterator<Item = &str>) -> Result<Vec<ContentTemplate>> {
        require(actor, Permission::Read)?;
        Ok(store::content_templates::named(self.0.db().reader(), sids).await?)
    }

    /// When each account was last asked, and why it gave no list.
    ///
    /// # Errors
    /// What the database says.
    pub async fn syncs(&self, actor: &Actor) -> Result<Vec<Sync>> {
        require(actor, Permission::Read)?;
        Ok(store::content_templates::syncs(self.0.db().reader()).await?)
    }

    /// Asks Twilio now, all accounts.
    ///
    /// # Errors
    /// `Unavailable` when an account does not give its list; what the others gave is kept.
    pub async fn sync(&self, actor: &Actor) -> Result<ContentSync> {
        require(actor, Permission::Write)?;
        let accounts = provider_accounts::current(self.0).await?;
        let mut sum = ContentSync::default();
        let mut refused = None;
        for account in accounts.all() {
            match look(self.0, actor, account).await {
                Ok(found) => {
                    sum.listed += found.listed;
                    sum.added += found.added;
                    sum.changed += found.changed;
                    sum.removed += found.removed;
                }
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(sum), Err)
    }
}

/// Looks at the accounts whose turn it is, until it is stopped.
pub(crate) async fn run(engine: Engine, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = due(&engine).await {
            tracing::warn!(%error, "content templates could not be synced");
        }
        let _ = tokio::time::timeout(ASK_EVERY, stop.cancelled()).await;
    }
}

async fn due(engine: &Engine) -> Result<()> {
    let actor = Actor::worker("content_templates");
    for account in provider_accounts::current(engine).await?.all() {
        let now = engine.now();
        let db = engine.db().writer();
        if store::content_templates::take_turn(db, account.sid(), now, now.plus(LOOK_EVERY)).await?
            && let Err(error) = look(engine, &actor, account).await
        {
            // Kept with the account, and tried again at its next turn.
            tracing::warn!(%error, account = account.sid(), "Twilio did not list its content templates");
        }
    }
    Ok(())
}

/// Asks one account and keeps what it lists; what WhatsApp decided since goes into the audit log.
async fn look(engine: &Engine, actor: &Actor, account: &Account) -> Result<ContentSync> {
    let now = engine.now();
    let next = now.plus(LOOK_EVERY);
    let listed = match engine.inner().provider.content_templates(account, now).await {
        Ok(listed) => listed,
        Err(error) => {
            let problem = error.to_string();
            store::content_templates::looked(engine.db().writer(), account.sid(), now, next, Some(&problem)).await?;
            return Err(Error::Unavailable(format!(
                "The account {} did not list its content templates: {problem}.",
                account.sid()
            )));
        }
    };
    let tx = engine.begin(actor).await?;
    let known = store::content_templates::of_account(&tx, account.sid()).await?;
    let (sum, changes) = compared(&known, &listed);
    store::content_templates::replace(&tx, account.sid(), &listed, now).await?;
    store::content_templates::looked(&tx, account.sid(), now, next, None).await?;
    if !changes.is_empty() {
        let detail = json!({ "changes": changes });
        let entity = ("content_templates", account.sid());
        store::audit::append(&tx, actor, now, "sync", entity, &detail).await?;
    }
    tx.commit().await.map_err(store::Error::from)?;
    Ok(sum)
}

/// What became of the ones that are known, and which reviews came to something else.
fn compared(known: &[ContentTemplate], listed: &[ContentTemplate]) -> (ContentSync, Vec<serde_json::Value>) {
    let former: BTreeMap<&str, &ContentTemplate> = known.iter().map(|known| (&*known.sid, known)).collect();
    let mut sum = ContentSync { listed: listed.len() as i64, ..ContentSync::default() };
    let mut changes = Vec::new();
    for template in listed {
        let Some(former) = former.get(&*template.sid) else {
            sum.added += 1;
            continue;
        };
        let same = ContentTemplate { synced_at: former.synced_at, ..template.clone() };
        sum.changed += i64::from(same != **former);
        if (former.approval, former.category) != (template.approval, template.category) {
            changes.push(json!({
                "sid": template.sid,
                "name": template.name,
                "approval": [former.approval.as_str(), template.approval.as_str()],
                "category": [former.category, template.category],
            }));
        }
    }
    sum.removed = known.len() as i64 - (sum.listed - sum.added);
    (sum, changes)
}

/// What the reviews mean for a campaign with this template: what keeps it from going out, and what should be known.
///
/// # Errors
/// What the database says.
pub(crate) async fn findings(
    db: &impl ConnectionTrait,
    template: &Template,
    trigger: &Trigger,
) -> Result<(Vec<FieldError>, Vec<String>)> {
    let sids: Vec<&str> = template.variants.values().filter_map(|variant| variant.content_sid.as_deref()).collect();
    if template.channel != Channel::Whatsapp || sids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let known = store::content_templates::named(db, sids.into_iter()).await?;
    let was_asked = store::content_templates::is_known(db).await?;
    let mut found = Findings { problems: Vec::new(), warnings: Vec::new(), now: matches!(trigger, Trigger::Now) };
    for (locale, variant) in &template.variants {
        let Some(sid) = &variant.content_sid else { continue };
        match known.iter().find(|content| content.sid == *sid) {
            Some(content) => found.of(template.category, locale, variant, content),
            // Before the first look nothing is known of any.
            None if !was_asked => {}
            None => found.warnings.push(format!(
                "Twilio does not list the content template {sid} ({locale}): check its SID, or look again under \
                 Templates, Approved by WhatsApp."
            )),
        }
    }
    Ok((found.problems, found.warnings))
}

struct Findings {
    problems: Vec<FieldError>,
    warnings: Vec<String>,
    /// It goes out at once: a review that is under way comes too late.
    now: bool,
}

impl Findings {
    fn of(&mut self, category: Category, locale: &str, variant: &Variant, content: &ContentTemplate) {
        let name = format!("“{}” ({locale})", content.name);
        let because = content.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        match content.approval {
            Approval::Approved => {}
            approval if approval.is_refused() => self.refuse(format!(
                "WhatsApp has {approval} the content template {name}{because}. Choose another one; if Twilio says \
                 otherwise by now, look again under Templates, Approved by WhatsApp."
            )),
            approval => {
                let until = if self.now { "Until it is approved" } else { "If it is not approved by then" };
                self.warnings.push(format!(
                    "The content template {name} is not approved yet ({approval}). {until}, only people who wrote in \
                     the last 24 hours get it."
                ));
            }
        }
        if content.category == Some(Category::Marketing) && category != Category::Marketing {
            self.refuse(format!(
                "WhatsApp counts the content template {name} as marketing, and this template says {category}. Change \
                 its kind to marketing: then only people who agreed to marketing get it."
            ));
        }
        for (key, sample) in &content.variables {
            if !variant.content_variables.contains_key(key) {
                let is_in_text = keys(&content.body).any(|named| named == key);
                // What was read by an older version of the program also has those that stand nowhere, until the next look.
                let place = if is_in_text {
                    ""
                } else {
                    " outside of its text (in a button's address, a picture, a card; if it is gone from there, look \
                     again under Templates, Approved by WhatsApp)"
                };
                self.refuse(format!(
                    "The content template {name} has a place {{{{{key}}}}}{place} that nothing is filled in for: \
                     everybody would get Twilio's sample “{sample}”. Add {key} to the variables of the content template \
                     in the template ({locale})."
                ));
            }
        }
    }

    fn refuse(&mut self, text: String) {
        self.problems.push(FieldError::new("template_id", text));
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::*;

    fn content(approval: Approval, category: Category) -> ContentTemplate {
        ContentTemplate {
            sid: "HX1".to_owned(),
            account_sid: "AC1".to_owned(),
            name: "offer".to_owned(),
            language: "en".to_owned(),
            category: Some(category),
            approval,
            reason: None,
            body: "Hi {{1}}, {{2}} off.".to_owned(),
            variables: [("1", "Ana"), ("2", "20 %"), ("3", "shoes")].map(|(k, v)| (k.into(), v.into())).into(),
            buttons: Vec::new(),
            synced_at: Timestamp::default(),
        }
    }

    fn found(approval: Approval, category: Category, keys: &[&str], now: bool) -> (usize, Vec<String>) {
        let (problems, warnings) = told(approval, category, keys, now);
        (problems.len(), warnings)
    }

    fn told(approval: Approval, category: Category, keys: &[&str], now: bool) -> (Vec<FieldError>, Vec<String>) {
        let variant = Variant {
            content_sid: Some("HX1".to_owned()),
            content_variables: keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect(),
            ..Variant::default()
        };
        let mut findings = Findings { problems: Vec::new(), warnings: Vec::new(), now };
        findings.of(Category::Utility, "en", &variant, &content(approval, category));
        (findings.problems, findings.warnings)
    }

    #[test]
    fn what_whatsapp_refused_does_not_go_out() {
        let all = ["1", "2", "3"];
        assert_eq!(found(Approval::Approved, Category::Utility, &all, true), (0, Vec::new()));
        for refused in [Approval::Rejected, Approval::Paused, Approval::Disabled] {
            assert_eq!(found(refused, Category::Utility, &all, false).0, 1, "{refused}");
        }
        for open in [Approval::Unsubmitted, Approval::Received, Approval::Pending, Approval::Unknown] {
            let (problems, warnings) = found(open, Category::Utility, &all, true);
            assert_eq!((problems, warnings.len()), (0, 1), "{open}");
        }
        assert_eq!(found(Approval::Approved, Category::Marketing, &all, true).0, 1, "counted as marketing");
    }

    #[test]
    fn every_place_has_a_value_wherever_it_stands() {
        let missing = |keys: &[&str]| -> Vec<String> {
            let (problems, _) = told(Approval::Approved, Category::Utility, keys, true);
            problems.into_iter().map(|problem| problem.message).collect()
        };
        let in_text = missing(&["1", "3"]);
        assert!(in_text.len() == 1 && in_text[0].contains("{{2}} that nothing") && in_text[0].contains("20 %"));
        let outside = missing(&["1", "2"]);
        assert!(outside.len() == 1 && outside[0].contains("{{3}} outside of its text") && outside[0].contains("shoes"));
        assert_eq!(missing(&[]).len(), 3);
    }

    #[test]
    fn a_look_says_what_became_of_them() {
        let of = |sid: &str, approval| ContentTemplate { sid: sid.to_owned(), ..content(approval, Category::Utility) };
        let known = [of("HX1", Approval::Pending), of("HX2", Approval::Approved), of("HX3", Approval::Approved)];
        let listed = [of("HX1", Approval::Approved), of("HX2", Approval::Approved), of("HX4", Approval::Pending)];
        let (sum, changes) = compared(&known, &listed);
        assert_eq!(sum, ContentSync { listed: 3, added: 1, changed: 1, removed: 1 });
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0]["approval"], json!(["pending", "approved"]));
    }
}
