//! Compiled templates by version: a version never changes, so nothing is ever out of date.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::ids::TemplateId;
use store::Db;

use super::Compiled;
use crate::{Error, Result};

/// So many versions are kept; runs use a handful at a time.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub struct Templates(Mutex<HashMap<(TemplateId, i64), Arc<Compiled>>>);

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
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert((id, version), Arc::clone(&compiled));
        Ok(compiled)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(TemplateId, i64), Arc<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
