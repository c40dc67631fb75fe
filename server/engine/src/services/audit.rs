//! The audit log.

use domain::{
    account::AuditEntry,
    page::{Page, PageRequest},
    role::Permission,
};
use store::chain::{Broken, Fault};

use crate::{
    Actor, Engine, Result,
    cursor::{Cursor, page_of, rows_to_ask_for},
    require,
};

/// What a look at a whole chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// `audit` or `consent`.
    pub stream: &'static str,
    /// Lines that hold, from the first on.
    pub lines: i64,
    /// What is wrong with the line after them, in words.
    pub broken: Option<String>,
}

/// See [`Engine::audit`].
pub struct Audit<'a>(&'a Engine);

impl Engine {
    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> Audit<'_> {
        Audit(self)
    }
}

impl Audit<'_> {
    /// What admins and programs did, newest first.
    ///
    /// # Errors
    /// `Forbidden` without the permission, `Invalid` for a limit or cursor that will not do.
    pub async fn list(&self, actor: &Actor, page: &PageRequest) -> Result<Page<AuditEntry>> {
        require(actor, Permission::Audit)?;
        let before = Cursor::read(page, |parts| match parts {
            [seq] => seq.parse().ok(),
            _ => None,
        })?;
        let rows = store::audit::list(self.0.db().reader(), before, rows_to_ask_for(page)?).await?;
        Ok(page_of(rows, page, |last| Cursor::new([last.seq])))
    }

    /// Goes through the audit log and the consent ledger and checks that no line was changed, removed or put in.
    ///
    /// # Errors
    /// `Forbidden` without the permission.
    pub async fn verify(&self, actor: &Actor) -> Result<[ChainReport; 2]> {
        require(actor, Permission::Audit)?;
        let db = self.0.db().reader();
        let (audit, consent) = (store::audit::verify(db).await?, store::consent::verify(db).await?);
        Ok([report("audit", audit), report("consent", consent)])
    }
}

fn report(stream: &'static str, (lines, broken): (i64, Option<Broken>)) -> ChainReport {
    let broken = broken.map(|broken| {
        let seq = broken.seq;
        let what = match broken.fault {
            Fault::Missing => "is missing",
            Fault::Torn => "does not follow the line before it: one was changed, removed or put in",
            Fault::Changed => "does not say what it said when it was written",
            Fault::Tail => {
                "is where the chain ends, and not where it was last written: lines were removed or put in there"
            }
            Fault::Stray => "was put in beside the chain, which has no place for it",
        };
        format!("line {seq} {what}")
    });
    ChainReport { stream, lines, broken }
}
