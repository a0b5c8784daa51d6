//! What each row of the files becomes: suppliers, and launches with all they need; or what is wrong with it. Putting the commands is
//! left to `put`.

use super::{
    NAMESPACE, Refused,
    catalogue::{class_of, country_of, destination_of, port_of, price_of, spread},
    launch_of_tag, supplier_of_agency, supplier_of_state,
    table::{Broken, Row},
};
use domain::{
    id::{LaunchId, RocketId, SpaceportId, SupplierId},
    launch::Plan,
    rocket::Build,
    seat::Cabin,
    slug::Slug,
    spaceport::Place,
    supplier::Profile,
    text::Line,
};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{self, TimeZone},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

pub(super) const AGENCY_COLUMNS: &[&str] = &[
    "agency",
    "count",
    "ucode",
    "state_code",
    "type",
    "class",
    "tstart",
    "tstop",
    "short_name",
    "name",
    "location",
    "longitude",
    "latitude",
    "error",
    "parent",
    "short_english_name",
    "english_name",
    "unicode_name",
    "agency_type",
];
pub(super) const LAUNCH_COLUMNS: &[&str] =
    &["tag", "JD", "launch_date", "launch_year", "type", "variant", "mission", "agency", "state_code", "category", "agency_type"];
/// The first and the last year of the catalogue.
const YEARS: std::ops::RangeInclusive<i16> = 1957..=2018;
/// How far ahead of the import the first launch departs, in days: the last look at how many seats are sold is 97 days before launch.
const AHEAD_DAYS: i64 = 130;
/// Launches move by multiples of so many years, so that 29 February stays one.
const LEAP_YEARS: i16 = 4;
/// The share of seats to be sold, in percent.
const MINIMUM_PERCENT: usize = 20;

/// What is wrong with one field of a row.
struct Wrong {
    field: &'static str,
    value: String,
    reason: String,
}

fn wrong(row: &Row, field: &'static str, reason: impl Into<String>) -> Wrong {
    Wrong { field, value: row.text(field).to_owned(), reason: reason.into() }
}

fn refuse(file: &str, line: u64, Wrong { field, value, reason }: Wrong) -> Refused {
    Refused { file: file.to_owned(), line, field, value, reason }
}

fn line_of(row: &Row, field: &'static str, text: &str) -> Result<Line, Wrong> {
    Line::new(text).map_err(|error| wrong(row, field, error.to_string()))
}

/// The suppliers of the agencies file.
pub(super) fn suppliers(rows: Vec<Result<Row, Broken>>, file: &str, refused: &mut Vec<Refused>) -> BTreeMap<SupplierId, Profile> {
    let mut suppliers = BTreeMap::new();
    let mut lines: HashMap<String, u64> = HashMap::new();
    for row in rows {
        match row {
            Err(Broken { line, reason }) => refused.push(refuse(file, line, Wrong { field: "", value: String::new(), reason })),
            Ok(row) => match supplier(&row, &mut lines) {
                Ok((id, profile)) => {
                    suppliers.insert(id, profile);
                }
                Err(wrong) => refused.push(refuse(file, row.line, wrong)),
            },
        }
    }
    suppliers
}

fn supplier(row: &Row, lines: &mut HashMap<String, u64>) -> Result<(SupplierId, Profile), Wrong> {
    let Some(code) = row.known("agency") else { return Err(wrong(row, "agency", "an agency needs a code")) };
    check_kind(row)?;
    let Some(name) = row.known("name") else { return Err(wrong(row, "name", "an agency needs a name")) };
    let Some(state) = row.known("state_code") else { return Err(wrong(row, "state_code", "an agency needs a state")) };
    if country_of(state).is_none() {
        return Err(wrong(row, "state_code", "is not a known state"));
    }
    if let Some(first) = lines.insert(code.to_owned(), row.line) {
        lines.insert(code.to_owned(), first);
        return Err(wrong(row, "agency", format!("comes twice, first on line {first}")));
    }
    let display_name = row.known("short_english_name").or_else(|| row.known("english_name")).unwrap_or(name);
    let description = row.known("location").map(|location| format!("Based in {}", location.trim_end_matches('?')));
    let profile = Profile {
        legal_name: line_of(row, "name", name)?,
        display_name: line_of(row, "english_name", display_name)?,
        description: description.and_then(|text| Line::new(&text).ok()),
        contact: None,
        country: line_of(row, "state_code", state)?,
    };
    Ok((supplier_of_agency(code), profile))
}

