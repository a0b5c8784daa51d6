//! Rules 3 and 5: holds that end, and who sits where.

use super::*;
use crate::policy::{Hold, PassengerAge};

fn minutes(minutes: i32) -> Timestamp {
    later(NOW, MINUTE * minutes)
}

#[test]
fn a_hold_sets_a_timer_for_its_end_with_the_grace() {
    let timers = Launch::timers(&seats_held(1, ANN, "1A", PRICE, NOW));
    assert_eq!(timers, [Timer { kind: EXPIRE_HOLD, subject: booking(1).to_string(), due_at: minutes(20) }]);
}

#[test]
fn a_hold_lasts_as_long_as_the_policy_says() {
    let short = published(Numbers::Hold(Hold { minutes: 2, grace_minutes: 1 }));
    on_sale().when(hold_under(short, 1, ANN, "1A", NOW)).then_events_with(|events| {
        matches!(events, [Event::SeatsHeld { expires_at, release_at, hold_version: 1, .. }]
            if *expires_at == minutes(2) && *release_at == minutes(3))
    });
}

#[test]
fn a_hold_is_not_ended_before_its_grace_is_over() {
    for early in [NOW, minutes(15), earlier(minutes(20), SECOND)] {
        on_sale().held(1, ANN, "1A").when(expire(1, early)).then_refused(Refusal::HoldNotOver { release_at: minutes(20) });
    }
}

#[test]
fn an_unpaid_hold_ends_with_its_grace_and_frees_its_seats() {
    on_sale().held(1, ANN, "1A 1B").when(expire(1, minutes(20))).then([Event::HoldExpired {
        booking: booking(1),
        customer: ANN,
        seats: seats("1A 1B"),
        at: minutes(20),
    }]);
    let free = on_sale().held(1, ANN, "1A 1B").after(expire(1, minutes(20)));
    assert_eq!((free.manifest().held, free.manifest().taken.len()), (0, 0));
    free.when(hold(2, BOB, "1A 1B", minutes(20))).then_events_with(|events| events.len() == 1);
}

#[test]
fn ending_a_hold_again_or_one_that_was_paid_or_given_up_changes_nothing() {
    on_sale().held(1, ANN, "1A").after(expire(1, minutes(20))).when(expire(1, minutes(30))).then_nothing();
    on_sale().booked(1, ANN, "1A").when(expire(1, minutes(20))).then_nothing();
    on_sale().held(1, ANN, "1A").after(cancel(1, ANN, Money::ZERO, NOW)).when(expire(1, minutes(20))).then_nothing();
    on_sale().when(expire(1, minutes(20))).then_refused(Refusal::UnknownBooking);
}

#[test]
fn a_hold_ends_on_a_launch_that_ended_too() {
    on_sale().held(1, ANN, "1A").aborted().when(expire(1, minutes(20))).then_events_with(|events| events.len() == 1);
}

#[test]
fn each_seat_gets_one_passenger() {
    on_sale().held(1, ANN, "1A 1B").when(name(1, ANN, passengers("1A 1B"), NOW)).then([Event::PassengersNamed {
        booking: booking(1),
        passengers: kept(passengers("1A 1B")),
        policy_version: 0,
        at: NOW,
    }]);
    for wrong in ["", "1A", "1A 1C", "1A 1B 1C"] {
        on_sale()
            .held(1, ANN, "1A 1B")
            .when(name(1, ANN, passengers(wrong), NOW))
            .then_refused(Refusal::PassengersDoNotMatch { seats: seats("1A 1B") });
    }
}

#[test]
fn passengers_can_be_corrected_while_the_hold_lasts() {
    let named = on_sale().held(1, ANN, "1A").named(1, "1A");
    named.clone().when(name(1, ANN, passengers("1A"), NOW)).then_nothing();
    let other = BTreeMap::from([(seat("1A"), born("1980-01-01"))]);
    named.clone().when(name(1, ANN, other.clone(), NOW)).then_events_with(|events| events.len() == 1);
    assert_eq!(named.after(name(1, ANN, other.clone(), NOW)).manifest().bookings[&booking(1)].passengers, kept(other));
}

#[test]
fn passengers_are_named_before_the_minutes_are_over() {
    let held = on_sale().held(1, ANN, "1A");
    held.clone().when(name(1, ANN, passengers("1A"), earlier(minutes(15), SECOND))).then_events_with(|events| events.len() == 1);
    held.when(name(1, ANN, passengers("1A"), minutes(15))).then_refused(Refusal::HoldExpired { expired_at: minutes(15) });
    on_sale()
        .booked(1, ANN, "1A")
        .when(name(1, ANN, passengers("1A"), NOW))
        .then_refused(Refusal::BookingClosed { stage: "confirmed".into() });
}

#[test]
fn nobody_names_the_passengers_of_anothers_booking() {
    on_sale().held(1, ANN, "1A").when(name(1, BOB, passengers("1A"), NOW)).then_refused(Refusal::UnknownBooking);
}

fn flies(day: &str) -> Outcome<Event, Refusal> {
    let who = BTreeMap::from([(seat("1A"), born("1990-01-01")), (seat("1B"), born(day))]);
    on_sale().held(1, ANN, "1A 1B").when(name(1, ANN, who, NOW))
}
fn refused_at(age: i16) -> Refusal {
    Refusal::AgeOutOfRange { seat: seat("1B"), age, from: 18, to: 70 }
}

#[test]
fn who_turns_18_on_launch_day_flies_and_who_turns_18_the_day_after_does_not() {
    flies("2010-06-15").then_events_with(|events| events.len() == 1);
    flies("2010-06-16").then_refused(refused_at(17));
}

#[test]
fn who_is_70_on_launch_day_flies_and_who_turns_71_that_day_does_not() {
    flies("1957-06-16").then_events_with(|events| events.len() == 1);
    flies("1957-06-15").then_refused(refused_at(71));
}

#[test]
fn a_passenger_is_born() {
    flies("2030-01-01").then_refused(refused_at(-2));
    flies("0001-01-01").then_refused(refused_at(2027));
}

#[test]
fn ages_are_those_of_the_policy_and_its_version_is_recorded() {
    let policies = published(Numbers::PassengerAge(PassengerAge { from: 12, to: 90 }));
    let who = BTreeMap::from([(seat("1A"), born("2012-01-01"))]);
    let command = Command::NamePassengers { booking: booking(1), customer: ANN, passengers: who, policies, now: NOW };
    on_sale()
        .held(1, ANN, "1A")
        .when(command)
        .then_events_with(|events| matches!(events, [Event::PassengersNamed { policy_version: 1, .. }]));
}
