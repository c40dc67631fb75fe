//! Topics: what people subscribe to.

use domain::{
    ids::{TemplateId, TopicId},
    problem::FieldError,
    role::Permission,
    text::fold,
    topic::{NewTopic, Topic, TopicPatch},
};
use serde_json::json;
use store::topics::Change;

use super::{settings, stale::stale};
use crate::{Actor, Engine, Error, Result, require};

const KEY_MAX: usize = 40;
const NAME_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 1_000;

/// So many uses are named where a topic cannot be deleted.
const USES_NAMED: u32 = 3;

/// See [`Engine::topics`].
pub struct Topics<'a>(&'a Engine);

impl Engine {
    /// Topics: what people subscribe to.
    #[must_use]
    pub const fn topics(&self) -> Topics<'_> {
        Topics(self)
    }
}

const NO_TOPIC: Error = Error::NotFound { what: "topic" };

impl Topics<'_> {
    /// All topics, newest first; with `q` those whose key or name contains it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, actor: &Actor, q: Option<&str>) -> Result<Vec<Topic>> {
        require(actor, Permission::Read)?;
        Ok(store::topics::list(self.0.db().reader(), q).await?)
    }

    /// One topic.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, key: &str) -> Result<Topic> {
        require(actor, Permission::Read)?;
        let found = store::topics::find(self.0.db().reader(), key).await?;
        found.map(|(_, topic)| topic).ok_or(NO_TOPIC)
    }

    /// Stores a topic.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, also when another topic has the name, `Conflict` when the key is taken.
    pub async fn create(&self, actor: &Actor, new: NewTopic) -> Result<Topic> {
        require(actor, Permission::Write)?;
        let new = checked(new)?;
        let keywords = settings::current(self.0).await?.keywords.clone();
        if crate::ingest::is_taken(&new.key, &keywords) {
            let message = format!("People say something else by writing `{}`: choose another key.", new.key);
            return Err(Error::invalid("key", message));
        }
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        if store::topics::id_of(&tx, &new.key).await?.is_some() {
            return Err(Error::Conflict(format!("There is a topic with the key `{}` already.", new.key)));
        }
        unless_name_taken(&tx, &new.name, None).await?;
        check_question(&tx, new.question_template_id).await?;
        store::topics::insert(&tx, TopicId(self.0.new_uuid()), &new, now).await?;
        let detail = json!({ "name": new.name, "double_opt_in": new.double_opt_in });
        store::audit::append(&tx, actor, now, "create", ("topic", &new.key), &detail).await?;
        let (_, topic) = store::topics::find(&tx, &new.key).await?.ok_or(NO_TOPIC)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(topic)
    }

    /// Changes name, description, and whether it asks back; the key stays, because people write it.
    ///
    /// # Errors
    /// `Invalid` with the fields to correct, also when another topic has the name, `NotFound`, `Stale`.
    pub async fn update(&self, actor: &Actor, key: &str, patch: TopicPatch) -> Result<Topic> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let (id, topic) = store::topics::find(&tx, key).await?.ok_or(NO_TOPIC)?;
        if patch.version.is_some_and(|read| read != topic.version) {
            return Err(stale(&patch, &topic));
        }
        let name = patch.name.unwrap_or_else(|| topic.name.clone()).trim().to_owned();
        let description = patch.description.unwrap_or_else(|| topic.description.clone()).trim().to_owned();
        let double_opt_in = patch.double_opt_in.unwrap_or(topic.double_opt_in);
        let question_template_id = patch.question_template_id.unwrap_or(topic.question_template_id);
        let asks_the_same = (double_opt_in, question_template_id) == (topic.double_opt_in, topic.question_template_id);
        if asks_the_same && (&name, &description) == (&topic.name, &topic.description) {
            return Ok(topic);
        }
        if question_template_id != topic.question_template_id {
            check_question(&tx, question_template_id).await?;
        }
        let mut errors = Vec::new();
        check_texts(&name, &description, &mut errors);
        Error::unless_valid(errors)?;
        if fold(&name) != fold(&topic.name) {
            unless_name_taken(&tx, &name, Some(id)).await?;
        }
        let change = Change { name: &name, description: &description, double_opt_in, question_template_id };
        store::topics::update(&tx, id, topic.version, change, now).await?;
        let detail = json!({ "name": name, "former_name": topic.name, "double_opt_in": double_opt_in });
        store::audit::append(&tx, actor, now, "update", ("topic", key), &detail).await?;
        let (_, topic) = store::topics::find(&tx, key).await?.ok_or(NO_TOPIC)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(topic)
    }

    /// Removes a topic and its subscriptions.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` naming the campaigns or segments that use it.
    pub async fn delete(&self, actor: &Actor, key: &str) -> Result<()> {
        require(actor, Permission::Write)?;
        let now = self.0.now();
        let tx = self.0.begin(actor).await?;
        let (id, topic) = store::topics::find(&tx, key).await?.ok_or(NO_TOPIC)?;
        let campaigns = store::topics::campaigns_using(&tx, id, USES_NAMED + 1).await?;
        unless_used("campaigns", campaigns.into_iter().map(|(_, name)| name).collect())?;
        unless_used("audiences", store::topics::segments_using(&tx, key).await?)?;
        store::topics::delete(&tx, id).await?;
        let detail = json!({ "name": topic.name, "subscribers": topic.subscribers });
        store::audit::append(&tx, actor, now, "delete", ("topic", key), &detail).await?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(())
    }
}

