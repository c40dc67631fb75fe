//! Whose clock: the time zones of a person, and instants of local times in them (decision 23).
//!
//! The one place that asks for zones: every local time of the program, be it a quiet hour, a schedule or a date in a
//! text, goes by the database chosen here.

mod canary;
mod database;
mod local;
mod tables;

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

pub use canary::stale;
pub(crate) use database::is_newer;
#[cfg(test)]
pub(crate) use database::names;
pub use database::{system_version, version, zone, zone_name};
use domain::{contact::is_no_place, phone::Phone};
use jiff::tz::TimeZone;
pub use local::{Overlap, civil, instant, of_jiff, to_jiff};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType, Region};
pub use tables::{country_of, states_of};
pub(crate) use tables::{is_country, is_state};

/// Where it is known from what a person's zones are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The person's own `timezone`.
    Timezone,
    /// A part of the number: its zones are a guess, but a good one.
    Prefix,
    /// The number's country.
    Country,
    /// A number that belongs to no place, such as a toll-free one.
    Nowhere,
}

impl Source {
    /// In the words that are stored with a decision.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timezone => "the contact's time zone",
            Self::Prefix => "by the number's prefix",
            Self::Country => "by the number's country",
            Self::Nowhere => "the number belongs to no place",
        }
    }
}

/// The zones that a person may be in. With several, only what holds in all of them is safe; with none, nothing is known.
///
/// Cheap to clone; two of the same zones are equal.
#[derive(Clone, Debug)]
pub struct Zones {
    set: Arc<Set>,
    source: Source,
    /// The person's own `timezone`, where it is no place's and the number decides.
    ignored: Option<&'static str>,
}

#[derive(Debug)]
struct Set {
    names: Vec<&'static str>,
    zones: Vec<TimeZone>,
}

impl Zones {
    /// The zones, in the order of their names.
    #[must_use]
    pub fn zones(&self) -> &[TimeZone] {
        &self.set.zones
    }

    /// Their IANA names.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.set.names
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.zones.is_empty()
    }

    /// Whether it is known in which one the person is.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.set.zones.len() == 1
    }

    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// All that [`Zones::known_from`] tells.
    pub(crate) const fn origin(&self) -> (Source, Option<&'static str>) {
        (self.source, self.ignored)
    }

    /// Where they are known from, in the words that are stored with a decision.
    #[must_use]
    pub fn known_from(&self) -> Cow<'static, str> {
        let source = self.source.as_str();
        self.ignored.map_or(Cow::Borrowed(source), |name| {
            Cow::Owned(format!("{source}, and the contact's time zone {name} is no place's"))
        })
    }
}

/// By their zones, not by where they are known from: sets are made once.
impl PartialEq for Zones {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.set, &other.set)
    }
}

impl Eq for Zones {}

impl Hash for Zones {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.set).hash(state);
    }
}

/// An instant in a zone for people, such as `Tue 1 Dec 10:42`; in UTC where there is no such zone.
#[must_use]
pub fn short(name: &str, at: domain::time::Timestamp) -> String {
    civil(&zone(name).unwrap_or(TimeZone::UTC), at).strftime("%a %-d %b %H:%M").to_string()
}

/// The zones of a person: of their `timezone` where there is a usable one, else of their number
/// (reference/compliance.md §3). `UTC` and its like stand where a program knew no zone: nobody is asleep or awake by them.
#[must_use]
pub fn zones_of(phone: &Phone, timezone: Option<&str>) -> Zones {
    match timezone.and_then(zone_name) {
        Some(name) if is_no_place(name) => Zones { ignored: Some(name), ..of_phone(phone) },
        Some(name) => of_timezone(name).unwrap_or_else(|| of_phone(phone)),
        None => of_phone(phone),
    }
}

/// The zone that a person is said to be in, when the database has it.
fn of_timezone(name: &'static str) -> Option<Zones> {
    Some(Zones { set: set_of(vec![name])?, source: Source::Timezone, ignored: None })
}

