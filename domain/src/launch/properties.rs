//! What must hold after any sequence of commands: no overselling, no seat of two owners, no seat lost, no money invented.
//! An oracle that only reads the recorded events, slowly and naively, says what is so. Sentences are left to `tests`.
//! 256 sequences of 60 steps, the same each time; `ASTRO_TORTURE=40` goes on forty times as long, with others each time.
#![allow(clippy::unwrap_used)]

use super::{
    tests::{DEPARTURE, NOW, booking, born, card, founding, line, payment, plan, refund, seat, seats},
    *,
};
use crate::policy::{self, Numbers};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::RngSeed};
use uuid::Uuid;

const STEPS: usize = 60;
const CUSTOMERS: u32 = 3;
const BOOKINGS: u32 = 12;
const PAYMENTS: u32 = 30;
const REFUNDS: u32 = 30;
/// The most seats any policy used here allows a VIP; four for others.
const VIP_LIMIT_MAX: u16 = 6;

/// What to try next; ids are drawn small, so that they meet.
#[derive(Debug, Clone)]
enum Step {
    Hold {
        booking: u32,
        customer: u32,
        seats: BTreeSet<Seat>,
    },
    /// Whatever comes next for the booking: names, payment, the provider's answer.
    Proceed {
        booking: u32,
        payment: u32,
        declined: bool,
    },
    Expire {
        booking: u32,
    },
    /// With the refund quoted now, or with another; the whole booking, or its `seat`th passenger.
    Cancel {
        booking: u32,
        seat: Option<usize>,
        refund: u32,
        by: Option<u32>,
        quoted: Option<i64>,
    },
    CancelForAbort {
        booking: u32,
        refund: u32,
    },
    /// The provider's answer for any payment, asked for or not.
    Answer {
        booking: u32,
        payment: u32,
        declined: bool,
    },
    /// The provider's answer for the `nth` refund of the booking.
    GiveBack {
        booking: u32,
        nth: usize,
        failed: bool,
    },
    Pay {
        booking: u32,
        customer: u32,
        payment: u32,
    },
    Name {
        booking: u32,
        customer: u32,
        seats: BTreeSet<Seat>,
        born: &'static str,
    },
    Schedule,
    Reprice {
        dollars: i64,
    },
    Delay {
        days: u16,
    },
    Review,
    Abort,
    Launched,
    Failed,
}

/// How time passes before a step.
#[derive(Debug, Clone)]
enum Passing {
    Minutes(i64),
    /// To so many days after the departure, where that is still ahead.
    Departure {
        days: i64,
    },
}

/// A step, the time that passes before it and whether it is taken under other policies than the founding ones.
type Moment = (Step, Passing, bool);

fn any_seats(most: usize) -> impl Strategy<Value = BTreeSet<Seat>> {
    const LABELS: &[&str] = &["1A", "1B", "1C", "2A", "2B", "2C", "3A", "3B", "3C", "4A"];
    vec(select(LABELS).prop_map(seat), 0..=most).prop_map(|seats| seats.into_iter().collect())
}

