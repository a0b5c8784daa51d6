//! Timers are due when their time has come, and fire once.

use crate::world::world;
use commands::timers::{self, Timer};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_is_due_once_its_time_has_come_and_fires_once() {
    world(async |world| {
        let until: Timestamp = "2031-01-01T12:00:00Z".parse().unwrap();
        let later = until + SignedDuration::from_mins(5);
        let word = |text: &str| text.to_owned();
        let timer = Timer {
            stream_type: word("cabin"),
            stream_id: word("cabin-1"),
            kind: word("check"),
            subject: word("a"),
            due_at: until,
            event_id: Uuid::new_v4(),
        };
        let both = [timer.clone(), Timer { due_at: later, ..timer.clone() }];
        let mut connection = world.pool.acquire().await.unwrap();
        timers::set(&mut connection, &both).await.unwrap();
        timers::set(&mut connection, &[]).await.unwrap();

        assert_eq!(timers::next_due(&world.pool).await.unwrap(), Some(until));
        assert_eq!(timers::due(&world.pool, until - SignedDuration::from_secs(1), 10).await.unwrap(), []);
        let due = timers::due(&world.pool, until, 10).await.unwrap();
        assert_eq!(due, [timer]);

        timers::fired(&world.pool, &due, until).await.unwrap();
        timers::fired(&world.pool, &due, until).await.unwrap();
        assert_eq!(timers::next_due(&world.pool).await.unwrap(), Some(later));
        assert_eq!(timers::due(&world.pool, later, 10).await.unwrap().len(), 1);
    })
    .await;
}
