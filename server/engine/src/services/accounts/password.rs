//! Passwords: argon2id, away from the threads that serve requests, a few at a time.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use tokio::sync::Semaphore;

use crate::{Error, Result, secrets};

/// Each hash takes 19 MiB (the parameters OWASP recommends, which are the crate's defaults): a flood of logins waits
/// its turn instead of filling the memory.
static AT_A_TIME: Semaphore = Semaphore::const_new(4);

/// What an unknown e-mail's password is checked against, so that it takes the same time as a known one's.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now(&one_time()).ok());

/// Words would be nicer, but a list of them is long: groups of letters and digits that cannot be taken for another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// A password that can be read aloud and typed: 20 characters of 32 kinds are 100 bits.
pub(super) fn one_time() -> String {
    let characters: Vec<u8> = secrets::random::<20>().iter().map(|byte| ALPHABET[usize::from(byte % 32)]).collect();
    let groups: Vec<_> = characters.chunks(5).map(String::from_utf8_lossy).collect();
    groups.join("-")
}

/// The hash to store (PHC string format).
pub(super) async fn hash(password: String) -> Result<String> {
    blocking(move || hash_now(&password)).await?
}

/// Whether the password belongs to the hash; takes as long without a hash, and says no.
pub(super) async fn verify(password: &str, stored: Option<String>) -> Result<bool> {
    let password = password.to_owned();
    blocking(move || {
        let known = stored.is_some();
        let Some(hash) = stored.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await?
}

fn hash_now(password: &str) -> Result<String> {
    let salt = SaltString::encode_b64(&secrets::random::<16>()).map_err(|error| Error::internal(error.to_string()))?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _turn = AT_A_TIME.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_somebody_is_right() {
        let stored = hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify("correct horse", Some(stored.clone())).await.unwrap());
        assert!(!verify("correct horse ", Some(stored)).await.unwrap());
        assert!(!verify("correct horse", None).await.unwrap());
    }

    #[test]
    fn one_time_passwords_differ_and_can_be_read() {
        let one = one_time();
        assert_eq!(one.len(), 23);
        assert_ne!(one, one_time());
        assert!(!one.contains(['l', 'i', 'o', '1']));
    }
}
