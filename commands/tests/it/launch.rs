//! A real launch through the write side: seats are held by many at once, and its past can be shown.

use crate::world::{ask, ask_as, world};
use commands::{
    Failure,
    audit::{self, At},
};
use domain::{
    Money,
    id::{BookingId, CustomerId, LaunchId, RocketId, SpaceportId, SupplierId},
    launch::{Command, Launch, Plan, Refusal},
    rocket::Destination,
    seat::{Cabin, Seat},
    text::Line,
};
use futures::future::join_all;
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

pub const LAUNCH: LaunchId = LaunchId(Uuid::from_u128(0x1A));

pub fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Five rows of four.
pub fn schedule() -> Command {
    let line = |text: &str| Line::new(text).unwrap();
    let plan = Plan {
        slug: "atlas-v-551-cape-canaveral-low-earth-2028-06-15".parse().unwrap(),
        supplier: SupplierId::derived(LAUNCH.0, "supplier"),
        supplier_name: line("Starway"),
        rocket: RocketId::derived(LAUNCH.0, "rocket"),
        rocket_name: line("Atlas V 551"),
        range: Destination::Station,
        cabin: Cabin::new(5, 4, BTreeSet::new()).unwrap(),
        spaceport: SpaceportId::derived(LAUNCH.0, "spaceport"),
        spaceport_name: line("Cape Canaveral"),
        zone: line("America/New_York"),
        latitude: 28.5,
        longitude: -80.5,
        destination: Destination::LowEarth,
        departs_at: "2028-06-15T12:00:00Z".parse().unwrap(),
        price: Money::dollars(1_000_000),
        minimum_seats: 3,
        mission: None,
    };
    Command::Schedule { plan: Box::new(plan), retired: false, neighbours: vec![], policies: Box::default(), now: now() }
}

pub fn hold(n: u128, seat: Seat) -> Command {
    Command::Hold {
        booking: BookingId(Uuid::from_u128(n)),
        customer: CustomerId(Uuid::from_u128(n)),
        vip: false,
        seats: BTreeSet::from([seat]),
        policies: Box::default(),
        now: now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_in_two_processes_hold_each_seat_once() {
    world(async |world| {
        let executors = [world.executor(), world.executor()];
        executors[0].execute::<Launch>(&LAUNCH, schedule(), &ask()).await.unwrap();
        let seats: Vec<Seat> =
            (1..=5).flat_map(|row| "ABCD".chars().map(move |letter| format!("{row}{letter}").parse().unwrap())).collect();
        let clients = (0..200_u128).map(|n| {
            let (executor, seat) = (executors[n as usize % 2].clone(), seats[n as usize % 20]);
            tokio::spawn(async move { executor.execute::<Launch>(&LAUNCH, hold(n + 1, seat), &ask_as(Uuid::from_u128(n + 1), 1)).await })
        });
        let answers: Vec<_> = join_all(clients).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
        assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Failure::Refused(Refusal::SeatsTaken { .. })))), "{answers:?}");
        assert_eq!(world.count("SELECT count(*) FROM events WHERE event_type = 'seats_held'").await, 20);

        // Each client asks again, the other process this time, and hears the same.
        for (n, answer) in answers.into_iter().enumerate() {
            let (client, ask) = (n as u128 + 1, ask_as(Uuid::from_u128(n as u128 + 1), 1));
            let again = executors[(n + 1) % 2].execute::<Launch>(&LAUNCH, hold(client, seats[n % 20]), &ask);
            assert_eq!(again.await.map(|done| (done.events, done.at)), answer.map(|done| (done.events, done.at)));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_behind_repeats_the_first_answer_too() {
    world(async |world| {
        let (one, other) = (world.executor(), world.executor());
        let first = ask();
        one.execute::<Launch>(&LAUNCH, schedule(), &ask()).await.unwrap();
        let held = one.execute::<Launch>(&LAUNCH, hold(1, "1A".parse().unwrap()), &first).await.unwrap();
        // The other process knows of the booking, and then no longer knows all.
        other.execute::<Launch>(&LAUNCH, hold(2, "1B".parse().unwrap()), &ask()).await.unwrap();
        one.execute::<Launch>(&LAUNCH, hold(3, "1C".parse().unwrap()), &ask()).await.unwrap();
        let again = other.execute::<Launch>(&LAUNCH, hold(1, "1A".parse().unwrap()), &first).await.unwrap();
        assert_eq!((again.events, again.at, again.repeated), (held.events, held.at, true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_is_shown_as_it_was_at_any_position() {
    world(async |world| {
        let executor = world.executor();
        let sequencing = world.sequence(None);
        executor.execute::<Launch>(&LAUNCH, schedule(), &ask()).await.unwrap();
        for (n, seat) in ["1A", "2B", "3C"].into_iter().enumerate() {
            executor.execute::<Launch>(&LAUNCH, hold(n as u128 + 1, seat.parse().unwrap()), &ask()).await.unwrap();
        }
        world.settle(4).await;
        sequencing.stop().await;
        let mut states = BTreeSet::new();
        for position in 0..=4 {
            let replayed = audit::replay(&world.pool, "launch", &LAUNCH.to_string(), At::Position(position)).await.unwrap();
            assert_eq!((replayed.version, replayed.position), (position, (position > 0).then_some(position)));
            let read_back: Launch = serde_json::from_value(replayed.state.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read_back).unwrap(), replayed.state);
            states.insert(replayed.state.to_string());
        }
        assert_eq!(states.len(), 5);
        let loaded = executor.load::<Launch>(&LAUNCH).await.unwrap();
        assert!(states.contains(&serde_json::to_value(&loaded.state).unwrap().to_string()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_view_can_know_of_yet_is_found_ahead_of_the_log() {
    world(async |world| {
        let executor = world.executor();
        executor.execute::<Launch>(&LAUNCH, schedule(), &ask()).await.unwrap();
        executor.execute::<Launch>(&LAUNCH, hold(7, "1A".parse().unwrap()), &ask()).await.unwrap();
        let ahead = async |customer: u128| {
            let customer = CustomerId(Uuid::from_u128(customer)).to_string();
            commands::sequence::ahead_of_the_log(&world.pool, "launch", "seats_held", "customer", &customer).await.unwrap()
        };
        assert_eq!((ahead(7).await, ahead(8).await), (vec![LAUNCH.to_string()], vec![]));
        let sequencing = world.sequence(None);
        world.settle(2).await;
        assert_eq!(ahead(7).await, Vec::<String>::new());
        sequencing.stop().await;
    })
    .await;
}
