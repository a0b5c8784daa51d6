//! Brings the demo catalogue of real launches into the system, through commands like everyone else. What is in the files is historic and
//! dirty; the rules below, which also head the report, say what becomes of it. Reading CSV is `table`'s, inventing what the files do not
//! say is `catalogue`'s.

mod catalogue;
mod table;

pub use table::Unusable;

use catalogue::{class_of, country_of, destination_of, port_of, price_of, spread};
use commands::{Ask, Executor, Failure, ask::digest, clock::Clock};
use domain::{
    Actor, Decider,
    id::{LaunchId, RocketId, SpaceportId, SupplierId},
    launch::{self, Launch, Plan},
    policy::Policies,
    rocket::{self, Build, Rocket},
    seat::Cabin,
    slug::{self, Slug, SlugClaim},
    spaceport::{self, Place, Spaceport},
    supplier::{self, Profile, Supplier},
    text::Line,
};
use futures::{StreamExt, stream};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{self, TimeZone},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};
use table::{Broken, Row};
use uuid::Uuid;

/// The rules of the import, as they head the report.
pub const RULES: &[&str] = &[
    "An agency becomes a supplier named by its short English, English or own name, the first that is known; '-' means unknown.",
    "A launch whose agency is a state code that agencies.csv does not have belongs to '<country> state launches'.",
    "A launch without an agency belongs to its state's: '<country> state launches'. A launch of any other agency not in agencies.csv is refused.",
    "Type and variant become one rocket per supplier; its cabin and range follow from the class of the vehicle. '?' means no variant.",
    "The destination follows from the mission's name, as far as the rocket reaches; the price from the destination and the tag.",
    "The spaceport is one of the state's, chosen by the tag; the time of day is the Julian date's.",
    "The date moves forward by the fewest multiples of 4 years that put it at least 130 days after the day of the import.",
    "A launch needs at least 20 % of its seats sold, and at least one.",
    "A launch that is scheduled already is left as it is, whatever the day and the files say now.",
    "Refused: a missing or impossible date, a year outside 1957 to 2018, a date of another year than the row's, a Julian date of another day, \
     a tag or code that comes twice, a row with too few or too many fields, an unknown state, category or kind.",
];

const AGENCY_COLUMNS: &[&str] = &[
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
const LAUNCH_COLUMNS: &[&str] =
    &["tag", "JD", "launch_date", "launch_year", "type", "variant", "mission", "agency", "state_code", "category", "agency_type"];
/// The first and the last year of the catalogue.
const YEARS: std::ops::RangeInclusive<i16> = 1957..=2018;
/// How far ahead of the import the first launch departs, in days: the last look at how many seats are sold is 97 days before launch.
const AHEAD_DAYS: i64 = 130;
/// Launches move by multiples of so many years, so that 29 February stays one.
const LEAP_YEARS: i16 = 4;
/// The share of seats to be sold, in percent.
const MINIMUM_PERCENT: usize = 20;
/// How many commands are on their way at once.
const IN_FLIGHT_MAX: usize = 256;
/// How many launches may share a day, vehicle, spaceport and destination.
const SLUGS_MAX: u32 = 200;
/// How long one command is tried while the store is busy or away.
const PATIENCE: Duration = Duration::from_secs(60);
/// All ids of the import follow from this one.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d0c_51f6_9c5e_4b7a_8f1e_a57c_0b00_1957);

/// What to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// `agencies.csv`.
    pub agencies: PathBuf,
    /// `launches.csv`.
    pub launches: PathBuf,
    /// Where to write the refused rows to, as CSV.
    pub report: Option<PathBuf>,
}

/// Why nothing, or not all, was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be used at all; nothing was changed.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The report cannot be written.
    #[error("{file}: the report cannot be written: {error}")]
    Report {
        /// As given.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// The event store does not answer; run the import again to go on.
    #[error("the event store does not answer: {0}; run the import again to go on")]
    Store(String),
}

impl ImportError {
    /// What the program exits with: 2 for a file that cannot be used, 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Unusable(_) => 2,
            Self::Report { .. } | Self::Store(_) => 1,
        }
    }
}

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// In which file.
    pub file: String,
    /// On which line, from 1.
    pub line: u64,
    /// In which column; empty when it is the whole row.
    pub field: &'static str,
    /// What stands there.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What the import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Launch rows read.
    pub read: usize,
    /// Launches scheduled now.
    pub scheduled: usize,
    /// Launches scheduled before.
    pub already_there: usize,
    /// Launch rows refused.
    pub launches_refused: usize,
    /// Agency rows read.
    pub agencies: usize,
    /// Suppliers, agencies and states.
    pub suppliers: usize,
    /// Rockets of all suppliers.
    pub rockets: usize,
    /// Spaceports.
    pub spaceports: usize,
    /// Every refused row of both files, in order.
    pub refused: Vec<Refused>,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, scheduled, already_there, launches_refused, agencies, suppliers, rockets, spaceports, refused, took } = self;
        writeln!(f, "{read} launches read = {scheduled} scheduled + {already_there} already there + {launches_refused} refused")?;
        writeln!(f, "{agencies} agencies read; {suppliers} suppliers, {rockets} rockets, {spaceports} spaceports")?;
        for Refused { file, line, field, value, reason } in refused {
            let field = if field.is_empty() { String::new() } else { format!(" {field} `{value}`:") };
            writeln!(f, "refused {file}, line {line}:{field} {reason}")?;
        }
        let rate = *scheduled as f64 / took.as_secs_f64().max(0.001);
        write!(f, "{:.1} s, {rate:.0} launches scheduled per second", took.as_secs_f64())
    }
}

