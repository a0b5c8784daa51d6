//! Given events, then documents: what each view shows.

use crate::{
    Column, Recorded, Unfit, View,
    accounts::{ABORT_FEES, CASH, CUSTOMER_DEPOSITS, LaunchAccount, REFUNDS_PAYABLE, SUPPLIER_RECEIVABLES},
    bookings::{BookingDocument, trip},
    given::*,
    launches::LaunchDocument,
};
use contract::{
    AbortReason, CancelledBy, Money, RefundReason, Seat, Status,
    booking::{Booking, BookingStatus},
    fleet::{Rocket, Spaceport, Supplier},
};
use domain::{
    AnyEvent, Decider,
    booking::{Basis, PaymentState, RefundState},
    launch::{Command, Event, Launch},
    passenger::NamedPassenger,
    policy::Policies,
    rocket::{self, Build},
    seat::Cabin,
    spaceport::{self, Place},
    supplier::{self, Profile},
};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn launch(events: impl IntoIterator<Item = Event>) -> LaunchDocument {
    folded(&of_launch(events), &LAUNCH.to_string()).unwrap().unwrap()
}
fn kept(n: u128, events: impl IntoIterator<Item = Event>) -> BookingDocument {
    folded(&of_launch(events), &booking(n).to_string()).unwrap().unwrap()
}
fn booked(n: u128, events: impl IntoIterator<Item = Event>) -> Booking {
    kept(n, events).booking
}
fn account(events: impl IntoIterator<Item = Event>) -> LaunchAccount {
    folded(&of_launch(events), &LAUNCH.to_string()).unwrap().unwrap()
}
fn taken(document: &LaunchDocument) -> Vec<(String, bool)> {
    document.clone().into_page().taken.iter().map(|taken| (taken.seat.to_string(), taken.held)).collect()
}
fn expired(n: u128, labels: &str) -> Event {
    Event::HoldExpired { booking: booking(n), customer: ANN, seats: seats(labels), at: now() }
}
fn cancelled(n: u128, freed: &str, percent: u8, refund: Money, by: CancelledBy) -> Event {
    let basis = if by == CancelledBy::Abort { Basis::Aborted } else { Basis::TimeLeft { days: 400 } };
    let (booking, freed) = (booking(n), seats(freed));
    Event::BookingCancelled { booking, customer: ANN, by, freed, percent, refund, basis, policy_version: 0, at: now() }
}
fn refunding(n: u128, amount: Money) -> Event {
    Event::RefundRequested {
        booking: booking(n),
        refund: refund(n),
        payment: payment(n),
        amount,
        reason: RefundReason::Cancelled,
        at: now(),
    }
}
fn refunded(n: u128, amount: Money) -> Event {
    Event::RefundPaid { booking: booking(n), refund: refund(n), amount, reference: "r".into(), at: now() }
}
fn aborted() -> Event {
    Event::Aborted { reason: AbortReason::Weather, fee: Money::dollars(1_000), policy_version: 0, at: now() }
}
fn delayed() -> Event {
    Event::Delayed {
        departs_at: at("2029-01-15T12:00:00Z"),
        was: departure(),
        reason: line("The pad is being repaired"),
        free_cancellation_until: at("2026-01-15T00:00:00Z"),
        viability_reviews: vec![],
        policy_version: 0,
        at: now(),
    }
}
/// Two seats held, named and paid.
fn sold() -> Vec<Event> {
    let named = Event::PassengersNamed { booking: booking(1), passengers: passengers("1A 1B"), policy_version: 0, at: now() };
    let amount = PRICE.times(2);
    vec![scheduled(), held(1, "1A 1B"), named, initiated(1, amount), captured(1, amount), confirmed(1, "1A 1B")]
}
fn then(mut events: Vec<Event>, more: impl IntoIterator<Item = Event>) -> Vec<Event> {
    events.extend(more);
    events
}

#[test]
fn a_scheduled_launch_is_on_sale_with_all_its_seats() {
    let document = launch([scheduled()]);
    let card = &document.page.card;
    assert_eq!((card.capacity, card.sold, card.held, card.left()), (20, 0, 0, 20));
    assert_eq!((card.status, card.price, card.mission.as_deref()), (Status::Scheduled, PRICE, Some("Étoile")));
    assert_eq!((card.departure.offset_minutes, card.departure.abbreviation.as_str()), (-240, "EDT"));
    assert_eq!(document.page.history[0].text, "20 seats to Low Earth Orbit at $1,000,000 each, departing Thu 15 Jun 2028, 08:00 EDT.");
    assert_eq!((document.page.history[0].event.as_str(), document.page.position), ("scheduled", 1));
    let Some((_, Column::Words(words))) = document.columns().pop() else { panic!("words come last") };
    for word in ["atlas", "551", "starway", "cape", "orbit", "etoile"] {
        assert!(words.contains(&word.to_owned()), "{word} in {words:?}");
    }
}

