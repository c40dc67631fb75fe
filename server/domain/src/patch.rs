//! Fields of edits.

use serde::{Deserialize, Deserializer, de::Error as _};

/// A field of an edit that may be left out, but is never null: null says nothing that could be stored.
///
/// # Errors
/// When it is null, or not what is expected.
pub fn given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    match Option::<T>::deserialize(deserializer)? {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom("must not be null; leave it out to keep what is stored")),
    }
}

#[cfg(test)]
mod tests {
    use crate::topic::TopicPatch;

    #[test]
    fn a_field_is_there_or_not_but_never_null() {
        assert_eq!(serde_json::from_str::<TopicPatch>("{}").unwrap(), TopicPatch::default());
        let patch: TopicPatch = serde_json::from_str(r#"{"name":"News"}"#).unwrap();
        assert_eq!(patch.name.as_deref(), Some("News"));
        assert_eq!(serde_json::to_string(&patch).unwrap(), r#"{"name":"News"}"#);
        for text in [r#"{"name":null}"#, r#"{"description":null}"#, r#"{"version":null}"#, r#"{"name":1}"#] {
            assert!(serde_json::from_str::<TopicPatch>(text).is_err(), "{text}");
        }
    }
}
