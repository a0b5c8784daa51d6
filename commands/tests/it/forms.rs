//! What was written in old forms is read for ever, and a log that holds what nobody reads is not started on.

use crate::{
    cabin::{Cabin, Event, Id},
    world::{World, append_stored, ask, ask_as, take, world},
};
use commands::{
    audit::{self, At},
    forms::{FormsError, check, check_with},
};
use domain::{Decider, id::LaunchId, slug::SlugClaim, upcast};
use uuid::Uuid;

/// The command that moved somebody, long ago.
const MOVE: Uuid = Uuid::from_u128(0x40);
/// The command that dusted, long ago.
const DUST: Uuid = Uuid::from_u128(0x41);

/// What an old program left of `cabin-1`: eight seats, `a` moved from 0 to 5.
async fn written_long_ago(world: &World) {
    let stored = [
        (("opened", 1, r#"{"type":"opened","rows":1}"#), Uuid::from_u128(0x3e)),
        (("opened", 2, r#"{"type":"opened","rows":4,"abreast":2}"#), Uuid::from_u128(0x3f)),
        (("sat", 1, r#"{"type":"sat","seat":0,"who":"a"}"#), Uuid::from_u128(0x42)),
        (("moved", 1, r#"{"type":"moved","from":0,"to":5,"who":"a"}"#), MOVE),
        (("dusted", 1, r#"{"type":"dusted","how":"well"}"#), DUST),
    ];
    let mut connection = world.pool.acquire().await.unwrap();
    for (sequence, (form, command)) in (1..).zip(stored) {
        append_stored(&mut connection, (Cabin::NAME, "cabin-1"), sequence, form, command).await;
        sqlx::query(
            "INSERT INTO command_log (command_id, request_hash, stream_type, stream_id, first_sequence, last_sequence) \
             VALUES ($1, $2, 'cabin', 'cabin-1', $3, $3)",
        )
        .bind(command)
        .bind(&[1_u8; 32][..])
        .bind(sequence as i64)
        .execute(&mut *connection)
        .await
        .unwrap();
    }
}

fn at_seat(cabin: &Cabin, seat: usize) -> Option<&str> {
    cabin.seats[seat].as_deref()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_old_forms_folds_replays_and_goes_on() {
    world(async |world| {
        written_long_ago(world).await;
        let executor = world.executor();
        let loaded = executor.load::<Cabin>(&Id(1)).await.unwrap();
        assert_eq!((loaded.version, loaded.state.seats.len(), loaded.state.taken()), (5, 8, 1));
        assert_eq!(at_seat(&loaded.state, 5), Some("a"));
        let done = executor.execute::<Cabin>(&Id(1), take("b"), &ask()).await.unwrap();
        assert_eq!((done.events, done.at.sequence), (vec![Event::Taken { seat: 0, who: "b".into() }], 6));

        let sequencing = world.sequence(None);
        world.settle(6).await;
        sequencing.stop().await;
        for (position, taken) in [(1, None), (3, Some(0)), (4, Some(5)), (5, Some(5))] {
            let then = audit::replay_as::<Cabin>(&world.pool, "cabin-1", At::Position(position)).await.unwrap();
            let cabin: Cabin = serde_json::from_value(then.state).unwrap();
            assert_eq!(then.version, position);
            assert_eq!(cabin.seats.iter().position(Option::is_some), taken, "at {position}");
        }
        assert_eq!(audit::verify(&world.pool, 1).await.unwrap().first_bad, None, "nothing stored has changed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_to_an_old_command_is_given_in_todays_events() {
    world(async |world| {
        written_long_ago(world).await;
        let executor = world.executor();
        let moved = executor.execute::<Cabin>(&Id(1), take("x"), &ask_as(MOVE, 1)).await.unwrap();
        let parts = vec![Event::Left { seat: 0 }, Event::Taken { seat: 5, who: "a".into() }];
        assert_eq!((moved.events, moved.at.sequence, moved.repeated), (parts, 4, true));
        let dusted = executor.execute::<Cabin>(&Id(1), take("y"), &ask_as(DUST, 1)).await.unwrap();
        assert_eq!((dusted.events, dusted.at.sequence, dusted.repeated), (vec![], 5, true));
        assert_eq!(world.count("SELECT count(*) FROM events").await, 5);
    })
    .await;
}

fn read_cabins(stream_type: &str, event_type: &str, version: u32, payload: &str) -> Result<(), String> {
    assert_eq!(stream_type, Cabin::NAME);
    upcast::each::<Cabin>(event_type, version, payload, |_| ()).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_is_refused_on_a_log_with_a_form_nobody_reads() {
    world(async |world| {
        written_long_ago(world).await;
        let sequencing = world.sequence(None);
        world.settle(5).await;
        check_with(&world.pool, read_cabins).await.unwrap();
        let mut connection = world.pool.acquire().await.unwrap();
        // From a program newer than this one, and from one with another idea of cabins.
        for (sequence, form) in [
            (6, ("opened", 4, r#"{"type":"opened","seats":9}"#)),
            (7, ("painted", 1, r#"{"type":"painted"}"#)),
            (8, ("painted", 1, r#"{"type":"painted"}"#)),
        ] {
            append_stored(&mut connection, (Cabin::NAME, "cabin-1"), sequence, form, Uuid::new_v4()).await;
        }
        world.settle(8).await;
        let refused = check_with(&world.pool, read_cabins).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the log holds what this program cannot read: cabin opened v4: no way to read cabin event opened of version 4; \
             cabin painted v1: unreadable cabin event"
        );
        assert!(world.executor().load::<Cabin>(&Id(1)).await.is_err(), "nothing is guessed");
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_log_is_checked_by_the_real_chains() {
    world(async |world| {
        let slug = "a-b".parse().unwrap();
        let claim = domain::slug::Command::Claim { launch: LaunchId(Uuid::from_u128(7)) };
        world.executor().execute::<SlugClaim>(&slug, claim, &ask()).await.unwrap();
        let sequencing = world.sequence(None);
        world.settle(1).await;
        check(&world.pool).await.unwrap();
        written_long_ago(world).await;
        world.settle(6).await;
        let refused = check(&world.pool).await.unwrap_err();
        assert!(matches!(&refused, FormsError::Unknown(forms) if forms.len() == 5), "{refused}");
        sequencing.stop().await;
    })
    .await;
}