/// The supplier an agency becomes, for instance `SPX`.
#[must_use]
pub fn supplier_of_agency(code: &str) -> SupplierId {
    SupplierId::derived(NAMESPACE, &format!("agency:{code}"))
}

fn supplier_of_state(code: &str) -> SupplierId {
    SupplierId::derived(NAMESPACE, &format!("state:{code}"))
}

/// The launch a row of the catalogue becomes, by its tag.
#[must_use]
pub fn launch_of_tag(tag: &str) -> LaunchId {
    LaunchId::derived(NAMESPACE, &format!("launch:{tag}"))
}

/// Imports the catalogue. Running it again, also after a crash, adds what is missing and changes nothing else.
pub async fn run(options: &Options, executor: &Executor, clock: &dyn Clock) -> Result<Report, ImportError> {
    let started = Instant::now();
    let agencies = table::read(&options.agencies, AGENCY_COLUMNS)?;
    let launches = table::read(&options.launches, LAUNCH_COLUMNS)?;
    let now = clock.now();
    let policies = scheduler::policies::in_force(executor).await.map_err(|error| ImportError::Store(error.to_string()))?;

    let mut refused = Vec::new();
    let agencies_file = options.agencies.display().to_string();
    let launches_file = options.launches.display().to_string();
    let (agencies_read, read) = (agencies.len(), launches.len());
    let mut suppliers = suppliers(agencies, &agencies_file, &mut refused);
    let agencies_refused = refused.len();
    let flights = flights(launches, &launches_file, &mut suppliers, now, &mut refused);

    let rockets: BTreeMap<RocketId, (SupplierId, Build)> =
        flights.iter().map(|flight| (flight.plan.rocket, (flight.plan.supplier, flight.build.clone()))).collect();
    let spaceports: BTreeMap<SpaceportId, Place> = flights.iter().map(|flight| (flight.plan.spaceport, flight.place.clone())).collect();

    let put = Put { executor, policies, now };
    put.all(suppliers.iter().map(|(id, profile)| put.supplier(*id, profile))).await?;
    put.all(spaceports.iter().map(|(id, place)| put.spaceport(*id, place))).await?;
    put.all(rockets.iter().map(|(id, (supplier, build))| put.rocket(*id, *supplier, build))).await?;

    let put = &put;
    let puts = flights.iter().map(|flight| async move { (flight, put.flight(flight).await) });
    let mut outcomes = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX);
    let (mut scheduled, mut already_there) = (0, 0);
    while let Some((flight, outcome)) = outcomes.next().await {
        match outcome? {
            Outcome::Scheduled => scheduled += 1,
            Outcome::AlreadyThere => already_there += 1,
            Outcome::Refused(reason) => {
                refused.push(Refused { file: launches_file.clone(), line: flight.line, field: "", value: String::new(), reason });
            }
        }
        if (scheduled + already_there) % 1_000 == 0 {
            tracing::info!("Imported {} of {read} launches", scheduled + already_there);
        }
    }
    refused[agencies_refused..].sort_by_key(|row| row.line);
    let report = Report {
        read,
        scheduled,
        already_there,
        launches_refused: refused.len() - agencies_refused,
        agencies: agencies_read,
        suppliers: suppliers.len(),
        rockets: rockets.len(),
        spaceports: spaceports.len(),
        refused,
        took: started.elapsed(),
    };
    if let Some(path) = &options.report {
        write_report(&report)
            .and_then(|bytes| std::fs::write(path, bytes))
            .map_err(|error| ImportError::Report { file: path.display().to_string(), error })?;
    }
    Ok(report)
}

