//! Brings the demo catalogue of real launches into the system, through commands like everyone else. What is in the files is historic and
//! dirty; the rules below, which also head the report, say what becomes of it. Reading CSV is `table`'s, what a row becomes
//! `row`'s, inventing what the files do not say `catalogue`'s, and putting the commands `put`'s.

mod catalogue;
mod put;
mod row;
mod table;

pub use table::Unusable;

use commands::{Executor, clock::Clock};
use domain::{
    id::{LaunchId, RocketId, SpaceportId, SupplierId},
    rocket::Build,
    spaceport::Place,
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use put::{IN_FLIGHT_MAX, Outcome, Put};
use row::{AGENCY_COLUMNS, LAUNCH_COLUMNS, flights, suppliers};
use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};
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

/// Reads what two files hold without importing anything: every row that would be refused.
pub fn look_through(agencies: &[u8], launches: &[u8], now: Timestamp) -> Result<Vec<Refused>, Unusable> {
    let mut refused = Vec::new();
    let agencies = table::parse("agencies".to_owned(), agencies, AGENCY_COLUMNS)?;
    let launches = table::parse("launches".to_owned(), launches, LAUNCH_COLUMNS)?;
    let mut suppliers = suppliers(agencies, "agencies", &mut refused);
    flights(launches, "launches", &mut suppliers, now, &mut refused);
    Ok(refused)
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
