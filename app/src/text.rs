//! The catalogue of words: what stored codes are called on the pages. English for now; a second language is a second
//! set of these functions. Everything here is exhaustive over the domain's enums, so a new code cannot be forgotten.

use std::borrow::Cow;

use domain::{
    actor::ActorKind,
    campaign::CampaignStatus,
    consent::{Category, Consent, ConsentSource, Subscription, SuppressionReason},
    content_template::Approval,
    event::{WebhookKind, WebhookOutcome},
    import::{ImportStatus, RejectReason},
    message::{By, Channel, CheckOutcome, Kind, Outcome, State, StepActor},
    opt_in::OptInState,
    process::{ProcessRole, Wait},
    reason::{Check, Reason},
    review::ReviewDecision,
    role::Role,
    run::RunStatus,
    schedule::DueReason,
    settings::SendingState,
    trigger_event::EventOutcome,
};

pub const PRODUCT: &str = "Event Stream Engine";

/// What a colour says. Never alone: there is always a word beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing has happened, or nothing needs to.
    #[default]
    Idle,
    /// Under way.
    Info,
    Ok,
    Warn,
    Bad,
}

impl Tone {
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Info => "info",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A word with its tone: what a pill shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub tone: Tone,
    pub text: Cow<'static, str>,
}

impl Label {
    const fn of(tone: Tone, text: &'static str) -> Self {
        Self { tone, text: Cow::Borrowed(text) }
    }
}

impl<T: Into<Cow<'static, str>>> From<(Tone, T)> for Label {
    fn from((tone, text): (Tone, T)) -> Self {
        Self { tone, text: text.into() }
    }
}

impl From<State> for Label {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::of(Tone::Idle, "Waiting"),
            State::Sending => Self::of(Tone::Info, "Sending"),
            State::Unknown => Self::of(Tone::Warn, "Unknown"),
            State::Accepted => Self::of(Tone::Info, "Accepted"),
            State::Sent => Self::of(Tone::Info, "Sent"),
            State::Undelivered => Self::of(Tone::Bad, "Undelivered"),
            State::Failed => Self::of(Tone::Bad, "Failed"),
            State::Delivered => Self::of(Tone::Ok, "Delivered"),
            State::Read => Self::of(Tone::Ok, "Read"),
            State::Skipped => Self::of(Tone::Warn, "Skipped"),
            State::Cancelled => Self::of(Tone::Idle, "Cancelled"),
        }
    }
}

impl From<WebhookOutcome> for Label {
    fn from(outcome: WebhookOutcome) -> Self {
        match outcome {
            WebhookOutcome::Applied => Self::of(Tone::Ok, "Applied"),
            WebhookOutcome::NoChange => Self::of(Tone::Idle, "No change"),
            WebhookOutcome::Orphan => Self::of(Tone::Warn, "Nobody's"),
            WebhookOutcome::Claimed => Self::of(Tone::Ok, "Claimed since"),
            WebhookOutcome::Unprocessable => Self::of(Tone::Bad, "Not understood"),
        }
    }
}

impl From<RunStatus> for Label {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Planning => Self::of(Tone::Info, "Planning"),
            RunStatus::Rehearsed => Self::of(Tone::Idle, "Rehearsed"),
            RunStatus::Running => Self::of(Tone::Info, "Running"),
            RunStatus::Paused => Self::of(Tone::Warn, "Paused"),
            RunStatus::Completed => Self::of(Tone::Ok, "Completed"),
            RunStatus::Cancelled => Self::of(Tone::Idle, "Cancelled"),
            RunStatus::Failed => Self::of(Tone::Bad, "Failed"),
        }
    }
}

impl From<CampaignStatus> for Label {
    fn from(status: CampaignStatus) -> Self {
        match status {
            CampaignStatus::Draft => Self::of(Tone::Idle, "Draft"),
            CampaignStatus::Scheduled => Self::of(Tone::Info, "Scheduled"),
            CampaignStatus::Running => Self::of(Tone::Info, "Running"),
            CampaignStatus::Paused => Self::of(Tone::Warn, "Paused"),
            CampaignStatus::Completed => Self::of(Tone::Ok, "Completed"),
            CampaignStatus::Cancelled => Self::of(Tone::Idle, "Cancelled"),
            CampaignStatus::Failed => Self::of(Tone::Bad, "Failed"),
        }
    }
}

