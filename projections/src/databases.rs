//! The databases of the views, and which views are in which. Connecting is left to the caller.

use crate::{
    accounts::LaunchAccount,
    bookings::BookingDocument,
    guards::{Guards, Trial},
    lane::{AnyLane, Lane},
    launches::LaunchDocument,
    local::Local,
    store::{MongoStore, PostgresStore, Store, StoreFault, Table},
};
use contract::fleet::{Rocket, Spaceport, Supplier};
use nats::Feed;
use sqlx::PgPool;
use std::sync::Arc;

/// Views that are kept in one database and advance together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Projection {
    /// What customers and visitors see, in MongoDB.
    Customer,
    /// What suppliers and employees work with, in Postgres.
    Operations,
    /// Money, in Postgres.
    Finance,
}

/// The launches, bookings, suppliers, rockets and spaceports.
const CATALOGUE: &[&str] = &["launches", "bookings", "suppliers", "rockets", "spaceports"];

impl Projection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Operations, Self::Finance];

    /// Its name, for instance in `customer.launches`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operations => "operations",
            Self::Finance => "finance",
        }
    }

    /// The names of its views.
    #[must_use]
    pub fn views(self) -> &'static [&'static str] {
        match self {
            Self::Customer | Self::Operations => CATALOGUE,
            Self::Finance => &["journal"],
        }
    }

    /// The lane that folds into `table`.
    pub(crate) fn lane(self, table: Table, Guards { once, .. }: Guards) -> Option<Box<dyn AnyLane>> {
        Some(match (self, table.view) {
            (Self::Customer | Self::Operations, "launches") => Box::new(Lane::<LaunchDocument>::new(table, once)),
            (Self::Customer | Self::Operations, "bookings") => Box::new(Lane::<BookingDocument>::new(table, once)),
            (Self::Customer | Self::Operations, "suppliers") => Box::new(Lane::<Supplier>::new(table, once)),
            (Self::Customer | Self::Operations, "rockets") => Box::new(Lane::<Rocket>::new(table, once)),
            (Self::Customer | Self::Operations, "spaceports") => Box::new(Lane::<Spaceport>::new(table, once)),
            (Self::Finance, "journal") => Box::new(Lane::<LaunchAccount>::new(table, once)),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no projection or view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no view {0}; the views are {list}", list = ViewName::list())]
pub struct UnknownView(pub String);

impl std::str::FromStr for Projection {
    type Err = UnknownView;
    fn from_str(text: &str) -> Result<Self, UnknownView> {
        Self::ALL.into_iter().find(|projection| projection.as_str() == text).ok_or_else(|| UnknownView(text.to_owned()))
    }
}

/// Names a view: `customer.launches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ViewName {
    /// In which projection.
    pub projection: Projection,
    /// Which of its views.
    pub view: &'static str,
}

impl ViewName {
    /// Every view.
    pub fn all() -> impl Iterator<Item = Self> {
        Projection::ALL.into_iter().flat_map(|projection| projection.views().iter().map(move |view| Self { projection, view }))
    }
    fn list() -> String {
        Self::all().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for ViewName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.projection, self.view)
    }
}

impl std::str::FromStr for ViewName {
    type Err = UnknownView;
    fn from_str(text: &str) -> Result<Self, UnknownView> {
        Self::all().find(|name| name.to_string() == text).ok_or_else(|| UnknownView(text.to_owned()))
    }
}

/// Where the log is read and the views are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Databases {
    pub(crate) pool: PgPool,
    pub(crate) mongo: MongoStore,
    pub(crate) feed: Feed,
    pub(crate) local: Local,
    pub(crate) trial: Trial,
}

impl Databases {
    /// The Postgres database of the installation, MongoDB with the prefix of its databases' names, and the log.
    #[must_use]
    pub fn new(pool: PgPool, mongo: &mongodb::Client, prefix: &str, feed: Feed) -> Self {
        let mongo = MongoStore::new(mongo, &format!("{prefix}_customer"));
        Self { pool, mongo, feed, local: Local::default(), trial: Trial::default() }
    }

    /// The same over other connections to Postgres. What is kept up to date by one is told to readers of the other.
    #[must_use]
    pub fn over(&self, pool: PgPool, feed: Feed) -> Self {
        Self { pool, feed, ..self.clone() }
    }

    /// The same, with faults that a test makes. What is kept up to date here is not told to readers in the same process.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn on_trial(&self, trial: Trial) -> Self {
        let Self { pool, mongo, feed, .. } = self.clone();
        Self { pool, mongo: mongo.on_trial(trial.clone()), feed, local: Local::default(), trial }
    }

    /// The log.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Where the views of a projection are kept.
    #[must_use]
    pub fn store(&self, projection: Projection) -> Arc<dyn Store> {
        let postgres = |schema| PostgresStore::new(self.pool.clone(), schema).on_trial(self.trial.clone());
        let store: Arc<dyn Store> = match projection {
            Projection::Customer => Arc::new(self.mongo.clone()),
            Projection::Operations => Arc::new(postgres(crate::operations::SCHEMA)),
            Projection::Finance => Arc::new(postgres(crate::finance::SCHEMA)),
        };
        match &self.trial.store {
            Some(wrap) => wrap(store),
            None => store,
        }
    }
}

/// Setting the views up failed.
#[derive(Debug, thiserror::Error)]
pub enum PrepareFault {
    /// The schema could not be brought up to date.
    #[error("migrate the views")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Brings the databases of the views up to date and sets up what is missing, empty. Runs as often as one likes.
pub async fn prepare(databases: &Databases) -> Result<(), PrepareFault> {
    let mut migrator = sqlx::migrate!("./migrations");
    // The event store keeps its migrations in the same table.
    migrator.set_ignore_missing(true);
    migrator.run(&databases.pool).await?;
    for projection in Projection::ALL {
        databases.store(projection).prepare(projection.views()).await?;
    }
    Ok(())
}
