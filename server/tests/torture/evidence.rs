//! What a round leaves behind, here and at Twilio, when nobody sends any more: one beside the other, message by message.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use domain::{
    consent::Consent,
    message::{Kind, State},
    reason::Reason,
};
use simulator::{Control, MessageFilter, MessageInfo};
use store::{Db, Row};
use testkit::program::Site;

use crate::{
    round::{PATIENCE, SENDER, phone},
    scenario::{LEFT_CODE, Scenario, WAIT_SECONDS},
    singles,
};

/// What became of those who have no message at Twilio, and what was unknown for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    pub given_up: u64,
    pub opted_out: u64,
    pub once_unknown: u64,
}

/// Who is to get what.
struct Planned {
    kind: Kind,
    text: String,
    segments: u16,
    /// Twilio takes nothing for this person, who opted out there.
    has_left: bool,
}

/// One of our messages as it stands in the database.
#[derive(Debug)]
struct Ours {
    phone: String,
    consent: Consent,
    kind: Kind,
    state: State,
    reason: Option<Reason>,
    code: Option<i32>,
    sid: Option<String>,
}

/// Once the processes have ended: everybody who was planned has one message of ours, and that is one of Twilio's, with their
/// address and their text, or says why it was not sent. Twilio has no other.
///
/// # Errors
/// What does not hold.
pub async fn hold(site: &Site, scenario: &Scenario, twilio: &Control) -> Result<Found> {
    ensure!(twilio.idle(PATIENCE).await, "Twilio still tells something after {PATIENCE:?}");
    ensure!(!site.log().contains("panicked at"), "a process panicked");
    let db = Db::connect(site.database_url(), 2).await?;
    let found = look(&db, scenario, twilio).await;
    db.close().await?;
    found
}

async fn look(db: &Db, scenario: &Scenario, twilio: &Control) -> Result<Found> {
    let twice = twilio.recipients(2);
    ensure!(twice.is_empty(), "{} more than once: {twice:?}", twice.len());
    ensure!(count(db, "SELECT CAST(count(*) AS bigint) AS n FROM runs").await? == 1, "there is another run");
    let mut found = compared(&messages(db).await?, scenario, theirs(twilio))?;
    absences(db, scenario).await?;
    let unknown = "SELECT CAST(count(DISTINCT message_id) AS bigint) AS n FROM transitions WHERE to_state = 2";
    found.once_unknown = u64::try_from(count(db, unknown).await?)?;
    Ok(found)
}

async fn count(db: &Db, query: &str) -> Result<i64> {
    let row = store::one(db.reader(), query, Vec::new()).await?.context("a count is one row")?;
    Ok(row.get("n")?)
}

/// All messages at Twilio, both ways, by their SIDs.
fn theirs(twilio: &Control) -> BTreeMap<String, MessageInfo> {
    let all = Some("all".to_owned());
    let filter = MessageFilter { direction: all, limit: Some(usize::MAX), ..MessageFilter::default() };
    twilio.messages(&filter).into_iter().map(|message| (message.sid.clone(), message)).collect()
}