fn check_kind(row: &Row) -> Result<(), Wrong> {
    if matches!(row.text("agency_type"), "state" | "private" | "startup") {
        return Ok(());
    }
    Err(wrong(row, "agency_type", "is not state, private or startup; the row may be cut off"))
}

/// A launch to be scheduled, with all it needs.
pub(super) struct Flight {
    pub(super) line: u64,
    pub(super) launch: LaunchId,
    pub(super) plan: Plan,
    pub(super) build: Build,
    pub(super) place: Place,
    pub(super) day: Date,
    /// The first number to try for the slug.
    pub(super) nth: u32,
}

pub(super) fn flights(
    rows: Vec<Result<Row, Broken>>,
    file: &str,
    suppliers: &mut BTreeMap<SupplierId, Profile>,
    now: Timestamp,
    refused: &mut Vec<Refused>,
) -> Vec<Flight> {
    let mut flights: Vec<Flight> = Vec::with_capacity(rows.len());
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut shared: HashMap<Slug, u32> = HashMap::new();
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(Broken { line, reason }) => {
                refused.push(refuse(file, line, Wrong { field: "", value: String::new(), reason }));
                continue;
            }
        };
        match flight(&row, suppliers, &mut lines, now) {
            Ok(mut flight) => {
                let nth = shared.entry(flight.plan.slug.clone()).or_default();
                *nth += 1;
                flight.nth = *nth;
                flights.push(flight);
            }
            Err(wrong) => refused.push(refuse(file, row.line, wrong)),
        }
    }
    flights
}

fn flight(
    row: &Row,
    suppliers: &mut BTreeMap<SupplierId, Profile>,
    lines: &mut HashMap<String, u64>,
    now: Timestamp,
) -> Result<Flight, Wrong> {
    let Some(tag) = row.known("tag") else { return Err(wrong(row, "tag", "a launch needs a tag")) };
    if let Some(first) = lines.get(tag) {
        return Err(wrong(row, "tag", format!("comes twice, first on line {first}")));
    }
    check_kind(row)?;
    let failed = match row.text("category") {
        "O" => false,
        "F" => true,
        _ => return Err(wrong(row, "category", "is neither O nor F")),
    };
    let departed_at = departed_at(row, tag)?;
    let departs_at = moved(departed_at, now).ok_or_else(|| wrong(row, "launch_date", "cannot be moved into the future"))?;

    let state = row.text("state_code");
    let Some(port) = port_of(state, tag) else { return Err(wrong(row, "state_code", "is not a known state")) };
    let supplier = flown_by(row, state, suppliers)?;
    let supplier_name = suppliers.get(&supplier).map(|profile| profile.display_name.clone());
    let Some(supplier_name) = supplier_name else { return Err(wrong(row, "agency", "is not in agencies.csv")) };

    let Some(vehicle) = row.known("type") else { return Err(wrong(row, "type", "a launch needs a vehicle")) };
    let variant = row.known("variant");
    let name = variant.map_or_else(|| vehicle.to_owned(), |variant| format!("{vehicle} {variant}"));
    let class = class_of(vehicle);
    let cabin = Cabin::new(class.rows, class.seats_per_row, BTreeSet::new()).map_err(|error| wrong(row, "type", error.to_string()))?;
    let rocket = RocketId::derived(NAMESPACE, &format!("rocket:{supplier}:{vehicle}:{}", variant.unwrap_or_default()));
    let name = line_of(row, "type", &name)?;
    let model = variant.map(|_| line_of(row, "type", vehicle)).transpose()?;
    let build = Build { name: name.clone(), model, range: class.range, cabin: cabin.clone() };

    let mission = row.known("mission");
    let destination = destination_of(mission.unwrap_or_default(), failed, class, tag);
    let place = Place {
        name: line_of(row, "state_code", port.name)?,
        location: line_of(row, "state_code", port.location)?,
        zone: line_of(row, "state_code", port.zone)?,
        latitude: port.latitude,
        longitude: port.longitude,
    };
    let day = local_day(departs_at, port.zone);
    let minimum_seats = (cabin.capacity() * MINIMUM_PERCENT).div_ceil(100).max(1);
    let plan = Plan {
        slug: Slug::of_launch(name.as_str(), port.name, destination, day, 1),
        supplier,
        supplier_name,
        rocket,
        rocket_name: name,
        range: class.range,
        cabin,
        spaceport: SpaceportId::derived(NAMESPACE, &format!("spaceport:{}", port.name)),
        spaceport_name: place.name.clone(),
        zone: place.zone.clone(),
        latitude: port.latitude,
        longitude: port.longitude,
        destination,
        departs_at,
        price: price_of(destination, tag),
        minimum_seats: u16::try_from(minimum_seats).unwrap_or(u16::MAX),
        mission: mission.map(|mission| line_of(row, "mission", mission)).transpose()?,
    };
    lines.insert(tag.to_owned(), row.line);
    Ok(Flight { line: row.line, launch: launch_of_tag(tag), plan, build, place, day, nth: 1 })
}

