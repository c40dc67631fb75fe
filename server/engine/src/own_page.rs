//! The link to the recipient's own page, which templates may carry.
//!
//! A token is made of the person's random number and the message's, with a proof that we made it: nothing is looked up or
//! stored to make or to check one, and no phone number is in it. Every live key proves links, so that those in messages
//! of years ago go on working after a rotation.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::ids::{ContactId, MessageId};

use crate::{
    config::Config,
    secrets::{KeyRing, LINK_PROOF},
};

/// A message's number is written without its leading zeros.
const NUMBER: usize = 8;

/// The link of one message, or one that only shows how it will look.
#[derive(Clone, Copy, Debug)]
pub enum Link<'a> {
    To { keys: &'a KeyRing, base: &'a str, contact: ContactId, message: MessageId },
    Sample { base: &'a str },
}

impl<'a> Link<'a> {
    /// The link for this message to this person.
    #[must_use]
    pub fn to(config: &'a Config, contact: ContactId, message: MessageId) -> Self {
        Self::To { keys: &config.keys, base: &config.public_url, contact, message }
    }

    /// What stands after `/p/`.
    #[must_use]
    pub fn token(&self) -> String {
        match self {
            Self::To { keys, contact, message, .. } => token(keys, *contact, *message),
            Self::Sample { .. } => "sample".to_owned(),
        }
    }

    /// The whole address.
    #[must_use]
    pub fn url(&self) -> String {
        let (Self::To { base, .. } | Self::Sample { base }) = self;
        format!("{}/p/{}", base.trim_end_matches('/'), self.token())
    }
}

/// Makes a token.
#[must_use]
pub fn token(keys: &KeyRing, contact: ContactId, message: MessageId) -> String {
    let content = content(contact, message);
    let (person, number) = content.split_at(NUMBER);
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let proof = keys.link_proof(&content);
    BASE64_URL_SAFE_NO_PAD.encode([&proof[..], person, &number[zeros..]].concat())
}

/// Whose token it is, and of which message; none when we did not make it.
#[must_use]
pub fn read(keys: &KeyRing, token: &str) -> Option<(ContactId, MessageId)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (proof, rest) = bytes.split_first_chunk::<LINK_PROOF>()?;
    let (person, number) = rest.split_first_chunk::<NUMBER>()?;
    // One writing for one link.
    if number.len() > NUMBER || number.first() == Some(&0) {
        return None;
    }
    let mut whole = [0; NUMBER];
    whole[NUMBER - number.len()..].copy_from_slice(number);
    let (contact, message) = (ContactId(i64::from_be_bytes(*person)), MessageId(i64::from_be_bytes(whole)));
    keys.proves_link(&content(contact, message), *proof).then_some((contact, message))
}

fn content(contact: ContactId, message: MessageId) -> [u8; 2 * NUMBER] {
    let mut content = [0; 2 * NUMBER];
    content[..NUMBER].copy_from_slice(&contact.0.to_be_bytes());
    content[NUMBER..].copy_from_slice(&message.0.to_be_bytes());
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: ContactId = ContactId(0x0123_4567_89ab_cdef);

    fn keys() -> KeyRing {
        KeyRing::parse(&KeyRing::generate()).unwrap()
    }

    #[test]
    fn a_token_is_short_and_leads_back() {
        let keys = keys();
        for message in [0, 1, 255, 256, 12_345_678, i64::MAX] {
            let token = token(&keys, WHO, MessageId(message));
            assert!(token.len() <= 38, "{token}");
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{token}");
            assert_eq!(read(&keys, &token), Some((WHO, MessageId(message))));
        }
        assert_eq!(token(&keys, WHO, MessageId(12_345_678)).len(), 31);
    }

    #[test]
    fn whoever_changes_a_letter_has_nothing() {
        let keys = keys();
        let good = token(&keys, WHO, MessageId(7));
        for at in 0..good.len() {
            for letter in ["A", "b", "_"] {
                let mut other = good.clone();
                other.replace_range(at..=at, letter);
                assert!(other == good || read(&keys, &other).is_none(), "{other}");
            }
        }
        for other in ["", "sample", &good[1..], &format!("{good}A"), &format!("{good}="), &good.to_uppercase()] {
            assert_eq!(read(&keys, other), None, "{other}");
        }
        let another = token(&self::keys(), WHO, MessageId(7));
        assert_eq!(read(&keys, &another), None, "another installation's");
    }

    #[test]
    fn links_outlive_a_rotation_of_keys() {
        let old = KeyRing::generate();
        let before = KeyRing::parse(&old).unwrap();
        let after = KeyRing::parse(&format!("{},{old}", KeyRing::generate())).unwrap();
        let token = token(&before, WHO, MessageId(7));
        assert_eq!(read(&after, &token), Some((WHO, MessageId(7))));
        assert_eq!(read(&before, &super::token(&after, WHO, MessageId(7))), None);
    }

    #[test]
    fn the_whole_address_has_one_slash() {
        let keys = keys();
        let link = Link::To { keys: &keys, base: "https://example.com/", contact: WHO, message: MessageId(7) };
        assert_eq!(link.url(), format!("https://example.com/p/{}", token(&keys, WHO, MessageId(7))));
        assert_eq!(Link::Sample { base: "https://example.com" }.url(), "https://example.com/p/sample");
    }
}
