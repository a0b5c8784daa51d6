//! The vault: each person's data key in a database of its own, and what is done with it.

use crate::{
    Master, PersonId, Place, ReadMasters, VaultError,
    blind::blind,
    cipher::{self, DataKey},
    guards::Sealing,
    held::Held,
};
use aws_lc_rs::hmac;
use domain::sealed::{Blind, Sealed};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long a request waits for a connection before it is told that the keys cannot be asked.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(2);
/// People asked for by one statement.
const PEOPLE_MAX: usize = 1_000;
/// Keys wrapped again by one step of a rotation.
const ROTATION_MAX: i64 = 500;
/// The code of the trigger that keeps an older master key from wrapping anything.
const OUTDATED: &str = "AV001";
/// PostgreSQL's code for a database that does not exist.
const NO_DATABASE: &str = "3D000";
/// PostgreSQL's codes for a database that another process has just made.
const DATABASE_MADE: [&str; 2] = ["42P04", "23505"];

/// Seals and opens what is personal. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    pool: PgPool,
    masters: Masters,
    index: hmac::Key,
    held: Held,
    sealing: Sealing,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("master", &self.0.masters.known()).finish_non_exhaustive()
    }
}

/// The master keys as last read.
struct Masters {
    read: ReadMasters,
    known: RwLock<Arc<Master>>,
}

impl Masters {
    fn new(read: ReadMasters) -> Result<Self, VaultError> {
        let master = read().map_err(VaultError::Masters)?;
        Ok(Self { read, known: RwLock::new(Arc::new(master)) })
    }

    fn known(&self) -> Arc<Master> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads them again: others use one that is not known here.
    fn look(&self) -> Result<Arc<Master>, VaultError> {
        let master = Arc::new((self.read)().map_err(VaultError::Masters)?);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = master.clone();
        Ok(master)
    }

    /// Unwraps a data key that master key `number` wrapped.
    fn unwrap(&self, number: i32, wrapped: &[u8]) -> Result<DataKey, VaultError> {
        match self.known().unwrap(number, wrapped) {
            Err(VaultError::MasterMissing(_)) => self.look()?.unwrap(number, wrapped),
            unwrapped => unwrapped,
        }
    }
}

/// Where a person stands.
enum Found {
    Key(Arc<DataKey>),
    Erased,
    None,
}

type Row = (Uuid, Option<Vec<u8>>, Option<i32>, bool);

impl Vault {
    /// Over the keys' own database, with at most `connections`. Connects when it is first used. The master keys are read now, and again
    /// whenever others use one that is not known here.
    pub fn connect(url: &str, connections: u32, masters: ReadMasters) -> Result<Self, VaultError> {
        Self::with(url, connections, masters, Sealing::On)
    }

    /// The same, but what is sealed stays readable: for the control run of a test.
    #[doc(hidden)]
    pub fn with(url: &str, connections: u32, masters: ReadMasters, sealing: Sealing) -> Result<Self, VaultError> {
        let masters = Masters::new(masters)?;
        let index = masters.known().index.clone();
        let options = PgConnectOptions::from_str(url)?.application_name("astro vault").options([("jit", "off")]);
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(CONNECTION_WAIT_MAX).connect_lazy_with(options);
        Ok(Self(Arc::new(Inner { pool, masters, index, held: Held::default(), sealing })))
    }

    /// Brings the schema up to date; makes the database when it is missing and this role may.
    pub async fn migrate(&self) -> Result<(), VaultError> {
        let options = self.0.pool.connect_options();
        match PgConnection::connect_with(&options).await {
            Ok(connection) => connection.close().await?,
            Err(error) if code(&error).as_deref() == Some(NO_DATABASE) => make_database(&options).await?,
            Err(error) => return Err(error.into()),
        }
        Ok(sqlx::migrate!("./migrations").run(&self.0.pool).await?)
    }

    /// Whether the keys can be asked.
    pub async fn check(&self) -> Result<(), VaultError> {
        sqlx::query("SELECT 1 FROM data_keys LIMIT 1").execute(&self.0.pool).await?;
        Ok(())
    }

    /// Seals `value` under the key of `person`, who gets one here at first. Refused for an erased person.
    pub async fn seal<T: Serialize>(&self, person: PersonId, place: &Place<'_>, value: &T) -> Result<Sealed, VaultError> {
        let key = self.key_to_seal(person).await?;
        if !self.0.sealing.is_on() {
            return Ok(Sealed::plain(value));
        }
        cipher::seal(&key, &place.bytes(person), value)
    }

