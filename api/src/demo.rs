//! Demo accounts, and demo sales made through commands like any others, so that pages, charts and the journal have something to show.
//! Asking twice makes nothing twice.

use crate::{
    app::Servers,
    core::{
        account::{Account, Accounts, Holder, NewAccount, new_id},
        password::{Checked, Passwords},
        totp,
    },
    import,
    keys::{Keys, hex},
    personal,
    problem::ApiError,
};
use anyhow::{Context, Result};
use commands::{
    Ask, Done, Executor, Failure,
    ask::digest,
    clock::{Clock, SystemClock},
};
use contract::{
    BookingId, CustomerId, Email, LaunchId, Line, Passenger, Phone, RefundId, Seat, SupplierId,
    account::{AccountState, Role},
};
use domain::{
    Actor,
    customer::{self, Customer},
    id::AccountId,
    launch::{self, Launch},
    policy::Policies,
};
use jiff::{Timestamp, civil::date};
use scheduler::payment::{self, PayError, PaymentCard, TestGateway};
use serde::Serialize;
use sqlx::Row;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;
use vault::Vault;

/// Names everything the demo makes.
const NAMESPACE: Uuid = Uuid::from_u128(0x0a57_0de3_0000_4000_8000_0000_0000_0001);
/// The supplier the demo supplier belongs to, by its code in the catalogue.
const SUPPLIER_CODE: &str = "SPX";
/// Launches that are sold on: few, so that some fill up.
const LAUNCHES_MAX: usize = 40;
/// Customers who buy.
const CUSTOMERS: u32 = 60;
/// The first bookings are the demo customer's own.
const OWN_BOOKINGS: u32 = 2;

const PEOPLE: &[(&str, &str)] = &[
    ("Amara Okafor", "amara"),
    ("Bjorn Lindqvist", "bjorn"),
    ("Chiara Moretti", "chiara"),
    ("Daniel Achterberg", "daniel"),
    ("Elif Yilmaz", "elif"),
    ("Farid Rahimi", "farid"),
    ("Grace Mbeki", "grace"),
    ("Hana Sato", "hana"),
    ("Ivan Petrov", "ivan"),
    ("Jun Park", "jun"),
    ("Katarzyna Nowak", "katarzyna"),
    ("Luis Herrera", "luis"),
    ("Mei Chen", "mei"),
    ("Noah Fischer", "noah"),
    ("Olivia Grant", "olivia"),
    ("Priya Raman", "priya"),
    ("Quentin Dubois", "quentin"),
    ("Rosa Jimenez", "rosa"),
];

/// A demo account, as printed.
#[derive(Serialize)]
pub struct SignIn {
    role: Role,
    email: String,
    password: String,
    /// Base 32, of those whose role needs a second factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    totp_secret: Option<String>,
}

/// What the demo sold.
#[derive(Debug, Default, Clone, Copy)]
pub struct Sold {
    /// Bookings confirmed.
    pub confirmed: u32,
    /// Of those, cancelled again.
    pub cancelled: u32,
    /// Left unpaid.
    pub held: u32,
}

const ACCOUNTS: &[(Role, &str, &str)] = &[
    (Role::Customer, "ada", "Ada Lovelace"),
    (Role::Supplier, "supplier", "Sam Rivers"),
    (Role::Employee, "employee", "Erin Blake"),
    (Role::Operator, "operator", "Otto Weiss"),
    (Role::Auditor, "auditor", "Aude Martin"),
];

