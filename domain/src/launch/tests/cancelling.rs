//! Rule 6: cancellation is quoted, then confirmed.

use super::*;
use crate::policy::{Cancellation, Tier};

fn two_seats() -> Past {
    on_sale().booked(1, ANN, "1A 1B")
}
fn quoted(past: &Past, label: Option<&str>, now: Timestamp) -> Quote {
    past.launch().quote(booking(1), ANN, label.map(seat), now).unwrap()
}

#[test]
fn the_share_given_back_falls_at_365_and_90_days_to_the_second() {
    let cases = [
        (before_departure(800), 90, 800),
        (before_departure(365), 90, 365),
        (later(before_departure(365), SECOND), 70, 364),
        (before_departure(90), 70, 90),
        (later(before_departure(90), SECOND), 0, 89),
        (earlier(DEPARTURE, SECOND), 0, 0),
    ];
    for (now, percent, days) in cases {
        let quote = quoted(&two_seats(), None, now);
        assert_eq!((quote.percent, quote.basis), (percent, Basis::TimeLeft { days }), "{now}");
        assert_eq!((quote.paid, quote.refund), (PRICE.times(2), PRICE.percent(percent).times(2)), "{now}");
        assert_eq!(quote.frees_seats, percent > 0, "{now}");
    }
}

#[test]
fn a_cancelled_booking_gives_the_quoted_share_back_and_frees_its_seats() {
    let back = PRICE.percent(90).times(2);
    two_seats().when(cancel(1, ANN, back, NOW)).then([
        Event::BookingCancelled {
            booking: booking(1),
            customer: ANN,
            by: CancelledBy::Customer,
            freed: seats("1A 1B"),
            percent: 90,
            refund: back,
            basis: Basis::TimeLeft { days: 896 },
            policy_version: 0,
            at: NOW,
        },
        refund_of(1, refund(1), back, RefundReason::Cancelled, NOW),
    ]);
    let after = two_seats().after(cancel(1, ANN, back, NOW));
    assert!(after.manifest().taken.is_empty());
    after.when(hold(2, BOB, "1A 1B", NOW)).then_events_with(|events| events.len() == 1);
}

#[test]
fn below_the_last_tier_nothing_is_given_back_and_the_seats_stay_sold() {
    let late = before_departure(30);
    let after = two_seats().after(cancel(1, ANN, Money::ZERO, late));
    two_seats()
        .when(cancel(1, ANN, Money::ZERO, late))
        .then_events_with(|events| matches!(events, [Event::BookingCancelled { freed, percent: 0, .. }] if freed.is_empty()));
    assert_eq!(after.manifest().sold(), 2);
    after.when(hold(2, BOB, "1A", late)).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
}

#[test]
fn one_passenger_of_several_may_be_cancelled() {
    let back = PRICE.percent(90);
    two_seats().when(cancel_seat(1, ANN, "1A", back, NOW)).then([
        Event::PassengerCancelled {
            booking: booking(1),
            customer: ANN,
            seat: seat("1A"),
            freed: true,
            percent: 90,
            refund: back,
            basis: Basis::TimeLeft { days: 896 },
            policy_version: 0,
            at: NOW,
        },
        refund_of(1, RefundId::derived(booking(1).0, "1A"), back, RefundReason::Cancelled, NOW),
    ]);
    let after = two_seats().after(cancel_seat(1, ANN, "1A", back, NOW));
    let known = &after.manifest().bookings[&booking(1)];
    assert_eq!((&known.seats, known.passengers.len()), (&seats("1B"), 1));
    assert_eq!(after.manifest().taken.keys().copied().collect::<BTreeSet<_>>(), seats("1B"));
    assert_eq!(after.manifest().seats_of[&ANN], 1);
}

#[test]
fn one_passenger_cancelled_too_late_keeps_the_seat_sold() {
    let late = before_departure(30);
    let after = two_seats().after(cancel_seat(1, ANN, "1A", Money::ZERO, late));
    assert_eq!(after.manifest().sold(), 2);
    assert_eq!(after.manifest().bookings[&booking(1)].seats, seats("1B"));
    after.when(hold(2, BOB, "1A", late)).then_refused(Refusal::SeatsTaken { seats: seats("1A") });
}