/// All messages of ours.
async fn messages(db: &Db) -> Result<Vec<Ours>> {
    let query = "SELECT c.phone, c.consent, m.kind, m.state, m.reason, m.error_code, m.provider_sid FROM messages m \
                 JOIN contacts c ON c.contact_id = m.contact_id ORDER BY m.id";
    store::all(db.reader(), query, Vec::new()).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Ours> {
    let (kind, state): (i16, i16) = (row.get("kind")?, row.get("state")?);
    Ok(Ours {
        phone: row.get("phone")?,
        consent: row.word("consent")?,
        kind: Kind::from_number(kind).with_context(|| format!("the kind {kind}"))?,
        state: State::from_rank(state).with_context(|| format!("the state {state}"))?,
        reason: row.word_or_null("reason")?,
        code: row.get("error_code")?,
        sid: row.get("provider_sid")?,
    })
}

/// By their numbers.
fn planned(scenario: &Scenario) -> BTreeMap<String, Planned> {
    let campaign = (0..scenario.people).map(|number| {
        let (text, segments) = (scenario.text_for(number), scenario.segments());
        (phone(number), Planned { kind: Kind::Campaign, text, segments, has_left: scenario.has_left(number) })
    });
    let singles = singles::phones(scenario).map(|phone| {
        let text = singles::body(&phone);
        (phone, Planned { kind: Kind::Single, text, segments: 1, has_left: false })
    });
    campaign.chain(singles).collect()
}

/// Each of ours is planned once and bound to one of theirs, or was not sent for a reason; nothing is left on any side.
fn compared(ours: &[Ours], scenario: &Scenario, mut theirs: BTreeMap<String, MessageInfo>) -> Result<Found> {
    let (mut planned, mut found) = (planned(scenario), Found::default());
    for message in ours {
        let person = planned.remove(&message.phone).filter(|person| person.kind == message.kind);
        let person = person.with_context(|| format!("nobody planned this, or it is there twice: {message:?}"))?;
        match &message.sid {
            Some(sid) => {
                let sent = theirs.remove(sid);
                let sent = sent.with_context(|| format!("not at Twilio, or bound to two of ours: {message:?}"))?;
                handed_over(scenario, &person, message, &sent)?;
            }
            None => not_sent(scenario, &person, message, &mut found)?,
        }
    }
    let lost: Vec<_> = planned.keys().collect();
    ensure!(lost.is_empty(), "{} were planned and have no message: {lost:?}", lost.len());
    let others: Vec<_> = theirs.values().collect();
    ensure!(others.is_empty(), "{} messages at Twilio are none of ours: {others:?}", others.len());
    Ok(found)
}

/// It is the one that was meant for this person, and nothing is told of it that has not happened.
fn handed_over(scenario: &Scenario, person: &Planned, ours: &Ours, theirs: &MessageInfo) -> Result<()> {
    let (to, from) = (scenario.address(&ours.phone), scenario.address(SENDER));
    let meant = ("outbound-api", to.as_str(), Some(from.as_str()), person.text.as_str(), person.segments);
    let direction = theirs.direction.as_str();
    let sent = (direction, theirs.to.as_str(), theirs.from.as_deref(), theirs.body.as_str(), theirs.num_segments);
    ensure!(sent == meant, "{sent:?} was sent, and {meant:?} was meant");
    let latest = State::from_twilio(&theirs.status).with_context(|| format!("the status {}", theirs.status))?;
    let is_on_its_way = matches!(ours.state, State::Accepted | State::Sent | State::Delivered);
    ensure!(is_on_its_way && ours.state.rank() <= latest.rank(), "{ours:?}, and at Twilio {}", theirs.status);
    ensure!(ours.consent != Consent::OptedOut, "nobody said that they opted out: {ours:?}");
    Ok(())
}

/// It says why, and for whom that cannot be it is lost.
fn not_sent(scenario: &Scenario, person: &Planned, ours: &Ours, found: &mut Found) -> Result<()> {
    let may_be_given_up = scenario.give_up && ours.kind == Kind::Campaign;
    let is_opted_out = person.has_left && ours.consent == Consent::OptedOut;
    match (ours.state, ours.reason) {
        (State::Failed, Some(Reason::OutcomeUnknown)) if may_be_given_up => found.given_up += 1,
        (State::Failed, Some(Reason::ProviderRefused)) if is_opted_out && ours.code == Some(LEFT_CODE.into()) => {
            found.opted_out += 1;
        }
        // The answer died with its worker, after the opt-out was written.
        (State::Skipped, Some(Reason::OptedOut | Reason::Suppressed)) if is_opted_out => found.opted_out += 1,
        _ => bail!("neither sent nor left out for a reason that holds: {ours:?}"),
    }
    Ok(())
}

/// Who was sent to again, or given up, was looked for twice before, as long apart as is promised. How long that really was
/// nobody knows where the clock was set.
async fn absences(db: &Db, scenario: &Scenario) -> Result<()> {
    let of_the_same =
        "FROM transitions s WHERE s.message_id = t.message_id AND s.attempt = t.attempt AND s.to_state = 2";
    let query = format!(
        "SELECT t.message_id, t.at, (SELECT min(s.at) {of_the_same}) AS since, \
         (SELECT CAST(count(*) AS bigint) {of_the_same} AND s.from_state = 2) AS looks \
         FROM transitions t WHERE t.from_state = 2 AND t.to_state IN (0, 6) \
         AND t.reason IN ('not_at_provider', 'outcome_unknown')"
    );
    let waits = i64::try_from(2 * WAIT_SECONDS * 1_000_000)?;
    for row in store::all(db.reader(), query, Vec::new()).await? {
        let (id, at, looks): (i64, i64, i64) = (row.get("message_id")?, row.get("at")?, row.get("looks")?);
        let since = row.get::<Option<i64>>("since")?.context("it was unknown once")?;
        ensure!(looks > 0, "message {id} was not looked for before it was settled");
        ensure!(scenario.sets_clock() || at - since >= waits, "message {id} was settled after {} µs", at - since);
    }
    Ok(())
}

/// Whether a loss or a duplicate would be seen at all.
#[cfg(test)]
mod tests {
    use super::*;

    type Theirs = BTreeMap<String, MessageInfo>;

    /// Eight people, of whom the last one opted out at Twilio.
    fn round(give_up: bool) -> Scenario {
        Scenario { people: 8, sms: true, give_up, singles: Vec::new(), ..Scenario::of(1) }
    }

    fn to(number: u32) -> Ours {
        Ours {
            phone: phone(number),
            consent: Consent::OptedIn,
            kind: Kind::Campaign,
            state: State::Delivered,
            reason: None,
            code: None,
            sid: Some(format!("SM{number}")),
        }
    }

    fn at_twilio(number: u32, sid: &str) -> (String, MessageInfo) {
        let message = MessageInfo {
            sid: sid.to_owned(),
            to: phone(number),
            from: Some(SENDER.to_owned()),
            body: round(false).text_for(number),
            content_sid: None,
            content_variables: None,
            validity_period: None,
            status: "delivered".to_owned(),
            direction: "outbound-api".to_owned(),
            created_at: String::new(),
            error_code: None,
            messaging_service_sid: None,
            num_media: 0,
            num_segments: 2,
        };
        (sid.to_owned(), message)
    }

    fn failed(number: u32, reason: Reason, code: Option<i32>) -> Ours {
        Ours { state: State::Failed, reason: Some(reason), code, sid: None, ..to(number) }
    }

    /// As it should be at the end.
    fn right() -> (Vec<Ours>, Theirs) {
        let left = failed(7, Reason::ProviderRefused, Some(LEFT_CODE.into()));
        let left = Ours { consent: Consent::OptedOut, ..left };
        let sent = (0..7).map(to).chain([left]).collect();
        (sent, (0..7).map(|number| at_twilio(number, &format!("SM{number}"))).collect())
    }

    #[test]
    fn everybody_once_or_with_a_reason_is_right() {
        let (ours, theirs) = right();
        let found = compared(&ours, &round(false), theirs).unwrap();
        assert_eq!((found.given_up, found.opted_out), (0, 1));
        let (mut ours, mut theirs) = right();
        ours[3] = failed(3, Reason::OutcomeUnknown, None);
        theirs.remove("SM3");
        assert_eq!(compared(&ours, &round(true), theirs.clone()).unwrap().given_up, 1);
        assert!(compared(&ours, &round(false), theirs).is_err(), "this campaign sends again instead");
    }

    #[test]
    fn whatever_is_wrong_is_seen() {
        type Spoil = fn(&mut Vec<Ours>, &mut Theirs);
        let wrong: [(&str, Spoil); 14] = [
            ("sent twice", |_, theirs| theirs.extend([at_twilio(3, "SM9")])),
            ("sent to somebody else", |_, theirs| theirs.extend([at_twilio(30, "SM9")])),
            ("sent by the other channel", |_, theirs| theirs.get_mut("SM3").unwrap().to.insert_str(0, "whatsapp:")),
            ("another one's text", |_, theirs| theirs.get_mut("SM3").unwrap().body = round(false).text_for(4)),
            ("in pieces", |_, theirs| theirs.get_mut("SM3").unwrap().num_segments = 1),
            ("told too much", |_, theirs| theirs.get_mut("SM3").unwrap().status = "sent".to_owned()),
            ("there, and not at Twilio", |_, theirs| drop(theirs.remove("SM3"))),
            ("neither", |ours, theirs| drop((ours.remove(3), theirs.remove("SM3")))),
            ("planned twice", |ours, theirs| {
                ours.push(Ours { sid: Some("SM9".to_owned()), ..to(3) });
                theirs.extend([at_twilio(3, "SM9")]);
            }),
            ("two of ours are one of theirs", |ours, _| ours[4].sid = Some("SM3".to_owned())),
            ("still waiting", |ours, theirs| {
                ours[3] = Ours { state: State::Queued, ..failed(3, Reason::NotAtProvider, None) };
                theirs.remove("SM3");
            }),
            ("failed, and there", |ours, _| ours[3] = failed(3, Reason::OutcomeUnknown, None)),
            ("refused, and no opt-out", |ours, _| ours[7].consent = Consent::OptedIn),
            ("an opt-out of nobody", |ours, _| ours[3].consent = Consent::OptedOut),
        ];
        for (what, spoil) in wrong {
            let (mut ours, mut theirs) = right();
            spoil(&mut ours, &mut theirs);
            // By either rule, so that it is not only the reason that is wrong.
            for give_up in [false, true] {
                let found = compared(&ours, &round(give_up), theirs.clone());
                assert!(found.is_err(), "{what}: {found:?}");
            }
        }
    }
}
