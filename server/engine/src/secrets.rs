//! `ENCRYPTION_KEY` and what is derived from it: suppression hashes, sealed personal parts, sealed raw webhooks.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::{TryRngCore, rngs::OsRng};
use sha2::Sha256;

use crate::phone::other_writing;

const NONCE_BYTES: usize = 24;

/// A link's proof is so long: 96 bits, which nobody guesses over the network.
pub const LINK_PROOF: usize = 12;

/// The keys of this installation: the first is current, the others only open what is older.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    suppression: [u8; 32],
    sealing: [u8; 32],
    check: [u8; 32],
    link: [u8; 32],
}

/// What is wrong with an `ENCRYPTION_KEY`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {position} is not 32 bytes in base64")]
pub struct BadKey {
    pub position: usize,
}

/// Sealed data cannot be opened: another key, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed data cannot be opened with the present ENCRYPTION_KEY")]
pub struct CannotOpen;

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys.len())
    }
}

impl KeyRing {
    /// Reads a comma-separated list of 32-byte keys in base64.
    ///
    /// # Errors
    /// When one of them is not.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let mut keys = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let bad = BadKey { position: index + 1 };
            let bytes = BASE64_STANDARD.decode(part.trim()).map_err(|_| bad.clone())?;
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad)?;
            keys.push(Key::derive(&bytes));
        }
        Ok(Self { keys })
    }

    /// A new random key, as `ENCRYPTION_KEY` wants it.
    ///
    /// # Panics
    /// When the operating system has no randomness.
    #[must_use]
    pub fn generate() -> String {
        BASE64_STANDARD.encode(random::<32>())
    }

    /// Which key is current; stored with what it made.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.keys[0].id
    }

    /// Tells whether a database belongs to this key without giving the key away.
    #[must_use]
    pub fn check_value(&self) -> Vec<u8> {
        self.keys[0].check.to_vec()
    }

    /// Whether one of the keys made this check value.
    #[must_use]
    pub fn knows(&self, check_value: &[u8]) -> bool {
        self.keys.iter().any(|key| key.check[..] == *check_value)
    }

    /// The keyed hash a suppressed number is recognised by (HMAC-SHA-256 of the E.164 text), with the current key.
    #[must_use]
    pub fn suppression_hash(&self, phone: &str) -> Vec<u8> {
        mac(&self.keys[0].suppression, phone.as_bytes())
    }

    /// The hashes under every live key, of each way to write the number: rows made before a rotation, or when it was stored
    /// in another way, are still found.
    #[must_use]
    pub fn suppression_hashes(&self, phone: &str) -> Vec<Vec<u8>> {
        let other = other_writing(phone);
        let writings = || [Some(phone), other.as_deref()].into_iter().flatten();
        let hashes =
            |key: &Key| writings().map(|writing| mac(&key.suppression, writing.as_bytes())).collect::<Vec<_>>();
        self.keys.iter().flat_map(hashes).collect()
    }

    /// Proves that we made a link with this content (HMAC-SHA-256, cut), with the current key.
    #[must_use]
    pub fn link_proof(&self, content: &[u8]) -> [u8; LINK_PROOF] {
        let mut proof = [0; LINK_PROOF];
        for (byte, made) in proof.iter_mut().zip(mac(&self.keys[0].link, content)) {
            *byte = made;
        }
        proof
    }

    /// Whether one of the keys made this proof. The time it takes says nothing about it.
    #[must_use]
    pub fn proves_link(&self, content: &[u8], proof: [u8; LINK_PROOF]) -> bool {
        self.keys.iter().any(|key| {
            // HMAC takes keys of any length.
            <Hmac<Sha256> as Mac>::new_from_slice(&key.link)
                .is_ok_and(|mac| mac.chain_update(content).verify_truncated_left(&proof).is_ok())
        })
    }

    /// Seals bytes so that only this installation opens them; `context` says what they are and where they stand, and
    /// must be the same to open them.
    #[must_use]
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        seal_with(&self.keys[0].sealing, context, plain)
    }

    /// # Errors
    /// When no key opens them.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        self.keys.iter().find_map(|key| open_with(&key.sealing, context, sealed).ok()).ok_or(CannotOpen)
    }

    /// A new data key (for a contact or a period) and its sealed form to store.
    #[must_use]
    pub fn new_data_key(&self, context: &str) -> ([u8; 32], Vec<u8>) {
        let key = random::<32>();
        let wrapped = self.seal(context, &key);
        (key, wrapped)
    }

    /// # Errors
    /// When it was wrapped with a key that is not here.
    pub fn unwrap_data_key(&self, context: &str, wrapped: &[u8]) -> Result<[u8; 32], CannotOpen> {
        self.open(context, wrapped)?.try_into().map_err(|_| CannotOpen)
    }
}