fn any_step() -> impl Strategy<Value = Step> {
    let (a_booking, a_customer) = (|| 0..BOOKINGS, || 0..CUSTOMERS);
    prop_oneof![
        30 => (a_booking(), a_customer(), any_seats(3)).prop_map(|(booking, customer, seats)| Step::Hold { booking, customer, seats }),
        100 => (a_booking(), 0..PAYMENTS, prop::bool::weighted(0.15))
            .prop_map(|(booking, payment, declined)| Step::Proceed { booking, payment, declined }),
        6 => a_booking().prop_map(|booking| Step::Expire { booking }),
        9 => (a_booking(), prop::option::of(0..4_usize), 0..REFUNDS, prop::option::weighted(0.1, a_customer()), prop::option::weighted(0.1, 0..200_000_000_i64))
            .prop_map(|(booking, seat, refund, by, quoted)| Step::Cancel { booking, seat, refund, by, quoted }),
        5 => (a_booking(), 0..REFUNDS).prop_map(|(booking, refund)| Step::CancelForAbort { booking, refund }),
        4 => (a_booking(), 0..PAYMENTS, any::<bool>()).prop_map(|(booking, payment, declined)| Step::Answer { booking, payment, declined }),
        4 => (a_booking(), 0..2_usize, any::<bool>()).prop_map(|(booking, nth, failed)| Step::GiveBack { booking, nth, failed }),
        2 => (a_booking(), a_customer(), 0..PAYMENTS).prop_map(|(booking, customer, payment)| Step::Pay { booking, customer, payment }),
        2 => (a_booking(), a_customer(), any_seats(3), select(["1990-05-01", "2015-01-01", "1930-01-01"].as_slice()))
            .prop_map(|(booking, customer, seats, born)| Step::Name { booking, customer, seats, born }),
        1 => Just(Step::Schedule),
        2 => (-1..3_000_000_i64).prop_map(|dollars| Step::Reprice { dollars }),
        1 => (0..60_u16).prop_map(|days| Step::Delay { days }),
        2 => Just(Step::Review),
        1 => prop::bool::weighted(0.4).prop_map(|really| if really { Step::Abort } else { Step::Review }),
        4 => Just(Step::Launched),
        2 => Just(Step::Failed),
    ]
}

fn any_story() -> impl Strategy<Value = Vec<Moment>> {
    let passing = prop_oneof![
        300 => Just(Passing::Minutes(0)),
        80 => (1..4_i64).prop_map(Passing::Minutes),
        40 => select([14_i64, 15, 16, 19, 20, 21].as_slice()).prop_map(Passing::Minutes),
        10 => (0..200_i64).prop_map(Passing::Minutes),
        10 => (1..60_i64).prop_map(|days| Passing::Minutes(days * 24 * 60)),
        8 => select([-365_i64, -364, -120, -97, -90, -89, -1].as_slice()).prop_map(|days| Passing::Departure { days }),
        6 => Just(Passing::Departure { days: 0 }),
    ];
    vec((any_step(), passing, prop::bool::weighted(0.1)), STEPS)
}

fn customer(n: u32) -> CustomerId {
    CustomerId(Uuid::from_u128(u128::from(n) + 1_000))
}
fn is_vip(customer: CustomerId) -> bool {
    customer == self::customer(2)
}
/// Three rows of three with one blocked: eight seats, so that customers get in each other's way.
fn small_plan() -> Plan {
    Plan { cabin: Cabin::new(3, 3, seats("3C")).unwrap(), minimum_seats: 2, ..plan() }
}
fn other_policies() -> Box<Policies> {
    let mut policies = Policies::default();
    policies.put(1, &Numbers::SeatLimit(policy::SeatLimit { standard: 2, vip: 3 }));
    policies.put(2, &Numbers::Hold(policy::Hold { minutes: 3, grace_minutes: 1 }));
    policies.put(
        3,
        &Numbers::Cancellation(policy::Cancellation {
            tiers: vec![policy::Tier { days_before: 3, percent: 33 }],
            free_days_after_delay: 2,
        }),
    );
    policies.put(4, &Numbers::Viability(policy::Viability { days_before: 30, percent_sold: 60, warnings_days_ahead: vec![10, 2] }));
    Box::new(policies)
}

/// What the events say, read from the first to the last each time.
#[derive(Debug, Default)]
struct Oracle {
    events: Vec<Event>,
}

