//! When the people of a run are due: all of them at once, or everybody when their own clock says so.

use domain::{
    message::Outcome,
    reason::{Check, Reason},
    run::Rules,
    time::Timestamp,
};
use jiff::{
    civil::DateTime,
    tz::{self, TimeZone},
};
use store::messages::DecisionIn;

use crate::{
    scheduler::ON_TIME,
    zones::{self, Overlap, Zones},
};

/// Hours that the last place on earth is behind UTC.
const LAST_PLACE: i8 = -12;

/// When the people of a run are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DueTimes {
    /// When the run began …
    began: Timestamp,
    /// … and from when on somebody may be due who is planned now.
    from: Timestamp,
    /// Everybody's own clock says this when their message is due.
    local: Option<DateTime>,
    /// Whose time was over when the run began is left out.
    leave_late: bool,
}

/// When somebody is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    At(Timestamp),
    /// Their own time was over when the run began, and the campaign does not catch up.
    Over,
}

impl DueTimes {
    /// Of a run with these rules that began, or is to begin, at an instant.
    pub(crate) fn of(rules: &Rules, began: Timestamp, now: Timestamp) -> Self {
        Self {
            began,
            from: began.max(now),
            local: rules.local_at.as_ref().and_then(|at| at.parse().ok()),
            leave_late: rules.leave_late,
        }
    }

    pub(crate) const fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// The first instant at which somebody may be due.
    pub(crate) const fn from(&self) -> Timestamp {
        self.from
    }

    /// When somebody with these zones is due; where the time is over, at once.
    pub(crate) fn of_person(&self, zones: &Zones) -> Due {
        match self.local.and_then(|local| instant(zones, local)) {
            Some(own) if self.leave_late && self.began.since(own) > ON_TIME => Due::Over,
            Some(own) => Due::At(own.max(self.from)),
            None => Due::At(self.from),
        }
    }

    /// What is decided about somebody whose time is over.
    pub(crate) fn over(&self, at: Timestamp) -> DecisionIn {
        let local = self.local.map(|local| local.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default();
        DecisionIn {
            at,
            outcome: Outcome::Skip,
            reason: Some(Reason::DeadlinePassed),
            checks: Check::Subscription.bits_through(),
            detail: Some(format!("{local} by the person's own clock was over when the run began")),
            grounds: None,
        }
    }
}

/// When it is this time for everybody in these zones: with several it is the last of them, without any it is when the
/// time has come everywhere.
fn instant(zones: &Zones, local: DateTime) -> Option<Timestamp> {
    let last_place = TimeZone::fixed(tz::offset(LAST_PLACE));
    let zones = if zones.is_empty() { std::slice::from_ref(&last_place) } else { zones.zones() };
    zones.iter().filter_map(|zone| zones::instant(zone, local, Overlap::First)).max()
}
