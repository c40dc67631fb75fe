//! Phone numbers in any usual writing.

use domain::phone::Phone;

/// Why a text is no phone number of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPhone {
    #[error("empty")]
    Empty,
    #[error("not a phone number")]
    Invalid,
    #[error("a national number without a country")]
    NoCountry,
}

/// Reads a number; `region` (ISO 3166) serves numbers written without a country code.
///
/// # Errors
/// When it is none.
pub fn parse(text: &str, region: Option<&str>) -> Result<Phone, NotAPhone> {
    let _ = (text, region);
    todo!()
}

/// The region (ISO 3166) a number belongs to.
#[must_use]
pub fn region(phone: &Phone) -> Option<String> {
    let _ = phone;
    todo!()
}
