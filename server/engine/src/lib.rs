#![doc = include_str!("../README.md")]

pub mod bell;
pub mod clock;
pub mod config;
mod csv_out;
mod cursor;
pub mod decide;
mod error;
mod forecast;
mod gauges;
pub mod heartbeat;
pub mod import;
pub mod ingest;
pub mod optouts;
pub mod own_page;
pub mod phone;
pub mod planner;
pub mod private;
pub mod provider;
pub mod quiet;
pub mod reconcile;
mod retry;
pub mod scheduler;
pub mod secrets;
pub mod sender;
pub mod services;
pub mod templates;
pub mod throttle;
pub mod workers;
pub mod zones;

use std::sync::Arc;

pub use domain::actor::{Actor, ActorKind};
use domain::{role::Permission, time::Timestamp};
pub use error::{Error, Result};
pub use services::installation::Purpose;
use store::Db;

use crate::{
    bell::Bell,
    clock::{Clock, Watched},
    config::Config,
};

/// How many random inputs a test tries that reads what comes from outside: more of them with `FUZZ_CASES`.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests have no configuration file: this is their one setting")]
pub(crate) fn fuzz_cases() -> u32 {
    std::env::var("FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

/// The handle to everything the product does. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    /// What the others know this process by.
    pub process: domain::ids::ProcessId,
    pub db: Db,
    pub clock: Watched,
    pub config: Config,
    pub bell: Bell,
    pub opt_outs: optouts::OptOuts,
    pub throttle: throttle::Throttle,
    pub provider: provider::Provider,
    pub templates: templates::Templates,
    pub guard: sender::Guard,
    pub doubts: sender::Doubts,
    pub limits: sender::Limits,
    pub permit: sender::Permit,
    pub caught_up: reconcile::missed::CaughtUp,
    pub in_hand: sender::InHand,
    pub load: sender::Load,
    pub pace: sender::Pace,
    pub moved: sender::Moved,
    pub sender_pace: sender::Pace<domain::ids::SenderId>,
    /// What the meters of the rates let through, less what was given back.
    pub granted_pace: sender::Pace<domain::ids::SenderId>,
    pub ingest: ingest::Ingest,
    pub settings: services::settings::Cache,
    pub provider_accounts: services::provider_accounts::Cache,
    pub error_codes: services::error_codes::Shared,
    pub api_keys: services::api_keys::Cache,
    pub processes: services::processes::Cache,
    pub forecasts: services::forecast::Cache,
    pub simulator: services::simulator::Client,
}

impl Engine {
    /// Puts the engine together over a migrated database. Nothing runs yet: see [`workers::start`].
    ///
    /// # Errors
    /// When the database belongs to another key, or cannot be read.
    pub async fn open(db: Db, config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_for(Purpose::Serve, db, config, clock).await
    }

    /// As [`Engine::open`], for a command beside a server, too.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_for(purpose: Purpose, db: Db, config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        store::months::ensure(&db, clock.now()).await?;
        let throttle = throttle::Throttle::of(&config)?;
        services::installation::claim(&db, &config, &throttle, purpose, clock.now()).await?;
        let provider = provider::Provider::new(&config)?;
        let engine = Self(Arc::new(Inner {
            process: domain::ids::ProcessId(uuid::Uuid::new_v4()),
            db,
            clock: Watched::new(clock),
            bell: Bell::default(),
            opt_outs: optouts::OptOuts::default(),
            throttle,
            provider,
            templates: templates::Templates::default(),
            guard: sender::Guard::default(),
            doubts: sender::Doubts::default(),
            limits: sender::Limits::default(),
            permit: sender::Permit::default(),
            caught_up: reconcile::missed::CaughtUp::default(),
            in_hand: sender::InHand::default(),
            load: sender::Load::new(config.worker_concurrency),
            pace: sender::Pace::default(),
            moved: sender::Moved::default(),
            sender_pace: sender::Pace::default(),
            granted_pace: sender::Pace::default(),
            ingest: ingest::Ingest::default(),
            settings: services::settings::Cache::default(),
            provider_accounts: services::provider_accounts::Cache::default(),
            error_codes: services::error_codes::Shared::default(),
            api_keys: services::api_keys::Cache::default(),
            processes: services::processes::Cache::default(),
            forecasts: services::forecast::Cache::default(),
            simulator: services::simulator::Client::default(),
            config,
        }));
        services::error_codes::load(&engine).await?;
        if purpose == Purpose::Serve {
            services::senders::ensure_first(&engine).await?;
        }
        Ok(engine)
    }

    /// These people's opt-outs are committed: from now on nothing is handed over to them here, and within
    /// [`optouts::FRESH`] nowhere. Called before anybody is told that they are stored.
    pub(crate) fn told_opt_outs(&self, contacts: impl IntoIterator<Item = domain::ids::ContactId>) {
        self.told_left(contacts.into_iter().map(|contact| (contact, None)));
    }

    /// As [`Engine::told_opt_outs`], of people who may have left a topic only: then nothing about that one is.
    pub(crate) fn told_left(&self, left: impl IntoIterator<Item = optouts::Left>) {
        let mut left = left.into_iter().peekable();
        if left.peek().is_some() {
            self.0.opt_outs.add(left);
            self.0.bell.ring(bell::Who::OptOuts);
        }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A new UUIDv7 of the engine's time.
    pub(crate) fn new_uuid(&self) -> uuid::Uuid {
        let micros = self.now().as_micros().unsigned_abs();
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or_default() * 1_000;
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos))
    }

    /// Whether what processes share is there.
    ///
    /// # Errors
    /// In words, when Redis does not answer.
    pub async fn check_shared(&self) -> std::result::Result<(), &'static str> {
        self.0.throttle.check().await
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

/// `Err(Forbidden)` unless the actor holds the permission.
///
/// # Errors
/// When it does not.
pub(crate) fn require(actor: &Actor, permission: Permission) -> Result<()> {
    if actor.may(permission) { Ok(()) } else { Err(Error::Forbidden) }
}
