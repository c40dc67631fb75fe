//! Statuses of messages (page "Messages resource", Message Status values).

/// A status Twilio knows. `receiving` and `partially_delivered` never occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Scheduled,
    Accepted,
    Queued,
    Sending,
    Sent,
    Failed,
    Undelivered,
    Canceled,
    Delivered,
    Read,
    Received,
}

impl Status {
    pub const ALL: [Self; 11] = [
        Self::Scheduled,
        Self::Accepted,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Failed,
        Self::Undelivered,
        Self::Canceled,
        Self::Delivered,
        Self::Read,
        Self::Received,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Canceled => "canceled",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Received => "received",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// How far the message has come; a resource never goes back.
    pub fn rank(self) -> u8 {
        match self {
            Self::Scheduled => 1,
            Self::Accepted => 2,
            Self::Queued => 3,
            Self::Sending => 4,
            Self::Sent => 5,
            Self::Failed | Self::Undelivered | Self::Canceled => 6,
            Self::Delivered => 7,
            Self::Read => 8,
            Self::Received => 9,
        }
    }

    /// Whether the message has been sent on, so that it may be deleted.
    pub fn is_settled(self) -> bool {
        self.rank() >= Self::Sent.rank()
    }

    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Undelivered)
    }
}

/// A status as settings name it: one Twilio knows, or any other word, which callbacks carry and nobody understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Known(Status),
    Other(std::sync::Arc<str>),
}

impl Word {
    pub fn new(text: &str) -> Self {
        Status::parse(text).map_or_else(|| Self::Other(text.into()), Self::Known)
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(status) => status.as_str(),
            Self::Other(text) => text,
        }
    }

    pub fn is(&self, status: Status) -> bool {
        *self == Self::Known(status)
    }

    /// 0 for a word nobody knows.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Known(status) => status.rank(),
            Self::Other(_) => 0,
        }
    }
}
