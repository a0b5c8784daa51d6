//! An installation of its own for each test: a database, a stream, two document databases, and every role in this process.

use crate::client::Client;
use api::{
    app::{App, Servers},
    authority::REFRESH_COOKIE,
    config::{Config, Given},
    core::{
        account::{Holder, NewAccount, new_id},
        token::Bearer,
    },
    keys,
    logs::ship::Lines,
    roles,
    web::serve,
};
use commands::{Ask, Executor, ask::digest};
use contract::{
    BookingId, Cabin, CustomerId, Destination, Email, LaunchId, Line, Money, RocketId, Slug, SpaceportId, SupplierId,
    account::{AccountState, Role},
};
use domain::{
    Actor,
    customer::{self, Customer},
    id::AccountId,
    launch::{self, Launch, Plan},
    policy::Policies,
    rocket::{self, Build, Rocket},
    slug::{self, SlugClaim},
    spaceport::{self, Place, Spaceport},
    supplier::{self, Profile, Supplier},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::{collections::BTreeSet, path::PathBuf};
use tokio::{
    sync::{RwLock, RwLockReadGuard, oneshot},
    task::JoinHandle,
};
use uuid::Uuid;
use vault::{Vault, guards::Sealing};

pub(crate) const PASSWORD: &str = "a long enough password";

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Names and addresses of one namespace.
#[derive(Clone)]
pub(crate) struct Namespace {
    pub(crate) prefix: String,
    pub(crate) postgres_url: String,
    pub(crate) nats_url: String,
    pub(crate) mongo_url: String,
    pub(crate) keys: PathBuf,
}

impl Namespace {
    pub(crate) async fn make() -> Self {
        let prefix = format!("t_{}", Uuid::new_v4().simple());
        let admin = variable("ASTRO_TEST_POSTGRES_URL");
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {prefix}")).execute(&mut connection).await.unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        Self {
            postgres_url: format!("{server}/{prefix}"),
            nats_url: variable("ASTRO_TEST_NATS_URL"),
            mongo_url: variable("ASTRO_TEST_MONGO_URL"),
            keys: std::env::temp_dir().join(&prefix),
            prefix,
        }
    }
    pub(crate) fn config(&self) -> Config {
        Given {
            postgres_url: self.postgres_url.clone(),
            nats_url: self.nats_url.clone(),
            mongo_url: self.mongo_url.clone(),
            smtp_url: "smtp://127.0.0.1:9".to_owned(),
            keys: self.keys.clone(),
            prefix: self.prefix.clone(),
            ..Given::default()
        }
        .into()
    }
    pub(crate) async fn drop(self, servers: &Servers) {
        let _ = servers.bus.delete().await;
        servers.mongo.system.drop().await.unwrap();
        servers.mongo.client.database(&format!("{}_customer", self.prefix)).drop().await.unwrap();
        servers.pool.close().await;
        servers.appending.close().await;
        let mut connection = PgConnection::connect(&variable("ASTRO_TEST_POSTGRES_URL")).await.unwrap();
        for name in [self.prefix.clone(), format!("{}_vault", self.prefix)] {
            sqlx::query(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).execute(&mut connection).await.unwrap();
        }
        let _ = std::fs::remove_dir_all(&self.keys);
    }
}

/// Transactions hold back the logs of all databases of a server: held for reading by every world, for writing by a test that leaves
/// one open.
pub(crate) static OPEN_TRANSACTION: RwLock<()> = RwLock::const_new(());

pub(crate) struct World {
    pub(crate) base: String,
    pub(crate) app: App,
    pub(crate) servers: Servers,
    place: Namespace,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
    _calm: RwLockReadGuard<'static, ()>,
}

pub(crate) fn step(name: &str) -> Ask {
    Ask::new(Uuid::new_v4(), Actor::System, digest(&[name.as_bytes()]))
}

/// A launch that is put on sale for a test.
#[derive(Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) rows: u8,
    pub(crate) days: i64,
    pub(crate) dollars: i64,
    pub(crate) supplier: SupplierId,
}

pub(crate) const SUPPLIER: SupplierId = SupplierId(Uuid::from_u128(0x51));
pub(crate) const OTHER_SUPPLIER: SupplierId = SupplierId(Uuid::from_u128(0x52));
pub(crate) const SPACEPORT: SpaceportId = SpaceportId(Uuid::from_u128(0x53));
pub(crate) const ROCKET: RocketId = RocketId(Uuid::from_u128(0x54));

impl Default for Flight {
    fn default() -> Self {
        Self { rows: 5, days: 400, dollars: 1_250_000, supplier: SUPPLIER }
    }
}

pub(crate) fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

