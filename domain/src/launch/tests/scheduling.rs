//! Rule 4: scheduled for the future, within range, keeping the turnaround.

use super::*;
use crate::policy::Scheduling;

#[test]
fn a_launch_goes_on_sale_as_planned_and_plans_its_viability_reviews() {
    nothing_yet().when(schedule(plan(), NOW)).then([Event::Scheduled {
        plan: Box::new(plan()),
        viability_reviews: vec![before_departure(120), before_departure(97), before_departure(90)],
        policy_version: 0,
        at: NOW,
    }]);
    assert_eq!(on_sale().launch().status(), Some(Status::Scheduled));
    assert_eq!(on_sale().manifest().capacity(), 20);
}

#[test]
fn each_viability_review_gets_a_timer() {
    let due: Vec<Timestamp> = Launch::timers(&on_sale().events[0]).into_iter().map(|timer| timer.due_at).collect();
    assert_eq!(due, [before_departure(120), before_departure(97), before_departure(90)]);
    assert!(Launch::timers(&on_sale().events[0]).iter().all(|timer| timer.kind == REVIEW_VIABILITY));
}

#[test]
fn a_launch_is_scheduled_once() {
    on_sale().when(schedule(plan(), NOW)).then_refused(Refusal::AlreadyScheduled);
    on_sale().aborted().when(schedule(plan(), NOW)).then_refused(Refusal::AlreadyScheduled);
}

#[test]
fn a_launch_is_scheduled_at_least_a_day_ahead() {
    let eve = before_departure(1);
    nothing_yet().when(schedule(plan(), eve)).then_events_with(|events| events.len() == 1);
    nothing_yet()
        .when(schedule(plan(), later(eve, SECOND)))
        .then_refused(Refusal::TooSoon { lead_days: 1, earliest: later(DEPARTURE, SECOND) });
    nothing_yet().when(schedule(plan(), later(DEPARTURE, SECOND))).then_refused_with(|refusal| matches!(refusal, Refusal::TooSoon { .. }));
}

#[test]
fn the_lead_time_is_that_of_the_policy_and_its_version_is_recorded() {
    let month = published(Numbers::Scheduling(Scheduling { lead_days: 30, turnaround_days: 0 }));
    nothing_yet()
        .when(schedule_under(month.clone(), plan(), before_departure(29)))
        .then_refused(Refusal::TooSoon { lead_days: 30, earliest: later(DEPARTURE, policy::days(1)) });
    nothing_yet()
        .when(schedule_under(month, plan(), before_departure(30)))
        .then_events_with(|events| matches!(events, [Event::Scheduled { policy_version: 1, .. }]));
}

#[test]
fn a_rocket_flies_no_farther_than_its_range() {
    for destination in Destination::ALL {
        let outcome = nothing_yet().when(schedule(Plan { destination, ..plan() }, NOW));
        if destination <= Destination::Station {
            outcome.then_events_with(|events| events.len() == 1);
        } else {
            outcome.then_refused(Refusal::OutOfRange { range: Destination::Station, destination });
        }
    }
}

#[test]
fn a_retired_rocket_gets_no_new_launch() {
    let command = Command::Schedule { plan: Box::new(plan()), retired: true, neighbours: vec![], policies: founding(), now: NOW };
    nothing_yet().when(command).then_refused(Refusal::RocketRetired);
}

fn schedule_beside(other: Timestamp, turnaround_days: u16) -> Command {
    let policies = published(Numbers::Scheduling(Scheduling { lead_days: 1, turnaround_days }));
    Command::Schedule { plan: Box::new(plan()), retired: false, neighbours: vec![before_departure(400), other], policies, now: NOW }
}

#[test]
fn two_launches_of_one_rocket_keep_the_turnaround_before_and_after() {
    let ten_days = policy::days(10);
    for far_enough in [earlier(DEPARTURE, ten_days), later(DEPARTURE, ten_days)] {
        nothing_yet().when(schedule_beside(far_enough, 10)).then_events_with(|events| events.len() == 1);
    }
    for other in [DEPARTURE, later(earlier(DEPARTURE, ten_days), SECOND), earlier(later(DEPARTURE, ten_days), SECOND)] {
        nothing_yet().when(schedule_beside(other, 10)).then_refused(Refusal::TurnaroundTooShort { other, turnaround_days: 10 });
    }
}

#[test]
fn a_turnaround_of_nothing_allows_two_launches_at_once() {
    nothing_yet().when(schedule_beside(DEPARTURE, 0)).then_events_with(|events| events.len() == 1);
}

#[test]
fn a_seat_costs_something_and_not_everything() {
    for price in [Money::ZERO, Money::cents(-1), Money::MAX.plus(Money::cents(1))] {
        nothing_yet().when(schedule(Plan { price, ..plan() }, NOW)).then_refused(Refusal::PriceOutOfRange { max: Money::MAX });
        on_sale().when(reprice(price, NOW)).then_refused(Refusal::PriceOutOfRange { max: Money::MAX });
    }
    nothing_yet().when(schedule(Plan { price: Money::MAX, ..plan() }, NOW)).then_events_with(|events| events.len() == 1);
}

#[test]
fn the_minimum_is_one_seat_to_the_whole_cabin() {
    for minimum_seats in [0, 21, u16::MAX] {
        nothing_yet().when(schedule(Plan { minimum_seats, ..plan() }, NOW)).then_refused(Refusal::MinimumOutOfRange { capacity: 20 });
    }
    for minimum_seats in [1, 20] {
        nothing_yet().when(schedule(Plan { minimum_seats, ..plan() }, NOW)).then_events_with(|events| events.len() == 1);
    }
}

#[test]
fn a_new_price_is_for_new_holds_only() {
    let dearer = Money::dollars(2_000_000);
    on_sale().when(reprice(dearer, NOW)).then([Event::Repriced { price: dearer, was: PRICE, at: NOW }]);
    on_sale().when(reprice(PRICE, NOW)).then_nothing();

    let past = on_sale().held(1, ANN, "1A 1B").named(1, "1A 1B").after(reprice(dearer, NOW));
    past.clone().when(pay(1, ANN, 1, NOW)).then([Event::PaymentInitiated {
        booking: booking(1),
        payment: payment(1),
        amount: PRICE.times(2),
        card: card(),
        at: NOW,
    }]);
    past.when(hold(2, BOB, "2A", NOW)).then([seats_held(2, BOB, "2A", dearer, NOW)]);
}

#[test]
fn nothing_can_be_asked_of_a_launch_nobody_scheduled() {
    let asked = [
        reprice(PRICE, NOW),
        delay(DEPARTURE, NOW),
        abort(NOW),
        mark_launched(NOW),
        mark_failed(NOW),
        hold(1, ANN, "1A", NOW),
        expire(1, NOW),
        name(1, ANN, passengers("1A"), NOW),
        pay(1, ANN, 1, NOW),
        capture(1, 1, NOW),
        decline(1, 1, NOW),
        cancel(1, ANN, PRICE, NOW),
        cancel_seat(1, ANN, "1A", PRICE, NOW),
        settle(1, refund(1), NOW),
        fail(1, refund(1), NOW),
    ];
    for command in asked {
        nothing_yet().when(command).then_refused(Refusal::UnknownLaunch);
    }
    nothing_yet().when(cancel_for_abort(1, NOW)).then_refused(Refusal::NotAborted);
    nothing_yet().when(review(NOW)).then_nothing();
}
