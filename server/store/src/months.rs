//! Monthly partitions on PostgreSQL.

use domain::time::Timestamp;

use crate::{Db, Kind, Result, exec};

/// Makes the partitions of this month and the next two. Nothing on SQLite.
///
/// # Errors
/// What the database says.
pub async fn ensure(db: &Db, now: Timestamp) -> Result<()> {
    if db.kind() == Kind::Sqlite {
        return Ok(());
    }
    let tx = db.begin().await?;
    // Processes that start together would both find a month missing.
    exec(&tx, "SELECT pg_advisory_xact_lock($1)", vec![LOCK.into()]).await?;
    for ahead in 0..3 {
        let month = plus(now.month(), ahead);
        exec(&tx, "SELECT ensure_month($1)", vec![month.into()]).await?;
    }
    Ok(tx.commit().await?)
}

/// The advisory lock of whoever makes partitions: any number, but always this one.
const LOCK: i64 = 0x0065_7365_6D6F_6E74;

/// The month (`yyyymm`) that comes so many later.
pub(crate) const fn plus(month: i32, ahead: i32) -> i32 {
    let months = (month / 100) * 12 + month % 100 - 1 + ahead;
    (months / 12) * 100 + months % 12 + 1
}

#[cfg(test)]
mod tests {
    use super::plus;

    #[test]
    fn years_end() {
        assert_eq!(plus(202_611, 0), 202_611);
        assert_eq!(plus(202_611, 2), 202_701);
        assert_eq!(plus(202_612, 1), 202_701);
    }
}
