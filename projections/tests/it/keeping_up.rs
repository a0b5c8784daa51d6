//! Views follow the log: everything arrives once, however often and in whatever way it is read.

use crate::world::{PRICE, booking, customer, launch, until, world};
use contract::{Listing, Status};
use futures::StreamExt;
use projections::{Freshness, Projection};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seat_that_is_held_shows_and_is_announced() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(2).await;
        world.settle().await;
        let mut heard = world.bus.listen("view.launches.*").await.unwrap();
        world.bus.flush().await.unwrap();
        let done = world.hold(1, 1, "1A 2B").await;
        let views = world.customer();
        let fresh = views.wait_for("launch", &launch(1).to_string(), done.at.sequence).await.unwrap();
        assert_eq!(fresh, Freshness::Fresh);
        let page = views.launch(&launch(1).to_string()).await.unwrap().unwrap();
        assert_eq!((page.card.held, page.taken.len()), (2, 2));
        let topic = format!("view.launches.{}", launch(1));
        let told = async {
            while let Some(hint) = heard.next().await {
                if hint.topic == topic && hint.payload == page.position.to_string() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_kept_up_in_a_rush_that_does_not_end() {
    world(async |world| {
        let _waiting = world.databases.feed().rush().crowd();
        let running = world.project_all();
        world.catalogue(1).await;
        for (n, seat) in (1..).zip(["1A", "1B", "2A"]) {
            world.hold(0, n, seat).await;
            world.settle().await;
        }
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_does_not_get_there_in_time_is_stale() {
    world(async |world| {
        world.catalogue(1).await;
        let done = world.hold(0, 1, "1A").await;
        let waited = std::time::Instant::now();
        let views = world.customer();
        assert_eq!(views.wait_for("launch", &launch(0).to_string(), done.at.sequence).await.unwrap(), Freshness::Stale);
        assert!((Duration::from_millis(1_500)..Duration::from_secs(6)).contains(&waited.elapsed()), "{:?}", waited.elapsed());
        // What nobody has written is not waited for without end either, and what is empty is fresh.
        assert_eq!(views.wait_for("launch", "none", 7).await.unwrap(), Freshness::Stale);
        assert_eq!(views.wait_for("launch", "none", 0).await.unwrap(), Freshness::Fresh);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_stands_still_is_late_for_everybody_once_something_has_happened() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(1).await;
        world.settle().await;
        let views = world.customer();
        assert_eq!(views.freshness(None).await.unwrap(), Freshness::Fresh);
        for running in running {
            running.stop().await;
        }
        let done = world.hold(0, 1, "1A").await;
        until("the view is late", async || views.freshness(None).await.unwrap() == Freshness::Late).await;
        let launch = launch(0).to_string();
        let mine = Some(("launch", launch.as_str(), done.at.sequence));
        assert_eq!(views.freshness(mine).await.unwrap(), Freshness::Stale, "whoever did it is told more");

        let running = world.project_all();
        world.settle().await;
        assert_eq!(views.freshness(None).await.unwrap(), Freshness::Fresh);
        assert_eq!(views.freshness(mine).await.unwrap(), Freshness::Fresh);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_late_for_everybody_while_what_happened_gets_no_place_in_the_log() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(1).await;
        world.settle().await;
        let views = world.customer();
        assert_eq!(views.freshness(None).await.unwrap(), Freshness::Fresh);
        world.stop.cancel();
        until("nobody sequences", async || commands::sequence::status(&world.pool).await.unwrap().holder.is_none()).await;
        world.hold(0, 1, "1A").await;
        until("the view is late", async || views.freshness(None).await.unwrap() == Freshness::Late).await;
        let stop = CancellationToken::new();
        let sequencing = world.sequence(&stop);
        world.settle().await;
        assert_eq!(views.freshness(None).await.unwrap(), Freshness::Fresh);
        stop.cancel();
        sequencing.await.unwrap();
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_everything_again_changes_nothing() {
    world(async |world| {
        world.catalogue(4).await;
        world.trade().await;
        let running = world.project_all();
        world.settle().await;
        let (documents, lines) = (world.documents().await, world.lines().await);
        for running in running {
            running.stop().await;
        }
        world.set_positions(0).await;
        let again = world.project_all();
        world.settle().await;
        assert_eq!((world.documents().await, world.lines().await), (documents, lines));
        for running in again {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_projectors_of_which_one_is_killed_make_the_same_views() {
    world(async |world| {
        let (one, two) = (world.project_all(), world.project_all());
        world.catalogue(6).await;
        world.trade().await;
        for running in one {
            running.kill().await;
        }
        world.book(4, 20, "1A 1B 1C").await;
        world.settle().await;
        let (documents, lines) = (world.documents().await, world.lines().await);
        for running in two {
            running.stop().await;
        }
        for table in ["operations.launches_v1", "operations.bookings_v1", "finance.journal_v1"] {
            sqlx::query(&format!("TRUNCATE {table}")).execute(&world.pool).await.unwrap();
        }
        world
            .mongo
            .database(&format!("{}_customer", world.name))
            .collection::<mongodb::bson::Document>("launches_v1")
            .drop()
            .await
            .unwrap();
        world.set_positions(0).await;
        let alone = world.project_all();
        world.settle().await;
        assert_eq!((world.documents().await, world.lines().await), (documents, lines));
        for running in alone {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_jetstream_lost_come_from_postgres() {
    world(async |world| {
        let running = world.project(Projection::Customer);
        world.catalogue(2).await;
        until("the view follows", async || *running.position.borrow() > 5).await;
        world.bus.delete().await.unwrap();
        for n in 0..9 {
            world.hold(n % 2, n, &format!("{}A", 1 + n / 2)).await;
        }
        until("everything is shown", async || {
            let pages = [
                world.customer().launch(&launch(0).to_string()).await.unwrap(),
                world.customer().launch(&launch(1).to_string()).await.unwrap(),
            ];
            pages.into_iter().flatten().map(|page| page.card.held).sum::<u16>() == 9
        })
        .await;
        running.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_counted_the_same_everywhere() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(9).await;
        world.trade().await;
        world.settle().await;
        for (view, stream) in [("launches", "launch"), ("suppliers", "supplier"), ("rockets", "rocket"), ("spaceports", "spaceport")] {
            let log: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = $1 AND sequence = 1")
                .bind(stream)
                .fetch_one(&world.pool)
                .await
                .unwrap();
            let counts: Vec<usize> = world
                .documents()
                .await
                .into_iter()
                .filter(|(name, _)| name.ends_with(&format!(".{view}")))
                .map(|(_, all)| all.len())
                .collect();
            assert_eq!(counts, [log as usize, log as usize], "{view}");
        }
        let trips = world.customer().bookings_of(customer(1), &Listing::default(), &crate::world::blind).await.unwrap();
        assert_eq!((trips.total, trips.items[0].shown.booking.id), (1, booking(1)));
        let trip = world.operations().trip(booking(1)).await.unwrap().unwrap();
        assert_eq!(trip, trips.items[0]);
        assert_eq!(Some(trip), world.customer().trip(customer(1), booking(1)).await.unwrap());
        assert_eq!(world.customer().trip(customer(2), booking(1)).await.unwrap(), None);
        let aborted = world.customer().launch(&launch(3).to_string()).await.unwrap().unwrap();
        assert_eq!(aborted.card.status, Status::Aborted);
        let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
        let log = commands::sequence::status(&world.pool).await.unwrap();
        assert_eq!((status.views.len(), log.unsequenced), (11, 0));
        assert!(status.views.iter().all(|view| view.state == "live" && view.lag_events == 0 && view.parked == 0), "{status:?}");
        assert_eq!(
            world.finance().totals().await.unwrap().captured,
            PRICE.times(3).plus(contract::Money::dollars(1_010_000)).plus(contract::Money::dollars(2_040_000))
        );
        for running in running {
            running.stop().await;
        }
    })
    .await;
}