/// The rules and the refused rows as CSV. Cells that a spreadsheet would take for a formula are quoted with an apostrophe.
fn write_report(report: &Report) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for rule in RULES {
        bytes.extend_from_slice(format!("# {rule}\n").as_bytes());
    }
    let plain = |cell: &str| if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() };
    let mut writer = csv::Writer::from_writer(bytes);
    writer.write_record(["file", "line", "field", "value", "reason"])?;
    for Refused { file, line, field, value, reason } in &report.refused {
        writer.write_record([plain(file), line.to_string(), (*field).to_owned(), plain(value), plain(reason)])?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}

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
fn suppliers(rows: Vec<Result<Row, Broken>>, file: &str, refused: &mut Vec<Refused>) -> BTreeMap<SupplierId, Profile> {
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
struct Flight {
    line: u64,
    launch: LaunchId,
    plan: Plan,
    build: Build,
    place: Place,
    day: Date,
    /// The first number to try for the slug.
    nth: u32,
}

fn flights(
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

/// What became of a launch.
enum Outcome {
    Scheduled,
    AlreadyThere,
    Refused(String),
}

/// Puts commands, with ids that are the same each time.
struct Put<'a> {
    executor: &'a Executor,
    policies: Policies,
    now: Timestamp,
}

impl Put<'_> {
    async fn all(&self, puts: impl Iterator<Item = impl Future<Output = Result<(), ImportError>>>) -> Result<(), ImportError> {
        let outcomes: Vec<Result<(), ImportError>> = stream::iter(puts).buffer_unordered(IN_FLIGHT_MAX).collect().await;
        outcomes.into_iter().collect()
    }

    /// Executes, waiting while the store is busy or away. The outer failure is the store's, the inner the rules'.
    async fn execute<D: Decider>(&self, id: &D::Id, command: D::Command, name: &str) -> Result<Result<(), D::Refusal>, ImportError> {
        let command_id = Uuid::new_v5(&NAMESPACE, format!("{}:{id}:{name}", D::NAME).as_bytes());
        let ask = Ask::new(command_id, Actor::Import, digest(&[b"import", D::NAME.as_bytes(), name.as_bytes()]));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (wait, why) = match self.executor.execute::<D>(id, command.clone(), &ask).await {
                Ok(_) => return Ok(Ok(())),
                Err(Failure::Refused(refusal)) => return Ok(Err(refusal)),
                Err(Failure::KeyReused) => {
                    return Err(ImportError::Store(format!("the command {name} of {} {id} was used for something else", D::NAME)));
                }
                Err(Failure::Busy { retry_after }) => (retry_after, "busy".to_owned()),
                Err(Failure::Unavailable(why)) => (Duration::from_millis(500), why),
            };
            if Instant::now() + wait > deadline {
                return Err(ImportError::Store(why));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// What is there already stays as it is: people may have changed it since.
    async fn supplier(&self, id: SupplierId, profile: &Profile) -> Result<(), ImportError> {
        let command = supplier::Command::Register { profile: profile.clone(), now: self.now };
        match self.execute::<Supplier>(&id, command, "register").await? {
            Ok(()) | Err(supplier::Refusal::AlreadyRegistered) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("supplier {}: {refusal}", profile.display_name))),
        }
    }

    async fn spaceport(&self, id: SpaceportId, place: &Place) -> Result<(), ImportError> {
        let command = spaceport::Command::Add { place: place.clone(), now: self.now };
        match self.execute::<Spaceport>(&id, command, "add").await? {
            Ok(()) | Err(spaceport::Refusal::AlreadyAdded) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("spaceport {}: {refusal}", place.name))),
        }
    }

    async fn rocket(&self, id: RocketId, supplier: SupplierId, build: &Build) -> Result<(), ImportError> {
        let command = rocket::Command::Add { supplier, build: build.clone(), now: self.now };
        match self.execute::<Rocket>(&id, command, "add").await? {
            Ok(()) | Err(rocket::Refusal::AlreadyAdded) => Ok(()),
            Err(refusal) => Err(ImportError::Store(format!("rocket {}: {refusal}", build.name))),
        }
    }

    async fn flight(&self, flight: &Flight) -> Result<Outcome, ImportError> {
        let mut plan = flight.plan.clone();
        let id = flight.launch;
        let known = self.executor.load::<Launch>(&id).await.map_err(|error| ImportError::Store(error.to_string()))?;
        if known.state.status().is_some() {
            return Ok(Outcome::AlreadyThere);
        }
        match self.claim(id, flight).await? {
            Some(slug) => plan.slug = slug,
            None => return Ok(Outcome::Refused(format!("{SLUGS_MAX} launches share the address {}", plan.slug))),
        }
        // The day is part of the command's name: what was refused on one day may be right on another.
        let name = format!("schedule:{}", plan.departs_at);
        let command = launch::Command::Schedule {
            plan: Box::new(plan),
            retired: false,
            neighbours: vec![],
            policies: Box::new(self.policies.clone()),
            now: self.now,
        };
        Ok(match self.execute::<Launch>(&id, command, &name).await? {
            Ok(()) => Outcome::Scheduled,
            Err(launch::Refusal::AlreadyScheduled) => Outcome::AlreadyThere,
            Err(refusal) => Outcome::Refused(refusal.to_string()),
        })
    }

    /// The first free slug, counted up from the launch's place among those of the file that would share it.
    async fn claim(&self, launch: LaunchId, flight: &Flight) -> Result<Option<Slug>, ImportError> {
        let Plan { rocket_name, spaceport_name, destination, .. } = &flight.plan;
        for n in flight.nth..flight.nth + SLUGS_MAX {
            let slug = Slug::of_launch(rocket_name.as_str(), spaceport_name.as_str(), *destination, flight.day, n);
            match self.execute::<SlugClaim>(&slug, slug::Command::Claim { launch }, &format!("claim:{launch}")).await? {
                Ok(()) => return Ok(Some(slug)),
                Err(slug::Refusal::Taken { .. }) => {}
            }
        }
        Ok(None)
    }
}