#[test]
fn seats_are_held_then_sold_then_free_again() {
    let document = launch([scheduled(), held(1, "1A 1B"), held(2, "2A")]);
    assert_eq!(taken(&document), [("1A".into(), true), ("1B".into(), true), ("2A".into(), true)]);
    assert_eq!((document.page.card.held, document.page.card.sold), (3, 0));
    let document = launch([scheduled(), held(1, "1A 1B"), held(2, "2A"), confirmed(1, "1A 1B"), expired(2, "2A")]);
    assert_eq!(taken(&document), [("1A".into(), false), ("1B".into(), false)]);
    assert_eq!((document.page.card.held, document.page.card.sold, document.page.position), (0, 2, 5));
    let document = launch(then(sold(), [cancelled(1, "1A 1B", 90, PRICE, CancelledBy::Customer)]));
    assert_eq!((taken(&document), document.page.card.sold), (vec![], 0));
}

#[test]
fn taken_seats_are_kept_as_one_text_and_read_as_they_were_kept_before() {
    let document = launch([scheduled(), held(1, "1A 1B"), held(2, "2A"), confirmed(1, "1A 1B")]);
    let mut stored = serde_json::to_value(&document).unwrap();
    assert_eq!((&stored["taken"], &stored["page"]["taken"]), (&json!("1A 1B 2A*"), &json!([])));
    assert_eq!(serde_json::from_value::<LaunchDocument>(stored.clone()).unwrap(), document);
    stored.as_object_mut().unwrap().remove("taken");
    stored["page"]["taken"] = serde_json::to_value(document.clone().into_page().taken).unwrap();
    assert_eq!(serde_json::from_value::<LaunchDocument>(stored.clone()).unwrap(), document);
    stored["taken"] = json!("1A nowhere");
    assert!(serde_json::from_value::<LaunchDocument>(stored).is_err());
}

#[test]
fn a_seat_given_up_for_nothing_stays_sold() {
    let document = launch(then(sold(), [cancelled(1, "", 0, Money::ZERO, CancelledBy::Customer)]));
    assert_eq!(document.page.card.sold, 2);
}

#[test]
fn a_late_payment_takes_its_seats_again() {
    let document = launch([scheduled(), held(1, "1A"), expired(1, "1A"), captured(1, PRICE), confirmed(1, "1A")]);
    assert_eq!(taken(&document), [("1A".into(), false)]);
}

#[test]
fn what_happens_to_a_launch_is_told() {
    let warned = Event::ViabilityWarned { sold: 1, needed: 4, aborts_at: at("2028-03-17T12:00:00Z"), policy_version: 0, at: now() };
    let repriced = Event::Repriced { price: Money::dollars(900_000), was: PRICE, at: now() };
    let document = launch([scheduled(), repriced, Event::Confirmed { sold: 3, at: now() }, warned, delayed(), aborted()]);
    let told: Vec<(&str, &str)> =
        document.page.history.iter().skip(1).map(|happening| (happening.title.as_str(), happening.text.as_str())).collect();
    assert_eq!(
        told,
        [
            ("New price", "The price of a seat was lowered from $1,000,000 to $900,000. Seats already held or sold keep their price."),
            ("Confirmed", "3 seats sold; the launch needs 3, so it flies as planned."),
            (
                "Too few seats sold",
                "1 seat sold so far. Unless 4 are sold by 17 Mar 2028, the launch will be aborted and everyone refunded in full."
            ),
            (
                "Date moved",
                "Moved from Thu 15 Jun 2028, 08:00 EDT to Mon 15 Jan 2029, 07:00 EST. The pad is being repaired. \
                 Bookings made before may be cancelled for a full refund until 14 Jan 2026."
            ),
            ("Aborted", "The weather does not allow the launch. Every booking is cancelled and refunded in full."),
        ]
    );
    assert_eq!(document.marks, [1, 2, 3, 4, 5, 6]);
    let card = &document.page.card;
    assert_eq!((card.status, card.price, card.delayed_from), (Status::Aborted, Money::dollars(900_000), Some(departure())));
    assert_eq!((card.departure.abbreviation.as_str(), document.page.free_cancellation_until), ("EST", Some(at("2026-01-15T00:00:00Z"))));
}