impl Key {
    fn derive(master: &[u8; 32]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"event-stream-engine"), master);
        let expand = |purpose: &[u8]| {
            let mut key = [0; 32];
            // 32 bytes are always within what HKDF can give.
            let _ = hkdf.expand(purpose, &mut key);
            key
        };
        let check = expand(b"check");
        Self {
            id: hex::encode(&check[..4]),
            suppression: expand(b"suppression"),
            sealing: expand(b"sealing"),
            check,
            link: expand(b"recipient's page"),
        }
    }
}

/// Seals with a data key: nonce and ciphertext (XChaCha20-Poly1305).
#[must_use]
pub fn seal_with(key: &[u8; 32], context: &str, plain: &[u8]) -> Vec<u8> {
    let nonce = random::<NONCE_BYTES>();
    let payload = Payload { msg: plain, aad: context.as_bytes() };
    // Encryption fails only for messages of many gigabytes.
    let ciphertext =
        XChaCha20Poly1305::new(key.into()).encrypt(XNonce::from_slice(&nonce), payload).unwrap_or_default();
    [&nonce[..], &ciphertext].concat()
}

/// # Errors
/// When the key or the context is another one, or the bytes were changed.
pub fn open_with(key: &[u8; 32], context: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_BYTES).ok_or(CannotOpen)?;
    let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
    XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload).map_err(|_| CannotOpen)
}

fn mac(key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    <Hmac<Sha256> as Mac>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

/// Bytes from the operating system.
///
/// # Panics
/// When it has none: nothing that needs secrets can go on.
#[must_use]
#[expect(clippy::expect_used, reason = "without randomness no secret can be made")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_key_seals_another_does_not_open() {
        let one = KeyRing::parse(&KeyRing::generate()).unwrap();
        let other = KeyRing::parse(&KeyRing::generate()).unwrap();
        let sealed = one.seal("test/1", b"words");
        assert_eq!(one.open("test/1", &sealed).unwrap(), b"words");
        assert_eq!(one.open("test/2", &sealed), Err(CannotOpen));
        assert_eq!(other.open("test/1", &sealed), Err(CannotOpen));
        assert!(one.knows(&one.check_value()) && !one.knows(&other.check_value()));
    }

    #[test]
    fn a_rotated_key_still_opens_and_recognises() {
        let old = KeyRing::generate();
        let before = KeyRing::parse(&old).unwrap();
        let after = KeyRing::parse(&format!("{},{old}", KeyRing::generate())).unwrap();
        assert_eq!(after.open("x", &before.seal("x", b"words")).unwrap(), b"words");
        assert!(after.suppression_hashes("+14155550100").contains(&before.suppression_hash("+14155550100")));
    }

    #[test]
    fn a_number_is_recognised_in_each_of_its_writings() {
        let keys = KeyRing::parse(&format!("{},{}", KeyRing::generate(), KeyRing::generate())).unwrap();
        for (stored, asked) in [("+522221234563", "+5212221234563"), ("+5212221234563", "+522221234563")] {
            let hashes = keys.suppression_hashes(asked);
            assert!(hashes.len() == 4 && hashes.contains(&keys.suppression_hash(stored)), "{stored}");
        }
        assert_eq!(keys.suppression_hashes("+14155550100").len(), 2);
    }

    #[test]
    fn a_short_key_is_named() {
        assert_eq!(KeyRing::parse("c2hvcnQ=").unwrap_err(), BadKey { position: 1 });
    }
}