#[test]
fn cancelling_the_last_passenger_cancels_the_booking() {
    let back = PRICE.percent(90);
    let one_left = two_seats().after(cancel_seat(1, ANN, "1A", back, NOW));
    one_left
        .clone()
        .when(cancel_seat(1, ANN, "1B", back, NOW))
        .then_events_with(|events| matches!(&events[0], Event::BookingCancelled { freed, .. } if *freed == seats("1B")));
    let over = one_left.after(cancel_seat(1, ANN, "1B", back, NOW)).manifest().bookings[&booking(1)].clone();
    assert_eq!(over.stage, Stage::Cancelled);
    assert_eq!(over.refunded(), back.times(2));
}

#[test]
fn a_refund_other_than_quoted_is_refused_with_the_new_one() {
    let past_the_tier = later(before_departure(365), SECOND);
    two_seats()
        .when(cancel(1, ANN, PRICE.percent(90).times(2), past_the_tier))
        .then_refused(Refusal::QuoteChanged { refund: PRICE.percent(70).times(2) });
    two_seats().when(cancel_seat(1, ANN, "1A", PRICE, NOW)).then_refused(Refusal::QuoteChanged { refund: PRICE.percent(90) });
}

#[test]
fn a_refund_that_became_better_than_quoted_is_shown_first_too() {
    let delayed = two_seats().delayed_to(later(DEPARTURE, policy::days(30)));
    delayed.when(cancel(1, ANN, PRICE.percent(90).times(2), NOW)).then_refused(Refusal::QuoteChanged { refund: PRICE.times(2) });
}

#[test]
fn cancelling_twice_is_refused_without_effect() {
    let over = two_seats().after(cancel(1, ANN, PRICE.percent(90).times(2), NOW));
    over.clone().when(cancel(1, ANN, PRICE.percent(90).times(2), NOW)).then_refused(Refusal::AlreadyCancelled);
    over.clone().when(cancel_seat(1, ANN, "1A", PRICE.percent(90), NOW)).then_refused(Refusal::AlreadyCancelled);
    assert_eq!(over.launch().quote(booking(1), ANN, None, NOW), Err(Refusal::AlreadyCancelled));
}

#[test]
fn a_passenger_is_cancelled_once_and_only_where_one_sits() {
    let back = PRICE.percent(90);
    let past = on_sale().booked(1, ANN, "1A 1B 1C").after(cancel_seat(1, ANN, "1A", back, NOW));
    past.clone().when(cancel_seat(1, ANN, "1A", back, NOW)).then_refused(Refusal::NoPassenger { seat: seat("1A") });
    past.when(cancel_seat(1, ANN, "2A", back, NOW)).then_refused(Refusal::NoPassenger { seat: seat("2A") });
}

#[test]
fn a_hold_is_given_up_whole_and_costs_nothing() {
    let held = on_sale().ready_to_pay(1, ANN, "1A 1B");
    assert_eq!(quoted(&held, None, NOW).basis, Basis::Unpaid);
    held.clone().when(cancel_seat(1, ANN, "1A", Money::ZERO, NOW)).then_refused(Refusal::NoPassenger { seat: seat("1A") });
    held.clone().when(cancel(1, ANN, Money::ZERO, NOW)).then_events_with(|events| events.len() == 1);
    let free = held.after(cancel(1, ANN, Money::ZERO, NOW)).manifest();
    assert_eq!((free.taken.len(), free.held, free.seats_of.len()), (0, 0, 0));
}

#[test]
fn an_expired_booking_is_not_cancelled() {
    let expired = on_sale().held(1, ANN, "1A").expired(1, ANN, "1A");
    expired.when(cancel(1, ANN, Money::ZERO, NOW)).then_refused(Refusal::BookingClosed { stage: "expired".into() });
}