#[test]
fn a_long_history_keeps_its_beginning_and_its_end() {
    let prices = (1..=300).map(|n| Event::Repriced { price: Money::dollars(n), was: Money::dollars(n + 1), at: now() });
    let document = launch([scheduled()].into_iter().chain(prices));
    assert_eq!((document.page.history.len(), document.marks.len()), (100, 100));
    assert_eq!((document.marks[0], document.marks[1], document.marks[99]), (1, 203, 301));
}

#[test]
fn an_event_that_cannot_follow_is_refused() {
    let lost = of_launch([held(1, "1A")]);
    assert_eq!(folded::<LaunchDocument>(&lost, &LAUNCH.to_string()), Err(Unfit("the launch is not scheduled")));
    assert_eq!(folded::<LaunchAccount>(&of_launch([aborted()]), &LAUNCH.to_string()), Err(Unfit("the launch is not scheduled")));
    let lost = of_launch([scheduled(), confirmed(1, "1A")]);
    assert_eq!(folded::<BookingDocument>(&lost, &booking(1).to_string()), Err(Unfit("the booking does not begin with a hold")));
    let twice = of_launch([scheduled(), scheduled()]);
    assert!(folded::<LaunchDocument>(&twice, &LAUNCH.to_string()).is_err());
}

#[test]
fn a_booking_is_held_named_paid_and_told() {
    let document = booked(1, sold());
    assert_eq!((document.status, document.total, document.paid), (BookingStatus::Confirmed, PRICE.times(2), PRICE.times(2)));
    assert_eq!((document.expires_at, document.confirmed_at, document.held_at), (None, Some(now()), now()));
    assert_eq!((document.payments[0].card.as_str(), document.payments[0].state), ("visa 4242", PaymentState::Captured));
    assert_eq!((document.passengers.len(), document.position), (0, 6));
    assert_eq!(document.terms.iter().map(|term| (term.percent, term.days_before)).collect::<Vec<_>>(), [(90, 365), (70, 90)]);
    let told: Vec<(&str, &str)> = document.timeline.iter().map(|step| (step.title.as_str(), step.text.as_str())).collect();
    assert_eq!(
        told,
        [
            ("Seats held", "Seats 1A and 1B are kept for you until Thu 1 Jan 2026, 00:15 UTC at $1,000,000 each."),
            ("Passengers named", "2 passengers on board."),
            ("Payment started", "$2,000,000 with visa ending in 4242."),
            ("Payment received", "We received $2,000,000."),
            ("Booking confirmed", "Seats 1A and 1B are yours, paid with $2,000,000."),
        ]
    );
    assert!(document.reference.starts_with("B-") && document.reference.len() == 11, "{}", document.reference);
    let document = kept(1, sold());
    assert_eq!(document.sealed, passengers("1A 1B"));
    let Some((_, Column::Words(words))) = document.columns().pop() else { panic!("words come last") };
    assert!(words.contains(&"b".to_owned()) && words.contains(&"~00ff".to_owned()), "{words:?}");
    let stored = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<BookingDocument>(&stored).unwrap(), document);
}

#[test]
fn a_declined_payment_leaves_the_seats_held() {
    let declined = Event::PaymentDeclined { booking: booking(1), payment: payment(1), reason: "insufficient_funds".into(), at: now() };
    let document = booked(1, [scheduled(), held(1, "1A"), initiated(1, PRICE), declined]);
    assert_eq!((document.status, document.paid), (BookingStatus::Held, Money::ZERO));
    assert_eq!((document.payments[0].state, document.payments[0].reason.as_str()), (PaymentState::Declined, "insufficient_funds"));
    assert_eq!(document.timeline[2].text, "The card was declined (insufficient funds). Nothing was charged.");
}