/// `Err(Invalid)` when there is no such template to ask with.
async fn check_question(tx: &store::Tx, template: Option<TemplateId>) -> Result<()> {
    let Some(id) = template else { return Ok(()) };
    match store::templates::find(tx, id).await? {
        Some(_) => Ok(()),
        None => Err(Error::invalid("question_template_id", "There is no template with this id.")),
    }
}

/// `Err(Invalid)` when another topic than `own` has this name, whatever the case: nobody could tell them apart.
async fn unless_name_taken(tx: &store::Tx, name: &str, own: Option<TopicId>) -> Result<()> {
    match store::topics::named(tx, name, own).await? {
        Some(key) => Err(Error::invalid("name", format!("The topic `{key}` has this name already."))),
        None => Ok(()),
    }
}

/// `Err(Conflict)` naming what uses a topic.
fn unless_used(what: &str, names: Vec<String>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let more = if names.len() > USES_NAMED as usize { " and others" } else { "" };
    let named: Vec<String> = names.into_iter().take(USES_NAMED as usize).map(|name| format!("“{name}”")).collect();
    Err(Error::Conflict(format!("The topic is used by these {what}: {}{more}. Change them first.", named.join(", "))))
}

fn checked(new: NewTopic) -> Result<NewTopic> {
    let new = NewTopic {
        key: new.key.trim().to_owned(),
        name: new.name.trim().to_owned(),
        description: new.description.trim().to_owned(),
        ..new
    };
    let mut errors = Vec::new();
    let well_formed = (1..=KEY_MAX).contains(&new.key.len())
        && new
            .key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'));
    if !well_formed {
        let message =
            format!("Use 1 to {KEY_MAX} lower-case letters, digits, - and _. People write it after SUBSCRIBE.");
        errors.push(FieldError::new("key", message));
    }
    check_texts(&new.name, &new.description, &mut errors);
    Error::unless_valid(errors)?;
    Ok(new)
}

fn check_texts(name: &str, description: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains('\0') {
        errors.push(FieldError::new("name", format!("Use 1 to {NAME_MAX} characters.")));
    }
    if description.chars().count() > DESCRIPTION_MAX || description.contains('\0') {
        errors.push(FieldError::new("description", format!("Use at most {DESCRIPTION_MAX} characters.")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_people_can_write() {
        let new = |key: &str| NewTopic { key: key.to_owned(), name: " Offers ".to_owned(), ..NewTopic::default() };
        assert_eq!(checked(new(" spring-offers_2 ")).unwrap().key, "spring-offers_2");
        assert_eq!(checked(new("offers")).unwrap().name, "Offers");
        for key in ["", "Offers", "two words", "a.b", "ü", &"x".repeat(41)] {
            assert!(matches!(checked(new(key)), Err(Error::Invalid(errors)) if errors[0].field == "key"), "{key}");
        }
    }
}
