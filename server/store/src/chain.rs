//! Hash chains: each row of a stream carries the hash of the one before it, so that a changed, removed or inserted row
//! is found out. Rows of a batch are chained together, under the lock of the stream's head.

use sea_orm::Value;
use sha2::{Digest, Sha256};

use crate::{Kind, Result, Tx, exec, one};

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
