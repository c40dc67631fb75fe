//! Segments: who is meant (the pages say "audience").

use domain::{ids::SegmentId, page::{Page, PageRequest}, segment::{NewSegment, Segment, SegmentPatch, SegmentPreview, SegmentVocabulary}};
use serde_json::Value;

use crate::{Actor, Engine, Error, Result};

/// See [`Engine::segments`].
pub struct Segments<'a>(&'a Engine);

impl Engine {
    /// Segments: who is meant (the pages say "audience").
    #[must_use]
    pub const fn segments(&self) -> Segments<'_> {
        Segments(self)
    }
}

impl Segments<'_> {
    pub async fn list(&self, actor: &Actor, q: Option<&str>, page: &PageRequest) -> Result<Page<Segment>> {
        todo!()
    }

    pub async fn get(&self, actor: &Actor, id: SegmentId) -> Result<Segment> {
        todo!()
    }

    pub async fn create(&self, actor: &Actor, new: NewSegment) -> Result<Segment> {
        todo!()
    }

    pub async fn update(&self, actor: &Actor, id: SegmentId, patch: SegmentPatch) -> Result<Segment> {
        todo!()
    }

    pub async fn delete(&self, actor: &Actor, id: SegmentId) -> Result<()> {
        todo!()
    }

    pub async fn preview(&self, actor: &Actor, definition: &Value) -> Result<SegmentPreview> {
        todo!()
    }

    pub async fn vocabulary(&self, actor: &Actor) -> Result<SegmentVocabulary> {
        todo!()
    }

}
