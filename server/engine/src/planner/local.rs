//! Everybody is due when their own clock says so.

use domain::time::Timestamp;
use jiff::{
    civil::DateTime,
    tz::{self, TimeZone},
};
use store::{Tx, runs::Planned};

use crate::{
    Result,
    zones::{self, Overlap, Zones, zones_of},
};

/// Hours that the last place on earth is behind UTC.
const LAST_PLACE: i8 = -12;

/// With several zones it is the last of them; without any it is when the time has come everywhere. Where it is over it is
/// due at once.
pub(super) async fn wait(tx: &Tx, local: DateTime, queued: &[Planned], now: Timestamp) -> Result<()> {
    let due = queued.iter().filter_map(|planned| {
        let zones = zones_of(&planned.phone, planned.timezone.as_deref());
        Some((planned.id, instant(&zones, local)?.max(now)))
    });
    let due: Vec<_> = due.collect();
    Ok(store::runs::due_then(tx, &due).await?)
}

/// When it is this time for everybody in these zones.
pub(crate) fn instant(zones: &Zones, local: DateTime) -> Option<Timestamp> {
    let last_place = TimeZone::fixed(tz::offset(LAST_PLACE));
    let zones = if zones.is_empty() { std::slice::from_ref(&last_place) } else { zones.zones() };
    zones.iter().filter_map(|zone| zones::instant(zone, local, Overlap::First)).max()
}
