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
    for ahead in 0..3 {
        let month = plus_months(now.month(), ahead);
        exec(db.writer(), "SELECT ensure_month($1)", vec![month.into()]).await?;
    }
    Ok(())
}

fn plus_months(month: i32, ahead: i32) -> i32 {
    let months = (month / 100) * 12 + month % 100 - 1 + ahead;
    (months / 12) * 100 + months % 12 + 1
}

#[cfg(test)]
mod tests {
    use super::plus_months;

    #[test]
    fn years_end() {
        assert_eq!(plus_months(202_611, 0), 202_611);
        assert_eq!(plus_months(202_611, 2), 202_701);
        assert_eq!(plus_months(202_612, 1), 202_701);
    }
}
