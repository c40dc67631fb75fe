//! Roles are sets of permissions; services ask for a permission, never for a role.

use serde::{Deserialize, Serialize};

use crate::word_enum;

word_enum! {
    /// What a person or an API key may do, in three sizes.
    pub enum Role {
        Admin = "admin",
        Marketer = "marketer",
        Viewer = "viewer",
    }
}

/// One thing that may be allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// See contacts, campaigns, reports: everything but audit and settings.
    Read,
    /// Create and change contacts, imports, topics, segments, templates and campaigns; opt people out.
    Write,
    /// Launch, pause, resume, cancel and send.
    Send,
    /// Lift an opt-out, remove a suppression, erase a person.
    ManageConsent,
    /// Settings, senders, accounts, API keys, holding all sending.
    Administer,
    /// Read the audit log.
    Audit,
}

impl Role {
    /// Whether this role holds the permission.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        match self {
            Self::Admin => true,
            Self::Marketer => matches!(permission, Permission::Read | Permission::Write | Permission::Send),
            Self::Viewer => matches!(permission, Permission::Read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_grow() {
        assert!(!Role::Viewer.may(Permission::Write));
        assert!(Role::Marketer.may(Permission::Send));
        assert!(!Role::Marketer.may(Permission::ManageConsent));
        assert!(Role::Admin.may(Permission::Audit));
    }
}