impl From<Consent> for Label {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Unknown => Self::of(Tone::Idle, "No consent yet"),
            Consent::Pending => Self::of(Tone::Info, "Asked for consent"),
            Consent::OptedIn => Self::of(Tone::Ok, "Opted in"),
            Consent::OptedOut => Self::of(Tone::Bad, "Opted out"),
        }
    }
}

impl From<Subscription> for Label {
    fn from(subscription: Subscription) -> Self {
        match subscription {
            Subscription::Subscribed => Self::of(Tone::Ok, "Subscribed"),
            Subscription::Unsubscribed => Self::of(Tone::Bad, "Unsubscribed"),
        }
    }
}

impl From<ImportStatus> for Label {
    fn from(status: ImportStatus) -> Self {
        match status {
            ImportStatus::Queued => Self::of(Tone::Idle, "Waiting"),
            ImportStatus::Running => Self::of(Tone::Info, "Reading"),
            ImportStatus::Done => Self::of(Tone::Ok, "Done"),
            ImportStatus::Failed => Self::of(Tone::Bad, "Failed"),
        }
    }
}

impl From<SendingState> for Label {
    fn from(state: SendingState) -> Self {
        match state {
            SendingState::On => Self::of(Tone::Ok, "Sending is on"),
            SendingState::Held => Self::of(Tone::Bad, "Sending is held"),
        }
    }
}

impl From<CheckOutcome> for Label {
    fn from(outcome: CheckOutcome) -> Self {
        match outcome {
            CheckOutcome::Pass => Self::of(Tone::Ok, "Passed"),
            CheckOutcome::Fail => Self::of(Tone::Bad, "Stopped it"),
            CheckOutcome::NotChecked => Self::of(Tone::Idle, "Not reached"),
        }
    }
}

impl From<Outcome> for Label {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Send => Self::of(Tone::Ok, "Send"),
            Outcome::Skip => Self::of(Tone::Warn, "Skip"),
            Outcome::Wait => Self::of(Tone::Idle, "Wait"),
        }
    }
}

/// The state within a sentence or a legend: "1,617 skipped".
#[must_use]
pub const fn state_counted(state: State) -> &'static str {
    match state {
        State::Queued => "waiting",
        State::Sending => "being sent",
        State::Unknown => "unknown, being checked",
        State::Accepted => "accepted",
        State::Sent => "sent",
        State::Undelivered => "undelivered",
        State::Failed => "failed",
        State::Delivered => "delivered",
        State::Read => "read",
        State::Skipped => "skipped",
        State::Cancelled => "cancelled",
    }
}

/// What a state means, for hints.
#[must_use]
pub const fn state_meaning(state: State) -> &'static str {
    match state {
        State::Queued => "Planned; goes out when its turn comes.",
        State::Sending => "Being handed over right now.",
        State::Unknown => "The hand-over was not answered. It is never repeated blindly: the provider is asked first.",
        State::Accepted => "The provider has taken it.",
        State::Sent => "On its way to the phone.",
        State::Undelivered => "The phone did not get it.",
        State::Failed => "It could not be sent.",
        State::Delivered => "It is on the phone.",
        State::Read => "The person has opened it.",
        State::Skipped => "Left out on purpose; the reason says why.",
        State::Cancelled => "The campaign was cancelled before its turn.",
    }
}

