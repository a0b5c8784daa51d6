//! A namespace of its own for each test, with people who book.

use async_trait::async_trait;
use commands::{Ask, Executor, Limits, Wake, clock::Clock, clock::ManualClock};
use contract::{
    operations::{Mail, Notification},
    page::Listing,
};
use domain::{
    Actor, Money,
    booking::Booking,
    customer::{self, Customer},
    id::{AccountId, BookingId, CustomerId, LaunchId, RocketId, SpaceportId, SupplierId},
    launch::{Command, Event, Launch, Manifest, Plan},
    passenger::{NamedPassenger, SealedPassenger},
    policy::Policies,
    rocket::Destination,
    sealed::Sealed,
    seat::{Cabin, Seat},
    text::Line,
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use nats::{Feed, Rush};
use scheduler::{
    AddressBook, AddressError, Mailbox, Mailer, Notifications, Person, Scheduler,
    payment::{self, Gateway, Order, Paid, PayError, PaymentCard, TestGateway},
};
use sqlx::PgPool;
use std::{collections::BTreeSet, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{Master, Vault};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn server(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Everyone has an address that follows from their id.
#[derive(Debug)]
pub(crate) struct Addresses;

#[async_trait]
impl AddressBook for Addresses {
    async fn customer(&self, id: CustomerId) -> Result<Option<Person>, AddressError> {
        Ok(Some(Person { name: "Ada\r\nBcc: all@example.org".to_owned(), email: format!("{id}@example.org") }))
    }
    async fn account(&self, id: AccountId) -> Result<Option<Person>, AddressError> {
        self.customer(CustomerId(id.0)).await
    }
    async fn supplier(&self, id: SupplierId) -> Result<Option<Person>, AddressError> {
        Ok((id == supplier()).then(|| Person { name: String::new(), email: "desk@supplier.example".to_owned() }))
    }
    async fn forget(&self, _: CustomerId) -> Result<(), AddressError> {
        Ok(())
    }
}

pub(crate) fn supplier() -> SupplierId {
    SupplierId(Uuid::from_u128(7))
}

pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) mongo: mongodb::Database,
    pub(crate) executor: Executor,
    pub(crate) clock: ManualClock,
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) vault: Vault,
    pub(crate) feed: Feed,
    mail_port: u16,
    servers: CancellationToken,
    admin: String,
    name: String,
}

