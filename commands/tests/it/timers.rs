//! Timers are stored with the events that need them.

use crate::{
    cabin::{CHECK, Cabin, Command, Id},
    world::{ask, world},
};
use commands::timers;
use jiff::{SignedDuration, Timestamp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_is_due_once_its_time_has_come_and_fires_once() {
    world(async |world| {
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 2 }, &ask()).await.unwrap();
        let until: Timestamp = "2031-01-01T12:00:00Z".parse().unwrap();
        executor.execute::<Cabin>(&Id(1), Command::TakeUntil { who: "a".into(), until }, &ask()).await.unwrap();
        let event: uuid::Uuid = sqlx::query_scalar("SELECT event_id FROM events WHERE sequence = 2").fetch_one(&world.pool).await.unwrap();

        assert_eq!(timers::next_due(&world.pool).await.unwrap(), Some(until));
        assert_eq!(timers::due(&world.pool, until - SignedDuration::from_secs(1), 10).await.unwrap(), []);
        let due = timers::due(&world.pool, until, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!((&*due[0].stream_type, &*due[0].stream_id, &*due[0].kind, &*due[0].subject), ("cabin", "cabin-1", CHECK, "a"));
        assert_eq!((due[0].due_at, due[0].event_id), (until, event));

        timers::fired(&world.pool, &due, until).await.unwrap();
        timers::fired(&world.pool, &due, until).await.unwrap();
        let later = until + SignedDuration::from_mins(5);
        assert_eq!(timers::next_due(&world.pool).await.unwrap(), Some(later));
        assert_eq!(timers::due(&world.pool, later, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_leaves_no_timer() {
    world(async |world| {
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 0 }, &ask()).await.unwrap();
        executor.execute::<Cabin>(&Id(1), Command::TakeUntil { who: "a".into(), until: Timestamp::UNIX_EPOCH }, &ask()).await.unwrap_err();
        assert_eq!(world.count("SELECT count(*) FROM timers").await, 0);
    })
    .await;
}
