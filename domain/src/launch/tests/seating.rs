//! Rules 1 and 2: no overselling, one owner of a seat, so many seats for each customer.

use super::*;
use crate::policy::SeatLimit;

#[test]
fn a_hold_keeps_the_seats_at_the_price_and_the_policies_of_the_moment() {
    on_sale().when(hold(1, ANN, "1A 1B", NOW)).then([seats_held(1, ANN, "1A 1B", PRICE, NOW)]);
}

#[test]
fn a_seat_has_one_owner_while_held_and_when_sold() {
    on_sale().held(1, ANN, "1A").when(hold(2, BOB, "1A", NOW)).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
    on_sale().booked(1, ANN, "1A").when(hold(2, BOB, "1A", NOW)).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
}

#[test]
fn nobody_takes_an_own_seat_twice() {
    on_sale().held(1, ANN, "1A").when(hold(2, ANN, "1A", NOW)).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
}

#[test]
fn a_hold_is_all_or_nothing_and_names_what_is_taken() {
    on_sale().held(1, ANN, "1A 1B 1C").when(hold(2, BOB, "1B 1C 1D", NOW)).then_refused(Refusal::SeatsTaken { seats: seats("1B 1C") });
}

#[test]
fn refuses_to_oversell_a_full_cabin() {
    let full = (1..=5_u32).fold(on_sale(), |past, row| {
        let customer = CustomerId(Uuid::from_u128(row.into()));
        past.booked(row, customer, &format!("{row}A {row}B {row}C {row}D"))
    });
    assert_eq!(full.manifest().sold(), full.manifest().capacity());
    for place in plan().cabin.places() {
        full.clone()
            .when(hold(9, ANN, &place.to_string(), NOW))
            .then_refused_with(|refusal| matches!(refusal, Refusal::SeatsTaken { .. } | Refusal::NoSuchSeat { .. }));
    }
}

#[test]
fn a_blocked_seat_and_one_the_cabin_does_not_have_are_not_sold() {
    for label in ["6A", "7A", "1E", "200Z"] {
        on_sale().when(hold(1, ANN, &format!("1A {label}"), NOW)).then_refused(Refusal::NoSuchSeat { seat: seat(label) });
    }
}

#[test]
fn a_hold_needs_a_seat() {
    on_sale().when(hold(1, ANN, "", NOW)).then_refused(Refusal::NoSeats);
}

#[test]
fn a_customer_has_at_most_four_seats_on_a_launch() {
    on_sale().when(hold(1, ANN, "1A 1B 1C 1D", NOW)).then_events_with(|events| events.len() == 1);
    on_sale().when(hold(1, ANN, "1A 1B 1C 1D 2A", NOW)).then_refused(Refusal::SeatLimitReached { limit: 4, already: 0 });
}

#[test]
fn all_own_bookings_count_together() {
    let three = on_sale().booked(1, ANN, "1A 1B").held(2, ANN, "2A");
    three.clone().when(hold(3, ANN, "3A", NOW)).then_events_with(|events| events.len() == 1);
    three.clone().when(hold(3, ANN, "3A 3B", NOW)).then_refused(Refusal::SeatLimitReached { limit: 4, already: 3 });
    three.when(hold(3, BOB, "3A 3B 3C 3D", NOW)).then_events_with(|events| events.len() == 1);
}

#[test]
fn a_vip_has_at_most_six() {
    on_sale().when(hold_as_vip(1, ANN, "1A 1B 1C 1D 2A 2B", NOW)).then_events_with(|events| events.len() == 1);
    on_sale().when(hold_as_vip(1, ANN, "1A 1B 1C 1D 2A 2B 2C", NOW)).then_refused(Refusal::SeatLimitReached { limit: 6, already: 0 });
    let four = on_sale().booked(1, ANN, "1A 1B 1C 1D");
    four.clone().when(hold_as_vip(2, ANN, "2A 2B", NOW)).then_events_with(|events| events.len() == 1);
    four.when(hold_as_vip(2, ANN, "2A 2B 2C", NOW)).then_refused(Refusal::SeatLimitReached { limit: 6, already: 4 });
}

#[test]
fn the_limit_is_that_of_the_policy_and_its_version_is_recorded() {
    let one = published(Numbers::SeatLimit(SeatLimit { standard: 1, vip: 1 }));
    on_sale().when(hold_under(one.clone(), 1, ANN, "1A 1B", NOW)).then_refused(Refusal::SeatLimitReached { limit: 1, already: 0 });
    on_sale()
        .when(hold_under(one, 1, ANN, "1A", NOW))
        .then_events_with(|events| matches!(events, [Event::SeatsHeld { seat_limit_version: 1, hold_version: 0, .. }]));
}

