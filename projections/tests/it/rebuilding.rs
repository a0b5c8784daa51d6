//! A view is made anew while it serves.

use crate::world::{World, launch, until, world};
use contract::operations::ProjectionStatus;
use mongodb::{
    Collection,
    bson::{Document, doc},
};
use projections::{
    ViewName,
    rebuild::{Differing, RebuildFault},
};
use sqlx::Executor as _;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_is_rebuilt_equal_to_the_live_one() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(8).await;
        world.trade().await;
        world.settle().await;
        let (documents, lines) = (world.documents().await, world.lines().await);
        for name in ViewName::all() {
            let mut told = Vec::new();
            let rebuilt =
                projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |progress| told.push(progress))
                    .await
                    .unwrap();
            assert_eq!((rebuilt.differing, rebuilt.moving, rebuilt.switched), (0, 0, true), "{name}: {rebuilt:?}");
            assert_eq!((rebuilt.version, rebuilt.previous), (2, 1));
            assert!(rebuilt.compared > 0, "{name}");
            assert!(told.iter().all(|progress| progress.seconds_left.is_some_and(|left| left >= 0.0)), "{name}: {told:?}");
            let last = told.last().unwrap();
            assert_eq!((last.done, last.seconds_left), (last.total, Some(0.0)));
        }
        assert_eq!((world.documents().await, world.lines().await), (documents, lines));
        // The projectors go on with the new versions.
        world.book(5, 30, "1A 1B 1C 1D").await;
        world.settle().await;
        assert_eq!(world.customer().launch(&launch(5).to_string()).await.unwrap().unwrap().card.sold, 4);
        assert_eq!(world.operations().launch(&launch(5).to_string()).await.unwrap().unwrap().card.sold, 4);
        assert_eq!(world.finance().totals().await.unwrap().sum, contract::Money::ZERO);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_rebuilt_while_seats_are_sold_and_then_taken_back() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(10).await;
        let selling = async {
            for n in 0..40 {
                world.book(n % 10, 100 + n, &format!("{}A {}B", 1 + n / 10, 1 + n / 10)).await;
            }
        };
        let seen = std::sync::Mutex::new(Vec::new());
        let watching = async {
            // What another process sees meanwhile.
            let other = world.databases.clone();
            loop {
                let status = projections::status(&other, jiff::Timestamp::now()).await.unwrap();
                let shown = status.views.into_iter().filter(|view| view.state == "rebuilding").filter_map(|view| view.rebuild);
                seen.lock().unwrap().extend(shown);
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let rebuilding = async {
            let mut outcomes = Vec::new();
            for name in ["customer.launches", "operations.bookings", "finance.journal"] {
                let name: ViewName = name.parse().unwrap();
                outcomes.push(
                    projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap(),
                );
            }
            outcomes
        };
        let outcomes = tokio::select! {
            ((), outcomes) = async { tokio::join!(selling, rebuilding) } => outcomes,
            () = watching => unreachable!(),
        };
        let seen = seen.into_inner().unwrap();
        assert!(seen.iter().any(|shown| shown.phase == "switching" && shown.version == 2 && shown.done == shown.total), "{seen:?}");
        assert!(seen.iter().any(|shown| shown.seconds_left.is_some()), "{seen:?}");
        assert!(outcomes.iter().all(|rebuilt| rebuilt.differing == 0 && rebuilt.switched), "{outcomes:?}");
        world.settle().await;
        let sold = async || {
            let mut sold = 0;
            for n in 0..10 {
                sold += world.customer().launch(&launch(n).to_string()).await.unwrap().unwrap().card.sold;
            }
            sold
        };
        assert_eq!(sold().await, 80);
        // The old version has been left alone since; going back to it catches it up first.
        let name: ViewName = "customer.launches".parse().unwrap();
        assert_eq!(projections::roll_back(&world.databases, name).await.unwrap(), 1);
        assert!(world.status().await.iter().all(|view| view.rebuild.is_none()), "something is said to have failed");
        assert_eq!(sold().await, 80);
        world.book(0, 200, "5A").await;
        world.settle().await;
        assert_eq!(sold().await, 81);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

/// What customers see of launches, in one version.
fn launches_of(world: &World, version: u32) -> Collection<Document> {
    world.mongo.database(&format!("{}_customer", world.name)).collection(&format!("launches_v{version}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_differs_is_refused_unless_it_was_meant() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(3).await;
        world.settle().await;
        let id = launch(1).to_string();
        launches_of(world, 1).update_one(doc! { "_id": &id }, doc! { "$set": { "doc.page.sold": 17 } }).await.unwrap();
        let name: ViewName = "customer.launches".parse().unwrap();
        let refused = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((refused.differing, refused.some_differing.clone(), refused.switched), (1, vec![id], false), "{refused:?}");
        let accepted = projections::rebuild(&world.databases, name, Differing::Accept, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((accepted.differing, accepted.switched, accepted.version), (1, true, 3));
        assert_eq!(world.customer().launch(&launch(1).to_string()).await.unwrap().unwrap().card.sold, 0);

        sqlx::query("UPDATE operations.launches_v1 SET doc = jsonb_set(doc, '{page,sold}', '9') WHERE id = $1")
            .bind(launch(2).to_string())
            .execute(&world.pool)
            .await
            .unwrap();
        let name: ViewName = "operations.launches".parse().unwrap();
        let refused = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((refused.differing, refused.switched), (1, false));

        // So is one whose documents are the same, but found by something else.
        launches_of(world, 3).update_one(doc! { "_id": launch(0).to_string() }, doc! { "$push": { "tokens": "mars" } }).await.unwrap();
        world.pool.execute("UPDATE operations.rockets_v1 SET tokens = '{}' WHERE name = 'Ariane 5'").await.unwrap();
        for name in ["customer.launches", "operations.rockets"] {
            let name: ViewName = name.parse().unwrap();
            let refused = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
            assert_eq!((refused.differing, refused.moving, refused.switched), (1, 0, false), "{name}: {refused:?}");
        }
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_rebuild_at_a_time_and_none_to_go_back_to_at_first() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(1).await;
        world.settle().await;
        let name: ViewName = "customer.launches".parse().unwrap();
        assert!(matches!(projections::roll_back(&world.databases, name).await, Err(RebuildFault::NothingBefore)));
        let stop = CancellationToken::new();
        let again = || projections::rebuild(&world.databases, name, Differing::Refuse, &stop, |_| {});
        let (one, two) = tokio::join!(again(), again());
        let busy = [&one, &two].into_iter().filter(|outcome| matches!(outcome, Err(RebuildFault::Busy))).count();
        let done = [&one, &two].into_iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!((busy, done), (1, 1), "{one:?} {two:?}");
        until("no rebuild is shown", async || {
            let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
            status.views.iter().all(|view| view.state == "live")
        })
        .await;
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_is_kept_as_it_is_and_sums_to_zero() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(4).await;
        world.trade().await;
        world.settle().await;
        let journal = world.finance().journal(&projections::JournalQuery::default()).await.unwrap();
        assert_eq!(journal.sum, contract::Money::ZERO);
        // Four payments, one refund asked for and paid, one abort fee: two lines each.
        assert_eq!(journal.lines.total, 14);
        let uneven: i64 =
            sqlx::query_scalar("SELECT count(*) FROM (SELECT FROM finance.lines GROUP BY position HAVING sum(amount) <> 0) uneven")
                .fetch_one(&world.pool)
                .await
                .unwrap();
        assert_eq!(uneven, 0);
        for statement in [
            "UPDATE finance.lines_v1 SET amount = amount + 1",
            "DELETE FROM finance.lines_v1",
            "TRUNCATE finance.lines_v1",
            "INSERT INTO finance.lines_v1 SELECT 1000000, 0, at, account, amount, event, launch, booking, supplier FROM finance.lines_v1 LIMIT 1",
        ] {
            assert!(world.pool.execute(statement).await.is_err(), "{statement}");
        }
        assert_eq!(world.finance().journal(&projections::JournalQuery::default()).await.unwrap().lines.total, 14);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_nobody_keeps_up_can_be_rebuilt_and_is_then_taken_over() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(3).await;
        world.settle().await;
        for running in running {
            running.stop().await;
        }
        world.hold(1, 1, "1A 1B").await;
        world.sequenced().await;
        let name: ViewName = "customer.launches".parse().unwrap();
        let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((rebuilt.compared, rebuilt.differing, rebuilt.moving, rebuilt.switched), (2, 0, 1, true), "{rebuilt:?}");
        assert_eq!(world.customer().launch(&launch(1).to_string()).await.unwrap().unwrap().card.held, 2);
        let running = world.project_all();
        world.hold(2, 2, "1A").await;
        world.settle().await;
        assert_eq!(world.customer().launch(&launch(2).to_string()).await.unwrap().unwrap().card.held, 1);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_stopped_leaves_all_as_it_was_and_the_next_one_may_begin_at_once() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(3).await;
        world.settle().await;
        let name: ViewName = "customer.launches".parse().unwrap();
        let stop = CancellationToken::new();
        let stopped = projections::rebuild(&world.databases, name, Differing::Accept, &stop, |_| stop.cancel()).await;
        assert!(matches!(stopped, Err(RebuildFault::Stopped)), "{stopped:?}");
        let status = projections::status(&world.databases, jiff::Timestamp::now()).await.unwrap();
        let view = status.views.iter().find(|view| view.view == name.to_string()).unwrap();
        assert_eq!((view.version, view.previous), (1, None));
        assert_eq!(view.rebuild.as_ref().map(|rebuild| rebuild.fault.as_str()), Some("the rebuild was stopped"));
        let again = projections::rebuild(&world.databases, name, Differing::Accept, &CancellationToken::new(), |_| {}).await.unwrap();
        assert!(again.switched);
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

/// Whether every view says that it is ahead of the log.
async fn all_are_ahead(world: &World) -> bool {
    let said = |view: &ProjectionStatus| view.state.starts_with("paused: ahead of the log: rebuild ") && view.state.contains(&view.view);
    world.status().await.iter().all(|view| view.ahead && said(view))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_ahead_of_the_log_says_so_until_it_is_rebuilt() {
    world(async |world| {
        world.catalogue(4).await;
        world.trade().await;
        let running = world.project_all();
        world.settle().await;
        for running in running {
            running.stop().await;
        }
        // As if an older log had been put back, and the views kept.
        let head = world.sequenced().await;
        world.set_positions(head as i64 + 1).await;
        let running = world.project_all();
        until("every view says so", async || all_are_ahead(world).await).await;
        // With this the log is as far as the views, which have another event there.
        let done = world.hold(1, 9, "5A 5B").await.at.sequence;
        for running in running {
            running.stop().await;
        }
        let running = world.project_all();
        until("every view still says so", async || all_are_ahead(world).await).await;
        let id = launch(1).to_string();
        let seen = [world.customer().wait_for("launch", &id, done).await, world.operations().wait_for("launch", &id, done).await];
        assert!(seen.into_iter().all(|seen| seen.unwrap().is_stale()));

        // What is made anew differs: the hold is not in the view. One that is ahead is nothing to go back to.
        for name in ViewName::all() {
            let rebuilt = projections::rebuild(&world.databases, name, Differing::Accept, &CancellationToken::new(), |_| {}).await.unwrap();
            assert!(rebuilt.switched, "{name}: {rebuilt:?}");
            let back = projections::roll_back(&world.databases, name).await;
            assert!(matches!(back, Err(RebuildFault::NothingBefore)), "{name}: {back:?}");
        }
        until("the views are live", async || world.status().await.iter().all(|view| view.state == "live")).await;
        world.book(2, 10, "4A").await;
        world.settle().await;
        assert_eq!(world.customer().launch(&id).await.unwrap().unwrap().taken.len(), 5);
        assert_eq!(world.operations().launch(&id).await.unwrap().unwrap().taken.len(), 5);
        for name in ViewName::all() {
            let rebuilt = projections::rebuild(&world.databases, name, Differing::Refuse, &CancellationToken::new(), |_| {}).await.unwrap();
            assert_eq!((rebuilt.differing, rebuilt.moving, rebuilt.switched), (0, 0, true), "{name}: {rebuilt:?}");
        }
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grew_as_long_as_the_one_before_is_not_taken_for_it() {
    world(async |world| {
        world.catalogue(3).await;
        world.book(1, 9, "1A").await;
        let running = world.project_all();
        world.settle().await;
        for running in running {
            running.stop().await;
        }
        // As if an older log had been put back and sold on, and the projectors had stood still meanwhile.
        let mut other = world.pool.begin().await.unwrap();
        other.execute("ALTER TABLE events DISABLE TRIGGER USER").await.unwrap();
        let last = "UPDATE events SET event_id = gen_random_uuid() WHERE id = (SELECT event_row FROM log ORDER BY position DESC LIMIT 1)";
        assert_eq!(other.execute(last).await.unwrap().rows_affected(), 1);
        other.execute("ALTER TABLE events ENABLE TRIGGER USER").await.unwrap();
        other.commit().await.unwrap();
        let running = world.project_all();
        until("every view says so", async || all_are_ahead(world).await).await;
        for name in ViewName::all() {
            let rebuilt = projections::rebuild(&world.databases, name, Differing::Accept, &CancellationToken::new(), |_| {}).await.unwrap();
            assert!(rebuilt.switched, "{name}: {rebuilt:?}");
        }
        until("the views are live", async || world.status().await.iter().all(|view| view.state == "live" && !view.ahead)).await;
        for running in running {
            running.stop().await;
        }
        // The versions made anew have read this log, and go on.
        let running = world.project_all();
        world.book(2, 10, "4A").await;
        world.settle().await;
        assert!(world.status().await.iter().all(|view| view.state == "live"));
        for running in running {
            running.stop().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_put_back_under_its_projectors_is_noticed() {
    world(async |world| {
        let running = world.project_all();
        world.catalogue(2).await;
        world.settle().await;
        let mut shorter = world.pool.begin().await.unwrap();
        shorter.execute("ALTER TABLE log DISABLE TRIGGER USER").await.unwrap();
        shorter.execute("DELETE FROM log WHERE position > (SELECT max(position) - 2 FROM log)").await.unwrap();
        shorter.execute("ALTER TABLE log ENABLE TRIGGER USER").await.unwrap();
        shorter.commit().await.unwrap();
        until("every view says so", async || all_are_ahead(world).await).await;
        for running in running {
            running.stop().await;
        }
    })
    .await;
}
