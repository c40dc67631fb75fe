//! Imports: files of contacts.

use std::path::Path;

use bytes::Bytes;
use domain::{
    ids::ImportId,
    import::{Import, ImportOptions, ImportReject},
    page::{Page, PageRequest},
    problem::FieldError,
    role::Permission,
    time::Timestamp,
};
use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use serde_json::json;
use tokio_util::{io::ReaderStream, sync::CancellationToken};

use super::contacts::topic_ids;
use crate::{
    Actor, Engine, Error, Result,
    bell::Who,
    csv_out::CsvOut,
    cursor::{Cursor, page_of, rows_to_ask_for},
    import::{check_map, sniff, spool::Spool, worker},
    phone, require,
};

/// The most entries of a map.
const MAP_MAX: usize = 100;

/// See [`Engine::imports`].
pub struct Imports<'a>(&'a Engine);

impl Engine {
    /// Imports: files of contacts.
    #[must_use]
    pub const fn imports(&self) -> Imports<'_> {
        Imports(self)
    }
}

const NO_IMPORT: Error = Error::NotFound { what: "import" };

impl Imports<'_> {
    /// Takes a file, to be imported in the background.
    ///
    /// # Errors
    /// `Invalid` for options that make no sense and for a file that is no text, is empty or has no phone column;
    /// `TooLarge` beyond the limit.
    pub async fn upload(
        &self,
        actor: &Actor,
        options: ImportOptions,
        body: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    ) -> Result<Import> {
        require(actor, Permission::Write)?;
        let options = self.checked(options).await?;
        let id = ImportId(self.0.new_uuid());
        let spool = Spool::receive(self.0, id, body).await?;
        let path = spool.path().to_owned();
        let sniffed = tokio::task::spawn_blocking(move || sniff::sniff(&path, &options)).await;
        let found = sniffed.map_err(Error::internal)??;
        let import = self.store(actor, id, &spool, &found).await?;
        spool.keep();
        self.0.inner().bell.ring(Who::Imports);
        Ok(import)
    }

    async fn store(&self, actor: &Actor, id: ImportId, spool: &Spool, found: &sniff::Found) -> Result<Import> {
        let now = self.0.now();
        let options = serde_json::to_string(&found.plan).map_err(Error::internal)?;
        let path = spool.path().to_str().ok_or_else(|| Error::internal("the data folder's name is no UTF-8"))?;
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let new = store::imports::New {
            id,
            file_name: found.plan.options.file_name.as_deref(),
            file_path: path,
            format: found.format,
            options: &options,
            columns: &found.columns,
            bytes_total: number(found.bytes),
            bytes_done: number(found.start.0),
            lines_done: found.start.1,
        };
        let tx = self.0.begin(actor).await?;
        store::imports::insert(&tx, &new, actor, now).await?;
        let detail = json!({
            "format": found.format, "bytes": found.bytes, "topics": found.plan.options.topics,
        });
        store::audit::append(&tx, actor, now, "create", ("import", &id.to_string()), &detail).await?;
        let stored = store::imports::find(&tx, id).await?.ok_or(NO_IMPORT)?;
        tx.commit().await.map_err(store::Error::from)?;
        Ok(stored.import)
    }

    /// As [`Self::upload`], for a file on this machine.
    ///
    /// # Errors
    /// As [`Self::upload`]; `Invalid` when the file cannot be read.
    pub async fn upload_file(&self, actor: &Actor, mut options: ImportOptions, path: &Path) -> Result<Import> {
        require(actor, Permission::Write)?;
        let unreadable =
            |error: std::io::Error| Error::invalid("file", format!("{} cannot be read: {error}.", path.display()));
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        if options.file_name.is_none() {
            options.file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        }
        self.upload(actor, options, ReaderStream::with_capacity(file, 256 * 1024)).await
    }

    /// Imports, newest first.
    ///
    /// # Errors
    /// `Invalid` for a cursor or limit that cannot be used.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Import>> {
        require(actor, Permission::Read)?;
        let limit = rows_to_ask_for(page)?;
        let before = Cursor::read(page, |parts| match parts {
            [at, id] => Some((Timestamp::from_micros(at.parse().ok()?), id.parse().ok()?)),
            _ => None,
        })?;
        let rows = store::imports::list(self.0.db().reader(), before, limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.created_at.as_micros().to_string(), last.id.to_string()])))
    }

    /// One import, with how far it is and what it came to.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, actor: &Actor, id: ImportId) -> Result<Import> {
        require(actor, Permission::Read)?;
        let found = store::imports::find(self.0.db().reader(), id).await?;
        found.map(|stored| stored.import).ok_or(NO_IMPORT)
    }

    /// Rows that were not taken, in the order of the file. The first hundred thousand are kept.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a cursor or limit that cannot be used.
    pub async fn rejects(&self, actor: &Actor, id: ImportId, page: &PageRequest) -> Result<Page<ImportReject>> {
        self.get(actor, id).await?;
        let limit = rows_to_ask_for(page)?;
        let after = Cursor::read(page, |parts| match parts {
            [line] => line.parse().ok(),
            _ => None,
        })?;
        let rows = store::imports::rejects(self.0.db().reader(), id, after.unwrap_or(0), limit).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.line])))
    }

    /// The same as a CSV file, in parts: line, reason, value, raw.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn rejects_csv(&self, actor: &Actor, id: ImportId) -> Result<BoxStream<'static, Result<String>>> {
        self.get(actor, id).await?;
        let heading = CsvOut::new(["line", "reason", "value", "raw"]).finish();
        let rows = stream::try_unfold((self.0.clone(), 0), move |(engine, after)| async move {
            let rows = store::imports::rejects(engine.db().reader(), id, after, PageRequest::MAX_LIMIT).await?;
            Ok(rows.last().map(|last| (lines(&rows), (engine, last.line))))
        });
        Ok(stream::once(async { Ok(heading) }).chain(rows).boxed())
    }

    /// Does an import to its end, or the rest of one that was interrupted: for the command line and for tests. The worker
    /// does the same in the background ([`worker::run`]).
    ///
    /// # Errors
    /// `NotFound`, what the database says.
    pub async fn work(&self, id: ImportId) -> Result<Import> {
        worker::work(self.0, id, &CancellationToken::new(), crate::import::CHUNK_ROWS).await?;
        let found = store::imports::find(self.0.db().reader(), id).await?;
        found.map(|stored| stored.import).ok_or(NO_IMPORT)
    }

    async fn checked(&self, mut options: ImportOptions) -> Result<ImportOptions> {
        let mut errors = check_map(&options.map);
        if options.map.len() > MAP_MAX {
            errors.push(FieldError::new("map", format!("Map at most {MAP_MAX} columns.")));
        }
        options.country = options.country.filter(|country| !country.trim().is_empty());
        if let Some(country) = &options.country
            && !phone::is_region(country)
        {
            errors.push(FieldError::new("country", "Give a country as two letters, such as LK."));
        }
        Error::unless_valid(errors)?;
        options.file_name = options.file_name.map(|name| name.chars().filter(|c| !c.is_control()).take(255).collect());
        let mut topics = Vec::new();
        for topic in options.topics {
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        topic_ids(self.0.db().reader(), &topics).await?;
        Ok(ImportOptions { topics, ..options })
    }
}

fn lines(rows: &[ImportReject]) -> String {
    let mut file = CsvOut::continued();
    for ImportReject { line, reason, value, raw } in rows {
        file.row([line.to_string().as_str(), reason.as_str(), value, raw]);
    }
    file.finish()
}