/// What decides about a number's zones: few for a million numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    /// Of the table of prefixes, where the number is geographic and its prefix is longer than its country's.
    row: Option<u32>,
    region: Option<Region>,
}

fn of_phone(phone: &Phone) -> Zones {
    static KNOWN: LazyLock<RwLock<HashMap<Key, Zones>>> = LazyLock::new(RwLock::default);
    let key = key_of(phone);
    if let Some(zones) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return zones.clone();
    }
    let zones = zones_by(key);
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(key, zones.clone());
    zones
}

fn key_of(phone: &Phone) -> Key {
    let nowhere = Key { row: None, region: None };
    let Ok(number) = PHONE_NUMBER_UTIL.parse(phone.as_str(), None) else { return nowhere };
    let Some(region) = number.get_region_code().filter(|region| *region != Region::World) else { return nowhere };
    let kind = number.get_type();
    let is_somewhere = !matches!(
        kind,
        PhoneNumberType::TollFree
            | PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::VoIP
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail
    );
    if !is_somewhere {
        return nowhere;
    }
    // By the type that is known already: to ask the number itself would find out its region and type once more.
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region).unwrap_or(0);
    let row = PHONE_NUMBER_UTIL
        .is_number_geographical_by_country_code_and_type(kind, code)
        .then(|| tables::prefix(phone.digits()))
        .flatten()
        .filter(|(length, _)| *length > digits_of(code));
    Key { row: row.map(|(_, row)| row), region: Some(region) }
}

/// How many digits a calling code has.
const fn digits_of(code: i32) -> usize {
    match code {
        ..10 => 1,
        10..100 => 2,
        100.. => 3,
    }
}

fn zones_by(key: Key) -> Zones {
    let nowhere = || Zones { set: empty(), source: Source::Nowhere, ignored: None };
    let Some(region) = key.region else { return nowhere() };
    let of_country = tables::country(&region.to_string());
    let of_prefix: Vec<&'static str> = key.row.map_or_else(Vec::new, |row| {
        tables::zones_of_row(row).into_iter().filter(|zone| of_country.contains(zone)).collect()
    });
    let (names, source) =
        if of_prefix.is_empty() { (of_country, Source::Country) } else { (of_prefix, Source::Prefix) };
    set_of(names).map_or_else(nowhere, |set| Zones { set, source, ignored: None })
}

/// These zones, as if a number told them.
#[cfg(test)]
pub(crate) fn of_names(names: &[&'static str]) -> Zones {
    let set = set_of(names.to_vec()).expect("zones of the database");
    Zones { set, source: Source::Prefix, ignored: None }
}

fn empty() -> Arc<Set> {
    static EMPTY: LazyLock<Arc<Set>> = LazyLock::new(|| Arc::new(Set { names: Vec::new(), zones: Vec::new() }));
    EMPTY.clone()
}

/// The one set of these zones. None when the database knows none of them.
fn set_of(mut names: Vec<&'static str>) -> Option<Arc<Set>> {
    static SETS: LazyLock<RwLock<HashMap<Vec<&'static str>, Arc<Set>>>> = LazyLock::new(RwLock::default);
    names.sort_unstable();
    names.dedup();
    if let Some(set) = SETS.read().unwrap_or_else(PoisonError::into_inner).get(&names) {
        return Some(set.clone());
    }
    // A zone that the database lacks must not silently make the rest look safe.
    let zones: Vec<TimeZone> = names.iter().map(|name| zone(name)).collect::<Option<_>>()?;
    if zones.is_empty() {
        return None;
    }
    let mut sets = SETS.write().unwrap_or_else(PoisonError::into_inner);
    Some(sets.entry(names.clone()).or_insert_with(|| Arc::new(Set { names, zones })).clone())
}

#[cfg(test)]
mod machine;
#[cfg(test)]
mod tests;