#[test]
fn seats_given_up_no_longer_count() {
    let all = "1A 1B 1C 1D";
    let expired = on_sale().held(1, ANN, all).expired(1, ANN, all);
    expired.when(hold(2, ANN, all, NOW)).then_events_with(|events| events.len() == 1);
    let cancelled = on_sale().booked(1, ANN, all).after(cancel(1, ANN, PRICE.percent(90).times(4), NOW));
    cancelled.when(hold(2, ANN, all, NOW)).then_events_with(|events| events.len() == 1);
    let one_less = on_sale().booked(1, ANN, all).after(cancel_seat(1, ANN, "1A", PRICE.percent(90), NOW));
    one_less.clone().when(hold(2, ANN, "1A", NOW)).then_events_with(|events| events.len() == 1);
    one_less.when(hold(2, ANN, "1A 2A", NOW)).then_refused(Refusal::SeatLimitReached { limit: 4, already: 3 });
}

#[test]
fn an_expired_hold_counts_while_its_payment_may_bring_the_seats_back() {
    let all = "1A 1B 1C 1D";
    let doubtful = on_sale().ready_to_pay(1, ANN, all).expired(1, ANN, all);
    doubtful.clone().when(hold(2, ANN, "2A", NOW)).then_refused(Refusal::SeatLimitReached { limit: 4, already: 4 });
    let declined = doubtful.clone().after(decline(1, 1, NOW));
    declined.when(hold(2, ANN, "2A 2B 2C 2D", NOW)).then_events_with(|events| events.len() == 1);
    let back = doubtful.clone().after(capture(1, 1, NOW));
    back.when(hold(2, ANN, "2A", NOW)).then_refused(Refusal::SeatLimitReached { limit: 4, already: 4 });
    let refunded = doubtful.held(3, BOB, "1A").after(capture(1, 1, NOW));
    refunded.when(hold(2, ANN, "2A 2B 2C 2D", NOW)).then_events_with(|events| events.len() == 1);
}

#[test]
fn scheduled_confirmed_and_delayed_launches_are_bookable_until_they_depart() {
    let delayed = on_sale().delayed_to(later(DEPARTURE, policy::days(1)));
    for past in [on_sale(), on_sale().confirmed(3), delayed.clone()] {
        past.when(hold(1, ANN, "1A", earlier(DEPARTURE, SECOND))).then_events_with(|events| events.len() == 1);
    }
    on_sale().when(hold(1, ANN, "1A", DEPARTURE)).then_refused(Refusal::Departed);
    delayed.when(hold(1, ANN, "1A", DEPARTURE)).then_events_with(|events| events.len() == 1);
}

#[test]
fn a_launch_that_ended_is_not_bookable() {
    on_sale().aborted().when(hold(1, ANN, "1A", NOW)).then_refused(Refusal::NotOpen { status: Status::Aborted });
    on_sale().confirmed(3).launched().when(hold(1, ANN, "1A", NOW)).then_refused(Refusal::NotOpen { status: Status::Launched });
}

#[test]
fn asking_again_for_the_same_hold_is_free() {
    on_sale().held(1, ANN, "1A 1B").when(hold(1, ANN, "1A 1B", NOW)).then_nothing();
    on_sale().booked(1, ANN, "1A 1B").when(hold(1, ANN, "1A 1B", NOW)).then_nothing();
}

#[test]
fn a_bookings_id_names_one_booking() {
    on_sale().held(1, ANN, "1A").when(hold(1, BOB, "2A", NOW)).then_refused(Refusal::BookingIdUsed);
    on_sale().held(1, ANN, "1A").when(hold(1, ANN, "2A", NOW)).then_refused(Refusal::BookingIdUsed);
}

#[test]
fn an_ended_bookings_id_is_not_used_again() {
    let expired = on_sale().held(1, ANN, "1A").expired(1, ANN, "1A");
    expired.when(hold(1, ANN, "1A", NOW)).then_refused(Refusal::BookingClosed { stage: "expired".into() });
    let cancelled = on_sale().held(1, ANN, "1A").after(cancel(1, ANN, Money::ZERO, NOW));
    cancelled.when(hold(1, ANN, "1A", NOW)).then_refused(Refusal::BookingClosed { stage: "cancelled".into() });
}
