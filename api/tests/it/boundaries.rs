//! What each part of the platform may do in Postgres, and that this is enough: every service and role apart, each with its own login.

use crate::{
    client::Client,
    pages::built,
    world::{Flight, Namespace, OPEN_TRANSACTION, SUPPLIER, World, book, fleet, line, schedule, variable},
};
use api::{
    app::{App, Servers},
    authority::ACCESS_COOKIE,
    config::{Config, Given},
    core::{
        account::{Holder, NewAccount, new_id},
        token::{Bearer, Service},
    },
    keys::Keys,
    roles::{self, Roles},
};
use contract::{
    CustomerId, Email,
    account::{AccountState, Role},
};
use domain::customer::{self, Customer};
use jiff::Timestamp;
use projections::Projection;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use std::path::{Path, PathBuf};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const EVERYBODY: &str = "customer supplier employee core scheduler sequencer projector";
const APPENDS: &str = "customer supplier employee core scheduler";
const NOBODY: &str = "";

const EVENT: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, \
    correlation_id, actor, body_hash) VALUES ('t', 'x', 1, 'e', '1', '{}', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'a', '')";
const FORGED: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, \
    correlation_id, actor, body_hash, recorded_at) VALUES ('t', 'x', 1, 'e', '1', '{}', gen_random_uuid(), gen_random_uuid(), \
    gen_random_uuid(), 'a', '', '-infinity')";
const COMMAND: &str = "INSERT INTO command_log (command_id, request_hash, stream_type, stream_id, first_sequence, last_sequence) \
    VALUES (gen_random_uuid(), '', 't', 'x', 1, 1)";
const TIMER: &str = "INSERT INTO timers (stream_type, stream_id, kind, subject, due_at, event_id) \
    VALUES ('t', 'x', 'k', 's', now(), gen_random_uuid())";

/// Each statement, and who may.
const TABLE: [(&str, &str); 36] = [
    ("SELECT * FROM recorded LIMIT 1", EVERYBODY),
    ("SELECT * FROM events LIMIT 1", EVERYBODY),
    (EVENT, APPENDS),
    (FORGED, NOBODY),
    ("UPDATE events SET payload = '{}'", NOBODY),
    ("DELETE FROM events", NOBODY),
    ("TRUNCATE events", NOBODY),
    ("ALTER TABLE events DISABLE TRIGGER ALL", NOBODY),
    (COMMAND, APPENDS),
    ("UPDATE command_log SET refusal = NULL", NOBODY),
    (TIMER, "scheduler"),
    ("UPDATE timers SET fired_at = now()", "scheduler"),
    ("UPDATE timers SET due_at = now()", NOBODY),
    ("DELETE FROM timers", NOBODY),
    ("INSERT INTO log (position, event_row, hash) VALUES (1, 1, '')", "sequencer"),
    ("UPDATE sequencer SET epoch = epoch + 1", "sequencer"),
    ("INSERT INTO forms (stream_type, event_type, event_version, event_row) VALUES ('t', 'e', 1, 1)", "sequencer"),
    ("DELETE FROM snapshots", APPENDS),
    ("SELECT * FROM scheduler.jobs", "scheduler"),
    ("DELETE FROM scheduler.jobs", "scheduler"),
    ("SELECT * FROM test_gateway.payments", "customer scheduler"),
    ("SELECT * FROM test_gateway.refunds", "scheduler"),
    ("UPDATE test_gateway.payments SET amount = 0", NOBODY),
    ("SELECT * FROM operations.launches", "supplier employee core"),
    ("SELECT * FROM operations.launches_v1", "core projector"),
    ("UPDATE operations.launches_v1 SET position = 0", "core projector"),
    ("DELETE FROM operations.launches_v1", NOBODY),
    ("SELECT * FROM finance.journal", "supplier employee core"),
    ("SELECT * FROM finance.lines", "employee core"),
    ("UPDATE finance.lines_v1 SET amount = 1", NOBODY),
    ("UPDATE finance.positions SET positions = DEFAULT", "core projector"),
    ("SELECT operations.make_version('operations', 'launches', 2)", "core projector"),
    ("SELECT operations.drop_version('operations', 'launches', 2)", "core projector"),
    ("CREATE TABLE operations.mine (x int)", NOBODY),
    ("CREATE TABLE mine (x int)", NOBODY),
    ("SELECT grant_to(ARRAY['customer'], 'SELECT ON scheduler.jobs')", NOBODY),
];