/// Makes the demo accounts; all have the same password.
pub async fn accounts(servers: &Servers, executor: &Executor, keys: Keys, password: &str) -> Result<Vec<SignIn>> {
    let passwords = Passwords::new(Arc::new(keys))?;
    let accounts = Accounts::new(&servers.mongo.system, servers.vault()?.clone());
    let mut made = Vec::with_capacity(ACCOUNTS.len());
    for (role, word, name) in ACCOUNTS {
        let email = Email::new(&format!("{word}@demo.astro.example"))?;
        let hash = || async { passwords.hash(password).await.map_err(|error| anyhow::anyhow!("hash the password: {error:?}")) };
        let failed = |what: &'static str| move |error: ApiError| anyhow::anyhow!("{what}: {error:?}");
        let now = SystemClock.now();
        let account = match accounts.by_email(&email).await? {
            None => {
                let supplier = (*role == Role::Supplier).then(supplier);
                let id = new_id();
                if *role == Role::Customer {
                    register(executor, CustomerId(id.0), now).await?;
                }
                let holder = Holder { name: Line::new(name)?, email: email.clone() };
                let new = NewAccount { id, holder, password: hash().await?, role: *role, supplier, state: AccountState::Active };
                accounts.add(new, now).await.map_err(failed("add an account"))?
            }
            Some(known) => {
                let checked = passwords.check(password, known.password()).await;
                if checked.map_err(failed("check the password"))? != Checked::Right {
                    accounts.rehash(&known, &hash().await?).await?;
                }
                known
            }
        };
        let totp_secret = if role.is_staff() { Some(factor(&accounts, &account, now).await?) } else { None };
        made.push(SignIn { role: *role, email: email.to_string(), password: password.to_owned(), totp_secret });
    }
    Ok(made)
}

/// Makes this many further customers, who sign in with `password`: for measuring.
pub async fn customers(servers: &Servers, executor: &Executor, keys: Keys, password: &str, count: u32) -> Result<Vec<SignIn>> {
    let failed = |error: ApiError| anyhow::anyhow!("make a customer: {error:?}");
    let accounts = Accounts::new(&servers.mongo.system, servers.vault()?.clone());
    let hash = Passwords::new(Arc::new(keys))?.hash(password).await.map_err(failed)?;
    let mut made = Vec::new();
    for n in 0..count {
        let id = AccountId(Uuid::new_v5(&NAMESPACE, format!("further customer {n}").as_bytes()));
        let email = Email::new(&format!("customer.{n}@demo.astro.example"))?;
        if accounts.by_id(id).await?.is_none() {
            let now = SystemClock.now();
            register(executor, CustomerId(id.0), now).await?;
            let holder = Holder { name: Line::new(&format!("Customer {n}"))?, email: email.clone() };
            let state = AccountState::Active;
            let new = NewAccount { id, holder, password: hash.clone(), role: Role::Customer, supplier: None, state };
            accounts.add(new, now).await.map_err(failed)?;
        }
        made.push(SignIn { role: Role::Customer, email: email.to_string(), password: password.to_owned(), totp_secret: None });
    }
    Ok(made)
}

/// The secret of an account's second factor, base 32; made where there is none.
async fn factor(accounts: &Accounts, account: &Account, now: Timestamp) -> Result<String> {
    let failed = |error: ApiError| anyhow::anyhow!("the second factor of a demo account: {error:?}");
    if let Some(factor) = account.factor() {
        return Ok(totp::base_32(&accounts.secret(account.id(), factor).await.map_err(failed)?));
    }
    let secret = totp::secret()?;
    accounts.enrol(account.id(), &secret, now).await.map_err(failed)?;
    Ok(totp::base_32(&secret))
}

fn supplier() -> SupplierId {
    import::supplier_of_agency(SUPPLIER_CODE)
}

fn ask(name: &str) -> Ask {
    Ask::new(Uuid::new_v5(&NAMESPACE, name.as_bytes()), Actor::System, digest(&[name.as_bytes()]))
}

async fn register(executor: &Executor, customer: CustomerId, now: Timestamp) -> Result<()> {
    executor.execute::<Customer>(&customer, customer::Command::Register { now }, &ask(&format!("customer {customer}"))).await?;
    Ok(())
}