/// Why a message was not sent, or waits.
#[must_use]
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NoConsent => "Has not agreed to marketing",
        Reason::OptedOut => "Opted out",
        Reason::Suppressed => "On the do-not-contact list",
        Reason::NotSubscribed => "Not subscribed to the topic",
        Reason::MissingVariable => "A value for the text is missing",
        Reason::TooLong => "The text is too long",
        Reason::OutsideWindow => "Has not written within 24 hours",
        Reason::DeadlinePassed => "The deadline had passed",
        Reason::FrequencyCap => "Has had enough messages lately",
        Reason::QuietHours => "It is too early or too late where they are",
        Reason::NeedsTimezone => "The time zone is not known",
        Reason::NoAllowedTime => "The rules leave no hour where they are",
        Reason::HeldForReview => "Held until somebody reads their answer",
        Reason::OutcomeUnknown => "Given up: the outcome cannot be known",
        Reason::ContactErased => "The person was erased",
        Reason::ProviderRefused => "The provider refused it",
        Reason::NoAnswer => "The provider did not answer",
        Reason::NotAtProvider => "The provider has no such message",
        Reason::RateLimited => "The provider asked to slow down",
        Reason::NotReached => "The provider could not be reached",
        Reason::PairRate => "Has just had several messages",
        Reason::DailyLimit => "WhatsApp's limit of people a day is reached",
        Reason::LeaseExpired => "The worker that sent it disappeared",
        Reason::RunCancelled => "The campaign was cancelled",
        Reason::TemplateError => "The template failed for this person",
        Reason::Unreachable => "The last messages did not come",
        Reason::AlreadyReceived => "Has had this campaign before",
        Reason::AlreadyPlanned => "A message of this campaign is under way to them",
    }
}

/// What to do about it, where there is something.
#[must_use]
pub const fn reason_remedy(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::NoConsent => "Ask them to answer START, or import a file that states their consent.",
        Reason::OptedOut => {
            "The person can change this by answering START; what a file or an admin noted, an admin can lift with a \
             proof of their consent."
        }
        Reason::NotSubscribed => "Subscribe them to the topic, or send without one.",
        Reason::MissingVariable => "Fill the attribute, or give the variable a default in the template.",
        Reason::TooLong => "Shorten the template, or the attribute that makes it long.",
        Reason::OutsideWindow => "Use an approved content template: it may start a conversation.",
        Reason::PairRate => "Nothing: it goes out a few seconds later.",
        Reason::DailyLimit => {
            "Nothing: it goes out when the day has room again. Meta raises the limit of senders with good quality."
        }
        Reason::QuietHours => "Nothing: it goes out in their morning.",
        Reason::AlreadyPlanned => "Nothing: should that message be left out, the next event about them makes another.",
        Reason::FrequencyCap => {
            "Nothing, or raise the workspace's limit under Settings, Quiet hours. What law sets stands there, too, and nobody \
             can raise it."
        }
        Reason::Unreachable => {
            "Check the number. It is tried again after the days under Settings, Quiet hours, or as soon as the person writes."
        }
        Reason::NeedsTimezone => "Give the contact a time zone.",
        Reason::NoAllowedTime => {
            "Shorten the quiet hours of the campaign or the workspace, or change the workspace's own lines of law."
        }
        Reason::TemplateError => "Open the template and preview it with this contact.",
        _ => return None,
    })
}

/// The words for a stored reason code; a code that is not known is shown as it is.
#[must_use]
pub fn reason_code(code: &str) -> &str {
    match code.parse() {
        Ok(known) => reason(known),
        Err(_) => code,
    }
}

#[must_use]
pub const fn check(check: Check) -> &'static str {
    match check {
        Check::Suppression => "Do-not-contact list",
        Check::Consent => "Consent",
        Check::Subscription => "Topic subscription",
        Check::Deadline => "Deadline",
        Check::QuietHours => "Quiet hours",
        Check::FrequencyCap => "Messages lately",
        Check::Window => "24-hour window",
        Check::Variables => "Values for the text",
        Check::Length => "Length of the text",
    }
}

/// What a check asks for.
#[must_use]
pub const fn check_rule(check: Check) -> &'static str {
    match check {
        Check::Suppression => "The number is not on the list.",
        Check::Consent => "The person has agreed to what the template is for.",
        Check::Subscription => "The person is subscribed to the campaign's topic, if it has one.",
        Check::Deadline => "The time until which it may be sent has not passed.",
        Check::QuietHours => "It is neither too early nor too late where the person is.",
        Check::FrequencyCap => "The person has had fewer marketing messages lately than the limit.",
        Check::Window => "Text of your own on WhatsApp, where this is checked: the person has written lately.",
        Check::Variables => "Every value that the text needs is there.",
        Check::Length => "The filled text is not longer than the channel takes.",
    }
}

