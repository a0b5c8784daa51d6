//! Rule 7: an abort cancels every booking in full, and the supplier pays.

use super::*;
use crate::policy::AbortFee;

#[test]
fn an_abort_charges_the_supplier_1_000_dollars() {
    on_sale().when(abort(NOW)).then([Event::Aborted {
        reason: AbortReason::Technical,
        fee: Money::dollars(1_000),
        policy_version: 0,
        at: NOW,
    }]);
}

#[test]
fn the_fee_is_that_of_the_policy_and_its_version_is_recorded() {
    let policies = published(Numbers::AbortFee(AbortFee { amount: Money::dollars(5_000) }));
    on_sale().when(Command::Abort { reason: AbortReason::Weather, policies, now: NOW }).then([Event::Aborted {
        reason: AbortReason::Weather,
        fee: Money::dollars(5_000),
        policy_version: 1,
        at: NOW,
    }]);
}

#[test]
fn scheduled_confirmed_and_delayed_launches_are_aborted_and_ended_ones_not() {
    for past in [on_sale(), on_sale().confirmed(3), on_sale().delayed_to(later(DEPARTURE, SECOND))] {
        past.clone().when(abort(NOW)).then_events_with(|events| events.len() == 1);
        assert_eq!(past.aborted().launch().status(), Some(Status::Aborted));
    }
    on_sale().confirmed(3).launched().when(abort(NOW)).then_refused(Refusal::NotOpen { status: Status::Launched });
    on_sale().confirmed(3).after(mark_failed(DEPARTURE)).when(abort(NOW)).then_refused(Refusal::NotOpen { status: Status::Failed });
}

#[test]
fn aborting_again_changes_and_charges_nothing() {
    on_sale().aborted().when(abort(NOW)).then_nothing();
}

#[test]
fn each_booking_of_an_aborted_launch_is_given_back_in_full() {
    let late = before_departure(10);
    let past = on_sale().booked(1, ANN, "1A 1B").at(late).aborted();
    past.clone().when(cancel_for_abort(1, late)).then([
        Event::BookingCancelled {
            booking: booking(1),
            customer: ANN,
            by: CancelledBy::Abort,
            freed: seats("1A 1B"),
            percent: 100,
            refund: PRICE.times(2),
            basis: Basis::Aborted,
            policy_version: 0,
            at: late,
        },
        refund_of(1, refund(1), PRICE.times(2), RefundReason::Aborted, late),
    ]);
    let over = past.after(cancel_for_abort(1, late));
    assert_eq!(over.manifest().taken.len(), 0);
    over.when(cancel_for_abort(1, late)).then_nothing();
}

#[test]
fn a_hold_on_an_aborted_launch_ends_without_money() {
    on_sale()
        .held(1, ANN, "1A")
        .aborted()
        .when(cancel_for_abort(1, NOW))
        .then_events_with(|events| matches!(events, [Event::BookingCancelled { refund, .. }] if *refund == Money::ZERO));
}

#[test]
fn an_abort_gives_back_what_earlier_cancellations_left() {
    let past = on_sale().booked(1, ANN, "1A 1B 1C").after(cancel_seat(1, ANN, "1A", PRICE.percent(90), NOW)).aborted();
    let known = past.after(cancel_for_abort(1, NOW)).manifest().bookings[&booking(1)].clone();
    assert_eq!(known.refunded(), PRICE.percent(90).plus(PRICE.times(2)));
    assert!(known.refunded() <= known.paid());
}

#[test]
fn a_customer_may_be_faster_than_the_process_and_gets_all_the_same() {
    let past = on_sale().booked(1, ANN, "1A 1B").aborted();
    assert_eq!(past.launch().quote(booking(1), ANN, None, NOW).unwrap().refund, PRICE.times(2));
    let over = past.after(cancel(1, ANN, PRICE.times(2), NOW));
    over.when(cancel_for_abort(1, NOW)).then_nothing();
}

#[test]
fn only_bookings_of_an_aborted_launch_are_cancelled_so() {
    on_sale().booked(1, ANN, "1A").when(cancel_for_abort(1, NOW)).then_refused(Refusal::NotAborted);
    on_sale().aborted().when(cancel_for_abort(1, NOW)).then_refused(Refusal::UnknownBooking);
    let expired = on_sale().held(1, ANN, "1A").expired(1, ANN, "1A").aborted();
    expired.when(cancel_for_abort(1, NOW)).then_nothing();
}

/// The process over an aborted launch: every booking once, whatever was done before.
#[test]
fn the_whole_abort_returns_every_dollar_and_every_seat() {
    let past = on_sale()
        .booked(1, ANN, "1A 1B")
        .booked(2, BOB, "2A")
        .held(3, CEM, "3A 3B")
        .ready_to_pay(4, CEM, "4A")
        .after(cancel_seat(1, ANN, "1A", PRICE.percent(90), NOW))
        .aborted()
        .after(capture(4, 4, NOW));
    let over = (1..=4).fold(past, |past, n| past.after(cancel_for_abort(n, NOW)));
    let manifest = over.manifest();
    assert_eq!((manifest.taken.len(), manifest.held, manifest.seats_of.len()), (0, 0, 0));
    for (n, back) in [(1, PRICE.percent(90).plus(PRICE)), (2, PRICE), (3, Money::ZERO), (4, PRICE)] {
        assert_eq!(manifest.bookings[&booking(n)].refunded(), back, "booking {n}");
    }
}
