//! Compiled templates by version: a version never changes, so nothing is ever out of date.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::ids::TemplateId;
use store::Db;

use super::Compiled;
use crate::{Error, Result};

/// So many versions are kept, and those that somebody uses: each look at the runs asks for all of theirs.
const MOST: usize = 256;

type Known = HashMap<(TemplateId, i64), Arc<Compiled>>;

#[derive(Debug, Default)]
pub struct Templates(Mutex<Known>);

impl Templates {
    /// A version of a template, parsed at its first use.
    ///
    /// # Errors
    /// `NotFound`, or what the database says.
    pub(crate) async fn version(&self, db: &Db, id: TemplateId, version: i64) -> Result<Arc<Compiled>> {
        if let Some(known) = self.lock().get(&(id, version)) {
            return Ok(Arc::clone(known));
        }
        let stored = store::templates::find_version(db.lookout(), id, version)
            .await?
            .ok_or(Error::NotFound { what: "template version" })?;
        let compiled = Compiled::new(stored.channel, &stored.default_locale, &stored.variants)
            .map(Arc::new)
            .map_err(|errors| Error::internal(Error::Invalid(errors)))?;
        keep(&mut self.lock(), (id, version), &compiled);
        Ok(compiled)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(known: &mut Known, version: (TemplateId, i64), compiled: &Arc<Compiled>) {
    if known.len() >= MOST {
        known.retain(|_, kept| Arc::strong_count(kept) > 1);
    }
    known.insert(version, Arc::clone(compiled));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{message::Channel, template::Variant};
    use uuid::Uuid;

    use super::*;

    /// Else each look at more runs than are kept would read and parse all their templates anew.
    #[test]
    fn what_somebody_uses_is_kept_however_many_there_are() {
        let id = TemplateId(Uuid::nil());
        let mut known = Known::new();
        let mut use_one = |version: i64| {
            let variant = Variant { body: "Hi".to_owned(), ..Variant::default() };
            let variants = BTreeMap::from([("en".to_owned(), variant)]);
            let compiled = Arc::new(Compiled::new(Channel::Whatsapp, "en", &variants).expect("a template"));
            keep(&mut known, (id, version), &compiled);
            (compiled, known.len())
        };
        let used: Vec<_> = (1..=300).map(&mut use_one).collect();
        assert_eq!(used.last().map(|(_, kept)| *kept), Some(300));
        drop(used);
        assert_eq!(use_one(301).1, 1, "nobody uses the others any more");
    }
}
