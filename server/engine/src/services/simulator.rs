//! The simulator's phone; only when no Twilio account is set, or messages go to a simulator in a process of its own.
//! Speaks to the simulator's control API.

use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use domain::{
    message::Channel,
    phone::Phone,
    role::Permission,
    settings::Settings,
    simulator::{Bubble, Conversation, SimulatorPhone},
    time::Timestamp,
};
use reqwest::RequestBuilder;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::time::Instant;

use crate::{Actor, Engine, Error, Result, config::ProviderConfig, require};

/// How many messages are looked through for people.
const LOOKED_THROUGH: u32 = 2_000;

/// How many people are shown.
const SHOWN: usize = 50;

/// WhatsApp takes this much free text.
const TEXT_MAX: usize = 1_600;

/// What was found at the provider's address counts for so long.
const FOUND_FOR: Duration = Duration::from_secs(60);

/// A simulator answers at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The HTTP client, made when the first page asks, and whether there is a simulator at the provider's address.
#[derive(Default)]
pub(crate) struct Client {
    http: OnceLock<reqwest::Client>,
    found: Mutex<(Option<Instant>, bool)>,
}

impl Client {
    fn get(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        // An answer takes as long as our own webhook does.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().map_err(Error::internal)?;
        Ok(self.http.get_or_init(|| client))
    }

    /// Whether there is a simulator at this address: asked once a minute, by one of those who want to know.
    async fn finds(&self, base: &str) -> bool {
        {
            let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if known.0.is_some_and(|asked_at| asked_at.elapsed() < FOUND_FOR) {
                return known.1;
            }
            known.0 = Some(Instant::now());
        }
        let found = self.asks(base).await;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).1 = found;
        found
    }

    async fn asks(&self, base: &str) -> bool {
        let Ok(client) = self.get() else { return false };
        let Ok(response) = client.get(control(base, "settings")).timeout(PATIENCE).send().await else { return false };
        // By this setting a simulator is known.
        let settings = response.json::<serde_json::Value>().await.unwrap_or_default();
        settings["enforce_whatsapp_window"].is_boolean()
    }
}

fn control(base: &str, path: &str) -> String {
    format!("{}/control/{path}", base.trim_end_matches('/'))
}

/// Where a simulator in a process of its own may be: the provider's address, when that is not Twilio's.
fn outside(provider: &ProviderConfig) -> Option<&str> {
    let url = reqwest::Url::parse(&provider.api_base).ok()?;
    let host = url.host_str()?;
    (host != "twilio.com" && !host.ends_with(".twilio.com")).then_some(&*provider.api_base)
}

/// A message as the simulator tells of it.
#[derive(Debug, Deserialize)]
struct Told {
    to: String,
    from: Option<String>,
    body: String,
    status: String,
    direction: String,
    created_at: String,
}

impl Told {
    fn is_from_person(&self) -> bool {
        self.direction == "inbound"
    }

    /// The person's address, with its channel.
    fn person(&self) -> &str {
        if self.is_from_person() { self.from.as_deref().unwrap_or_default() } else { &self.to }
    }

    fn phone(&self) -> Option<Phone> {
        let address = self.person();
        address.strip_prefix("whatsapp:").unwrap_or(address).parse().ok()
    }

    fn channel(&self) -> Channel {
        if self.person().starts_with("whatsapp:") { Channel::Whatsapp } else { Channel::Sms }
    }

    fn at(&self) -> Timestamp {
        self.created_at.parse().unwrap_or_default()
    }
}

/// What the application answered to a person's message.
#[derive(Debug, Deserialize)]
struct Answered {
    status: Option<u16>,
}

/// See [`Engine::simulator`].
pub struct SimulatorService<'a>(&'a Engine);

impl Engine {
    /// The simulator's phone; only when messages go to one.
    #[must_use]
    pub const fn simulator(&self) -> SimulatorService<'_> {
        SimulatorService(self)
    }
}

