//! Who does something: named in every change, and asked for its permissions by every service.

use crate::{
    role::{Permission, Role},
    word_enum,
};

word_enum! {
    pub enum ActorKind {
        Account = "account",
        ApiKey = "api_key",
        Worker = "worker",
        Provider = "provider",
        Recipient = "recipient",
        CommandLine = "command_line",
        Import = "import",
    }
}

/// Somebody or something that acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    /// The account's or key's id, the import's id, a worker's name.
    pub id: String,
    pub role: Role,
    /// The HTTP request it came by.
    pub request_id: Option<String>,
    /// When the request came with an `Idempotency-Key`.
    pub keyed: Option<KeyedRequest>,
}

/// A request with an `Idempotency-Key`, and whose attempt at it this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Keys are per API key or account …
    pub owner: String,
    /// … and route.
    pub route: String,
    pub key: String,
    /// Another one for each attempt.
    pub claim: i64,
}

impl Actor {
    #[must_use]
    pub fn new(kind: ActorKind, id: impl Into<String>, role: Role) -> Self {
        Self { kind, id: id.into(), role, request_id: None, keyed: None }
    }

    /// The person at the server's command line, who may do everything.
    #[must_use]
    pub fn command_line() -> Self {
        Self::new(ActorKind::CommandLine, "command line", Role::Admin)
    }

    /// The program itself.
    #[must_use]
    pub fn worker(name: &str) -> Self {
        Self::new(ActorKind::Worker, name, Role::Admin)
    }

    #[must_use]
    pub const fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }
}
