//! When a message may go out: the allowed windows of law, workspace and campaign in everyone's own time (decision 23).
//!
//! Pure rules over instants. A window of a local day opens late and closes early: an edge that the clock skips is the
//! transition, an opening that comes twice is the second one, a closing that comes twice the first. What has to hold in
//! several zones, or by several rules, is what all of them allow.

mod bound;
mod holidays;
mod law;
mod law_caps;
mod policy;
mod spans;
mod window;

pub use bound::{of_campaign, of_run, of_singles, overridden};
pub(crate) use holidays::idle as idle_holidays;
pub use holidays::{Holidays, shipped as shipped_holidays};
pub(crate) use law::{EVERYWHERE, NOT_KNOWN, OTHER, closed_by, is_days, is_window, turns};
pub use law::{PACK, Place, lines as law_lines};
pub use law_caps::{LawCap, law_caps, lines as law_cap_lines};
pub use policy::{Answer, Policy, SEARCH_DAYS};

#[cfg(test)]
mod tests;
