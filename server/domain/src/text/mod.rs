//! Text: how long it is on the wire, how it is searched, and which numbers are better kept as text.

mod count;
mod fold;
mod number;

pub use count::{Count, Encoding, count};
pub use fold::{fold, instant, shadow};
pub use number::exact;
