//! Days on which places that keep holidays allow nothing.

use std::collections::BTreeSet;

use domain::quiet::{Holiday, OwnLawLine};
use jiff::civil::Date;

use super::law;

/// The list in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays(BTreeSet<(String, Date)>);

impl Holidays {
    /// Of what people typed; what is no date was refused there.
    #[must_use]
    pub fn of(list: &[Holiday]) -> Self {
        let known = |holiday: &Holiday| Some((holiday.country.clone(), holiday.date.parse().ok()?));
        Self(list.iter().filter_map(known).collect())
    }

    pub(super) fn has(&self, country: &str, day: Date) -> bool {
        self.0.contains(&(country.to_owned(), day))
    }
}

/// Countries of a list that neither the law table nor the workspace's own lines keep holidays for: it says nothing there.
pub(crate) fn idle(list: &[Holiday], own: &[OwnLawLine]) -> Vec<String> {
    let countries = list.iter().map(|holiday| holiday.country.as_str());
    law::without_holidays(countries, own).into_iter().map(str::to_owned).collect()
}

/// The list that a workspace begins with (server/engine/data/holidays.txt).
#[must_use]
pub fn shipped() -> Vec<Holiday> {
    let lines = include_str!("../../data/holidays.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.splitn(3, '|').map(str::to_owned);
            Some(Holiday { country: fields.next()?, date: fields.next()?, name: fields.next()? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_list_is_whole() {
        let list = shipped();
        assert_eq!(list.len(), 54);
        let holidays = Holidays::of(&list);
        assert_eq!(holidays.0.len(), list.len(), "every date is one, and no two are the same");
        assert!(holidays.has("FR", "2027-05-06".parse().expect("a date")), "Ascension");
        assert!(!holidays.has("DE", "2026-12-25".parse().expect("a date")));
    }
}
