//! One bad event sets its stream aside and nothing else; a bad server only makes the views wait.

use crate::world::{World, launch, until, world};
use commands::hash::Body;
use contract::Listing;
use projections::{Projection, ViewName, rebuild::Differing, rebuild::RebuildFault};
use sqlx::Executor as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Appends an event to the launch past all rules.
pub async fn append(world: &World, n: u128, sequence: i64, event_type: &str, payload: &str) {
    let (event_id, command_id, stream_id) = (Uuid::now_v7(), Uuid::new_v4(), launch(n).to_string());
    let body = Body {
        event_id,
        stream_type: "launch",
        stream_id: &stream_id,
        sequence: sequence.unsigned_abs(),
        event_type,
        event_version: "1",
        payload,
        command_id,
        correlation_id: command_id,
        causation_id: None,
        actor: "system",
    };
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, correlation_id, actor, body_hash) \
         VALUES ('launch', $1, $2, $3, '1', $4::json, $5, $6, $6, 'system', $7)",
    )
    .bind(&stream_id)
    .bind(sequence)
    .bind(event_type)
    .bind(payload)
    .bind(event_id)
    .bind(command_id)
    .bind(body.hash().as_slice())
    .execute(&world.pool)
    .await
    .unwrap();
}

/// Appends an event that no program can read to the launch.
pub async fn poison(world: &World, n: u128, sequence: i64) {
    append(world, n, sequence, "from_the_future", r#"{"type":"from_the_future"}"#).await;
}

/// A new price, in cents.
pub fn repriced(price: i64) -> String {
    format!(
        r#"{{"type":"repriced","price":{{"minor":{price},"currency":"USD"}},"was":{{"minor":800,"currency":"USD"}},"at":"2026-01-01T00:00:00Z"}}"#
    )
}

/// Makes every event that no program can read a new price.
pub async fn cure(world: &World, price: i64) {
    let mut transaction = world.pool.begin().await.unwrap();
    transaction.execute("ALTER TABLE events DISABLE TRIGGER keep_history").await.unwrap();
    sqlx::query("UPDATE events SET event_type = 'repriced', payload = $1::json WHERE event_type = 'from_the_future'")
        .bind(repriced(price))
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.execute("ALTER TABLE events ENABLE TRIGGER keep_history").await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_event_sets_only_its_stream_aside_until_it_is_cured() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(3).await;
        poison(world, 1, 2).await;
        world.settle().await;
        world.hold(0, 1, "1A").await;
        world.settle().await;
        let name: ViewName = "customer.launches".parse().unwrap();
        let parked = projections::parked(&world.databases, name).await.unwrap();
        assert_eq!(parked.len(), 1);
        assert_eq!((parked[0].stream_type.as_str(), parked[0].stream_id.clone()), ("launch", launch(1).to_string()));
        // Every view of launches has it, those of other streams have nothing.
        let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
        let aside: Vec<&str> = status.views.iter().filter(|view| view.parked > 0).map(|view| view.view.as_str()).collect();
        assert_eq!(aside, ["customer.launches", "customer.bookings", "operations.launches", "operations.bookings", "finance.journal"]);
        assert_eq!(world.customer().launch(&launch(0).to_string()).await.unwrap().unwrap().card.held, 1);

        // A rebuild skips nothing.
        let rebuilt = projections::rebuild(&world.databases, name, Differing::Accept, &CancellationToken::new(), |_| {}).await;
        assert!(matches!(rebuilt, Err(RebuildFault::Poison { position, .. }) if position == parked[0].position), "{rebuilt:?}");

        // Trying again in vain leaves it aside, and so does being started again.
        assert!(projections::retry(&world.databases, name, "launch", &launch(1).to_string()).await.unwrap());
        assert!(!projections::retry(&world.databases, name, "launch", &launch(2).to_string()).await.unwrap());
        until("it was tried again", async || projections::parked(&world.databases, name).await.unwrap().iter().all(|stream| !stream.retry))
            .await;
        for running in running {
            running.stop().await;
        }
        let running = world.project_all();

        // Cured: here the payload becomes one that can be read; in production the program does.
        cure(world, 700).await;
        world.hold(1, 2, "2B 2C").await;
        world.settle().await;
        assert_eq!(world.customer().launch(&launch(1).to_string()).await.unwrap().unwrap().card.held, 0, "still aside");
        for name in ViewName::all() {
            projections::retry(&world.databases, name, "launch", &launch(1).to_string()).await.unwrap();
        }
        until("nothing is aside", async || {
            let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
            status.views.iter().all(|view| view.parked == 0)
        })
        .await;
        let page = world.customer().launch(&launch(1).to_string()).await.unwrap().unwrap();
        assert_eq!((page.card.held, page.card.price.minor), (2, 700));
        assert_eq!(world.operations().bookings(&projections::BookingQuery::default(), &crate::world::blind, &[]).await.unwrap().total, 2);
        // Nothing is lost: a rebuild says the same.
        let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((rebuilt.differing, rebuilt.switched), (0, true), "{rebuilt:?}");
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_given_up_is_skipped_alone() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(2).await;
        poison(world, 1, 2).await;
        append(world, 1, 3, "repriced", &repriced(700)).await;
        world.settle().await;
        let id = launch(1).to_string();
        let names = ["customer.launches", "operations.launches"].map(|name| name.parse::<ViewName>().unwrap());
        let price = async || {
            let [one, other] =
                [world.customer().launch(&id).await.unwrap(), world.operations().launch(&id).await.unwrap()].map(|page| page.unwrap().card);
            [one, other].map(|card| card.price.minor)
        };
        let parked = async |name| projections::parked(&world.databases, name).await.unwrap();
        let (was, first) = (price().await, parked(names[0]).await[0].clone());
        assert!(!first.discard && !first.why.is_empty());
        assert!(!projections::discard(&world.databases, names[0], "launch", &launch(0).to_string()).await.unwrap());
        for name in names {
            assert!(projections::discard(&world.databases, name, "launch", &id).await.unwrap(), "{name}");
            until("it is taken up again", async || parked(name).await.is_empty()).await;
        }
        assert_eq!((price().await, was.contains(&700)), ([700, 700], false));

        // The next one that fails sets the stream aside anew, and what is given up stays so when everything starts again.
        poison(world, 1, 4).await;
        until("it is aside again", async || parked(names[0]).await.iter().any(|stream| stream.position > first.position)).await;
        for running in running {
            running.stop().await;
        }
        let running = world.project_all();
        append(world, 1, 5, "repriced", &repriced(600)).await;
        world.settle().await;
        assert_eq!((price().await, parked(names[0]).await.len()), ([700, 700], 1));
        for name in names {
            assert!(projections::discard(&world.databases, name, "launch", &id).await.unwrap(), "{name}");
        }
        until("it goes on", async || price().await == [600, 600]).await;

        // A rebuild skips nothing, and says for whoever asks why it ended.
        let rebuilt = projections::rebuild(&world.databases, names[0], Differing::Accept, &CancellationToken::new(), |_| {}).await;
        assert!(matches!(rebuilt, Err(RebuildFault::Poison { position, .. }) if position == first.position), "{rebuilt:?}");
        let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
        let shown = status.views.iter().find(|view| view.view == names[0].to_string()).unwrap().rebuild.clone().unwrap();
        assert!(shown.phase.is_empty() && shown.fault.contains("cannot be folded"), "{shown:?}");
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_makes_the_views_wait_and_nothing_is_set_aside() {
    world(async |world| {
        let running = world.project(Projection::Operations);
        world.catalogue(2).await;
        until("the view follows", async || world.operations().launch(&launch(1).to_string()).await.unwrap().is_some()).await;
        world.pool.execute("ALTER TABLE operations.launches_v1 RENAME TO gone").await.unwrap();
        world.hold(0, 1, "1A").await;
        until("the fault is shown", async || {
            let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
            status.views.iter().any(|view| view.view == "operations.launches" && view.state.starts_with("paused: "))
        })
        .await;
        world.pool.execute("ALTER TABLE operations.gone RENAME TO launches_v1").await.unwrap();
        until("it goes on", async || world.operations().launch(&launch(0).to_string()).await.unwrap().unwrap().card.held == 1).await;
        let name: ViewName = "operations.launches".parse().unwrap();
        assert_eq!(projections::parked(&world.databases, name).await.unwrap(), []);
        until("it is live again", async || {
            let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
            status.views.iter().any(|view| view.view == "operations.launches" && view.state == "live")
        })
        .await;
        assert_eq!(
            world
                .operations()
                .launches(&projections::LaunchQuery { listing: Listing::default(), ..Default::default() }, crate::world::NOW)
                .await
                .unwrap()
                .total,
            2
        );
        running.stop().await;
    })
    .await;
}