#[test]
fn one_passenger_of_two_is_cancelled_and_refunded() {
    let gone = Event::PassengerCancelled {
        booking: booking(1),
        customer: ANN,
        seat: "1A".parse().unwrap(),
        freed: true,
        percent: 90,
        refund: Money::dollars(900_000),
        basis: Basis::TimeLeft { days: 896 },
        policy_version: 0,
        at: now(),
    };
    let failed = Event::RefundFailed { booking: booking(1), refund: refund(1), reason: "down".into(), at: now() };
    let amount = Money::dollars(900_000);
    let events = then(sold(), [gone, refunding(1, amount), failed, refunded(1, amount)]);
    let document = booked(1, events.clone());
    assert_eq!((document.status, document.seats.len(), kept(1, events.clone()).sealed.len()), (BookingStatus::Confirmed, 1, 1));
    assert_eq!((document.total, document.paid, document.refunded), (PRICE, PRICE.times(2), amount));
    assert_eq!(document.refunds[0].state, RefundState::Paid);
    let told: Vec<&str> = document.timeline.iter().skip(5).map(|step| step.text.as_str()).collect();
    assert_eq!(
        told,
        [
            "You gave up seat 1A. With 896 days left before launch 90 % goes back to you: $900,000.",
            "$900,000 goes back to your card, because you cancelled.",
            "The payment provider did not take the refund of $900,000. We try again by ourselves.",
            "$900,000 is back on your card.",
        ]
    );
    assert_eq!(taken(&launch(events)), [("1B".into(), false)]);
}

#[test]
fn a_flown_launch_flies_its_bookings() {
    let events = then(sold(), [Event::Launched { at: departure() }]);
    let flown = trip(kept(1, events.clone()), launch(events)).shown;
    assert_eq!(flown.booking.status, BookingStatus::Flown);
    let last = flown.booking.timeline.last().unwrap();
    assert_eq!(
        (last.title.as_str(), last.text.as_str()),
        ("Launch: launched", "Lifted off to Low Earth Orbit with 2 passengers on board.")
    );
}

#[test]
fn a_trip_tells_what_happened_to_the_launch_while_it_lasted() {
    let gone = cancelled(1, "1A 1B", 90, PRICE, CancelledBy::Customer);
    let events = then(sold(), [delayed(), gone, refunding(1, PRICE), aborted()]);
    let trip = trip(kept(1, events.clone()), launch(events)).shown;
    let told: Vec<&str> = trip.booking.timeline.iter().skip(5).map(|step| step.title.as_str()).collect();
    assert_eq!(told, ["Launch: date moved", "Booking cancelled", "Refund on its way"]);
    assert_eq!(trip.booking.status, BookingStatus::Cancelled);
}

#[test]
fn every_movement_of_money_is_entered_twice() {
    let (paid, back) = (PRICE.times(2), Money::dollars(1_800_000));
    let gone = cancelled(1, "1A 1B", 90, back, CancelledBy::Customer);
    let events = of_launch(then(sold(), [gone, refunding(1, back), refunded(1, back), aborted()]));
    let mut view = None;
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| LaunchAccount::key(event).is_some()) {
        let after = LaunchAccount::project(view, event).unwrap();
        let lines = after.lines(event);
        assert_eq!(lines.iter().map(|line| line.amount.minor).sum::<i64>(), 0);
        for line in lines {
            assert_eq!((line.supplier, line.launch), (SUPPLIER, LAUNCH));
            *balances.entry(line.account).or_default() += line.amount.minor;
        }
        view = Some(after);
    }
    let view = view.unwrap();
    assert_eq!((view.revenue.captured, view.revenue.refunded, view.fees), (paid, back, Money::dollars(1_000)));
    assert_eq!((view.revenue.net, view.revenue.sold), (paid.minus(back), 0));
    let kept = paid.minus(back).minor;
    let expected =
        [(CASH, kept), (CUSTOMER_DEPOSITS, -kept), (REFUNDS_PAYABLE, 0), (SUPPLIER_RECEIVABLES, 100_000), (ABORT_FEES, -100_000)];
    assert_eq!(balances, expected.map(|(account, balance)| (account.to_owned(), balance)).into());
}

#[test]
fn a_cancelled_hold_was_never_sold() {
    let gone = cancelled(2, "3A", 0, Money::ZERO, CancelledBy::Abort);
    let view = account(then(sold(), [held(2, "3A"), gone]));
    assert_eq!(view.revenue.sold, 2);
}

