//! Phone numbers in E.164 form. Reading other writings needs metadata and lives in the engine.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// `+` and 7 to 15 digits, the first not zero (ITU-T E.164).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, example = "+14155550100"))]
#[serde(transparent)]
pub struct Phone(String);

/// The text is not a number in E.164 form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number in international form, such as +14155550100")]
pub struct NotE164;

impl Phone {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits without the plus sign.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }

    /// For logs: all but the last three digits hidden.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let shown: String = digits.chars().skip(digits.len().saturating_sub(3)).collect();
        format!("+…{shown}")
    }
}

impl FromStr for Phone {
    type Err = NotE164;
    fn from_str(text: &str) -> Result<Self, NotE164> {
        let digits = text.strip_prefix('+').ok_or(NotE164)?;
        let well_formed = (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotE164) }
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_phone() {
        assert!("+14155550100".parse::<Phone>().is_ok());
        for bad in ["14155550100", "+0415555010", "+1415", "+1415555010012345", "+1415555 010", ""] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
    }

    #[test]
    fn logs_show_three_digits() {
        assert_eq!("+14155550123".parse::<Phone>().unwrap().masked(), "+…123");
    }
}