#[must_use]
pub const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Whatsapp => "WhatsApp",
        Channel::Sms => "SMS",
    }
}

#[must_use]
pub const fn category(category: Category) -> &'static str {
    match category {
        Category::Marketing => "Marketing",
        Category::Utility => "Utility",
        Category::Authentication => "Authentication",
    }
}

#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Campaign => "Campaign message",
        Kind::Test => "Test message",
        Kind::Single => "Single message",
        Kind::Confirmation => "Confirmation",
        Kind::Question => "Opt-in question",
        Kind::AutoReply => "Automatic reply",
    }
}

/// Who moved a message.
#[must_use]
pub const fn by(by: By) -> &'static str {
    match by {
        By::Plan => "the plan",
        By::Worker => "this program",
        By::Callback => "a callback of the provider",
        By::Reconcile => "asking the provider",
        By::Admin => "somebody here",
        By::Recipient => "the person",
    }
}

/// Who of those here it was.
#[must_use]
pub fn step_actor(actor: &StepActor) -> String {
    match actor.kind {
        ActorKind::ApiKey => format!("the API key “{}”", actor.name),
        ActorKind::CommandLine => "the command line".to_owned(),
        _ => actor.name.clone(),
    }
}

/// What somebody decided of a message that may be an opt-out.
#[must_use]
pub const fn review_decision(decision: ReviewDecision) -> (Tone, &'static str) {
    match decision {
        ReviewDecision::OptedOut => (Tone::Bad, "Opted out"),
        ReviewDecision::Kept => (Tone::Ok, "Not an opt-out"),
        ReviewDecision::Answered => (Tone::Idle, "Said by the person"),
    }
}

#[must_use]
pub const fn consent_source(source: ConsentSource) -> &'static str {
    match source {
        ConsentSource::Keyword => "their own message",
        ConsentSource::Provider => "the provider",
        ConsentSource::Import => "an import",
        ConsentSource::Api => "the API",
        ConsentSource::Account => "somebody here",
        ConsentSource::Recipient => "the suppression list",
        ConsentSource::RecipientPage => "their own page",
    }
}

/// A month of the year, 1 to 12.
#[cfg(feature = "ssr")]
#[must_use]
pub fn month(number: i32) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    usize::try_from(number - 1).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or_default()
}

/// A day of the week, 1 is Monday.
#[cfg(feature = "ssr")]
#[must_use]
pub fn weekday(number: u8) -> &'static str {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or_default()
}

/// Who wrote a line of the consent ledger down.
#[cfg(feature = "ssr")]
#[must_use]
pub const fn recorder(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Account => "account",
        ActorKind::ApiKey => "API key",
        ActorKind::Worker => "the program",
        ActorKind::Provider => "provider",
        ActorKind::Recipient => "the person",
        ActorKind::CommandLine => "the command line",
        ActorKind::Import => "import",
    }
}

/// Where WhatsApp's review of a content template stands.
#[must_use]
pub const fn approval(approval: Approval) -> (Tone, &'static str) {
    match approval {
        Approval::Approved => (Tone::Ok, "Approved"),
        Approval::Unsubmitted => (Tone::Idle, "Not submitted"),
        Approval::Received | Approval::Pending => (Tone::Info, "In review"),
        Approval::Rejected => (Tone::Bad, "Rejected"),
        Approval::Paused => (Tone::Warn, "Paused"),
        Approval::Disabled => (Tone::Bad, "Disabled"),
        Approval::Unknown => (Tone::Idle, "Unknown"),
    }
}

/// What became of a double opt-in's question.
#[must_use]
pub const fn opt_in_state(state: OptInState) -> &'static str {
    match state {
        OptInState::Waiting => "Waiting",
        OptInState::Confirmed => "Confirmed",
        OptInState::Expired => "Not answered",
        OptInState::Withdrawn => "Opted out instead",
    }
}

#[must_use]
pub const fn suppression_reason(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::Stop => "Wrote STOP",
        SuppressionReason::Complaint => "Complained",
        SuppressionReason::Erasure => "Asked to be erased",
        SuppressionReason::Bounce => "The number does not work",
        SuppressionReason::Manual => "Put on the list by hand",
        SuppressionReason::Provider => "Reported by the provider",
    }
}