    /// Opens what was sealed for `person` in `place`. None: the person was erased.
    pub async fn open<T: DeserializeOwned>(&self, person: PersonId, place: &Place<'_>, sealed: &Sealed) -> Result<Option<T>, VaultError> {
        match self.find(person).await? {
            Found::Erased => Ok(None),
            found => read(&found, person, place, sealed).map(Some),
        }
    }

    /// Opens many by one statement, in the order asked. None: that person was erased.
    pub async fn open_many<T: DeserializeOwned>(&self, asked: &[(PersonId, Place<'_>, &Sealed)]) -> Result<Vec<Option<T>>, VaultError> {
        let people: HashSet<PersonId> = asked.iter().map(|(person, ..)| *person).collect();
        let known = self.find_many(&people).await?;
        let open = |(person, place, sealed): &(PersonId, Place<'_>, &Sealed)| match known.get(person).unwrap_or(&Found::None) {
            Found::Erased => Ok(None),
            found => read(found, *person, place, sealed).map(Some),
        };
        asked.iter().map(open).collect()
    }

    /// Which of these were erased.
    pub async fn erased(&self, people: &[PersonId]) -> Result<Vec<PersonId>, VaultError> {
        let known = self.find_many(&people.iter().copied().collect()).await?;
        Ok(known.into_iter().filter(|(_, found)| matches!(found, Found::Erased)).map(|(person, _)| person).collect())
    }

    /// Deletes the key of `person` for ever; what was sealed with it is gone. False when it was so already. Felt by other processes within
    /// five seconds. The installation itself is never erased.
    pub async fn erase(&self, person: PersonId) -> Result<bool, VaultError> {
        if person == PersonId::INSTALLATION {
            return Ok(false);
        }
        let erased = sqlx::query(
            "INSERT INTO data_keys AS known (person, wrapped, master, made_at, erased_at) VALUES ($1, NULL, NULL, NULL, clock_timestamp())
            ON CONFLICT (person) DO UPDATE SET wrapped = NULL, master = NULL, made_at = NULL, erased_at = clock_timestamp()
            WHERE known.erased_at IS NULL",
        )
        .bind(person.0)
        .execute(&self.0.pool)
        .await?;
        self.0.held.forget(person);
        Ok(erased.rows_affected() > 0)
    }

    /// The blind form of `text` among texts of its `kind`, such as `email`: upper and lower case make no difference.
    #[must_use]
    pub fn blind(&self, kind: &str, text: &str) -> Blind {
        blind(&self.0.index, kind, text)
    }

    /// A digest of something personal that nobody else can make: to compare with, not to guess from.
    #[must_use]
    pub fn keyed(&self, digest: &[u8; 32]) -> [u8; 32] {
        let mut keyed = [0; 32];
        keyed.copy_from_slice(hmac::sign(&self.0.index, digest).as_ref());
        keyed
    }

    /// Wraps every data key that an older master key wrapped with the newest one; says how many. From its beginning on no older one wraps
    /// anything, in whatever process. May be stopped and run again.
    pub async fn rotate(&self) -> Result<u64, VaultError> {
        let known = self.0.masters.known();
        let newest = known.newest;
        sqlx::query("UPDATE masters SET newest = $1 WHERE newest < $1").bind(newest).execute(&self.0.pool).await?;
        let mut done = 0;
        loop {
            let rows: Vec<(Uuid, Vec<u8>, i32)> =
                sqlx::query_as("SELECT person, wrapped, master FROM data_keys WHERE master <> $1 AND erased_at IS NULL LIMIT $2")
                    .bind(newest)
                    .bind(ROTATION_MAX)
                    .fetch_all(&self.0.pool)
                    .await?;
            if rows.is_empty() {
                return Ok(done);
            }
            let mut wrapped = Vec::with_capacity(rows.len());
            for (_, old, master) in &rows {
                wrapped.push(known.wrap(&known.unwrap(*master, old)?)?);
            }
            let (people, masters): (Vec<Uuid>, Vec<i32>) = rows.iter().map(|(person, _, master)| (*person, *master)).unzip();
            done += sqlx::query(
                "UPDATE data_keys known SET wrapped = new.wrapped, master = $4
                FROM unnest($1::uuid[], $2::int[], $3::bytea[]) AS new (person, master, wrapped)
                WHERE known.person = new.person AND known.master = new.master AND known.erased_at IS NULL",
            )
            .bind(people)
            .bind(masters)
            .bind(wrapped)
            .bind(newest)
            .execute(&self.0.pool)
            .await?
            .rows_affected();
        }
    }

    async fn key_to_seal(&self, person: PersonId) -> Result<Arc<DataKey>, VaultError> {
        match self.find(person).await? {
            Found::Key(key) => return Ok(key),
            Found::Erased => return Err(VaultError::Erased),
            Found::None => {}
        }
        let key = cipher::random()?;
        match self.keep(person, &key, &self.0.masters.known()).await {
            Err(VaultError::MasterOutdated(_)) => {
                let newer = self.0.masters.look()?;
                self.keep(person, &key, &newer).await?;
            }
            kept => kept?,
        }
        // Another process may have made one first: what is stored counts.
        match self.find(person).await? {
            Found::Key(key) => Ok(key),
            Found::Erased => Err(VaultError::Erased),
            Found::None => Err(VaultError::KeyMissing),
        }
    }

    /// Stores a key for a person who has none.
    async fn keep(&self, person: PersonId, key: &DataKey, master: &Master) -> Result<(), VaultError> {
        sqlx::query("INSERT INTO data_keys (person, wrapped, master) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING")
            .bind(person.0)
            .bind(master.wrap(key)?)
            .bind(master.newest)
            .execute(&self.0.pool)
            .await
            .map_err(
                |error| if code(&error).as_deref() == Some(OUTDATED) { VaultError::MasterOutdated(master.newest) } else { error.into() },
            )?;
        Ok(())
    }

    async fn find(&self, person: PersonId) -> Result<Found, VaultError> {
        let found = self.find_many(&HashSet::from([person])).await?.remove(&person);
        Ok(found.unwrap_or(Found::None))
    }

    async fn find_many(&self, people: &HashSet<PersonId>) -> Result<HashMap<PersonId, Found>, VaultError> {
        let mut known = HashMap::with_capacity(people.len());
        let mut missing = Vec::new();
        for person in people {
            match self.0.held.get(*person) {
                Some(key) => _ = known.insert(*person, Found::Key(key)),
                None => missing.push(person.0),
            }
        }
        for some in missing.chunks(PEOPLE_MAX) {
            let read_at = Instant::now();
            let rows: Vec<Row> =
                sqlx::query_as("SELECT person, wrapped, master, erased_at IS NOT NULL FROM data_keys WHERE person = ANY($1)")
                    .bind(some)
                    .fetch_all(&self.0.pool)
                    .await?;
            for (person, wrapped, master, erased) in rows {
                let person = PersonId(person);
                let found = match (wrapped, master) {
                    (Some(wrapped), Some(master)) if !erased => {
                        let key = Arc::new(self.0.masters.unwrap(master, &wrapped)?);
                        self.0.held.put(person, key.clone(), read_at);
                        Found::Key(key)
                    }
                    _ => Found::Erased,
                };
                known.insert(person, found);
            }
        }
        Ok(known)
    }
}

/// Opens with the key that was found; what was stored before there was a vault needs none.
fn read<T: DeserializeOwned>(found: &Found, person: PersonId, place: &Place<'_>, sealed: &Sealed) -> Result<T, VaultError> {
    if let Some(json) = sealed.as_plain() {
        return Ok(serde_json::from_str(json)?);
    }
    match found {
        Found::Key(key) => cipher::open(key, &place.bytes(person), sealed),
        Found::Erased | Found::None => Err(VaultError::KeyMissing),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

async fn make_database(options: &PgConnectOptions) -> Result<(), VaultError> {
    let name = options.get_database().unwrap_or_default().replace('"', "\"\"");
    let mut admin = PgConnection::connect_with(&options.clone().database("postgres")).await?;
    match sqlx::query(&format!("CREATE DATABASE \"{name}\"")).execute(&mut admin).await {
        Err(error) if !code(&error).is_some_and(|code| DATABASE_MADE.contains(&code.as_str())) => return Err(error.into()),
        _ => {}
    }
    Ok(admin.close().await?)
}
