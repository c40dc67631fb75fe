//! Messages per second.

#[derive(Default)]
pub struct Throttle {}
