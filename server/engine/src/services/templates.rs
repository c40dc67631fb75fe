//! Templates: what is said, by locale and version.

use domain::{ids::TemplateId, page::{Page, PageRequest}, template::{NewTemplate, Preview, PreviewRequest, Template, TemplatePatch}};

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::templates`].
pub struct TemplateService<'a>(&'a Engine);

impl Engine {
    /// Templates: what is said, by locale and version.
    #[must_use]
    pub const fn templates(&self) -> TemplateService<'_> {
        TemplateService(self)
    }
}

impl TemplateService<'_> {
    pub async fn list(&self, actor: &Actor, q: Option<&str>, page: &PageRequest) -> Result<Page<Template>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: TemplateId) -> Result<Template> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewTemplate) -> Result<Template> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, id: TemplateId, patch: TemplatePatch) -> Result<Template> {
        todo!()
    }

    pub async fn delete(&self, actor: &Actor, id: TemplateId) -> Result<()> {
        todo!()
    }

    pub async fn preview(&self, actor: &Actor, request: &PreviewRequest) -> Result<Preview> {
        todo!()
    }

}
