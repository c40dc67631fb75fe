//! Twilio's REST API.

use crate::{Result, config::Config};

pub struct Provider {}

impl Provider {
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(config: &Config) -> Result<Self> {
        let _ = config;
        Ok(Self {})
    }
}
