//! Holds end, and launches with too few seats sold are given up, when their time has come.

use crate::world::{eventually, within};
use domain::{booking::Stage, launch::Status};
use jiff::SignedDuration;

#[tokio::test]
async fn a_hold_nobody_pays_expires_after_its_grace() {
    within(async |world| {
        let launch = world.launch(200).await;
        let customer = world.customer().await;
        let booking = world.hold(launch, customer, &["3A", "3B"]).await;
        let running = world.start();
        world.clock.advance(SignedDuration::from_secs(20 * 60 - 1));
        assert!(commands::timers::due(&world.pool, world.now(), 10).await.unwrap().is_empty());
        assert!(world.booking(launch, booking).await.is_held());

        world.clock.advance(SignedDuration::from_secs(1));
        eventually("the hold expires", async || (world.booking(launch, booking).await.stage == Stage::Expired).then_some(())).await;
        let mail = eventually("a mail says so", async || world.mails().await.pop()).await;
        assert_eq!(mail.to, format!("{customer}@example.org"));
        assert_eq!(mail.subject, "Your seats on Falcon 9 to Low Earth Orbit are free again");
        assert!(mail.text.contains("3A, 3B"), "{}", mail.text);
        running.end().await;
        // Once, and it says who did it.
        let by = "SELECT actor FROM events WHERE aggregate_id = $1 AND event_type = 'hold_expired'";
        let actors: Vec<String> = sqlx::query_scalar(by).bind(launch.to_string()).fetch_all(&world.pool).await.unwrap();
        assert_eq!(actors, ["scheduler"]);
        assert!(commands::timers::due(&world.pool, world.now(), 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn two_schedulers_expire_a_hold_once() {
    within(async |world| {
        let launch = world.launch(200).await;
        let mut bookings = Vec::new();
        for row in 1..=6 {
            let customer = world.customer().await;
            bookings.push(world.hold(launch, customer, &[&format!("{row}A")]).await);
        }
        world.clock.advance(SignedDuration::from_mins(20));
        let running = [world.start(), world.start()];
        eventually("all holds expire", async || world.manifest(launch).await.taken.is_empty().then_some(())).await;
        world.settled().await;
        eventually("all mails are sent", async || (world.mails().await.len() == 6).then_some(())).await;
        for running in running {
            running.end().await;
        }
        assert_eq!(world.count(launch, "hold_expired").await, 6);
        assert_eq!(world.mails().await.len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_launch_with_too_few_seats_sold_is_warned_of_and_then_given_up() {
    within(async |world| {
        let launch = world.launch(130).await;
        let (customer, _) = world.book(launch, &["1A"], "4242 4242 4242 4242").await;
        let running = world.start();
        world.clock.advance(SignedDuration::from_hours(24 * 10));
        let warning = eventually("the supplier is warned", async || {
            world.mails().await.into_iter().find(|mail| mail.subject.starts_with("Too few seats"))
        })
        .await;
        assert_eq!(warning.to, "desk@supplier.example");
        assert!(warning.text.contains("1 of the 5 seats"), "{}", warning.text);
        world.clock.advance(SignedDuration::from_hours(24 * 30));
        eventually("the launch is given up", async || {
            let launch = world.executor.load::<domain::launch::Launch>(&launch).await.unwrap().state;
            (launch.status() == Some(Status::Aborted)).then_some(())
        })
        .await;
        let mail = eventually("the customer is told", async || {
            world.mails().await.into_iter().find(|mail| mail.subject.ends_with("will not fly"))
        })
        .await;
        assert_eq!(mail.to, format!("{customer}@example.org"));
        assert!(mail.text.contains("because too few seats were sold") && mail.text.contains("$1,000,000"), "{}", mail.text);
        running.end().await;
    })
    .await;
}