impl Oracle {
    /// Who has the seat: the last event that names it says so. `true` for sold.
    fn owner(&self, seat: Seat) -> Option<(BookingId, bool)> {
        self.events.iter().fold(None, |owner, event| match event {
            Event::SeatsHeld { booking, seats, .. } if seats.contains(&seat) => Some((*booking, false)),
            Event::BookingConfirmed { booking, seats, .. } if seats.contains(&seat) => Some((*booking, true)),
            Event::HoldExpired { seats, .. } if seats.contains(&seat) => None,
            Event::BookingCancelled { freed, .. } if freed.contains(&seat) => None,
            Event::PassengerCancelled { seat: given_up, freed: true, .. } if *given_up == seat => None,
            _ => owner,
        })
    }
    /// The seats a booking has that is neither over nor given up.
    fn live(&self, id: BookingId) -> BTreeSet<Seat> {
        self.events.iter().fold(BTreeSet::new(), |mut live, event| match event {
            Event::SeatsHeld { booking, seats, .. } | Event::BookingConfirmed { booking, seats, .. } if *booking == id => seats.clone(),
            Event::HoldExpired { booking, .. } | Event::BookingCancelled { booking, .. } if *booking == id => BTreeSet::new(),
            Event::PassengerCancelled { booking, seat, .. } if *booking == id => {
                live.remove(seat);
                live
            }
            _ => live,
        })
    }
    /// The seats of an expired booking whose payment has no answer yet.
    fn doubtful(&self, id: BookingId) -> usize {
        let asked = self.events.iter().filter(|event| matches!(event, Event::PaymentInitiated { booking, .. } if *booking == id)).count();
        let answered = self.events.iter().filter(
            |event| matches!(event, Event::PaymentCaptured { booking, .. } | Event::PaymentDeclined { booking, .. } if *booking == id),
        );
        let ended = self.events.iter().rev().find_map(|event| match event {
            Event::HoldExpired { booking, seats, .. } if *booking == id => Some(seats.len()),
            Event::BookingConfirmed { booking, .. } | Event::BookingCancelled { booking, .. } if *booking == id => Some(0),
            _ => None,
        });
        if asked > answered.count() { ended.unwrap_or_default() } else { 0 }
    }
    fn bookings(&self) -> BTreeMap<BookingId, CustomerId> {
        let held = self.events.iter().filter_map(|event| match event {
            Event::SeatsHeld { booking, customer, .. } => Some((*booking, *customer)),
            _ => None,
        });
        held.collect()
    }
    fn seats_of(&self, customer: CustomerId) -> usize {
        let own = self.bookings().into_iter().filter(|(_, owner)| *owner == customer);
        own.map(|(booking, _)| self.live(booking).len() + self.doubtful(booking)).sum()
    }
    fn sum(&self, amount: impl Fn(&Event) -> Option<Money>) -> Money {
        self.events.iter().filter_map(amount).fold(Money::ZERO, Money::plus)
    }
    fn captured(&self, id: BookingId) -> Money {
        self.sum(|event| match event {
            Event::PaymentCaptured { booking, amount, .. } if *booking == id => Some(*amount),
            _ => None,
        })
    }
    fn refunded(&self, id: BookingId) -> Money {
        self.sum(|event| match event {
            Event::RefundRequested { booking, amount, .. } if *booking == id => Some(*amount),
            _ => None,
        })
    }
    /// The share of the price a booking may have back: by hand, from what it was promised and what came after.
    fn share(&self, id: BookingId, now: Timestamp) -> u8 {
        let promised = self.events.iter().find_map(|event| match event {
            Event::SeatsHeld { booking, cancellation, at, .. } if *booking == id => Some((*at, cancellation.numbers.tiers.clone())),
            _ => None,
        });
        let (held_at, tiers) = promised.unwrap();
        if self.events.iter().any(|event| matches!(event, Event::Aborted { .. })) {
            return 100;
        }
        let freed = |event: &Event| matches!(event, Event::Delayed { at, free_cancellation_until, .. } if *at >= held_at && now <= *free_cancellation_until);
        if self.events.iter().any(freed) {
            return 100;
        }
        let left = self.departs_at().as_second() - now.as_second();
        tiers.iter().filter(|tier| left >= i64::from(tier.days_before) * 86_400).map(|tier| tier.percent).max().unwrap_or_default()
    }
    fn is_open(&self) -> bool {
        let over = |event: &Event| matches!(event, Event::Aborted { .. } | Event::Launched { .. } | Event::Failed { .. });
        !self.events.is_empty() && !self.events.iter().any(over)
    }
    fn departs_at(&self) -> Timestamp {
        self.events.iter().fold(DEPARTURE, |at, event| if let Event::Delayed { departs_at, .. } = event { *departs_at } else { at })
    }
    /// Whether a hold must be accepted.
    fn may_hold(&self, wanted: &BTreeSet<Seat>, by: CustomerId, vip: bool, policies: &Policies, now: Timestamp) -> bool {
        let limit = if vip { policies.seat_limit.numbers.vip } else { policies.seat_limit.numbers.standard };
        self.is_open()
            && now < self.departs_at()
            && !wanted.is_empty()
            && wanted.iter().all(|seat| small_plan().cabin.sells(*seat) && self.owner(*seat).is_none())
            && self.seats_of(by) + wanted.len() <= usize::from(limit)
    }
}

