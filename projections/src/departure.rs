//! Moments in a spaceport's own time, and as sentences say them. The zone data is the program's own: the same on every machine.

use contract::launch::Departure;
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::sync::LazyLock;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone of that name; UTC when there is none.
fn zone(name: &str) -> TimeZone {
    ZONES.get(name).unwrap_or(TimeZone::UTC)
}

/// A departure with the spaceport's offset and abbreviation at that moment.
#[must_use]
pub(crate) fn departure(at: Timestamp, zone_name: &str) -> Departure {
    let tz = zone(zone_name);
    let info = tz.to_offset_info(at);
    Departure {
        at,
        zone: zone_name.to_owned(),
        offset_minutes: info.offset().seconds() / 60,
        abbreviation: abbreviation(info.abbreviation(), info.offset().seconds() / 60),
    }
}

/// Many zones are only called `+05`; people read `UTC+5`.
fn abbreviation(known: &str, offset_minutes: i32) -> String {
    if !known.starts_with(['+', '-']) {
        return known.to_owned();
    }
    let (hours, minutes) = (offset_minutes / 60, (offset_minutes % 60).abs());
    if minutes == 0 { format!("UTC{hours:+}") } else { format!("UTC{hours:+}:{minutes:02}") }
}

/// `Sun 2 Jan 2028, 09:20 EST`
#[must_use]
pub(crate) fn spoken(at: Timestamp, zone_name: &str) -> String {
    let local = at.to_zoned(zone(zone_name));
    format!("{} {}", local.strftime("%a %-d %b %Y, %H:%M"), departure(at, zone_name).abbreviation)
}

/// `2 Jan 2028`, in the zone.
#[must_use]
pub(crate) fn spoken_day(at: Timestamp, zone_name: &str) -> String {
    at.to_zoned(zone(zone_name)).strftime("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_departure_has_the_offset_of_its_day() {
        let winter = departure(at("2028-01-02T14:20:00Z"), "America/New_York");
        assert_eq!((winter.offset_minutes, winter.abbreviation.as_str()), (-300, "EST"));
        let summer = departure(at("2028-07-02T14:20:00Z"), "America/New_York");
        assert_eq!((summer.offset_minutes, summer.abbreviation.as_str()), (-240, "EDT"));
        let baikonur = departure(at("2028-01-02T14:20:00Z"), "Asia/Qyzylorda");
        assert_eq!((baikonur.offset_minutes, baikonur.abbreviation.as_str()), (300, "UTC+5"));
        assert_eq!(departure(at("2028-01-02T14:20:00Z"), "No/Where").abbreviation, "UTC");
        assert_eq!(abbreviation("+0530", 330), "UTC+5:30");
        assert_eq!(abbreviation("-0330", -210), "UTC-3:30");
    }

    #[test]
    fn moments_are_spoken_in_the_zone() {
        assert_eq!(spoken(at("2028-01-02T14:20:00Z"), "America/New_York"), "Sun 2 Jan 2028, 09:20 EST");
        assert_eq!(spoken_day(at("2028-01-02T02:20:00Z"), "America/New_York"), "1 Jan 2028");
    }
}