#[must_use]
pub const fn reject_reason(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::NoPhone => "No phone number",
        RejectReason::InvalidPhone => "Not a phone number",
        RejectReason::NoCountry => "A national number without a country",
        RejectReason::Malformed => "The row cannot be read",
    }
}

#[must_use]
pub fn reject_code(code: &str) -> &str {
    match code.parse() {
        Ok(known) => reject_reason(known),
        Err(_) => code,
    }
}

#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "Admin",
        Role::Marketer => "Marketer",
        Role::Viewer => "Viewer",
    }
}

#[must_use]
pub const fn process_role(role: ProcessRole) -> &'static str {
    match role {
        ProcessRole::All => "Everything",
        ProcessRole::Web => "Web",
        ProcessRole::Worker => "Worker",
    }
}

/// What waits.
#[must_use]
pub const fn waiting(what: Wait) -> &'static str {
    match what {
        Wait::Due => "Messages: due now",
        Wait::Later => "Messages: for later",
        Wait::Paused => "Messages: of paused campaigns",
        Wait::Held => "Messages: all sending is held",
        Wait::SenderHeld => "Messages: of held senders",
        Wait::SenderDisabled => "Messages: of disabled senders",
        Wait::SenderBlocked => "Messages: of senders that the provider blocks",
        Wait::NoAccount => "Messages: of an account without credentials",
        Wait::Lists => "Messages: until Twilio's lists are read",
        Wait::Planning => "Messages: their run is being planned",
        Wait::Cancelling => "Messages: of cancelled campaigns",
        Wait::Sending => "Messages: being sent",
        Wait::Unknown => "Messages: outcome unknown",
        Wait::Accepted => "Messages: sent, without a final status",
        Wait::NoNews => "Messages: sent, without any news for days",
        Wait::Plans => "Runs: being planned",
        Wait::Unreadable => "Runs: stored in a way that this version cannot read",
        Wait::ImportsQueued => "Files: waiting for their import",
        Wait::ImportsRunning => "Files: being imported",
        Wait::Webhooks => "Webhooks: to be stored",
    }
}

/// What moves on what waits.
#[must_use]
pub const fn moves_on(what: Wait) -> &'static str {
    match what {
        Wait::Due => "They go out as fast as the rates of the account, the sender and the campaign allow.",
        Wait::Later => "Their time comes, and they are tried.",
        Wait::Paused => "Somebody resumes the campaign.",
        Wait::Held => "Somebody releases sending.",
        Wait::SenderHeld => "Somebody releases the sender.",
        Wait::SenderDisabled => "Somebody enables the sender.",
        Wait::SenderBlocked => "One message now and then tries; when it gets through, all go on by themselves.",
        Wait::NoAccount => "Somebody enters the account's credentials.",
        Wait::Lists => {
            "Twilio's list of messages that came in while we were away is being read first, so that no STOP is missed."
        }
        Wait::Planning => "The plan is complete.",
        Wait::Cancelling => "They are taken out of the queue within a second.",
        Wait::Sending => "The provider answers. If the process dies, the lease ends and the outcome is unknown.",
        Wait::Unknown => "A callback comes, or the provider's list is asked; given up after 24 hours.",
        Wait::Accepted => "A callback comes; else the provider is asked after 1 hour, then after 2, 4 …, for 3 days.",
        Wait::NoNews => "A late callback may still come; the provider is not asked any more.",
        Wait::Plans => "The planner takes the next people.",
        Wait::Unreadable => {
            "The version that wrote it runs again, or somebody cancels the campaign. The log names run and field."
        }
        Wait::ImportsQueued => "The process that has the file is done with the one before.",
        Wait::ImportsRunning => "Row by row. When the process dies, it is taken up again within a minute.",
        Wait::Webhooks => "They are stored together within milliseconds.",
    }
}

