//! One launch, two processes: a seat is sold once, whatever comes at the same time.

use super::{
    Verdict, dice, executor, guarded,
    history::{Operation, What, violations},
    long,
};
use crate::{
    launch::{hold, now, schedule},
    world::{World, ask},
};
use commands::{Executor, Failure, guards::Guards};
use domain::{
    AnyEvent, Money,
    booking::{Card, Stage},
    id::{BookingId, CustomerId, LaunchId, PaymentId, RefundId},
    launch::{Command, Event, Launch, Refusal},
    passenger::{NamedPassenger, SealedPassenger},
    sealed::Sealed,
    seat::Seat,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

fn launch(n: u64) -> LaunchId {
    LaunchId(Uuid::from_u128(0x1A00 + u128::from(n)))
}

/// Five rows of four.
fn seats() -> Vec<Seat> {
    (1..=5).flat_map(|row| "ABCD".chars().map(move |letter| format!("{row}{letter}").parse().unwrap())).collect()
}

fn booking(n: u128) -> BookingId {
    BookingId(Uuid::from_u128(n))
}

/// What is recorded of a launch, in order.
async fn recorded(world: &World, launch: LaunchId) -> Vec<Event> {
    let rows: Vec<(String, i32, String)> = sqlx::query_as(
        "SELECT event_type, event_version::int, payload::text FROM events WHERE aggregate_type = 'launch' AND aggregate_id = $1 ORDER BY sequence",
    )
    .bind(launch.to_string())
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let read = |(event_type, version, payload): (String, i32, String)| {
        AnyEvent::read("launch", &event_type, version as u32, &payload).unwrap().into_iter().map(|event| match event {
            AnyEvent::Launch(event) => *event,
            other => panic!("{other:?}"),
        })
    };
    rows.into_iter().flat_map(read).collect()
}

/// Whose each seat is, naively; what was given to two at once is an error.
fn owners(events: &[Event]) -> Result<BTreeMap<Seat, BookingId>, String> {
    let mut owners: BTreeMap<Seat, BookingId> = BTreeMap::new();
    for event in events {
        match event {
            Event::SeatsHeld { booking, seats, .. } | Event::BookingConfirmed { booking, seats, .. } => {
                for seat in seats {
                    if let Some(other) = owners.insert(*seat, *booking).filter(|other| other != booking) {
                        return Err(format!("{seat} was {other:?}'s when it was given to {booking:?}"));
                    }
                }
            }
            Event::HoldExpired { booking, .. } | Event::BookingCancelled { booking, .. } => owners.retain(|_, owner| owner != booking),
            _ => {}
        }
    }
    Ok(owners)
}

guarded!(
    no_seat_is_sold_twice,
    sixty_four_writers_in_two_processes_never_oversell,
    without_the_version_check_seats_are_sold_twice,
    VersionCheck
);

/// Sixty-four writers, twenty seats, two processes: each seat goes to one, and each version of the launch has one event.
async fn no_seat_is_sold_twice(world: &World, guards: Guards) -> Verdict {
    for round in 0..4 * long() {
        let launch = launch(round);
        let executors = [executor(world, guards), executor(world, guards)];
        executors[0].execute::<Launch>(&launch, schedule(), &ask()).await.unwrap();
        let writers = (0..64_u128).map(|writer| {
            let executor = executors[writer as usize % 2].clone();
            let mut dice = dice(round * 64 + writer as u64);
            tokio::spawn(async move {
                let mut sold = Vec::new();
                for n in 0..4 {
                    let seat = seats()[dice.random_range(0..20)];
                    match executor.execute::<Launch>(&launch, hold(writer * 10 + n + 1, seat), &ask()).await {
                        Ok(done) => sold.push((seat, done.at.sequence)),
                        Err(Failure::Refused(Refusal::SeatsTaken { .. })) => {}
                        Err(failure) => panic!("{failure}"),
                    }
                }
                sold
            })
        });
        let sold: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
        let events = recorded(world, launch).await;
        let owners = owners(&events)?;
        let (seats, versions): (BTreeSet<_>, BTreeSet<_>) = sold.iter().copied().unzip();
        if sold.len() != owners.len() || seats.len() != owners.len() || versions != (2..2 + owners.len() as u64).collect() {
            return Err(format!("{} holds were confirmed of {} seats at {} versions", sold.len(), owners.len(), versions.len()));
        }
        assert_eq!(owners.len(), 20);
    }
    Ok(())
}

guarded!(expiry_and_payment_agree, a_hold_expires_or_is_paid_and_never_both, without_the_version_check_a_paid_hold_expires, VersionCheck);

fn passenger() -> NamedPassenger {
    let details = SealedPassenger { sealed: Sealed::from_text("x1:AAAA".to_owned()), finds: vec![] };
    NamedPassenger { born: "1990-05-01".parse().unwrap(), details }
}

/// A payment is captured in one process while in the other the hold expires, and a third party is after the seat.
async fn expiry_and_payment_agree(world: &World, guards: Guards) -> Verdict {
    let executors = [executor(world, guards), executor(world, guards)];
    let late: Timestamp = now() + SignedDuration::from_hours(2);
    for round in 0..25 * long() {
        let (launch, booking, seat) = (launch(round), booking(1), seats()[0]);
        let (customer, payment) = (CustomerId(Uuid::from_u128(1)), PaymentId(Uuid::from_u128(1)));
        let name = Command::NamePassengers {
            booking,
            customer,
            passengers: BTreeMap::from([(seat, passenger())]),
            policies: Box::default(),
            now: now(),
        };
        let card = Card { brand: "visa".into(), last4: "4242".into() };
        let pay = Command::InitiatePayment { booking, customer, payment, card, now: now() };
        for command in [schedule(), hold(1, seat), name, pay] {
            executors[0].execute::<Launch>(&launch, command, &ask()).await.unwrap();
        }
        // Both know the launch as it is.
        let _ = executors[1].execute::<Launch>(&launch, hold(9, seat), &ask()).await;
        let capture = Command::CapturePayment { booking, payment, reference: "ch_1".into(), now: late };
        let asks = [ask(), ask(), ask()];
        let (paid, expired, other) = tokio::join!(
            executors[0].execute::<Launch>(&launch, capture, &asks[0]),
            executors[1].execute::<Launch>(&launch, Command::ExpireHold { booking, now: late }, &asks[1]),
            executors[1].execute::<Launch>(&launch, hold(2, seat), &asks[2]),
        );
        paid.unwrap();
        let events = recorded(world, launch).await;
        let owners = owners(&events)?;
        let count = |which: fn(&Event) -> bool| events.iter().filter(|event| which(event)).count();
        let confirmed = count(|event| matches!(event, Event::BookingConfirmed { .. }));
        let refunded = count(|event| matches!(event, Event::RefundRequested { .. }));
        if confirmed + refunded != 1 {
            return Err(format!("paid once, confirmed {confirmed} times and given back {refunded} times"));
        }
        let position = |which: fn(&Event) -> bool| events.iter().position(which);
        if let (Some(confirmed), Some(expired)) = (
            position(|event| matches!(event, Event::BookingConfirmed { .. })),
            position(|event| matches!(event, Event::HoldExpired { .. })),
        ) && confirmed < expired
        {
            return Err("a booking that was paid expired".to_owned());
        }
        let state = executors[1].load::<Launch>(&launch).await.unwrap().state;
        let known = &state.manifest().unwrap().bookings[&booking];
        let owner = owners.get(&seat).copied();
        let right = match (&known.stage, &other) {
            (Stage::Confirmed { .. }, Err(_)) => owner == Some(booking),
            (Stage::Expired, Ok(_)) => owner == Some(self::booking(2)),
            _ => false,
        };
        if !right {
            return Err(format!("{:?}, {expired:?} and {other:?}, and the seat is {owner:?}'s", known.stage));
        }
    }
    Ok(())
}

guarded!(seats_are_linearizable, what_clients_see_of_seats_has_one_order, without_the_second_look_a_client_sees_the_past, RefusalRecheck);

/// Two hundred operations on four seats, by eight clients of two processes; the first few make one process see the past if it can.
async fn seats_are_linearizable(world: &World, guards: Guards) -> Verdict {
    for round in 0..3 * long() {
        let launch = launch(round);
        let clients = Clients { executors: [executor(world, guards), executor(world, guards)], launch, clock: Arc::default() };
        clients.executors[0].execute::<Launch>(&launch, schedule(), &ask()).await.unwrap();
        let mut history = Vec::new();
        history.push(clients.hold(0, 0, 1).await);
        history.push(clients.hold(1, 0, 2).await);
        history.push(clients.cancel(0, 0, 1).await);
        history.push(clients.hold(1, 0, 3).await);
        if history[3].what == What::Held(3) {
            history.push(clients.cancel(1, 0, 3).await);
        }
        let storm = (0..8_u32).map(|client| {
            let clients = clients.clone();
            let mut dice = dice(round * 8 + u64::from(client));
            tokio::spawn(async move {
                let mut own = Vec::new();
                for n in 0..25 {
                    let (process, seat, booking) = (dice.random_range(0..2), dice.random_range(0..4), 100 + client * 100 + n);
                    let operation = clients.hold(process, seat, booking).await;
                    own.push(operation);
                    if operation.what == What::Held(booking) {
                        own.push(clients.cancel(process, seat, booking).await);
                    }
                }
                own
            })
        });
        history.extend(join_all(storm).await.into_iter().flat_map(Result::unwrap));
        assert!(history.len() >= 200);
        let wrong = violations(&history);
        if !wrong.is_empty() {
            return Err(format!("no order explains what was seen of the seats {wrong:?}"));
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Clients {
    executors: [Executor; 2],
    launch: LaunchId,
    /// Counts calls and answers.
    clock: Arc<AtomicU64>,
}

impl Clients {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    async fn hold(&self, process: usize, seat: usize, booking: u32) -> Operation {
        let command = hold(u128::from(booking), seats()[seat]);
        let (called, ask) = (self.tick(), ask());
        let what = match self.executors[process].execute::<Launch>(&self.launch, command, &ask).await {
            Ok(_) => What::Held(booking),
            Err(Failure::Refused(Refusal::SeatsTaken { .. })) => What::Refused,
            Err(failure) => panic!("{failure}"),
        };
        Operation { seat, what, called, answered: self.tick() }
    }

    /// By the process that sold it, which knows of the booking in any case.
    async fn cancel(&self, process: usize, seat: usize, number: u32) -> Operation {
        let command = Command::CancelBooking {
            booking: booking(number.into()),
            customer: CustomerId(Uuid::from_u128(number.into())),
            refund: RefundId(Uuid::from_u128(number.into())),
            quoted: Money::ZERO,
            now: now(),
        };
        let (called, ask) = (self.tick(), ask());
        self.executors[process].execute::<Launch>(&self.launch, command, &ask).await.unwrap();
        Operation { seat, what: What::Cancelled(number), called, answered: self.tick() }
    }
}
