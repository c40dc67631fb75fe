//! What the role of whoever looks at the page includes.

use domain::role::Permission;
use leptos::prelude::*;

use crate::frame::use_frame;

/// Whether whoever looks at the page may do this: pages hide what they may not. The services ask again.
#[must_use]
pub fn may(permission: Permission) -> bool {
    use_frame().with_untracked(|frame| frame.account.as_ref().is_some_and(|account| account.role.may(permission)))
}
