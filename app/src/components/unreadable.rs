//! What is said of campaigns that this version of the program cannot read.

use domain::campaign::UnreadableCampaign;
use leptos::prelude::*;

use super::{feedback::alert, format::num};
use crate::text::Tone;

/// Which campaigns cannot be read, and what that means; nothing where there are none.
#[must_use]
pub fn unreadable_campaigns(campaigns: &[UnreadableCampaign]) -> Option<AnyView> {
    let title = match campaigns.len() {
        0 => return None,
        1 => "A campaign cannot be read by this version of the program.".to_owned(),
        count => format!("{} campaigns cannot be read by this version of the program.", num(count)),
    };
    let named = |one: &UnreadableCampaign| format!("\u{201c}{}\u{201d} ({})", one.name, one.id);
    let names = campaigns.iter().map(named).collect::<Vec<_>>().join(", ");
    let words = "A newer version has written it, or it is damaged: the log names the field. No run of it begins; one that is under way goes on as it was launched until it is paused, on the page of campaigns, or cancelled.";
    Some(alert(Tone::Warn, title, Some(view! { <span dir="auto">{names}</span> ". " {words} }.into_any())))
}
