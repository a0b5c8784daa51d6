//! Everything the handlers of a process share. Cheap to clone.

use crate::tls::{self, Tls};
use crate::{
    audit::Trail,
    config::Config,
    core::{
        account::Accounts,
        device::Devices,
        erase::Erasure,
        link::Links,
        password::Passwords,
        rebuilds::Rebuilds,
        session::Sessions,
        throttle::{Mails, Throttle},
        token::{Service, Tokens},
    },
    customer::live::{Live, ReadPage},
    kept::Kept,
    keys::{self, Keys},
    logs::live::Watchers,
    mongo,
    policies::InForce,
    problem::{Answer, ApiError},
    web::limits::Limits as AskLimits,
};
use anyhow::{Context, Result};
use commands::{
    Executor, Limits, StreamVersion, Wake,
    clock::{Clock, SystemClock},
};
use contract::{CustomerId, LaunchId, Slug, launch::LaunchPage};
use domain::{customer::Customer, slug::SlugClaim};
use futures::FutureExt;
use nats::{Bus, Feed};
use projections::{CustomerViews, Databases, FinanceViews, Freshness, OperationsViews, ReadFault};
use scheduler::{
    Mailbox, Notifications,
    payment::{Gateway, TestGateway},
};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vault::Vault;

/// Slugs whose launch is remembered; a claim is for ever, so this is never wrong.
const SLUGS_MAX: usize = 50_000;
/// How long it is remembered whether a customer is a VIP.
const VIP_FOR: Duration = Duration::from_secs(5);
/// For how many customers.
const VIPS_MAX: usize = 50_000;
/// Connections to the database of the keys of persons; each key is asked for once in a few seconds.
const VAULT_CONNECTIONS: u32 = 4;
/// Connections of the payment provider, which finds all by its key: planning was half of what it cost.
const GATEWAY_CONNECTIONS: u32 = 4;
/// How far behind the log views may be and still count as caught up, in events.
const CAUGHT_UP_WITHIN: u64 = 1_000;

/// How views stand to the log.
#[derive(Debug, Clone, Copy)]
pub struct ViewsStand {
    /// None is far behind what is written.
    pub caught_up: bool,
    /// None has read another log than this, as when an older one was put back.
    pub of_this_log: bool,
}

/// Connections to the servers, for any role.
#[derive(Debug, Clone)]
pub struct Servers {
    /// The event store, for an executor alone, so that nothing else keeps commands waiting.
    pub appending: PgPool,
    /// The event store and the Postgres views, for everything else that is waited for.
    pub pool: PgPool,
    /// The same for what follows the log and finds all by its key: an answer on one of these connections is noticed by threads that may have
    /// to wait.
    following: PgPool,
    /// The bus.
    pub bus: Bus,
    /// The log.
    pub feed: Feed,
    /// MongoDB.
    pub mongo: mongo::Mongo,
    /// Where views are kept.
    pub databases: Databases,
    /// Rings the sequencer.
    pub wake: Wake,
    /// The keys of persons; none in a process that was given no master key, such as a projector.
    pub vault: Option<Vault>,
    /// What encrypts the connections of this process; none where they stay on this machine.
    pub tls: Option<Tls>,
}

impl Servers {
    /// Connects to all of them.
    pub async fn connect(config: &Config) -> Result<Self> {
        let tls = Tls::load(config)?;
        let url = tls::postgres_url("ASTRO_POSTGRES_URL", config.postgres_url()?, tls.as_ref())?;
        let (nats, mongo) = (config.nats_url()?, config.mongo_url()?);
        let third = config.postgres_connections / 3;
        let down = "ASTRO_POSTGRES_URL: Postgres cannot be reached";
        let pool = commands::connect(&url, config.postgres_connections - 2 * third).await.context(down)?;
        let following = commands::connect_by_key(&url, third).await.context(down)?;
        let appending = commands::connect_by_key(&url, third).await.context(down)?;
        let over = tls::nats("ASTRO_NATS_URL", nats, tls.as_ref())?;
        let bus = Bus::connect_over(nats, &config.prefix, over).await.context("ASTRO_NATS_URL: NATS cannot be used")?;
        let mongo = mongo::connect(mongo, &config.prefix, tls.as_ref()).await?;
        let feed = Feed::new(pool.clone(), Some(bus.clone()));
        let databases = Databases::new(pool.clone(), &mongo.client, &config.prefix, feed.clone());
        let vault = match config.keys() {
            Ok(folder) => {
                let url = tls::postgres_url("ASTRO_VAULT_URL", &config.vault_url()?, tls.as_ref())?;
                let folder = folder.to_owned();
                Some(Vault::connect(&url, VAULT_CONNECTIONS, Box::new(move || Ok(keys::master(&folder)?)))?)
            }
            Err(_) => None,
        };
        Ok(Self { appending, pool, following, wake: Wake::over(bus.clone()), bus, feed, mongo, databases, vault, tls })
    }