/// A launch under test, and the oracle beside it.
#[derive(Debug)]
struct World {
    launch: Launch,
    oracle: Oracle,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let mut world = Self { launch: Launch::default(), oracle: Oracle::default(), now: NOW };
        world.put(&Command::Schedule { plan: Box::new(small_plan()), retired: false, neighbours: vec![], policies: founding(), now: NOW });
        world
    }

    fn pass(&mut self, passing: &Passing) {
        self.now = match passing {
            Passing::Minutes(minutes) => later(self.now, SignedDuration::from_mins(*minutes)),
            Passing::Departure { days } => later(self.oracle.departs_at(), SignedDuration::from_hours(days * 24)).max(self.now),
        };
    }
    /// A booking that is there, where there is any: most ids drawn are of none yet.
    fn some_booking(&self, n: u32) -> u32 {
        let there: Vec<u32> = (0..BOOKINGS).filter(|n| self.known(*n).is_some()).collect();
        there.get(usize::try_from(n).unwrap() % there.len().max(1)).copied().unwrap_or(n)
    }
    fn known(&self, n: u32) -> Option<&Booking> {
        self.launch.manifest()?.bookings.get(&booking(n))
    }

    /// The command a step means here and now, where it means one.
    fn command(&self, step: &Step, policies: Box<Policies>) -> Option<Command> {
        let now = self.now;
        let owner_of = |n: u32| self.known(n).map_or(customer(0), |known| known.customer);
        let answer = |n: u32, payment: PaymentId, declined: bool| {
            let booking = booking(n);
            if declined {
                Command::DeclinePayment { booking, payment, reason: "insufficient_funds".into(), now }
            } else {
                Command::CapturePayment { booking, payment, reference: "ch_1".into(), now }
            }
        };
        let everyone = |seats: &BTreeSet<Seat>, day: &str| seats.iter().map(|seat| (*seat, born(day))).collect::<BTreeMap<_, _>>();
        Some(match step.clone() {
            Step::Hold { booking: n, customer: by, seats } => {
                Command::Hold { booking: booking(n), customer: customer(by), vip: is_vip(customer(by)), seats, policies, now }
            }
            Step::Proceed { booking: n, payment: by, declined } => {
                let n = self.some_booking(n);
                let known = self.known(n)?;
                let asked = known.payments.iter().find(|(_, payment)| payment.state == PaymentState::Initiated);
                match asked {
                    Some((payment, _)) => answer(n, *payment, declined),
                    None if known.passengers.is_empty() => {
                        let passengers = everyone(&known.seats, "1990-05-01");
                        Command::NamePassengers { booking: booking(n), customer: known.customer, passengers, policies, now }
                    }
                    None => {
                        Command::InitiatePayment { booking: booking(n), customer: known.customer, payment: payment(by), card: card(), now }
                    }
                }
            }
            Step::Expire { booking: n } => Command::ExpireHold { booking: booking(self.some_booking(n)), now },
            Step::Cancel { booking: n, seat, refund: id, by, quoted } => {
                let n = self.some_booking(n);
                let seat = seat.map(|nth| self.known(n).and_then(|known| known.seats.iter().nth(nth).copied()).unwrap_or(self::seat("1A")));
                let (customer, refund) = (by.map_or(owner_of(n), customer), refund(id));
                let quote = self.launch.quote(booking(n), customer, seat, now);
                let quoted = quoted.map(Money::cents).or(quote.ok().map(|quote| quote.refund)).unwrap_or_default();
                match seat {
                    None => Command::CancelBooking { booking: booking(n), customer, refund, quoted, now },
                    Some(seat) => Command::CancelPassenger { booking: booking(n), customer, seat, refund, quoted, now },
                }
            }
            Step::CancelForAbort { booking: n, refund: id } => {
                Command::CancelForAbort { booking: booking(self.some_booking(n)), refund: refund(id), now }
            }
            Step::Answer { booking: n, payment: by, declined } => answer(n, payment(by), declined),
            Step::GiveBack { booking: n, nth, failed } => {
                let n = self.some_booking(n);
                let (booking, refund) = (booking(n), *self.known(n)?.refunds.keys().nth(nth)?);
                if failed {
                    Command::FailRefund { booking, refund, reason: "unreachable".into(), now }
                } else {
                    Command::SettleRefund { booking, refund, reference: "re_1".into(), now }
                }
            }
            Step::Pay { booking: n, customer: by, payment: id } => {
                Command::InitiatePayment { booking: booking(n), customer: customer(by), payment: payment(id), card: card(), now }
            }
            Step::Name { booking: n, customer: by, seats, born } => {
                Command::NamePassengers { booking: booking(n), customer: customer(by), passengers: everyone(&seats, born), policies, now }
            }
            Step::Schedule => Command::Schedule { plan: Box::new(small_plan()), retired: false, neighbours: vec![], policies, now },
            Step::Reprice { dollars } => Command::Reprice { price: Money::dollars(dollars), now },
            Step::Delay { days } => {
                let departs_at = later(self.oracle.departs_at(), policy::days(days));
                Command::Delay { departs_at, reason: line("High winds"), neighbours: vec![], policies, now }
            }
            Step::Review => Command::ReviewViability { policies, now },
            Step::Abort => Command::Abort { reason: AbortReason::Weather, policies, now },
            Step::Launched => Command::MarkLaunched { now },
            Step::Failed => Command::MarkFailed { reason: line("Engine fire"), now },
        })
    }

    /// Decides, applies and checks.
    fn put(&mut self, command: &Command) {
        let decided = self.launch.decide(command);
        self.agrees_on_holds(command, &decided);
        let before = self.launch.status();
        for event in decided.iter().flatten() {
            self.takes_only_free_seats(event);
            self.gives_back_the_right_share(event);
            self.launch = std::mem::take(&mut self.launch).evolve(event);
            self.oracle.events.push(event.clone());
        }
        self.holds_its_promises();
        assert!(before.is_none_or(|status| status < Status::Aborted || self.launch.status() == before), "a final state changed");
        if decided.is_ok() {
            let again = self.launch.decide(command).unwrap_or_default();
            let state = again.iter().fold(self.launch.clone(), |state, event| state.evolve(event));
            assert!(again.is_empty() || state == self.launch, "asked twice, done twice: {command:?} caused {again:?}");
        }
    }

    /// A hold is accepted exactly where the oracle says so.
    fn agrees_on_holds(&self, command: &Command, decided: &Result<Vec<Event>, Refusal>) {
        let Command::Hold { booking, customer, vip, seats, policies, now } = command else { return };
        if !self.oracle.bookings().contains_key(booking) {
            let accepted = matches!(decided.as_deref(), Ok([Event::SeatsHeld { .. }]));
            assert_eq!(accepted, self.oracle.may_hold(seats, *customer, *vip, policies, *now), "{command:?} -> {decided:?}");
        }
    }

    /// Nobody is given a seat of another.
    fn takes_only_free_seats(&self, event: &Event) {
        let (booking, wanted, own) = match event {
            Event::SeatsHeld { booking, seats, .. } => (booking, seats, false),
            Event::BookingConfirmed { booking, seats, .. } => (booking, seats, true),
            _ => return,
        };
        for seat in wanted {
            assert!(small_plan().cabin.sells(*seat), "sold a seat nobody sells: {event:?}");
            let owner = self.oracle.owner(*seat);
            assert!(owner.is_none() || (own && owner == Some((*booking, false))), "{seat} is {owner:?}'s: {event:?}");
        }
    }

    /// A hold is given up for nothing and frees its seats; what was paid comes back at the share promised, and at none the seat stays sold.
    fn gives_back_the_right_share(&self, event: &Event) {
        let (id, given_up, freed, told, refund, at) = match event {
            Event::BookingCancelled { booking, freed, percent, refund, at, .. } => {
                (booking, self.oracle.live(*booking), freed.clone(), *percent, *refund, *at)
            }
            Event::PassengerCancelled { booking, seat, freed, percent, refund, at, .. } => {
                let given_up = BTreeSet::from([*seat]);
                (booking, given_up.clone(), if *freed { given_up } else { BTreeSet::new() }, *percent, *refund, *at)
            }
            _ => return,
        };
        let known = &self.launch.manifest().unwrap().bookings[id];
        if known.is_held() {
            assert_eq!((freed, told, refund), (given_up, 0, Money::ZERO), "{event:?}");
            return;
        }
        let share = self.oracle.share(*id, at);
        assert_eq!((told, refund), (share, known.price_each.percent(share).times(given_up.len())), "{event:?}");
        assert_eq!(freed, if share > 0 { given_up } else { BTreeSet::new() }, "{event:?}");
    }

    fn holds_its_promises(&self) {
        let Some(manifest) = self.launch.manifest() else { return };
        let mut owners = BTreeMap::new();
        let mut held = 0;
        for seat in manifest.plan.cabin.places() {
            if let Some((booking, sold)) = self.oracle.owner(seat) {
                owners.insert(seat, booking);
                held += u16::from(!sold);
            }
        }
        assert_eq!(manifest.taken, owners);
        assert_eq!(manifest.held, held);
        assert!(manifest.sold() + manifest.held <= manifest.capacity(), "oversold");

        for (id, known) in &manifest.bookings {
            let live = self.oracle.live(*id);
            match known.stage {
                Stage::Held { .. } | Stage::Confirmed { .. } => {
                    assert_eq!(known.seats, live);
                    assert!(!live.is_empty() && live.iter().all(|seat| manifest.taken.get(seat) == Some(id)), "{id} lost a seat");
                    assert!(known.passengers.is_empty() || known.passengers.keys().eq(known.seats.iter()));
                }
                Stage::Expired | Stage::Cancelled => assert!(live.is_empty()),
            }
            assert_eq!((known.paid(), known.refunded()), (self.oracle.captured(*id), self.oracle.refunded(*id)));
            assert!(known.refunded() <= known.paid(), "{id} got back more than was paid");
            for (payment, paid) in &known.payments {
                let back =
                    known.refunds.values().filter(|refund| refund.payment == *payment).fold(Money::ZERO, |sum, one| sum.plus(one.amount));
                assert!(
                    back <= if paid.state == PaymentState::Captured { paid.amount } else { Money::ZERO },
                    "{payment} gave more than it took"
                );
            }
            if matches!(known.stage, Stage::Confirmed { .. }) {
                let kept = known.paid().minus(known.refunded());
                assert!(kept >= known.price(), "{id} flies {} seats for {kept}", known.seats.len());
            }
        }
        self.keeps_only_what_is_owned(manifest);

        for n in 0..CUSTOMERS {
            let counted = manifest.seats_of.get(&customer(n)).copied().unwrap_or_default();
            assert_eq!(usize::from(counted), self.oracle.seats_of(customer(n)));
            assert!(counted <= if is_vip(customer(n)) { VIP_LIMIT_MAX } else { 4 });
        }
    }

    /// A taken seat is of a booking that lives, or was given up too late for a refund.
    fn keeps_only_what_is_owned(&self, manifest: &Manifest) {
        for (seat, booking) in &manifest.taken {
            let given_up_for_nothing = self.oracle.events.iter().any(|event| match event {
                Event::BookingCancelled { booking: id, freed, percent, .. } => id == booking && freed.is_empty() && *percent == 0,
                Event::PassengerCancelled { booking: id, seat: given_up, freed, percent, .. } => {
                    (id, given_up) == (booking, seat) && !freed && *percent == 0
                }
                _ => false,
            });
            assert!(self.oracle.live(*booking).contains(seat) || given_up_for_nothing, "{seat} leaked");
        }
    }

    /// Long after: every hold ends, every open payment is declined, an abort is carried out.
    fn settle_down(&mut self) {
        self.now = later(self.now, SignedDuration::from_hours(24 * 365));
        for n in 0..BOOKINGS {
            if self.known(n).is_none() {
                continue;
            }
            for payment in self.known(n).map(|known| known.payments.keys().copied().collect::<Vec<_>>()).unwrap_or_default() {
                self.put(&Command::DeclinePayment { booking: booking(n), payment, reason: "timeout".into(), now: self.now });
            }
            self.put(&Command::ExpireHold { booking: booking(n), now: self.now });
            if self.launch.status() == Some(Status::Aborted) {
                self.put(&Command::CancelForAbort { booking: booking(n), refund: refund(REFUNDS + n), now: self.now });
            }
        }
        let Some(manifest) = self.launch.manifest() else { return };
        assert_eq!(manifest.held, 0, "a hold outlived everything");
        let flying: u16 = manifest
            .bookings
            .values()
            .filter(|known| matches!(known.stage, Stage::Confirmed { .. }))
            .map(|known| count(known.seats.len()))
            .sum();
        assert_eq!(manifest.seats_of.values().sum::<u16>(), flying);
        if self.launch.status() == Some(Status::Aborted) {
            assert_eq!(flying, 0, "a booking outlived the abort");
        }
    }

    /// Every id of a payment or refund is used once: the provider moves money once per id.
    fn moves_money_once_per_id(&self) {
        let (mut payments, mut refunds) = (BTreeSet::new(), BTreeSet::new());
        for event in &self.oracle.events {
            match event {
                Event::PaymentInitiated { payment, .. } => assert!(payments.insert(*payment), "{payment} asked for twice"),
                Event::RefundRequested { refund, amount, .. } => {
                    assert!(refunds.insert(*refund) && amount.is_positive(), "{refund} asked for twice, or for nothing");
                }
                _ => {}
            }
        }
    }

    /// What is stored and read back is the same history and the same launch.
    fn survives_the_store(&self) {
        let read = |event: &Event| serde_json::from_str::<Event>(&serde_json::to_string(event).unwrap()).unwrap();
        let history: Vec<Event> = self.oracle.events.iter().map(read).collect();
        assert_eq!(history, self.oracle.events);
        assert_eq!(history.iter().fold(Launch::default(), Launch::evolve), self.launch);
        let snapshot = serde_json::to_string(&self.launch).unwrap();
        assert_eq!(serde_json::from_str::<Launch>(&snapshot).unwrap(), self.launch);
    }
}