/// Whether something was done; if not, it must be for want of a right.
fn allowed<T>(done: Result<T, sqlx::Error>, what: &str) -> bool {
    let Err(error) = done else { return true };
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    assert_eq!(code, "42501", "{what}: {error}");
    false
}

/// Whether the members of a group role may run this; what they did is undone.
async fn may(pool: &PgPool, role: &str, statement: &str) -> bool {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query(&format!("SET LOCAL ROLE astro_{role}")).execute(&mut *transaction).await.unwrap();
    let done = sqlx::query(statement).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    allowed(done, &format!("{role}: {statement}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_it_needs_and_no_more() {
    let place = Namespace::make().await;
    let servers = Servers::connect(&place.config()).await.unwrap();
    roles::migrate(&servers).await.unwrap();
    let mut wrong = Vec::new();
    for (statement, allowed) in TABLE {
        for role in EVERYBODY.split(' ') {
            let expected = allowed.split(' ').any(|name| name == role);
            if may(&servers.pool, role, statement).await != expected {
                wrong.push(format!("{role} {} {statement}", if expected { "may not" } else { "may" }));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // A version in use is not thrown away, even by who may make versions.
    for statement in
        ["SELECT operations.make_version('operations', 'launches', 1)", "SELECT operations.drop_version('finance', 'journal', 1)"]
    {
        assert!(sqlx::query(statement).execute(&servers.pool).await.is_err(), "{statement}");
    }
    place.drop(&servers).await;
}

/// The logins of an installation, one for each part.
struct Logins {
    prefix: String,
    admin: String,
}

const PARTS: [(&str, &str); 9] = [
    ("customer", "customer vault"),
    ("supplier", "supplier vault"),
    ("employee", "employee vault"),
    ("core", "core vault"),
    ("scheduler", "scheduler vault"),
    ("sequencer", "sequencer"),
    ("project_customer", "projector"),
    ("project_operations", "projector"),
    ("project_finance", "projector"),
];

impl Logins {
    async fn make(place: &Namespace) -> Self {
        let logins = Self { prefix: place.prefix.clone(), admin: place.postgres_url.clone() };
        let mut admin = PgConnection::connect(&logins.admin).await.unwrap();
        for (part, groups) in PARTS {
            let groups: Vec<String> = groups.split(' ').map(|group| format!("astro_{group}")).collect();
            let statement = format!("CREATE ROLE {}_{part} LOGIN PASSWORD 'secret' IN ROLE {}", logins.prefix, groups.join(", "));
            sqlx::query(&statement).execute(&mut admin).await.unwrap();
        }
        logins
    }

    fn url(&self, part: &str) -> String {
        let (_, place) = self.admin.rsplit_once('@').unwrap();
        format!("postgres://{}_{part}:secret@{place}", self.prefix)
    }

    async fn drop(self) {
        let mut admin = PgConnection::connect(&variable("ASTRO_TEST_POSTGRES_URL")).await.unwrap();
        for (part, _) in PARTS {
            sqlx::query(&format!("DROP ROLE {}_{part}", self.prefix)).execute(&mut admin).await.unwrap();
        }
    }
}

/// What is asked of the keys of persons, and which logins may: who shows personal data reads keys, who takes it in makes them, and who
/// forgets people deletes them. Nobody turns them into another's, or has the database forget that somebody was erased.
const VAULT: [(&str, &str); 8] = [
    ("SELECT person, wrapped, master FROM data_keys", "customer supplier employee core scheduler"),
    ("INSERT INTO data_keys (person, wrapped, master) VALUES (gen_random_uuid(), '', 1)", "customer core scheduler"),
    ("UPDATE data_keys SET wrapped = NULL, master = NULL, made_at = NULL, erased_at = now()", "core scheduler"),
    ("UPDATE data_keys SET person = gen_random_uuid()", NOBODY),
    ("DELETE FROM data_keys", NOBODY),
    ("TRUNCATE data_keys", NOBODY),
    ("ALTER TABLE data_keys DISABLE TRIGGER ALL", NOBODY),
    ("CREATE TABLE mine (x int)", NOBODY),
];

/// The same of a login, which may not even be let in.
async fn login_may(url: &str, what: &str, statement: &str) -> bool {
    let connected = PgConnection::connect(url).await;
    let Ok(mut connection) = connected else { return allowed(connected, what) };
    let mut transaction = connection.begin().await.unwrap();
    let done = sqlx::query(statement).execute(&mut *transaction).await;
    transaction.rollback().await.unwrap();
    connection.close().await.unwrap();
    allowed(done, what)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_login_reads_makes_and_deletes_keys_of_persons_as_it_needs() {
    let place = Namespace::make().await;
    let servers = Servers::connect(&place.config()).await.unwrap();
    roles::migrate(&servers).await.unwrap();
    let logins = Logins::make(&place).await;
    let mut wrong = Vec::new();
    for (part, _) in PARTS {
        let url = format!("{}_vault", logins.url(part));
        for (statement, able) in VAULT {
            let expected = able.split(' ').any(|name| name == part);
            if login_may(&url, &format!("{part}: {statement}"), statement).await != expected {
                wrong.push(format!("{part} {} {statement}", if expected { "may not" } else { "may" }));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    place.drop(&servers).await;
    logins.drop().await;
}

/// A part that runs.
struct Part {
    servers: Servers,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Part {
    fn run(servers: Servers, roles: Roles) -> Self {
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(roles.run_until(async {
            let _ = stopped.await;
        }));
        Self { servers, stop, running }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        self.servers.pool.close().await;
        self.servers.appending.close().await;
    }
}

/// A folder with no more keys than a part needs.
fn keys_for(place: &Namespace, part: &str, names: &[&str]) -> PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let folder = place.keys.with_extension(part);
    std::fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    for name in names {
        std::fs::copy(place.keys.join(name), folder.join(name)).unwrap();
    }
    folder
}

const PERSONAL: [&str; 2] = ["master.key", "index.key"];
const CHECKING: [&str; 3] = ["verifying.key", "master.key", "index.key"];

async fn free_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// After an older log was put back: who shows views that have read another one is not ready, and operators can have them rebuilt.
#[tokio::test(flavor = "multi_thread")]
async fn views_of_another_log_are_shown_by_nobody_who_is_ready() {
    let world = World::start().await;
    let mut config = world.place().config();
    let folder = built();
    config.ui = Some(folder.clone());
    let servers = Servers::connect(&config).await.unwrap();
    let address = free_address().await;
    let part = Part::run(servers.clone(), roles::one(&config, &servers, Service::Core, address, None, None).await.unwrap());
    let (all, core) = (Client::new(&world.base), Client::new(&format!("http://{address}")));
    for client in [&all, &core] {
        client.until("/ready", |ready| ready["views"] == true && ready["of_this_log"] == true).await;
    }
    let beyond = "UPDATE operations.positions SET positions = array_fill(9223372036854775807, ARRAY[16])";
    sqlx::query(beyond).execute(&world.servers.pool).await.unwrap();
    let (shown, told_of) = (all.get("/ready").await, core.get("/ready").await);
    assert_eq!((shown.status.as_u16(), &shown.body["views"], &shown.body["of_this_log"]), (503, &json!(false), &json!(false)));
    assert_eq!((told_of.status.as_u16(), &told_of.body["views"], &told_of.body["of_this_log"]), (200, &json!(true), &json!(false)));
    let told = world.with_role(Role::Operator, None).await.get("/api/core/projections").await.ok();
    for view in told["views"].as_array().unwrap() {
        assert_eq!(view["ahead"], view["view"].as_str().unwrap().starts_with("operations."), "{view}");
    }
    part.end().await;
    world.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// A desk under a name of its own: one service with one app, and accounts asked for through it.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_has_a_host_of_its_own() {
    let (world, folder) = (World::start().await, built());
    let mut config = world.place().config();
    (config.ui, config.core_url) = (Some(folder.clone()), Some(world.base.clone()));
    let servers = Servers::connect(&config).await.unwrap();
    let address = free_address().await;
    let part = Part::run(servers.clone(), roles::one(&config, &servers, Service::Supplier, address, None, None).await.unwrap());
    let base = format!("http://{address}");
    let token = world.supplier().await.cookie(ACCESS_COOKIE);
    let member = Client::new(&base).with_token(&base, &token);
    let get = async |path: &str| member.send(member.request(Method::GET, path).header("host", "supplier.example")).await;
    member.until("/ready", |_| true).await;

    let front = get("/").await;
    assert!(front.status.is_redirection() && front.headers["location"] == "/supplier", "{front:?}");
    for own in ["/supplier", "/supplier/launches/x", "/pkg/supplier/supplier.js", "/assets/base.css", "/api/supplier/launches"] {
        assert_eq!(get(own).await.status, 200, "{own}");
    }
    for other in [
        "/launches/x",
        "/sign-in",
        "/trips",
        "/employee",
        "/employee/bookings",
        "/admin",
        "/admin/logs",
        "/pkg/customer/customer.js",
        "/pkg/employee/employee.js",
        "/pkg/admin/admin.js",
        "/api/customer/launches",
        "/api/employee/bookings",
    ] {
        assert_eq!(get(other).await.status, 404, "{other}");
    }

    // Both what this service does and what it passes on is for its own pages only, under its own name.
    let rocket = json!({ "name": "Atlas VI", "range": "station", "rows": 5, "seats_per_row": 4 });
    let forgotten = json!({ "email": "nobody@example.org" });
    for (path, form, status) in [("/api/supplier/rockets", &rocket, 201_u16), ("/api/core/password/forgotten", &forgotten, 202)] {
        let ask = async |origin: &str| {
            let request = member.command(Method::POST, Uuid::new_v4(), path, form);
            member.send(request.header("host", "supplier.example").header("origin", origin)).await
        };
        assert_eq!(ask("https://supplier.example").await.status, status, "{path}");
        for foreign in
            ["https://customer.example", "https://supplier.example.evil.example", "https://evil.example", world.base.as_str(), "null"]
        {
            ask(foreign).await.refused(403, "foreign_origin");
        }
    }
    assert_eq!(get("/api/core/session").await.ok()["role"], "supplier");
    part.end().await;
    world.end().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// Everything apart: a process of its own would differ in nothing but its memory.
#[tokio::test(flavor = "multi_thread")]
async fn every_part_serves_alone_with_its_own_login_and_keys() {
    let _calm = OPEN_TRANSACTION.read().await;
    let place = Namespace::make().await;
    let setup_config = place.config();
    let setup = Servers::connect(&setup_config).await.unwrap();
    roles::migrate(&setup).await.unwrap();
    let keys = Keys::load(&place.keys).unwrap();
    let desk = App::new(&setup_config, &setup, keys, setup.executor(), false, CancellationToken::new()).unwrap();
    fleet(&desk.executor).await;
    let logins = Logins::make(&place).await;
    let core_address = free_address().await;
    let given = |part: &str, keys: &Path| -> Config {
        Given {
            postgres_url: logins.url(part),
            nats_url: place.nats_url.clone(),
            mongo_url: place.mongo_url.clone(),
            smtp_url: "smtp://127.0.0.1:9".to_owned(),
            keys: keys.to_owned(),
            prefix: place.prefix.clone(),
            core_url: Some(format!("http://{core_address}")),
            ..Given::default()
        }
        .into()
    };
    let mut parts = Vec::new();
    let personal = keys_for(&place, "personal", &PERSONAL);
    let servers = Servers::connect(&given("sequencer", &personal)).await.unwrap();
    roles::check_schema(&servers).await.unwrap();
    let mut sequencer = Roles::new(&servers, None).unwrap();
    sequencer.sequence(&servers);
    parts.push(Part::run(servers, sequencer));
    for projection in Projection::ALL {
        let servers = Servers::connect(&given(&format!("project_{projection}"), &personal)).await.unwrap();
        roles::check_schema(&servers).await.unwrap();
        let mut projector = Roles::new(&servers, None).unwrap();
        projector.project(&servers, projection);
        parts.push(Part::run(servers, projector));
    }
    let config = given("scheduler", &personal);
    let servers = Servers::connect(&config).await.unwrap();
    roles::check_schema(&servers).await.unwrap();
    let mut scheduler = Roles::new(&servers, None).unwrap();
    scheduler.schedule(&servers, &config, servers.executor(), "smtp://127.0.0.1:9", "http://127.0.0.1").unwrap();
    parts.push(Part::run(servers, scheduler));
    let checking = keys_for(&place, "checking", &CHECKING);
    let mut bases = Vec::new();
    for service in Service::ALL {
        let (keys, address) = if service == Service::Core { (&place.keys, core_address) } else { (&checking, free_address().await) };
        let config = given(service.as_str(), keys);
        let servers = Servers::connect(&config).await.unwrap();
        roles::check_schema(&servers).await.unwrap();
        let roles = roles::one(&config, &servers, service, address, None, None).await.unwrap();
        parts.push(Part::run(servers, roles));
        bases.push(format!("http://{address}"));
    }
    let [customers, suppliers, employees, core] = bases.try_into().unwrap();

    let signed_in = async |base: &str, role: Role| {
        let (id, now) = (new_id(), Timestamp::now());
        if role == Role::Customer {
            let register = customer::Command::Register { now };
            desk.executor.execute::<Customer>(&CustomerId(id.0), register, &crate::world::step("register")).await.unwrap();
        }
        let supplier = (role == Role::Supplier).then_some(SUPPLIER);
        let email = Email::new(&format!("{}@example.org", id.0.simple())).unwrap();
        let holder = Holder { name: line("Ada Lovelace"), email };
        let new = NewAccount { id, holder, password: String::new(), role, supplier, state: AccountState::Active };
        desk.accounts.add(new, now).await.unwrap();
        let issued = desk.sessions.start(id, role, now).await.unwrap();
        let bearer = Bearer { account: id, role, supplier, session: issued.session, enrolling: false };
        Client::new(base).with_token(base, &desk.tokens.sign(bearer, now).unwrap())
    };

    // Customers: find, hold, name, pay, with accounts asked for through the service's own address.
    let (launch, slug) = schedule(&desk.executor, Flight::default()).await;
    let ada = signed_in(&customers, Role::Customer).await;
    ada.until(&format!("/api/customer/launches/{slug}"), |_| true).await;
    assert_eq!(ada.get("/api/core/session").await.ok()["role"], "customer");
    let booking = book(&ada, &slug.to_string(), &["2C"]).await;
    ada.until(&format!("/api/customer/bookings/{booking}"), |trip| trip["booking"]["status"] == "confirmed").await;
    // Suppliers and employees see it; operators see the log move.
    let supplier = signed_in(&suppliers, Role::Supplier).await;
    supplier.until("/api/supplier/launches", |page| page["items"][0]["id"] == launch.to_string()).await;
    supplier.get("/api/supplier/summary").await.ok();
    let employee = signed_in(&employees, Role::Employee).await;
    employee.until(&format!("/api/employee/bookings/{booking}"), |trip| trip["booking"]["id"] == booking.to_string()).await;
    employee.until("/api/employee/journal", |journal| journal["lines"]["total"].as_u64() >= Some(2)).await;
    let operator = signed_in(&core, Role::Operator).await;
    operator.get("/api/core/projections").await.ok();
    for base in [&customers, &suppliers, &employees, &core] {
        Client::new(base).until("/ready", |ready| ready["views"] == true).await;
    }

    // A customer is nobody at another service, and what a service does not have it does not answer.
    let token = ada.cookie(ACCESS_COOKIE);
    for (base, path) in [(&employees, "/api/employee/bookings"), (&suppliers, "/api/supplier/launches")] {
        Client::new(base).with_token(base, &token).get(path).await.refused(401, "sign_in_required");
    }
    Client::new(&customers).get("/api/employee/bookings").await.refused(404, "not_found");
    // The core service down: the rest goes on, and says so.
    parts.pop().unwrap().end().await;
    let answer = ada.get("/api/core/session").await;
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    answer.refused(503, "unavailable");
    ada.get(&format!("/api/customer/launches/{slug}")).await.ok();

    for part in parts.into_iter().rev() {
        part.end().await;
    }
    drop(desk);
    for folder in [personal, checking] {
        std::fs::remove_dir_all(folder).unwrap();
    }
    place.drop(&setup).await;
    logins.drop().await;
}
