//! What people wrote to us.

use bytes::Bytes;
use domain::{
    ids::InboundId,
    inbound::Inbound,
    page::{Page, PageRequest},
    phone::Phone,
    role::Permission,
    time::Timestamp,
};

use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use reqwest::header;

use super::provider_accounts;
use crate::{
    Actor, Engine, Error, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    provider::MediaError,
    require,
};

/// See [`Engine::inbound`].
pub struct InboundMessages<'a>(&'a Engine);

impl Engine {
    /// What people wrote to us.
    #[must_use]
    pub const fn inbound(&self) -> InboundMessages<'_> {
        InboundMessages(self)
    }
}

impl InboundMessages<'_> {
    /// Messages from people, newest first; of one person, or since a moment.
    ///
    /// # Errors
    /// `Invalid` for a limit or cursor that will not do.
    pub async fn list(
        &self,
        actor: &Actor,
        phone: Option<&Phone>,
        since: Option<Timestamp>,
        page: &PageRequest,
    ) -> Result<Page<Inbound>> {
        require(actor, Permission::Read)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, id] => Some((at.parse().ok()?, id.parse().ok()?)),
            _ => None,
        })?;
        let limit = rows_to_ask_for(page)?;
        let rows = store::inbound::list(self.0.db().reader(), phone, since, before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.received_at.as_micros(), last.id.0])))
    }

    /// A file that came with a message, counted from 0, or the part of it that `range` (a header of HTTP) asks for. It stays
    /// at the provider and is read through here, because the provider may want credentials for it, and because whoever sent
    /// it shall not see who looks at it.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, also not any more; `Unavailable` when the provider does not give it.
    pub async fn media(&self, actor: &Actor, id: InboundId, number: usize, range: Option<&str>) -> Result<MediaFile> {
        require(actor, Permission::Read)?;
        let message = store::inbound::get(self.0.db().reader(), id).await?;
        let media = message.media.get(number).ok_or(NO_FILE)?;
        let accounts = provider_accounts::current(self.0).await?;
        let account = accounts.all().find(|account| account.has_media(&media.url)).ok_or(NO_FILE)?;
        let answer = self.0.inner().provider.media(account, &media.url, range).await.map_err(|error| match error {
            MediaError::Gone => NO_FILE,
            error => {
                tracing::warn!(%error, inbound.sid = message.provider_sid, number, "a file is not to be had");
                Error::Unavailable("Twilio does not give the file at the moment. Try again later.".to_owned())
            }
        })?;
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(MediaFile {
            content_type: text(header::CONTENT_TYPE).unwrap_or_default(),
            range: text(header::CONTENT_RANGE),
            length: answer.content_length(),
            bytes: answer.bytes_stream().map_err(|error| Error::internal(error.without_url())).boxed(),
        })
    }
}

const NO_FILE: Error = Error::NotFound { what: "file" };

/// A file that a person sent, read while it is passed on.
pub struct MediaFile {
    /// What the provider takes it for.
    pub content_type: String,
    /// Which part of it this is (`Content-Range` of HTTP), when a part was asked for and is given.
    pub range: Option<String>,
    /// Bytes to come, where that is known.
    pub length: Option<u64>,
    pub bytes: BoxStream<'static, Result<Bytes>>,
}
