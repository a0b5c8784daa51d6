//! The vault over a real database.
#![allow(clippy::unwrap_used, missing_docs)]

use futures::FutureExt;
use sqlx::{Connection, Executor as _, PgConnection};
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};
use uuid::Uuid;
use vault::{Blind, Master, PersonId, Place, Sealed, Vault, VaultError};

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];
const INDEX: [u8; 32] = [9; 32];

type Keys = Vec<(i32, [u8; 32])>;

/// A process over the database at `url`.
fn process(url: &str, keys: &[(i32, [u8; 32])]) -> Vault {
    process_beside(url, &Arc::new(Mutex::new(keys.to_vec())))
}

/// The same, whose master keys are those of a folder that may change.
fn process_beside(url: &str, folder: &Arc<Mutex<Keys>>) -> Vault {
    let folder = folder.clone();
    Vault::connect(url, 4, Box::new(move || Master::new(folder.lock().unwrap().clone(), &INDEX).ok_or_else(|| "no key".into()))).unwrap()
}

/// Runs `test` with a vault over a database that did not exist.
async fn world(test: impl AsyncFnOnce(Vault, &str)) {
    let server = std::env::var("ASTRO_TEST_POSTGRES_URL").expect("ASTRO_TEST_POSTGRES_URL is not set: run `cargo xtask test`");
    let name = format!("t_{}_vault", Uuid::new_v4().simple());
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let vault = process(&url, &[(1, FIRST)]);
    vault.migrate().await.unwrap();
    let outcome = AssertUnwindSafe(test(vault, &url)).catch_unwind().await;
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(format!("DROP DATABASE {name} WITH (FORCE)").as_str()).await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn anyone() -> PersonId {
    PersonId(Uuid::new_v4())
}

async fn open(vault: &Vault, person: PersonId, place: &Place<'_>, sealed: &Sealed) -> Result<Option<String>, VaultError> {
    vault.open(person, place, sealed).await
}

#[tokio::test]
async fn a_value_opens_for_its_person_in_its_place_only() {
    world(async |vault, _| {
        let (ada, bob, place) = (anyone(), anyone(), Place::new("launch/1", "named/1A"));
        let sealed = vault.seal(ada, &place, &"Ada").await.unwrap();
        vault.seal(bob, &place, &"Bob").await.unwrap();
        assert_eq!(open(&vault, ada, &place, &sealed).await.unwrap().as_deref(), Some("Ada"));
        for (person, place) in [(bob, place.clone()), (ada, Place::new("launch/1", "named/1B")), (ada, Place::new("launch/2", "named/1A"))]
        {
            assert!(matches!(open(&vault, person, &place, &sealed).await, Err(VaultError::Forged)), "{person} {place:?}");
        }
        assert!(matches!(open(&vault, anyone(), &place, &sealed).await, Err(VaultError::KeyMissing)));
    })
    .await;
}

#[tokio::test]
async fn keys_are_made_once_by_many_at_once() {
    world(async |vault, url| {
        let (ada, place) = (anyone(), Place::new("a", "b"));
        let others: Vec<Vault> = (0..4).map(|_| process(url, &[(1, FIRST)])).collect();
        let sealed = futures::future::join_all(others.iter().map(|other| other.seal(ada, &place, &"Ada"))).await;
        for sealed in sealed {
            assert_eq!(open(&vault, ada, &place, &sealed.unwrap()).await.unwrap().as_deref(), Some("Ada"));
        }
    })
    .await;
}

#[tokio::test]
async fn after_erasure_nothing_opens_and_nothing_is_sealed() {
    world(async |vault, url| {
        let (ada, place) = (anyone(), Place::new("a", "b"));
        let sealed = vault.seal(ada, &place, &"Ada").await.unwrap();
        let plain = Sealed::plain(&"Ada");
        assert_eq!(open(&vault, ada, &place, &plain).await.unwrap().as_deref(), Some("Ada"));
        assert!(vault.erase(ada).await.unwrap());
        assert!(!vault.erase(ada).await.unwrap());
        for vault in [&vault, &process(url, &[(1, FIRST)])] {
            assert_eq!(open(vault, ada, &place, &sealed).await.unwrap(), None);
            assert_eq!(open(vault, ada, &place, &plain).await.unwrap(), None);
            assert!(matches!(vault.seal(ada, &place, &"Ada").await, Err(VaultError::Erased)));
        }
        // One who never had a key may be erased as well, and gets none then.
        let bob = anyone();
        assert!(vault.erase(bob).await.unwrap());
        assert!(matches!(vault.seal(bob, &place, &"Bob").await, Err(VaultError::Erased)));
        assert!(!vault.erase(PersonId::INSTALLATION).await.unwrap());

        let mut connection = PgConnection::connect(url).await.unwrap();
        let left: (bool, i64) =
            sqlx::query_as("SELECT bool_and(wrapped IS NULL AND master IS NULL AND made_at IS NULL), count(*) FROM data_keys")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(left, (true, 2));
        let back = connection.execute("UPDATE data_keys SET erased_at = NULL, wrapped = '', master = 1, made_at = now()").await;
        assert!(back.unwrap_err().to_string().contains("stays erased"));
    })
    .await;
}

/// Another process may have the key at hand, for a few seconds.
#[tokio::test]
async fn an_erasure_is_felt_elsewhere_within_five_seconds() {
    world(async |vault, url| {
        let (ada, place, other) = (anyone(), Place::new("a", "b"), process(url, &[(1, FIRST)]));
        let sealed = vault.seal(ada, &place, &"Ada").await.unwrap();
        assert!(open(&other, ada, &place, &sealed).await.unwrap().is_some());
        vault.erase(ada).await.unwrap();
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        while open(&other, ada, &place, &sealed).await.unwrap().is_some() {
            assert!(tokio::time::Instant::now() < deadline, "still readable");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn many_are_opened_in_order_the_erased_as_nothing() {
    world(async |vault, url| {
        let (ada, bob, place) = (anyone(), anyone(), Place::new("a", "b"));
        let (of_ada, of_bob) = (vault.seal(ada, &place, &"Ada").await.unwrap(), vault.seal(bob, &place, &"Bob").await.unwrap());
        vault.erase(bob).await.unwrap();
        let old = Sealed::plain(&"Old");
        let other = process(url, &[(1, FIRST)]);
        let asked = [(ada, place.clone(), &of_ada), (bob, place.clone(), &of_bob), (anyone(), place.clone(), &old), (ada, place, &of_ada)];
        let opened: Vec<Option<String>> = other.open_many(&asked).await.unwrap();
        assert_eq!(opened, [Some("Ada".to_owned()), None, Some("Old".to_owned()), Some("Ada".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn after_a_rotation_the_old_master_key_is_not_needed() {
    world(async |vault, url| {
        let (ada, bob, place) = (anyone(), anyone(), Place::new("a", "b"));
        let sealed = vault.seal(ada, &place, &"Ada").await.unwrap();
        vault.seal(bob, &place, &"Bob").await.unwrap();
        vault.erase(bob).await.unwrap();
        let only_new = process(url, &[(2, SECOND)]);
        assert!(matches!(open(&only_new, ada, &place, &sealed).await, Err(VaultError::MasterMissing(1))));
        let both = process(url, &[(1, FIRST), (2, SECOND)]);
        assert_eq!((both.rotate().await.unwrap(), both.rotate().await.unwrap()), (1, 0));
        assert_eq!(open(&only_new, ada, &place, &sealed).await.unwrap().as_deref(), Some("Ada"));
        let blind = |vault: &Vault| -> Blind { vault.blind("email", "ada@example.org") };
        assert_eq!(blind(&vault), blind(&only_new));
    })
    .await;
}

#[tokio::test]
async fn a_process_that_runs_on_finds_the_new_master_key_by_itself() {
    world(async |_, url| {
        let (ada, bob, place) = (anyone(), anyone(), Place::new("a", "b"));
        let folder = Arc::new(Mutex::new(vec![(1, FIRST)]));
        let running = process_beside(url, &folder);
        let sealed = running.seal(ada, &place, &"Ada").await.unwrap();
        folder.lock().unwrap().push((2, SECOND));
        assert_eq!(process_beside(url, &folder).rotate().await.unwrap(), 1);
        // It neither holds on to the old one, nor wraps anything with it any more.
        let again = process(url, &[(1, FIRST)]);
        assert!(matches!(open(&again, ada, &place, &sealed).await, Err(VaultError::MasterMissing(2))));
        assert!(matches!(again.seal(bob, &place, &"Bob").await, Err(VaultError::MasterOutdated(1))));
        let of_bob = running.seal(bob, &place, &"Bob").await.unwrap();
        folder.lock().unwrap().remove(0);
        let only_new = process_beside(url, &folder);
        for vault in [&running, &only_new] {
            assert_eq!(open(vault, ada, &place, &sealed).await.unwrap().as_deref(), Some("Ada"));
            assert_eq!(open(vault, bob, &place, &of_bob).await.unwrap().as_deref(), Some("Bob"));
        }
    })
    .await;
}

#[tokio::test]
async fn who_only_shows_personal_data_can_delete_no_key() {
    world(async |_, url| {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let statement = "SELECT privilege FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) privilege \
             WHERE has_table_privilege('astro_vault', 'data_keys', privilege)";
        let may: Vec<String> = sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap();
        assert_eq!(may, ["SELECT"]);
        let any: bool = sqlx::query_scalar("SELECT has_any_column_privilege('astro_vault', 'data_keys', 'INSERT, UPDATE')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(!any);
    })
    .await;
}
