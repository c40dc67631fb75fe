//! Hash chains: each row of a stream carries the hash of the one before it, so that a changed, removed or inserted row
//! is found out. Rows of a batch are chained together, under the lock of the stream's head.

use sea_orm::Value;
use sha2::{Digest, Sha256};

use crate::{ConnectionTrait, Kind, Result, Row, Tx, all, exec, one};

/// Where a stream's next row goes.
#[derive(Clone, Debug)]
pub struct Head {
    stream: &'static str,
    seq: i64,
    hash: Vec<u8>,
}

/// A row's place in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub seq: i64,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Head {
    /// Locks the stream until the transaction ends.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lock(tx: &Tx, stream: &'static str) -> Result<Self> {
        let insert = "INSERT INTO chain_heads (stream, seq, hash) VALUES ($1, 0, $2) ON CONFLICT (stream) DO NOTHING";
        exec(tx, insert, vec![stream.into(), Vec::<u8>::new().into()]).await?;
        let lock = Kind::of(tx).for_update();
        let row = one(tx, format!("SELECT seq, hash FROM chain_heads WHERE stream = $1{lock}"), vec![stream.into()])
            .await?
            .ok_or(crate::Error::NotFound)?;
        Ok(Self { stream, seq: row.get("seq")?, hash: row.get("hash")? })
    }

    /// Chains one row: `content` is the row's canonical text (its columns but the chain's own).
    pub fn link(&mut self, content: &[u8]) -> Link {
        let prev_hash = std::mem::take(&mut self.hash);
        self.seq += 1;
        self.hash = hash(self.stream, self.seq, &prev_hash, content);
        Link { seq: self.seq, prev_hash, hash: self.hash.clone() }
    }

    /// Stores where the stream now stands.
    ///
    /// # Errors
    /// What the database says.
    pub async fn save(self, tx: &Tx) -> Result<()> {
        let values: Vec<Value> = vec![self.seq.into(), self.hash.into(), self.stream.into()];
        exec(tx, "UPDATE chain_heads SET seq = $1, hash = $2 WHERE stream = $3", values).await?;
        Ok(())
    }
}

/// Rows that are read at a time while a chain is checked.
const PIECE: i64 = 5_000;

/// The first place where a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub stream: &'static str,
    pub seq: i64,
    pub fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no row of this number, but later ones.
    Missing,
    /// The row does not carry the hash of the one before it.
    Torn,
    /// The row's own hash is not that of what it says.
    Changed,
    /// The last rows are not those that were written last.
    Tail,
    /// The chain has no place for the row: its stream is another one, or its number none.
    Stray,
}

/// Checks every row of a stream, from the first to the head. `select` names the columns that `content` reads, from the
/// table that keeps the stream. Returns how many rows there are and the first that does not hold.
///
/// # Errors
/// What the database says.
pub(crate) async fn verify(
    db: &impl ConnectionTrait,
    (stream, table, select): (&'static str, &str, &str),
    content: impl Fn(&Row) -> Result<String>,
) -> Result<(i64, Option<Broken>)> {
    let query = format!(
        "SELECT seq, prev_hash, hash, {select} FROM {table} WHERE stream = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4"
    );
    let head = one(db, "SELECT seq, hash FROM chain_heads WHERE stream = $1", vec![stream.into()]).await?;
    // What is appended meanwhile is behind the head that was read.
    let (end, newest) = match head {
        Some(head) => (head.get::<i64>("seq")?, head.get::<Vec<u8>>("hash")?),
        None => (0, Vec::new()),
    };
    let broken = |seq, fault| Some(Broken { stream, seq, fault });
    let (mut last, mut former) = (0, Vec::new());
    while last < end {
        let values = vec![stream.into(), last.into(), end.into(), PIECE.into()];
        let rows = all(db, query.as_str(), values).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let (seq, prev_hash): (i64, Vec<u8>) = (row.get("seq")?, row.get("prev_hash")?);
            let own: Vec<u8> = row.get("hash")?;
            if seq != last + 1 {
                return Ok((last, broken(last + 1, Fault::Missing)));
            }
            if prev_hash != former {
                return Ok((last, broken(seq, Fault::Torn)));
            }
            if hash(stream, seq, &prev_hash, content(&row)?.as_bytes()) != own {
                return Ok((last, broken(seq, Fault::Changed)));
            }
            (last, former) = (seq, own);
        }
    }
    let ends_well = last == end && former == newest && !rows_behind(db, stream, table).await?;
    if !ends_well {
        return Ok((last, broken(last + 1, Fault::Tail)));
    }
    Ok((last, stray(db, stream, table).await?.and_then(|seq| broken(seq, Fault::Stray))))
}

/// Whether there are rows that the head knows nothing of. Row and head are written in one transaction, and read in one
/// statement here.
async fn rows_behind(db: &impl ConnectionTrait, stream: &'static str, table: &str) -> Result<bool> {
    let query = format!(
        "SELECT 1 AS n FROM {table} WHERE stream = $1 \
         AND seq > COALESCE((SELECT h.seq FROM chain_heads h WHERE h.stream = $1), 0) LIMIT 1"
    );
    Ok(one(db, query, vec![stream.into()]).await?.is_some())
}

/// The number of a row that is in no chain, and that readers would believe all the same: each table keeps one stream,
/// whose first row is number 1. Each part is a range of the key.
async fn stray(db: &impl ConnectionTrait, stream: &'static str, table: &str) -> Result<Option<i64>> {
    let query = format!(
        "SELECT s.seq FROM (SELECT seq FROM {table} WHERE stream < $1 UNION ALL SELECT seq FROM {table} WHERE stream > $1 \
         UNION ALL SELECT seq FROM {table} WHERE stream = $1 AND seq < 1) AS s LIMIT 1"
    );
    one(db, query, vec![stream.into()]).await?.map(|row| row.get("seq")).transpose()
}

/// SHA-256 over stream, sequence, previous hash and content, each with its length in front.
#[must_use]
pub fn hash(stream: &str, seq: i64, prev_hash: &[u8], content: &[u8]) -> Vec<u8> {
    let mut sha = Sha256::new();
    for part in [stream.as_bytes(), &seq.to_be_bytes()[..], prev_hash, content] {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().to_vec()
}
