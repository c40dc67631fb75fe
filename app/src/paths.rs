//! Every URL of the pages, as a constant or a function: used by the route table, links, redirects and tests.

use std::fmt::{Display, Write};

pub const DASHBOARD: &str = "/";
pub const LOGIN: &str = "/login";
/// A plain POST, with or without scripts: the session ends and the browser lands on the login page.
pub const LOGOUT: &str = "/logout";
pub const ACCOUNT: &str = "/account";
/// A plain POST as well: sessions end, and one begins.
pub const PASSWORD: &str = "/account/password";
pub const CONTACTS: &str = "/contacts";
pub const NEW_CONTACT: &str = "/contacts/new";
/// Conversations with people.
pub const INBOX: &str = "/inbox";
/// Webhooks as they came.
pub const EVENTS: &str = "/events";
pub const TRIGGERS: &str = "/events/triggers";
pub const IMPORTS: &str = "/imports";
pub const NEW_IMPORT: &str = "/imports/new";
pub const TOPICS: &str = "/topics";
pub const AUDIENCES: &str = "/audiences";
pub const NEW_AUDIENCE: &str = "/audiences/new";
pub const TEMPLATES: &str = "/templates";
pub const NEW_TEMPLATE: &str = "/templates/new";
/// What WhatsApp has approved, as Twilio lists it.
pub const APPROVED_TEMPLATES: &str = "/templates/approved";
pub const CAMPAIGNS: &str = "/campaigns";
pub const CALENDAR: &str = "/calendar";
pub const NEW_CAMPAIGN: &str = "/campaigns/new";
pub const SETTINGS: &str = "/settings";
pub const SENDERS: &str = "/settings/senders";
pub const NEW_SENDER: &str = "/settings/senders/new";
pub const PROCESSES: &str = "/settings/processes";
/// What holds for the whole workspace.
pub const GENERAL: &str = "/settings/general";
/// When nobody is messaged, and how often at most.
pub const QUIET_HOURS: &str = "/settings/quiet-hours";
/// What is answered by itself.
pub const AUTO_REPLIES: &str = "/settings/auto-replies";
/// The provider's error codes.
pub const ERROR_CODES: &str = "/settings/error-codes";
/// Words in doubt, and how people's wishes move.
pub const COMPLIANCE: &str = "/compliance";
pub const SUPPRESSIONS: &str = "/compliance/suppressions";
pub const KEYWORDS: &str = "/compliance/keywords";
pub const OPT_OUTS: &str = "/compliance/opt-outs";
pub const PENDING: &str = "/compliance/pending";
pub const SIMULATOR: &str = "/simulator";
/// The recipient's own page, with the token of a message: for people without an account.
pub const OWN_PAGE: &str = "/p";

#[must_use]
pub fn contact(phone: impl Display) -> String {
    format!("{CONTACTS}/{phone}")
}

/// Everything about one person, as a file.
#[must_use]
pub fn consent_proof(phone: impl Display) -> String {
    format!("{CONTACTS}/{phone}/consent-proof")
}

#[must_use]
pub fn export_contact(phone: impl Display) -> String {
    format!("{CONTACTS}/{phone}/export.json")
}

#[must_use]
pub fn event(id: impl Display) -> String {
    format!("{EVENTS}/{id}")
}

#[must_use]
pub fn trigger_event(number: impl Display) -> String {
    format!("{TRIGGERS}/{number}")
}

#[must_use]
pub fn media(message: impl Display, number: usize) -> String {
    format!("{INBOX}/media/{message}/{number}")
}

pub fn conversation(phone: impl Display) -> String {
    format!("{INBOX}/{phone}")
}

#[must_use]
pub fn import(id: impl Display) -> String {
    format!("{IMPORTS}/{id}")
}

#[must_use]
pub fn audience(id: impl Display) -> String {
    format!("{AUDIENCES}/{id}")
}

#[must_use]
pub fn template(id: impl Display) -> String {
    format!("{TEMPLATES}/{id}")
}

#[must_use]
pub fn campaign(id: impl Display) -> String {
    format!("{CAMPAIGNS}/{id}")
}

#[must_use]
pub fn edit_campaign(id: impl Display) -> String {
    format!("{CAMPAIGNS}/{id}/edit")
}

#[must_use]
pub fn launch_campaign(id: impl Display) -> String {
    format!("{CAMPAIGNS}/{id}/launch")
}

#[must_use]
pub fn rehearsal(campaign: impl Display) -> String {
    format!("{CAMPAIGNS}/{campaign}/rehearsal")
}

/// Where it is asked why somebody got a campaign, or did not.
#[must_use]
pub fn why(campaign: impl Display) -> String {
    format!("{CAMPAIGNS}/{campaign}/why")
}

#[must_use]
pub fn cancel_campaign(id: impl Display) -> String {
    format!("{CAMPAIGNS}/{id}/cancel")
}

#[must_use]
pub fn recipients(campaign: impl Display) -> String {
    format!("{CAMPAIGNS}/{campaign}/recipients")
}

/// One sender; [`NEW_SENDER`] for a new one.
#[must_use]
pub fn sender(id: impl Display) -> String {
    format!("{SENDERS}/{id}")
}

#[must_use]
pub fn error_code(code: i32) -> String {
    format!("{ERROR_CODES}/{code}")
}

#[must_use]
pub fn message(id: impl Display) -> String {
    format!("/messages/{id}")
}

/// The simulator's phone of one person.
#[must_use]
pub fn simulator_phone(phone: impl Display) -> String {
    with_query(SIMULATOR, &[("phone", &phone.to_string())])
}

/// The login page, which leads back to where the person wanted to be.
#[must_use]
pub fn login_then(next: &str) -> String {
    if next.is_empty() || next == DASHBOARD { LOGIN.to_owned() } else { with_query(LOGIN, &[("next", next)]) }
}

/// The page with a word of success on top: a code of [`crate::text::done`].
#[must_use]
pub fn done(path: &str, code: &str) -> String {
    with_query(path, &[("done", code)])
}

/// The path with these query parameters; empty values are left out, so that URLs stay readable.
#[must_use]
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut url = path.to_owned();
    let mut mark = if path.contains('?') { '&' } else { '?' };
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(mark);
        encode(&mut url, key);
        url.push('=');
        encode(&mut url, value);
        mark = '&';
    }
    url
}

/// A path on this site that a redirect may follow: no other host, no protocol.
#[must_use]
pub fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(char::is_control)
}

fn encode(url: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:,".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded_and_empty_values_left_out() {
        assert_eq!(
            with_query(CONTACTS, &[("q", "+94 77"), ("consent", ""), ("topic", "a&b")]),
            "/contacts?q=%2B94%2077&topic=a%26b"
        );
        assert_eq!(with_query("/contacts?q=1", &[("cursor", "x")]), "/contacts?q=1&cursor=x");
        assert_eq!(login_then("/campaigns/7"), "/login?next=/campaigns/7");
        assert_eq!(login_then("/"), "/login");
    }

    #[test]
    fn redirects_stay_on_this_site() {
        assert!(is_local("/campaigns?x=1"));
        for elsewhere in ["https://example.com", "//example.com", "/\\example.com", "campaigns", "/a\r\nb"] {
            assert!(!is_local(elsewhere), "{elsewhere}");
        }
    }
}
