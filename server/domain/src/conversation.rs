//! What is said with one person, in both directions, as the inbox shows it.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AccountId, CampaignId, MessageId, SenderId},
    inbound::Inbound,
    message::{Channel, Message, State},
    phone::Phone,
    time::Timestamp,
    word_enum,
};

word_enum! {
    /// Who said it.
    pub enum Direction {
        /// The person.
        In = "in",
        /// We.
        Out = "out",
    }
}

word_enum! {
    /// Whether anybody still has to do something about it.
    pub enum ConversationStatus {
        Open = "open",
        /// Done with; the person's next message opens it again.
        Archived = "archived",
    }
}

/// A line of the inbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    pub phone: Phone,
    /// The contact's display name.
    pub name: Option<String>,
    /// When something was last written by the person, or to them outside of campaigns. Null while nothing was.
    pub last_at: Option<Timestamp>,
    pub last_direction: Option<Direction>,
    /// What was written then; null for a picture alone, and for a template that is not filled yet.
    pub last_text: Option<String>,
    pub last_inbound_at: Option<Timestamp>,
    /// The person's messages that nobody has seen. Words that are answered by themselves (STOP, START, HELP …) do not
    /// count.
    pub unread: i32,
    pub assignee: Option<Assignee>,
    pub archived: bool,
    /// Rises with assigning and archiving, not with messages. 0 before anything was said.
    pub version: i64,
}

/// Who takes care of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Assignee {
    pub id: AccountId,
    pub email: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "direction", rename_all = "snake_case")]
pub enum Said {
    In(Inbound),
    Out(Message),
}

/// A sender that a reply may go out from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplySender {
    pub id: SenderId,
    pub name: String,
    pub channel: Channel,
    pub address: String,
    /// WhatsApp: until when free text may go out from it, 24 hours after the person's last message to it. Null where they
    /// never wrote to it, and for SMS, which has no such limit.
    pub window_until: Option<Timestamp>,
    /// Whether free text may go out from it now; else only a template.
    pub free_text: bool,
}

/// A conversation with its newest messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConversationDetail {
    pub conversation: Conversation,
    /// The one to answer from first: that which the person wrote to last.
    pub senders: Vec<ReplySender>,
    /// Newest first; of campaigns what was handed over.
    pub items: Vec<Said>,
    pub next_cursor: Option<String>,
}

impl ConversationDetail {
    /// The channel to answer by: that which the person wrote by last; before they wrote, that of the first sender.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        let wrote_by = self.items.iter().find_map(|said| match said {
            Said::In(heard) => Some(heard.channel),
            Said::Out(_) => None,
        });
        wrote_by.or_else(|| self.senders.first().map(|sender| sender.channel))
    }
}

/// A campaign that wrote to a person, for those who answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub campaign_id: CampaignId,
    pub name: String,
    /// Of the message.
    pub message_id: MessageId,
    pub state: State,
    pub at: Timestamp,
}

/// Which conversations are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConversationFilter {
    /// The beginning of the number's digits, of the name, or of its last word.
    pub q: Option<String>,
    pub status: Option<ConversationStatus>,
    /// Only those with unread messages.
    pub unread: bool,
    /// An account's e-mail, or `none`.
    pub assignee: Option<String>,
}

/// What `PATCH /conversations/{phone}` takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConversationPatch {
    /// The e-mail of the account that takes care of it; null for nobody.
    #[serde(default, with = "crate::contact::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub assignee: Option<Option<String>>,
    /// Archiving also marks everything as read.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub archived: Option<bool>,
    /// Marks as read unless the person has written after this instant: give `last_inbound_at` as it was read.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub read_until: Option<Timestamp>,
    /// The version that was read; a stale one is refused with 409.
    #[serde(default, deserialize_with = "crate::patch::given", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub version: Option<i64>,
}
