//! Repeating a transaction that the database gave up on.

use std::time::Duration;

use crate::Error;

/// How often a transaction is tried before its error is final.
pub(crate) const TRIES: u32 = 5;

/// Whether the same transaction may succeed when tried again: deadlocks, serialization failures, a busy database.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error {
        Error::Internal(source) => source.downcast_ref::<store::Error>().is_some_and(store::Error::is_transient),
        _ => false,
    }
}

/// Whether the same may well succeed later: the database or the provider is away, or others were in the way.
pub(crate) fn is_passing(error: &Error) -> bool {
    match error {
        Error::Internal(source) => {
            let store = source.downcast_ref::<store::Error>();
            store.is_some_and(|error| error.is_transient() || error.is_unavailable())
        }
        Error::Unavailable(_) => true,
        _ => false,
    }
}

/// How long to wait before the try after `tries`.
pub(crate) const fn pause(tries: u32) -> Duration {
    Duration::from_millis(10 << tries)
}

/// Evaluates an expression that runs one transaction, again while its error is transient.
macro_rules! retrying {
    ($attempt:expr) => {{
        let mut tries = 1;
        loop {
            match $attempt {
                Err(error) if tries < $crate::retry::TRIES && $crate::retry::is_transient(&error) => {
                    tracing::debug!(%error, tries, "a transaction is repeated");
                    tokio::time::sleep($crate::retry::pause(tries)).await;
                    tries += 1;
                }
                done => break done,
            }
        }
    }};
}

pub(crate) use retrying;