/// How many sequences are tried, and which.
#[allow(clippy::disallowed_methods)] // how long a test goes on is no rule
fn config() -> ProptestConfig {
    match std::env::var("ASTRO_TORTURE") {
        Ok(times) => ProptestConfig::with_cases(256 * times.parse::<u32>().unwrap()),
        Err(_) => ProptestConfig { cases: 256, rng_seed: RngSeed::Fixed(60), ..ProptestConfig::default() },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_sequence_of_commands_breaks_a_promise(story in any_story()) {
        let mut world = World::new();
        for (step, passing, other) in &story {
            world.pass(passing);
            let policies = if *other { other_policies() } else { founding() };
            if let Some(command) = world.command(step, policies) {
                world.put(&command);
            }
        }
        world.settle_down();
        world.moves_money_once_per_id();
        world.survives_the_store();
    }

    #[test]
    fn a_launch_nobody_scheduled_stays_so(story in any_story()) {
        let world = World { launch: Launch::default(), oracle: Oracle::default(), now: NOW };
        for (step, ..) in story.iter().filter(|(step, ..)| !matches!(step, Step::Schedule)) {
            if let Some(command) = world.command(step, founding()) {
                prop_assert!(world.launch.decide(&command).unwrap_or_default().is_empty());
            }
        }
    }

    /// Two customers after the same seats, in any order and number: each seat is sold once, first come, first served.
    #[test]
    fn first_come_first_served(wishes in vec((0..200_u32, any_seats(2)), 1..100)) {
        let mut world = World::new();
        let mut first: BTreeMap<Seat, u32> = BTreeMap::new();
        for (n, (by, wanted)) in (0_u32..).zip(&wishes) {
            let free = wanted.iter().all(|seat| !first.contains_key(seat) && small_plan().cabin.sells(*seat)) && !wanted.is_empty();
            let step = Command::Hold { booking: booking(n), customer: customer(by + n * 1_000), vip: false, seats: wanted.clone(), policies: founding(), now: NOW };
            world.put(&step);
            if free {
                first.extend(wanted.iter().map(|seat| (*seat, n)));
            }
        }
        let taken: BTreeMap<Seat, BookingId> = first.into_iter().map(|(seat, n)| (seat, booking(n))).collect();
        prop_assert_eq!(&world.launch.manifest().unwrap().taken, &taken);
    }
}

/// The stories reach what they are meant to reach; else the properties above would prove little.
#[test]
fn the_stories_go_everywhere() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut late = 0;
    for _ in 0..300 {
        let mut world = World::new();
        for (step, passing, other) in any_story().new_tree(&mut runner).unwrap().current() {
            world.pass(&passing);
            let policies = if other { other_policies() } else { founding() };
            let Some(command) = world.command(&step, policies) else { continue };
            for event in world.launch.decide(&command).unwrap_or_default() {
                *seen.entry(event.name()).or_default() += 1;
                late += usize::from(matches!(event, Event::RefundRequested { reason: RefundReason::TooLate, .. }));
                world.launch = std::mem::take(&mut world.launch).evolve(&event);
                world.oracle.events.push(event);
            }
        }
    }
    let all = [
        "repriced",
        "delayed",
        "confirmed",
        "viability_warned",
        "aborted",
        "launched",
        "seats_held",
        "hold_expired",
        "passengers_named",
        "payment_initiated",
        "payment_captured",
        "payment_declined",
        "booking_confirmed",
        "booking_cancelled",
        "passenger_cancelled",
        "refund_requested",
        "refund_paid",
        "refund_failed",
    ];
    for name in all {
        assert!(seen.get(name).is_some_and(|times| *times >= 5), "{name} is hardly reached: {seen:?}");
    }
    assert!(late >= 3, "late payments are hardly reached: {late} of {seen:?}");
}
