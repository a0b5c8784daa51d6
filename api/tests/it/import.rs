//! The import of the catalogue: the real files, and files that are wrong in every way.

use crate::world::variable;
use api::import::{self, ImportError, Options, Report, launch_of_tag};
use commands::{Executor, Limits, Wake, clock::ManualClock};
use domain::launch::{Launch, Status};
use jiff::SignedDuration;
use sqlx::PgPool;
use std::path::{Path, PathBuf};
use uuid::Uuid;

struct World {
    name: String,
    pool: PgPool,
    executor: Executor,
    clock: ManualClock,
    files: PathBuf,
}

impl World {
    async fn new() -> Self {
        let admin = variable("ASTRO_TEST_POSTGRES_URL");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let pool = commands::connect(&admin, 1).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&pool).await.unwrap();
        let pool = commands::connect(&format!("{}/{name}", admin.rsplit_once('/').unwrap().0), 8).await.unwrap();
        commands::migrate(&pool).await.unwrap();
        let files = std::env::temp_dir().join(&name);
        std::fs::create_dir(&files).unwrap();
        Self {
            executor: Executor::start(pool.clone(), Wake::new(), Limits::default()),
            clock: ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap()),
            pool,
            name,
            files,
        }
    }

    async fn take_away(self) {
        std::fs::remove_dir_all(&self.files).unwrap();
        let pool = commands::connect(&variable("ASTRO_TEST_POSTGRES_URL"), 1).await.unwrap();
        sqlx::query(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).execute(&pool).await.unwrap();
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.files.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn run(&self, agencies: &Path, launches: &Path) -> Result<Report, ImportError> {
        let report = Some(self.files.join("report.csv"));
        let options = Options { agencies: agencies.to_owned(), launches: launches.to_owned(), report };
        import::run(&options, &self.executor, &self.clock).await
    }

    async fn count(&self, stream_type: &str, event_type: &str) -> usize {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = $1 AND event_type = $2")
            .bind(stream_type)
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        count.try_into().unwrap()
    }
}

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/demo").join(name)
}

#[tokio::test]
async fn the_whole_catalogue_comes_in_once_though_the_first_run_breaks_off() {
    let world = World::new().await;
    let (agencies, launches) = (demo("agencies.csv"), demo("launches.csv"));
    {
        let breaking_off = world.run(&agencies, &launches);
        let begun = async {
            while world.count("launch", "scheduled").await < 300 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = breaking_off => panic!("it was meant to break off"),
            () = begun => {}
        }
    }
    let report = world.run(&agencies, &launches).await.unwrap();
    assert_eq!((report.read, report.launches_refused), (5_726, 14));
    assert_eq!(report.scheduled + report.already_there, 5_712);
    assert!(report.already_there >= 300);
    let reasons: Vec<&str> = report.refused.iter().map(|row| row.reason.as_str()).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == "the date is missing").count(), 13);
    assert!(reasons.contains(&"the year 2918 is outside 1957 to 2018"));
    // 74 agencies and the 16 states without one of their own in the file.
    assert_eq!((report.suppliers, report.rockets, report.spaceports), (90, 524, 22));
    let counts = [("launch", "scheduled", 5_712), ("slug", "claimed", 5_712), ("supplier", "registered", 90), ("rocket", "added", 524)];
    for (stream_type, event_type, count) in counts {
        assert_eq!(world.count(stream_type, event_type).await, count, "{stream_type} {event_type}");
    }
    let report_file = std::fs::read_to_string(world.files.join("report.csv")).unwrap();
    assert!(report_file.starts_with("# An agency becomes a supplier"));
    assert_eq!(report_file.lines().filter(|line| !line.starts_with('#')).count(), 15);

    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&world.pool).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 800));
    let again = world.run(&agencies, &launches).await.unwrap();
    assert_eq!((again.scheduled, again.already_there, again.launches_refused), (0, 5_712, 14));
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events").fetch_one(&world.pool).await.unwrap(), events);
    world.take_away().await;
}

const AGENCIES: &str = "agency,count,ucode,state_code,type,class,tstart,tstop,short_name,name,location,longitude,latitude,error,parent,\
    short_english_name,english_name,unicode_name,agency_type\n";
const LAUNCHES: &str = "tag,JD,launch_date,launch_year,type,variant,mission,agency,state_code,category,agency_type\n";
const SPX: &str = "SPX,68,SPX,US,LA,B,2002,-,SpaceX,SpaceX,California,-,-,-,-,-,-,SpaceX,private\n";

#[tokio::test]
async fn files_that_cannot_be_used_are_named_and_change_nothing() {
    let world = World::new().await;
    let good = world.file("agencies.csv", format!("{AGENCIES}{SPX}"));
    let missing = world.files.join("nothing.csv");
    let wrong = world.file("wrong.csv", LAUNCHES.replace("JD", "julian"));
    let binary = world.file("binary.csv", [LAUNCHES.as_bytes(), &[0x7f, b'E', b'L', b'F', 0, 1, 2]].concat());
    let latin = world.file("latin.csv", [LAUNCHES.as_bytes(), b"1967-065,Fran\xe7ais,\n"].concat());
    let empty = world.file("empty.csv", "");
    let cases = [
        (world.files.clone(), "is a directory, not a CSV file"),
        (missing, "cannot be read"),
        (wrong, "line 1: wrong header, missing columns: JD; unexpected columns: julian"),
        (binary, "line 2: is not text in UTF-8"),
        (latin, "line 2: is not text in UTF-8"),
        (empty, "line 1: wrong header, missing columns: tag, JD, launch_date"),
    ];
    for (file, says) in cases {
        let error = world.run(&good, &file).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ImportError::Unusable(_)) && error.exit_code() == 2, "{text}");
        assert!(text.contains(says) && text.starts_with(&*file.display().to_string()), "{text}");
        assert!(matches!(world.run(&file, &good).await, Err(ImportError::Unusable(_))));
    }
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events").fetch_one(&world.pool).await.unwrap(), 0);
    world.take_away().await;
}

