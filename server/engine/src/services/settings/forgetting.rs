//! What goes when things are kept for less long: asked before, because nothing brings it back.

use domain::{
    role::Permission,
    settings::{Forgetting, Retention},
    time::Timestamp,
};
use store::texts::Texts;

use super::{SettingsService, retention_problems};
use crate::{Actor, Engine, Error, Result, require};

/// Texts that are read at once, and how often: whoever has more old ones is told that there are more.
const PIECE: u32 = 2_000;
const PIECES: u32 = 5;

impl SettingsService<'_> {
    /// What goes when things are kept for these times instead; none when nothing goes sooner than by now.
    ///
    /// # Errors
    /// `Invalid` with the times that will not do.
    pub async fn forgetting(&self, actor: &Actor, retention: Retention) -> Result<Option<Forgetting>> {
        require(actor, Permission::Administer)?;
        Error::unless_valid(retention_problems(retention))?;
        let kept = self.get(actor).await?.retention;
        if !retention.is_shorter_than(kept) {
            return Ok(None);
        }
        let (texts, more) = match retention.text_days {
            Some(days) if kept.text_days.is_none_or(|kept| days < kept) => old_texts(self.0, days).await?,
            _ => (0, false),
        };
        Ok(Some(Forgetting { retention, texts, more }))
    }
}

/// How many texts are older than so many days, and whether the search ended before the last of them.
async fn old_texts(engine: &Engine, days: i32) -> Result<(u32, bool)> {
    let before = engine.now().plus(-i64::from(days) * Timestamp::DAY);
    let (mut count, mut more) = (0, false);
    for texts in [Texts::Messages, Texts::Inbound] {
        let mut after = Some(0);
        for _ in 0..PIECES {
            let Some(from) = after else { break };
            let piece = store::texts::look(engine.db().reader(), texts, before, from, PIECE).await?;
            count += u32::try_from(piece.old.len()).unwrap_or(PIECE);
            after = piece.next;
        }
        more |= after.is_some();
    }
    Ok((count, more))
}
