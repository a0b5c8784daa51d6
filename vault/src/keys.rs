//! The vault: each person's data key in a database of its own, and what is done with it.

use crate::{
    Master, PersonId, Place, VaultError,
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
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How long a request waits for a connection before it is told that the keys cannot be asked.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(2);
/// People asked for by one statement.
const PEOPLE_MAX: usize = 1_000;
/// Keys wrapped again by one step of a rotation.
const ROTATION_MAX: i64 = 500;
/// PostgreSQL's code for a database that does not exist.
const NO_DATABASE: &str = "3D000";
/// PostgreSQL's codes for a database that another process has just made.
const DATABASE_MADE: [&str; 2] = ["42P04", "23505"];

/// Seals and opens what is personal. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    pool: PgPool,
    master: Master,
    held: Held,
    sealing: Sealing,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("master", &self.0.master).finish_non_exhaustive()
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
    /// Over the keys' own database, with at most `connections`. Connects when it is first used.
    pub async fn connect(url: &str, connections: u32, master: Master) -> Result<Self, VaultError> {
        Self::with(url, connections, master, Sealing::On).await
    }

    /// The same, but what is sealed stays readable: for the control run of a test.
    #[doc(hidden)]
    pub async fn with(url: &str, connections: u32, master: Master, sealing: Sealing) -> Result<Self, VaultError> {
        let options = PgConnectOptions::from_str(url)?.application_name("astro vault").options([("jit", "off")]);
        let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(CONNECTION_WAIT_MAX).connect_lazy_with(options);
        Ok(Self(Arc::new(Inner { pool, master, held: Held::default(), sealing })))
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
        blind(&self.0.master.index, kind, text)
    }

    /// A digest of something personal that nobody else can make: to compare with, not to guess from.
    #[must_use]
    pub fn keyed(&self, digest: &[u8; 32]) -> [u8; 32] {
        let mut keyed = [0; 32];
        keyed.copy_from_slice(hmac::sign(&self.0.master.index, digest).as_ref());
        keyed
    }

    /// Wraps every data key that an older master key wrapped with the newest one; says how many. May be stopped and run again.
    pub async fn rotate(&self) -> Result<u64, VaultError> {
        let newest = self.0.master.newest;
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
                wrapped.push(self.0.master.wrap(&self.0.master.unwrap(*master, old)?)?);
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
        let wrapped = self.0.master.wrap(&cipher::random()?)?;
        sqlx::query("INSERT INTO data_keys (person, wrapped, master) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING")
            .bind(person.0)
            .bind(wrapped)
            .bind(self.0.master.newest)
            .execute(&self.0.pool)
            .await?;
        // Another process may have made one first: what is stored counts.
        match self.find(person).await? {
            Found::Key(key) => Ok(key),
            Found::Erased => Err(VaultError::Erased),
            Found::None => Err(VaultError::KeyMissing),
        }
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
                        let key = Arc::new(self.0.master.unwrap(master, &wrapped)?);
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