#[test]
fn suppliers_rockets_and_spaceports_are_shown() {
    let id = Uuid::from_u128(7);
    let mut profile =
        Profile { legal_name: line("Starway Inc."), display_name: line("Starway"), description: None, contact: None, country: line("US") };
    let registered = AnyEvent::Supplier(supplier::Event::Registered { profile: profile.clone(), at: now() });
    profile.display_name = line("Star Way");
    let updated = AnyEvent::Supplier(supplier::Event::Updated { profile, at: now() });
    let events = [recorded("supplier", id, 1, registered), recorded("supplier", id, 2, updated)];
    let shown: Supplier = folded(&events, &id.to_string()).unwrap().unwrap();
    assert_eq!((shown.name.as_str(), shown.legal_name.as_str(), shown.description.as_str()), ("Star Way", "Starway Inc.", ""));

    let build =
        Build { name: line("Vega"), model: None, range: contract::Destination::Moon, cabin: Cabin::new(2, 3, seats("1A")).unwrap() };
    let added = AnyEvent::Rocket(rocket::Event::Added { supplier: SUPPLIER, build, at: now() });
    let retired = AnyEvent::Rocket(rocket::Event::Retired { at: now() });
    let events = [recorded("rocket", id, 1, added), recorded("rocket", id, 2, retired)];
    let shown: Rocket = folded(&events, &id.to_string()).unwrap().unwrap();
    assert_eq!((shown.name.as_str(), shown.capacity, shown.retired, shown.supplier), ("Vega", 5, true, SUPPLIER));

    let place = Place { name: line("Kourou"), location: line("Guiana"), zone: line("America/Cayenne"), latitude: 5.2, longitude: -52.8 };
    let events = [recorded("spaceport", id, 1, AnyEvent::Spaceport(spaceport::Event::Added { place, at: now() }))];
    let shown: Spaceport = folded(&events, &id.to_string()).unwrap().unwrap();
    assert_eq!((shown.zone.as_str(), shown.latitude), ("America/Cayenne", 5.2));
}