/// Makes `bookings` bookings on some launches of the catalogue.
pub async fn sell(servers: &Servers, executor: &Executor, keys: Keys, bookings: u32) -> Result<Sold> {
    let mut sold = Sold::default();
    let (mine, all) = launches(servers).await?;
    if all.is_empty() {
        return Ok(sold);
    }
    let accounts = Accounts::new(&servers.mongo.system, servers.vault()?.clone());
    let mut met = BTreeSet::new();
    // A password nobody knows: these accounts get mail and cannot sign in.
    let mut unknown = [0; 32];
    aws_lc_rs::rand::fill(&mut unknown).context("make a password")?;
    let locked =
        Passwords::new(Arc::new(keys))?.hash(&hex(&unknown)).await.map_err(|error| anyhow::anyhow!("hash a password: {error:?}"))?;
    let own = accounts.by_email(&Email::new("ada@demo.astro.example")?).await?;
    let gateway = TestGateway::new(&servers.pool);
    let policies = scheduler::policies::in_force(executor).await?;
    for n in 0..bookings {
        let customer = match &own {
            Some(own) if n < OWN_BOOKINGS => CustomerId(own.id().0),
            _ => buyer_id(n % CUSTOMERS),
        };
        let buyer = n % CUSTOMERS;
        if customer == buyer_id(buyer) && met.insert(buyer) {
            register(executor, customer, SystemClock.now()).await?;
            open(&accounts, customer, buyer, &locked).await?;
        }
        let from = if n % 3 == 0 && !mine.is_empty() { &mine } else { &all };
        let launch = from[pick(n, "launch", from.len())];
        let Some(booking) = hold(executor, &policies, launch, customer, n).await? else { continue };
        if n % 20 == 19 {
            sold.held += 1;
            continue;
        }
        if !pay(executor, servers.vault()?, &policies, &gateway, launch, booking, customer, n).await? {
            continue;
        }
        sold.confirmed += 1;
        if n % 15 == 7 && cancel(executor, launch, booking, customer, n).await? {
            sold.cancelled += 1;
        }
    }
    Ok(sold)
}

fn buyer_id(buyer: u32) -> CustomerId {
    CustomerId(Uuid::new_v5(&NAMESPACE, format!("customer {buyer}").as_bytes()))
}

/// The account of a buyer, to write to.
async fn open(accounts: &Accounts, customer: CustomerId, buyer: u32, locked: &str) -> Result<()> {
    let id = AccountId(customer.0);
    if accounts.by_id(id).await?.is_some() {
        return Ok(());
    }
    let (name, word) = PEOPLE[pick(buyer, "buyer", PEOPLE.len())];
    let email = Email::new(&format!("{word}.{buyer}@demo.astro.example"))?;
    let holder = Holder { name: Line::new(name)?, email };
    let new = NewAccount { id, holder, password: locked.to_owned(), role: Role::Customer, supplier: None, state: AccountState::Active };
    accounts.add(new, SystemClock.now()).await.map_err(|error| anyhow::anyhow!("add an account: {error:?}"))?;
    Ok(())
}

/// Launches to sell on: the demo supplier's, and anyone's; the soonest that are far enough away for a refund.
async fn launches(servers: &Servers) -> Result<(Vec<LaunchId>, Vec<LaunchId>)> {
    // From the events themselves: the views may not have been made yet.
    let rows = sqlx::query(
        "SELECT e.aggregate_id, e.payload->'plan'->>'supplier' FROM events e WHERE e.aggregate_type = 'launch' AND e.event_type = 'scheduled' \
         AND e.sequence = 1 AND (e.payload->'plan'->>'departs_at')::timestamptz > clock_timestamp() + interval '100 days' \
         ORDER BY e.payload->'plan'->>'departs_at', e.aggregate_id",
    )
    .fetch_all(&servers.pool)
    .await?;
    let (supplier, mut mine, mut all) = (supplier().to_string(), Vec::new(), Vec::new());
    for row in rows {
        let launch: LaunchId = row.try_get::<String, _>(0)?.parse().context("a launch's id")?;
        if all.len() < LAUNCHES_MAX {
            all.push(launch);
        }
        if mine.len() < LAUNCHES_MAX / 2 && row.try_get::<Option<String>, _>(1)?.as_deref() == Some(&supplier) {
            mine.push(launch);
        }
    }
    Ok((mine, all))
}

fn pick(n: u32, what: &str, of: usize) -> usize {
    let digest = digest(&[what.as_bytes(), &n.to_be_bytes()]);
    usize::from(u16::from_be_bytes([digest[0], digest[1]])) % of.max(1)
}

