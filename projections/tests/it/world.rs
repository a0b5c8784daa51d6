//! Databases of their own for each test, a small catalogue, and people who book. Nothing of it is left behind.

use commands::{Ask, Done, Executor, Limits, Wake, sequence};
use contract::{
    AbortReason, BookingId, CustomerId, Destination, LaunchId, Money, PaymentId, RefundId, RocketId, Seat, SpaceportId, SupplierId,
    operations::ProjectionStatus,
};
use domain::{
    Actor, Decider,
    booking::Card,
    launch::{self, Launch, Plan},
    passenger::{NamedPassenger, SealedPassenger},
    policy::Policies,
    rocket::{self, Build, Rocket},
    sealed::{Blind, Sealed},
    seat::Cabin,
    slug::Slug,
    spaceport::{self, Place, Spaceport},
    supplier::{self, Profile, Supplier},
    text::Line,
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mongodb::bson::{Bson, Document, doc};
use nats::{Bus, Feed, Rush};
use projections::{CustomerViews, Databases, FinanceViews, OperationsViews, Projection, ViewName, store::Stored, store::Table};
use sqlx::{Connection, Executor as _, PgConnection, PgPool};
use std::{
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The moment at which everything here is asked.
pub const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z
pub const PRICE: Money = Money::dollars(1_000_000);

pub struct World {
    pub pool: PgPool,
    pub mongo: mongodb::Client,
    pub name: String,
    pub bus: Bus,
    pub executor: Executor,
    pub databases: Databases,
    wake: Wake,
    /// Ends the sequencer.
    pub stop: CancellationToken,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Runs `test` in a world of its own, with a sequencer but no projectors.
pub async fn world(test: impl AsyncFnOnce(&World)) {
    // With RUST_LOG set a failing test tells what went on.
    let _ = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_test_writer().try_init();
    let server = variable("ASTRO_TEST_POSTGRES_URL");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let pool = commands::connect(&url, 16).await.unwrap();
    commands::migrate(&pool).await.unwrap();
    let mongo = mongodb::Client::with_uri_str(variable("ASTRO_TEST_MONGO_URL")).await.unwrap();
    let bus = Bus::connect(&variable("ASTRO_TEST_NATS_URL"), &name).await.unwrap();
    let databases = Databases::new(pool.clone(), &mongo, &name, Feed::new(pool.clone(), Some(bus.clone())));
    projections::prepare(&databases).await.unwrap();
    let (wake, stop) = (Wake::new(), CancellationToken::new());
    let executor = Executor::start(pool.clone(), wake.clone(), Limits::default());
    let world = World { pool, mongo, name, bus, executor, databases, wake, stop };
    let sequencing = world.sequence(&world.stop);

    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.stop.cancel();
    let ended = sequencing.await;
    world.pool.close().await;
    admin.execute(format!("DROP DATABASE {} WITH (FORCE)", world.name).as_str()).await.unwrap();
    world.mongo.database(&format!("{}_customer", world.name)).drop().await.unwrap();
    if world.bus.head().await.unwrap().is_some() {
        world.bus.delete().await.unwrap();
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    ended.unwrap();
}

/// A projector that runs until it is stopped.
pub struct Running {
    stop: CancellationToken,
    pub task: JoinHandle<()>,
    pub position: watch::Receiver<u64>,
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
    /// Ends it as a killed process ends.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
    }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}
pub fn seats(labels: &str) -> BTreeSet<Seat> {
    labels.split_whitespace().map(|label| label.parse().unwrap()).collect()
}
pub fn supplier(n: u128) -> SupplierId {
    SupplierId(Uuid::from_u128(0x5000 + n))
}
pub fn rocket(n: u128) -> RocketId {
    RocketId(Uuid::from_u128(0x6000 + n))
}
pub fn launch(n: u128) -> LaunchId {
    LaunchId(Uuid::from_u128(0x7000 + n))
}
pub fn customer(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(0x8000 + n))
}
pub fn booking(n: u128) -> BookingId {
    BookingId(Uuid::from_u128(0x9000 + n))
}

/// The n-th launch: 20 seats, every one another day, the destinations in turn.
pub fn plan(n: u128) -> Plan {
    let departs_at = NOW + SignedDuration::from_hours(24 * (800 + n as i64));
    let destination = Destination::ALL[n as usize % 5];
    let name = ["Falcon Heavy", "Ariane 5", "Atlas V 551"][n as usize % 3];
    let day = departs_at.to_zoned(TimeZone::UTC).date();
    Plan {
        slug: Slug::of_launch(name, "Cape Canaveral", destination, day, 1),
        supplier: supplier(n % 3),
        supplier_name: line(["SpaceX", "Arianespace", "United Launch Alliance"][n as usize % 3]),
        rocket: rocket(n % 3),
        rocket_name: line(name),
        range: Destination::Mars,
        cabin: Cabin::new(6, 4, seats("6A 6B 6C 6D")).unwrap(),
        spaceport: SpaceportId(Uuid::from_u128(0xA000)),
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
        destination,
        departs_at,
        price: Money::dollars(1_000_000 + 10_000 * (n as i64 % 7)),
        minimum_seats: 3,
        mission: n.is_multiple_of(4).then(|| line("Étoile du Nord")),
    }
}

impl World {
    pub fn customer(&self) -> CustomerViews {
        CustomerViews::new(&self.databases)
    }
    pub fn operations(&self) -> OperationsViews {
        OperationsViews::new(&self.databases)
    }
    pub fn finance(&self) -> FinanceViews {
        FinanceViews::new(&self.databases)
    }

    pub fn project(&self, projection: Projection) -> Running {
        self.project_in(projection, &self.databases)
    }
    /// A projector that sees the databases in another way.
    pub fn project_in(&self, projection: Projection, databases: &Databases) -> Running {
        let stop = CancellationToken::new();
        let (sender, position) = watch::channel(0);
        let task = tokio::spawn(projections::run(projection, databases.clone(), sender, stop.clone()));
        Running { stop, task, position }
    }
    pub fn project_all(&self) -> Vec<Running> {
        Projection::ALL.map(|projection| self.project(projection)).into()
    }

    /// Waits until everything that is written has its place in the log, and says what the last one is.
    pub async fn sequenced(&self) -> u64 {
        until("everything is sequenced", async || {
            let unsequenced: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM events) - (SELECT count(*) FROM log)")
                .fetch_one(&self.pool)
                .await
                .unwrap();
            unsequenced == 0
        })
        .await;
        self.databases.feed().head().await.unwrap()
    }

    /// What operators are told of every view.
    pub async fn status(&self) -> Vec<ProjectionStatus> {
        projections::status(&self.databases, Timestamp::now()).await.unwrap().views
    }

    /// A sequencer that runs until `stop`.
    pub fn sequence(&self, stop: &CancellationToken) -> JoinHandle<()> {
        tokio::spawn(sequence::run(self.pool.clone(), Some(self.bus.clone()), self.wake.clone(), Rush::default(), stop.clone()))
    }

    /// Waits until every view has read everything that is written.
    pub async fn settle(&self) {
        self.settle_in(&Projection::ALL).await;
    }
    /// The same for the views of some projections.
    pub async fn settle_in(&self, projections: &[Projection]) {
        let head = self.sequenced().await;
        assert!(head > 0, "nothing has happened yet");
        for projection in projections {
            until("the views are at the head", async || self.positions(*projection).await.into_iter().all(|position| position >= head))
                .await;
        }
    }

    /// How far each partition of each view is.
    pub async fn positions(&self, projection: Projection) -> Vec<u64> {
        let standings = self.databases.store(projection).standings().await.unwrap();
        let views = projection.views().iter().map(|view| standings[*view].positions());
        views.flat_map(|positions| (0..16).map(move |partition| positions.of(partition))).collect()
    }
    /// Who has how many partitions of a projection.
    pub async fn holders(&self, projection: Projection) -> HashMap<Uuid, usize> {
        let mut counts = HashMap::new();
        for holder in self.databases.store(projection).sharing().await.unwrap().holders.into_iter().flatten() {
            *counts.entry(holder).or_default() += 1;
        }
        counts
    }

    pub async fn execute<D: Decider>(&self, id: &D::Id, command: D::Command) -> Done<D::Event> {
        let ask = Ask::new(Uuid::new_v4(), Actor::System, [1; 32]);
        self.executor.execute::<D>(id, command, &ask).await.unwrap()
    }

    /// Three suppliers, three rockets, a spaceport and so many launches.
    pub async fn catalogue(&self, launches: u128) {
        for (n, name) in (0..).zip(["SpaceX", "Arianespace", "United Launch Alliance"]) {
            let profile =
                Profile { legal_name: line(name), display_name: line(name), description: None, contact: None, country: line("US") };
            self.execute::<Supplier>(&supplier(n), supplier::Command::Register { profile, now: NOW }).await;
            let build = Build { name: line(plan(n).rocket_name.as_str()), model: None, range: Destination::Mars, cabin: plan(n).cabin };
            self.execute::<Rocket>(&rocket(n), rocket::Command::Add { supplier: supplier(n), build, now: NOW }).await;
        }
        let place = Place {
            name: line("Cape Canaveral"),
            location: line("Florida, USA"),
            zone: line("America/New_York"),
            latitude: 28.5,
            longitude: -80.5,
        };
        self.execute::<Spaceport>(&plan(0).spaceport, spaceport::Command::Add { place, now: NOW }).await;
        for n in 0..launches {
            self.schedule(n).await;
        }
    }

    pub async fn schedule(&self, n: u128) {
        let command =
            launch::Command::Schedule { plan: Box::new(plan(n)), retired: false, neighbours: vec![], policies: Box::default(), now: NOW };
        self.execute::<Launch>(&launch(n), command).await;
    }

    pub async fn hold(&self, on: u128, n: u128, labels: &str) -> Done<launch::Event> {
        let (booking, customer, seats, policies) = (booking(n), customer(n), seats(labels), Box::<Policies>::default());
        self.execute::<Launch>(&launch(on), launch::Command::Hold { booking, customer, vip: true, seats, policies, now: NOW }).await
    }

    /// Holds, names and pays; the customer has the booking's number.
    pub async fn book(&self, on: u128, n: u128, labels: &str) -> Done<launch::Event> {
        self.hold(on, n, labels).await;
        // Ada Lovelace, as nobody here can see.
        let finds = ["ada", "lovelace"].map(|word| blind("word", word)).into_iter().chain([blind("email", "ada@example.org")]).collect();
        let details = SealedPassenger { sealed: Sealed::from_text("x1:AAAA".into()), finds };
        let passenger = NamedPassenger { born: jiff::civil::date(1990, 5, 1), details };
        let passengers = seats(labels).into_iter().map(|seat| (seat, passenger.clone())).collect();
        let (id, booking, customer, payment) = (launch(on), booking(n), customer(n), PaymentId(Uuid::from_u128(n)));
        let named = launch::Command::NamePassengers { booking, customer, passengers, policies: Box::default(), now: NOW };
        self.execute::<Launch>(&id, named).await;
        let card = Card { brand: "visa".into(), last4: "4242".into() };
        self.execute::<Launch>(&id, launch::Command::InitiatePayment { booking, customer, payment, card, now: NOW }).await;
        self.execute::<Launch>(&id, launch::Command::CapturePayment { booking, payment, reference: "r".into(), now: NOW }).await
    }

    /// Cancels a whole booking at the quoted refund, and pays that out.
    pub async fn cancel(&self, on: u128, n: u128) {
        let loaded = self.executor.load::<Launch>(&launch(on)).await.unwrap();
        let quoted = loaded.state.quote(booking(n), customer(n), None, NOW).unwrap().refund;
        let (booking, customer, refund) = (booking(n), customer(n), RefundId(Uuid::from_u128(n)));
        self.execute::<Launch>(&launch(on), launch::Command::CancelBooking { booking, customer, refund, quoted, now: NOW }).await;
        let settled = launch::Command::SettleRefund { booking, refund, reference: "r".into(), now: NOW };
        self.execute::<Launch>(&launch(on), settled).await;
    }

    pub async fn reprice(&self, on: u128, price: Money) {
        self.execute::<Launch>(&launch(on), launch::Command::Reprice { price, now: NOW }).await;
    }

    pub async fn abort(&self, on: u128) {
        let command = launch::Command::Abort { reason: AbortReason::Weather, policies: Box::default(), now: NOW };
        self.execute::<Launch>(&launch(on), command).await;
    }

    /// A bit of everything on the first launches of the catalogue.
    pub async fn trade(&self) {
        self.book(0, 1, "1A 1B").await;
        self.book(0, 2, "2A").await;
        self.book(1, 3, "1A").await;
        self.hold(1, 4, "4A 4B").await;
        self.cancel(0, 2).await;
        self.book(2, 5, "3C 3D").await;
        self.abort(3).await;
    }

    /// Lets the first version of every view be at `position`, whatever it says.
    pub async fn set_positions(&self, position: i64) {
        for schema in ["operations", "finance"] {
            let all = format!("UPDATE {schema}.positions SET positions = array_fill($1::bigint, ARRAY[16])");
            sqlx::query(&all).bind(position).execute(&self.pool).await.unwrap();
        }
        let all: Document = (0..16).map(|partition| (partition.to_string(), Bson::Int64(position))).collect();
        let views = Projection::Customer.views().iter().map(|view| (format!("positions.{view}_v1"), Bson::Document(all.clone())));
        let standing = self.mongo.database(&format!("{}_customer", self.name)).collection::<Document>("standing");
        standing.update_many(doc! {}, doc! { "$set": views.collect::<Document>() }).await.unwrap();
    }

    /// Every document of the version in use, by view.
    pub async fn documents(&self) -> Vec<(String, Vec<(String, u64, serde_json::Value)>)> {
        let mut all = Vec::new();
        for name in ViewName::all() {
            let store = self.databases.store(name.projection);
            let version = store.standings().await.unwrap()[name.view].version;
            let found: Vec<Stored> = store.scan(Table { view: name.view, version }, "", 10_000).await.unwrap();
            all.push((name.to_string(), found.into_iter().map(|stored| (stored.id, stored.position, stored.doc)).collect()));
        }
        all
    }

    /// The lines of the journal, as text.
    pub async fn lines(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT lines::text FROM finance.lines lines ORDER BY position, line").fetch_all(&self.pool).await.unwrap()
    }
}

/// A blind word that can be read: the vault is not part of this.
pub fn blind(kind: &str, text: &str) -> Blind {
    Blind::from_text(format!("{kind}{text}").bytes().map(|byte| format!("{byte:02x}")).collect())
}