#[tokio::test]
async fn each_wrong_row_is_refused_by_line_field_and_reason_and_the_others_come_in() {
    let world = World::new().await;
    let agencies = world.file("agencies.csv", format!("{AGENCIES}{SPX}{SPX}X,1,X,US,LA\n"));
    let rows = [
        "2012-010,2455986.5,2012-02-29,2012,Falcon 9,?,=Dragon,SPX,US,O,private",
        "2012-010,2455986.5,2012-02-29,2012,Falcon 9,?,Dragon,SPX,US,O,private",
        "a,2455986.5,,2012,Falcon 9,,Dragon,SPX,US,O,private",
        "b,2455986.5,2012-02-30,2012,Falcon 9,,Dragon,SPX,US,O,private",
        "c,2455986.5,2012-02-29,2013,Falcon 9,,Dragon,SPX,US,O,private",
        "d,2455999.5,2012-02-29,2012,Falcon 9,,Dragon,SPX,US,O,private",
        "e,2455986.5,2012-02-29,2012,Falcon 9,,Dragon,NOPE,US,O,private",
        "f,2455986.5,2012-02-29,2012,,,Dragon,SPX,US,O,private",
        "g,2455986.5,2012-02-29,2012,Falcon 9,,Dragon,SPX,XX,O,private",
        "h,2455986.5,2012-02-29,2012,Falcon 9,,Dragon,SPX,US,Q,private",
        "i,2455986.75,2012-02-29,2012,Falcon 9,,,US,US,O,state",
        "j,2455986.75,2012-02-29,2012,Soyuz-U,,Progress M-1,,SU,F,state",
        "k,2455986.5,2012-02-29,2012,Falcon 9,,Dra",
    ];
    let launches = world.file("launches.csv", format!("{LAUNCHES}{}", rows.join("\n")));
    let report = world.run(&agencies, &launches).await.unwrap();
    assert_eq!((report.agencies, report.read, report.scheduled, report.launches_refused), (3, 13, 3, 10));
    assert_eq!(report.suppliers, 3);
    let refused: Vec<(u64, &str, &str)> = report.refused.iter().map(|row| (row.line, row.field, row.reason.as_str())).collect();
    assert_eq!(
        refused,
        [
            (3, "agency", "comes twice, first on line 2"),
            (4, "", "has 5 fields instead of 19; it may be cut off"),
            (3, "tag", "comes twice, first on line 2"),
            (4, "launch_date", "the date is missing"),
            (5, "launch_date", "is not a date such as 1969-07-16"),
            (6, "launch_year", "contradicts the launch date 2012-02-29"),
            (7, "JD", "contradicts the launch date 2012-02-29"),
            (8, "agency", "is not in agencies.csv"),
            (9, "type", "a launch needs a vehicle"),
            (10, "state_code", "is not a known state"),
            (11, "category", "is neither O nor F"),
            (14, "", "has 7 fields instead of 11; it may be cut off"),
        ]
    );
    let launch = world.executor.load::<Launch>(&launch_of_tag("2012-010")).await.unwrap().state;
    assert_eq!(launch.status(), Some(Status::Scheduled));
    let plan = &launch.manifest().unwrap().plan;
    assert!(plan.departs_at.to_string().starts_with("2028-02-29T"), "29 February stays one: {}", plan.departs_at);
    assert_eq!((plan.rocket_name.as_str(), plan.supplier_name.as_str()), ("Falcon 9", "SpaceX"));
    assert_eq!(plan.minimum_seats, 6);
    world.take_away().await;
}

#[tokio::test]
async fn the_report_holds_no_formulas() {
    let world = World::new().await;
    let agencies = world.file("agencies.csv", format!("{AGENCIES}{SPX}"));
    let cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(\"\"x\"\")"];
    let row = |(n, cell): (usize, &&str)| format!("{n},2455986.5,2012-02-29,2012,Falcon 9,?,Dragon,\"{cell}\",US,O,private\n");
    let launches = world.file("launches.csv", format!("{LAUNCHES}{}", cells.iter().enumerate().map(row).collect::<String>()));
    assert_eq!(world.run(&agencies, &launches).await.unwrap().launches_refused, cells.len());
    let mut report = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(world.files.join("report.csv")).unwrap();
    let values: Vec<String> = report.records().map(|record| record.unwrap()[3].to_owned()).collect();
    // What is around a cell is not read, a tab before its formula neither.
    let inert: Vec<String> = cells.iter().map(|cell| format!("'{}", cell.trim().replace("\"\"", "\""))).collect();
    assert_eq!(values, inert);
    world.take_away().await;
}
