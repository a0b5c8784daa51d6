//! How moments, amounts and words are written. Money writes itself ([`contract::Money`]).

use contract::{Seat, Status, booking::BookingStatus, launch::Departure};
use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// The civil time `minutes` east of UTC.
#[must_use]
pub fn civil(at: Timestamp, offset_minutes: i32) -> DateTime {
    let offset = Offset::from_seconds(offset_minutes.saturating_mul(60)).unwrap_or(Offset::UTC);
    offset.to_datetime(at)
}

/// `2 Jan 2028`.
#[must_use]
pub fn day(at: DateTime) -> String {
    format!("{} {} {}", at.day(), month(at.month()), at.year())
}
/// `Sunday 2 January 2028`.
#[must_use]
pub fn long_day(at: DateTime) -> String {
    format!("{} {} {} {}", WEEKDAYS[weekday(at)], at.day(), MONTHS[month_index(at.month())], at.year())
}
/// `14:20`.
#[must_use]
pub fn clock(at: DateTime) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}
/// `2 Jan 2028, 14:20`.
#[must_use]
pub fn moment(at: DateTime) -> String {
    format!("{}, {}", day(at), clock(at))
}
/// `2 Jan 2028, 14:20 UTC`: for desks, where everyone means the same clock.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    format!("{} UTC", moment(civil(at, 0)))
}
/// `Jan`.
#[must_use]
pub fn month(month: i8) -> &'static str {
    &MONTHS[month_index(month)][..3]
}
/// `Sun`.
#[must_use]
pub fn short_weekday(at: DateTime) -> &'static str {
    &WEEKDAYS[weekday(at)][..3]
}

/// The departure by the spaceport's clock.
#[must_use]
pub fn local(departure: &Departure) -> DateTime {
    civil(departure.at, departure.offset_minutes)
}
/// `14:20 EST`.
#[must_use]
pub fn local_clock(departure: &Departure) -> String {
    format!("{} {}", clock(local(departure)), zone(departure))
}
/// `EST`, or `UTC+5` where a zone has no letters of its own.
#[must_use]
pub fn zone(departure: &Departure) -> String {
    if departure.abbreviation.chars().next().is_some_and(char::is_alphabetic) {
        return departure.abbreviation.clone();
    }
    let (hours, minutes) = (departure.offset_minutes.abs() / 60, departure.offset_minutes.abs() % 60);
    let sign = if departure.offset_minutes < 0 { '-' } else { '+' };
    if minutes == 0 { format!("UTC{sign}{hours}") } else { format!("UTC{sign}{hours}:{minutes:02}") }
}

/// `1,234`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 seat`, `3 seats`.
#[must_use]
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `2C`, `2C and 2D`, `2A, 2C and 2D`.
#[must_use]
pub fn and<T: std::fmt::Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} and {last}", first.iter().map(T::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// `Seat 2C`, `Seats 2C and 2D`.
#[must_use]
pub fn seats(seats: &[Seat]) -> String {
    format!("{} {}", if seats.len() == 1 { "Seat" } else { "Seats" }, and(seats))
}

/// `7 days`, `3 hours`: one unit, the largest that fits.
#[must_use]
pub fn duration(seconds: i64) -> String {
    let (number, one, many) = match seconds.unsigned_abs() {
        s if s >= 86_400 => (s / 86_400, "day", "days"),
        s if s >= 3_600 => (s / 3_600, "hour", "hours"),
        s if s >= 60 => (s / 60, "minute", "minutes"),
        s => (s, "second", "seconds"),
    };
    plural(number, one, many)
}

/// The word of a launch's status.
#[must_use]
pub const fn status(status: Status) -> &'static str {
    match status {
        Status::Scheduled => "Scheduled",
        Status::Confirmed => "Confirmed",
        Status::Delayed => "Delayed",
        Status::Aborted => "Aborted",
        Status::Launched => "Launched",
        Status::Failed => "Failed",
    }
}
/// The word of a booking's status.
#[must_use]
pub const fn booking_status(status: BookingStatus) -> &'static str {
    match status {
        BookingStatus::Held => "Held",
        BookingStatus::Confirmed => "Confirmed",
        BookingStatus::Expired => "Expired",
        BookingStatus::Cancelled => "Cancelled",
        BookingStatus::Flown => "Flown",
    }
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn month_index(month: i8) -> usize {
    usize::try_from(month).unwrap_or(1).clamp(1, 12) - 1
}
fn weekday(at: DateTime) -> usize {
    usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0).min(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure(offset_minutes: i32, abbreviation: &str) -> Departure {
        let at = "2028-01-01T22:00:00Z".parse().expect("a moment");
        Departure { at, zone: String::new(), offset_minutes, abbreviation: abbreviation.to_owned() }
    }

    #[test]
    fn writes_the_spaceports_own_day_and_clock() {
        assert_eq!(local_clock(&departure(-300, "EST")), "17:00 EST");
        assert_eq!(local_clock(&departure(330, "+0530")), "03:30 UTC+5:30");
        assert_eq!(long_day(local(&departure(330, "+0530"))), "Sunday 2 January 2028");
        assert_eq!(utc(departure(0, "UTC").at), "1 Jan 2028, 22:00 UTC");
    }

    #[test]
    fn counts_and_lists_as_people_do() {
        assert_eq!(plural(1, "seat", "seats"), "1 seat");
        assert_eq!(plural(5_384, "launch", "launches"), "5,384 launches");
        assert_eq!(and(&["2A", "2C", "2D"]), "2A, 2C and 2D");
        let some: [Seat; 2] = ["2C", "2D"].map(|seat| seat.parse().expect("a seat"));
        assert_eq!((seats(&some[..1]), seats(&some)), ("Seat 2C".to_owned(), "Seats 2C and 2D".to_owned()));
        assert_eq!(duration(7 * 86_400 + 5), "7 days");
    }
}