/// Two suppliers, a spaceport and a rocket.
pub(crate) async fn fleet(executor: &Executor) {
    let now = Timestamp::now();
    for (id, name) in [(SUPPLIER, "Orbital Lines"), (OTHER_SUPPLIER, "Lunar Ferries")] {
        let profile = Profile { legal_name: line(name), display_name: line(name), description: None, contact: None, country: line("US") };
        executor.execute::<Supplier>(&id, supplier::Command::Register { profile, now }, &step("supplier")).await.unwrap();
    }
    let place = Place {
        name: line("Cape Canaveral"),
        location: line("Florida, United States"),
        zone: line("America/New_York"),
        latitude: 28.4,
        longitude: -80.6,
    };
    executor.execute::<Spaceport>(&SPACEPORT, spaceport::Command::Add { place, now }, &step("spaceport")).await.unwrap();
    let build =
        Build { name: line("Atlas V"), model: None, range: Destination::Station, cabin: Cabin::new(5, 4, BTreeSet::new()).unwrap() };
    executor.execute::<Rocket>(&ROCKET, rocket::Command::Add { supplier: SUPPLIER, build, now }, &step("rocket")).await.unwrap();
}

/// Puts a launch on sale.
pub(crate) async fn schedule(executor: &Executor, flight: Flight) -> (LaunchId, Slug) {
    schedule_changed(executor, flight, |_| {}).await
}