    /// The same servers for what follows the log.
    pub(crate) fn behind(&self) -> Self {
        let (pool, bus) = (self.following.clone(), self.bus.clone());
        let feed = Feed::new(pool.clone(), Some(bus)).giving_way_in(self.feed.rush().clone());
        Self { databases: self.databases.over(pool.clone(), feed.clone()), pool, feed, ..self.clone() }
    }

    /// The keys of persons, where this process has a master key.
    pub fn vault(&self) -> Result<&Vault> {
        self.vault.as_ref().context("ASTRO_KEYS is not set: say in which folder the master key of personal data is kept")
    }

    /// Starts an executor of this process.
    #[must_use]
    pub fn executor(&self) -> Executor {
        Executor::start(self.appending.clone(), self.wake.clone(), Limits::default())
    }
}

/// What pages read.
#[derive(Debug, Clone)]
pub struct Views {
    /// Of customers and visitors.
    pub customer: CustomerViews,
    /// Of the desks.
    pub operations: OperationsViews,
    /// Of money.
    pub finance: FinanceViews,
}

/// The shared parts.
#[derive(Debug)]
pub struct Shared {
    /// The event store, to read.
    pub pool: PgPool,
    /// The log.
    pub feed: Feed,
    /// Puts commands.
    pub executor: Executor,
    /// Seals and opens what is personal.
    pub vault: Vault,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The policies in force.
    pub policies: InForce,
    /// Access tokens.
    pub tokens: Tokens,
    /// Passwords.
    pub passwords: Passwords,
    /// Accounts.
    pub accounts: Accounts,
    /// Forgets people.
    pub erasure: Erasure,
    /// Links in mails.
    pub links: Links,
    /// Sessions.
    pub sessions: Sessions,
    /// Devices that accounts signed in from.
    pub devices: Devices,
    /// Bounds the mails that strangers can cause.
    pub mails: Mails,
    /// Slows guessing down.
    pub throttle: Throttle,
    /// How often one may ask.
    pub limits: AskLimits,
    /// Who watches the log.
    pub watchers: Watchers,
    /// Who did what from where.
    pub trail: Trail,
    /// What pages read.
    pub views: Views,
    /// Where views are kept.
    pub databases: Databases,
    /// Rebuilds of views that operators started here.
    pub rebuilds: Rebuilds,
    /// The payment provider.
    pub gateway: Arc<dyn Gateway>,
    /// Mails to be sent and sent.
    pub notifications: Notifications,
    /// The development mailbox, where it is on.
    pub mailbox: Option<Mailbox>,
    /// The system data.
    pub system: mongodb::Database,
    /// Who looks at which launch.
    pub live: Live,
    /// Ends streams when the process stops.
    pub stop: CancellationToken,
    /// Held while the log is verified: once at a time is enough.
    pub verifying: tokio::sync::Mutex<()>,
    slugs: RwLock<HashMap<Slug, LaunchId>>,
    vips: Kept<CustomerId, bool>,
}

