//! What several pages are made of. Pages import from here: `use crate::components::*;`.

mod confirm;
mod data;
mod feedback;
mod fetch;
mod form;
pub mod format;
mod header;
mod icon;
mod layout;
mod ledger;
mod links;
mod live;
mod loaded;
mod permission;
mod phone_preview;
mod submit;
mod time;
mod unreadable;

pub use confirm::*;
pub use data::*;
pub use feedback::*;
pub use fetch::{Fetched, fetch};
pub use form::*;
pub use header::*;
pub use icon::*;
pub use layout::{Shell, logo};
pub use ledger::{LedgerBalance, LedgerBar};
pub use links::*;
pub use live::*;
pub use loaded::{ErrorPage, Loaded};
pub use permission::may;
pub use phone_preview::*;
pub use submit::FormAction;
pub use time::*;
pub use unreadable::unreadable_campaigns;

pub use crate::text::{Label, Tone};