/// Whose launch it is. State launches get their supplier here, when the first of them is met.
fn flown_by(row: &Row, state: &str, suppliers: &mut BTreeMap<SupplierId, Profile>) -> Result<SupplierId, Wrong> {
    let agency = row.known("agency");
    if let Some(code) = agency {
        let supplier = supplier_of_agency(code);
        if suppliers.contains_key(&supplier) {
            return Ok(supplier);
        }
        if code != state {
            return Err(wrong(row, "agency", "is not in agencies.csv"));
        }
    }
    let supplier = supplier_of_state(state);
    if let Entry::Vacant(vacant) = suppliers.entry(supplier) {
        let country = country_of(state).ok_or_else(|| wrong(row, "state_code", "is not a known state"))?;
        let name = line_of(row, "state_code", &format!("{country} state launches"))?;
        let description = Line::new(&format!("Launches of {country} for which the catalogue names no agency")).ok();
        let country = line_of(row, "state_code", state)?;
        vacant.insert(Profile { legal_name: name.clone(), display_name: name, description, contact: None, country });
    }
    Ok(supplier)
}

/// When it departed: the day of `launch_date`, the time of `JD`; whole 5 minutes.
fn departed_at(row: &Row, tag: &str) -> Result<DateTime, Wrong> {
    let Some(text) = row.known("launch_date") else { return Err(wrong(row, "launch_date", "the date is missing")) };
    let date: Date = text.parse().map_err(|_| wrong(row, "launch_date", "is not a date such as 1969-07-16"))?;
    if !YEARS.contains(&date.year()) {
        return Err(wrong(row, "launch_date", format!("the year {} is outside {} to {}", date.year(), YEARS.start(), YEARS.end())));
    }
    let year: i16 = row.text("launch_year").parse().map_err(|_| wrong(row, "launch_year", "is not a year"))?;
    if year != date.year() {
        return Err(wrong(row, "launch_year", format!("contradicts the launch date {date}")));
    }
    let julian: f64 = row.text("JD").parse().map_err(|_| wrong(row, "JD", "is not a Julian date"))?;
    // Julian days begin at noon; 2 440 587.5 is the midnight that begins 1970.
    let midnight = date.to_zoned(TimeZone::UTC).map_err(|error| wrong(row, "launch_date", error.to_string()))?;
    let days = julian - 2_440_587.5 - midnight.timestamp().as_second() as f64 / 86_400.0;
    if !(-0.01..=1.01).contains(&days) {
        return Err(wrong(row, "JD", format!("contradicts the launch date {date}")));
    }
    // Exactly midnight is how the catalogue says that it does not know the time.
    let slots = if days.abs() < 0.005 { spread(tag, "time", 288) as i64 } else { ((days * 288.0).round() as i64).clamp(0, 287) };
    Ok(date.to_datetime(jiff::civil::Time::midnight()) + (slots * 5).minutes())
}

/// Moves by the fewest multiples of 4 years that put it far enough ahead of `now`.
fn moved(departed_at: DateTime, now: Timestamp) -> Option<Timestamp> {
    let earliest = now.to_zoned(TimeZone::UTC).date().checked_add(AHEAD_DAYS.days()).ok()?;
    let mut years = 0;
    loop {
        let date = departed_at.date();
        // 29 February exists only in leap years; 2100 is none, so there it would move on by another 4 years.
        if let Ok(day) = Date::new(date.year().checked_add(years)?, date.month(), date.day())
            && day >= earliest
        {
            return day.to_datetime(departed_at.time()).to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        }
        years = years.checked_add(LEAP_YEARS)?;
    }
}

fn local_day(at: Timestamp, zone: &str) -> Date {
    at.to_zoned(tz::db().get(zone).unwrap_or(TimeZone::UTC)).date()
}
