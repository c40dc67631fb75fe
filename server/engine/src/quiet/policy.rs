//! All rules that bind a message, and when it may go out.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use domain::{
    quiet::{OwnLawLine, QuietHours},
    time::Timestamp,
};
use jiff::civil::Date;

use super::{
    holidays::Holidays,
    law::{self, Place},
    spans::{Span, intersection},
    window::{self, Window},
};
use crate::zones::Zones;

/// How far ahead an allowed instant is looked for.
pub const SEARCH_DAYS: i64 = 8;

/// How long what was computed for a zone serves: until then it reaches [`SEARCH_DAYS`] ahead.
const SERVES: i64 = Timestamp::DAY;

/// Lines of the workspace that a decision names in full.
const NAMED: usize = 3;

/// Policies, and people's sets of zones of one policy, that are kept.
const KEPT: usize = 4_096;

/// When a message to somebody may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Now, and until then.
    Allowed { until: Timestamp },
    /// Not before then.
    Quiet { until: Timestamp },
    /// Not within [`SEARCH_DAYS`]: no instant suits all zones and rules.
    Never,
}

/// The rules of one campaign, or of single messages: those of the law table, of the workspace, of the campaign.
///
/// Cheap to clone; equal ones share what was computed.
#[derive(Clone, Debug)]
pub struct Policy(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    law: bool,
    quiet: Vec<QuietHours>,
    holidays: Holidays,
    /// The lines that the workspace added to the law table, as they stand in the settings and as they are applied.
    own: Vec<OwnLawLine>,
    groups: Vec<law::Group>,
    known: RwLock<HashMap<Key, Arc<Vec<Span>>>>,
}

