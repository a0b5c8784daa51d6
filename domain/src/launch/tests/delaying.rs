//! Rule 11: a delay frees cancellation for 14 days, for those who booked before it.

use super::*;
use crate::policy::{Cancellation, Scheduling};

fn new_date() -> Timestamp {
    later(DEPARTURE, policy::days(30))
}
/// A month before departure, when cancelling gives nothing back.
fn announced() -> Timestamp {
    before_departure(30)
}
fn booked_then_delayed() -> Past {
    on_sale().booked(1, ANN, "1A 1B").at(announced()).delayed_to(new_date())
}
fn percent(past: &Past, n: u32, customer: CustomerId, now: Timestamp) -> u8 {
    past.launch().quote(booking(n), customer, None, now).unwrap().percent
}

#[test]
fn a_delay_moves_the_launch_and_says_until_when_cancelling_is_free() {
    on_sale().when(delay(new_date(), announced())).then([Event::Delayed {
        departs_at: new_date(),
        was: DEPARTURE,
        reason: line("High winds"),
        free_cancellation_until: later(announced(), policy::days(14)),
        viability_reviews: vec![announced()],
        policy_version: 0,
        at: announced(),
    }]);
    let past = booked_then_delayed();
    assert_eq!(past.launch().status(), Some(Status::Delayed));
    assert_eq!(past.manifest().plan.departs_at, new_date());
}

#[test]
fn a_delay_is_to_a_later_moment_that_is_still_ahead() {
    on_sale().when(delay(DEPARTURE, NOW)).then_nothing();
    on_sale().when(delay(earlier(DEPARTURE, SECOND), NOW)).then_refused(Refusal::NotLater { departs_at: DEPARTURE });
    on_sale().when(delay(new_date(), new_date())).then_refused(Refusal::NotLater { departs_at: DEPARTURE });
    on_sale().aborted().when(delay(new_date(), NOW)).then_refused(Refusal::NotOpen { status: Status::Aborted });
}

#[test]
fn scheduled_confirmed_and_delayed_launches_are_delayed() {
    for past in [on_sale(), on_sale().confirmed(3), on_sale().delayed_to(later(DEPARTURE, SECOND))] {
        past.when(delay(new_date(), NOW)).then_events_with(|events| matches!(events, [Event::Delayed { .. }]));
    }
}

#[test]
fn a_delay_keeps_the_turnaround() {
    let policies = published(Numbers::Scheduling(Scheduling { lead_days: 1, turnaround_days: 5 }));
    let command = Command::Delay { departs_at: new_date(), reason: line("Winds"), neighbours: vec![new_date()], policies, now: NOW };
    on_sale().when(command).then_refused(Refusal::TurnaroundTooShort { other: new_date(), turnaround_days: 5 });
}

#[test]
fn who_booked_before_a_delay_cancels_in_full_for_14_days() {
    let past = booked_then_delayed();
    let last_moment = later(announced(), policy::days(14));
    assert_eq!(percent(&past, 1, ANN, announced()), 100);
    assert_eq!(percent(&past, 1, ANN, last_moment), 100);
    assert_eq!(percent(&past, 1, ANN, later(last_moment, SECOND)), 0);
    past.clone().when(cancel(1, ANN, PRICE.times(2), last_moment)).then_events_with(|events| {
        matches!(&events[0], Event::BookingCancelled { percent: 100, basis, .. } if *basis == Basis::Delayed { free_until: last_moment })
    });
    assert_eq!(past.after(cancel(1, ANN, PRICE.times(2), last_moment)).manifest().sold(), 0);
}

#[test]
fn one_passenger_cancels_in_full_after_a_delay_too() {
    booked_then_delayed()
        .when(cancel_seat(1, ANN, "1A", PRICE, announced()))
        .then_events_with(|events| matches!(events[0], Event::PassengerCancelled { percent: 100, freed: true, .. }));
}

#[test]
fn who_booked_after_a_delay_knew_the_date() {
    let past = booked_then_delayed().at(later(announced(), SECOND)).booked(2, BOB, "2A");
    assert_eq!(percent(&past, 2, BOB, later(announced(), MINUTE)), 0);
}

#[test]
fn who_was_paying_when_the_delay_came_booked_before_it() {
    let past = on_sale().at(earlier(announced(), MINUTE)).ready_to_pay(1, ANN, "1A").at(announced()).delayed_to(new_date());
    let past = past.after(capture(1, 1, later(announced(), MINUTE)));
    assert_eq!(percent(&past, 1, ANN, later(announced(), MINUTE)), 100);
}

#[test]
fn after_the_free_days_the_time_to_the_new_date_counts() {
    let far = later(DEPARTURE, policy::days(400));
    let past = on_sale().booked(1, ANN, "1A").at(announced()).delayed_to(far);
    assert_eq!(percent(&past, 1, ANN, later(announced(), policy::days(15))), 90);
}

#[test]
fn a_second_delay_does_not_take_back_the_free_days_of_the_first() {
    let none = Cancellation { free_days_after_delay: 0, ..Policies::default().cancellation.numbers };
    let again = later(announced(), policy::days(1));
    let second = Command::Delay {
        departs_at: later(new_date(), policy::days(1)),
        reason: line("Fog"),
        neighbours: vec![],
        policies: published(Numbers::Cancellation(none)),
        now: again,
    };
    let past = booked_then_delayed().at(later(announced(), SECOND)).booked(2, BOB, "2A").after(second);
    let then = later(again, policy::days(5));
    assert_eq!((percent(&past, 1, ANN, then), percent(&past, 2, BOB, then)), (100, 0));
}