/// A small generator of the same numbers each time (SplitMix64).
struct Dice(u64);
impl Dice {
    fn upto(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Whatever is asked of a launch: the events that follow.
fn story(dice: &mut Dice, steps: u64) -> (Launch, Vec<Recorded>) {
    let policies: Box<Policies> = Box::default();
    let (mut launch, mut events, mut now) = (Launch::default(), Vec::new(), now());
    let first = Command::Schedule { plan: Box::new(plan()), retired: false, neighbours: vec![], policies: policies.clone(), now };
    let mut next = Some(first);
    for _ in 0..steps {
        let n = u128::from(dice.upto(12));
        let customer = contract::CustomerId(Uuid::from_u128(n % 4));
        let seat = |dice: &mut Dice| Seat::new(1 + dice.upto(6) as u8, dice.upto(4) as u8).unwrap();
        let command = next.take().unwrap_or_else(|| match dice.upto(14) {
            0..4 => {
                let seats: BTreeSet<Seat> = (0..=dice.upto(2)).map(|_| seat(dice)).collect();
                Command::Hold { booking: booking(n), customer, vip: false, seats, policies: policies.clone(), now }
            }
            4 => Command::ExpireHold { booking: booking(n), now },
            5 => {
                let known = launch.manifest().and_then(|manifest| manifest.bookings.get(&booking(n)));
                let labels: Vec<String> = known.map(|known| known.seats.iter().map(ToString::to_string).collect()).unwrap_or_default();
                let named = |details| NamedPassenger { born: jiff::civil::date(1990, 5, 1), details };
                let passengers = passengers(&labels.join(" ")).into_iter().map(|(seat, details)| (seat, named(details))).collect();
                Command::NamePassengers { booking: booking(n), customer, passengers, policies: policies.clone(), now }
            }
            6 => Command::InitiatePayment { booking: booking(n), customer, payment: payment(n), card: card(), now },
            7 | 8 => Command::CapturePayment { booking: booking(n), payment: payment(n), reference: "r".into(), now },
            9 => Command::DeclinePayment { booking: booking(n), payment: payment(n), reason: "no".into(), now },
            10 | 11 => {
                let seat = (dice.upto(2) == 0).then(|| seat(dice));
                let quoted = launch.quote(booking(n), customer, seat, now).map_or(Money::ZERO, |quote| quote.refund);
                let refund = refund(u128::from(dice.upto(u64::MAX)));
                match seat {
                    Some(seat) => Command::CancelPassenger { booking: booking(n), customer, seat, refund, quoted, now },
                    None => Command::CancelBooking { booking: booking(n), customer, refund, quoted, now },
                }
            }
            12 if dice.upto(8) == 0 => Command::Abort { reason: AbortReason::Technical, policies: policies.clone(), now },
            12 => Command::CancelForAbort { booking: booking(n), refund: refund(u128::from(dice.upto(u64::MAX))), now },
            _ => {
                let departs_at = launch.manifest().map_or(now, |manifest| manifest.plan.departs_at) + SignedDuration::from_hours(24);
                Command::Delay { departs_at, reason: line("late"), neighbours: vec![], policies: policies.clone(), now }
            }
        });
        now += SignedDuration::from_mins(dice.upto(8) as i64);
        for event in launch.decide(&command).unwrap_or_default() {
            launch = launch.evolve(&event);
            events.push(event);
        }
    }
    (launch, of_launch(events))
}

#[test]
fn the_views_agree_with_the_launch_whatever_happens() {
    for seed in 0..400 {
        let (launch, events) = story(&mut Dice(seed), 80);
        let manifest = launch.manifest().unwrap();
        let id = LAUNCH.to_string();
        let page = folded::<LaunchDocument>(&events, &id).unwrap().unwrap().into_page();
        let shown: BTreeSet<Seat> = page.taken.iter().map(|taken| taken.seat).collect();
        assert_eq!(shown, manifest.taken.keys().copied().collect(), "seed {seed}");
        assert_eq!((page.card.held, page.card.sold), (manifest.held, manifest.sold()), "seed {seed}");
        assert_eq!((Some(page.card.status), page.card.departure.at), (launch.status(), manifest.plan.departs_at), "seed {seed}");
        let account = folded::<LaunchAccount>(&events, &id).unwrap().unwrap();
        assert_eq!(account.revenue.sold, manifest.sold(), "seed {seed}");
        let (mut paid, mut back) = (Money::ZERO, Money::ZERO);
        for (id, known) in &manifest.bookings {
            let BookingDocument { booking: document, sealed } = folded(&events, &id.to_string()).unwrap().unwrap();
            assert_eq!((document.paid, document.refunded), (known.paid(), known.refunded()), "seed {seed}");
            assert_eq!(document.seats.iter().copied().collect::<BTreeSet<_>>(), known.seats, "seed {seed}");
            assert_eq!(sealed, known.passengers, "seed {seed}");
            assert_eq!(document.status == BookingStatus::Held, known.is_held(), "seed {seed}");
            (paid, back) = (paid.plus(known.paid()), back.plus(known.refunded()));
        }
        assert_eq!((account.revenue.captured, account.revenue.refunded), (paid, back), "seed {seed}");
    }
}

#[test]
fn streams_may_come_in_any_order() {
    for seed in 0..50 {
        let mut dice = Dice(seed);
        // Three launches with bookings of their own, recorded one after the other.
        let mut streams: Vec<Vec<Recorded>> = Vec::new();
        let mut position = 0;
        for n in 1..=3_u128 {
            let (_, events) = story(&mut dice, 40);
            let text = serde_json::to_string(&events.iter().map(|event| &event.event).map(payload).collect::<Vec<_>>()).unwrap();
            // The same ids in another number space: a booking is of one launch only.
            let text = text.replace("-000000000", &format!("-0000{n}0000"));
            let events: Vec<Event> = serde_json::from_str(&text).unwrap();
            let record = |event| {
                position += 1;
                recorded(Launch::NAME, Uuid::from_u128(n), position, AnyEvent::Launch(Box::new(event)))
            };
            streams.push(events.into_iter().map(record).collect());
        }
        let in_order: Vec<Recorded> = streams.iter().flatten().cloned().collect();
        let mut waiting: Vec<std::collections::VecDeque<Recorded>> = streams.into_iter().map(Into::into).collect();
        let mut mixed = Vec::new();
        while mixed.len() < in_order.len() {
            let pick = dice.upto(3) as usize;
            mixed.extend(waiting[pick].pop_front());
        }
        assert_eq!(all::<LaunchDocument>(&mixed), all::<LaunchDocument>(&in_order), "seed {seed}");
        assert_eq!(all::<BookingDocument>(&mixed), all::<BookingDocument>(&in_order), "seed {seed}");
        assert_eq!(all::<LaunchAccount>(&mixed), all::<LaunchAccount>(&in_order), "seed {seed}");
    }
}

fn payload(event: &AnyEvent) -> &Event {
    match event {
        AnyEvent::Launch(event) => event,
        other => panic!("{other:?}"),
    }
}

/// Every document, by id.
fn all<V: View>(events: &[Recorded]) -> BTreeMap<String, V> {
    let ids: BTreeSet<String> = events.iter().filter_map(V::key).collect();
    ids.into_iter().map(|id| (id.clone(), folded(events, &id).unwrap().unwrap())).collect()
}
