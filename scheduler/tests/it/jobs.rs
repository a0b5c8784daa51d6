//! Jobs are taken a few at a time, whatever the database thinks of how many there are; what cannot be read waits as one of them.

use crate::world::{eventually, start, within};
use domain::booking::Stage;
use jiff::SignedDuration;

/// Work that is over as soon as it is looked at: there is no such payment.
const QUEUE: &str = "INSERT INTO scheduler.jobs (kind, key, work, cause, correlation, run_at) \
    SELECT 'settle_payment', n::text, json_build_object('do', 'settle_payment', 'launch', gen_random_uuid(), 'booking', gen_random_uuid(), \
        'payment', gen_random_uuid(), 'initiated_at', '2026-01-01T00:00:00Z'), gen_random_uuid(), gen_random_uuid(), $1::text::timestamptz \
    FROM generate_series($2::int, $3::int) AS n";

#[tokio::test]
async fn no_more_are_taken_than_asked_for() {
    within(async |world| {
        let queue = async |at: &str, from: i32, to: i32| {
            sqlx::query(QUEUE).bind(at).bind(from).bind(to).execute(&world.pool).await.unwrap();
        };
        for statement in [
            "CREATE TABLE taken (jobs bigint)",
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
                $$BEGIN INSERT INTO taken SELECT count(*) FROM changed; RETURN NULL; END$$",
            "CREATE TRIGGER note AFTER UPDATE ON scheduler.jobs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note()",
        ] {
            sqlx::raw_sql(statement).execute(&world.pool).await.unwrap();
        }
        // The statement is planned for a single job, and kept.
        queue("2040-01-01", 0, 0).await;
        sqlx::raw_sql("VACUUM ANALYZE scheduler.jobs").execute(&world.pool).await.unwrap();
        let running = start(world.on_one_connection().await);
        let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(&world.pool).await.unwrap();
        eventually("it has looked for jobs", async || (count("SELECT count(*) FROM taken").await > 0).then_some(())).await;
        queue("2026-01-01", 1, 500).await;
        eventually("they are done", async || (count("SELECT count(*) FROM scheduler.jobs").await == 1).then_some(())).await;
        let most = count("SELECT max(jobs) FROM taken").await;
        assert!((1..=64).contains(&most), "{most} were taken at once");
        running.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_holds_up_nothing_else_and_is_reacted_to_when_it_can() {
    within(async |world| {
        let launch = world.launch(200).await;
        let customer = world.customer().await;
        let held = world.hold(launch, customer, &["3A"]).await;
        let another = world.launch(210).await;
        sqlx::raw_sql("ALTER TABLE events DISABLE TRIGGER USER").execute(&world.pool).await.unwrap();
        let form = async |version: i32| {
            let changed =
                sqlx::query("UPDATE events SET event_version = $2::int::text WHERE aggregate_id = $1 AND event_type = 'seats_held'")
                    .bind(launch.to_string())
                    .bind(version);
            assert_eq!(changed.execute(&world.pool).await.unwrap().rows_affected(), 1);
        };
        form(99).await;
        let running = world.start();
        world.book(another, &["1A"], "4242 4242 4242 4242").await;
        eventually("mails about another launch are sent", async || (world.mails().await.len() == 2).then_some(())).await;
        let why: String = eventually("why it waits is recorded", async || {
            let why = sqlx::query_scalar("SELECT error FROM scheduler.jobs WHERE kind = 'react' AND error IS NOT NULL");
            why.fetch_optional(&world.pool).await.unwrap()
        })
        .await;
        assert!(why.ends_with("cannot be read: no way to read launch event seats_held of version 99"), "{why}");

        form(1).await;
        world.clock.advance(SignedDuration::from_mins(20));
        eventually("the hold expires", async || (world.booking(launch, held).await.stage == Stage::Expired).then_some(())).await;
        world.settled().await;
        running.end().await;
    })
    .await;
}