#[test]
fn nobody_cancels_anothers_booking() {
    two_seats().when(cancel(1, BOB, PRICE.percent(90).times(2), NOW)).then_refused(Refusal::UnknownBooking);
    two_seats().when(cancel_seat(1, BOB, "1A", PRICE.percent(90), NOW)).then_refused(Refusal::UnknownBooking);
    two_seats().when(cancel(7, ANN, Money::ZERO, NOW)).then_refused(Refusal::UnknownBooking);
}

#[test]
fn what_departed_is_not_cancelled() {
    two_seats().when(cancel(1, ANN, Money::ZERO, DEPARTURE)).then_refused(Refusal::TooLateToCancel);
    two_seats().confirmed(3).launched().when(cancel(1, ANN, Money::ZERO, DEPARTURE)).then_refused(Refusal::TooLateToCancel);
}

#[test]
fn a_booking_keeps_the_refund_table_it_was_made_under() {
    let generous = Cancellation { tiers: vec![Tier { days_before: 10, percent: 50 }], free_days_after_delay: 14 };
    let held = on_sale().after(hold_under(published(Numbers::Cancellation(generous)), 1, ANN, "1A", NOW));
    let past = held.named(1, "1A").paying(1, "1A").after(capture(1, 1, NOW)).booked(2, BOB, "2A");
    let now = before_departure(10);
    let (new, old) = (past.launch().quote(booking(1), ANN, None, now).unwrap(), past.launch().quote(booking(2), BOB, None, now).unwrap());
    assert_eq!((new.percent, new.policy_version), (50, 1));
    assert_eq!((old.percent, old.policy_version), (0, 0));
}

#[test]
fn the_share_is_rounded_half_to_even_for_each_seat() {
    let odd = Money::cents(100_000_005);
    let past = on_sale_as(Plan { price: odd, ..plan() });
    let past = Past { price: odd, ..past }.held(1, ANN, "1A 1B").named(1, "1A 1B").paying(1, "1A 1B").after(capture(1, 1, NOW));
    // 90 % of each is 90 000 004.5 cents: 90 000 004 twice, not 180 000 009.
    assert_eq!(quoted(&past, None, NOW).refund, Money::cents(180_000_008));
    assert_eq!(quoted(&past, Some("1A"), NOW).refund, Money::cents(90_000_004));
}

#[test]
fn a_refunds_id_names_one_refund() {
    let back = PRICE.percent(90);
    let same = |label: &str| Command::CancelPassenger {
        booking: booking(1),
        customer: ANN,
        seat: seat(label),
        refund: refund(1),
        quoted: back,
        now: NOW,
    };
    let past = on_sale().booked(1, ANN, "1A 1B 1C").after(same("1A"));
    past.clone().when(same("1B")).then_refused(Refusal::BookingIdUsed);
    past.clone().when(cancel(1, ANN, back.times(2), NOW)).then_refused(Refusal::BookingIdUsed);
    let other = Command::CancelBooking { booking: booking(2), customer: BOB, refund: refund(1), quoted: back, now: NOW };
    past.booked(2, BOB, "2A").when(other).then_refused(Refusal::BookingIdUsed);
}

#[test]
fn a_refund_is_paid_once_and_tried_again_until_then() {
    let back = PRICE.percent(90).times(2);
    let asked = two_seats().after(cancel(1, ANN, back, NOW));
    let paid = Event::RefundPaid { booking: booking(1), refund: refund(1), amount: back, reference: "re_1".into(), at: NOW };
    asked.clone().when(settle(1, refund(1), NOW)).then([paid.clone()]);
    asked.clone().when(fail(1, refund(1), NOW)).then([Event::RefundFailed {
        booking: booking(1),
        refund: refund(1),
        reason: "unreachable".into(),
        at: NOW,
    }]);
    asked.clone().after(fail(1, refund(1), NOW)).when(settle(1, refund(1), NOW)).then([paid.clone()]);
    asked.clone().then(paid.clone()).when(settle(1, refund(1), NOW)).then_nothing();
    asked.clone().then(paid).when(fail(1, refund(1), NOW)).then_nothing();
    asked.when(settle(1, refund(9), NOW)).then_refused(Refusal::UnknownRefund);
}
