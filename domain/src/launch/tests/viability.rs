//! Rule 8: too few seats sold: warned 30 and 7 days ahead of the decision, then aborted.

use super::*;
use crate::policy::Viability;

fn warned(sold: u16, aborts_at: Timestamp, at: Timestamp) -> Event {
    Event::ViabilityWarned { sold, needed: 4, aborts_at, policy_version: 0, at }
}
/// On sale, but only from `days` before departure.
fn on_sale_late(days: u16) -> Past {
    nothing_yet().at(before_departure(days)).after(schedule(plan(), before_departure(days)))
}
fn aborted_at(now: Timestamp) -> [Event; 1] {
    [Event::Aborted { reason: AbortReason::Viability, fee: Money::dollars(1_000), policy_version: 0, at: now }]
}

#[test]
fn the_supplier_is_warned_30_and_7_days_ahead_then_the_launch_is_aborted() {
    let (month, week, decision) = (before_departure(120), before_departure(97), before_departure(90));
    on_sale().when(review(month)).then([warned(0, decision, month)]);
    let once = on_sale().after(review(month));
    once.clone().when(review(week)).then([warned(0, decision, week)]);
    once.after(review(week)).when(review(decision)).then(aborted_at(decision));
}

#[test]
fn looking_twice_warns_once() {
    let month = before_departure(120);
    let warned = on_sale().after(review(month));
    warned.clone().when(review(month)).then_nothing();
    warned.when(review(before_departure(98))).then_nothing();
}

#[test]
fn nobody_is_warned_before_the_time() {
    on_sale().when(review(NOW)).then_nothing();
    on_sale().when(review(earlier(before_departure(120), SECOND))).then_nothing();
}

#[test]
fn a_fifth_of_the_seats_is_enough_and_held_ones_do_not_count() {
    let now = before_departure(90);
    on_sale().booked(1, ANN, "1A 1B 1C 1D").when(review(now)).then_nothing();
    let three = on_sale().booked(1, ANN, "1A 1B 1C").held(2, BOB, "2A 2B");
    three.when(review(now)).then_events_with(|events| matches!(events, [Event::ViabilityWarned { sold: 3, needed: 4, .. }]));
}

#[test]
fn seats_sold_after_the_warning_save_the_launch() {
    let past = on_sale().after(review(before_departure(120))).booked(1, ANN, "1A 1B 1C 1D");
    past.when(review(before_departure(90))).then_nothing();
}

#[test]
fn a_confirmed_launch_with_too_few_seats_sold_is_aborted_too() {
    let past = on_sale().booked(1, ANN, "1A 1B 1C").confirmed(3).after(review(before_departure(120)));
    past.when(review(before_departure(90))).then(aborted_at(before_departure(90)));
}

#[test]
fn a_launch_scheduled_too_close_is_warned_at_once_and_aborted_a_week_later_at_the_earliest() {
    let scheduled = before_departure(60);
    let past = on_sale_late(60);
    assert_eq!(past.manifest().viability_reviews, [scheduled]);
    let aborts_at = later(scheduled, policy::days(7));
    past.clone().when(review(scheduled)).then([warned(0, aborts_at, scheduled)]);
    let past = past.after(review(scheduled));
    past.clone().when(review(earlier(aborts_at, SECOND))).then_nothing();
    past.when(review(aborts_at)).then(aborted_at(aborts_at));
}

#[test]
fn a_warning_sets_a_timer_for_the_abort() {
    let event = warned(0, before_departure(53), before_departure(60));
    let timer = Timer { kind: REVIEW_VIABILITY, subject: String::new(), due_at: before_departure(53) };
    assert_eq!(Launch::timers(&event), [timer]);
}

#[test]
fn a_launch_that_cannot_be_warned_a_week_ahead_flies_with_whom_it_has() {
    on_sale_late(7).when(review(before_departure(7))).then_nothing();
    on_sale_late(8).when(review(before_departure(8))).then_events_with(|events| events.len() == 1);
}

#[test]
fn a_scheduler_that_slept_through_the_warnings_warns_before_it_aborts() {
    let woken = before_departure(80);
    let aborts_at = later(woken, policy::days(7));
    on_sale().when(review(woken)).then([warned(0, aborts_at, woken)]);
    let once = on_sale().after(review(woken));
    once.clone().when(review(woken)).then_nothing();
    once.when(review(aborts_at)).then(aborted_at(aborts_at));
}

#[test]
fn a_delay_starts_the_warnings_anew() {
    let decision = before_departure(90);
    let new_date = later(DEPARTURE, policy::days(200));
    let past = on_sale().after(review(before_departure(120))).at(before_departure(100)).delayed_to(new_date);
    past.clone().when(review(decision)).then_nothing();
    let first = earlier(new_date, policy::days(120));
    past.when(review(first)).then([warned(0, earlier(new_date, policy::days(90)), first)]);
}

#[test]
fn a_new_policy_does_not_abort_before_the_moment_announced() {
    let stricter = Viability { days_before: 110, percent_sold: 20, warnings_days_ahead: vec![30, 7] };
    let past = on_sale().after(review(before_departure(120)));
    let policies = published(Numbers::Viability(stricter));
    past.when(Command::ReviewViability { policies, now: before_departure(97) })
        .then_events_with(|events| matches!(events, [Event::ViabilityWarned { aborts_at, .. }] if *aborts_at == before_departure(90)));
}

#[test]
fn the_share_is_that_of_the_policy_and_its_version_is_recorded() {
    let half = Viability { percent_sold: 50, ..Policies::default().viability.numbers };
    let policies = published(Numbers::Viability(half));
    on_sale()
        .booked(1, ANN, "1A 1B 1C 1D")
        .when(Command::ReviewViability { policies, now: before_departure(97) })
        .then_events_with(|events| matches!(events, [Event::ViabilityWarned { sold: 4, needed: 10, policy_version: 1, .. }]));
}

#[test]
fn a_launch_that_ended_or_departed_is_not_reviewed() {
    on_sale().aborted().when(review(before_departure(90))).then_nothing();
    on_sale().when(review(DEPARTURE)).then_nothing();
}