impl SimulatorService<'_> {
    /// Whether there are phones to show: those of the built-in simulator, or of one that answers at the provider's address.
    pub async fn is_there(&self) -> bool {
        self.base().await.is_some()
    }

    async fn base(&self) -> Option<&str> {
        let provider = &self.0.config().provider;
        if provider.simulator.is_some() {
            return provider.simulator.as_deref();
        }
        let base = outside(provider)?;
        self.0.inner().simulator.finds(base).await.then_some(base)
    }

    /// The people of the latest messages, the last one first.
    ///
    /// # Errors
    /// `NotFound` when messages go to Twilio, `Unavailable` when the simulator does not answer.
    pub async fn phones(&self, actor: &Actor) -> Result<Vec<SimulatorPhone>> {
        require(actor, Permission::Read)?;
        let request = self.call(reqwest::Method::GET, "messages").await?;
        let limit = LOOKED_THROUGH.to_string();
        let told: Vec<Told> = fetch(request.query(&[("direction", "all"), ("limit", limit.as_str())])).await?;
        let mut seen = BTreeSet::new();
        let mut phones: Vec<SimulatorPhone> = Vec::new();
        for told in told {
            let Some(phone) = told.phone().filter(|phone| seen.insert(phone.clone())) else { continue };
            let last_at = told.at();
            phones.push(SimulatorPhone { phone, name: None, last_text: told.body, last_at });
            if phones.len() == SHOWN {
                break;
            }
        }
        let wanted: Vec<Phone> = phones.iter().map(|shown| shown.phone.clone()).collect();
        let mut names = store::inbound::names_of(self.0.db().reader(), &wanted).await?;
        for shown in &mut phones {
            shown.name = names.remove(&shown.phone);
        }
        Ok(phones)
    }

    /// What went to and fro between this person and us, oldest first.
    ///
    /// # Errors
    /// As [`Self::phones`].
    pub async fn conversation(&self, actor: &Actor, phone: &Phone) -> Result<Conversation> {
        require(actor, Permission::Read)?;
        self.load(phone).await
    }

    /// The person writes this to the sender they last heard from.
    ///
    /// # Errors
    /// `Invalid` for a text that is empty or too long, `Unavailable` when the message was not taken, and as
    /// [`Self::phones`].
    pub async fn answer(&self, actor: &Actor, phone: &Phone, text: &str) -> Result<Conversation> {
        require(actor, Permission::Send)?;
        if text.trim().is_empty() || text.chars().count() > TEXT_MAX {
            return Err(Error::invalid("text", format!("Write a text of at most {TEXT_MAX} characters.")));
        }
        let from = match self.load(phone).await?.channel {
            Channel::Whatsapp => format!("whatsapp:{phone}"),
            Channel::Sms => phone.to_string(),
        };
        let request = self.call(reqwest::Method::POST, "inbound").await?;
        let answered: Answered = fetch(request.json(&json!({ "from": from, "body": text }))).await?;
        match answered.status {
            Some(status) if (200..300).contains(&status) => self.load(phone).await,
            Some(status) => {
                Err(Error::Unavailable(format!("The message was not taken: our webhook answered {status}.")))
            }
            None => Err(Error::Unavailable("The message was not taken: our webhook did not answer.".to_owned())),
        }
    }

    async fn load(&self, phone: &Phone) -> Result<Conversation> {
        let request = self.call(reqwest::Method::GET, "conversation").await?;
        let told: Vec<Told> = fetch(request.query(&[("phone", phone.as_str())])).await?;
        let channel = told.last().map_or(Channel::Whatsapp, Told::channel);
        let bubbles = told.into_iter().map(|told| Bubble {
            from_person: told.is_from_person(),
            at: told.at(),
            text: told.body,
            status: told.status,
        });
        Ok(Conversation { phone: phone.clone(), channel, bubbles: bubbles.collect() })
    }

    async fn call(&self, method: reqwest::Method, path: &str) -> Result<RequestBuilder> {
        let base = self.base().await.ok_or(Error::NotFound { what: "simulator" })?;
        Ok(self.0.inner().simulator.get()?.request(method, control(base, path)))
    }
}

async fn fetch<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let away = |error: reqwest::Error| {
        // Without the address: the person's number is in it.
        tracing::warn!(error = %error.without_url(), "the simulator does not answer");
        Error::Unavailable("The simulator does not answer.".to_owned())
    };
    let response = request.send().await.and_then(reqwest::Response::error_for_status).map_err(away)?;
    response.json().await.map_err(away)
}

/// Tells the simulator what the settings ask of it: whether it enforces WhatsApp's 24-hour window. Nothing with a real
/// account. A simulator that does not answer is only logged: it is told again with the next change.
pub(crate) async fn follow(engine: &Engine, settings: &Settings) {
    if !engine.config().is_simulated() {
        return;
    }
    let told = async {
        let request = engine.simulator().call(reqwest::Method::PATCH, "settings").await?;
        let patch = json!({ "enforce_whatsapp_window": settings.enforce_whatsapp_window });
        fetch::<serde::de::IgnoredAny>(request.json(&patch)).await
    };
    if let Err(error) = told.await {
        tracing::warn!(%error, "the simulator was not told of the settings");
    }
}