/// The same with another plan than usual.
pub(crate) async fn schedule_changed(executor: &Executor, flight: Flight, change: impl FnOnce(&mut Plan)) -> (LaunchId, Slug) {
    let (launch, now) = (LaunchId(Uuid::new_v4()), Timestamp::now());
    let slug: Slug = format!("atlas-v-{}", launch.0.simple()).parse().unwrap();
    executor.execute::<SlugClaim>(&slug, slug::Command::Claim { launch }, &step("slug")).await.unwrap();
    let mut plan = Plan {
        slug: slug.clone(),
        supplier: flight.supplier,
        supplier_name: line("Orbital Lines"),
        rocket: ROCKET,
        rocket_name: line("Atlas V"),
        range: Destination::Station,
        cabin: Cabin::new(flight.rows, 4, BTreeSet::new()).unwrap(),
        spaceport: SPACEPORT,
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.4,
        longitude: -80.6,
        destination: Destination::LowEarth,
        departs_at: now + SignedDuration::from_hours(24 * flight.days),
        price: Money::dollars(flight.dollars),
        minimum_seats: 1,
        mission: None,
    };
    change(&mut plan);
    let command = launch::Command::Schedule {
        plan: Box::new(plan),
        retired: false,
        neighbours: vec![],
        policies: Box::new(Policies::default()),
        now,
    };
    executor.execute::<Launch>(&launch, command, &step("schedule")).await.unwrap();
    (launch, slug)
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, None).await
    }

    /// With the apps in this folder.
    pub(crate) async fn with_pages(ui: Option<PathBuf>) -> Self {
        Self::with(|config| config.ui = ui, None).await
    }

    /// With a configuration of its own, and with log lines to keep.
    pub(crate) async fn with(change: impl FnOnce(&mut Config), lines: Option<Lines>) -> Self {
        Self::over(change, lines, Sealing::On).await
    }

    /// With or without personal data sealed: a search for it proves something only if it finds what is not.
    pub(crate) async fn over(change: impl FnOnce(&mut Config), lines: Option<Lines>, sealing: Sealing) -> Self {
        let calm = OPEN_TRANSACTION.read().await;
        let place = Namespace::make().await;
        let mut config = place.config();
        change(&mut config);
        let mut servers = Servers::connect(&config).await.unwrap();
        let keys = place.keys.clone();
        let masters = Box::new(move || Ok(keys::master(&keys)?));
        servers.vault = Some(Vault::with(&config.vault_url().unwrap(), 4, masters, sealing).unwrap());
        let listener = serve::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mailbox = Some("127.0.0.1:0".parse().unwrap());
        let (roles, app) = roles::all(&config, &servers, listener, mailbox, lines).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(roles.run_until(async {
            let _ = stopped.await;
        }));
        fleet(&app.executor).await;
        Self { base, app, servers, place, stop, running, _calm: calm }
    }

    /// Names and addresses of what it runs on.
    pub(crate) fn place(&self) -> &Namespace {
        &self.place
    }

    /// The folder of its keys.
    pub(crate) fn keys(&self) -> &std::path::Path {
        &self.place.keys
    }

    /// Stops everything and leaves nothing behind.
    pub(crate) async fn end(self) {
        let Self { servers, place, stop, running, app, .. } = self;
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
        drop(app);
        place.drop(&servers).await;
    }

    pub(crate) async fn launch(&self, flight: Flight) -> (LaunchId, Slug) {
        let (launch, slug) = schedule(&self.app.executor, flight).await;
        self.visitor().until(&format!("/api/customer/launches/{slug}"), |_| true).await;
        (launch, slug)
    }

    pub(crate) fn visitor(&self) -> Client {
        Client::new(&self.base)
    }

    /// One who asks from this address.
    pub(crate) fn visitor_from(&self, address: [u8; 4]) -> Client {
        Client::from_address(&self.base, address)
    }

    /// A customer who has just signed in, with [`PASSWORD`]. Signing up is tested elsewhere.
    pub(crate) async fn customer(&self) -> Client {
        let (id, _) = self.account(Role::Customer, None, PASSWORD).await;
        self.signed_in(id, Role::Customer, None).await
    }

    /// One who is signed in with this role, by a session made here: hashing passwords is tested elsewhere.
    pub(crate) async fn with_role(&self, role: Role, supplier: Option<SupplierId>) -> Client {
        let (id, _) = self.account(role, supplier, "").await;
        self.signed_in(id, role, supplier).await
    }

    /// A customer of this name who may sign in with [`PASSWORD`].
    pub(crate) async fn account_of(&self, name: &str) -> (AccountId, Email) {
        self.named(name, Role::Customer, None, PASSWORD).await
    }

    /// An account that may sign in with `password`, and its address.
    pub(crate) async fn account(&self, role: Role, supplier: Option<SupplierId>, password: &str) -> (AccountId, Email) {
        let name = if role.is_staff() { "Erin Blake" } else { "Ada Lovelace" };
        self.named(name, role, supplier, password).await
    }

    async fn named(&self, name: &str, role: Role, supplier: Option<SupplierId>, password: &str) -> (AccountId, Email) {
        let (id, now) = (new_id(), Timestamp::now());
        let email = Email::new(&format!("{}@example.org", id.0.simple())).unwrap();
        if role == Role::Customer {
            let customer = CustomerId(id.0);
            self.app.executor.execute::<Customer>(&customer, customer::Command::Register { now }, &step("register")).await.unwrap();
        }
        let hash = if password.is_empty() { String::new() } else { self.app.passwords.hash(password).await.unwrap() };
        let holder = Holder { name: line(name), email: email.clone() };
        let new = NewAccount { id, holder, password: hash, role, supplier, state: AccountState::Active };
        self.app.accounts.add(new, now).await.unwrap();
        (id, email)
    }

    pub(crate) async fn signed_in(&self, account: AccountId, role: Role, supplier: Option<SupplierId>) -> Client {
        let now = Timestamp::now();
        let issued = self.app.sessions.start(account, role, now).await.unwrap();
        let bearer = Bearer { account, role, supplier, session: issued.session, enrolling: false };
        let client = self.visitor().with_token(&self.base, &self.app.tokens.sign(bearer, now).unwrap());
        client.set_cookie(REFRESH_COOKIE, &issued.refresh);
        client
    }

    pub(crate) async fn supplier(&self) -> Client {
        self.with_role(Role::Supplier, Some(SUPPLIER)).await
    }

    /// What the launch itself says.
    pub(crate) async fn state(&self, launch: LaunchId) -> Launch {
        self.app.executor.load::<Launch>(&launch).await.unwrap().state
    }
}

pub(crate) fn passenger(seat: &str) -> Value {
    json!({ "seat": seat, "name": "Ada Lovelace", "email": "ada@example.org", "phone": "+44 20 7946 0000", "born": "1990-12-10" })
}

pub(crate) const GOOD_CARD: &str = "4242 4242 4242 4242";

pub(crate) fn card(number: &str) -> Value {
    json!({ "card_number": number, "expiry": "12/29", "cvc": "123" })
}

/// Holds seats, names passengers and pays; gives the booking.
pub(crate) async fn book(client: &Client, launch: &str, seats: &[&str]) -> BookingId {
    let held = client.ask(&format!("/api/customer/launches/{launch}/holds"), &json!({ "seats": seats })).await.ok();
    let booking = held["booking"].as_str().unwrap().to_owned();
    let passengers: Vec<Value> = seats.iter().map(|seat| passenger(seat)).collect();
    let path = format!("/api/customer/launches/{launch}/bookings/{booking}");
    client.put(&format!("{path}/passengers"), &json!({ "passengers": passengers })).await.ok();
    let paid = client.ask(&format!("{path}/payments"), &card(GOOD_CARD)).await.ok();
    assert_eq!(paid["confirmed"], true, "{paid}");
    booking.parse().unwrap()
}
