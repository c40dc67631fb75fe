//! The steps of the wizard; the open one is in the URL.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::paths;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    #[default]
    Basics,
    Audience,
    Message,
    Sending,
    When,
}

impl Step {
    pub const ALL: [Self; 5] = [Self::Basics, Self::Audience, Self::Message, Self::Sending, Self::When];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basics => "basics",
            Self::Audience => "audience",
            Self::Message => "message",
            Self::Sending => "sending",
            Self::When => "when",
        }
    }

    /// The step that a URL names; the first when it names none.
    pub fn named(text: &str) -> Self {
        Self::ALL.into_iter().find(|step| step.as_str() == text).unwrap_or_default()
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Basics => "Name and topic",
            Self::Audience => "Audience",
            Self::Message => "Message",
            Self::Sending => "Sending",
            Self::When => "When",
        }
    }

    pub const fn place(self) -> usize {
        self as usize
    }

    /// The step after this one; after the last comes the campaign's own page.
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self.place() + 1).copied()
    }

    pub fn before(self) -> Option<Self> {
        self.place().checked_sub(1).and_then(|place| Self::ALL.get(place)).copied()
    }

    pub fn path(self, campaign: impl Display) -> String {
        paths::with_query(&paths::edit_campaign(campaign), &[("step", self.as_str())])
    }

    /// The step in which a field of a campaign is entered: where an error about it is mended.
    pub fn of_field(field: &str) -> Self {
        match field {
            "segment_id" => Self::Audience,
            "template_id" => Self::Message,
            "sender_id" | "rate_per_second" | "quiet_hours" | "send_before" | "late" => Self::Sending,
            "trigger" | "catch_up" => Self::When,
            field if field.starts_with("trigger.") => Self::When,
            _ => Self::Basics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_and_are_named_in_the_url() {
        assert_eq!(Step::Basics.before(), None);
        assert_eq!(Step::When.next(), None);
        for pair in Step::ALL.windows(2) {
            assert_eq!((pair[0].next(), pair[1].before()), (Some(pair[1]), Some(pair[0])));
        }
        assert!(Step::ALL.iter().all(|step| Step::named(step.as_str()) == *step));
        assert_eq!(Step::named("nonsense"), Step::Basics);
    }
}