/// What an event came to in a campaign.
#[must_use]
pub fn event_outcome(outcome: Option<EventOutcome>) -> Label {
    match outcome {
        None => Label::of(Tone::Info, "Its turn comes"),
        Some(EventOutcome::Planned) => Label::of(Tone::Ok, "Planned"),
        Some(EventOutcome::Merged) => Label::of(Tone::Idle, "Shares a message"),
        Some(EventOutcome::LeftOut) => Label::of(Tone::Warn, "Not in the audience"),
        Some(EventOutcome::CampaignOver) => Label::of(Tone::Idle, "Campaign over"),
    }
}

/// What a webhook is about.
#[must_use]
pub const fn event_kind(kind: WebhookKind) -> &'static str {
    match kind {
        WebhookKind::Status => "Status of a message",
        WebhookKind::Inbound => "From a person",
    }
}

/// Why a webhook had the effect it had; a code that is not known is shown as it is.
#[must_use]
pub fn event_reason(code: &str) -> &str {
    match code {
        "repeat" => "The same came before",
        "unknown_status" => "A status that is not known",
        "second_sid" => "A second SID for one message: it was really sent twice",
        "not_a_form" => "Not a form",
        "no_message_sid" => "Without the message's SID",
        "no_message_status" => "Without a status",
        "no_sender" => "Without a sender",
        "sender_is_no_phone" => "The sender is not a phone number",
        "failed" => "It could not be stored as what it is",
        "fetched" => "Read from Twilio\u{2019}s list: no webhook brought it",
        "fetched_failed" => "Read from Twilio\u{2019}s list: it could not be stored as what it is",
        other => other,
    }
}

/// Why a scheduled time did not become a run.
#[must_use]
pub const fn due_reason(reason: DueReason) -> &'static str {
    match reason {
        DueReason::Missed => "it was paused then, or the program was down, and it does not catch up.",
        DueReason::StillRunning => "the run before it was not over.",
    }
}

/// What was just done, by the code a redirect carries: only known sentences can be put on a page by a link.
#[must_use]
pub fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "saved" => "Saved.",
        "created" => "Created.",
        "deleted" => "Deleted.",
        "synced" => "This is what Twilio lists now.",
        "imported" => "The import has started.",
        "launched" => "The campaign has been launched.",
        "scheduled" => "Scheduled. It goes out by itself at its time.",
        "woken" => "Whoever sleeps gets it now. It stands in the audit log.",
        "hours_kept" => "Quiet hours hold again for this run. It stands in the audit log.",
        "rehearsed" => "The rehearsal is under way. Nothing is sent.",
        "discarded" => "The rehearsal is discarded.",
        "paused" => "Paused. Nothing more is handed over until you resume.",
        "resumed" => "Resumed.",
        "cancelled" => "Cancelled. Messages that were not handed over yet will not be.",
        "duplicated" => "Duplicated: this is the copy.",
        "test_sent" => "The test is on its way.",
        "message_sent" => "The message is on its way.",
        "assigned" => "Assigned.",
        "archived" => "Archived. It opens again when the person writes.",
        "reopened" => "Open again.",
        "opted_in" => "Consent recorded.",
        "opted_out" => "Opted out. Nothing more will be sent to this person.",
        "subscribed" => "Subscribed.",
        "unsubscribed" => "Unsubscribed.",
        "erased" => "The person has been erased.",
        "held" => "Sending is held everywhere.",
        "released" => "Sending is on again.",
        "sender_held" => "Held. Nothing goes out from this sender until it is released.",
        "sender_released" => "Released. Messages go out from this sender again.",
        "password_changed" => "Your password is changed. You are logged out everywhere else.",
        "logged_out" => "You have logged out.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|code| reason(*code)).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        assert_eq!(reason_code("opted_out"), "Opted out");
        assert_eq!(reason_code("something_new"), "something_new");
        assert!(reason_remedy(Reason::FrequencyCap).is_some_and(|words| words.contains("What law sets")));
    }

    #[test]
    fn who_paused_over_its_time_is_not_told_that_nobody_was_there() {
        assert!(due_reason(DueReason::Missed).starts_with("it was paused then, or"));
    }

    #[test]
    fn links_can_only_show_known_sentences() {
        assert!(done("saved").is_some());
        assert!(done("<b>You won</b>").is_none());
    }
}