/// A scheduler at work.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Runs a test in a world, and takes the world away afterwards, also when the test fails.
pub(crate) async fn within<T: Future<Output = ()>>(test: impl FnOnce(Arc<World>) -> T) {
    let world = Arc::new(World::new().await);
    let outcome = AssertUnwindSafe(test(world.clone())).catch_unwind().await;
    world.take_away().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    async fn new() -> Self {
        let admin = server("ASTRO_TEST_POSTGRES_URL");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let pool = commands::connect(&admin, 1).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&pool).await.unwrap();
        let url = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
        let pool = commands::connect(&url, 12).await.unwrap();
        commands::migrate(&pool).await.unwrap();
        scheduler::migrate(&pool).await.unwrap();
        let mongo = mongodb::Client::with_uri_str(server("ASTRO_TEST_MONGO_URL")).await.unwrap().database(&format!("{name}_system"));

        let servers = CancellationToken::new();
        let wake = Wake::new();
        tokio::spawn(commands::sequence::run(pool.clone(), None, wake.clone(), Rush::default(), servers.clone()));
        let executor = Executor::start(pool.clone(), wake, Limits { shards: 2, ..Limits::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mail_port = listener.local_addr().unwrap().port();
        let masters = Box::new(|| Ok(Master::new([(1, [1; 32])], &[2; 32]).unwrap()));
        let vault = Vault::connect(&format!("{url}_vault"), 4, masters).unwrap();
        vault.migrate().await.unwrap();
        let mailbox = Mailbox::new(&mongo, vault.clone());
        let until = servers.clone();
        tokio::spawn(async move { mailbox.serve(listener, None, until).await });
        Self {
            feed: Feed::new(pool.clone(), None),
            gateway: Arc::new(TestGateway::new(&pool)),
            clock: ManualClock::at("2027-01-01T12:00:00Z".parse().unwrap()),
            executor,
            vault,
            mail_port,
            servers,
            admin,
            name,
            mongo,
            pool,
        }
    }

    async fn take_away(&self) {
        self.servers.cancel();
        let _ = self.mongo.drop().await;
        let pool = commands::connect(&self.admin, 1).await.unwrap();
        for name in [self.name.clone(), format!("{}_vault", self.name)] {
            sqlx::query(&format!("DROP DATABASE {name} WITH (FORCE)")).execute(&pool).await.unwrap();
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        Scheduler {
            executor: self.executor.clone(),
            pool: self.pool.clone(),
            feed: self.feed.clone(),
            mongo: self.mongo.clone(),
            vault: self.vault.clone(),
            gateway: self.gateway.clone(),
            mailer: mailer(self.mail_port),
            addresses: Arc::new(Addresses),
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub(crate) fn start(&self) -> Running {
        start(self.scheduler())
    }

    /// A scheduler with one connection to the database, whose statements are planned once, as `astro` has them.
    pub(crate) async fn on_one_connection(&self) -> Scheduler {
        let url = format!("{}/{}", self.admin.rsplit_once('/').unwrap().0, self.name);
        Scheduler { pool: commands::connect_by_key(&url, 1).await.unwrap(), ..self.scheduler() }
    }

    /// A launch with 6 rows of 4 seats at a million dollars each, so many days ahead.
    pub(crate) async fn launch(&self, days_ahead: i64) -> LaunchId {
        let launch = LaunchId(Uuid::new_v4());
        let line = |text: &str| Line::new(text).unwrap();
        let plan = Plan {
            slug: format!("launch-{launch}").parse().unwrap(),
            supplier: supplier(),
            supplier_name: line("Acme Space"),
            rocket: RocketId(Uuid::from_u128(8)),
            rocket_name: line("Falcon 9"),
            range: Destination::Moon,
            cabin: Cabin::new(6, 4, BTreeSet::new()).unwrap(),
            spaceport: SpaceportId(Uuid::from_u128(9)),
            spaceport_name: line("Cape Canaveral"),
            zone: line("America/New_York"),
            latitude: 28.5,
            longitude: -80.6,
            destination: Destination::LowEarth,
            departs_at: self.now() + SignedDuration::from_hours(24 * days_ahead),
            price: Money::dollars(1_000_000),
            minimum_seats: 4,
            mission: None,
        };
        let policies = Box::new(Policies::default());
        self.put(launch, Command::Schedule { plan: Box::new(plan), retired: false, neighbours: vec![], policies, now: self.now() }).await;
        launch
    }

    pub(crate) async fn customer(&self) -> CustomerId {
        let customer = CustomerId(Uuid::new_v4());
        let ask = Ask::new(Uuid::new_v4(), Actor::System, [0; 32]);
        self.executor.execute::<Customer>(&customer, customer::Command::Register { now: self.now() }, &ask).await.unwrap();
        customer
    }

    /// Puts a command that must be accepted.
    pub(crate) async fn put(&self, launch: LaunchId, command: Command) -> Vec<Event> {
        let ask = Ask::new(Uuid::new_v4(), Actor::System, [0; 32]);
        self.executor.execute::<Launch>(&launch, command, &ask).await.unwrap().events
    }

    /// Holds seats and names a passenger for each.
    pub(crate) async fn hold(&self, launch: LaunchId, customer: CustomerId, seats: &[&str]) -> BookingId {
        let booking = BookingId(Uuid::new_v4());
        let seats: BTreeSet<Seat> = seats.iter().map(|seat| seat.parse().unwrap()).collect();
        let (policies, now) = (Box::new(Policies::default()), self.now());
        let hold = Command::Hold { booking, customer, vip: false, seats: seats.clone(), policies: policies.clone(), now };
        self.put(launch, hold).await;
        let details = SealedPassenger { sealed: Sealed::from_text("x1:AAAA".to_owned()), finds: vec![] };
        let passenger = NamedPassenger { born: jiff::civil::date(1990, 2, 28), details };
        let passengers = seats.iter().map(|seat| (*seat, passenger.clone())).collect();
        self.put(launch, Command::NamePassengers { booking, customer, passengers, policies, now }).await;
        booking
    }

    pub(crate) fn card(&self, number: &str) -> PaymentCard {
        PaymentCard::parse(number, "12/40", "123", self.now()).unwrap()
    }

    pub(crate) async fn pay_as(
        &self,
        command_id: Uuid,
        launch: LaunchId,
        booking: BookingId,
        customer: CustomerId,
        card: &str,
    ) -> Result<Paid, PayError> {
        let order = Order { launch, booking, customer, card: self.card(card) };
        let ask = Ask::new(command_id, Actor::Customer(customer), [1; 32]);
        payment::pay(&self.executor, &*self.gateway, &self.clock, order, &ask).await
    }

    pub(crate) async fn pay(&self, launch: LaunchId, booking: BookingId, customer: CustomerId, card: &str) -> Result<Paid, PayError> {
        self.pay_as(Uuid::new_v4(), launch, booking, customer, card).await
    }

    /// A booking of one's own, paid.
    pub(crate) async fn book(&self, launch: LaunchId, seats: &[&str], card: &str) -> (CustomerId, BookingId) {
        let customer = self.customer().await;
        let booking = self.hold(launch, customer, seats).await;
        assert!(self.pay(launch, booking, customer, card).await.unwrap().confirmed);
        (customer, booking)
    }

    pub(crate) async fn manifest(&self, launch: LaunchId) -> Manifest {
        self.executor.load::<Launch>(&launch).await.unwrap().state.manifest().unwrap().clone()
    }

    pub(crate) async fn booking(&self, launch: LaunchId, booking: BookingId) -> Booking {
        self.manifest(launch).await.bookings[&booking].clone()
    }

    /// How many events of this type the launch has.
    pub(crate) async fn count(&self, launch: LaunchId, event_type: &str) -> usize {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_id = $1 AND event_type = $2")
            .bind(launch.to_string())
            .bind(event_type)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        count.try_into().unwrap()
    }

    /// Every mail that arrived, oldest first.
    pub(crate) async fn mails(&self) -> Vec<Mail> {
        let mut mails =
            Mailbox::new(&self.mongo, self.vault.clone()).page(&Listing { per_page: 100, ..Listing::default() }).await.unwrap().items;
        mails.reverse();
        mails
    }

    pub(crate) async fn notifications(&self) -> Vec<Notification> {
        self.notifications_like("").await
    }

    pub(crate) async fn notifications_like(&self, search: &str) -> Vec<Notification> {
        let listing = Listing { per_page: 100, search: search.to_owned(), ..Listing::default() };
        Notifications::new(&self.mongo, self.vault.clone()).page(&listing).await.unwrap().items
    }

    /// Waits until every event was reacted to and no job is left, the look at payments in doubt included.
    pub(crate) async fn settled(&self) {
        self.clock.advance(SignedDuration::from_secs(11));
        eventually("the log is worked off", async || {
            let (left, jobs): (i64, i64) = sqlx::query_as(
                "SELECT (SELECT count(*) FROM events) - (SELECT coalesce(max(position), 0) FROM scheduler.reactions), \
                    (SELECT count(*) FROM scheduler.jobs)",
            )
            .fetch_one(&self.pool)
            .await
            .unwrap();
            (left == 0 && jobs == 0).then_some(())
        })
        .await;
    }
}

pub(crate) fn start(scheduler: Scheduler) -> Running {
    let stop = CancellationToken::new();
    Running { task: tokio::spawn(scheduler::run(scheduler, stop.clone())), stop }
}

pub(crate) fn mailer(port: u16) -> Mailer {
    Mailer::new(&format!("smtp://127.0.0.1:{port}"), "bookings@astro.example", "http://localhost:8080/", None).unwrap()
}

/// Waits until `condition` gives something; fails when it has not within [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
