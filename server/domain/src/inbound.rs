//! What people write to us.

use serde::{Deserialize, Serialize};

use crate::{ids::InboundId, message::Channel, phone::Phone, time::Timestamp, word_enum};

word_enum! {
    /// What a message was understood as.
    pub enum Keyword {
        Stop = "stop",
        Start = "start",
        Help = "help",
        Subscribe = "subscribe",
        Unsubscribe = "unsubscribe",
        /// The answer to a question of ours.
        Yes = "yes",
    }
}

/// A file that a person sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Media {
    /// Where the provider keeps it.
    pub url: String,
    /// As the provider names it, such as `image/jpeg`.
    pub content_type: String,
}

/// What a browser makes of a file, when it makes nothing else of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Picture,
    Sound,
    Video,
    /// Anything else, also pictures that may hold scripts (SVG): to be saved, never shown.
    Other,
}

impl MediaKind {
    /// By the content type; what stands behind a `;` does not matter. WhatsApp's kinds
    /// (<https://www.twilio.com/docs/whatsapp/guidance-whatsapp-media-messages>) and those of MMS that browsers show.
    #[must_use]
    pub fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match &*essence {
            "image/jpeg" | "image/jpg" | "image/png" | "image/gif" | "image/webp" => Self::Picture,
            "audio/ogg" | "audio/mpeg" | "audio/mp4" | "audio/aac" | "audio/amr" | "audio/3gpp" => Self::Sound,
            "video/mp4" | "video/3gpp" | "video/webm" => Self::Video,
            _ => Self::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Inbound {
    pub id: InboundId,
    /// Null after the person was erased.
    pub phone: Option<Phone>,
    /// Our address the message came to.
    pub to: String,
    pub channel: Channel,
    pub body: Option<String>,
    pub media_count: i32,
    /// Files that came with it. They stay at the provider.
    pub media: Vec<Media>,
    pub keyword: Option<Keyword>,
    pub provider_sid: String,
    pub received_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_hold_a_script_is_shown() {
        assert_eq!(MediaKind::of("image/jpeg"), MediaKind::Picture);
        assert_eq!(MediaKind::of("Audio/OGG; codecs=opus"), MediaKind::Sound);
        assert_eq!(MediaKind::of("video/mp4"), MediaKind::Video);
        for other in ["image/svg+xml", "text/html", "application/pdf", "text/vcard", "image/", ""] {
            assert_eq!(MediaKind::of(other), MediaKind::Other, "{other}");
        }
    }
}