async fn hold(executor: &Executor, policies: &Policies, launch: LaunchId, customer: CustomerId, n: u32) -> Result<Option<BookingId>> {
    let ask = ask(&format!("hold {n}"));
    let booking = BookingId::derived(ask.command_id, "booking");
    let state = executor.load::<Launch>(&launch).await?.state;
    let Some(manifest) = state.manifest() else { return Ok(None) };
    let wanted = 1 + pick(n, "seats", 3);
    let seats: BTreeSet<Seat> = manifest
        .plan
        .cabin
        .places()
        .filter(|seat| manifest.plan.cabin.sells(*seat) && !manifest.taken.contains_key(seat))
        .take(wanted)
        .collect();
    let command =
        launch::Command::Hold { booking, customer, vip: false, seats, policies: Box::new(policies.clone()), now: SystemClock.now() };
    match executor.execute::<Launch>(&launch, command, &ask).await {
        Ok(_) => Ok(Some(booking)),
        Err(Failure::Refused(_)) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

fn passenger(n: u32, index: usize) -> Result<Passenger> {
    let (name, word) = PEOPLE[pick(n, &format!("name {index}"), PEOPLE.len())];
    let age = i16::try_from(pick(n, &format!("age {index}"), 35))?;
    Ok(Passenger {
        name: Line::new(name)?,
        email: Email::new(&format!("{word}@demo.astro.example"))?,
        phone: Phone::new("+1 321 555 0100")?,
        born: date(1970 + age, 6, 15),
    })
}

#[allow(clippy::too_many_arguments)] // what a sale is made of
async fn pay(
    executor: &Executor,
    vault: &Vault,
    policies: &Policies,
    gateway: &TestGateway,
    launch: LaunchId,
    booking: BookingId,
    customer: CustomerId,
    n: u32,
) -> Result<bool> {
    let state = executor.load::<Launch>(&launch).await?.state;
    let seats =
        state.manifest().and_then(|manifest| manifest.bookings.get(&booking)).map(|booking| booking.seats.clone()).unwrap_or_default();
    let now = SystemClock.now();
    let mut passengers = BTreeMap::new();
    for (index, seat) in seats.into_iter().enumerate() {
        passengers.insert(seat, passenger(n, index)?);
    }
    let passengers = personal::seal(vault, launch, booking, customer, passengers).await?;
    let command = launch::Command::NamePassengers { booking, customer, passengers, policies: Box::new(policies.clone()), now };
    match executor.execute::<Launch>(&launch, command, &ask(&format!("passengers {n}"))).await {
        Ok(_) => {}
        Err(Failure::Refused(_)) => return Ok(false),
        Err(failure) => return Err(failure.into()),
    }
    let year = now.to_zoned(jiff::tz::TimeZone::UTC).year() + 2;
    let card = PaymentCard::parse("4242 4242 4242 4242", &format!("12/{year}"), "123", now)?;
    let order = payment::Order { launch, booking, customer, card };
    match payment::pay(executor, gateway, &SystemClock, order, &ask(&format!("pay {n}"))).await {
        Ok(paid) => Ok(paid.confirmed),
        Err(PayError::Failed(Failure::Refused(_)) | PayError::Declined { .. } | PayError::Unknown { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn cancel(executor: &Executor, launch: LaunchId, booking: BookingId, customer: CustomerId, n: u32) -> Result<bool> {
    let ask = ask(&format!("cancel {n}"));
    let now = SystemClock.now();
    let state = executor.load::<Launch>(&launch).await?.state;
    let Ok(quote) = state.quote(booking, customer, None, now) else { return Ok(false) };
    let command = launch::Command::CancelBooking {
        booking,
        customer,
        refund: RefundId::derived(ask.command_id, "refund"),
        quoted: quote.refund,
        now,
    };
    match executor.execute::<Launch>(&launch, command, &ask).await {
        Ok(Done { .. }) => Ok(true),
        Err(Failure::Refused(_)) => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}