/// See [`Shared`].
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// For the services of this process; `stop` ends open streams. `mailbox` says whether the development mailbox is on.
    pub fn new(config: &Config, servers: &Servers, keys: Keys, executor: Executor, mailbox: bool, stop: CancellationToken) -> Result<Self> {
        let keys = Arc::new(keys);
        let system = servers.mongo.system.clone();
        let views = Views {
            customer: CustomerViews::new(&servers.databases),
            operations: OperationsViews::new(&servers.databases),
            finance: FinanceViews::new(&servers.databases),
        };
        let reader = views.customer.clone();
        let read: ReadPage = Arc::new(move |launch: LaunchId| {
            let reader = reader.clone();
            async move { page_now(&reader, &launch.to_string()).await.ok().flatten() }.boxed()
        });
        Ok(Self(Arc::new(Shared {
            pool: servers.pool.clone(),
            feed: servers.feed.clone(),
            vault: servers.vault()?.clone(),
            clock: Arc::new(SystemClock),
            policies: InForce::new(executor.clone()),
            tokens: Tokens::new(&keys),
            devices: Devices::new(&keys),
            passwords: Passwords::new(keys)?,
            accounts: Accounts::new(&system, servers.vault()?.clone()),
            erasure: Erasure::new(servers)?,
            links: Links::new(&system),
            mails: Mails::default(),
            sessions: Sessions::new(&system),
            throttle: Throttle::default(),
            trail: Trail::new(&system),
            limits: AskLimits::new(config.limits),
            watchers: Watchers::default(),
            views,
            databases: servers.databases.clone(),
            rebuilds: Rebuilds::default(),
            gateway: Arc::new(TestGateway::new(&commands::beside(&servers.appending, GATEWAY_CONNECTIONS))),
            notifications: Notifications::new(&system, servers.vault()?.clone()),
            mailbox: if mailbox { Some(Mailbox::new(&system, servers.vault()?.clone())) } else { None },
            live: Live::new(read),
            executor,
            system,
            stop,
            verifying: tokio::sync::Mutex::default(),
            slugs: RwLock::default(),
            vips: Kept::new(VIP_FOR, VIPS_MAX),
        })))
    }

    /// The launch with this slug or id. An id is not looked up: the launch itself says when there is none.
    pub async fn launch_id(&self, text: &str) -> Answer<LaunchId> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let slug: Slug = text.parse().map_err(|_| ApiError::not_found())?;
        if let Some(known) = self.slugs.read().unwrap_or_else(PoisonError::into_inner).get(&slug) {
            return Ok(*known);
        }
        let SlugClaim::Claimed { launch } = self.executor.load::<SlugClaim>(&slug).await?.state else { return Err(ApiError::not_found()) };
        let mut slugs = self.slugs.write().unwrap_or_else(PoisonError::into_inner);
        if slugs.len() >= SLUGS_MAX {
            slugs.clear();
        }
        slugs.insert(slug, launch);
        Ok(launch)
    }

    /// Whether a customer is a VIP, or was a few seconds ago.
    pub async fn is_vip(&self, customer: CustomerId) -> Answer<bool> {
        if let Some(known) = self.vips.get(&customer) {
            return Ok(known);
        }
        let vip = self.executor.load::<Customer>(&customer).await?.state.is_vip();
        self.vips.put(customer, vip);
        Ok(vip)
    }

    /// The page of a launch by slug or id, from the customers' view.
    pub async fn page_of(&self, launch: &str) -> Answer<LaunchPage> {
        page_now(&self.views.customer, launch).await?.ok_or_else(ApiError::not_found)
    }

    /// Whether the customers' views show what is asked for, after waiting for it a little. While the log cannot be asked they count as older:
    /// they are still shown.
    pub async fn customer_freshness(&self, at_least: Option<&StreamVersion>) -> Freshness {
        self.views.customer.freshness(at_least.map(StreamVersion::parts)).await.unwrap_or(Freshness::Stale)
    }

    /// The same of the desks' views.
    pub async fn operations_freshness(&self, at_least: Option<&StreamVersion>) -> Freshness {
        self.views.operations.freshness(at_least.map(StreamVersion::parts)).await.unwrap_or(Freshness::Stale)
    }

    /// The same of the views of money.
    pub async fn finance_freshness(&self, at_least: Option<&StreamVersion>) -> Freshness {
        self.views.finance.freshness(at_least.map(StreamVersion::parts)).await.unwrap_or(Freshness::Stale)
    }

    /// The same of what is read from the desks' views and from those of money.
    pub async fn desk_freshness(&self, at_least: Option<&StreamVersion>) -> Freshness {
        let (operations, finance) = tokio::join!(self.operations_freshness(at_least), self.finance_freshness(at_least));
        operations.max(finance)
    }

    /// The same of the log itself: whether the event asked for has its place in it.
    pub async fn log_freshness(&self, at_least: Option<&StreamVersion>) -> Freshness {
        let Some((stream_type, stream_id, sequence)) = at_least.map(StreamVersion::parts) else { return Freshness::Fresh };
        let deadline = Instant::now() + projections::WAIT_MAX;
        match self.feed.await_position(stream_type, stream_id, sequence, deadline).await {
            Ok(Some(_)) => Freshness::Fresh,
            Ok(None) | Err(_) => Freshness::Stale,
        }
    }

    /// How the views stand that these services show.
    pub async fn views_stand(&self, services: &[Service]) -> Result<ViewsStand> {
        let shows = |of: &[Service]| services.iter().any(|service| of.contains(service));
        let (desks, books) = (shows(&[Service::Supplier, Service::Employee, Service::Core]), shows(&[Service::Employee, Service::Core]));
        let head = self.feed.head().await?;
        let (customer, operations, finance) = tokio::try_join!(
            async { if shows(&[Service::Customer, Service::Core]) { self.views.customer.position().await } else { Ok(head) } },
            async { if desks { self.views.operations.position().await } else { Ok(head) } },
            async { if books { self.views.finance.position().await } else { Ok(head) } },
        )?;
        let last = customer.min(operations).min(finance);
        let furthest = customer.max(operations).max(finance);
        let unsequenced = commands::sequence::status(&self.pool).await?.unsequenced;
        Ok(ViewsStand {
            caught_up: unsequenced.max(head.saturating_sub(last)) <= CAUGHT_UP_WITHIN,
            of_this_log: furthest <= head || furthest <= self.feed.head().await?,
        })
    }
}

async fn page_now(views: &CustomerViews, launch: &str) -> Result<Option<LaunchPage>, ReadFault> {
    let stale = views.freshness(None).await?.is_stale();
    Ok(views.launch(launch).await?.map(|page| LaunchPage { stale, ..page }))
}