/// What is computed together: for people with these zones at this place who are asked about on a day. Runs are sent today
/// while others are rehearsed for next week.
type Key = (Zones, Place, Timestamp);

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Policy {
    /// `quiet` are the hours of the workspace and the campaign; `law` says whether the law table binds, too.
    #[must_use]
    pub fn new(law: bool, quiet: Vec<QuietHours>, holidays: &Holidays) -> Self {
        Self::with_lines(law, &[], quiet, holidays)
    }

    /// As [`Self::new`], with the lines that the workspace added to the law table: they bind where it does, and only narrow.
    #[must_use]
    pub fn with_lines(law: bool, own: &[OwnLawLine], quiet: Vec<QuietHours>, holidays: &Holidays) -> Self {
        static ALL: LazyLock<RwLock<Vec<Policy>>> = LazyLock::new(RwLock::default);
        let own = if law { own } else { &[] };
        let same = |policy: &&Self| {
            let rules = &policy.0;
            rules.law == law && rules.quiet == quiet && rules.own == own && rules.holidays == *holidays
        };
        if let Some(policy) = ALL.read().unwrap_or_else(PoisonError::into_inner).iter().find(same) {
            return policy.clone();
        }
        let rules = Rules {
            law,
            quiet,
            holidays: holidays.clone(),
            own: own.to_vec(),
            groups: law::groups_of(own),
            known: RwLock::default(),
        };
        let policy = Self(Arc::new(rules));
        let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.clear();
        }
        all.push(policy.clone());
        policy
    }

    /// Whether it forbids nothing: then nobody's zone matters.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.0.law && self.0.quiet.is_empty()
    }

    /// Whether no minute of a day is ever allowed, wherever a person is.
    #[must_use]
    pub fn leaves_nothing(&self) -> bool {
        let quiet = &self.0.quiet;
        QuietHours::leave_nothing(quiet)
            || (self.0.law && law::never_beside(|minute| quiet.iter().any(|quiet| quiet.holds(minute))))
    }

    /// The places where the law table and the lines that the workspace added leave no minute of the seven days from this one
    /// on beside the quiet hours. Elsewhere there is time.
    #[must_use]
    pub fn closed_places(&self, from: Date) -> Vec<String> {
        let Rules { law, own, quiet, .. } = &*self.0;
        if *law { law::closed_places(own, quiet, from) } else { Vec::new() }
    }

    /// The hours of workspace and campaign, and whether the law binds: as stored with a decision.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words: Vec<String> = self.0.quiet.iter().map(ToString::to_string).collect();
        if self.0.law {
            words.push(format!("law {}", law::PACK));
        }
        words.join(", ")
    }

    /// [`Self::words`], the place that the law table is read for, and the lines of the workspace that bind somebody there, with
    /// their sources.
    #[must_use]
    pub fn words_at(&self, place: Place) -> String {
        let mut words = self.words();
        if self.0.law {
            words.push_str(&format!(" for {place}"));
        }
        let mut lines = law::own_binding(&self.0.own, place);
        for line in lines.by_ref().take(NAMED) {
            words.push_str(&format!(", own line {line}"));
        }
        match lines.count() {
            0 => {}
            more => words.push_str(&format!(" and {more} more")),
        }
        words
    }

    /// When a message to somebody with these zones at this place may go out.
    #[must_use]
    pub fn answer(&self, zones: &Zones, place: Place, now: Timestamp) -> Answer {
        if self.is_free() {
            return Answer::Allowed { until: Timestamp(i64::MAX) };
        }
        if zones.is_empty() {
            return Answer::Never;
        }
        let spans = self.known(zones, place, now);
        let next = spans.partition_point(|(_, to)| *to <= now);
        match spans.get(next) {
            Some((from, to)) if *from <= now => Answer::Allowed { until: *to },
            Some((from, _)) if from.since(now) <= SEARCH_DAYS * Timestamp::DAY => Answer::Quiet { until: *from },
            _ => Answer::Never,
        }
    }

    /// The window of an instant; none when it is quiet, or nothing is.
    #[must_use]
    pub fn window(&self, zones: &Zones, place: Place, now: Timestamp) -> Option<Span> {
        if self.is_free() || zones.is_empty() {
            return None;
        }
        let spans = self.known(zones, place, now);
        spans.get(spans.partition_point(|(_, to)| *to <= now)).copied().filter(|(from, _)| *from <= now)
    }

    /// All windows in which a message to somebody with these zones at this place may go out. Nothing of it is kept: what is
    /// asked again and again is [`Self::answer`].
    pub(crate) fn windows(&self, zones: &Zones, place: Place, within: Span) -> Vec<Span> {
        if self.is_free() { vec![within] } else { self.spans(zones, place, within) }
    }

    fn known(&self, zones: &Zones, place: Place, now: Timestamp) -> Arc<Vec<Span>> {
        // Whole days, so that all who ask within one share it.
        let from = Timestamp(now.as_micros().div_euclid(SERVES) * SERVES);
        let key = (zones.clone(), place, from);
        if let Some(known) = self.0.known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let to = from.plus((SEARCH_DAYS + 2) * Timestamp::DAY);
        // From a day before, so that the window that is open as the day begins is there with its beginning.
        let known = Arc::new(self.spans(zones, place, (from.plus(-Timestamp::DAY), to)));
        let mut all = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(key, known.clone());
        known
    }

    fn spans(&self, zones: &Zones, place: Place, within: Span) -> Vec<Span> {
        let mut allowed = vec![within];
        for quiet in &self.0.quiet {
            for zone in zones.zones() {
                allowed = intersection(&allowed, &window::spans(zone, within, |_| vec![Window::around(*quiet)]));
            }
        }
        if self.0.law {
            for group in law::binding(&self.0.groups, place) {
                let clocks = group.zone.as_ref().map_or(zones.zones(), std::slice::from_ref);
                for zone in clocks {
                    let of_group = window::spans(zone, within, |day| group.on(day, &place, &self.0.holidays));
                    allowed = intersection(&allowed, &of_group);
                }
            }
        }
        allowed
    }
}
